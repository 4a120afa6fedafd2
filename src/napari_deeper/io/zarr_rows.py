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
from napari_deeper.io.zarr_levels import open_levels
from napari_deeper.io.zarr_store import (
    ATTRIBUTE,
    CHUNK,
    FIRST_LAYOUT,
    FULL,
    LISTED,
)
from napari_deeper.spectra.errors import FileError
from napari_deeper.spectra.provenance import Step

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
    read_channels
        ``read_channels((rows, columns), channels)`` returns a slice of them.
    has_trust
        Whether uncertainty or flags lie beside it.
    """

    shape: tuple[int, int, int]
    header: dict[str, Any]
    read: Callable[[Tile], Intensity]
    read_channels: Callable[[Tile, slice], Intensity]
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
    array = levels.levels[0]

    def read_channels(tile: Tile, channels: slice) -> Intensity:
        region = (channels, *tile)
        bounds = [slice(*s.indices(n)[:2]) for s, n in zip(region, array.shape, strict=True)]
        return np.ascontiguousarray(np.moveaxis(array.read(tuple(bounds)), 0, 2))

    def read(tile: Tile) -> Intensity:
        return read_channels(tile, slice(None))

    header = _begun(levels.header, path)
    return StoredCube(levels.shape, header, read, read_channels, bool(levels.trust))


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

    def read_channels(tile: Tile, channels: slice) -> Intensity:
        return np.asarray(array[tile[0], tile[1], channels], np.float32)

    def read(tile: Tile) -> Intensity:
        return read_channels(tile, slice(None))

    return StoredCube((n_y, n_x, n_channels), _begun(header, path), read, read_channels, trust)


def _begun(header: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return a header with a name and a history, as `napari_deeper.read` gives it."""
    metadata = {"name": path.stem} | dict(header.get("metadata", {}))
    history = header.get("provenance") or [
        Step("read", {"path": path.name, "format": "zarr"}).to_json()
    ]
    return header | {"metadata": metadata, "provenance": history}


def tile_size(shape: tuple[int, ...]) -> Tile:
    """Return the rows and columns of one chunk of a cube (y, x, channel), as slices from 0."""
    return slice(0, min(CHUNK[1], shape[0])), slice(0, min(CHUNK[2], shape[1]))


def tiles_of(shape: tuple[int, ...]) -> list[Tile]:
    """Return the tiles of a cube (y, x, channel), row by row; each is one chunk at most."""
    height, width = (size.stop for size in tile_size(shape))
    return [
        (slice(y, min(y + height, shape[0])), slice(x, min(x + width, shape[1])))
        for y in range(0, shape[0], height)
        for x in range(0, shape[1], width)
    ]


def pixels_of(tile: Tile, n_x: int) -> NDArray[np.intp]:
    """Return the pixels of a tile, counted along the rows of a map that is ``n_x`` wide."""
    rows, columns = tile
    along = np.arange(columns.start, columns.stop)
    return np.add.outer(np.arange(rows.start, rows.stop) * n_x, along).ravel()
