"""Cubes as OME-Zarr 0.5, and OME-Zarr of other programs (read).

A cube is a multiscale image: the array ``0`` (channel, y, x) float32 and, for viewers, ``1``, ``2``, ... halved along
y and x by the mean. Chunks hold 32 channels of 64 x 64 pixels, so that a plane and a spectrum both need few of
them; each has a checksum, and every one is written, so that a missing one is known to be lost. Wavenumbers and
all else of `RamanCube.header` are in the attribute ``napari_deeper``, which lists the arrays ``uncertainty``
(channel, y, x) and ``flagged`` (y, x) where they lie beside it.

Stores of the first layout, one array ``intensity`` (y, x, channel), are still read.

References
----------
OME-Zarr specification, version 0.5, https://ngff.openmicroscopy.org/0.5/
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.io.contents import TRUST, Contents, check_memory, trust_arrays
from napari_deeper.io.layout import Asked
from napari_deeper.io.ome_zarr import is_image, multiscale, read_image
from napari_deeper.io.zarr_chunks import check_chunks, check_store
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import FileError

ATTRIBUTE = "napari_deeper"
LISTED = "arrays"
FULL = "0"
FIRST_LAYOUT = "intensity"
CHUNK = (32, 64, 64)
_SMALLEST = 64  # pixels a side, below which no further level helps a viewer
_MARKS = ("zarr.json", ".zgroup", ".zarray")
_PLANES = 64


def is_store(path: Path) -> bool:
    """Tell whether a folder is a Zarr store of any version."""
    return any((path / mark).is_file() for mark in _MARKS)


def read_zarr(path: Path, asked: Asked) -> Contents:
    """Read a folder written by `write_zarr`, or an OME-Zarr image with a channel axis."""
    import zarr

    if not is_store(path):
        raise FileError(
            "the folder has no zarr.json, so it is no Zarr store. Was a copy cut short?"
        )
    check_store(path)
    node = zarr.open(path, mode="r")
    attributes = node.attrs.asdict()
    header = attributes.get(ATTRIBUTE)
    if isinstance(node, zarr.Group) and isinstance(header, dict):
        return _own(path, node, header)
    if isinstance(node, zarr.Group) and is_image(attributes):
        return read_image(path, node, attributes, asked)
    raise FileError(
        f"the Zarr store has no attribute '{ATTRIBUTE}', so it is not a cube written by napari-deeper, and "
        "it is no OME-Zarr image. Save the cube as .npz with an array 'wavenumber' to read it here."
    )


def _own(path: Path, group: Any, header: Mapping[str, Any]) -> Contents:
    # a store of the first version lists nothing and holds the intensities alone
    names = header.get(LISTED, [FIRST_LAYOUT])
    is_first = FIRST_LAYOUT in names
    arrays: dict[str, NDArray[Any]] = {
        name: _read_array(path, group, name)
        for name in (FIRST_LAYOUT if is_first else FULL, *TRUST)
        if name in names
    }
    if not is_first:  # (channel, y, x) in the file
        arrays = {n: np.moveaxis(a, 0, 2) if a.ndim == 3 else a for n, a in arrays.items()}
    intensity = arrays.pop(FIRST_LAYOUT if is_first else FULL, None)
    if intensity is None:
        raise FileError("the Zarr store does not list its intensities. Copy it again.")
    return Contents(intensity, "zarr", header, trust=arrays)


def _read_array(path: Path, group: Any, name: str) -> NDArray[Any]:
    import zarr

    array = group.get(name)
    if not isinstance(array, zarr.Array):
        raise FileError(f"the Zarr store has lost its array '{name}'. Copy it again.")
    check_memory(array.shape, array.dtype.itemsize)
    n_missing = array.nchunks - array.nchunks_initialized
    if n_missing:
        raise FileError(
            f"{n_missing} of the {array.nchunks} chunks of the Zarr store are missing, so the copy "
            "is incomplete. Copy the folder again."
        )
    check_chunks(path / name, array)
    return np.asarray(array[...])


def write_zarr(cube: RamanCube, header: str, path: Path) -> None:
    """Write a cube and the JSON of its header as a new Zarr folder."""
    import zarr

    levels = n_levels(cube.shape)
    trust = trust_arrays(cube)
    own = json.loads(header) | {LISTED: [FULL, *trust]}
    attributes = {"ome": multiscale(cube, levels), ATTRIBUTE: own}
    group = zarr.create_group(path, zarr_format=3, attributes=attributes)
    for name, values in {FULL: cube.intensity, **trust}.items():
        _write_array(group, name, np.moveaxis(values, 2, 0) if values.ndim == 3 else values)
    level = np.moveaxis(cube.intensity, 2, 0)
    for i in range(1, levels):
        level = halved(level)
        _write_array(group, str(i), level)


def n_levels(shape: tuple[int, ...]) -> int:
    """Return how many levels an image (y, x, ...) gets, the full one too."""
    side, levels = max(shape[:2]), 1
    while side > _SMALLEST:
        side, levels = -(-side // 2), levels + 1
    return levels


def _write_array(group: Any, name: str, values: NDArray[Any]) -> None:
    new_array(group, name, values.shape, values.dtype)[...] = values


def new_array(group: Any, name: str, shape: tuple[int, ...], dtype: Any) -> Any:
    """Return a new Zarr array (channel, y, x) or (y, x) in our chunks, to be filled."""
    from zarr.codecs import Crc32cCodec, ZstdCodec

    return group.create_array(
        name,
        shape=shape,
        chunks=tuple(min(pair) for pair in zip(shape, CHUNK[-len(shape) :], strict=True)),
        dtype=dtype,
        compressors=[ZstdCodec(level=3), Crc32cCodec()],
        dimension_names=("c", "y", "x")[-len(shape) :],  # those of the axes in the attributes
        config={"write_empty_chunks": True},
    )


def halved(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (channel, y, x) with half the pixels along y and x, each the mean of those that it covers.

    A pixel at the end of an odd axis is the mean of the one or two that are there. What is not finite is left out of
    a mean, so that one dead pixel does not spread over a level.
    """
    channel, y, x = planes.shape
    small = np.empty((channel, -(-y // 2), -(-x // 2)), dtype=np.float32)
    for start in range(0, channel, _PLANES):  # in parts, since sums are double
        part = planes[start : start + _PLANES]
        finite = np.isfinite(part)
        if finite.all():
            counts = _paired_sums(np.ones((1, y, x)))
            sums = _paired_sums(part)
        else:
            counts, sums = _paired_sums(finite), _paired_sums(np.where(finite, part, 0))
        means = np.full(sums.shape, np.nan)
        np.divide(sums, counts, out=means, where=counts > 0)
        small[start : start + _PLANES] = means
    return small


def _paired_sums(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return the sums of neighbors along y and x in double precision; the last of an odd axis stays alone."""
    for axis in (1, 2):
        values = np.moveaxis(values, axis, 0)
        sums = values[::2].astype(np.float64)
        second = values[1::2]
        sums[: len(second)] += second
        values = np.moveaxis(sums, 0, axis)
    return values
