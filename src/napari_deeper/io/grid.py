"""Points of a stage, in any order, as a grid of pixels.

The grid stands as the stage does: rows rise with y, columns with x, whatever the order of the measurement (row
by row, serpentine, interrupted, shuffled). Points on one straight line become one row, in whatever direction
the line runs.

Known limits: the grid must be even and run along x and y. A rotated grid, or scattered points, are refused.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_deeper.io.contents import check_memory
from napari_deeper.io.lattice import CELLS_PER_POINT, JITTER, LOOSE, Lattice, Values, find_lattice
from napari_deeper.spectra.errors import FileError

Pair = tuple[float, float]

# Share of the points that must be on the grid for the others to be left out.
_FEWEST_KEPT = 0.9


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
        on a straight line that does not run along x are one row, from its end of lowest x (of lowest y
        where it is vertical); the pixel size is then the distance along the line. Where at most a tenth
        of the points fit no grid that the others make, they are left out with a note.

    Raises
    ------
    FileError
        If the points are rotated, scattered, all in one place, or too few for the grid they span.
    """
    x, y, spectra = _checked(x, y, spectra)
    try:
        return _grid(x, y, spectra)
    except FileError:
        kept = _on_shared_lines(x, y)
        if kept is None:
            raise
        gridded = _grid(x[kept], y[kept], spectra[kept])
    stray = int(np.argmin(kept))
    note = (
        f"{(~kept).sum()} of {x.size} points share no row or column with the others, the first at (x, y) = "
        f"({x[stray]:.6g}, {y[stray]:.6g}) um; they were left out."
    )
    return dataclasses.replace(gridded, notes=(note, *gridded.notes))


def _on_shared_lines(x: Values, y: Values) -> NDArray[np.bool_] | None:
    """Return which points share their x and their y with many others, if nearly all do and some do not.

    Seen in a LabSpec map that was stopped: the last line has such places.
    """
    kept = np.ones(x.size, dtype=bool)
    for values in (x, y):
        order = np.argsort(values)
        new = np.diff(values[order], prepend=-np.inf) > 1e-6 * np.ptp(values)
        place = np.empty(x.size, dtype=np.intp)
        place[order] = np.cumsum(new) - 1
        n_sharing = np.bincount(place)[place]
        kept &= n_sharing >= max(2, np.median(n_sharing) / 4)
    return kept if _FEWEST_KEPT * x.size <= kept.sum() < x.size else None


def _grid(x: Values, y: Values, spectra: NDArray[Any]) -> Gridded:
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
        rows = Lattice(np.zeros(x.size, np.intp), float(y[first]), along.step, np.zeros(x.size))
        columns = Lattice(along.index, float(x[first]), along.step, along.deviation)
    else:
        rows, columns = _rows_and_columns(x, y)
    intensity, notes = _fill(rows, columns, spectra)
    size, origin = _plain(rows.step, columns.step), _plain(rows.start, columns.start)
    return Gridded(intensity, size, origin, (*step_notes, *notes))


def _plain(first: float, second: float) -> Pair:
    """Leave out the digits that come of arithmetic alone."""
    return float(f"{first:.12g}"), float(f"{second:.12g}")


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


def _line(x: Values, y: Values) -> tuple[Lattice | None, tuple[str, ...]]:
    """Return the even places along a straight line, if the points are on one."""
    centered = np.stack([x - x.mean(), y - y.mean()])
    direction, across = np.linalg.svd(centered @ centered.T)[0].T
    if direction[np.argmax(np.abs(direction) > 1e-3)] < 0:
        direction = -direction
    span, off = float(np.ptp(direction @ centered)), float(np.abs(across @ centered).max())
    if off > max(LOOSE / (x.size - 1), 1e-9) * span:
        return None, ()  # the step of a line of n points is at most 1 / (n - 1) of it
    along = find_lattice(direction @ centered)
    if along is None:
        return None, ()
    off /= along.step
    is_single = np.unique(along.index).size == x.size
    if off > (LOOSE if is_single else 1e-9):
        return None, ()
    if abs(direction[1]) * along.size < 0.5:
        return along, ("It is one row of pixels; their height is taken to be their width.",)
    ends = [int(end(along.index)) for end in (np.argmin, np.argmax)]
    start, stop = (f"({x[i]:.6g}, {y[i]:.6g})" for i in ends)
    note = f"The points lie on a straight line from (x, y) = {start} to {stop} um; they became one row."
    return along, (note,)


def _rows_and_columns(x: Values, y: Values) -> tuple[Lattice, Lattice]:
    rows, columns = find_lattice(y), find_lattice(x)
    if rows is None or columns is None:
        raise FileError(_no_grid(x, y, rows, columns))
    n_cells = rows.size * columns.size
    if n_cells > CELLS_PER_POINT * x.size or x.size < rows.size + columns.size - 1:
        raise FileError(_no_grid(x, y, rows, columns))
    return rows, columns


def _no_grid(x: Values, y: Values, rows: Lattice | None, columns: Lattice | None) -> str:
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
    turned = find_lattice(c * x + s * y), find_lattice(c * y - s * x)
    return None if None in turned else float(np.degrees(angle))


def _fill(
    rows: Lattice, columns: Lattice, spectra: NDArray[Any]
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    shape = (rows.size, columns.size, spectra.shape[1])
    check_memory(shape, 4)
    cell = rows.index * columns.size + columns.index
    counts = np.bincount(cell, minlength=rows.size * columns.size)
    notes = []
    off = max(rows.worst, columns.worst)
    if off > JITTER:
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
    rows: Lattice, columns: Lattice, cell: NDArray[np.intp], counts: NDArray[np.intp]
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
