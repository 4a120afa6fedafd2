"""Baselines by penalized least squares, for many spectra at once: arPLS, AsLS and airPLS.

Each round fits a smooth curve and weighs down what lies above it. Spectra whose weights have settled leave
the batch, so that each takes the rounds that it needs, as if it were alone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from napari_deeper.processing.banded import Room, smooth

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
# (residual, weight, round, sums of the spectra) -> which spectra have settled; writes the new weights.
Weigh = Callable[[Array, Array, int, Array], Mask]

METHODS = ("arpls", "asls", "airpls")
_MOST_ROUNDS = 51
_SETTLED = 1e-3
_BATCH = 1024
_TINY = 1e-300  # what is divided by is no smaller


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
    weighs: dict[str, Weigh] = {
        "arpls": _arpls,
        "airpls": _airpls,
        "asls": partial(_asls, asymmetry),
    }
    out = np.empty(spectra.shape, np.float32)
    room = Room()
    for start in range(0, len(spectra), _BATCH):
        batch = spectra[start : start + _BATCH]
        values = room("values 0", batch.shape[1], len(batch))
        # A spectrum that is all zero has no scale, and nothing below it.
        scale = np.abs(batch).max(axis=1).astype(np.float64)
        np.divide(batch.T, np.where(scale > 0, scale, 1), out=values)
        curve = _settle(values, smoothness, weighs[method], room)
        out[start : start + _BATCH] = curve.T * scale[:, None]
    return out


def _settle(values: Array, smoothness: float, weigh: Weigh, room: Room) -> Array:
    """Fit and weigh in turn until each spectrum has settled."""
    n_channels, n_spectra = values.shape
    curve = room("curve", n_channels, n_spectra)
    weight = room("weight 0", n_channels, n_spectra)
    weight.fill(1.0)
    totals = np.abs(values).sum(axis=0)
    at, turn = np.arange(n_spectra), 0
    for count in range(1, _MOST_ROUNDS + 1):
        fitted = smooth(values, weight, smoothness, room)
        residual = np.subtract(values, fitted, out=room("residual", *values.shape))
        done = weigh(residual, weight, count, totals[at]) | (count == _MOST_ROUNDS)
        curve[:, at[done]] = fitted[:, done]
        if done.all():
            break
        if done.any():
            # From one room to the other, and back the next time.
            left, turn = np.flatnonzero(~done), turn % 2 + 1
            at = at[left]
            values, weight = (
                np.take(a, left, 1, room(f"{name} {turn}", n_channels, left.size), "clip")
                for name, a in (("values", values), ("weight", weight))
            )
    return curve


def _arpls(residual: Array, weight: Array, count: int, totals: Array) -> Mask:
    """Weigh by how far a channel lies above the spread of those below the curve."""
    below = np.minimum(residual, 0)
    n_below = np.count_nonzero(below, axis=0)
    n = np.maximum(n_below, 2)
    mean = below.sum(axis=0) / n
    spread = np.sqrt(np.maximum(_squares(below) - n * mean**2, 0) / (n - 1))
    spread = np.maximum(spread, _TINY)
    # 1 / (1 + exp(2 (r - (2 s - m)) / s)), within what exp can hold.
    np.multiply(residual, 2 / spread, out=below)
    below -= (4 * spread - 2 * mean) / spread
    np.minimum(below, 700.0, out=below)
    np.exp(below, out=below)
    below += 1
    new = np.divide(1.0, below, out=below)
    return np.asarray(_replace(weight, new) | (n_below < 2))


def _asls(asymmetry: float, residual: Array, weight: Array, count: int, totals: Array) -> Mask:
    return _replace(weight, np.where(residual > 0, asymmetry, 1 - asymmetry))


def _airpls(residual: Array, weight: Array, count: int, totals: Array) -> Mask:
    """Weigh what lies below the curve, more the further it does and the longer it takes."""
    below = np.minimum(residual, 0)
    sunk = np.minimum(below.sum(axis=0), -_TINY)
    stuck = np.count_nonzero(below, axis=0) < 2
    rise = np.exp(np.minimum(min(count, 50) / sunk * below, 700.0))
    np.copyto(weight, np.where(below < 0, rise, 0.0))
    return np.asarray(stuck | (-sunk < _SETTLED * totals))


def _replace(weight: Array, new: Array) -> Mask:
    """Put new weights in place; return which spectra's changed by less than a thousandth."""
    before = np.maximum(np.sqrt(_squares(weight)), _TINY)
    np.subtract(new, weight, out=weight)
    change = np.sqrt(_squares(weight))
    np.copyto(weight, new)
    return np.asarray(change < _SETTLED * before)


def _squares(values: Array) -> Array:
    return np.asarray(np.einsum("cs,cs->s", values, values))
