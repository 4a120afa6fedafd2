"""Solve the same smoothing problem for many spectra at once.

A Whittaker smoother solves (W + lambda D'D) z = W y, where D takes second differences: a system of five
diagonals for each spectrum. Few spectra go to LAPACK as one long banded system. Many are solved side by side,
one channel after the other, so that each numpy call does all spectra.
"""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

Array = NDArray[np.float64]

# From about here on, numpy over all spectra is quicker than LAPACK.
_MANY = 160


class Room:
    """Memory that is used again: asking the system for it anew takes longer than the arithmetic."""

    def __init__(self) -> None:
        self._flat: dict[str, Array] = {}

    def __call__(self, name: str, n_channels: int, n_spectra: int) -> Array:
        """Return (channel, spectrum) values of any content, the same memory for the same name."""
        size = n_channels * n_spectra
        if name not in self._flat or self._flat[name].size < size:
            self._flat[name] = np.empty(size)
        return self._flat[name][:size].reshape(n_channels, n_spectra)


def penalty(n_channels: int) -> Array:
    """Return the three diagonals (3, channel) of D'D: main, first and second below it."""
    bands = np.zeros((3, n_channels))
    # Each second difference 1, -2, 1 adds its products with itself.
    for offset, products in enumerate(((1, 4, 1), (-2, -2), (1,))):
        for place, product in enumerate(products):
            bands[offset, place : n_channels - 2 + place] += product
    return bands


def smooth(values: Array, weight: Array, smoothness: float, room: Room) -> Array:
    """Return the smooth curves (channel, spectrum) that minimize sum w (y - z)^2 + smoothness (z'')^2.

    Parameters
    ----------
    values, weight
        (channel, spectrum), float64; at least two weights of a spectrum above 0, and three channels.
    smoothness
        lambda.
    room
        Holds the result until the next call.
    """
    # Divided by lambda, the outer diagonal is 1 and drops out of the arithmetic.
    scaled = np.multiply(weight, 1 / smoothness, out=room("scaled", *values.shape))
    right = np.multiply(scaled, values, out=room("right", *values.shape))
    if values.shape[1] < _MANY:
        return _by_lapack(right, scaled)
    return _side_by_side(right, scaled, room)


def _by_lapack(right: Array, weight: Array) -> Array:
    n_channels, n_spectra = right.shape
    # Between two spectra the lower diagonals are 0, so one system holds all of them.
    system = np.tile(penalty(n_channels), n_spectra)
    system[0] += weight.T.ravel()
    solved = scipy.linalg.solveh_banded(
        system, right.T.ravel(), overwrite_ab=True, overwrite_b=True, lower=True, check_finite=False
    )
    return np.ascontiguousarray(solved.reshape(n_spectra, n_channels).T)


def _side_by_side(z: Array, weight: Array, room: Room) -> Array:
    """Factor into L D L' and solve, forward and backward along the channels, over all spectra."""
    n_channels, n_spectra = z.shape
    main, first, _ = penalty(n_channels).tolist()
    inverse, lower = room("inverse", n_channels, n_spectra), room("lower", n_channels, n_spectra)
    side, term = np.full(n_spectra, first[0]), np.empty(n_spectra)
    add, subtract, multiply, divide = np.add, np.subtract, np.multiply, np.divide
    for i in range(n_channels):
        diagonal, here = inverse[i], z[i]
        add(weight[i], main[i], diagonal)
        if i:
            before = lower[i - 1]
            multiply(before, side, term)
            subtract(diagonal, term, diagonal)
            multiply(before, z[i - 1], term)
            subtract(here, term, here)
            subtract(first[i], before, side)
        if i > 1:
            subtract(diagonal, inverse[i - 2], diagonal)
            multiply(inverse[i - 2], z[i - 2], term)
            subtract(here, term, here)
        divide(1.0, diagonal, diagonal)
        multiply(side, diagonal, lower[i])
    multiply(z[-1], inverse[-1], z[-1])
    for i in range(n_channels - 2, -1, -1):
        here = z[i]
        if i + 2 < n_channels:
            subtract(here, z[i + 2], here)
        multiply(here, inverse[i], here)
        multiply(lower[i], z[i + 1], term)
        subtract(here, term, here)
    return z
