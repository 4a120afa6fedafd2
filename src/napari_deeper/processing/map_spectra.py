"""What searches for endmembers see of a map: its sums, its coordinates along a few directions, single spectra.

A map of 512 x 512 pixels and 500 channels is half a gigabyte, and another may not fit into memory at all. So
no search takes a map as an array; here is one that lies in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from napari_deeper.processing.moments import Moments, moments
from napari_deeper.spectra.errors import CubeError, ParameterError

Array = NDArray[np.float64]
Spectra = NDArray[np.floating]

# Rows whose block stays in the processor's cache.
_BLOCK = 2048
# A product of so few operations is not split between threads. For thin matrices that costs more than it
# saves, and very much more where the processor has other work.
_THIN = 250_000
# Enough pixels, evenly spread, to tell which endmembers explain a map best.
_MOST_SAMPLED = 4096


class MapSpectra(Protocol):
    """The finite spectra of a map, wherever they lie; pixels are counted among them."""

    @property
    def shape(self) -> tuple[int, int]:
        """(pixel, channel)."""
        ...

    def moments(self) -> Moments:
        """Return the mean and the scatter."""
        ...

    def project(self, directions: Array, offset: Array | None = None) -> Spectra:
        """Return coordinates (pixel, direction) along (channel, direction), from an offset (channel,)."""
        ...

    def strongest(self, directions: Array, n: int) -> tuple[NDArray[np.intp], Array]:
        """Return the (n, direction) pixels that reach farthest along each direction, and how far, squared."""
        ...

    def sample(self) -> Array:
        """Return the spectra (pixel, channel) of `sampled` pixels."""
        ...

    def rows(self, pixels: Sequence[int]) -> Array:
        """Return the spectra (pixel, channel) of a few pixels."""
        ...

    def columns(self, channels: Sequence[int]) -> Spectra:
        """Return the intensities (pixel, channel) in a few channels that lie near each other."""
        ...

    def without(self, pixels: Sequence[int]) -> MapSpectra:
        """Return the map without some pixels."""
        ...


class HeldSpectra:
    """Spectra (pixel, channel) in memory, all finite."""

    def __init__(self, spectra: Spectra) -> None:
        single = spectra.dtype in (np.float32, np.float16)
        self._data: Spectra = spectra.astype(np.float32 if single else np.float64, copy=False)
        self._moments: Moments | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(pixel, channel)."""
        n_pixels, n_channels = self._data.shape
        return n_pixels, n_channels

    def moments(self) -> Moments:
        """Return the mean and the scatter."""
        if self._moments is None:
            self._moments = moments(self._data)
        return self._moments

    def project(self, directions: Array, offset: Array | None = None) -> Spectra:
        """Return coordinates (pixel, direction) in float64."""
        return project(self._data, directions, offset)

    def strongest(self, directions: Array, n: int) -> tuple[NDArray[np.intp], Array]:
        """Return the (n, direction) pixels that reach farthest along each direction, and how far, squared."""
        power = np.asarray(self.project(directions), np.float64) ** 2
        pixels = highest(power, n)
        return pixels, np.take_along_axis(power, pixels, axis=0)

    def sample(self) -> Array:
        """Return the spectra (pixel, channel) of `sampled` pixels."""
        return np.asarray(self._data[sampled(len(self._data))], np.float64)

    def rows(self, pixels: Sequence[int]) -> Array:
        """Return the spectra (pixel, channel) of a few pixels."""
        return np.asarray(self._data[list(pixels)], np.float64)

    def columns(self, channels: Sequence[int]) -> Spectra:
        """Return the intensities (pixel, channel) in a few channels."""
        return self._data[:, list(channels)]

    def without(self, pixels: Sequence[int]) -> HeldSpectra:
        """Return a copy without some pixels."""
        return HeldSpectra(np.delete(self._data, list(pixels), axis=0))


def check(spectra: Spectra | MapSpectra, n: int) -> MapSpectra:
    """Return spectra as a map, or say why no endmembers can be found in them.

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
    if isinstance(spectra, np.ndarray):
        if spectra.ndim != 2:
            raise CubeError(f"The spectra must be (pixel, channel), not {spectra.shape}.")
        if not all(np.isfinite(block).all() for block in blocks(spectra)):
            raise CubeError("The spectra hold NaN or infinity: leave those pixels out first.")
        spectra = HeldSpectra(spectra)
    if not 1 <= n <= min(spectra.shape):
        raise ParameterError(
            f"n_endmembers is {n}; with {spectra.shape[0]} pixels of {spectra.shape[1]} channels it "
            f"must be from 1 to {min(spectra.shape)}."
        )
    if not spectra.moments().total:
        raise CubeError("The spectra are all zero: there is nothing to find endmembers in.")
    return spectra


def blocks(spectra: Spectra) -> Iterator[Spectra]:
    """Yield a map's pixels, some at a time."""
    for start in range(0, len(spectra), _BLOCK):
        yield spectra[start : start + _BLOCK]


def sampled(n_pixels: int) -> NDArray[np.intp]:
    """Return which pixels stand for so many: 4096 at most, evenly spread."""
    n_sampled = min(n_pixels, _MOST_SAMPLED)
    return np.linspace(0, n_pixels - 1, n_sampled).astype(np.intp)


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


def highest(values: Array, n: int) -> NDArray[np.intp]:
    """Return the rows (n, column) of the n highest values of each column, or of all where there are fewer."""
    n = min(n, len(values))
    if not n:
        return np.zeros((0, values.shape[1]), np.intp)
    return np.argpartition(values, len(values) - n, axis=0)[len(values) - n :]


def thin_rows(n_products: int) -> int:
    """Return how many rows with so many products each make a matrix product that one thread does."""
    return max(16, _THIN // max(n_products, 1))
