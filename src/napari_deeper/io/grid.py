"""Points of a stage, in any order, as a grid of pixels.

The grid stands as the stage does: rows rise with y, columns with x, whatever the order of the measurement (row by row,
serpentine, interrupted, shuffled). Points on one straight line become one row, in whatever direction the line runs.

Known limits: the grid must be even and run along x and y. A rotated grid, or scattered points, are refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_deeper.io.contents import check_memory
from napari_deeper.spectra.errors import FileError

Values = NDArray[np.float64]
Pair = tuple[float, float]

# In steps of the grid: what passes for jitter of the stage, and what is still gridded, but said.
_JITTER = 0.1
_LOOSE = 0.3
# Cells of a grid for each point that was measured, beyond which the points are taken as scattered.
_CELLS_PER_POINT = 16
_MOST_STEPS = 20_000
# Chance at which as many scattered points would fit some grid as well.
_CHANCE = 0.02
_SAMPLE = 512


@dataclass(frozen=True)
class Gridded:
    """Spectra on a grid.

    Parameters
    ----------
    intensity
        (y, x, channel) float32, NaN where nothing was measured.
    pixel_size
        (dy, dx) in the unit of the points, or None where there is a single point.
    origin
        (y, x) of the first pixel.
    notes
        What the user should know, one sentence each.
    """

    intensity: NDArray[np.float32]
    pixel_size: Pair | None
    origin: Pair
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Lattice:
    """Places ``start + index * step``, and how far from theirs the points are, in steps."""

    index: NDArray[np.intp]
    start: float
    step: float
    deviation: Values

    @property
    def size(self) -> int:
        return int(self.index.max()) + 1

    @property
    def worst(self) -> float:
        return float(np.abs(self.deviation).max())


def grid_points(x: ArrayLike, y: ArrayLike, spectra: ArrayLike) -> Gridded:
    """Put points in any order on the grid that they were measured on.

    Parameters
    ----------
    x, y
        (point,), stage coordinates in um, with jitter up to a tenth of a step; up to 0.3 of a step
        is gridded by the nearest pixel and said in a note.
    spectra
        (point, channel).

    Returns
    -------
    Gridded
        Row 0 has the lowest y, column 0 the lowest x. Points that share a place are averaged. Points
        on a straight line that does not run along x are one row, from its end of lowest x (of lowest y where it is
        vertical); the pixel size is then the distance along the line.

    Raises
    ------
    FileError
        If the points are rotated, scattered, all in one place, or too few for the grid they span.
    """
    x, y, spectra = _checked(x, y, spectra)
    if x.size == 1:
        return Gridded(spectra[None].astype(np.float32), None, (float(y[0]), float(x[0])))
    if max(np.ptp(x), np.ptp(y)) <= 1e-9 * max(np.abs(x).max(), np.abs(y).max()):
        raise FileError(
            f"all {x.size} points are in one place, ({x[0]:g}, {y[0]:g}) um: that is no map. "
            "Is it a time series?"
        )
    along, step_notes = _line(x, y)
    if along is not None:
        first = int(np.argmin(along.index))
        rows = _Lattice(np.zeros(x.size, np.intp), float(y[first]), along.step, np.zeros(x.size))
        columns = _Lattice(along.index, float(x[first]), along.step, along.deviation)
    else:
        rows, columns = _rows_and_columns(x, y)
    intensity, notes = _fill(rows, columns, spectra)
    return Gridded(
        intensity, (rows.step, columns.step), (rows.start, columns.start), (*step_notes, *notes)
    )


def _checked(x: ArrayLike, y: ArrayLike, spectra: ArrayLike) -> tuple[Values, Values, NDArray[Any]]:
    x, y = np.asarray(x, np.float64).reshape(-1), np.asarray(y, np.float64).reshape(-1)
    spectra = np.asarray(spectra)
    if spectra.ndim != 2 or not x.size == y.size == len(spectra):
        raise FileError(
            f"there are {x.size} x, {y.size} y and spectra of shape {spectra.shape}; "
            "each spectrum needs one place (x, y)."
        )
    if spectra.size == 0:
        raise FileError("it holds no spectra. Copy or export it again.")
    finite = np.isfinite(x) & np.isfinite(y)
    if not finite.all():
        raise FileError(f"the place of point {int(np.argmin(finite)) + 1} is not a number.")
    return x, y, spectra


def _line(x: Values, y: Values) -> tuple[_Lattice | None, tuple[str, ...]]:
    """Return the even places along a straight line, if the points are on one."""
    centered = np.stack([x - x.mean(), y - y.mean()])
    direction, across = np.linalg.svd(centered @ centered.T)[0].T
    if direction[np.argmax(np.abs(direction) > 1e-3)] < 0:
        direction = -direction
    along = _lattice(direction @ centered)
    if along is None:
        return None, ()
    off = float(np.abs(across @ centered).max()) / along.step
    is_single = np.unique(along.index).size == x.size
    if off > (_LOOSE if is_single else 1e-9):
        return None, ()
    if abs(direction[1]) * along.size < 0.5:
        return along, ("It is one row of pixels; their height is taken to be their width.",)
    ends = [int(end(along.index)) for end in (np.argmin, np.argmax)]
    start, stop = (f"({x[i]:.6g}, {y[i]:.6g})" for i in ends)
    note = f"The points lie on a straight line from (x, y) = {start} to {stop} um; they became one row."
    return along, (note,)


def _rows_and_columns(x: Values, y: Values) -> tuple[_Lattice, _Lattice]:
    rows, columns = _lattice(y), _lattice(x)
    if rows is None or columns is None:
        raise FileError(_no_grid(x, y, rows, columns))
    n_cells = rows.size * columns.size
    if n_cells > _CELLS_PER_POINT * x.size or x.size < rows.size + columns.size - 1:
        raise FileError(_no_grid(x, y, rows, columns))
    return rows, columns


def _no_grid(x: Values, y: Values, rows: _Lattice | None, columns: _Lattice | None) -> str:
    angle = _rotation(x, y)
    if angle is not None:
        return (
            f"its points lie on a grid that is rotated by {angle:.1f} degrees against the stage; only grids "
            "along x and y are read. Export it as an image, without the places, if there is such a choice."
        )
    if rows is not None and columns is not None:
        return (
            f"its {x.size} points would need a grid of {rows.size} x {columns.size} pixels, nearly all of "
            "them empty: they are scattered points, not a map. Export the points as separate spectra."
        )
    which = " and ".join(w for w, found in (("y", rows), ("x", columns)) if found is None)
    return (
        f"its {x.size} points lie on no even grid along x and y (no even steps in {which}): they are scattered, "
        "or the places are damaged. Export the points as separate spectra."
    )


def _rotation(x: Values, y: Values) -> float | None:
    """Return the angle in degrees by which the points are a rotated grid, or None."""
    from scipy.spatial import KDTree

    places = np.unique(np.stack([x, y], axis=1), axis=0)
    if len(places) < 4:
        return None
    neighbor = np.asarray(KDTree(places).query(places, k=2)[1])
    step = places[neighbor[:, 1]] - places
    # Four-fold, so that neighbors on all sides agree.
    turn = np.exp(4j * np.arctan2(step[:, 1], step[:, 0])).mean()
    angle = float(np.angle(turn)) / 4
    if abs(turn) < 0.5 or abs(angle) < 1e-3:
        return None
    c, s = np.cos(angle), np.sin(angle)
    turned = _lattice(c * x + s * y), _lattice(c * y - s * x)
    return None if None in turned else float(np.degrees(angle))


def _lattice(values: Values) -> _Lattice | None:
    """Return the coarsest even places near which all values are, or None if there are none."""
    span = float(np.ptp(values))
    if span <= 0:
        return None
    most = min(_MOST_STEPS, _CELLS_PER_POINT * values.size)
    sample = values if values.size <= _SAMPLE else values[:: -(-values.size // _SAMPLE)]
    low = float(values.min())
    best: _Lattice | None = None
    for first in range(1, most + 1, 64):
        counts = np.arange(first, min(first + 64, most + 1))
        # Values near multiples of span / count have one phase; the length of their mean tells.
        phases = np.exp(2j * np.pi * counts[:, None] * ((sample - low) / span)).mean(axis=1)
        for count, phase in zip(counts, phases, strict=True):
            if abs(phase) < 0.3:
                continue
            found = _fit(values, low, span / count, float(np.angle(phase)) / (2 * np.pi))
            if found is None or not _is_telling(found):
                continue
            if found.worst <= _JITTER:
                return found
            if best is None or _spread(found) < _spread(best):
                best = found
    return best


def _spread(lattice: _Lattice) -> float:
    return float((lattice.deviation**2).mean())


def _is_telling(lattice: _Lattice) -> bool:
    """Tell whether scattered points would seldom fit so well: two always do."""
    free = np.unique(lattice.index + lattice.deviation).size - 2
    return free <= 0 or (lattice.size - 1) ** 2 * (2 * lattice.worst) ** free < _CHANCE


def _fit(values: Values, low: float, step: float, phase: float) -> _Lattice | None:
    """Fit start and step by least squares to values whose nearest places are known."""
    index = np.rint((values - low) / step - phase)
    middle = index.mean()
    variance = ((index - middle) ** 2).mean()
    if variance == 0:
        return None
    step = float(((index - middle) * (values - values.mean())).mean() / variance)
    if step <= 0:
        return None
    start = float(values.mean() - step * middle) + step * float(index.min())
    places = (values - start) / step
    index = np.rint(places)
    deviation = places - index
    if index.min() != 0 or np.abs(deviation).max() > _LOOSE:
        return None
    return _Lattice(index.astype(np.intp), start, step, deviation)


def _fill(
    rows: _Lattice, columns: _Lattice, spectra: NDArray[Any]
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    shape = (rows.size, columns.size, spectra.shape[1])
    check_memory(shape, 4)
    cell = rows.index * columns.size + columns.index
    counts = np.bincount(cell, minlength=rows.size * columns.size)
    notes = []
    off = max(rows.worst, columns.worst)
    if off > _JITTER:
        notes.append(
            f"The points lie up to {100 * off:.0f} % of a step off an even grid; each became the nearest pixel."
        )
    image = np.full((counts.size, shape[2]), np.nan, dtype=np.float32)
    if counts.max() > 1:
        _check_repeats(rows, columns, cell, counts)
        notes.append(
            f"{(counts > 1).sum()} places were measured more than once; their spectra were averaged."
        )
        image[counts > 0] = 0
        np.add.at(image, cell, spectra.astype(np.float32))
        image[counts > 0] /= counts[counts > 0, None]
    else:
        image[cell] = spectra
    n_missing = int((counts == 0).sum())
    if n_missing:
        notes.append(f"{n_missing} of {counts.size} pixels were not measured; they are NaN.")
    return image.reshape(shape), tuple(notes)


def _check_repeats(
    rows: _Lattice, columns: _Lattice, cell: NDArray[np.intp], counts: NDArray[np.intp]
) -> None:
    """Refuse two points of one pixel that were measured in different places."""
    order = np.argsort(cell, kind="stable")
    starts: NDArray[np.intp] = np.flatnonzero(np.diff(np.append(-1, cell[order])))
    for lattice in (rows, columns):
        places = (lattice.start + (lattice.index + lattice.deviation) * lattice.step)[order]
        apart = np.maximum.reduceat(places, starts) - np.minimum.reduceat(places, starts)
        if (apart > 1e-6 * (1 + np.abs(places[starts]))).any():
            raise FileError(
                f"{int((counts > 1).sum())} pixels of the grid that fits its points would hold several points, "
                f"{apart.max():.3g} um apart: the points are scattered, or the places are damaged. "
                "Export them as separate spectra."
            )
