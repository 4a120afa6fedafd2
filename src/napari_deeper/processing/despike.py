"""Cosmic rays: rises too steep for a band, that the neighboring pixels do not have.

A rise must pass three tests. Spectral: its first difference stands out of those of the spectrum (the modified
z-score of Whitaker & Hayes), and it takes most of its height from one channel to the next, which a band that is
sampled as it should be does not. Neighbors: no pixel around it rises at the same place. So narrow bands are kept
because neighbors have them, and bands of a single pixel because they are wider than a ray.
"""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

from napari_deeper.spectra.progress import Progress

Intensity = NDArray[np.float32]
Mask = NDArray[np.bool_]

_MAD_TO_SIGMA = 1.4826
# Part of the height of a ray that one channel takes at least, less what noise may add. A Gaussian band takes
# less from a full width at half maximum of 3.2 channels on; where neighbors are not asked, of 2.4.
_STEEP, _STEEP_ALONE, _STEEP_SIGMA = 0.45, 0.6, 1.5
# What a neighbor has of the height at least, for the rise to be a band; and it must stand out of its noise.
_SHARED, _SHARED_SIGMA = 0.2, 4.0
# Channels that the local noise is read from, and where large differences are cut off so that a ray does not
# hide itself.
_NOISE_WINDOW, _NOISE_CUT = 31, 4.0
# A ray goes on to either side as long as it stands above this part of its height.
_FOOT = 0.08


def find_rays(
    intensity: Intensity,
    threshold: float,
    max_width: int,
    *,
    compare_neighbors: bool = True,
    progress: Progress | None = None,
) -> tuple[Mask, Intensity]:
    """Find the channels that cosmic rays struck.

    Parameters
    ----------
    intensity
        (y, x, channel); pixels that hold NaN are left out.
    threshold
        Standard deviations of the noise of first differences.
    max_width
        Channels that a ray may span.
    compare_neighbors
        Whether a rise that a pixel around shares is kept.
    progress
        Told of each test, and asked before it whether to stop.

    Returns
    -------
    Mask
        (y, x, channel).
    Intensity
        (y, x, channel): height over the local ground where a ray is highest, 0 elsewhere.

    References
    ----------
    Whitaker & Hayes 2018, doi 10.1016/j.chemolab.2018.06.009.
    """
    shape, progress = intensity.shape, progress or Progress()
    struck, heights = np.zeros(shape, bool), np.zeros(shape, np.float32)
    if shape[2] < 8:
        return struck, heights
    measured: Mask = np.asarray(np.isfinite(intensity).all(axis=2))
    spectra = np.where(measured[..., None], intensity, np.float32(0))
    progress.update(0.0, "heights")
    height = _height(spectra, max_width)
    progress.update(0.2, "noise")
    noise = _noise(spectra)
    progress.update(0.5, "steep rises")
    steep = _STEEP if compare_neighbors and shape[0] * shape[1] > 1 else _STEEP_ALONE
    peak = _steep_peaks(spectra, height, noise, threshold, steep)
    peak &= measured[..., None]
    if compare_neighbors:
        progress.update(0.7, "neighbors")
        peak &= ~_shared(height, noise, peak)
    progress.update(0.9, "widths")
    _spread(struck, heights, spectra, peak, height, max_width)
    return struck, heights


