"""Noise that rises with the signal, and low-rank shrinkage that allows for it.

Photon counts vary by the square root of their number, so bright pixels and strong bands are
noisier. A low-rank method that takes the noise for uniform mistakes theirs for structure. Here the
noise variance is modelled as a constant plus a multiple of the signal, the map is scaled so that
its noise is nearly uniform, and scaled back when shrunk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy
from numpy.typing import NDArray

from napari_deeper.processing import low_rank
from napari_deeper.processing.noise import sigma_of_curvature

Spectra = NDArray[np.float32]
Vector = NDArray[np.float64]

_MIN_PIXELS = 64
# Intensities that the borders of bins are found from: enough, and far fewer than there are.
_BORDERS_FROM = 2**18
_N_BINS = 32
_MAX_ROUNDS = 6
_SETTLED = 0.02
# Shot noise below this part of the constant noise is not worth a scaling of its own.
_NEGLIGIBLE = 0.2
# No pixel or channel is taken to have less than this part of the mean variance: where next to
# nothing was counted, the estimate of its noise is next to nothing too, and would count for
# everything.
_FLOOR = 0.2

# For the time of one run over a map: its scale by the digest of its spectra, where somebody asks for that.
_known: ContextVar[dict[bytes, NoiseScale] | None] = ContextVar("known_noise", default=None)


@dataclass(frozen=True)
class NoiseScale:
    """The standard deviation of the noise of each intensity: ``row * column``.

    Parameters
    ----------
    row
        (pixel, 1).
    column
        (1, channel).
    uniform
        Whether the noise is the same everywhere.
    photons
        Mean intensity of the map in photons; infinite where the noise does not rise with the
        signal.
    """

    row: Spectra
    column: Spectra
    uniform: bool
    photons: float = float("inf")

    def shrink(self, spectra: Spectra, clean_scores: low_rank.CleanScores | None = None) -> Spectra:
        """Shrink (pixel, channel) spectra, with `low_rank.shrink_smooth`, at this noise."""
        unit = self.unit
        return np.asarray(self.fit(spectra, clean_scores).intensity * unit, np.float32)

    def fit(
        self, spectra: Spectra, clean_scores: low_rank.CleanScores | None = None
    ) -> low_rank.SmoothFit:
        """Return the parts of what `shrink` makes, in units of `unit`."""
        if self.uniform:
            sigma = float(self.row[0, 0] * self.column[0, 0])
            return low_rank.fit_smooth(spectra, sigma, clean_scores)
        return low_rank.fit_smooth(spectra / self.unit, 1.0, clean_scores)

    @property
    def unit(self) -> Spectra:
        """What the map is divided by before its parts are sought: 1, or the noise where it varies."""
        return np.ones((1, 1), np.float32) if self.uniform else self.row * self.column


def estimate(spectra: Spectra) -> NoiseScale:
    """Estimate how the noise of a map depends on its signal.

    Scaling and shrinking are repeated, because each gives the other a better start.

    Parameters
    ----------
    spectra
        (pixel, channel). With fewer than 64 pixels the noise is taken to be uniform.

    References
    ----------
    Scaling by rows and columns: Cochran & Horne 1977, doi 10.1021/ac50014a048.
    """
    known = _known.get()
    if known is None:
        return _estimate(spectra)
    content, shape = np.ascontiguousarray(spectra).data, str(spectra.shape)
    digest = hashlib.blake2b(content, key=shape.encode()).digest()
    if digest not in known:
        known[digest] = _estimate(spectra)
    return known[digest]


@contextmanager
def remembering() -> Iterator[None]:
    """Estimate the noise of a map once inside, however often it is asked for."""
    token = _known.set({})
    try:
        yield
    finally:
        _known.reset(token)


def _estimate(spectra: Spectra) -> NoiseScale:
    fit = low_rank.fit_smooth(spectra)
    sigma = fit.sigma
    scale = _uniform(spectra, sigma)
    if spectra.shape[0] < _MIN_PIXELS or sigma <= 0:
        return scale
    signal = _Signal.of(spectra)
    share, rest = 0.0, spectra - fit.intensity
    for _ in range(_MAX_ROUNDS):
        constant, slope = _fit(rest, signal)
        if slope * signal.high < _NEGLIGIBLE * constant:
            return scale
        before, share = share, slope * signal.mean / (constant + slope * signal.mean)
        # What was taken off lacks the noise that the shrunk map followed, so it gives the
        # proportions only; the level is known without it.
        scale = _proportional(signal, (1 - share) * sigma**2, share * sigma**2 / signal.mean)
        if abs(share - before) < _SETTLED:
            break
        rest = spectra - scale.shrink(spectra)
    return _raise(scale, spectra)


def _raise(scale: NoiseScale, spectra: Spectra) -> NoiseScale:
    """Raise the level to that of what shrinkage takes off, if that is higher.

    Too low a level makes components of noise. It is not lowered: where next to nothing was counted
    there is less noise than was expected, but elsewhere there is not.
    """
    fit = scale.fit(spectra)
    rest = spectra / (scale.row * scale.column) - fit.intensity
    n_kept, (n_rows, n_channels) = fit.sizes.size, spectra.shape
    free = max(n_rows / 2, (n_rows - n_kept) * (1 - n_kept / n_channels))
    level = sigma_of_curvature(np.diff(rest, 2, axis=1), free)
    return replace(scale, row=scale.row * np.float32(max(1.0, level)))


@dataclass(frozen=True)
class ResidualNoise:
    """The noise in a residual, intensity by intensity.

    Parameters
    ----------
    sigma
        (pixel, channel) or broadcast to it: standard deviation.
    skewness
        Likewise: third moment over the cube of sigma. Few photons are skewed.
    """

    sigma: Spectra
    skewness: Spectra


def of_residual(residual: Spectra, clean: Spectra, noise: NoiseScale) -> ResidualNoise:
    """Fit the noise of a residual to its own size, and where it is shot noise to the clean signal.

    Parameters
    ----------
    residual, clean
        (pixel, channel): what was taken off, and what was kept.
    noise
        Of the map.
    """
    none = np.zeros((1, 1), np.float32)
    if noise.uniform or len(residual) < _MIN_PIXELS:
        sigma = noise.row * noise.column
        if residual.shape[1] > 2 and len(residual) >= _MIN_PIXELS:
            sigma = np.full((1, 1), sigma_of_curvature(np.diff(residual, 2, axis=1), len(residual)))
        sigma = np.asarray(sigma, np.float32)
        return ResidualNoise(sigma, none + _skewness(residual, sigma))
    level = np.maximum(clean, 0)
    constant, slope = _Bins.of(level[:, 1:-1]).fit_line(residual)
    variance = constant + slope * level
    # Where next to nothing was counted, the clean signal is not known well enough.
    variance = np.maximum(variance, _FLOOR * variance.mean(dtype=np.float64))
    shot = np.maximum(variance - constant, 0)
    sigma = np.sqrt(variance)
    return ResidualNoise(
        np.asarray(sigma, np.float32), np.asarray(slope * shot / sigma**3, np.float32)
    )


def _skewness(residual: Spectra, sigma: Spectra) -> float:
    """Return the third moment of a residual in units of its noise, 0 if that could be chance.

    Cut off at four sigma, so that bands and spikes do not count.
    """
    if not (sigma > 0).all():
        return 0.0
    moment = float(np.mean(np.clip(residual / sigma, -4, 4) ** 3, dtype=np.float64))
    return moment if moment > 5 * np.sqrt(15 / residual.size) else 0.0


@dataclass(frozen=True)
class _Signal:
    """What each pixel and channel holds on average: the product of both stands for the signal.

    Unlike a denoised map it follows no single photon, so it can tell the noise of spectra that hold
    few.
    """

    row: Vector
    column: Vector
    mean: float

    @classmethod
    def of(cls, spectra: Spectra) -> _Signal:
        row = np.maximum(spectra.mean(axis=1, keepdims=True, dtype=np.float64), 0)
        column = np.maximum(spectra.mean(axis=0, keepdims=True, dtype=np.float64), 0)
        return cls(row, column, max(float(spectra.mean(dtype=np.float64)), 0.0))

    @cached_property
    def bins(self) -> _Bins:
        """All intensities by their signal, but for the first and last channel."""
        return _Bins.of(self.row * self.column[:, 1:-1] / self.mean)

    @property
    def high(self) -> float:
        """A strong intensity of the map."""
        if self.mean <= 0:
            return 0.0
        return float(np.quantile(self.row, 0.95) * np.quantile(self.column, 0.95) / self.mean)


def _fit(residual: Spectra, signal: _Signal) -> tuple[float, float]:
    """Fit variance = constant + slope * signal to second differences of what was taken off."""
    if signal.mean <= 0:
        return 1.0, 0.0
    return signal.bins.fit_line(residual)


@dataclass(frozen=True)
class _Bins:
    """Intensities parted by their level into bins of about equal number.

    Parameters
    ----------
    place
        (pixel * channel,): the bin of each.
    n, mean_level
        (bin,).
    """

    place: NDArray[np.uint8]
    n: NDArray[np.int_]
    mean_level: Vector

    @classmethod
    def of(cls, level: NDArray[np.floating]) -> _Bins:
        some = level[:: max(1, level.size // _BORDERS_FROM)]
        borders = np.quantile(some, np.linspace(0, 1, _N_BINS + 1)[1:-1])
        place = np.searchsorted(borders, level.ravel(), side="right")
        n = np.bincount(place, minlength=_N_BINS)
        mean_level = np.bincount(place, level.ravel(), _N_BINS) / np.maximum(n, 1)
        return cls(place.astype(np.uint8), n, mean_level)

    def fit_line(self, residual: Spectra) -> tuple[float, float]:
        """Fit variance = constant + slope * level to second differences of (pixel, channel)."""
        variance = np.square(np.diff(residual, 2, axis=1), dtype=np.float64) / 6
        filled = self.n > 0
        n, mean_level = self.n[filled], self.mean_level[filled]
        mean_variance = np.bincount(self.place, variance.ravel(), _N_BINS)[filled] / n
        # An estimated variance is as uncertain as it is large.
        weight = np.sqrt(n) / np.maximum(mean_variance, 1e-3 * mean_variance.max() + 1e-300)
        design = np.stack([weight, weight * mean_level], axis=1)
        constant, slope = scipy.optimize.nnls(design, weight * mean_variance)[0]
        return float(constant), float(slope)


def _uniform(spectra: Spectra, sigma: float) -> NoiseScale:
    row = np.full((spectra.shape[0], 1), sigma, np.float32)
    return NoiseScale(row, np.ones((1, spectra.shape[1]), np.float32), True)


def _proportional(signal: _Signal, constant: float, slope: float) -> NoiseScale:
    row, column = constant + slope * signal.row, constant + slope * signal.column
    row, column = (np.maximum(part, _FLOOR * part.mean()) for part in (row, column))
    column = column / (constant + slope * signal.mean)
    return NoiseScale(
        np.sqrt(row).astype(np.float32),
        np.sqrt(column).astype(np.float32),
        uniform=False,
        photons=signal.mean / slope,
    )
