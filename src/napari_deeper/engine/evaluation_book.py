"""Keep the scores of an evaluation as they come in, and sum them up."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from napari_deeper.engine.evaluation_runs import Result
from napari_deeper.engine.scores import (
    METRICS,
    Evaluation,
    EvaluationRecord,
    MethodSummary,
    Samples,
    pixel_scores,
    whole_map_scores,
)
from napari_deeper.processing import statistics
from napari_deeper.processing.noise import sigma_per_pixel
from napari_deeper.spectra.cube import RamanCube


@dataclass
class Book:
    """Scores as they come in, and the accounts made of them."""

    reference: RamanCube
    case: str
    noiseless: bool
    records: list[EvaluationRecord] = field(default_factory=list)
    pixels: dict[str, list[dict[str, Samples]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        target = self.reference.spectra
        self.own = np.zeros(len(target))
        if not self.noiseless:
            self.own = np.square(sigma_per_pixel(target), dtype=np.float64)

    def enter(self, result: Result, seed: int) -> None:
        """Score a result; `seed` is that of the noise, -1 for none."""
        target = self.reference.intensity
        scores = whole_map_scores(result.intensity, target, float(self.own.mean()))
        label = result.method
        if any(r.method == label and r.role != result.role for r in self.records):
            label = f"{label} ({result.role})"
        self.records.append(
            EvaluationRecord(
                self.reference.name, self.case, label, result.role, result.settings, seed,
                result.seconds, **scores,
            )
        )  # fmt: skip
        self.pixels.setdefault(label, []).append(pixel_scores(result.intensity, target))

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
            _compare(samples, best, seed), notes,
        )  # fmt: skip

    def _summary(
        self, name: str, samples: dict[str, dict[str, Samples]], best: str, seed: int
    ) -> MethodSummary:
        own = [r for r in self.records if r.method == name]
        mean = {m: float(np.mean([getattr(r, m) for r in own])) for m in (*METRICS, "seconds")}
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
            ratio_interval=between, **mean,
        )  # fmt: skip


def _compare(
    samples: dict[str, dict[str, Samples]], best: str, seed: int
) -> tuple[statistics.Comparison, ...]:
    """Run the paper's tests over pixels: MSE against the input, PSNR and SSIM against the best."""
    found: list[statistics.Comparison] = []
    control = next((name for name in ("input", "bilinear") if name in samples), "")
    if control and len(samples[control]["mse"]) >= statistics.MIN_SAMPLES:
        errors = {name: each["mse"] for name, each in samples.items()}
        found += statistics.anova_dunnett(errors, control, "mse", seed)
        for measure in ("psnr", "ssim"):
            values = {name: each[measure] for name, each in samples.items()}
            found += statistics.wilcoxon_paired(values, best, measure)
    return tuple(found)
