"""What an evaluation finds: one frozen record for each method, map, case and seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_deeper.processing import metrics
from napari_deeper.processing.statistics import Comparison

Array = NDArray[np.float32]
Samples = NDArray[np.float64]

METRICS = (
    "excess_mse",
    "mse",
    "psnr",
    "ssim",
    "spectral_angle",
    "accuracy",
    "balanced_accuracy",
)
# Of results that say how sure they are.
TRUST = ("within_sigma", "flagged")
PUBLISHED = ("psnr_as_published", "ssim_as_published")

_MIN_SIDE_FOR_SSIM = 3
_CHUNK = 4096
# A pixel that is met exactly would have an infinite ratio, which has no mean.
_MOST_DECIBELS = 100.0


@dataclass(frozen=True)
class EvaluationRecord:
    """How far one result is from the target.

    Parameters
    ----------
    map, case
        Name of the reference; what was done to it, for example ``"white 0.2"``.
    method
        Name; ``role`` is ``"input"``, ``"method"`` or ``"comparator"``.
    settings
        What a comparator was tuned to, or what ``auto`` chose.
    seed
        Of the noise; -1 where none was added.
    seconds
        Taken by the method; for a comparator by its whole grid, shared among its interpolations.
    excess_mse, mse, psnr, ssim, spectral_angle
        As in `processing.metrics`; the data range is the target's maximum. The angle is the mean
        over pixels, in radians. ``ssim`` is NaN for maps under three pixels along a side.
    accuracy, balanced_accuracy
        Part of the pixels that keep the class that they have in the target; each class counted
        alike. NaN where the target was not classified.
    best_accuracy
        The same for the setting of a comparator that classifies best, which need not be the one that
        comes closest; for other results their own accuracy.
    within_sigma
        Part of the errors within one standard deviation: that which the result states for itself, and
        the reference's own noise. 0.68 if it states it well; NaN if it states none.
    flagged
        Part of the pixels flagged by the result's own check; NaN if it made none.
    psnr_as_published, ssim_as_published
        By the definitions of the published code, which compare with nothing else.
    """

    map: str
    case: str
    method: str
    role: str
    settings: str
    seed: int
    seconds: float
    excess_mse: float
    mse: float
    psnr: float
    ssim: float
    spectral_angle: float
    accuracy: float
    balanced_accuracy: float
    best_accuracy: float
    within_sigma: float
    flagged: float
    psnr_as_published: float
    ssim_as_published: float


@dataclass(frozen=True)
class MethodSummary:
    """One method over all seeds, with 95 % bootstrap intervals over the pixels.

    Parameters
    ----------
    ratio
        Excess MSE over that of the best comparator: below 1 is a win. NaN where that is not
        positive, which happens where the reference's own noise dwarfs what is left.
    accuracy_interval
        Of the mean over pixels.
    """

    method: str
    role: str
    settings: str
    excess_mse: float
    excess_mse_interval: tuple[float, float]
    ratio: float
    ratio_interval: tuple[float, float]
    mse: float
    psnr: float
    ssim: float
    spectral_angle: float
    accuracy: float
    accuracy_interval: tuple[float, float]
    balanced_accuracy: float
    best_accuracy: float
    within_sigma: float
    flagged: float
    seconds: float


@dataclass(frozen=True)
class Evaluation:
    """All records of one map and case, and what they come to.

    Parameters
    ----------
    records
        One for each method and seed.
    summaries
        One for each method: input first, then methods, then comparators.
    best_comparator
        Name of the comparator with the least excess MSE over all seeds; empty where none ran.
    comparisons
        Outcomes of the tests.
    notes
        What the reader should know.
    class_sizes
        Pixels of each class of the target, the largest first; empty where it was not classified.
    """

    map: str
    case: str
    records: tuple[EvaluationRecord, ...]
    summaries: tuple[MethodSummary, ...]
    best_comparator: str
    comparisons: tuple[Comparison, ...]
    notes: tuple[str, ...]
    class_sizes: tuple[int, ...] = ()

    def summary(self, method: str) -> MethodSummary:
        """Return the summary of one method by its name."""
        for found in self.summaries:
            if found.method == method:
                return found
        known = ", ".join(s.method for s in self.summaries)
        raise KeyError(f"'{method}' was not evaluated; there are: {known}.")


def whole_map_scores(result: Array, target: Array, own_variance: float) -> dict[str, float]:
    """Return the metrics of a record for (y, x, channel) arrays."""
    error = metrics.mse(result, target)
    span = float(target.max())
    n_y, n_x, n_channels = target.shape
    planes = min(n_y, n_x) >= _MIN_SIDE_FOR_SSIM
    whole = planes and n_channels >= _MIN_SIDE_FOR_SSIM
    # the published range may be zero or negative, and its quotient undefined
    with np.errstate(divide="ignore", invalid="ignore"):
        published = metrics.ssim_as_published(result, target) if whole else float("nan")
        published_psnr = metrics.psnr_as_published(result, target) if error > 0 else float("inf")
    return {
        "excess_mse": error - own_variance,
        "mse": error,
        "psnr": metrics.psnr(result, target, span),
        "ssim": metrics.ssim(result, target, span) if planes else float("nan"),
        "spectral_angle": float(metrics.spectral_angle(result, target).mean()),
        "psnr_as_published": published_psnr,
        "ssim_as_published": published,
    }


def pixel_scores(result: Array, target: Array) -> dict[str, Samples]:
    """Return (pixel,) samples of MSE, PSNR and SSIM, each from one pixel's spectrum.

    PSNR is capped at 100 dB; SSIM takes windows along the channels.
    """
    a, b = result.reshape(-1, target.shape[-1]), target.reshape(-1, target.shape[-1])
    span = float(target.max())
    error = np.mean(np.square(a.astype(np.float64) - b), axis=1)
    floor = span**2 * 10 ** (-_MOST_DECIBELS / 10)
    similar = [
        metrics.spectrum_ssim(a[i : i + _CHUNK], b[i : i + _CHUNK], span)
        for i in range(0, len(a), _CHUNK)
    ]
    ratio = 10 * np.log10(span**2 / np.maximum(error, floor))
    return {"mse": error, "psnr": ratio, "ssim": np.concatenate(similar)}


def within_sigma(result: Array, uncertainty: Array, target: Array, own_variance: Samples) -> float:
    """Return the part of the errors within one standard deviation; 0.68 if that is well stated.

    Parameters
    ----------
    result, uncertainty, target
        (y, x, channel).
    own_variance
        (pixel,), the noise variance of the target itself.
    """
    n_channels = target.shape[-1]
    error = np.abs(result.astype(np.float64) - target).reshape(-1, n_channels)
    stated = uncertainty.astype(np.float64).reshape(-1, n_channels)
    return float(np.mean(error <= np.sqrt(stated**2 + own_variance[:, None])))
