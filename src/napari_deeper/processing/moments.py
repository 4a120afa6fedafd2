"""The mean of a map and how its spectra scatter, summed up in parts that can be joined and taken off again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Spectra = NDArray[np.floating]

_BLOCK = 2048
# Least part of a map's power that is not lost where it is measured in single precision, or in double.
SINGLE, DOUBLE = 1e-6, 1e-12


@dataclass(frozen=True, eq=False)
class Moments:
    """The mean of a map, and how its spectra scatter.

    Parameters
    ----------
    mean
        (channel,).
    scatter
        (channel, channel) sum over the pixels of the products of their deviations from the mean.
    n_pixels
        How many pixels there are.
    rounding
        Least part of the whole that is not lost in the sums.
    """

    mean: Array
    scatter: Array
    n_pixels: int
    rounding: float

    @property
    def total(self) -> float:
        """Mean squared length of a spectrum."""
        return float(np.trace(self.scatter)) / self.n_pixels + float(self.mean @ self.mean)

    @property
    def products(self) -> Array:
        """(channel, channel) sum of the products of the spectra, not of their deviations."""
        return self.scatter + self.n_pixels * np.outer(self.mean, self.mean)

    def arrays(self) -> dict[str, Array]:
        """Return them as named arrays, to be kept."""
        counts = np.array([self.n_pixels, self.rounding])
        return {"mean": self.mean, "scatter": self.scatter, "counts": counts}

    @classmethod
    def from_arrays(cls, found: Mapping[str, Array]) -> Moments:
        """Return what `arrays` gave."""
        n, rounding = found["counts"].tolist()
        return cls(found["mean"], found["scatter"], int(n), float(rounding))

    def joined(self, other: Moments) -> Moments:
        """Return those of the pixels of both.

        References
        ----------
        Chan, Golub & LeVeque 1983, doi 10.1080/00031305.1983.10483115.
        """
        n = self.n_pixels + other.n_pixels
        if not n:
            return self
        apart = other.mean - self.mean
        between = np.outer(apart, apart) * (self.n_pixels * other.n_pixels / n)
        return Moments(
            self.mean + apart * (other.n_pixels / n),
            self.scatter + other.scatter + between,
            n,
            max(self.rounding, other.rounding),
        )

    def without(self, some: Moments) -> Moments:
        """Return those of the pixels that are left without some of them."""
        n = self.n_pixels - some.n_pixels
        mean = self.mean + (self.mean - some.mean) * (some.n_pixels / n)
        apart = some.mean - mean
        between = np.outer(apart, apart) * (some.n_pixels * n / self.n_pixels)
        return Moments(mean, self.scatter - some.scatter - between, n, self.rounding)


def no_moments(n_channels: int) -> Moments:
    """Return the moments of no pixel."""
    return Moments(np.zeros(n_channels), np.zeros((n_channels, n_channels)), 0, 0.0)


def moments(data: Spectra, *, double: bool = False) -> Moments:
    """Sum up (pixel, channel), in blocks that stay in the processor's cache.

    Parameters
    ----------
    data
        float32 or float64, finite.
    double
        Take the products in double precision whatever the data are.
    """
    n_channels = data.shape[1]
    if not len(data):
        return no_moments(n_channels)
    mean, scatter = np.zeros(n_channels), np.zeros((n_channels, n_channels))
    for start in range(0, len(data), _BLOCK):
        mean += data[start : start + _BLOCK].sum(axis=0, dtype=np.float64)
    mean /= len(data)
    middle = mean if double else mean.astype(data.dtype)
    for start in range(0, len(data), _BLOCK):
        about = data[start : start + _BLOCK] - middle
        scatter += about.T @ about
    rounding = DOUBLE if data.dtype == np.float64 else SINGLE
    return Moments(mean, scatter, len(data), rounding)
