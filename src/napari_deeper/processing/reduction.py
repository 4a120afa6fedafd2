"""The few directions that a map's spectra reach into, in which endmembers are looked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_deeper.processing.map_spectra import Array, MapSpectra, Spectra, thin_rows
from napari_deeper.processing.moments import Moments

# A pixel this much darker than the mean along the mean spectrum has a direction made of noise, and
# the projective division would make it the farthest of all.
_DARK = 1e-2


@dataclass(frozen=True, eq=False)
class Reduced:
    """A map's spectra in as many coordinates as endmembers are looked for.

    Parameters
    ----------
    coordinates
        (pixel, endmember) whose simplex has the endmembers as its corners, as far as brightness can be
        told from mixing; the numbers of one coordinate lie next to each other.
    usable
        (pixel,) those with enough light to have a direction.
    scale
        (pixel,), times which the coordinates are those along the directions.
    directions
        (channel, direction), orthonormal; one less than there are coordinates, or as many.
    offset
        (channel,), where they start.
    """

    coordinates: Spectra
    usable: NDArray[np.bool_]
    scale: Spectra
    directions: Array
    offset: Array

    def spectra(self, pixels: NDArray[np.intp]) -> Array:
        """Return the projected spectra (pixel, channel) of some pixels."""
        along = self.coordinates[pixels].astype(np.float64) * self.scale[pixels][:, None]
        return np.asarray(along[:, : self.directions.shape[1]] @ self.directions.T + self.offset)

    def largest(self) -> Array:
        """Return the largest size of each coordinate (endmember,) among the usable pixels."""
        some = self.usable[:, None]
        high = self.coordinates.max(axis=0, where=some, initial=0)
        low = self.coordinates.min(axis=0, where=some, initial=0)
        return np.asarray(np.maximum(high, -low), np.float64)

    def outermost(
        self, directions: Array, *, signed: bool = False
    ) -> tuple[NDArray[np.intp], Array]:
        """Return the usable pixel that reaches farthest along each (direction, endmember), and how far.

        To either side, unless signed.
        """
        farthest_yet = np.full(len(directions), -np.inf)
        pixels = np.zeros(len(directions), dtype=np.intp)
        each, rows = np.arange(len(directions)), self.coordinates.T
        step = thin_rows(directions.size)
        for start in range(0, rows.shape[1], step):
            part = slice(start, start + step)
            reach = directions @ rows[:, part]
            if not signed:
                np.abs(reach, out=reach)
            reach[:, ~self.usable[part]] = -np.inf
            best = reach.argmax(axis=1)
            farther = reach[each, best] > farthest_yet
            pixels[farther] = start + best[farther]
            farthest_yet[farther] = reach[each, best][farther]
        return pixels, farthest_yet


def farthest(products: Array, n: int) -> Array:
    """Return the (channel, n) directions in which spectra with these products reach farthest."""
    _, vectors = np.linalg.eigh(products)
    return np.asarray(vectors[:, ::-1][:, :n])


def reduce(data: MapSpectra, n: int) -> Reduced:
    """Project a map for the search for ``n`` endmembers, by the rule of vertex component analysis.

    Below an SNR of 15 + 10 log10(n) dB on one dimension less than there are endmembers, about their
    mean; above it projectively, which a varying brightness does not disturb.

    Parameters
    ----------
    data
        As `check` returns it.
    n
        How many endmembers are to be found.

    References
    ----------
    Nascimento & Dias 2005, doi 10.1109/TGRS.2005.844293.
    """
    sums = data.moments()
    if decibels(sums, n) < 15 + 10 * np.log10(n):
        directions = farthest(sums.scatter, n - 1)
        principal = data.project(directions, sums.mean)
        # one more coordinate, the same for all and as large as the largest, keeps them apart from 0
        radius = float(np.sqrt(_squares(principal).max())) or 1.0
        coordinates = _stretched(principal, n)
        coordinates[:, -1] = radius
        everywhere = np.ones(len(coordinates), dtype=bool)
        return Reduced(
            coordinates, everywhere, np.ones_like(coordinates[:, 0]), directions, sums.mean
        )
    directions = farthest(sums.products, n)
    principal = data.project(directions)
    middle = sums.mean @ directions
    along_mean = principal @ middle.astype(principal.dtype)
    usable = along_mean > _DARK * float(middle @ middle)
    along_mean[~usable] = 1
    coordinates = _stretched(principal, n)
    coordinates /= along_mean[:, None]
    return Reduced(coordinates, usable, along_mean, directions, np.zeros_like(sums.mean))


def _stretched(principal: Spectra, n: int) -> Spectra:
    """Return (pixel, n) whose first columns are those given, each column in one piece."""
    out = np.empty((n, len(principal)), principal.dtype).T
    out[:, : principal.shape[1]] = principal
    return out


def _squares(rows: Spectra) -> Spectra:
    return np.asarray(np.einsum("pi,pi->p", rows, rows))


def decibels(sums: Moments, n: int) -> float:
    """Return the SNR of a map whose signal is in its first ``n`` principal components and the mean."""
    n_channels = len(sums.mean)
    values = np.linalg.eigvalsh(sums.scatter)[::-1][:n]
    kept = float(values.sum()) / sums.n_pixels + float(sums.mean @ sums.mean)
    signal = kept - len(values) / n_channels * sums.total
    noise = sums.total - kept
    # no noise, to the precision of the sums
    if noise <= sums.rounding * sums.total:
        return float("inf")
    return float(10 * np.log10(signal / noise)) if signal > 0 else -float("inf")
