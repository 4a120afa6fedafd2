"""How much of each endmember a pixel holds: non-negative least squares."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from napari_deeper.spectra.errors import CubeError, ParameterError

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Solver = Literal["exact", "pysptools"]

SOLVERS = ("exact", "pysptools")
_CHUNK = 16384
# A gradient this small, as a part of the pixel's length, is zero to the precision of the sums.
_ZERO = 1e-12
_MIN_CONDITION = 1e-7


def unmix(
    spectra: NDArray[np.floating], endmembers: NDArray[np.floating], solver: Solver = "exact"
) -> NDArray[np.float32]:
    """Return the abundances, not negative, whose mixtures come closest to the spectra.

    They do not sum to one: the brightness of a pixel is in its abundances.

    Parameters
    ----------
    spectra
        (..., channel), finite.
    endmembers
        (endmember, channel), finite and linearly independent.
    solver
        ``exact`` is an active-set method on all pixels at once. ``pysptools`` is that package's NNLS,
        for cross-checks: it solves the normal equations within the bound, which is another problem than
        least squares wherever an abundance is zero.

    Returns
    -------
    NDArray[np.float32]
        (..., endmember).

    Raises
    ------
    CubeError
        If the spectra or endmembers hold NaN, or an endmember is a mixture of the others.
    ParameterError
        If the channels differ, there are more endmembers than channels, or the solver is unknown.

    References
    ----------
    Lawson & Hanson 1974, doi 10.1137/1.9781611971217; Van Benthem & Keenan 2004, doi 10.1002/cem.889.
    """
    if solver not in SOLVERS:
        raise ParameterError(f"Unknown solver '{solver}'. There are: {', '.join(SOLVERS)}.")
    _check(spectra, endmembers)
    n = len(endmembers)
    flat = spectra.reshape(-1, spectra.shape[-1])
    out = np.empty((len(flat), n), np.float32)
    unit = np.linalg.norm(endmembers.astype(np.float64), axis=1)
    scaled = endmembers.astype(np.float64) / unit[:, None]
    # |scaled.T a - s| and |r a - q.T s| differ by what no mixture can reach, so k numbers will do
    basis, corner = np.linalg.qr(scaled.T)
    for start in range(0, len(flat), _CHUNK):
        part = flat[start : start + _CHUNK]
        if solver == "pysptools":
            out[start : start + _CHUNK] = _by_pysptools(part, endmembers)
        else:
            out[start : start + _CHUNK] = _solve(part.astype(np.float64) @ basis, corner) / unit
    return out.reshape(*spectra.shape[:-1], n)


def conditioning(endmembers: NDArray[np.floating]) -> float:
    """Return how far the endmembers are from being mixtures of each other: 1 is orthogonal, 0 not at all.

    Parameters
    ----------
    endmembers
        (endmember, channel).
    """
    sizes = np.linalg.norm(endmembers.astype(np.float64), axis=1)
    if not (sizes > 0).all():
        return 0.0
    values = np.linalg.svd(endmembers / sizes[:, None], compute_uv=False)
    return float(values[-1] / values[0])


def _by_pysptools(spectra: NDArray[np.floating], endmembers: NDArray[np.floating]) -> Array:
    # imported here: it takes matplotlib with it
    from pysptools.abundance_maps.amaps import NNLS

    return np.asarray(NNLS(spectra.astype(np.float64), endmembers.astype(np.float64)))


def _solve(target: Array, corner: Array) -> Array:
    """Return (pixel, k) least-squares solutions of ``corner @ a = target`` that are not negative.

    Lawson and Hanson's method on all pixels in step: pixels with the same endmembers in use are
    solved for together.
    """
    tolerance = _ZERO * np.linalg.norm(target, axis=1, keepdims=True)
    used = _least_squares(target, corner, np.ones(target.shape, dtype=bool)) > 0
    held = np.zeros(target.shape)
    active = np.arange(len(target))
    # each step settles most pixels; the limit is against rounding that goes round in circles
    for _ in range(10 * target.shape[1] + 10):
        held[active], used[active] = _make_feasible(
            target[active], corner, held[active], used[active]
        )
        slope = (target[active] - held[active] @ corner.T) @ corner
        slope = np.where(used[active], -np.inf, slope)
        wants = slope.max(axis=1, initial=-np.inf) > tolerance[active, 0]
        active, slope = active[wants], slope[wants]
        if not active.size:
            return held
        used[active, slope.argmax(axis=1)] = True
    for i in active:
        held[i] = optimize.nnls(corner, target[i])[0]
    return held


def _make_feasible(target: Array, corner: Array, held: Array, used: Flags) -> tuple[Array, Flags]:
    """Solve for the endmembers in use, and take out of use those that would fall below zero."""
    held, used = held.copy(), used.copy()
    rows = np.arange(len(target))
    wanted = _least_squares(target, corner, used)
    while True:
        below = used[rows] & (wanted <= 0)
        done = ~below.any(axis=1)
        held[rows[done]] = wanted[done]
        rows, wanted, below = rows[~done], wanted[~done], below[~done]
        if not rows.size:
            return held, used
        # go towards the solution only until the first abundance reaches zero
        start, step = held[rows], wanted - held[rows]
        falls = below & (start > 0)
        part = np.where(below, 0.0, np.inf)
        part[falls] = start[falls] / -step[falls]
        first, at = part.argmin(axis=1), np.arange(len(rows))
        moved = np.maximum(start + part[at, first][:, None] * step, 0)
        moved[at, first] = 0
        held[rows] = np.where(used[rows], moved, 0)
        used[rows, first] = False
        wanted = _least_squares(target[rows], corner, used[rows])


def _least_squares(target: Array, corner: Array, used: Flags) -> Array:
    """Return the unbounded solutions in which only the endmembers in use take part."""
    out = np.zeros(target.shape)
    kinds, which = np.unique(used, axis=0, return_inverse=True)
    for i, kind in enumerate(kinds):
        if kind.any():
            own = which.ravel() == i
            inverse = np.linalg.pinv(corner[:, kind])
            out[np.ix_(own, kind)] = target[own] @ inverse.T
    return out


def _check(spectra: NDArray[np.floating], endmembers: NDArray[np.floating]) -> None:
    if endmembers.ndim != 2 or not len(endmembers):
        raise ParameterError(f"Endmembers must be (endmember, channel), not {endmembers.shape}.")
    if spectra.ndim < 1 or spectra.shape[-1] != endmembers.shape[1]:
        raise ParameterError(
            f"The spectra are {spectra.shape} and the endmembers {endmembers.shape}: the number of "
            "channels, the last of both, must be the same."
        )
    if len(endmembers) > endmembers.shape[1]:
        raise ParameterError(
            f"There are {len(endmembers)} endmembers of {endmembers.shape[1]} channels: more "
            "endmembers than channels cannot be told apart."
        )
    for name, values in (("spectra", spectra), ("endmembers", endmembers)):
        if not np.isfinite(values).all():
            raise CubeError(f"The {name} hold NaN or infinity: leave those pixels out first.")
    if not conditioning(endmembers) > _MIN_CONDITION:
        raise CubeError(
            "The endmembers are not independent: one is zero, the same as another, or a mixture of "
            "others. Leave it out."
        )