def _height(spectra: Intensity, max_width: int) -> Intensity:
    """Return how far each channel stands above the lowest near it, of the side where that is higher."""
    reach = max_width + 2
    size = reach + 1
    # Shifted so that the window ends, or begins, with the channel itself.
    left = scipy.ndimage.minimum_filter1d(spectra, size, axis=2, origin=(size - 1) // 2)
    right = scipy.ndimage.minimum_filter1d(spectra, size, axis=2, origin=-(size // 2))
    return np.asarray(spectra - np.maximum(left, right))


def _noise(spectra: Intensity) -> Intensity:
    """Return the standard deviation of first differences around each channel, bands included."""
    step = np.diff(spectra, axis=2)
    middle = np.median(step, axis=2, keepdims=True)
    sigma = _MAD_TO_SIGMA * np.median(np.abs(step - middle), axis=2, keepdims=True)
    cut = np.minimum(np.abs(step), _NOISE_CUT * sigma)
    local = scipy.ndimage.uniform_filter1d(cut, _NOISE_WINDOW, axis=2, mode="nearest")
    # The mean of an absolute normal variable is 0.8 of its standard deviation.
    level = np.maximum(np.sqrt(np.pi / 2) * local, sigma)
    return np.concatenate([level[..., :1], level], axis=2)


def _steep_peaks(
    spectra: Intensity, height: Intensity, noise: Intensity, threshold: float, part: float
) -> Mask:
    step = np.diff(spectra, axis=2)
    up = np.zeros_like(spectra)
    up[..., 1:] = step
    down = np.zeros_like(spectra)
    down[..., :-1] = -step
    # The steepest of the flanks of a peak, whose top may be two or three channels wide.
    steep = scipy.ndimage.maximum_filter1d(np.maximum(up, down), 3, axis=2)
    top = height == scipy.ndimage.maximum_filter1d(height, 5, axis=2)
    least = threshold * noise
    steep_enough = steep - _STEEP_SIGMA * noise > part * height
    return np.asarray(top & (steep > least) & (height > least) & steep_enough)


def _shared(height: Intensity, noise: Intensity, peak: Mask) -> Mask:
    """Tell which peaks a pixel around has too, in the same channel or the next."""
    near = scipy.ndimage.maximum_filter1d(height, 3, axis=2)
    near[near < _SHARED_SIGMA * noise] = 0
    around = np.zeros_like(height)
    n_y, n_x, _ = height.shape
    for dy, dx in ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)):
        here = (slice(max(0, -dy), n_y - max(0, dy)), slice(max(0, -dx), n_x - max(0, dx)))
        there = (slice(max(0, dy), n_y + min(0, dy)), slice(max(0, dx), n_x + min(0, dx)))
        np.maximum(around[here], near[there], out=around[here])
    return np.asarray(peak & (around > _SHARED * height))


def _spread(
    struck: Mask,
    heights: Intensity,
    spectra: Intensity,
    peak: Mask,
    height: Intensity,
    max_width: int,
) -> None:
    """Mark each ray from its peak to where it has come down on either side; two peaks of one ray are one."""
    at = np.argwhere(peak)
    for y, x, channel in at[np.argsort(-height[peak], kind="stable")]:
        if struck[y, x, max(0, channel - 1) : channel + 2].any():
            struck[y, x, channel] = True
            continue
        spectrum = spectra[y, x]
        ground = spectrum[channel] - (1 - _FOOT) * height[y, x, channel]
        first = last = channel
        while first > 0 and channel - first < max_width and spectrum[first - 1] > ground:
            first -= 1
        while (
            last < spectrum.size - 1 and last - channel < max_width and spectrum[last + 1] > ground
        ):
            last += 1
        struck[y, x, first : last + 1] = True
        heights[y, x, channel] = height[y, x, channel]


def repair_rays(intensity: Intensity, struck: Mask, *, from_neighbors: bool = True) -> Intensity:
    """Return the map with the struck channels, and one more at either side, put right.

    Parameters
    ----------
    intensity
        (y, x, channel).
    struck
        Of that shape.
    from_neighbors
        Follow the median of the (up to eight) pixels around, lifted to meet the spectrum at both ends of the
        gap; else, and where there is no neighbor, a straight line.
    """
    out = intensity.copy()
    n_channels = intensity.shape[2]
    channel = np.arange(n_channels)
    wide = struck.copy()
    wide[..., 1:] |= struck[..., :-1]
    wide[..., :-1] |= struck[..., 1:]
    for y, x in np.argwhere(struck.any(axis=2)):
        hole, good = wide[y, x], ~wide[y, x]
        if not good.any():
            continue
        guide = np.zeros(n_channels, np.float32)
        if from_neighbors:
            guide = _guide(intensity, wide, y, x)
        rest = intensity[y, x, good] - guide[good]
        out[y, x, hole] = guide[hole] + np.interp(channel[hole], channel[good], rest)
    return out


def _guide(intensity: Intensity, struck: Mask, y: int, x: int) -> Intensity:
    """Return the median of the pixels around, where they were measured and not struck; else zeros."""
    rows, columns = slice(max(0, y - 1), y + 2), slice(max(0, x - 1), x + 2)
    around = np.where(struck[rows, columns], np.nan, intensity[rows, columns])
    around[y - rows.start, x - columns.start] = np.nan
    flat = around.reshape(-1, intensity.shape[2])
    known = np.isfinite(flat).any(axis=0)
    if not known.all():
        return np.zeros(intensity.shape[2], np.float32)
    return np.asarray(np.nanmedian(flat, axis=0), np.float32)
