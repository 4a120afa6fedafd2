"""Cubes as Zarr, tile by tile: what knows how a store is laid out, for cubes that memory does not hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.io.contents import TRUST
from napari_deeper.io.zarr_chunks import check_chunks, check_store
from napari_deeper.io.zarr_levels import StoredLevels, open_levels
from napari_deeper.io.zarr_store import (
    ATTRIBUTE,
    CHUNK,
    FIRST_LAYOUT,
    FULL,
    LISTED,
)
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

    Its chunks are checked as they are read; those of the first layout before.

    Raises
    ------
    FileError
        If parts of it are missing.
    """
    levels = open_levels(path)
    if levels is None:
        return _open_first_layout(path)
    array, whole = levels.levels[0], slice(0, levels.shape[2])

    def read(tile: Tile) -> Intensity:
        planes = array.read((whole, *(slice(*s.indices(n)[:2]) for s, n in _sides(tile, levels))))
        return np.ascontiguousarray(np.moveaxis(planes, 0, 2))

    return StoredCube(levels.shape, levels.header, read, bool(levels.trust))


def _sides(tile: Tile, levels: StoredLevels) -> zip[tuple[slice, int]]:
    return zip(tile, levels.shape, strict=False)


def _open_first_layout(path: Path) -> StoredCube | None:
    import zarr

    try:
        node = zarr.open(path, mode="r")
    except (OSError, ValueError):
        return None
    header = node.attrs.asdict().get(ATTRIBUTE)
    if not isinstance(header, dict) or not isinstance(node, zarr.Group):
        return None
    name = FIRST_LAYOUT if FIRST_LAYOUT in header.get(LISTED, [FIRST_LAYOUT]) else FULL
    array = node.get(name)
    if not isinstance(array, zarr.Array) or array.ndim != 3:
        return None
    check_store(path)
    if array.nchunks != array.nchunks_initialized:
        raise FileError(f"{path}: chunks of the Zarr store are missing. Copy the folder again.")
    check_chunks(path / name, array)
    if name == FULL:  # what does not fit together there is told by reading it whole
        return None
    n_y, n_x, n_channels = (int(n) for n in array.shape)
    trust = any(name in header.get(LISTED, ()) for name in TRUST)

    def read(tile: Tile) -> Intensity:
        return np.asarray(array[tile[0], tile[1], :], np.float32)

    return StoredCube((n_y, n_x, n_channels), header, read, trust)


def tile_size(shape: tuple[int, ...]) -> Tile:
    """Return the rows and columns of one chunk of a cube (y, x, channel), as slices from 0."""
    return slice(0, min(CHUNK[1], shape[0])), slice(0, min(CHUNK[2], shape[1]))
