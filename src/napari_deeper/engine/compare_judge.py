"""Score candidates on the field that they have in common with their target."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_deeper.engine.compare_field import Array, CommonField
from napari_deeper.engine.compare_notes import common_notes, place_note
from napari_deeper.engine.compare_scores import (
    UNKNOWN,
    BandStatistics,
    CandidateScores,
    ComponentScores,
    CubeComparison,
    DifferenceMap,
    RegionScores,
    error_maps,
    score_component,
)
from napari_deeper.engine.compare_settings import CompareParams
from napari_deeper.engine.compare_tests import Outcome, compare_over_regions
from napari_deeper.engine.scores import within_sigma
from napari_deeper.processing.abundances import unmix
from napari_deeper.processing.bands import PRESETS, band_mean
from napari_deeper.processing.classes import accuracy, balanced_accuracy, class_map
from napari_deeper.processing.noise import sigma_per_pixel, snr_per_pixel
from napari_deeper.processing.regions import (
    RegionSpectrum,
    notes_of,
    region_mask,
    region_spectrum,
)
from napari_deeper.processing.resample import covered, resample, same_axis
from napari_deeper.spectra.axis import describe
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.endmembers import Endmembers
from napari_deeper.spectra.errors import AxisError, CubeError, DeeperError
from napari_deeper.spectra.progress import Progress
from napari_deeper.spectra.regions import Region

_ENOUGH_PIXELS = 8192
# A class of fewer pixels is decided by single ones.
FEW_PIXELS = 5


class Judge:
    """Scores one candidate after the other, so that only one at a time is held resampled.

    Parameters
    ----------
    field
        What is compared.
    params
        `CompareParams`.
    endmembers
        Of the target; else they are found on it.
    regions
        For scores and spectra by region.

    Raises
    ------
    CubeError
        If a region lies outside the common field.
    """

    def __init__(
        self,
        field: CommonField,
        params: CompareParams,
        endmembers: Endmembers | None,
        regions: Sequence[Region],
    ) -> None:
        self._field, self._p, self._regions = field, params, regions
        self._target, self._counted = field.target.intensity, field.counted
        truth = self._target[self._counted]
        self._span = float(truth.max())
        self._own_each = np.zeros(len(truth))
        if not params.noiseless:
            self._own_each = np.square(sigma_per_pixel(truth), dtype=np.float64)
        self._own = float(self._own_each.mean())
        self._notes = [*field.notes]
        self._endmembers = self._find_endmembers(endmembers)
        self._abundances = self._unmixed(truth)
        self._note_small_classes()
        self._masks = {r.name: region_mask(field.target, r) & self._counted for r in regions}
        self._scores: list[CandidateScores] = []
        self._components: list[ComponentScores] = []
        self._by_region: list[RegionScores] = []
        self._differences: list[DifferenceMap] = []

    def enter(self, name: str, progress: Progress) -> None:
        """Score a candidate, asking between the steps whether to stop."""
        progress.update(0.0, f"Comparing {name}")
        result = self._field.sampled(name)
        level = level_of(result, self._field)
        if self._p.match_scale:
            result = matched(name, result, self._field)
        progress.update(0.2, f"Comparing {name}: errors")
        maps = error_maps(result, self._target, self._counted, self._span)
        figures = maps.over(self._counted)
        spectra = result[self._counted]
        progress.update(0.7, f"Comparing {name}: components")
        hits, balanced = self._enter_components(name, spectra)
        noise, snr = roughness(spectra)
        self._scores.append(
            CandidateScores(
                name, int(self._counted.sum()), level, excess_mse=figures["mse"] - self._own,
                accuracy=hits, balanced_accuracy=balanced, within_sigma=self._within_sigma(name, spectra, level),
                noise=noise, snr=snr, **figures,
            )
        )  # fmt: skip
        self._by_region += [
            RegionScores(name, region, int(mask.sum()), **maps.over(mask))
            for region, mask in self._masks.items()
            if mask.any()
        ]
        self._differences.append(make_difference(name, result, self._field))
        moved = place_note(name, self._field, result)
        self._notes += [moved] if moved else []

    def close(self, target: RamanCube) -> CubeComparison:
        """Return all that was found; the target is given uncropped."""
        cubes = {target.name: target, **self._field.candidates}
        spectra, left_out = spectra_of_regions(cubes, self._regions)
        noise = math.sqrt(self._own)
        params = self._p
        self._notes += left_out
        self._notes += common_notes(
            self._scores, self._field, noise,
            matched=params.match_scale, noiseless=params.noiseless,
        )  # fmt: skip
        outcome = Outcome((), ())
        if self._by_region:
            outcome = compare_over_regions(self._by_region, params.control, params.seed)
        return CubeComparison(
            target.name, tuple(self._scores), tuple(self._components), tuple(self._by_region),
            spectra, bands_of(cubes), tuple(self._differences), outcome.tests,
            tuple(dict.fromkeys([*self._notes, *outcome.notes])), self._field.target.wavenumber,
            self._span, noise, self._endmembers,
        )  # fmt: skip

    def _within_sigma(self, name: str, spectra: Array, level: float) -> float:
        """Return how well the candidate knows its own errors, where it says so on these channels."""
        stated = self._field.sampled_uncertainty(name)
        if stated is None:
            return UNKNOWN
        sigma = stated[self._counted] / (level if self._p.match_scale else 1.0)
        truth = self._target[self._counted]
        return within_sigma(spectra, sigma, truth, self._own_each)

    def _find_endmembers(self, given: Endmembers | None) -> Endmembers | None:
        axis = self._field.target.wavenumber
        by_light = self._p.class_by == "light"
        if given is not None:
            return self._fitted(given, by_light)
        wanted = self._p.n_endmembers
        if wanted < 2:
            return None
        whole = self._target.reshape(-1, axis.size)
        whole = whole[np.isfinite(whole).all(axis=1)]
        try:
            found = class_map(whole, wanted, self._p.seed, unit_length=by_light)
        except DeeperError as error:
            self._notes.append(f"Pixels were not classified: {error}")
            return None
        if found.n_classes < wanted:
            self._notes.append(
                f"{found.n_classes} endmembers, not {wanted}: the target holds no more that differ."
            )
        return Endmembers(
            found.endmembers.spectra, axis, source=f"VCA of '{self._field.target.name}'"
        )

    def _fitted(self, given: Endmembers, by_light: bool) -> Endmembers:
        axis = self._field.target.wavenumber
        spectra = given.spectra
        if not covered(given.wavenumber, axis).all():
            raise AxisError(
                f"The endmembers cover {describe(given.wavenumber)}, and {describe(axis)} are compared. "
                "Find endmembers on this target, or load ones that cover it."
            )
        if not same_axis(given.wavenumber, axis):
            spectra = resample(spectra, given.wavenumber, axis)
            self._notes.append(f"The endmembers were resampled to {describe(axis)}.")
        if by_light:
            spectra = spectra / np.linalg.norm(spectra, axis=1, keepdims=True)
        return given.replace(spectra=spectra, wavenumber=axis)

    def _note_small_classes(self) -> None:
        if self._abundances is None or self._endmembers is None:
            return
        sizes = np.bincount(self._abundances.argmax(axis=1), minlength=len(self._endmembers))
        small = {
            name: size
            for name, size in zip(self._endmembers.names, sizes.tolist(), strict=True)
            if size < FEW_PIXELS
        }
        if small:
            told = ", ".join(f"{name} ({size})" for name, size in small.items())
            self._notes.append(
                f"Few or no pixels have as their largest component: {told}. Single pixels decide there, and "
                "with them the balanced accuracy."
            )

    def _unmixed(self, spectra: Array) -> NDArray[np.float64] | None:
        if self._endmembers is None:
            return None
        return np.asarray(unmix(spectra, self._endmembers.spectra), dtype=np.float64)

    def _enter_components(self, name: str, spectra: Array) -> tuple[float, float]:
        """Score the abundance maps; return accuracy and balanced accuracy."""
        found = self._unmixed(spectra)
        if found is None or self._abundances is None or self._endmembers is None:
            return UNKNOWN, UNKNOWN
        classes, wanted = found.argmax(axis=1), self._abundances.argmax(axis=1)
        for i, component in enumerate(self._endmembers.names):
            own = wanted == i
            self._components.append(
                ComponentScores(
                    name, component, n_class=int(own.sum()),
                    kept=float(np.mean(classes[own] == i)) if own.any() else UNKNOWN,
                    **score_component(found[:, i], self._abundances[:, i], self._counted),
                )
            )  # fmt: skip
        return accuracy(classes, wanted), balanced_accuracy(classes, wanted)


def level_of(result: Array, field: CommonField) -> float:
    """Return the mean intensity of a sampled candidate over that of the target; NaN where that is 0."""
    counted = field.counted
    mean = float(field.target.intensity[counted].mean(dtype=np.float64))
    return float(result[counted].mean(dtype=np.float64)) / mean if mean else UNKNOWN


def matched(name: str, result: Array, field: CommonField) -> Array:
    """Return a sampled candidate with the mean intensity of the target.

    Raises
    ------
    CubeError
        If a mean intensity is not positive.
    """
    level = level_of(result, field)
    if not level > 0 or not field.target.intensity[field.counted].mean() > 0:
        raise CubeError(
            f"The scale of '{name}' cannot be matched: a mean intensity is not positive."
        )
    return result / np.float32(level)


def make_difference(
    name: str, result: Array, field: CommonField, channels: slice | None = None
) -> DifferenceMap:
    """Return candidate less target for a candidate sampled like the target, over these channels or all."""
    taken = channels or slice(None)
    axis = field.target.wavenumber[taken]
    apart = result[..., taken] - field.target.intensity[..., taken]
    mean = apart.mean(axis=2, dtype=np.float64).astype(np.float32)
    rms = np.sqrt(np.einsum("yxc,yxc->yx", apart, apart) / axis.size).astype(np.float32)
    mean[~field.counted] = rms[~field.counted] = np.nan
    return DifferenceMap(
        name, mean, rms, field.target.origin,
        field.target.spacing, field.target.length_unit, describe(axis),
    )  # fmt: skip


def roughness(spectra: Array) -> tuple[float, float]:
    """Return the noise and the signal-to-noise ratio that (pixel, channel) spectra show by themselves.

    Of a large map, evenly spread pixels tell.
    """
    spectra = spectra[:: max(1, len(spectra) // _ENOUGH_PIXELS)]
    noise = float(np.sqrt(np.mean(np.square(sigma_per_pixel(spectra), dtype=np.float64))))
    return noise, float(np.median(snr_per_pixel(spectra)))


def bands_of(cubes: Mapping[str, RamanCube]) -> tuple[BandStatistics, ...]:
    """Return the statistics of the preset bands that lie on each cube's axis."""
    found = []
    for name, cube in cubes.items():
        axis = cube.wavenumber
        for band in PRESETS:
            low, high = band.limits
            if low < axis[0] or high > axis[-1]:
                continue
            image = band_mean(cube.intensity, axis, low, high)
            known = image[np.isfinite(image)].astype(np.float64)
            if known.size:
                spread = float(known.std(ddof=1)) if known.size > 1 else UNKNOWN
                found.append(
                    BandStatistics(name, str(band), float(known.mean()), spread, known.size)
                )
    return tuple(found)


def spectra_of_regions(
    cubes: Mapping[str, RamanCube], regions: Sequence[Region]
) -> tuple[tuple[RegionSpectrum, ...], list[str]]:
    """Return the spectra of each region in each cube that it reaches, and what to know of them.

    Raises
    ------
    CubeError
        If a region reaches none of the cubes.
    """
    found: list[RegionSpectrum] = []
    notes: list[str] = []
    for region in regions:
        problems = []
        for name, cube in cubes.items():
            try:
                spectrum = region_spectrum(_renamed(cube, name), region)
            except CubeError as error:
                problems.append(error)
                continue
            found.append(spectrum)
        if len(problems) == len(cubes):
            raise problems[0]
        notes += [f"{problem} It is left out there." for problem in problems]
    return tuple(found), [*notes_of(found), *notes]


def _renamed(cube: RamanCube, name: str) -> RamanCube:
    if cube.name == name:
        return cube
    return dataclasses.replace(cube, metadata={**cube.metadata, "name": name})
