"""How far the parts of a low-rank fit may be off: the variance of its result."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from napari_deeper.processing.low_rank import SmoothFit
from napari_deeper.processing.smoothing import wavelet
from napari_deeper.processing.threads import over_rows

Spectra = NDArray[np.float32]
Mask = NDArray[np.bool_]

_N_DRAWS = 4
_CHANNELS_ALIKE = 4.0
_PIXELS_ALIKE = 1.5
_WINDOW = 5
# Error of smoothed spectra over that of smoothing them again.
_SMOOTHED_AWAY = 1.4
_MEAN_ALONE = np.float32(3.6)
_FAINTEST = 0.05  # of the mean signal
_TOGETHER = 2**19  # values that the caches hold


@dataclass(frozen=True)
class NoiseCheck:
    """The noise that a residual holds, as part of the variance that was expected.

    Shot noise is only about a product of pixels and channels, so it may be off by some in either.

    Parameters
    ----------
    row
        (pixel,).
    column
        (channel,).
    """

    row: Spectra
    column: Spectra

    @classmethod
    def of(cls, residual: Spectra) -> NoiseCheck:
        """Read it off the second differences of a residual (pixel, channel)."""
        square = np.square(np.diff(residual, 2, axis=1)) / 6
        column = np.pad(square.mean(axis=0), 1, mode="edge")
        # A pixel or a channel alone is known to a few percent only.
        column = scipy.ndimage.gaussian_filter1d(column, _CHANNELS_ALIKE, mode="nearest")
        return cls(square.mean(axis=1), column)

    @property
    def mean(self) -> float:
        """Of all."""
        return float(np.mean(self.column, dtype=np.float64))

    def across(self, scores: Spectra) -> Spectra:
        """Return that of the spectrum that these scores (pixel, component) weight: (component, channel)."""
        weight = np.square(scores)
        row = self.row @ weight / weight.sum(axis=0) / max(self.mean, 1e-12)
        return np.asarray(np.outer(row, self.column), np.float32)


def of_fit(fit: SmoothFit, check: NoiseCheck, score_variance: Spectra | None = None) -> Spectra:
    """Return the variance of the error that a fit makes within its components.

    The scores of the pixels are off, and so are the spectra of the components and the mean.

    Parameters
    ----------
    fit
        Of the map.
    check
        Of the noise.
    score_variance
        (component, pixel): expected squared error of the scores, in units of their measured noise;
        None for scores that were shrunk by their reliability, whose error is known.

    Returns
    -------
    Spectra
        (pixel, channel), in the square of the fit's unit.
    """
    n_pixels = len(fit.scores)
    part = check.across(np.ones((n_pixels, 1), np.float32))
    mean = wavelet_variance(fit.mean, fit.sigma / np.sqrt(n_pixels), part)
    if not fit.sizes.size:
        # Nothing but the mean: what it took for a band by chance is in all pixels alike.
        more = _MEAN_ALONE if n_pixels > 1 else _MEAN_ALONE / 2
        return np.repeat(more * mean, n_pixels, axis=0)
    total = np.repeat(mean, n_pixels, axis=0)
    if score_variance is None:
        score_variance = np.repeat(fit.gains[:, None], n_pixels, axis=1)
    spread = np.square(fit.spreads)[:, None]
    total += (score_variance * spread).T @ np.square(fit.components)
    size, part = fit.sizes[:, None], check.across(fit.scores)
    spectra = wavelet_variance(fit.components * size, fit.sigma, part)
    total += np.square(fit.scores / fit.sizes) @ spectra
    return total


def wavelet_variance(smooth: Spectra, sigma: float, part: Spectra) -> Spectra:
    """Return the expected squared error of spectra that wavelet shrinkage smoothed.

    Noise is added to the smooth spectra and taken off again a few times. They lack the detail that
    was smoothed away already, so a fixed factor, found on maps whose truth is known, is added.

    Parameters
    ----------
    smooth
        (spectrum, channel).
    sigma
        Of the noise of the rough spectra, as it was expected.
    part
        (spectrum, channel): of that variance which is there.
    """
    if sigma <= 0 or not len(smooth):
        return np.zeros_like(smooth)
    rng = np.random.default_rng(0)
    total = np.zeros_like(smooth)
    noise = np.sqrt(part) * np.float32(sigma)
    for _ in range(_N_DRAWS):
        draw = noise * rng.standard_normal(smooth.shape, np.float32)
        total += np.square(wavelet(smooth + draw, sigma) - smooth)
    total *= np.float32(_SMOOTHED_AWAY / _N_DRAWS)
    return np.asarray(scipy.ndimage.gaussian_filter1d(total, _CHANNELS_ALIKE, axis=1), np.float32)


def follow_signal(
    variance: Spectra, intensity: Spectra, power: float = 0.5, *, root: bool = False
) -> None:
    """Shift a variance in place to where there is more signal, keeping its mean.

    What is dropped from a fit is a part of the signal, and there is more of it where the signal is
    strong. On simulated and measured maps the squared error rises over the variance of a low-rank
    fit by about the square root of the signal.

    Parameters
    ----------
    variance, intensity
        (..., channel): expected squared error, and the result that it is of.
    power
        Of the signal, by which the error rises over the variance.
    root
        Leave the root of the shifted variance.
    """
    n_together = max(1, _TOGETHER // max(1, variance[0].size))

    def total(rows: slice) -> float:
        return float(np.maximum(intensity[rows], 0).sum(dtype=np.float64))

    # Signal that is no more than its error tells nothing.
    mean_signal = sum(over_rows(total, len(variance), n_together)) / variance.size
    floor = np.float32(np.square(_FAINTEST * mean_signal))

    def shift(rows: slice) -> tuple[float, float]:
        part = variance[rows]
        before = float(part.sum(dtype=np.float64))
        weight = np.maximum(intensity[rows], 0)
        np.square(weight, out=weight)
        weight += part
        weight += floor
        _raise(weight, power / 2)
        part *= weight
        return before, float(part.sum(dtype=np.float64))

    before, after = np.sum(over_rows(shift, len(variance), n_together), axis=0)
    factor = np.float32(before / after) if after > 0 else np.float32(1)

    def level(rows: slice) -> None:
        part = variance[rows]
        part *= factor
        if root:
            np.sqrt(part, out=part)

    over_rows(level, len(variance), n_together)


def _raise(values: Spectra, power: float) -> None:
    """Raise to a power in place; a root of roots is many times faster than any other."""
    n_roots = -np.log2(power)
    if n_roots != int(n_roots):
        np.power(values, np.float32(power), out=values)
        return
    for _ in range(int(n_roots)):
        np.sqrt(values, out=values)


def at_least_none(estimate: float, scatter: float) -> float:
    """Return what to expect of a quantity that cannot be negative, from an estimate that can be."""
    if scatter <= 0:
        return max(estimate, 0.0)
    z = max(estimate / scatter, -5.0)
    return scatter * (z + float(np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi) / scipy.special.ndtr(z)))


def spread_out(left: float, residual: Spectra, check: NoiseCheck, alive: Mask) -> Spectra:
    """Say where the signal lies that was dropped from a fit, of which only the mean square is known.

    Pixels and channels whose smoothed residual is stronger than noise are taken to hold more of it.

    Parameters
    ----------
    left
        Mean square of the dropped signal.
    residual
        (pixel, channel), in units of the noise that was expected.
    check
        Of its noise.
    alive
        (y, x): the pixels that the spectra are of.

    Returns
    -------
    Spectra
        (pixel, channel) variance, whose mean is about ``left``.
    """
    n_pixels, n_channels = residual.shape
    power = np.square(scipy.ndimage.uniform_filter1d(residual, _WINDOW, axis=1, mode="nearest"))
    power -= np.outer(check.row / max(check.mean, 1e-12), check.column / _WINDOW)
    noise = check.mean / _WINDOW
    row = _blur(power.mean(axis=1), alive)
    n_pooled = min(n_pixels, 4 * np.pi * _PIXELS_ALIKE**2)
    row = _relative(row, noise * np.sqrt(2 * _WINDOW / n_channels / n_pooled))
    column = scipy.ndimage.gaussian_filter1d(power.mean(axis=0), _CHANNELS_ALIKE, mode="nearest")
    column = _relative(column, noise * np.sqrt(2 / n_pixels / 2))
    return np.float32(left) * np.outer(row, column)


def _blur(values: Spectra, alive: Mask) -> Spectra:
    """Average (pixel,) values with those of neighboring pixels."""
    image = np.zeros(alive.shape)
    weight = scipy.ndimage.gaussian_filter(alive.astype(float), _PIXELS_ALIKE)
    image[alive] = values
    return np.asarray(
        (scipy.ndimage.gaussian_filter(image, _PIXELS_ALIKE) / np.maximum(weight, 1e-9))[alive]
    )


def _relative(excess: Spectra, unsure: float) -> Spectra:
    """Return what exceeds the noise over its mean, drawn toward 1 where unsure."""
    at_least = np.maximum(excess, 0) + 2 * unsure
    return np.asarray(at_least / at_least.mean(), np.float32)
