"""Cubes as Zarr version 3: a group with the array ``intensity`` and the header in its attributes.

The array is (y, x, channel) float32 in chunks that hold whole spectra, each with a checksum. Every
chunk is written, also those that are zero throughout, so that a missing one is known to be lost.
Where the cube has them, ``uncertainty`` (the same) and ``flagged`` (y, x) bool lie beside it; the
attributes list the arrays, so that one that was not copied is missed.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from napari_deeper.io.contents import TRUST, Contents, check_memory, trust_arrays
from napari_deeper.io.layout import Asked
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import FileError

ATTRIBUTE = "napari_deeper"
_ARRAY = "intensity"
_LISTED = "arrays"
_CHUNK_BYTES = 8 * 2**20
_MARKS = ("zarr.json", ".zgroup", ".zarray")


def is_store(path: Path) -> bool:
    """Tell whether a folder is a Zarr store of any version."""
    return any((path / mark).is_file() for mark in _MARKS)


def read_zarr(path: Path, asked: Asked) -> Contents:
    """Read a folder written by `write_zarr`."""
    import zarr

    del asked  # a store of this layout holds one cube
    if not is_store(path):
        raise FileError(
            "the folder has no zarr.json, so it is no Zarr store. Was a copy cut short?"
        )
    node = zarr.open(path, mode="r")
    header = node.attrs.asdict().get(ATTRIBUTE)
    if not isinstance(node, zarr.Group) or not isinstance(header, dict):
        raise FileError(
            f"the Zarr store has no attribute '{ATTRIBUTE}', so it is not a cube written by "
            "napari-deeper. Save the cube as .npz with an array 'wavenumber' to read it here."
        )
    # a store of the first version lists nothing and holds the intensities alone
    names = header.get(_LISTED, [_ARRAY])
    trust = {name: _read_array(node, name) for name in TRUST if name in names}
    return Contents(_read_array(node, _ARRAY), "zarr", header, trust=trust)


def _read_array(group: Any, name: str) -> NDArray[Any]:
    import zarr

    array = group.get(name)
    if not isinstance(array, zarr.Array):
        raise FileError(f"the Zarr store has lost its array '{name}'. Copy it again.")
    return _read_chunks(array)


def _read_chunks(array: Any) -> NDArray[Any]:
    check_memory(array.shape, array.dtype.itemsize)
    n_missing = array.nchunks - array.nchunks_initialized
    if n_missing:
        raise FileError(
            f"{n_missing} of the {array.nchunks} chunks of the Zarr store are missing, so the copy "
            "is incomplete. Copy the folder again."
        )
    values: NDArray[Any] = array[...]
    return values


def write_zarr(cube: RamanCube, header: str, path: Path) -> None:
    """Write a cube and the JSON of its header as a new Zarr folder."""
    import zarr
    from zarr.codecs import Crc32cCodec, ZstdCodec

    arrays = {_ARRAY: cube.intensity, **trust_arrays(cube)}
    attributes = {ATTRIBUTE: json.loads(header) | {_LISTED: list(arrays)}}
    group = zarr.create_group(path, zarr_format=3, attributes=attributes)
    for name, values in arrays.items():
        array = group.create_array(
            name,
            shape=values.shape,
            chunks=chunk_shape(cube.shape)[: values.ndim],
            dtype=values.dtype,
            compressors=[ZstdCodec(level=3), Crc32cCodec()],
            dimension_names=("y", "x", "channel")[: values.ndim],
            config={"write_empty_chunks": True},
        )
        array[...] = values


def chunk_shape(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return chunks of whole spectra, square in y and x, at most 64 a side and about 8 MiB."""
    y, x, channel = shape
    side = max(1, min(64, math.isqrt(_CHUNK_BYTES // (4 * channel))))
    return min(side, y), min(side, x), channel
