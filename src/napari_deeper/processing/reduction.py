"""The few directions that a map's spectra reach into: what every search for endmembers looks at.

A map of 512 x 512 pixels and 500 channels is half a gigabyte, so nothing here copies it: its sums are
taken block by block, in the precision of the spectra themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_deeper.spectra.errors import CubeError, ParameterError

Array = NDArray[np.float64]
Spectra = NDArray[np.floating]

# Rows whose block stays in the processor's cache.
_BLOCK = 2048
# A product of so few operations is not split between threads. For thin matrices that costs more than it
# saves, and very much more where the processor has other work.
_THIN = 250_000
# A pixel this much darker than the mean along the mean spectrum has a direction made of noise, and
# the projective division would make it the farthest of all.
_DARK = 1e-2


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


@dataclass(frozen=True, eq=False)
class Reduced:
    """A map's spectra in as many coordinates as endmembers are looked for.

    The projected spectra are ``principal @ directions.T + offset``.

    Parameters
    ----------
    principal
        (pixel, direction).
    directions
        (channel, direction), orthonormal.
    offset
        (channel,).
    coordinates
        (pixel, endmember) whose simplex has the endmembers as its corners, as far as brightness can be
        told from mixing.
    usable
        (pixel,) those with enough light to have a direction.
    """

    principal: Array
    directions: Array
    offset: Array
    coordinates: Array
    usable: NDArray[np.bool_]

    def spectra(self, pixels: NDArray[np.intp]) -> Array:
        """Return the projected spectra (pixel, channel) of some pixels."""
        return np.asarray(self.principal[pixels] @ self.directions.T + self.offset)


def check(spectra: Spectra, n: int) -> Spectra:
    """Return the spectra in float32 or float64, or say why no endmembers can be found in them.

    Parameters
    ----------
    spectra
        (pixel, channel).
    n
        How many endmembers are to be found.

    Raises
    ------
    CubeError
        If they are not (pixel, channel), hold NaN, or are all zero.
    ParameterError
        If there are more endmembers than pixels or channels.
    """
    if spectra.ndim != 2:
        raise CubeError(f"The spectra must be (pixel, channel), not {spectra.shape}.")
    if not all(np.isfinite(block).all() for block in blocks(spectra)):
        raise CubeError("The spectra hold NaN or infinity: leave those pixels out first.")
    if not 1 <= n <= min(spectra.shape):
        raise ParameterError(
            f"n_endmembers is {n}; with {spectra.shape[0]} pixels of {spectra.shape[1]} channels it "
            f"must be from 1 to {min(spectra.shape)}."
        )
    if not any(block.any() for block in blocks(spectra)):
        raise CubeError("The spectra are all zero: there is nothing to find endmembers in.")
    single = spectra.dtype in (np.float32, np.float16)
    return spectra.astype(np.float32 if single else np.float64, copy=False)


def blocks(spectra: Spectra) -> Iterator[Spectra]:
    """Yield a map's pixels, some at a time."""
    for start in range(0, len(spectra), _BLOCK):
        yield spectra[start : start + _BLOCK]


def moments(data: Spectra) -> Moments:
    """Sum up a map in one precision, float32 or float64.

    Parameters
    ----------
    data
        (pixel, channel).
    """
    mean = np.zeros(data.shape[1])
    for block in blocks(data):
        mean += block.sum(axis=0, dtype=np.float64)
    mean /= len(data)
    scatter = np.zeros((data.shape[1], data.shape[1]))
    for block in blocks(data):
        about = block - mean.astype(data.dtype)
        scatter += about.T @ about
    rounding = 1e-12 if data.dtype == np.float64 else 1e-6
    return Moments(mean, scatter, len(data), rounding)


def merged(first: Moments, second: Moments) -> Moments:
    """Return the moments of two maps together.

    References
    ----------
    Chan, Golub & LeVeque 1983, doi 10.1080/00031305.1983.10483115.
    """
    n = first.n_pixels + second.n_pixels
    apart = second.mean - first.mean
    between = np.outer(apart, apart) * (first.n_pixels * second.n_pixels / n)
    return Moments(
        first.mean + apart * (second.n_pixels / n),
        first.scatter + second.scatter + between,
        n,
        max(first.rounding, second.rounding),
    )


def project(data: Spectra, directions: Array, offset: Array | None = None) -> Array:
    """Return the coordinates (pixel, direction) of the spectra along a few directions, in float64.

    Parameters
    ----------
    data
        (pixel, channel).
    directions
        (channel, direction).
    offset
        (channel,) spectrum to measure from; None is zero.
    """
    n_channels, n = directions.shape
    out = np.empty((len(data), n))
    step = thin_rows(n_channels * n)
    for start in range(0, len(data), step):
        rows = slice(start, start + step)
        np.matmul(data[rows].astype(np.float64), directions, out=out[rows])
    if offset is not None:
        out -= offset @ directions
    return out


def thin_rows(n_products: int) -> int:
    """Return how many rows with so many products each make a matrix product that one thread does."""
    return max(16, _THIN // max(n_products, 1))


def farthest(products: Array, n: int) -> Array:
    """Return the (channel, n) directions in which spectra with these products reach farthest."""
    _, vectors = np.linalg.eigh(products)
    return np.asarray(vectors[:, ::-1][:, :n])


def reduce(data: Spectra, n: int) -> Reduced:
    """Project a map for the search for ``n`` endmembers, by the rule of vertex component analysis.

    Below an SNR of 15 + 10 log10(n) dB on one dimension less than there are endmembers, about their
    mean; above it projectively, which a varying brightness does not disturb.

    Parameters
    ----------
    data
        (pixel, channel), as `check` returns them.
    n
        How many endmembers are to be found.

    References
    ----------
    Nascimento & Dias 2005, doi 10.1109/TGRS.2005.844293.
    """
    sums = moments(data)
    directions = farthest(sums.scatter, n)
    principal = project(data, directions, sums.mean)
    if decibels(sums, principal) < 15 + 10 * np.log10(n):
        principal = principal[:, : n - 1]
        # one more coordinate, the same for all and as large as the largest, keeps them apart from 0
        radius = np.sqrt(np.max(np.sum(principal**2, axis=1))) or 1.0
        coordinates = np.column_stack([principal, np.full(len(data), radius)])
        everywhere = np.ones(len(data), dtype=bool)
        return Reduced(principal, directions[:, : n - 1], sums.mean, coordinates, everywhere)
    directions = farthest(sums.products, n)
    principal = project(data, directions)
    along_mean = principal @ principal.mean(axis=0)
    usable = along_mean > _DARK * along_mean.mean()
    coordinates = principal / np.where(usable, along_mean, 1.0)[:, None]
    return Reduced(principal, directions, np.zeros_like(sums.mean), coordinates, usable)


def decibels(sums: Moments, principal: Array) -> float:
    """Return the SNR of a map whose signal is in these coordinates.

    Parameters
    ----------
    sums
        Of the map.
    principal
        (pixel, direction) coordinates about the mean.
    """
    n_channels = len(sums.mean)
    kept = float(np.mean(np.sum(principal**2, axis=1))) + float(sums.mean @ sums.mean)
    signal = kept - principal.shape[1] / n_channels * sums.total
    noise = sums.total - kept
    # no noise, to the precision of the sums
    if noise <= sums.rounding * sums.total:
        return float("inf")
    return float(10 * np.log10(signal / noise)) if signal > 0 else -float("inf")
