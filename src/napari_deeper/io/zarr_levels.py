"""A store of our own layout, left on disk: its header at once, its arrays a chunk at a time.

Neither opening nor reading walks over the store: a cube of 20 GB has 40 thousand chunks. What `zarr_chunks` checks
for a whole store is checked here for each file as it is read: that it lies within the store, that it declares
no more than a chunk has before it is unpacked, and that its checksum is right.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.io.contents import TRUST
from napari_deeper.io.zarr_chunks import zstd_size
from napari_deeper.io.zarr_store import ATTRIBUTE, FULL, LISTED
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import FileError

# Cubes larger than this stay on disk when they are opened in the window; smaller ones are read whole. The one place.
STORED_FROM_BYTES = 2**30
_LONGEST_JSON = 64 * 2**20
_CODECS = ("bytes", "zstd", "crc32c")
_MOST_LEVELS = 32
Index = tuple[int, ...]


@dataclass(frozen=True)
class StoredArray:
    """An array of a store, (channel, y, x) or (y, x), which stays there; safe to read in many threads.

    Parameters
    ----------
    folder
        Where its chunks lie.
    shape, chunks, dtype
        Of the array, and of one chunk.
    """

    folder: Path
    shape: Index
    chunks: Index
    dtype: np.dtype[Any]

    @property
    def n_bytes(self) -> int:
        """Of all its values."""
        return math.prod(self.shape) * self.dtype.itemsize

    def chunk(self, index: Index) -> NDArray[Any]:
        """Return one chunk, whole: at the ends of the array some of it lies outside.

        Raises
        ------
        FileError
            If it is missing or damaged.
        """
        from google_crc32c import value as crc32c
        from numcodecs.zstd import Zstd

        name = "/".join(("c", *map(str, index)))
        path = self.folder / name
        store = self.folder.parent
        try:
            if not path.resolve().is_relative_to(store.resolve()):
                raise FileError(f"{store.name}: the chunk {name} is a link out of the store.")
            data = path.read_bytes()
        except OSError as error:
            raise FileError(
                f"{store.name}: the chunk {name} of '{self.folder.name}' is missing or cannot be read. "
                "Copy the folder again."
            ) from error
        n_bytes = math.prod(self.chunks) * self.dtype.itemsize
        is_right = len(data) > 4 and crc32c(data[:-4]) == int.from_bytes(data[-4:], "little")
        unpacked = b""
        if is_right and zstd_size(data[:-4]) <= n_bytes:
            with suppress(RuntimeError):
                unpacked = Zstd().decode(data[:-4])
        if len(unpacked) != n_bytes:
            raise FileError(
                f"{store.name}: the chunk {name} of '{self.folder.name}' is damaged. Copy the folder again."
            )
        return np.frombuffer(unpacked, self.dtype).reshape(self.chunks)

    def overlapping(self, region: tuple[slice, ...]) -> list[Index]:
        """Return the chunks that a region (slices from start to stop) needs."""
        return list(
            itertools.product(
                *(
                    range(s.start // n, -(-s.stop // n)) if s.stop > s.start else range(0)
                    for s, n in zip(region, self.chunks, strict=True)
                )
            )
        )

    def place(self, index: Index) -> tuple[slice, ...]:
        """Return where a chunk lies in the array."""
        return tuple(
            slice(i * n, min((i + 1) * n, end))
            for i, n, end in zip(index, self.chunks, self.shape, strict=True)
        )

    def read(self, region: tuple[slice, ...]) -> NDArray[Any]:
        """Return the values of a region (slices from start to stop).

        Raises
        ------
        FileError
            If a chunk is missing or damaged.
        """
        values = np.empty([s.stop - s.start for s in region], self.dtype)
        for index in self.overlapping(region):
            self.paste(values, region, index, self.chunk(index))
        return values

    def paste(
        self, values: NDArray[Any], region: tuple[slice, ...], index: Index, chunk: NDArray[Any]
    ) -> None:
        """Put what a chunk holds of a region into the values of that region."""
        into, out_of = [], []
        for s, place in zip(region, self.place(index), strict=True):
            start, stop = max(s.start, place.start), min(s.stop, place.stop)
            into.append(slice(start - s.start, stop - s.start))
            out_of.append(slice(start - place.start, stop - place.start))
        values[tuple(into)] = chunk[tuple(out_of)]


@dataclass(frozen=True)
class StoredLevels:
    """A cube in a store with its levels, none of which is read.

    Parameters
    ----------
    path
        The store.
    header
        As `RamanCube.header` gives it.
    levels
        (channel, y, x) each, the full one first, the others halved along y and x.
    trust
        What the store has of `TRUST`: ``"uncertainty"`` (channel, y, x) and ``"flagged"`` (y, x).
    """

    path: Path
    header: dict[str, Any]
    levels: tuple[StoredArray, ...]
    trust: Mapping[str, StoredArray]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(y, x, channel)."""
        channel, y, x = self.levels[0].shape
        return y, x, channel

    @property
    def n_bytes(self) -> int:
        """Of the intensities."""
        return self.levels[0].n_bytes

    def pixel(self) -> RamanCube:
        """Return a cube of one pixel, which stands for all fields but the arrays.

        Raises
        ------
        DeeperError
            If the header is not that of a cube.
        """
        metadata = {"name": self.path.stem} | dict(self.header.get("metadata", {}))
        blank = np.zeros((1, 1, self.shape[2]), np.float32)
        return RamanCube.from_header(blank, self.header | {"metadata": metadata})


