"""Cubes as Zarr, tile by tile: what knows how a store is laid out, for cubes that memory does not hold."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.io.contents import TRUST
from napari_deeper.io.ome_zarr import multiscale
from napari_deeper.io.write import replacing
from napari_deeper.io.zarr_chunks import check_chunks, check_store
from napari_deeper.io.zarr_store import (
    ATTRIBUTE,
    CHUNK,
    FIRST_LAYOUT,
    FULL,
    LISTED,
    halved,
    n_levels,
    new_array,
)
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import FileError

Tile = tuple[slice, slice]
Intensity = NDArray[np.float32]


@dataclass(frozen=True)
class StoredCube:
    """A cube that stays in its store.

    Parameters
    ----------
    shape
        (y, x, channel).
    header
        As `RamanCube.header` gives it.
    read
        ``read((rows, columns))`` returns (y, x, channel) of a tile.
    has_trust
        Whether uncertainty or flags lie beside it.
    """

    shape: tuple[int, int, int]
    header: dict[str, Any]
    read: Callable[[Tile], Intensity]
    has_trust: bool


def open_stored(path: Path) -> StoredCube | None:
    """Return a cube in a store of our own layout without reading it; None where it is none.

    Raises
    ------
    FileError
        If parts of it are missing.
    """
    import zarr

    try:
        node = zarr.open(path, mode="r")
    except (OSError, ValueError):
        return None
    header = node.attrs.asdict().get(ATTRIBUTE)
    if not isinstance(header, dict) or not isinstance(node, zarr.Group):
        return None
    is_first = FIRST_LAYOUT in header.get(LISTED, [FIRST_LAYOUT])
    name = FIRST_LAYOUT if is_first else FULL
    array = node.get(name)
    if not isinstance(array, zarr.Array) or array.ndim != 3:
        return None
    check_store(path)
    if array.nchunks != array.nchunks_initialized:
        raise FileError(f"{path}: chunks of the Zarr store are missing. Copy the folder again.")
    check_chunks(path / name, array)
    shape = tuple(int(n) for n in array.shape)
    n_y, n_x, n_channels = shape if is_first else (*shape[1:], shape[0])
    trust = any(name in header.get(LISTED, ()) for name in TRUST)

    def read(tile: Tile) -> Intensity:
        if is_first:
            return np.asarray(array[tile[0], tile[1], :], np.float32)
        planes = np.asarray(array[:, tile[0], tile[1]], np.float32)
        return np.ascontiguousarray(np.moveaxis(planes, 0, 2))

    return StoredCube((n_y, n_x, n_channels), header, read, trust)


@contextmanager
def new_stored(
    path: Path, shape: tuple[int, int, int], *, overwrite: bool
) -> Iterator[tuple[Callable[[Tile, Intensity], None], Callable[[dict[str, Any]], None], Tile]]:
    """Write a cube tile by tile; it takes its name once it is complete.

    Yields ``put(tile, intensity)``, ``finish(header)`` and the size of a tile as two slices from 0.
    """
    import zarr

    n_y, n_x, n_channels = shape
    with replacing(path, overwrite=overwrite) as temporary:
        group = zarr.create_group(temporary, zarr_format=3)
        array = new_array(group, FULL, (n_channels, n_y, n_x), np.float32)

        def put(tile: Tile, intensity: Intensity) -> None:
            array[:, tile[0], tile[1]] = np.moveaxis(intensity, 2, 0)

        def finish(header: dict[str, Any]) -> None:
            plain = json.loads(json.dumps(header))
            place = RamanCube.from_header(np.zeros((1, 1, n_channels)), plain)
            levels = n_levels(shape)
            for level in range(1, levels):
                _halve_into(group, level)
            group.attrs.update(
                {"ome": multiscale(place, levels), ATTRIBUTE: plain | {LISTED: [FULL]}}
            )

        yield put, finish, tile_size(shape)


def tile_size(shape: tuple[int, ...]) -> Tile:
    """Return the rows and columns of one chunk of a cube (y, x, channel), as slices from 0."""
    return slice(0, min(CHUNK[1], shape[0])), slice(0, min(CHUNK[2], shape[1]))


def _halve_into(group: Any, level: int) -> None:
    """Write a level from the one before, a chunk of it at a time."""
    fine = group[str(level - 1)]
    n_channels, n_y, n_x = fine.shape
    coarse = new_array(group, str(level), (n_channels, -(-n_y // 2), -(-n_x // 2)), np.float32)
    for y in range(0, coarse.shape[1], CHUNK[1]):
        for x in range(0, coarse.shape[2], CHUNK[2]):
            rows, columns = slice(2 * y, 2 * (y + CHUNK[1])), slice(2 * x, 2 * (x + CHUNK[2]))
            part = halved(np.asarray(fine[:, rows, columns]))
            coarse[:, y : y + CHUNK[1], x : x + CHUNK[2]] = part
