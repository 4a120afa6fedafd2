"""What the reader of a comparison should know, in sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from napari_deeper.engine.compare_field import Array, CommonField, listed
from napari_deeper.engine.compare_scores import CandidateScores
from napari_deeper.engine.evaluation_pairs import OTHER_SCALE, shift_note
from napari_deeper.spectra.cube import RamanCube

_MADE_BY_US = ("denoise", "super-resolve", "skip-sample")


def place_note(name: str, field: CommonField, result: Array) -> str:
    """Return a warning where a candidate, sampled like the target as `result`, fits it better when moved."""
    images = [
        np.where(field.counted, values.mean(axis=2), 0)
        for values in (result, field.target.intensity)
    ]
    return shift_note(images[0], images[1], f"'{name}'", "the target")


def was_made_from(cube: RamanCube, target: RamanCube) -> bool:
    """Tell whether a cube's history goes on from the target's, by processing alone."""
    old, new = target.provenance, cube.provenance
    n = len(old)
    if (
        not n
        or len(new) <= n
        or any(a.to_json() != b.to_json() for a, b in zip(old, new[:n], strict=True))
    ):
        return False
    return all(step.verb in _MADE_BY_US for step in new[n:])


def common_notes(
    scores: Sequence[CandidateScores],
    field: CommonField,
    noise: float,
    *,
    matched: bool,
    noiseless: bool,
) -> list[str]:
    """Return what is to be known of all candidates together."""
    target = field.target
    notes = [*_level_notes(scores, matched)]
    same = [s.candidate for s in scores if s.mse == 0]
    if same:
        notes.append(
            f"Equal to the target in every pixel compared: {listed(same)}. The MSE is 0 and the PSNR "
            "infinite. Is it the target itself?"
        )
    made = [name for name, cube in field.candidates.items() if was_made_from(cube, target)]
    if made and not noiseless:
        notes.append(
            f"Made from the target itself: {listed(made)}. What is kept of the target's own noise does not "
            "count as an error, so the figures flatter and say how much was changed, not how right it is; do "
            "not rank them against candidates measured on their own."
        )
    if noiseless:
        notes.append("The target is taken to hold no noise: nothing is deducted from the MSE.")
    else:
        notes.append(
            f"The target's own noise is estimated at {noise:.4g} (second differences), so no candidate of "
            f"independent noise can be expected below an MSE of {noise**2:.4g}; the excess MSE deducts it. "
            "What the target gets wrong in other ways (baseline, focus, drift) counts against candidates."
        )
    done = [step.verb for step in target.provenance if step.verb in ("denoise", "super-resolve")]
    if done:
        notes.append(
            f"The target is itself a result ({', '.join(done)}): the figures tell how like it the "
            "candidates are, not how right."
        )
    if len(scores) == 1:
        notes.append(
            "One candidate: there is nothing to rank it against. Add a comparator, such as low-rank or "
            "bilinear."
        )
    return notes


def notes_without_target(candidates: Mapping[str, RamanCube]) -> list[str]:
    """Return what cannot be said without a target."""
    notes = [
        "There is no target, so no error can be stated: noise and signal-to-noise ratio tell how rough the "
        "spectra are, not how right. A denoised cube is smooth by its making, and one that is wrong can be "
        "smooth too.",
    ]
    units = {cube.length_unit for cube in candidates.values()}
    if len(units) > 1:
        notes.append("Some cubes have a pixel size in um and others none.")
    for name, cube in candidates.items():
        n_missing = int((~np.isfinite(cube.intensity).all(axis=2)).sum())
        if n_missing:
            n_all = cube.shape[0] * cube.shape[1]
            notes.append(
                f"{n_missing} of {n_all} pixels of '{name}' are left out, for NaN or infinity."
            )
    return notes


def _level_notes(scores: Sequence[CandidateScores], matched: bool) -> list[str]:
    if matched:
        factors = ", ".join(f"'{s.candidate}' by {1 / s.level:.4g}" for s in scores)
        return [f"Scale matched: multiplied {factors}, to the target's mean intensity."]
    other = [
        s for s in scores if math.isnan(s.level) or not 1 / OTHER_SCALE < s.level < OTHER_SCALE
    ]
    return [
        f"The mean intensity of '{s.candidate}' is {s.level:.3g} times the target's: most of its error is "
        "that factor. If dwell times differ, or one is in counts and the other normalized, match the scale "
        "(match_scale, --match-scale)."
        for s in other
    ]
