"""Denoise a map by what its pixels share: a few spectra make up all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_deeper.processing.noise import sigma_of_curvature, sigma_per_map
from napari_deeper.processing.singular_values import SingularValues
from napari_deeper.processing.smoothing import wavelet

Spectra = NDArray[np.float32]
Vector = NDArray[np.float64]
# Takes (component, pixel) scores whose noise has variance 1, and returns them denoised.
CleanScores = Callable[[Spectra], Spectra]

_CHUNK = 8192
_PIXELS_ENOUGH_FOR_RESIDUAL = 8
_MAX_ROUNDS = 4


def shrink(spectra: Spectra, sigma: float | None = None) -> Spectra:
    """Shrink the singular values of the map about its mean, optimally for the squared error.

    There is no rank to choose: each singular value is reduced by what noise of this level adds to
    it, and dropped where noise alone could have made it. The mean spectrum is kept, so a map of one
    pixel is returned as it is.

    Parameters
    ----------
    spectra
        (pixel, channel) intensities.
    sigma
        Standard deviation of the noise; None takes `noise_level`.

    References
    ----------
    Gavish & Donoho 2017, doi 10.1109/TIT.2017.2653801.
    """
    parts = _decompose(spectra)
    level = _noise_level(spectra, parts) if sigma is None else sigma
    gains = parts.sizes.gains(level)
    scores, basis = parts.components(gains > 0)
    return np.asarray((scores * gains[gains > 0]) @ basis + parts.mean, np.float32)


def shrink_smooth(
    spectra: Spectra, sigma: float | None = None, clean_scores: CleanScores | None = None
) -> Spectra:
    """Shrink the map as `shrink` does, and smooth the spectra that its components are made of.

    Each component's spectrum holds noise of the map's own level under a much stronger signal, so
    wavelet shrinkage takes it away at little cost to the bands. Once it is gone, only the noise of
    the scores is left to shrink for. A map of one pixel is denoised by the wavelets alone.

    Parameters
    ----------
    spectra, sigma
        As in `shrink`.
    clean_scores
        Denoises the scores of the components, which are images where the pixels are those of an
        image; None shrinks each by its reliability.
    """
    return fit_smooth(spectra, sigma, clean_scores).intensity


@dataclass(frozen=True)
class SmoothFit:
    """What `shrink_smooth` makes of a map, in parts.

    Parameters
    ----------
    mean
        (1, channel), smoothed.
    scores
        (pixel, component), denoised.
    components
        (component, channel), smoothed, of norm about 1.
    sizes
        (component,): the root of the sum of squares of the measured scores.
    spreads
        (component,): the noise of each component's measured scores.
    gains
        (component,): which part of the measured scores is signal.
    sigma
        Noise of each intensity.
    """

    mean: Spectra
    scores: Spectra
    components: Spectra
    sizes: Spectra
    spreads: Spectra
    gains: Spectra
    sigma: float

    @property
    def intensity(self) -> Spectra:
        """(pixel, channel)."""
        return np.asarray(self.scores @ self.components + self.mean, np.float32)


def fit_smooth(
    spectra: Spectra, sigma: float | None = None, clean_scores: CleanScores | None = None
) -> SmoothFit:
    """Do what `shrink_smooth` does, and return its parts.

    Parameters
    ----------
    spectra, sigma, clean_scores
        As in `shrink_smooth`.
    """
    parts = _decompose(spectra)
    level = _noise_level(spectra, parts) if sigma is None else sigma
    mean = wavelet(parts.mean[None], sigma=level / np.sqrt(spectra.shape[0]))
    kept = parts.sizes.gains(level) > 0
    scores, basis = parts.components(kept)
    size = parts.values[kept].astype(np.float32)
    spread = np.zeros_like(size)
    if level > 0:
        spread = parts.sizes.score_noise(level)[kept].astype(np.float32)
    gain = parts.sizes.reliability(level)[kept].astype(np.float32)
    smooth = basis
    if kept.any():
        smooth = wavelet(basis * size[:, None], sigma=level) / size[:, None]
    if clean_scores is None or level <= 0 or not kept.any():
        clean = scores * gain
    else:
        unit = np.ascontiguousarray((scores / spread).T, np.float32)
        clean = clean_scores(unit).T * spread
    return SmoothFit(mean, clean, smooth, size, spread, gain, level)


@dataclass(frozen=True)
class Components:
    """What stands out of the noise of a map: ``scores @ basis + mean`` is most of it.

    Parameters
    ----------
    mean
        (channel,), smoothed.
    scores
        (pixel, component).
    basis
        (component, channel), smoothed spectra of about unit length.
    score_noise
        (component,), standard deviation of the noise of the scores.
    """

    mean: Spectra
    scores: Spectra
    basis: Spectra
    score_noise: Spectra


def components(spectra: Spectra, sigma: float) -> Components:
    """Decompose a map into the components that noise alone could not have made.

    Parameters
    ----------
    spectra
        (pixel, channel) intensities.
    sigma
        Standard deviation of the noise.
    """
    parts = _decompose(spectra)
    mean = wavelet(parts.mean[None], sigma=sigma / np.sqrt(spectra.shape[0]))[0]
    kept = parts.sizes.gains(sigma) > 0
    scores, basis = parts.components(kept)
    if not kept.any():
        return Components(mean, scores, basis, np.zeros(0, np.float32))
    size = parts.values[kept].astype(np.float32)[:, None]
    basis = wavelet(basis * size, sigma=sigma) / size
    spread = parts.sizes.score_noise(sigma)[kept] if sigma > 0 else np.zeros(len(basis))
    return Components(mean, scores, basis, spread.astype(np.float32))


def pca(spectra: Spectra, n_components: int = 0, sigma: float | None = None) -> Spectra:
    """Keep the mean spectrum and the largest principal components of the map.

    Parameters
    ----------
    spectra
        (pixel, channel) intensities.
    n_components
        How many to keep, at most what the map has; 0 takes `count_components`.
    sigma
        Standard deviation of the noise for ``n_components=0``; None takes `noise_level`.
    """
    parts = _decompose(spectra)
    n_kept = n_components or _count(spectra, parts, sigma)
    kept = (np.arange(parts.values.size) < n_kept) & (parts.values > 0)
    scores, basis = parts.components(kept)
    return np.asarray(scores @ basis + parts.mean, np.float32)


def pca_of_ranks(spectra: Spectra, ranks: Iterable[int]) -> Iterator[Spectra]:
    """Yield `pca` for each number of components, decomposing the map only once."""
    parts = _decompose(spectra)
    for n_kept in ranks:
        kept = (np.arange(parts.values.size) < n_kept) & (parts.values > 0)
        scores, basis = parts.components(kept)
        yield np.asarray(scores @ basis + parts.mean, np.float32)


def shrink_for_levels(spectra: Spectra, sigmas: Iterable[float]) -> Iterator[Spectra]:
    """Yield `shrink` for each noise level, decomposing the map only once."""
    parts = _decompose(spectra)
    for sigma in sigmas:
        gains = parts.sizes.gains(sigma)
        scores, basis = parts.components(gains > 0)
        yield np.asarray((scores * gains[gains > 0]) @ basis + parts.mean, np.float32)


def count_components(spectra: Spectra, sigma: float | None = None) -> int:
    """Count the principal components that stand out of the noise, at least one.

    A component counts where its singular value exceeds the optimal hard threshold: below it,
    keeping the component brings in more noise than signal.

    Parameters
    ----------
    spectra
        (pixel, channel) intensities.
    sigma
        Standard deviation of the noise; None takes `noise_level`.

    References
    ----------
    Gavish & Donoho 2014, doi 10.1109/TIT.2014.2323359.
    """
    return _count(spectra, _decompose(spectra), sigma)


def noise_level(spectra: Spectra) -> float:
    """Estimate the noise of a map from what its leading components leave over.

    It is read from second differences along the spectra.

    The components carry the sharp bands, which would count as noise, out of the way; so the plain
    mean square can be used, which unlike a median is right where the noise differs between pixels
    and channels (shot noise). Where no number of components leaves white noise, it is the mean
    square over the whole map, and under eight pixels `noise.sigma_per_map`.

    Parameters
    ----------
    spectra
        (pixel, channel) intensities.
    """
    return _noise_level(spectra, _decompose(spectra))


def _count(spectra: Spectra, parts: _Parts, sigma: float | None) -> int:
    return parts.sizes.count(_noise_level(spectra, parts) if sigma is None else sigma)


@dataclass(frozen=True)
class _Parts:
    """A map about its mean: singular values, falling, and vectors (side, k) of the shorter side."""

    mean: Spectra
    centered: Spectra
    values: Vector
    vectors: Vector
    tall: bool

    @property
    def sizes(self) -> SingularValues:
        """The singular values, with the size of the map."""
        return SingularValues(self.values, *self.centered.shape)

    def components(self, kept: NDArray[np.bool_]) -> tuple[Spectra, Spectra]:
        """Return scores (pixel, k) and orthonormal spectra (k, channel)."""
        vectors = self.vectors[:, kept].astype(np.float32)
        if self.tall:
            return self.centered @ vectors, vectors.T
        size = self.values[kept].astype(np.float32)
        return vectors * size, (vectors.T @ self.centered) / size[:, None]


def _decompose(spectra: Spectra) -> _Parts:
    """Decompose by the Gram matrix of the shorter side: far less time and memory than the whole.

    Squaring only costs accuracy in values below 1e-7 of the largest, and those are set to zero.
    """
    mean = np.asarray(spectra.mean(axis=0, dtype=np.float64), np.float32)
    centered = spectra - mean
    tall = centered.shape[0] >= centered.shape[1]
    side = centered if tall else centered.T
    gram = np.zeros((side.shape[1], side.shape[1]))
    for start in range(0, side.shape[0], _CHUNK):
        part = side[start : start + _CHUNK].astype(np.float64)
        gram += part.T @ part
    squares, vectors = np.linalg.eigh(gram)
    values = np.sqrt(np.maximum(squares[::-1], 0))
    values[values <= 1e-7 * values[0]] = 0
    return _Parts(mean, centered, values, vectors[:, ::-1], tall)


def _noise_level(spectra: Spectra, parts: _Parts) -> float:
    if spectra.shape[0] < _PIXELS_ENOUGH_FOR_RESIDUAL or spectra.shape[1] < 4:
        return sigma_per_map(spectra)
    curvature = np.diff(parts.centered, 2, axis=1)
    n_rows, n_columns = parts.sizes.degrees
    n_kept, plain = -1, sigma_of_curvature(curvature, n_rows)
    sigma = plain
    for _ in range(_MAX_ROUNDS):
        above = parts.sizes.gains(sigma) > 0
        if int(above.sum()) == n_kept:
            return sigma
        n_kept = int(above.sum())
        scores, basis = parts.components(above)
        left = curvature - scores @ np.diff(basis, 2, axis=1)
        # Each component took one of the free rows and one of the free columns along.
        free = (n_rows - n_kept) * (1 - n_kept / n_columns)
        if free < n_rows / 2:
            break
        sigma = sigma_of_curvature(left, free)
    # Ever more components stand out: the noise differs between places, and they are made of it.
    return plain
