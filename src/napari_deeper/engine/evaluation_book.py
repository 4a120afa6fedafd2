"""Keep the scores of an evaluation as they come in, and sum them up."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np

from napari_deeper.engine.evaluation_runs import Result
from napari_deeper.engine.scores import (
    METRICS,
    TRUST,
    Array,
    Evaluation,
    EvaluationRecord,
    MethodSummary,
    Samples,
    pixel_scores,
    whole_map_scores,
    within_sigma,
)
from napari_deeper.processing import statistics
from napari_deeper.processing.classes import ClassMap, balanced_accuracy, class_map, classify
from napari_deeper.processing.noise import sigma_per_pixel
from napari_deeper.processing.repeated_measures import paired_anova_tukey
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import CubeError


@dataclass
class Book:
    """Scores as they come in, and the accounts made of them.

    Parameters
    ----------
    reference, case
        What the results are judged by, and what it is called.
    noiseless
        The reference holds no noise of its own.
    n_endmembers
        For the classes of the reference; under two, pixels are not classified.
    by_light
        Whether a class is what most of a pixel's light comes from, rather than what it is most like.
    """

    reference: RamanCube
    case: str
    noiseless: bool
    n_endmembers: int = 0
    by_light: bool = False
    records: list[EvaluationRecord] = field(default_factory=list)
    pixels: dict[str, list[dict[str, Samples]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        target = self.reference.spectra
        self.own = np.zeros(len(target))
        if not self.noiseless:
            self.own = np.square(sigma_per_pixel(target), dtype=np.float64)
        self.classes: ClassMap | None = None
        if self.n_endmembers > 1:
            # a map with nothing in it to tell apart is judged without classes
            with suppress(CubeError):
                self.classes = class_map(
                    self.reference.intensity, self.n_endmembers, unit_length=self.by_light
                )

    def accuracy_of(self, intensity: Array) -> float:
        """Return the part of the pixels that keep the reference's class; NaN without classes."""
        return float(self._hits(intensity)[0].mean())

    def _hits(self, intensity: Array) -> tuple[Samples, float]:
        if self.classes is None:
            return np.full(len(self.own), np.nan), float("nan")
        spectra = intensity.reshape(-1, intensity.shape[-1])
        found = classify(spectra, self.classes.endmembers.spectra)
        hits = (found == self.classes.classes).astype(np.float64)
        return hits, balanced_accuracy(found, self.classes.classes)

    def enter(self, result: Result, seed: int) -> None:
        """Score a result; `seed` is that of the noise, -1 for none."""
        target = self.reference.intensity
        scores = whole_map_scores(result.intensity, target, float(self.own.mean()))
        label = result.method
        if any(r.method == label and r.role != result.role for r in self.records):
            label = f"{label} ({result.role})"
        hits, balanced = self._hits(result.intensity)
        accuracy, best = float(hits.mean()), result.best_accuracy
        sure, flagged = self._trust(result)
        self.records.append(
            EvaluationRecord(
                self.reference.name, self.case, label, result.role, result.settings, seed,
                result.seconds, accuracy=accuracy, balanced_accuracy=balanced,
                best_accuracy=accuracy if np.isnan(best) else best, within_sigma=sure,
                flagged=flagged, **scores,
            )
        )  # fmt: skip
        pixels = pixel_scores(result.intensity, target) | {"accuracy": hits}
        self.pixels.setdefault(label, []).append(pixels)

    def _trust(self, result: Result) -> tuple[float, float]:
        sure = flagged = float("nan")
        if result.uncertainty is not None:
            target = self.reference.intensity
            sure = within_sigma(result.intensity, result.uncertainty, target, self.own)
        if result.flagged is not None:
            flagged = float(result.flagged.mean())
        return sure, flagged

    def close(self, seed: int, notes: tuple[str, ...]) -> Evaluation:
        """Return all records and what they come to; `seed` is that of the resampling."""
        samples = {
            name: {m: np.mean([one[m] for one in each], axis=0) for m in each[0]}
            for name, each in self.pixels.items()
        }
        rivals = [r.method for r in self.records if r.role == "comparator"]
        best = min(rivals, key=lambda name: float(samples[name]["mse"].mean()), default="")
        summaries = tuple(self._summary(name, samples, best, seed) for name in samples)
        return Evaluation(
            self.reference.name, self.case, tuple(self.records), summaries, best,
            _compare(samples, self._methods(), best, seed), notes, self._class_sizes(),
        )  # fmt: skip

    def _methods(self) -> list[str]:
        return list(dict.fromkeys(r.method for r in self.records if r.role == "method"))

    def _class_sizes(self) -> tuple[int, ...]:
        if self.classes is None:
            return ()
        sizes = np.bincount(self.classes.classes, minlength=self.classes.n_classes)
        return tuple(sorted(sizes.tolist(), reverse=True))

    def _summary(
        self, name: str, samples: dict[str, dict[str, Samples]], best: str, seed: int
    ) -> MethodSummary:
        own = [r for r in self.records if r.method == name]
        averaged = (*METRICS, *TRUST, "best_accuracy", "seconds")
        mean = {m: float(np.mean([getattr(r, m) for r in own])) for m in averaged}
        excess = samples[name]["mse"] - self.own
        interval = statistics.bootstrap_mean(excess, seed)
        ratio, between = float("nan"), (float("nan"), float("nan"))
        if best:
            least = samples[best]["mse"] - self.own
            if least.mean() > 0:
                ratio = float(excess.mean() / least.mean())
                between = statistics.bootstrap_ratio(excess, least, seed)
        settings = "; ".join(dict.fromkeys(r.settings for r in own if r.settings))
        return MethodSummary(
            name, own[0].role, settings, excess_mse_interval=interval, ratio=ratio,
            ratio_interval=between,
            accuracy_interval=statistics.bootstrap_mean(samples[name]["accuracy"], seed), **mean,
        )  # fmt: skip


def _compare(
    samples: dict[str, dict[str, Samples]], methods: list[str], best: str, seed: int
) -> tuple[statistics.Comparison, ...]:
    """Run the paper's tests over pixels: MSE against the input and all others, PSNR and SSIM against the best."""
    found: list[statistics.Comparison] = []
    control = next((name for name in ("input", "bilinear") if name in samples), "")
    if control and len(samples[control]["mse"]) >= statistics.MIN_SAMPLES:
        errors = {name: each["mse"] for name, each in samples.items()}
        found += statistics.anova_dunnett(errors, control, "mse", seed)
        found += paired_anova_tukey(errors, "mse", methods)
        for measure in ("psnr", "ssim"):
            values = {name: each[measure] for name, each in samples.items()}
            found += statistics.wilcoxon_paired(values, best, measure)
    return tuple(found)
