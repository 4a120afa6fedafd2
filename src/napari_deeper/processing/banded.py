"""Solve the same smoothing problem for many spectra at once.

A Whittaker smoother solves (W + lambda D'D) z = W y, where D takes second differences: a system of five
diagonals per spectrum. Few spectra go to LAPACK as one long banded system. Many are solved side by side,
one channel after the other, so that each numpy call does all spectra.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solveh_banded

Array = NDArray[np.float64]

# From about here on, numpy over all spectra is quicker than LAPACK, which needs 15 us a spectrum.
_MANY = 256


def penalty(n_channels: int, smoothness: float) -> Array:
    """Return the three diagonals (3, channel) of lambda D'D: main, first and second below it."""
    bands = np.zeros((3, n_channels))
    for row in range(n_channels - 2):
        for offset, values in enumerate(((1, 4, 1), (-2, -2), (1,))):
            bands[offset, row : row + len(values)] += values
    return np.asarray(smoothness * bands)


def smooth(values: Array, weight: Array, bands: Array) -> Array:
    """Return the smooth curves (channel, spectrum) that minimize w (y - z)^2 + lambda (z'')^2.

    Parameters
    ----------
    values, weight
        (channel, spectrum), float64; at least two weights of a spectrum above 0.
    bands
        From `penalty`.
    """
    if values.shape[1] < _MANY:
        return _by_lapack(values, weight, bands)
    return _side_by_side(values, weight, bands)


def _by_lapack(values: Array, weight: Array, bands: Array) -> Array:
    n_channels, n_spectra = values.shape
    # Between two spectra the lower diagonals are 0, so one system holds all of them.
    system = np.tile(bands, n_spectra)
    system[0] += weight.T.ravel()
    right = (weight * values).T.ravel()
    solved = solveh_banded(
        system, right, overwrite_ab=True, overwrite_b=True, lower=True, check_finite=False
    )
    return np.ascontiguousarray(solved.reshape(n_spectra, n_channels).T)


def _side_by_side(values: Array, weight: Array, bands: Array) -> Array:
    """Factor into L D L' and solve, forward and backward along the channels, over all spectra."""
    n_channels, n_spectra = values.shape
    main, first, second = bands
    z = weight * values
    inverse, lower, lowest = np.empty_like(z), np.empty_like(z), np.empty_like(z)
    diagonal, side, term = np.empty(n_spectra), np.full(n_spectra, first[0]), np.empty(n_spectra)
    # Every operation writes into what is there: making new arrays would cost more than the arithmetic.
    for i in range(n_channels):
        np.add(weight[i], main[i], out=diagonal)
        for back, off, store in ((1, side, lower), (2, second[i - 2], lowest)):
            if i >= back:
                np.multiply(store[i - back], off, out=term)
                np.subtract(diagonal, term, out=diagonal)
                np.multiply(store[i - back], z[i - back], out=term)
                np.subtract(z[i], term, out=z[i])
        np.divide(1.0, diagonal, out=inverse[i])
        if i:
            np.multiply(lower[i - 1], -second[i - 1], out=side)
            np.add(side, first[i], out=side)
        np.multiply(side, inverse[i], out=lower[i])
        np.multiply(inverse[i], second[i], out=lowest[i])
    z *= inverse
    for i in range(n_channels - 2, -1, -1):
        np.multiply(lower[i], z[i + 1], out=term)
        np.subtract(z[i], term, out=z[i])
        if i + 2 < n_channels:
            np.multiply(lowest[i], z[i + 2], out=term)
            np.subtract(z[i], term, out=z[i])
    return z
