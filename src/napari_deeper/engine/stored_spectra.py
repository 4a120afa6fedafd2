"""The spectra of a cube that memory does not hold, as searches for endmembers see them.

Each thing that a search wants of the map is one pass over its tiles. What comes out of a pass is small: sums, or the
coordinates of all pixels along a few directions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.engine.tile_passes import Arrays, Join, Pixels, TilePasses, Treat, end_to_end
from napari_deeper.io.zarr_rows import Tile, pixels_of
from napari_deeper.processing.map_spectra import Array, highest, project, sampled
from napari_deeper.processing.moments import Moments, moments, no_moments
from napari_deeper.spectra.errors import CubeError

Mask = NDArray[np.bool_]

# How much of the progress that is left the passes take: all searches need the first, and few need many.
_OF_SUMS, _OF_SEARCH = 0.3, 0.25


def measured(passes: TilePasses) -> StoredSpectra:
    """Return the finite spectra of a stored cube, which are summed up.

    Raises
    ------
    CubeError
        If no pixel is finite in every channel.
    """
    n_y, n_x, n_channels = passes.stored.shape

    def treat(tile: Tile) -> Arrays:
        spectra = passes.spectra(tile)
        known = finite(spectra)
        sums = moments(some_of(spectra, known), double=True)
        return {"finite": known, **sums.arrays()}

    def join(first: Arrays, second: Arrays) -> Arrays:
        sums = Moments.from_arrays(first).joined(Moments.from_arrays(second))
        known = np.concatenate([first["finite"], second["finite"]])
        return {"finite": known, **sums.arrays()}

    sums, kept = no_moments(n_channels), np.zeros(n_y * n_x, bool)
    for pixels, part in passes.run("sums", treat, join, "Looking at all spectra", _OF_SUMS):
        sums = sums.joined(Moments.from_arrays(part))
        kept[pixels] = part["finite"]
    if not sums.n_pixels:
        raise CubeError("Every pixel holds NaN or infinity: nothing was measured.")
    return StoredSpectra(passes, kept, sums)


class StoredSpectra:
    """The spectra of some pixels of a stored cube, as searches see them (`MapSpectra`).

    Parameters
    ----------
    passes
        Over the cube.
    kept
        (pixel of the map,) which ones.
    sums
        Their moments.
    removed
        Pixels of the map that were taken out, which a name in the work folder must tell.
    """

    def __init__(
        self, passes: TilePasses, kept: Mask, sums: Moments, removed: tuple[int, ...] = ()
    ) -> None:
        self._passes = passes
        self._kept = kept
        self._sums = sums
        self._removed = removed
        self._sample: Array | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(pixel, channel)."""
        return self._sums.n_pixels, len(self._sums.mean)

    def moments(self) -> Moments:
        """Return the mean and the scatter, summed up in double precision."""
        return self._sums

    def project(self, directions: Array, offset: Array | None = None) -> NDArray[np.float32]:
        """Return coordinates (pixel, direction) in single precision, which so many pixels need."""
        wanted = np.zeros(len(self._kept), bool)
        wanted[self._places()[sampled(self.shape[0])]] = True

        def treat(tile: Tile) -> Arrays:
            own, spectra = self._tile(tile)
            along = project(spectra, directions, offset)
            return {"along": along.astype(np.float32), "sample": spectra[wanted[own]]}

        rows, samples = self._rows(), []
        out = np.empty((self.shape[0], directions.shape[1]), np.float32)
        name = self._name("coordinates", directions, offset)
        for pixels, part in self._run(name, treat):
            out[rows[pixels[self._kept[pixels]]]] = part["along"]
            samples.append((pixels[wanted[pixels]], part["sample"]))
        order = np.argsort(np.concatenate([pixels for pixels, _ in samples]))
        joined = np.concatenate([spectra for _, spectra in samples])
        self._sample = joined[order].astype(np.float64)
        return out

    def strongest(self, directions: Array, n: int) -> tuple[NDArray[np.intp], Array]:
        """Return the (n, direction) pixels that reach farthest along each direction, and how far, squared."""

        def treat(tile: Tile) -> Arrays:
            own, spectra = self._tile(tile)
            power = project(spectra, directions) ** 2
            rows = highest(power, n)
            return {"pixels": own[rows], "power": np.take_along_axis(power, rows, axis=0)}

        def join(first: Arrays, second: Arrays) -> Arrays:
            both = end_to_end(first, second)
            rows = highest(both["power"], n)
            return {key: np.take_along_axis(each, rows, axis=0) for key, each in both.items()}

        name = self._name(f"strongest-{n}", directions)
        found: Arrays | None = None
        for _, part in self._run(name, treat, join):
            found = part if found is None else join(found, part)
        assert found is not None  # a cube has at least one tile
        return self._rows()[found["pixels"]].astype(np.intp), found["power"]

    def sample(self) -> Array:
        """Return the spectra (pixel, channel) of `sampled` pixels, which a projection takes along."""
        if self._sample is None:
            self.project(np.zeros((self.shape[1], 0)))
        assert self._sample is not None
        return self._sample

    def rows(self, pixels: Sequence[int]) -> Array:
        """Return the spectra (pixel, channel) of a few pixels."""
        n_x = self._passes.stored.shape[1]
        out = np.empty((len(pixels), self.shape[1]))
        for row, place in zip(out, self._places()[list(pixels)], strict=True):
            y, x = divmod(int(place), n_x)
            row[:] = self._passes.stored.read((slice(y, y + 1), slice(x, x + 1)))[0, 0]
        return out

    def columns(self, channels: Sequence[int]) -> NDArray[np.float32]:
        """Return the intensities (pixel, channel) in a few channels that lie near each other."""
        first, picked = min(channels), np.array(channels) - min(channels)
        near = slice(first, max(channels) + 1)

        def treat(tile: Tile) -> Arrays:
            block = self._passes.stored.read_channels(tile, near)[..., picked]
            own = pixels_of(tile, self._passes.stored.shape[1])
            return {"columns": block.reshape(len(own), -1)[self._kept[own]]}

        rows, out = self._rows(), np.empty((self.shape[0], len(channels)), np.float32)
        for pixels, part in self._run(self._name("columns", np.array(channels)), treat):
            out[rows[pixels[self._kept[pixels]]]] = part["columns"]
        return out

    def without(self, pixels: Sequence[int]) -> StoredSpectra:
        """Return the map without some pixels."""
        places = self._places()[list(pixels)]
        kept = self._kept.copy()
        kept[places] = False
        sums = self._sums.without(moments(self.rows(pixels)))
        removed = (*self._removed, *sorted(places.tolist()))
        return StoredSpectra(self._passes, kept, sums, removed)

    def _tile(self, tile: Tile) -> tuple[Pixels, NDArray[np.float32]]:
        """Return which pixels of a tile take part, and their spectra."""
        own = pixels_of(tile, self._passes.stored.shape[1])
        kept = self._kept[own]
        return own[kept], some_of(self._passes.spectra(tile), kept)

    def _places(self) -> Pixels:
        """Return where on the map (pixel,) lie."""
        return np.flatnonzero(self._kept)

    def _rows(self) -> NDArray[np.int32]:
        """Return which pixel of these each one of the map is."""
        return np.cumsum(self._kept, dtype=np.int32) - np.int32(1)

    def _run(
        self, name: str, treat: Treat, join: Join = end_to_end
    ) -> Iterator[tuple[Pixels, Arrays]]:
        return self._passes.run(name, treat, join, "Looking for the endmembers", _OF_SEARCH)

    def _name(self, what: str, *arrays: NDArray[Any] | None) -> str:
        """Return a name that tells all that the outcome depends on, to the last bit."""
        digest = hashlib.sha256(repr(self._removed).encode())
        for array in arrays:
            digest.update(b"" if array is None else np.ascontiguousarray(array).tobytes())
        return f"{what}-{digest.hexdigest()[:16]}"


def finite(spectra: NDArray[np.float32]) -> Mask:
    """Return which spectra (pixel, channel) are finite in every channel."""
    return np.asarray(np.isfinite(spectra).all(axis=1))


def some_of(spectra: NDArray[np.float32], some: Mask) -> NDArray[np.float32]:
    """Return some of the spectra (pixel, channel), without a copy where they are all."""
    return spectra if some.all() else spectra[some]
