"""Unmix a cube that memory does not hold: the same searches and solvers, which see it tile by tile."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike

from napari_deeper.engine.stored_spectra import finite, measured, some_of
from napari_deeper.engine.tile_passes import Arrays, Parts, TilePasses, end_to_end
from napari_deeper.engine.unmix_search import find
from napari_deeper.engine.unmix_settings import METHODS, UnmixParams
from napari_deeper.engine.unmix_solve import Mixing, Sums, by_share
from napari_deeper.engine.unmixed import Unmixed
from napari_deeper.io.zarr_rows import StoredCube, Tile
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.endmembers import Endmembers, as_endmembers
from napari_deeper.spectra.errors import CubeError
from napari_deeper.spectra.progress import Progress


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


def _apply(passes: TilePasses, mixing: Mixing) -> Unmixed:
    """Solve for the abundances of all pixels."""
    n_y, n_x, _ = passes.stored.shape
    n = len(mixing.endmembers)

    def treat(tile: Tile) -> Arrays:
        spectra = passes.spectra(tile)
        known = finite(spectra)
        made = np.full((len(spectra), n + 1), np.nan, np.float32)
        sums = Sums()
        if known.any():
            made[known, :n], made[known, n], sums = mixing.solve(some_of(spectra, known))
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
