"""Take a cube apart into a few spectra and how much of each a pixel holds."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_deeper.engine.unmix_search import find
from napari_deeper.engine.unmix_settings import METHODS, UnmixParams
from napari_deeper.engine.unmix_solve import Mixing, Sums, by_share
from napari_deeper.engine.unmixed import Unmixed
from napari_deeper.processing.map_spectra import HeldSpectra
from napari_deeper.processing.missing import usable_pixels
from napari_deeper.spectra import params as settings_of
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.endmembers import Endmembers, as_endmembers
from napari_deeper.spectra.progress import Progress

_BLOCK = 16384


def unmix(
    cube: RamanCube,
    params: UnmixParams | int | None = None,
    *,
    progress: Progress | None = None,
    **settings: Any,
) -> Unmixed:
    """Find endmembers on a cube, and how much of each every pixel holds.

    Pixels with NaN are left out, and are NaN in the maps. Endmembers come in the order of how many
    pixels each has the largest abundance in.

    Parameters
    ----------
    cube
        The cube.
    params
        All settings at once, or the number of endmembers alone.
    progress
        Gets reports, and may cancel.
    settings
        Single settings by name, for example ``n_endmembers="estimate"``; they override ``params``.

    Returns
    -------
    Unmixed
        It unpacks: ``endmembers, abundances, residual = unmix(cube)``.

    Raises
    ------
    CubeError
        If the cube holds no measured pixel, no signal, or fewer independent spectra than asked for.
    ParameterError
        If more endmembers are asked for than there are pixels or channels, or a setting is unknown.

    References
    ----------
    Nascimento & Dias 2005, doi 10.1109/TGRS.2005.844293; Horgan et al. 2021, doi
    10.1021/acs.analchem.1c02178.
    """
    p = as_params(params, settings)
    progress = progress or Progress()
    progress.update(0.0, "Looking for the endmembers")
    usable = usable_pixels(cube.intensity)
    spectra = cube.spectra if usable.all() else cube.spectra[usable.ravel()]
    found, notes = find(HeldSpectra(spectra), cube, p)
    p = dataclasses.replace(p, n_endmembers=len(found))
    raw = _apply(cube, Mixing(found, cube, p, notes), progress.part(0.4, 1.0))
    progress.update(1.0, "Unmixed")
    return by_share(raw)


def unmix_with(
    cube: RamanCube,
    endmembers: Endmembers | ArrayLike,
    params: UnmixParams | None = None,
    *,
    progress: Progress | None = None,
    **settings: Any,
) -> Unmixed:
    """Unmix a cube with endmembers that are given, as for maps of other samples or results.

    Parameters
    ----------
    cube
        The cube.
    endmembers
        On any axis: they are resampled to the cube's, and channels that they do not cover are left out.
        An array (endmember, channel) is on the cube's axis.
    params, settings
        As in `unmix`; only the solver counts.
    progress
        Gets reports, and may cancel.

    Raises
    ------
    AxisError
        If cube and endmembers have too little of their axes in common.
    CubeError
        If the cube holds no measured pixel, or an endmember is a mixture of the others.
    ParameterError
        If there are more endmembers than channels, or a setting is unknown.
    """
    p = as_params(params, settings)
    progress = progress or Progress()
    progress.update(0.0, "Unmixing")
    given = as_endmembers(endmembers, cube.wavenumber)
    p = dataclasses.replace(p, n_endmembers=len(given), method=METHODS[0])
    return _apply(cube, Mixing(given, cube, p), progress)


def abundances(
    cube: RamanCube,
    endmembers: Endmembers | ArrayLike,
    *,
    solver: str = "nnls",
    progress: Progress | None = None,
) -> NDArray[np.float32]:
    """Return how much of given endmembers every pixel of a cube holds, (y, x, endmember).

    Parameters
    ----------
    cube, endmembers, progress
        As in `unmix_with`.
    solver
        As in `UnmixParams`.

    Returns
    -------
    NDArray[np.float32]
        (y, x, endmember), NaN in pixels that were not measured.

    Raises
    ------
    DeeperError
        As `unmix_with`.
    """
    return unmix_with(cube, endmembers, solver=solver, progress=progress).abundances


def as_params(params: UnmixParams | int | None, settings: dict[str, Any]) -> UnmixParams:
    """Return the settings of all that a caller gave: at once, as a number of endmembers, or by name."""
    if isinstance(params, int):
        params, settings = None, {"n_endmembers": params} | settings
    if settings.get("n_endmembers") == "estimate":
        settings = settings | {"n_endmembers": 0}
    return settings_of.make(UnmixParams, params, settings)


def _apply(cube: RamanCube, mixing: Mixing, progress: Progress) -> Unmixed:
    """Solve for the abundances, some thousand pixels at a time."""
    pixels = np.flatnonzero(usable_pixels(cube.intensity))
    y, x, _ = cube.shape
    maps = np.full((y * x, len(mixing.endmembers)), np.nan, np.float32)
    left = np.full(y * x, np.nan, np.float32)
    sums = Sums()
    for start in range(0, len(pixels), _BLOCK):
        progress.update(start / len(pixels), "Solving for the abundances")
        own = pixels[start : start + _BLOCK]
        maps[own], left[own], some = mixing.solve(cube.spectra[own])
        sums.power += some.power
        sums.n_negative += some.n_negative
    progress.update(1.0, "Solved")
    return mixing.result(maps.reshape(y, x, -1), left.reshape(y, x), sums)
