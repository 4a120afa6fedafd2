"""The paper's tests over regions or over cubes: never over pixels, which are not independent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from napari_deeper.engine.compare_scores import CubeComparison, RegionScores, region_samples
from napari_deeper.processing import statistics
from napari_deeper.processing.repeated_measures import paired_anova_tukey
from napari_deeper.spectra.errors import ParameterError

# Under six pairs Wilcoxon's test cannot reach p < 0.05 whatever the data (2 / 2^5 = 0.0625).
MIN_FOR_WILCOXON = 6
MEASURES = ("mse", "psnr", "ssim")


@dataclass(frozen=True)
class Outcome:
    """Tests, and what to know of them.

    Parameters
    ----------
    tests
        Empty where there were too few samples.
    notes
        How many samples of what there are, and what was refused.
    """

    tests: tuple[statistics.Comparison, ...]
    notes: tuple[str, ...]


def compare_over_regions(
    scores: Sequence[RegionScores], control: str = "", seed: int = 0
) -> Outcome:
    """Test candidates against each other, with regions as the samples.

    Parameters
    ----------
    scores
        One for each candidate and region.
    control
        What others are compared with; the first candidate where not given.
    seed
        Of the integral behind Dunnett's p-values.

    Raises
    ------
    ParameterError
        If the control is none of the candidates.
    """
    samples = {m: region_samples(tuple(scores), m) for m in MEASURES}
    found = _run(samples, control, "regions", seed)
    if not found.tests:
        return found
    return Outcome(
        found.tests,
        (
            *found.notes,
            "Regions of one cube share its sample, its focus and its day: p-values speak of this cube, not of "
            "others like it.",
        ),
    )


def compare_over_cubes(
    comparisons: Sequence[CubeComparison], control: str = "", seed: int = 0
) -> Outcome:
    """Test candidates against each other, with cubes (one comparison each) as the samples.

    Parameters
    ----------
    comparisons
        Of several fields, each with a target and candidates of the same names.
    control, seed
        As in `compare_over_regions`.

    Raises
    ------
    ParameterError
        If the comparisons do not have the same candidates, or one has no target.
    """
    if not comparisons:
        raise ParameterError("There is no comparison to test over.")
    names = [s.candidate for s in comparisons[0].scores]
    for each in comparisons:
        if not each.target:
            raise ParameterError("A comparison without a target has no error to test.")
        if sorted(s.candidate for s in each.scores) != sorted(names):
            raise ParameterError(
                f"The comparison with '{each.target}' has the candidates "
                f"{', '.join(s.candidate for s in each.scores)}, and the first one {', '.join(names)}: give "
                "the same names in all."
            )
    samples = {
        m: {name: np.array([getattr(c.row(name), m) for c in comparisons]) for name in names}
        for m in MEASURES
    }
    return _run(samples, control, "cubes", seed)


def _run(
    samples: Mapping[str, Mapping[str, statistics.Samples]], control: str, unit: str, seed: int
) -> Outcome:
    errors = samples["mse"]
    names = list(errors)
    control = control or names[0]
    if control not in names:
        raise ParameterError(
            f"The control '{control}' is none of the candidates: {', '.join(names)}."
        )
    n = len(errors[control])
    if len(names) < 2:
        return Outcome((), ("Tests need two candidates; there is one.",))
    if n < statistics.MIN_SAMPLES:
        return Outcome(
            (),
            (
                f"No tests: there are {n} {unit}, and a test needs {statistics.MIN_SAMPLES} (more is better: "
                "six for every test).",
            ),
        )
    found = statistics.anova_dunnett(errors, control, "mse", seed)
    found += paired_anova_tukey(errors, "mse")
    notes = [f"Tests over n = {n} {unit}, with '{control}' as the control."]
    if n < MIN_FOR_WILCOXON:
        notes.append(
            f"Wilcoxon's test of PSNR and SSIM needs {MIN_FOR_WILCOXON} {unit}: with {n} it cannot be "
            "significant."
        )
        return Outcome(tuple(found), tuple(notes))
    for measure in ("psnr", "ssim"):
        known = {name: v for name, v in samples[measure].items() if np.isfinite(v).all()}
        if control in known and len(known) > 1:
            found += statistics.wilcoxon_paired(known, control, measure)
        if len(known) < len(names):
            left = ", ".join(name for name in names if name not in known)
            notes.append(
                f"No test of {measure.upper()} for {left}: it is not finite in every sample."
            )
    return Outcome(tuple(found), tuple(notes))
