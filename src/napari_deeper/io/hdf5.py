"""HDF5: cubes (read and written), arrays of other programs and MATLAB 7.3 (read), by h5py.

A cube is ``intensity`` (y, x, channel) float32, where it has them ``uncertainty`` (the same) and ``flagged``
(y, x) bool, and ``header``, the JSON of `RamanCube.header`; ``wavenumber`` and ``pixel_size`` lie beside it
for other programs. Chunks are compressed and carry a checksum. Links to other files and datasets whose
bytes lie in other files are never followed.
"""

from __future__ import annotations

import io
import json
import math
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.io.arrays import foreign_contents
from napari_deeper.io.contents import TRUST, Contents, check_memory, trust_arrays
from napari_deeper.io.layout import Asked
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import FileError

_LONGEST_HEADER = 64 * 2**20
_CHUNK = (32, 32, 64)
_MOST_MEMBERS = 10_000
_LARGEST_CHUNK = 64 * 2**20
_SLACK = 4096
_GZIP, _CHECKSUM = 1, 3  # filters of HDF5
_MOST_UNPACKED = 1032  # bytes that deflate can make of one


def import_h5py(what: str = "HDF5 files need h5py", instead: str = "") -> Any:
    """Return h5py, or say how to get it."""
    try:
        import h5py
    except ImportError as error:
        raise FileError(
            f"{what}. Install it: pip install 'napari-deeper[formats]'{instead}."
        ) from error
    return h5py


def read_hdf5(path: Path, asked: Asked) -> Contents:
    """Read a file written by `write_hdf5`, or the cube among the arrays of another program."""
    h5py = import_h5py()
    with h5py.File(path, "r") as file:
        found = number_datasets(file)
        if asked.variable is None and "intensity" in found and "header" in file:
            header = json.loads(_text(file.get("header", getlink=True), file))
            trust = {name: load_dataset(found[name]) for name in TRUST if name in found}
            return Contents(load_dataset(found["intensity"]), "hdf5", header, trust=trust)
        shapes = {name: node.shape for name, node in found.items()}
        return foreign_contents(
            shapes, lambda name: load_dataset(found[name]), asked, "hdf5 of another program"
        )


def number_datasets(file: Any) -> dict[str, Any]:
    """Return the arrays of numbers in an open file by their paths, through hard links alone."""
    h5py = import_h5py()
    found: dict[str, Any] = {}
    seen: set[Any] = set()
    waiting: list[tuple[str, Any]] = [("", file)]
    while waiting:
        path, group = waiting.pop()
        # asked for its length, a damaged group says that it is; walked by HDF5 itself, it may never end
        if len(group) > _MOST_MEMBERS or len(seen) > _MOST_MEMBERS:
            raise FileError(f"it holds more than {_MOST_MEMBERS} arrays and groups; it is damaged.")
        for name in list(group):
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                continue
            node = group[name]
            place = h5py.h5o.get_info(node.id).addr
            if place in seen:  # groups can hold each other
                continue
            seen.add(place)
            if isinstance(node, h5py.Group):
                waiting.append((f"{path}{name}/", node))
            elif _is_numbers(node, h5py):
                found[f"{path}{name}"] = node
    return found


def _is_numbers(node: Any, h5py: Any) -> bool:
    is_array = isinstance(node, h5py.Dataset) and node.shape is not None
    return bool(is_array and node.dtype.kind in "biufc")


def load_dataset(node: Any) -> NDArray[Any]:
    """Return the numbers of a dataset that lies in the file itself and is there."""
    name = node.name.lstrip("/")
    if node.is_virtual or node.external:
        raise FileError(
            f"the numbers of '{name}' lie in other files, which are not followed. Copy them into one "
            "file (h5repack)."
        )
    stored = node.id.get_storage_size()
    n_bytes = check_memory(node.shape, node.dtype.itemsize, stored)
    if n_bytes and not stored:
        raise FileError(f"'{name}' was declared, {node.shape}, but never written.")
    _check_chunks(node, n_bytes)
    values: NDArray[Any] = node[...]
    return values


