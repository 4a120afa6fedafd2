"""Channels that are dead or hot, and pixels that are saturated or were not measured."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_deeper.processing.noise import sigma_per_channel

Intensity = NDArray[np.float32]
Mask = NDArray[np.bool_]

# A channel that stands out this far, and above both of its neighbors alike, in all pixels, is no band.
_HOT_SIGMA = 20.0
_ALIKE = 0.25
# Part of the noise of its neighbors that a channel has which is stuck.
_STUCK = 0.02
# Channels side by side at the highest intensity of the map make a plateau.
_PLATEAU = 3
_MIN_PIXELS = 8


def bad_channels(spectra: Intensity) -> Mask:
    """Tell which channels (channel,) are stuck, or stand out alone and alike in all finite pixels.

    Parameters
    ----------
    spectra
        (pixel, channel) of the map.
    """
    n_channels = spectra.shape[1]
    bad = np.zeros(n_channels, bool)
    usable = spectra[np.isfinite(spectra).all(axis=1)]
    if len(usable) < _MIN_PIXELS or n_channels < 8:
        return bad
    noise = sigma_per_channel(usable)
    spread = np.median(np.abs(usable - np.median(usable, axis=0)), axis=0)
    beside = np.minimum(np.roll(spread, 1), np.roll(spread, -1))
    bad |= (spread <= _STUCK * beside) & (beside > 0)
    center, left, right = usable[:, 1:-1], usable[:, :-2], usable[:, 2:]
    excess = np.median(center - (left + right) / 2, axis=0)
    tilt = np.median(np.abs(left - right), axis=0)
    # An offset of the camera is the same everywhere; a band comes and goes with the sample.
    varies = np.median(np.abs(center - (left + right) / 2 - excess), axis=0)
    hot = np.abs(excess) > _HOT_SIGMA * np.median(noise)
    alone = (tilt < _ALIKE * np.abs(excess)) & (varies < _ALIKE * np.abs(excess))
    bad[1:-1] |= hot & alone
    return bad


def saturated_pixels(intensity: Intensity, level: float, *, plateaus: bool) -> Mask:
    """Tell which pixels (...,) reach a level, in three channels side by side if plateaus are looked for."""
    with np.errstate(invalid="ignore"):
        high = intensity >= np.float32(level)
    if not plateaus:
        return np.asarray(high.any(axis=-1))
    run = high[..., 2:] & high[..., 1:-1] & high[..., :-2]
    return np.asarray(run.any(axis=-1))


def bridge_channels(intensity: Intensity, bad: Mask) -> Intensity:
    """Return the intensities (..., channel) with a straight line across bad channels."""
    good = np.flatnonzero(~bad)
    if bad.all() or not bad.any():
        return intensity.copy()
    out = intensity.copy()
    for channel in np.flatnonzero(bad):
        right = int(np.searchsorted(good, channel))
        a, b = good[max(right - 1, 0)], good[min(right, good.size - 1)]
        part = np.float32((channel - a) / (b - a)) if b > a else np.float32(0)
        out[..., channel] = (1 - part) * intensity[..., a] + part * intensity[..., b]
    return out


def fill_pixels(intensity: Intensity, holes: Mask) -> tuple[Intensity, Mask]:
    """Fill pixels with the mean of the good ones among the (up to eight) around them.

    Parameters
    ----------
    intensity
        (y, x, channel).
    holes
        (y, x).

    Returns
    -------
    Intensity
        The map, with NaN where no pixel around is good.
    Mask
        (y, x): the holes that are left so.
    """
    out, left = intensity.copy(), holes.copy()
    out[holes] = np.nan
    good: Mask = np.asarray(np.isfinite(out).all(axis=2))
    for y, x in np.argwhere(holes):
        rows, columns = slice(max(0, y - 1), y + 2), slice(max(0, x - 1), x + 2)
        near = good[rows, columns]
        if near.any():
            out[y, x] = intensity[rows, columns][near].mean(axis=0)
            left[y, x] = False
    return out, left