def open_levels(path: Path) -> StoredLevels | None:
    """Return a cube in a store written by `write_zarr` or `new_stored`, left there; None where it is none.

    A store of the first layout, of another program, or with parts that do not fit each other is none: reading
    it whole tells what it is.
    """
    try:
        group = _described(path / "zarr.json")
        header = group["attributes"][ATTRIBUTE]
        names = header[LISTED]
        if FULL not in names:
            return None
        levels = [_array(path / FULL)]
        while len(levels) < _MOST_LEVELS and (path / str(len(levels)) / "zarr.json").is_file():
            levels.append(_array(path / str(len(levels))))
        trust = {name: _array(path / name) for name in TRUST if name in names}
        n_channels = len(header["wavenumber"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    found = StoredLevels(
        path, {k: v for k, v in header.items() if k != LISTED}, tuple(levels), trust
    )
    return found if _fits(found, n_channels) else None


def _fits(found: StoredLevels, n_channels: int) -> bool:
    """Tell whether the arrays are those of one cube."""
    channel, y, x = found.levels[0].shape
    for level in found.levels:
        if level.shape != (n_channels, y, x) or level.dtype != np.float32:
            return False
        y, x = -(-y // 2), -(-x // 2)
    wanted = {"uncertainty": (channel, *found.shape[:2]), "flagged": found.shape[:2]}
    return all(array.shape == wanted[name] for name, array in found.trust.items())


def _described(path: Path) -> dict[str, Any]:
    if path.is_symlink() or path.stat().st_size > _LONGEST_JSON:
        raise ValueError(path)
    found = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise TypeError(path)
    return found


def _array(folder: Path) -> StoredArray:
    """Return an array that is stored as `new_array` does it; raise `ValueError` for any other."""
    about = _described(folder / "zarr.json")
    encoding = about["chunk_key_encoding"]
    is_ours = (
        tuple(codec["name"] for codec in about["codecs"]) == _CODECS
        and about["codecs"][0].get("configuration", {}).get("endian", "little") == "little"
        and about["chunk_grid"]["name"] == "regular"
        and encoding["name"] == "default"
        and encoding.get("configuration", {}).get("separator", "/") == "/"
    )
    shape = tuple(int(n) for n in about["shape"])
    chunks = tuple(int(n) for n in about["chunk_grid"]["configuration"]["chunk_shape"])
    dtype = np.dtype(about["data_type"]).newbyteorder("<")
    if not is_ours or len(shape) != len(chunks) or len(shape) not in (2, 3):
        raise ValueError(folder)
    if min(shape) < 1 or min(chunks) < 1 or math.prod(chunks) > 2**27:
        raise ValueError(folder)
    return StoredArray(folder, shape, chunks, dtype)
