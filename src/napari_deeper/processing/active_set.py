"""Bounded least squares for many pixels at once, by an active-set method.

Lawson and Hanson's method on all pixels in step: pixels with the same endmembers in use are solved
for together. With amounts that sum to one it is the same method within that plane.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

# A slope this small, as a part of the pixel's length, is zero to the precision of the sums.
_ZERO = 1e-12
# So many endmembers fit into the bits of one number.
_MOST_BITS = 62


def solve(target: Array, corner: Array, sum_to_one: bool = False) -> Array:
    """Return (pixel, k) least-squares solutions of ``corner @ a = target`` that are not negative.

    Parameters
    ----------
    target
        (pixel, row).
    corner
        (row, k), of full rank.
    sum_to_one
        The solutions also sum to one.

    References
    ----------
    Lawson & Hanson 1974, doi 10.1137/1.9781611971217; Van Benthem & Keenan 2004, doi 10.1002/cem.889.
    """
    return _Problem(corner, sum_to_one).solve(target)


class _Problem:
    """One set of endmembers, and the solutions in which only some of them take part."""

    def __init__(self, corner: Array, sum_to_one: bool) -> None:
        self.corner = corner
        self.sum_to_one = sum_to_one
        self._bits = 1 << np.arange(min(corner.shape[1], _MOST_BITS), dtype=np.int64)
        self._maps: dict[bytes, tuple[Array, Array]] = {}

    def solve(self, target: Array) -> Array:
        n = self.corner.shape[1]
        everything = np.ones((len(target), n), dtype=bool)
        free = self.least_squares(target, everything)
        held, used = np.zeros_like(free), free > 0
        settled = np.asarray(used.all(axis=1))
        held[settled] = free[settled]
        if self.sum_to_one:
            # the plane has no zero to start from: the free solution's positive part, brought to it
            positive = np.where(used, free, 0)
            held = np.where(settled[:, None], free, positive / positive.sum(axis=1, keepdims=True))
        active = np.flatnonzero(~settled)
        tolerance: Array = self._tolerance(target)
        # each step settles most pixels; the limit is against rounding that goes round in circles
        for _ in range(10 * n + 10):
            if not active.size:
                break
            held[active], used[active] = self._make_feasible(
                target[active], held[active], used[active]
            )
            slope = self._slope(target[active], held[active], used[active])
            wants = slope.max(axis=1, initial=-np.inf) > tolerance[active]
            active, slope = active[wants], slope[wants]
            used[active, slope.argmax(axis=1)] = True
        return held

    def least_squares(self, target: Array, used: Flags) -> Array:
        """Return the unbounded solutions in which only the endmembers in use take part."""
        out = np.zeros(used.shape)
        for rows in self._alike(used):
            kind = used[rows[0]]
            if kind.any():
                inverse, start = self._map(kind)
                out[rows] = target[rows] @ inverse + start
        return out

    def _map(self, kind: Flags) -> tuple[Array, Array]:
        """Return (row, k) and (k,) that take a target to the solution of the endmembers in use."""
        key = kind.tobytes()
        if key not in self._maps:
            inverse, start = np.zeros(self.corner.shape), np.zeros(len(kind))
            if self.sum_to_one:
                own, start[kind] = _within_plane(self.corner[:, kind])
            else:
                own = np.asarray(np.linalg.pinv(self.corner[:, kind]), np.float64)
            inverse[:, kind] = own.T
            self._maps[key] = (inverse, start)
        return self._maps[key]

    def _alike(self, used: Flags) -> list[NDArray[np.intp]]:
        """Return the rows of each group of pixels with the same endmembers in use."""
        if used.shape[1] > _MOST_BITS:
            _, codes = np.unique(used, axis=0, return_inverse=True)
            codes = codes.ravel()
        else:
            codes = used @ self._bits
        order = np.argsort(codes, kind="stable")
        return [
            rows for rows in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1) if rows.size
        ]

    def _tolerance(self, target: Array) -> Array:
        size = np.linalg.norm(target, axis=1)
        if self.sum_to_one:
            # the plane may be far from the target, and slopes are of what is left over
            longest = float(np.linalg.norm(self.corner, axis=0).max())
            return np.asarray(_ZERO * longest * (size + longest))
        return np.asarray(_ZERO * size)

    def _slope(self, target: Array, held: Array, used: Flags) -> Array:
        """Return how steeply the misfit falls with each endmember that is not in use."""
        slope = (target - held @ self.corner.T) @ self.corner
        if self.sum_to_one:
            # what is given to one is taken from those in use, whose slopes are all the same
            n_used = used.sum(axis=1, keepdims=True)
            slope = slope - np.where(used, slope, 0).sum(axis=1, keepdims=True) / n_used
        return np.where(used, -np.inf, slope)

    def _make_feasible(self, target: Array, held: Array, used: Flags) -> tuple[Array, Flags]:
        """Solve for the endmembers in use, and take out of use those that would fall below zero."""
        held, used = held.copy(), used.copy()
        rows = np.arange(len(target))
        wanted = self.least_squares(target, used)
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
            wanted = self.least_squares(target[rows], used[rows])


def _within_plane(corner: Array) -> tuple[Array, Array]:
    """Return (k, row) and (k,) that take a target to its best mixture whose amounts sum to one."""
    n = corner.shape[1]
    middle = np.full(n, 1 / n)
    # an orthonormal basis of the changes that leave the sum as it is
    changes = np.linalg.svd(np.ones((1, n)))[2][1:].T
    inverse = changes @ np.linalg.pinv(corner @ changes)
    return inverse, middle - inverse @ (corner @ middle)
