"""How far a result is from a target.

The functions named ``*_as_published`` repeat the definitions of the published code, whose figures
cannot be compared with those of other work; they are there to read the published tables, not to
judge with.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import scipy
import skimage
from numpy.typing import NDArray

from napari_deeper.processing.noise import sigma_per_pixel

Array = NDArray[np.floating]


def mse(result: Array, target: Array) -> float:
    """Return the mean squared error of two arrays of one shape."""
    _check_shapes(result, target)
    return float(np.mean(np.square(result.astype(np.float64) - target)))


def excess_mse(result: Array, measured: Array) -> float:
    """Return the mean squared error against a measured map, less that map's own noise variance.

    The variance is estimated from second differences along each spectrum and averaged over pixels,
    so what is left is the error of the result as if the reference had no noise. It can be negative.

    Parameters
    ----------
    result, measured
        (..., channel) intensities.
    """
    own = np.mean(np.square(sigma_per_pixel(measured), dtype=np.float64))
    return mse(result, measured) - float(own)


def psnr(result: Array, target: Array, data_range: float) -> float:
    """Return the peak signal-to-noise ratio in dB: 10 log10(data_range^2 / MSE).

    Parameters
    ----------
    result, target
        Arrays of one shape.
    data_range
        Span of values that an intensity can take, for example the maximum of the target.
    """
    error = mse(result, target)
    return float("inf") if error == 0 else float(10 * np.log10(data_range**2 / error))


def ssim(
    result: Array, target: Array, data_range: float, over: Literal["planes", "cube"] = "planes"
) -> float:
    """Return the mean structural similarity of two cubes.

    Parameters
    ----------
    result, target
        (y, x, channel).
    data_range
        As in `psnr`.
    over
        ``planes``: the mean over the image planes of all channels; ``cube``: windows that also span
        channels.

    References
    ----------
    Wang et al. 2004, doi 10.1109/TIP.2003.819861.
    """
    _check_shapes(result, target)
    if over == "cube":
        return _similarity(result, target, data_range)
    planes = range(target.shape[-1])
    return float(np.mean([_similarity(result[..., i], target[..., i], data_range) for i in planes]))


def ssim_map(
    result: Array, target: Array, data_range: float, counted: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the structural similarity about each pixel, the mean over the image planes of all channels.

    Its mean over a map without gaps is `ssim`.

    Parameters
    ----------
    result, target
        (y, x, channel), at least three pixels along y and x.
    data_range
        As in `psnr`.
    counted
        (y, x), False for pixels that say nothing, as those with NaN.

    Returns
    -------
    NDArray[np.float64]
        (y, x); NaN where the window about a pixel reaches beyond the map or a pixel that does not count.

    References
    ----------
    Wang et al. 2004, doi 10.1109/TIP.2003.819861.
    """
    _check_shapes(result, target)
    similarity: Any = skimage.metrics.structural_similarity
    window = _window(target.shape[:2])
    gaps = ~counted
    total = np.zeros(target.shape[:2])
    for i in range(target.shape[-1]):
        a, b = (np.where(gaps, 0, plane[..., i]) for plane in (target, result))
        total += similarity(a, b, data_range=data_range, win_size=window, full=True)[1]
    # the erosion takes the border of the map too, where windows would reach beyond it
    whole = scipy.ndimage.binary_erosion(counted, np.ones((window, window), dtype=bool))
    return np.where(whole, total / target.shape[-1], np.nan)


def spectrum_ssim(result: Array, target: Array, data_range: float) -> NDArray[np.float64]:
    """Return the structural similarity of each pair of spectra, by windows along the channels.

    Parameters
    ----------
    result, target
        (..., channel); at least three channels. The window is seven channels, or what fits.
    data_range
        As in `psnr`.

    References
    ----------
    Wang et al. 2004, doi 10.1109/TIP.2003.819861.
    """
    _check_shapes(result, target)
    width = _window(target.shape[-1:])
    a = np.lib.stride_tricks.sliding_window_view(result.astype(np.float64), width, axis=-1)
    b = np.lib.stride_tricks.sliding_window_view(target.astype(np.float64), width, axis=-1)
    mean_a, mean_b = a.mean(axis=-1), b.mean(axis=-1)
    unbiased = width / (width - 1)
    variance_a = unbiased * (np.square(a).mean(axis=-1) - mean_a**2)
    variance_b = unbiased * (np.square(b).mean(axis=-1) - mean_b**2)
    covariance = unbiased * ((a * b).mean(axis=-1) - mean_a * mean_b)
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    similarity = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    similarity /= (mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2)
    return np.asarray(similarity.mean(axis=-1))


def spectral_angle(result: Array, target: Array) -> NDArray[np.float64]:
    """Return the angle between the spectra of each pixel, in radians.

    Parameters
    ----------
    result, target
        (..., channel). A pair with a spectrum of zeros has the angle pi/2, a pair of two such the
        angle 0.
    """
    _check_shapes(result, target)
    a, b = result.astype(np.float64), target.astype(np.float64)
    size_a, size_b = np.linalg.norm(a, axis=-1), np.linalg.norm(b, axis=-1)
    lengths = size_a * size_b
    cosine = np.sum(a * b, axis=-1) / np.where(lengths > 0, lengths, 1)
    cosine = np.where((size_a == 0) & (size_b == 0), 1, cosine)
    return np.asarray(np.arccos(np.clip(cosine, -1, 1)))


def psnr_as_published(output: Array, target: Array) -> float:
    """Return 10 log10(max(output) / MSE), as published: the output's maximum, not squared."""
    return float(10 * np.log10(float(output.max()) / mse(output, target)))


def ssim_as_published(output: Array, target: Array) -> float:
    """Return the structural similarity for the data range max(output) - max(target), as published.

    That range is near zero or negative, so the value says little.
    """
    _check_shapes(output, target)
    return _similarity(output, target, float(output.max()) - float(target.max()))


def _similarity(result: Array, target: Array, data_range: float) -> float:
    similarity: Any = skimage.metrics.structural_similarity
    window = _window(target.shape)
    return float(similarity(target, result, data_range=data_range, win_size=window))


def _window(shape: tuple[int, ...]) -> int:
    smallest = min(shape)
    window = min(7, smallest if smallest % 2 else smallest - 1)
    if window < 3:
        raise ValueError(f"Structural similarity needs 3 pixels along each axis, not {shape}.")
    return window


def _check_shapes(result: Array, target: Array) -> None:
    if result.shape != target.shape:
        raise ValueError(f"The shapes differ: {result.shape} and {target.shape}.")
