"""Baselines by penalized least squares, for many spectra at once: arPLS, AsLS and airPLS.

Each round fits a smooth curve and weighs down what lies above it. Spectra whose weights have settled leave
the batch, so that each takes the rounds that it needs, as if it were alone.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from napari_deeper.processing import banded

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
# (residual, round) -> new weights (channel, spectrum), and which spectra cannot go on.
Weigh = Callable[[Array, int], tuple[Array, Mask]]

METHODS = ("arpls", "asls", "airpls")
_MOST_ROUNDS = 50
_SETTLED = 1e-3
# Fewer left than this part of the batch: the arrays are made smaller.
_COMPACT_BELOW = 0.75


def baseline(
    spectra: NDArray[np.floating], method: str, smoothness: float, asymmetry: float = 0.01
) -> NDArray[np.float32]:
    """Return the curve under each spectrum.

    Parameters
    ----------
    spectra
        (pixel, channel), finite, at least three channels.
    method
        ``"arpls"``, ``"asls"`` or ``"airpls"``.
    smoothness
        lambda of the penalty on second differences.
    asymmetry
        p of ``"asls"``: the weight of what lies above the curve.

    References
    ----------
    Baek et al. 2015, doi 10.1039/C4AN01061B (arPLS); Eilers 2003, doi 10.1021/ac034173t (AsLS); Zhang et al.
    2010, doi 10.1039/B922045C (airPLS).
    """
    values = np.ascontiguousarray(spectra.T, np.float64)
    # A spectrum that is all zero has no scale, and nothing below it.
    scale = np.abs(values).max(axis=0)
    values /= np.where(scale > 0, scale, 1)
    bands = banded.penalty(len(values), smoothness)
    if method == "airpls":
        curve = _airpls(values, bands)
    elif method == "asls":
        curve = _settle(
            values, bands, lambda r, _: (np.where(r > 0, asymmetry, 1 - asymmetry), _none(r))
        )
    else:
        curve = _settle(values, bands, _arpls)
    return np.ascontiguousarray((curve * scale).T, np.float32)


def _none(residual: Array) -> Mask:
    return np.zeros(residual.shape[1], bool)


def _settle(values: Array, bands: Array, weigh: Weigh) -> Array:
    """Fit and weigh in turn until the weights of each spectrum change by less than a thousandth."""
    curve = np.empty_like(values)
    at, left, weight = np.arange(values.shape[1]), values, np.ones_like(values)
    for count in range(_MOST_ROUNDS + 1):
        fitted = banded.smooth(left, weight, bands)
        curve[:, at] = fitted
        new, stuck = weigh(left - fitted, count)
        change = np.sqrt(_squares(new - weight) / np.maximum(_squares(weight), 1e-300))
        open_ = (change >= _SETTLED) & ~stuck
        if not open_.any():
            break
        weight = new
        at, left, weight = at[open_], left[:, open_], weight[:, open_]
    return curve


def _arpls(residual: Array, _: int) -> tuple[Array, Mask]:
    """Weigh by how far a channel lies above the spread of those below the curve."""
    below = np.where(residual < 0, residual, 0.0)
    n_below = np.count_nonzero(below, axis=0)
    stuck = n_below < 2
    n = np.maximum(n_below, 2)
    mean = below.sum(axis=0) / n
    # Squares of deviations from the mean, of the channels below alone.
    spread = np.sqrt(np.maximum(_squares(below) - n * mean**2, 0) / (n - 1))
    spread = np.where(spread > 0, spread, np.finfo(float).tiny)
    return expit((residual - (2 * spread - mean)) * (-2 / spread)), stuck


def _airpls(values: Array, bands: Array) -> Array:
    curve = np.empty_like(values)
    at, left, weight = np.arange(values.shape[1]), values, np.ones_like(values)
    total = np.maximum(np.abs(values).sum(axis=0), 1e-300)
    for count in range(1, _MOST_ROUNDS + 2):
        fitted = banded.smooth(left, weight, bands)
        curve[:, at] = fitted
        below = np.minimum(left - fitted, 0)
        sunk = below.sum(axis=0)
        open_ = (np.count_nonzero(below, axis=0) >= 2) & (-sunk / total[at] >= _SETTLED)
        if not open_.any():
            break
        at, left, below = at[open_], left[:, open_], below[:, open_]
        weight = np.where(below < 0, np.exp(np.minimum(count * below / sunk[open_], 700.0)), 0.0)
    return curve


def _squares(values: Array) -> Array:
    return np.asarray(np.einsum("cs,cs->s", values, values))
