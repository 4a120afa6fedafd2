"""How much noise a map holds, read from its own spectra.

The second difference of a spectrum, s[i-1] - 2 s[i] + s[i+1], all but cancels bands, which are
wider than three channels, and holds white noise with six times its variance. Its median absolute
deviation ignores the few channels where a sharp band remains.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Standard deviation of a normal variable over its median absolute deviation.
_MAD_TO_SIGMA = 1.482602218505602
SECOND_DIFFERENCE_GAIN = np.sqrt(6.0)
_MIN_CHANNELS = 3


def sigma_per_pixel(spectra: NDArray[np.floating]) -> NDArray[np.float32]:
    """Estimate the noise of each spectrum.

    Parameters
    ----------
    spectra
        (..., channel) intensities.

    Returns
    -------
    NDArray[np.float32]
        (...,) standard deviation of white noise; 0 where there are fewer than three channels.
    """
    if spectra.shape[-1] < _MIN_CHANNELS:
        return np.zeros(spectra.shape[:-1], np.float32)
    curvature = np.diff(spectra, 2, axis=-1)
    curvature -= np.median(curvature, axis=-1, keepdims=True)
    spread = np.median(np.abs(curvature), axis=-1)
    return np.asarray(spread * (_MAD_TO_SIGMA / SECOND_DIFFERENCE_GAIN), np.float32)


def sigma_per_channel(spectra: NDArray[np.floating]) -> NDArray[np.float32]:
    """Estimate the noise of each channel over all pixels.

    A channel's estimate leans on its two neighbors; the first and the last take their neighbor's.

    Parameters
    ----------
    spectra
        (..., channel) intensities of at least two pixels.

    Returns
    -------
    NDArray[np.float32]
        (channel,) standard deviation; 0 where there are fewer than three channels.
    """
    flat = spectra.reshape(-1, spectra.shape[-1])
    if flat.shape[1] < _MIN_CHANNELS:
        return np.zeros(flat.shape[1], np.float32)
    curvature = np.diff(flat, 2, axis=1)
    # What all pixels share is the shape of the bands, not noise.
    curvature -= np.median(curvature, axis=0)
    spread = np.median(np.abs(curvature), axis=0) * (_MAD_TO_SIGMA / SECOND_DIFFERENCE_GAIN)
    return np.pad(spread, 1, mode="edge").astype(np.float32)


def sigma_per_map(spectra: NDArray[np.floating]) -> float:
    """Estimate one noise level for the whole map: the root mean square over its pixels.

    Parameters
    ----------
    spectra
        (..., channel) intensities.
    """
    each = sigma_per_pixel(spectra).astype(np.float64)
    return float(np.sqrt(np.mean(each**2)))


def sigma_of_curvature(curvature: NDArray[np.floating], free_rows: float) -> float:
    """Return the noise level that second differences stand for, by their plain mean square.

    Parameters
    ----------
    curvature
        (pixel, channel) second differences, from which the bands have been taken.
    free_rows
        Pixels, less what was fitted to take the bands out.
    """
    total = float(np.sum(np.square(curvature, dtype=np.float64)))
    return float(np.sqrt(total / (free_rows * curvature.shape[1])) / SECOND_DIFFERENCE_GAIN)


def snr_per_pixel(spectra: NDArray[np.floating]) -> NDArray[np.float32]:
    """Estimate the signal-to-noise ratio of each spectrum.

    The signal is the height of the highest band (a five-channel mean) over the median of the
    spectrum. Pure noise gives about 1; without noise the ratio is infinite, and 0 where there is no
    signal either.

    Parameters
    ----------
    spectra
        (..., channel) intensities.
    """
    width = min(5, spectra.shape[-1])
    running = np.lib.stride_tricks.sliding_window_view(spectra, width, axis=-1).mean(axis=-1)
    height = running.max(axis=-1) - np.median(spectra, axis=-1)
    sigma = sigma_per_pixel(spectra)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(height > 0, height / sigma, 0.0)
    return np.asarray(ratio, np.float32)
