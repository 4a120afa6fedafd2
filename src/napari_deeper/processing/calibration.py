"""Find a known band in a spectrum, to a fraction of a channel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_deeper.processing.noise import sigma_per_pixel
from napari_deeper.spectra.axis import Axis

# A band must stand this far out of the noise.
_LEAST_SIGMA = 8.0
_LEAST_CHANNELS = 5
_N_ROUNDS = 3


def band_position(
    spectrum: NDArray[np.floating], wavenumber: Axis, low: float, high: float
) -> float | None:
    """Return where the highest band between two wavenumbers has its top, cm-1; None where there is none.

    The top is that of a parabola through the logarithms of the three highest channels above a straight line
    between the ends of the range: exact for a Gaussian band.

    Parameters
    ----------
    spectrum
        (channel,), for example the mean of a map.
    wavenumber
        (channel,) in cm-1.
    low, high
        Where to look, cm-1.
    """
    found = _top(spectrum, wavenumber, low, high)
    if found is None:
        return None
    for _ in range(_N_ROUNDS):
        # Around the band itself: what its flanks do to the straight line is then the same at both sides.
        half = (high - low) / 2
        again = _top(spectrum, wavenumber, found - half, found + half)
        found = again if again is not None and low <= again <= high else found
    return found


def _top(spectrum: NDArray[np.floating], wavenumber: Axis, low: float, high: float) -> float | None:
    inside = np.flatnonzero((wavenumber >= low) & (wavenumber <= high))
    if inside.size < _LEAST_CHANNELS or not np.isfinite(spectrum[inside]).all():
        return None
    place, values = wavenumber[inside], spectrum[inside].astype(float)
    n_end = max(1, inside.size // 6)
    ends = np.r_[0:n_end, inside.size - n_end : inside.size]
    rise = values - np.polyval(np.polyfit(place[ends], values[ends], 1), place)
    top = int(np.argmax(rise))
    sigma = float(sigma_per_pixel(np.asarray(spectrum, float)[None])[0])
    at_an_end = top < n_end or top >= inside.size - n_end
    if at_an_end or rise[top] <= _LEAST_SIGMA * sigma or rise[top] <= 0:
        return None
    three = slice(top - 1, top + 2)
    if (rise[three] <= 0).any():
        return float(place[top])
    a, b, _ = np.polyfit(place[three] - place[top], np.log(rise[three]), 2)
    return float(place[top] - b / (2 * a)) if a < 0 else float(place[top])
