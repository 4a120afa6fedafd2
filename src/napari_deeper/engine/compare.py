"""Compare cubes with a target by their place on the sample, or describe them where there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from napari_deeper.engine.compare_field import common_field
from napari_deeper.engine.compare_judge import (
    Judge,
    bands_of,
    make_difference,
    matched,
    roughness,
    spectra_of_regions,
)
from napari_deeper.engine.compare_notes import notes_without_target
from napari_deeper.engine.compare_scores import (
    NEEDS_TARGET,
    UNKNOWN,
    CandidateScores,
    CubeComparison,
    DifferenceMap,
    check_names,
)
from napari_deeper.engine.compare_settings import CompareParams
from napari_deeper.processing.bands import channels_in_band
from napari_deeper.spectra import params as settings_of
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.endmembers import Endmembers
from napari_deeper.spectra.errors import CubeError, ParameterError
from napari_deeper.spectra.progress import Progress
from napari_deeper.spectra.regions import Region


def compare(
    candidates: Mapping[str, RamanCube],
    target: RamanCube | None = None,
    params: CompareParams | None = None,
    *,
    endmembers: Endmembers | None = None,
    regions: Sequence[Region] = (),
    progress: Progress | None = None,
    **settings: Any,
) -> CubeComparison:
    """Compare cubes with a target by their place on the sample; without one, say what can be said.

    All candidates are judged on the same pixels: those of the target that every one covers. A candidate
    of other pixels is read at the target's pixel centers, one of other wavenumbers is resampled to the
    target's. Pixels with NaN in any cube are left out.

    Parameters
    ----------
    candidates
        By name.
    target
        What they should be; None: noise, signal-to-noise ratio, bands and regions are told, but no error.
    params
        All settings at once.
    endmembers
        Of the target, in place of those that would be found on it.
    regions
        For mean spectra, scores and tests by region.
    progress
        Gets reports, and may cancel.
    settings
        Single settings by name; they override ``params``.

    Raises
    ------
    CubeError
        If there is no candidate, the cubes share no place, unit or pixel, or a region lies outside the
        target.
    AxisError
        If they share no wavenumber.
    ParameterError
        For a setting that does not fit, as a control that is none of the candidates.
    """
    p = settings_of.make(CompareParams, params, settings)
    progress = progress or Progress()
    progress.update(0.0, "Comparing")
    check_names(list(candidates), target.name if target is not None else None)
    _check_labels(candidates, regions, p.control)
    if target is None:
        return _describe(candidates, regions, progress)
    if p.within == "regions" and not regions:
        raise CubeError(
            "There is nothing to compare in: give regions, or compare in the whole field."
        )
    within = regions if p.within == "regions" else ()
    bilinear = p.interpolation == "bilinear"
    field = common_field(target, candidates, bilinear=bilinear, within=within)
    progress.update(0.05, "Finding the components of the target")
    judge = Judge(field, p, endmembers, regions)
    for i, name in enumerate(candidates):
        step = 0.7 / len(candidates)
        judge.enter(name, progress.part(0.1 + i * step, 0.1 + (i + 1) * step))
    progress.update(0.8, "Reading regions and bands")
    found = judge.close(target)
    progress.update(1.0, "Compared")
    return found


def difference_map(
    candidate: RamanCube,
    target: RamanCube,
    low: float | None = None,
    high: float | None = None,
    *,
    name: str = "",
    interpolation: str = "nearest",
    match_scale: bool = False,
) -> DifferenceMap:
    """Return candidate less target, pixel by pixel, over all channels or those of a band.

    Parameters
    ----------
    candidate, target
        As in `compare`.
    low, high
        The band, cm-1; all common channels where not given.
    name
        Of the candidate, where it is not to be the cube's.
    interpolation, match_scale
        As in `CompareParams`.

    Raises
    ------
    CubeError, AxisError
        As in `compare`; also where the band lies outside the common wavenumbers.
    """
    name = name or candidate.name
    field = common_field(target, {name: candidate}, bilinear=interpolation == "bilinear")
    result = field.sampled(name)
    if match_scale:
        result = matched(name, result, field)
    channels = None
    if low is not None and high is not None:
        channels = channels_in_band(field.target.wavenumber, low, high)
    return make_difference(name, result, field, channels)


def _check_labels(
    candidates: Mapping[str, RamanCube], regions: Sequence[Region], control: str
) -> None:
    if control and control not in candidates:
        known = ", ".join(candidates)
        raise ParameterError(f"The control '{control}' is none of the candidates: {known}.")
    names = [region.name for region in regions]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise CubeError(f"Two regions are called '{twice}'. Give each a name of its own.")


def _describe(
    candidates: Mapping[str, RamanCube], regions: Sequence[Region], progress: Progress
) -> CubeComparison:
    """Tell what can be told of cubes without a target: each on its own pixels and channels."""
    scores = []
    for i, (name, cube) in enumerate(candidates.items()):
        progress.update(0.1 + 0.8 * i / len(candidates), f"Reading {name}")
        spectra = cube.spectra[np.isfinite(cube.spectra).all(axis=1)]
        if not len(spectra):
            raise CubeError(f"Every pixel of '{name}' holds NaN or infinity.")
        noise, snr = roughness(spectra)
        nothing = dict.fromkeys(NEEDS_TARGET, UNKNOWN)
        level = float(spectra.mean(dtype=np.float64))
        scores.append(CandidateScores(name, len(spectra), level, noise=noise, snr=snr, **nothing))
    spectra_of, left_out = spectra_of_regions(candidates, regions)
    notes = [*notes_without_target(candidates), *left_out]
    progress.update(1.0, "Described")
    return CubeComparison(
        "", tuple(scores), spectra=spectra_of, bands=bands_of(candidates), notes=tuple(notes)
    )
