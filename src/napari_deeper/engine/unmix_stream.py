"""Unmix a cube that memory does not hold: the same searches and solvers, which see it tile by tile.

Each thing that a search wants of the map is one pass over its tiles. What comes out of a pass is small: sums, the
coordinates of all pixels along a few directions, or their abundances.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_deeper.engine.tile_passes import Arrays, Parts, Pixels, TilePasses, end_to_end
from napari_deeper.engine.unmix_search import find
from napari_deeper.engine.unmix_settings import METHODS, UnmixParams
from napari_deeper.engine.unmix_solve import Mixing, Sums, by_share
from napari_deeper.engine.unmixed import Unmixed
from napari_deeper.io.zarr_rows import StoredCube, Tile, pixels_of
from napari_deeper.processing.moments import Moments, moments, no_moments
from napari_deeper.processing.reduction import Array, highest, project, sampled
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.endmembers import Endmembers, as_endmembers
from napari_deeper.spectra.errors import CubeError
from napari_deeper.spectra.progress import Progress

Mask = NDArray[np.bool_]

# How much of the progress that is left the passes take: all searches need the first, and few need many.
_OF_SUMS, _OF_SEARCH = 0.3, 0.25


def unmix_stored(
    stored: StoredCube,
    params: UnmixParams,
    endmembers: Endmembers | ArrayLike | None,
    parts: Parts,
    progress: Progress,
) -> Unmixed:
    """Do what `unmix` does with a cube in memory, or `unmix_with` where endmembers are given.

    Parameters
    ----------
    stored
        The cube.
    params, endmembers
        As those take them.
    parts
        Where those that are finished are kept.
    progress
        Gets reports, and may cancel between tiles.

    Raises
    ------
    DeeperError
        As those do.
    """
    passes = TilePasses(stored, parts, progress)
    n_channels = stored.shape[2]
    place = RamanCube.from_header(np.zeros((1, 1, n_channels), np.float32), stored.header)
    if endmembers is not None:
        given = as_endmembers(endmembers, place.wavenumber)
        p = dataclasses.replace(params, n_endmembers=len(given), method=METHODS[0])
        return _apply(passes, Mixing(given, place, p))
    found, notes = find(measured(passes), place, params)
    p = dataclasses.replace(params, n_endmembers=len(found))
    return by_share(_apply(passes, Mixing(found, place, p, notes)))


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
        finite = _finite(spectra)
        sums = moments(_of(spectra, finite), double=True)
        return {"finite": finite, **sums.arrays()}

    def join(first: Arrays, second: Arrays) -> Arrays:
        sums = Moments.from_arrays(first).joined(Moments.from_arrays(second))
        finite = np.concatenate([first["finite"], second["finite"]])
        return {"finite": finite, **sums.arrays()}

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
        return own[kept], _of(self._passes.spectra(tile), kept)

    def _places(self) -> Pixels:
        """Return where on the map (pixel,) lie."""
        return np.flatnonzero(self._kept)

    def _rows(self) -> NDArray[np.int32]:
        """Return which pixel of these each one of the map is."""
        return np.cumsum(self._kept, dtype=np.int32) - np.int32(1)

    def _run(self, name: str, treat: Any, join: Any = end_to_end) -> Any:
        return self._passes.run(name, treat, join, "Looking for the endmembers", _OF_SEARCH)

    def _name(self, what: str, *arrays: NDArray[Any] | None) -> str:
        """Return a name that tells all that the outcome depends on, to the last bit."""
        digest = hashlib.sha256(repr(self._removed).encode())
        for array in arrays:
            digest.update(b"" if array is None else np.ascontiguousarray(array).tobytes())
        return f"{what}-{digest.hexdigest()[:16]}"


def _apply(passes: TilePasses, mixing: Mixing) -> Unmixed:
    """Solve for the abundances of all pixels."""
    n_y, n_x, _ = passes.stored.shape
    n = len(mixing.endmembers)

    def treat(tile: Tile) -> Arrays:
        spectra = passes.spectra(tile)
        finite = _finite(spectra)
        made = np.full((len(spectra), n + 1), np.nan, np.float32)
        sums = Sums()
        if finite.any():
            made[finite, :n], made[finite, n], sums = mixing.solve(_of(spectra, finite))
        return {"made": made, "sums": np.array([[sums.power, sums.n_negative]])}

    maps, left = np.empty((n_y * n_x, n), np.float32), np.empty(n_y * n_x, np.float32)
    sums = Sums()
    name = "abundances-" + mixing.digest()
    for pixels, part in passes.run(name, treat, end_to_end, "Solving for the abundances", 1.0):
        maps[pixels], left[pixels] = part["made"][:, :n], part["made"][:, n]
        power, n_negative = part["sums"].sum(axis=0)
        sums = Sums(sums.power + float(power), sums.n_negative + int(n_negative))
    if np.isnan(left).all():
        raise CubeError("Every pixel holds NaN or infinity: nothing was measured.")
    return mixing.result(maps.reshape(n_y, n_x, n), left.reshape(n_y, n_x), sums)


def _finite(spectra: NDArray[np.float32]) -> Mask:
    return np.asarray(np.isfinite(spectra).all(axis=1))


def _of(spectra: NDArray[np.float32], some: Mask) -> NDArray[np.float32]:
    return spectra if some.all() else spectra[some]
