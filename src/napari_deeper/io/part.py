"""A rectangle of a cube: cut out of one in memory, or read out of a store that stays on disk."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from napari_deeper.io.contents import check_memory
from napari_deeper.io.zarr_levels import StoredLevels
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import FileError, ParameterError
from napari_deeper.spectra.progress import Progress
from napari_deeper.spectra.provenance import Step

Rectangle = tuple[tuple[int, int], tuple[int, int]]
_ROWS = 64  # read between two looks at whether it was cancelled


def check_rectangle(rectangle: Rectangle, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Return rows and columns as slices.

    Parameters
    ----------
    rectangle
        ((first row, end), (first column, end)) in pixels counted from 0, the ends left out.
    shape
        (y, x, ...) of the cube.

    Raises
    ------
    ParameterError
        If it has no pixel, or does not lie within the cube.
    """
    try:
        (top, bottom), (left, right) = rectangle
        bounds = [int(n) for n in (top, bottom, left, right)]
    except (TypeError, ValueError) as error:
        raise ParameterError(
            f"The rectangle is {rectangle}; it must be ((first row, end), (first column, end)), in pixels."
        ) from error
    top, bottom, left, right = bounds
    if not (0 <= top < bottom <= shape[0] and 0 <= left < right <= shape[1]):
        raise ParameterError(
            f"Rows {top}:{bottom} and columns {left}:{right} do not lie within the cube of "
            f"{shape[0]} x {shape[1]} pixels."
        )
    return slice(top, bottom), slice(left, right)


def cut(cube: RamanCube, rectangle: Rectangle) -> RamanCube:
    """Return the cube of a rectangle; its origin is that of its own first pixel.

    Raises
    ------
    ParameterError
        As `check_rectangle`.
    """
    part = check_rectangle(rectangle, cube.shape)
    return dataclasses.replace(
        cube,
        intensity=cube.intensity[part],
        origin=_origin(cube, part),
        provenance=(*cube.provenance, _step(part, cube.shape)),
        uncertainty=None if cube.uncertainty is None else cube.uncertainty[part],
        flagged=None if cube.flagged is None else cube.flagged[part],
    )


def read_part(
    stored: StoredLevels, rectangle: Rectangle, progress: Progress | None = None
) -> RamanCube:
    """Return the cube of a rectangle of a store, of which nothing else is read.

    Raises
    ------
    ParameterError
        As `check_rectangle`.
    FileError
        If chunks are missing or damaged, or the rectangle is more than memory holds.
    """
    progress = progress or Progress()
    part = check_rectangle(rectangle, stored.shape)
    n_y, n_x = (s.stop - s.start for s in part)
    n_channels = stored.shape[2]
    pixel = stored.pixel()
    arrays = {"intensity": stored.levels[0], **stored.trust}
    # in the order of the store first, and then as a cube has it
    check_memory((n_y, n_x, n_channels), 2 * sum(a.dtype.itemsize for a in arrays.values()))
    values: dict[str, Any] = {}
    for done, (name, array) in enumerate(arrays.items()):
        flat = len(array.shape) == 2
        made = np.empty((n_y, n_x) if flat else (n_y, n_x, n_channels), array.dtype)
        for top in range(part[0].start, part[0].stop, _ROWS):
            rows = slice(top, min(top + _ROWS, part[0].stop))
            progress.update(
                (done + (top - part[0].start) / n_y) / len(arrays), "Reading a part of the store"
            )
            into = slice(rows.start - part[0].start, rows.stop - part[0].start)
            if flat:
                made[into] = array.read((rows, part[1]))
            else:
                block = array.read((slice(0, n_channels), rows, part[1]))
                made[into] = np.moveaxis(block, 0, 2)
        values[name] = made
    return dataclasses.replace(
        pixel,
        **values,
        origin=_origin(pixel, part),
        provenance=(*pixel.provenance, _step(part, stored.shape)),
    )


def check_whole(stored: StoredLevels) -> None:
    """Raise `FileError` where memory does not hold a cube twice: as it is stored, and as a cube has it."""
    try:
        check_memory(stored.shape, 2 * stored.levels[0].dtype.itemsize)
    except FileError as error:
        raise FileError(
            f"the cube has {stored.n_bytes / 1e9:.3g} GB, which is more than can be read into memory here. Open it in "
            "napari, where it stays on disk; read a part of it with crop=((0, 512), (0, 512)) (napari-deeper convert "
            "--crop 0:512,0:512); or work on it from file to file, for example with napari-deeper denoise."
        ) from error


def _origin(cube: RamanCube, part: tuple[slice, slice]) -> tuple[float, float]:
    (y, x), (dy, dx) = cube.origin, cube.spacing
    return y + part[0].start * dy, x + part[1].start * dx


def _step(part: tuple[slice, slice], shape: tuple[int, ...]) -> Step:
    """Return what Prepare's cropping of the map leaves in the history."""
    rows, columns = part
    height, width = rows.stop - rows.start, columns.stop - columns.start
    return Step(
        "crop-map",
        {"y": rows.start, "x": columns.start, "height": height, "width": width},
        (f"Kept {height} x {width} of {shape[0]} x {shape[1]} pixels.",),
    )
