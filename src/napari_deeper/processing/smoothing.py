"""Denoise each spectrum by itself: Savitzky-Golay and wavelet shrinkage."""

from __future__ import annotations

import numpy as np
import pywt
import scipy
from numpy.typing import NDArray

from napari_deeper.processing.noise import sigma_of_curvature, sigma_per_pixel

Spectra = NDArray[np.float32]

# Windows and orders that `best_savgol` tries; an odd order equals the even one below it.
_CANDIDATES = [(w, order) for order in (0, 2, 4) for w in (5, 7, 9, 11, 13, 15, 17, 21, 25, 31)]
_SPECTRA_ENOUGH_TO_CHOOSE = 1024
_SPECTRA_ENOUGH_FOR_MEAN = 8
_WAVELET = "sym5"
_MAX_LEVEL = 5
_N_SHIFTS = 8


def savgol(spectra: Spectra, window: int = 0, polyorder: int = 3) -> Spectra:
    """Fit a polynomial in a window that moves along each spectrum (Savitzky-Golay).

    Parameters
    ----------
    spectra
        (pixel, channel) intensities.
    window
        Odd number of channels; cut to the spectrum where it is longer. 0 takes the window and order
        of `best_savgol`.
    polyorder
        Order of the polynomial, less than the window; ignored with ``window=0``.

    References
    ----------
    Savitzky & Golay 1964, doi 10.1021/ac60214a047.
    """
    if window == 0:
        window, polyorder = best_savgol(spectra)
    n_channels = spectra.shape[1]
    longest = n_channels if n_channels % 2 else n_channels - 1
    window = min(window | 1, longest)
    if window <= polyorder:
        return spectra.copy()
    return np.asarray(scipy.signal.savgol_filter(spectra, window, polyorder, axis=1), np.float32)


def best_savgol(spectra: Spectra) -> tuple[int, int]:
    """Choose the window and order with the least expected error on these spectra.

    Stein's unbiased estimate of the risk needs only the noise level: for a linear filter it is the
    mean square of what the filter removes, plus twice the noise variance times the filter's central
    weight (less a constant).

    Parameters
    ----------
    spectra
        (pixel, channel) intensities.

    Returns
    -------
    tuple[int, int]
        (window, polyorder).

    References
    ----------
    Stein 1981, doi 10.1214/aos/1176345632.
    """
    stride = max(1, spectra.shape[0] // _SPECTRA_ENOUGH_TO_CHOOSE)
    sample = spectra[::stride]
    variance = _variance(sample)
    best, least = (1, 0), 2 * variance
    for window, order in _CANDIDATES:
        if window > spectra.shape[1] or window <= order + 1:
            continue
        removed = sample - scipy.signal.savgol_filter(sample, window, order, axis=1)
        center = scipy.signal.savgol_coeffs(window, order)[window // 2]
        risk = float(np.mean(np.square(removed, dtype=np.float64))) + 2 * variance * float(center)
        if risk < least:
            best, least = (window, order), risk
    return best


def _variance(spectra: Spectra) -> float:
    if spectra.shape[0] < _SPECTRA_ENOUGH_FOR_MEAN:
        return float(np.mean(np.square(sigma_per_pixel(spectra), dtype=np.float64)))
    # The mean spectrum holds most of the bands; without it the plain mean square is right for shot
    # noise too.
    curvature = np.diff(spectra - spectra.mean(axis=0), 2, axis=1)
    return sigma_of_curvature(curvature, spectra.shape[0] - 1) ** 2


def wavelet(spectra: Spectra, sigma: float | None = None, n_shifts: int = _N_SHIFTS) -> Spectra:
    """Shrink the wavelet coefficients of each spectrum by BayesShrink, averaged over shifts.

    Parameters
    ----------
    spectra
        (pixel, channel) intensities.
    sigma
        Standard deviation of the noise; None estimates that of each spectrum from its second
        differences.
    n_shifts
        Shifts of the wavelet's grid to average over (cycle spinning); 1 for none.

    References
    ----------
    Chang, Yu & Vetterli 2000, doi 10.1109/83.862633; Coifman & Donoho 1995, doi 10.1007/978-1-4612-2544-7_9.
    """
    n_channels = spectra.shape[1]
    level = min(_MAX_LEVEL, pywt.dwt_max_level(n_channels, pywt.Wavelet(_WAVELET).dec_len))
    if level < 1:
        return spectra.copy()
    noise = sigma_per_pixel(spectra) if sigma is None else np.full(len(spectra), sigma, np.float32)
    variance = np.square(noise)[:, None]
    total = np.zeros_like(spectra)
    for shift in range(n_shifts):
        # Reflecting ends without a step, which would ring; the tail makes every shift equally long.
        padded = np.pad(spectra, ((0, 0), (shift, n_shifts - 1 - shift)), mode="reflect")
        coefficients = pywt.wavedec(padded, _WAVELET, mode="symmetric", level=level, axis=1)
        shrunk = [coefficients[0]] + [_bayes_shrink(d, variance) for d in coefficients[1:]]
        back = pywt.waverec(shrunk, _WAVELET, mode="symmetric", axis=1)
        total += back[:, shift : shift + n_channels]
    return total / np.float32(n_shifts)


def _bayes_shrink(detail: Spectra, variance: Spectra) -> Spectra:
    """Soft-threshold (pixel, coefficient) details, given the (pixel, 1) noise variance."""
    power = np.mean(np.square(detail), axis=1, keepdims=True)
    signal = np.sqrt(np.maximum(power - variance, 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        threshold = np.where(signal > 0, variance / signal, np.inf)
    threshold = np.where(variance > 0, threshold, 0).astype(np.float32)
    shrunk = np.sign(detail) * np.maximum(np.abs(detail) - threshold, 0)
    return np.asarray(shrunk, np.float32)
