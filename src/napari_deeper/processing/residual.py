"""What a result left out of its input: whether it looks like noise, pixel by pixel."""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

from napari_deeper.processing.lost_bands import WIDTHS, NoiseTail, strongest, threshold

Spectra = NDArray[np.float32]
Vector = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Chance that a pixel of pure noise is flagged, shared by three tests.
FALSE_ALARMS = 1e-3
_N_TESTS = 3
_N_LAGS = 3
# Beyond this spread the tests do not bend to the bulk of the pixels any more.
_MOST = 2.0


def flag(residual: Spectra, tail: NoiseTail) -> Mask:
    """Flag the pixels whose residual does not look like noise.

    Three things are looked at: its size (as chi-square), its likeness in neighboring channels, and
    the band or spike that stands out most. Pure noise is flagged in about one of a thousand pixels.

    Parameters
    ----------
    residual
        (pixel, channel), in units of its noise.
    tail
        Of the noise.

    Returns
    -------
    Mask
        (pixel,).
    """
    n_channels = residual.shape[1]
    level = -float(scipy.special.ndtri(FALSE_ALARMS / _N_TESTS))
    flagged = (_of_bulk(_size(residual, tail)) > level) | (_of_bulk(_likeness(residual)) > level)
    height, _, _ = strongest(residual, tail)
    highest = threshold(n_channels * (len(WIDTHS) + 1), FALSE_ALARMS / _N_TESTS)
    return np.asarray(flagged | (np.abs(height) > highest))


def _size(residual: Spectra, tail: NoiseTail) -> Vector:
    """Return the mean square of each spectrum as a standard normal variable (Wilson & Hilferty)."""
    mean = np.mean(np.square(residual), axis=1, dtype=np.float64)
    kurtosis = float(np.mean(np.square(tail.skewness), dtype=np.float64))
    part = 2 / 9 * (2 + kurtosis) / 2 / residual.shape[1]
    return np.asarray((np.cbrt(mean) - (1 - part)) / np.sqrt(part))


def _likeness(residual: Spectra) -> Vector:
    """Return the correlation of neighboring channels as a standard normal variable."""
    n_channels = residual.shape[1]
    total = np.zeros(len(residual))
    for lag in range(1, min(_N_LAGS, n_channels - 1) + 1):
        total += np.einsum("pc,pc->p", residual[:, lag:], residual[:, :-lag], dtype=np.float64)
    return np.asarray(total / np.sqrt(_N_LAGS * n_channels))


def _of_bulk(z: Vector) -> Vector:
    """Measure from the middle of all pixels and by their spread, within limits.

    The noise is known to a percent or so, which many channels could tell from noise.
    """
    middle = float(np.median(z))
    spread = 1.4826 * float(np.median(np.abs(z - middle)))
    return np.asarray((z - np.clip(middle, -_MOST, _MOST)) / np.clip(spread, 1.0, _MOST))
