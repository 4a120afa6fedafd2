"""Take a cube apart into a few spectra and how much of each a pixel holds."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_deeper.engine.unmix_axis import common_channels
from napari_deeper.engine.unmix_search import find
from napari_deeper.engine.unmix_settings import METHODS, UnmixParams
from napari_deeper.engine.unmixed import Unmixed
from napari_deeper.processing import abundances as solving
from napari_deeper.processing.endmember_edits import pick
from napari_deeper.processing.missing import usable_pixels
from napari_deeper.spectra import params as settings_of
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.endmembers import Endmembers, as_endmembers
from napari_deeper.spectra.progress import Progress
from napari_deeper.spectra.provenance import Step

_BLOCK = 16384
# Fewer negative intensities than this part are what noise about zero makes.
_NEGATIVE = 0.02


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
    p = _make(params, settings)
    progress = progress or Progress()
    progress.update(0.0, "Looking for the endmembers")
    usable = usable_pixels(cube.intensity)
    spectra = cube.spectra if usable.all() else cube.spectra[usable.ravel()]
    found, notes = find(
        spectra, cube, p.n_endmembers, p.method, p.seed, leave_out_spikes=p.leave_out_spikes
    )
    p = dataclasses.replace(p, n_endmembers=len(found))
    raw = _apply(cube, found, p, notes, progress.part(0.4, 1.0))
    order = np.argsort(-raw.shares, kind="stable")
    # names and colors go by the order, not by the draw
    ordered = pick(found, [int(i) for i in order]).replace(names=found.names, colors=found.colors)
    maps = np.ascontiguousarray(raw.abundances[..., order])
    progress.update(1.0, "Unmixed")
    return dataclasses.replace(raw, endmembers=ordered, abundances=maps)


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
    p = _make(params, settings)
    progress = progress or Progress()
    progress.update(0.0, "Unmixing")
    given = as_endmembers(endmembers, cube.wavenumber)
    p = dataclasses.replace(p, n_endmembers=len(given), method=METHODS[0])
    return _apply(cube, given, p, (), progress)


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


def _make(params: UnmixParams | int | None, settings: dict[str, Any]) -> UnmixParams:
    if isinstance(params, int):
        params, settings = None, {"n_endmembers": params} | settings
    if settings.get("n_endmembers") == "estimate":
        settings = settings | {"n_endmembers": 0}
    return settings_of.make(UnmixParams, params, settings)


def _apply(
    cube: RamanCube,
    endmembers: Endmembers,
    p: UnmixParams,
    notes: tuple[str, ...],
    progress: Progress,
) -> Unmixed:
    """Solve for the abundances, some thousand pixels at a time."""
    usable = usable_pixels(cube.intensity)
    moved, channels, said = common_channels(endmembers, cube)
    pixels = np.flatnonzero(usable)
    y, x, _ = cube.shape
    maps = np.full((y * x, len(endmembers)), np.nan, np.float32)
    left = np.full(y * x, np.nan, np.float32)
    power = 0.0
    for start in range(0, len(pixels), _BLOCK):
        progress.update(start / len(pixels), "Solving for the abundances")
        own = pixels[start : start + _BLOCK]
        spectra = cube.spectra[own][:, channels]
        maps[own] = solving.unmix(spectra, moved, cast(solving.Solver, p.solver))
        rest = spectra - maps[own] @ moved
        left[own] = np.sqrt(np.mean(rest * rest, axis=1))
        power += float(np.sum(np.mean(spectra.astype(np.float64) ** 2, axis=1)))
    progress.update(1.0, "Solved")
    notes = (*notes, *said, *_notes(cube, usable, p.solver))
    relative = float(np.sqrt(np.nansum(left.astype(np.float64) ** 2) / power)) if power else 0.0
    return Unmixed(
        endmembers,
        maps.reshape(y, x, -1),
        left.reshape(y, x),
        (
            *notes,
            f"The mixtures leave {100 * relative:.1f} % of the spectra over (root mean square).",
        ),
        _header(cube, endmembers, p, notes),
        relative,
    )


def _header(
    cube: RamanCube, endmembers: Endmembers, p: UnmixParams, notes: tuple[str, ...]
) -> dict[str, Any]:
    facts = settings_of.to_json(p) | {"names": list(endmembers.names), "source": endmembers.source}
    header = cube.header()
    header["provenance"] = [*header["provenance"], Step("unmix", facts, notes).to_json()]
    return header


def _notes(cube: RamanCube, usable: NDArray[np.bool_], solver: str) -> list[str]:
    notes = []
    if solver.endswith("fcls"):
        notes.append(
            "Abundances sum to one in every pixel, so differences of brightness are left over: look at "
            "the residual."
        )
    n_missing = int((~usable).sum())
    if n_missing:
        notes.append(
            f"{n_missing} of {usable.size} pixels hold NaN or infinity: they are left out, and shown as "
            "missing."
        )
    below = float(np.mean(cube.spectra[usable.ravel()] < 0))
    if below > _NEGATIVE:
        notes.append(
            f"{100 * below:.0f} % of the intensities are negative, as a background taken off leaves "
            "them: mixtures that are not negative cannot explain what lies below zero."
        )
    return notes
