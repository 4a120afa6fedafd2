"""Spikes of one channel, as cosmic rays make them: found before they can pass for a component."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Spectra = NDArray[np.float32]
Mask = NDArray[np.bool_]

# In standard deviations of the noise: spikes this strong could make a component of their own.
_STRONG = 12.0
# A spike's neighbors hold less than this part of its height. The narrowest band that is sampled as
# it should be holds more.
_NARROW = 0.35
# What more pixels than these have in the same channel belongs to the sample or the instrument.
_N_PIXELS, _SHARE_OF_PIXELS = 3, 0.01


def find(spectra: Spectra, sigma: Spectra, skewness: Spectra) -> Mask:
    """Find strong spikes one channel wide that few other pixels have in the same channel.

    Parameters
    ----------
    spectra
        (pixel, channel).
    sigma
        Standard deviation of the noise, (pixel, channel) or broadcast to it.
    skewness
        Of the noise where it has variance 1, broadcast likewise; few photons make spikes themselves.

    Returns
    -------
    Mask
        (pixel, channel).
    """
    found = np.zeros(spectra.shape, bool)
    if spectra.shape[1] < 5:
        return found
    center, unit = spectra[:, 2:-2], np.broadcast_to(sigma, spectra.shape)[:, 2:-2]
    ground = np.maximum(spectra[:, :-4], spectra[:, 4:])
    height = center - ground
    beside = np.maximum(spectra[:, 1:-3], spectra[:, 3:-1]) - ground
    # One photon more must not count where hardly any are expected.
    least = _STRONG * unit * (1 + _STRONG * np.broadcast_to(skewness, spectra.shape)[:, 2:-2] / 4)
    narrow = (height > least) & (beside < _NARROW * height)
    n_allowed = max(_N_PIXELS, int(_SHARE_OF_PIXELS * len(spectra)))
    # A spike in the channel next door is as good as one in the same.
    n_pixels = np.convolve(narrow.sum(axis=0), np.ones(3), "same")
    found[:, 2:-2] = narrow & (n_pixels <= n_allowed)
    return found


def bridge(spectra: Spectra, spikes: Mask) -> Spectra:
    """Return the spectra with a straight line in place of each spike and its neighbors."""
    out = spectra.copy()
    n_channels = spectra.shape[1]
    wide = spikes.copy()
    wide[:, 1:] |= spikes[:, :-1]
    wide[:, :-1] |= spikes[:, 1:]
    channel = np.arange(n_channels)
    for pixel in np.flatnonzero(wide.any(axis=1)):
        hole = wide[pixel]
        out[pixel, hole] = np.interp(channel[hole], channel[~hole], spectra[pixel, ~hole])
    return out
