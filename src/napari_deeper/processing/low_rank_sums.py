"""Denoise by what the pixels of a map share, where memory does not hold the map but the sums over it.

The same as `low_rank.shrink` and `low_rank.pca` of a map with more pixels than channels: they need no more of it than
its mean and the products of its channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_deeper.processing.moments import Moments
from napari_deeper.processing.noise import SECOND_DIFFERENCE_GAIN
from napari_deeper.processing.singular_values import SingularValues

Spectra = NDArray[np.float32]

_MAX_ROUNDS = 4
_LEAST = 1e-7  # of the largest singular value, that squaring leaves anything of


@dataclass(frozen=True)
class Projection:
    """Takes spectra to what the map shares: the mean, and the components, each by its gain.

    Parameters
    ----------
    mean
        (channel,).
    basis
        (component, channel), orthonormal.
    gains
        (component,).
    """

    mean: Spectra
    basis: Spectra
    gains: Spectra

    def apply(self, spectra: Spectra) -> Spectra:
        """Return (pixel, channel) denoised."""
        scores = (spectra - self.mean) @ self.basis.T
        return np.asarray((scores * self.gains) @ self.basis + self.mean, np.float32)


def shrinkage(sums: Moments) -> Projection:
    """Return the optimal shrinkage of a map, as `low_rank.shrink`.

    References
    ----------
    Gavish & Donoho 2017, doi 10.1109/TIT.2017.2653801.
    """
    sizes, vectors, squares = _decompose(sums)
    gains = sizes.gains(_noise_level(sizes, vectors, squares))
    return _projection(sums, vectors, gains)


def principal(sums: Moments, n_components: int = 0) -> Projection:
    """Return the largest principal components of a map, as `low_rank.pca`; 0 counts those above noise."""
    sizes, vectors, squares = _decompose(sums)
    n_kept = n_components or sizes.count(_noise_level(sizes, vectors, squares))
    gains = (np.arange(sizes.values.size) < n_kept) & (sizes.values > 0)
    return _projection(sums, vectors, gains.astype(np.float64))


def _decompose(sums: Moments) -> tuple[SingularValues, NDArray[np.float64], NDArray[np.float64]]:
    """Return singular values, the vectors (channel, component), and the squares without a floor."""
    squares, vectors = np.linalg.eigh(sums.scatter)
    squares = np.maximum(squares[::-1], 0)
    values = np.sqrt(squares)
    values[values <= _LEAST * values[0]] = 0
    return SingularValues(values, sums.n_pixels, len(sums.mean)), vectors[:, ::-1], squares


def _noise_level(
    sizes: SingularValues, vectors: NDArray[np.float64], squares: NDArray[np.float64]
) -> float:
    """Return what `low_rank.noise_level` does: second differences of what the components leave over."""
    # the mean square of a second difference, that each direction has a part in
    power = squares * np.square(np.diff(vectors, 2, axis=0)).sum(axis=0)
    n_rows, n_columns = sizes.degrees

    def level(n_kept: int, free: float) -> float:
        total = float(power[n_kept:].sum())
        return float(np.sqrt(total / (free * (n_columns - 2))) / SECOND_DIFFERENCE_GAIN)

    n_kept, sigma = -1, level(0, n_rows)
    plain = sigma
    for _ in range(_MAX_ROUNDS):
        above = int((sizes.gains(sigma) > 0).sum())
        if above == n_kept:
            return sigma
        n_kept = above
        free = (n_rows - n_kept) * (1 - n_kept / n_columns)
        if free < n_rows / 2:
            break
        sigma = level(n_kept, free)
    return plain


def _projection(
    sums: Moments, vectors: NDArray[np.float64], gains: NDArray[np.float64]
) -> Projection:
    kept = gains > 0
    return Projection(
        sums.mean.astype(np.float32),
        np.ascontiguousarray(vectors[:, kept].T, np.float32),
        gains[kept].astype(np.float32),
    )
