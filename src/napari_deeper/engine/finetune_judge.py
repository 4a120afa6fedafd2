"""Judging tuned weights on test patches, next to what they came from and to the comparators."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.engine.denoise import denoise
from napari_deeper.engine.finetune_material import TestItem
from napari_deeper.engine.super_resolve import super_resolve
from napari_deeper.processing import metrics
from napari_deeper.processing.repeated_measures import paired_anova_tukey
from napari_deeper.processing.statistics import MIN_SAMPLES, Comparison, wilcoxon_paired
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.training.finetune_config import FinetuneParams

Array = NDArray[np.float32]
Run = Callable[[RamanCube], Array]

TUNED, PRETRAINED, SCRATCH = "fine-tuned", "pretrained", "from scratch"
MEASURES = ("psnr", "ssim", "mse")
_N_PLANES = 100


@dataclass(frozen=True)
class PatchScore:
    """How close one method came on one test patch.

    Parameters
    ----------
    patch, tissue, method
        Names.
    psnr
        dB, for the maximum of the target.
    ssim
        Mean over up to 100 channels; NaN where the patch is too small for it.
    mse
        In units of the squared maximum of the target.
    """

    patch: str
    tissue: str
    method: str
    psnr: float
    ssim: float
    mse: float


@dataclass(frozen=True)
class Verdict:
    """The outcome on all test patches.

    Parameters
    ----------
    scores
        Of each patch by each method.
    comparisons
        Of the tuned weights with every other method, patch by patch; empty under three patches.
    images
        Of the first patch, (y, x) in the channel that varies most, by method; and the ``target``.
    """

    scores: tuple[PatchScore, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    images: Mapping[str, Array] | None = None

    @property
    def methods(self) -> tuple[str, ...]:
        """In the order of the table."""
        return tuple(dict.fromkeys(score.method for score in self.scores))

    def values(self, method: str, measure: str) -> NDArray[np.float64]:
        """Return a measure (patch,) of a method."""
        return np.array([getattr(s, measure) for s in self.scores if s.method == method])

    def n_better(self, than: str, measure: str = "psnr") -> int:
        """Return on how many patches the tuned weights have the higher PSNR (or other measure)."""
        return int((self.values(TUNED, measure) > self.values(than, measure)).sum())


def methods_for(
    params: FinetuneParams, weights: Mapping[str, Path | str], phase: int
) -> dict[str, Run]:
    """Return what to compare, by name: the weights given, then the comparators.

    Parameters
    ----------
    weights
        Files by name; an empty path means the shipped ones.
    """
    device = params.device
    if params.what == "denoise":
        method = "auto" if params.of_images else "resunet"
        runs = {name: _denoiser(method, device, str(path)) for name, path in weights.items()}
        # With the shipped weights auto is what is called pretrained.
        others = ["low-rank", "savgol", "wavelet"]
        if method != "auto" or params.start:
            others = ["auto", *others]
        runs |= {how: _denoiser(how, device) for how in others}
        return {**runs, "as measured": lambda cube: cube.intensity}
    common: dict[str, Any] = {"scale": params.scale, "phase": phase, "device": device}
    method = "auto" if params.network == "eigenimages" else params.network
    found = {
        name: _resolver(method=method, model=str(path), **common) for name, path in weights.items()
    }
    # With the shipped weights auto is what is called pretrained.
    names = ("nearest", "bilinear", "bicubic", *(() if method == "auto" else ("auto",)))
    return {**found, **{how: _resolver(method=how, **common) for how in names}}


def _denoiser(method: str, device: str, model: str = "") -> Run:
    def run(cube: RamanCube) -> Array:
        return denoise(cube, method=method, device=device, model=model).intensity

    return run


def _resolver(**settings: Any) -> Run:
    def run(cube: RamanCube) -> Array:
        return super_resolve(cube, **settings).intensity

    return run


def judge(
    test: Sequence[TestItem],
    runs: Mapping[str, Run],
    on_method: Callable[[int, str], None] = lambda n, name: None,
    *,
    matched: bool = False,
) -> Verdict:
    """Run every method on every test patch.

    Parameters
    ----------
    on_method
        Called with a number and the name of a method before it runs.
    matched
        Bring each result next to its target by one factor first: exposures differ.
    """
    scores: list[PatchScore] = []
    images: dict[str, Array] = {}
    for number, (name, run) in enumerate(runs.items()):
        on_method(number, name)
        seen: dict[int, Array] = {}  # several items may be parts of one map
        for item in test:
            if id(item.low) not in seen:
                seen = {id(item.low): run(item.low)}
            result = seen[id(item.low)]
            if item.window:
                result = result[item.window]
            if matched:
                result = result * _factor(result, item.target)
            scores.append(_score(item, name, result))
            if item is test[0]:
                images[name] = result[..., _channel(item.target)]
    if not test:
        return Verdict()
    images["target"] = test[0].target[..., _channel(test[0].target)]
    bare = Verdict(tuple(scores))
    return Verdict(bare.scores, tuple(_compare(bare)), images)


def _score(item: TestItem, method: str, result: Array) -> PatchScore:
    top = float(np.abs(item.target).max()) or 1.0
    error = metrics.mse(result, item.target) / top**2
    step = max(1, item.target.shape[2] // _N_PLANES)
    ssim = float("nan")
    if min(item.target.shape[:2]) >= 3:
        ssim = metrics.ssim(result[..., ::step], item.target[..., ::step], top)
    psnr = metrics.psnr(result, item.target, top)
    return PatchScore(item.name, item.tissue, method, psnr, ssim, error)


def _factor(result: Array, target: Array) -> np.float32:
    power = float(np.square(result, dtype=np.float64).sum())
    return np.float32(float((result.astype(np.float64) * target).sum()) / power if power else 1.0)


def _channel(target: Array) -> int:
    return int(np.argmax(target.std(axis=(0, 1))))


def _compare(verdict: Verdict) -> list[Comparison]:
    found: list[Comparison] = []
    for measure in MEASURES:
        samples = {name: verdict.values(name, measure) for name in verdict.methods}
        usable = all(np.isfinite(values).all() for values in samples.values())
        if not usable or len(next(iter(samples.values()))) < MIN_SAMPLES or len(samples) < 2:
            continue
        found += paired_anova_tukey(samples, measure, among=[TUNED])
        found += wilcoxon_paired(samples, TUNED, measure)
    return found