def _check_chunks(node: Any, n_bytes: int) -> None:
    """Raise `FileError` if a chunk is larger than the array, or holds more than it is to unpack to."""
    if node.chunks is None:
        return
    chunk_bytes = math.prod(node.chunks) * node.dtype.itemsize
    stored: list[Any] = []
    node.id.chunk_iter(stored.append)
    if chunk_bytes > max(_LARGEST_CHUNK, 2 * n_bytes) or any(
        chunk.size > 1.1 * chunk_bytes + _SLACK for chunk in stored
    ):
        raise FileError(
            f"the chunks of '{node.name.lstrip('/')}' are of shape {node.chunks}, which cannot be; it is damaged."
        )
    _check_unpacked(node, stored, chunk_bytes)


def _check_unpacked(node: Any, stored: Sequence[Any], chunk_bytes: int) -> None:
    """Raise `FileError` if a chunk packed by gzip unpacks to more than it should, which HDF5 would let it."""
    plist = node.id.get_create_plist()
    filters = [plist.get_filter(i)[0] for i in range(plist.get_nfilters())]
    if _GZIP not in filters:
        return
    place = filters.index(_GZIP)
    is_last = all(number == _CHECKSUM for number in filters[place + 1 :])
    for chunk in stored:
        is_packed = not chunk.filter_mask & (1 << place)
        if not is_packed or _MOST_UNPACKED * chunk.size <= chunk_bytes:
            continue
        unpack, most = zlib.decompressobj(), chunk_bytes + _SLACK
        _, packed = node.id.read_direct_chunk(chunk.chunk_offset)
        if not is_last or len(unpack.decompress(packed, most + 1)) > most:
            raise FileError(
                f"a chunk of '{node.name.lstrip('/')}' unpacks to more than its {chunk_bytes} bytes; it is damaged."
            )


def _text(link: Any, file: Any) -> str:
    h5py = import_h5py()
    node: Any = file["header"] if isinstance(link, h5py.HardLink) else None
    # text of fixed length: of one that varies, a damaged file can claim 4 GiB, which are taken
    is_text = isinstance(node, h5py.Dataset) and node.dtype.kind == "S" and node.shape == ()
    if not is_text or node.dtype.itemsize > min(_LONGEST_HEADER, node.id.get_storage_size()):
        raise FileError("its 'header' is no text; write the cube again.")
    return bytes(node[()]).decode("ascii")


def write_hdf5(cube: RamanCube, header: str, path: Path) -> None:
    """Write a cube and the JSON of its header."""
    h5py = import_h5py()
    fields = json.loads(header)
    with path.open("w+b", buffering=0) as stream:
        output = _Output(stream)
        try:
            with h5py.File(output, "w") as file:
                _fill(file, cube, header, fields)
        except Exception as error:
            raise output.error or error from error
        if output.error is not None:
            raise output.error


def _fill(file: Any, cube: RamanCube, header: str, fields: dict[str, Any]) -> None:
    file["header"] = np.bytes_(header.encode("ascii"))
    file["wavenumber"] = np.array(fields["wavenumber"])
    file["wavenumber"].attrs["unit"] = "1/cm"
    if fields["pixel_size"] is not None:
        file["pixel_size"] = np.array(fields["pixel_size"])
        file["pixel_size"].attrs["unit"] = "um"
    for name, values in {"intensity": cube.intensity, **trust_arrays(cube)}.items():
        chunks = tuple(min(pair) for pair in zip(values.shape, _CHUNK, strict=False))
        packing = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
        file.create_dataset(name, data=values, chunks=chunks, fletcher32=True, **packing)


class _Output(io.RawIOBase):
    """A file that remembers the first error of a write and lets HDF5 go on.

    HDF5 writes last when its objects are collected, where an error can be caught by no one.
    """

    def __init__(self, stream: io.FileIO) -> None:
        self._stream = stream
        self.error: OSError | None = None

    def seek(self, place: int, whence: int = 0) -> int:
        return self._stream.seek(place, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def readinto(self, buffer: Any) -> int:
        return self._stream.readinto(buffer)

    def write(self, data: Any) -> int:
        left = memoryview(data).cast("B")
        while self.error is None and len(left):
            try:
                left = left[self._stream.write(left) :]
            except OSError as error:
                self.error = error
        return len(data)

    def truncate(self, size: int | None = None) -> int:
        try:
            return self._stream.truncate(size)
        except OSError as error:
            self.error = self.error or error
            return size or 0
