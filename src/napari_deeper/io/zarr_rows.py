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
from napari_deeper.io.write import replacing
from napari_deeper.io.zarr_store import _ARRAY, _LISTED, ATTRIBUTE, chunk_shape
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
    array = node.get(_ARRAY) if isinstance(node, zarr.Group) else None
    if not isinstance(header, dict) or not isinstance(array, zarr.Array) or array.ndim != 3:
        return None
    if array.nchunks != array.nchunks_initialized:
        raise FileError(f"{path}: chunks of the Zarr store are missing. Copy the folder again.")
    n_y, n_x, n_channels = array.shape
    trust = any(name in header.get(_LISTED, ()) for name in TRUST)

    def read(tile: Tile) -> Intensity:
        return np.asarray(array[tile[0], tile[1], :], np.float32)

    return StoredCube((n_y, n_x, n_channels), header, read, trust)


@contextmanager
def new_stored(
    path: Path, shape: tuple[int, int, int], *, overwrite: bool
) -> Iterator[tuple[Callable[[Tile, Intensity], None], Callable[[dict[str, Any]], None], Tile]]:
    """Write a cube tile by tile; it takes its name once it is complete.

    Yields ``put(tile, intensity)``, ``finish(header)`` and the size of a tile as two slices from 0.
    """
    import zarr
    from zarr.codecs import Crc32cCodec, ZstdCodec

    chunks = chunk_shape(shape)
    with replacing(path, overwrite=overwrite) as temporary:
        group = zarr.create_group(temporary, zarr_format=3)
        array = group.create_array(
            _ARRAY,
            shape=shape,
            chunks=chunks,
            dtype=np.float32,
            compressors=[ZstdCodec(level=3), Crc32cCodec()],
            dimension_names=("y", "x", "channel"),
            config={"write_empty_chunks": True},
        )

        def put(tile: Tile, intensity: Intensity) -> None:
            array[tile[0], tile[1], :] = intensity

        def finish(header: dict[str, Any]) -> None:
            group.attrs[ATTRIBUTE] = json.loads(json.dumps(header)) | {_LISTED: [_ARRAY]}

        yield put, finish, (slice(0, chunks[0]), slice(0, chunks[1]))
