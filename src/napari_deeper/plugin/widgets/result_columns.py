"""The columns of tables of results: their headings, and which figure is the best."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

INTERVAL = "_interval"
LAST = ("seconds", "role", "settings")
# Label and tooltip of what is known; a field that is not here is shown under its own name.
KNOWN = {
    "method": ("Method", "What was judged"),
    "role": ("Role", "input, method, or comparator: tuned on the reference itself"),
    "settings": ("Settings", "What a comparator was tuned to, or what auto chose"),
    "excess_mse": ("Excess MSE", "Mean squared error less the target's own noise; lower is better"),
    "ratio": ("Ratio", "Excess MSE over that of the best comparator: below 1 is a win"),
    "mse": ("MSE", "Mean squared error; lower is better"),
    "psnr": ("PSNR (dB)", "Peak signal-to-noise ratio, for the target's maximum; higher is better"),
    "ssim": ("SSIM", "Structural similarity, up to 1; higher is better"),
    "spectral_angle": ("SAD (rad)", "Spectral angle distance, mean over pixels; lower is better"),
    "accuracy": ("Acc.", "Accuracy: part of the pixels that keep the class they have in the target"),
    "balanced_accuracy": ("Bal. acc.", "Balanced accuracy: each class of the target counts alike"),
    "best_accuracy": ("Best acc.", "Accuracy at the comparator's setting that classifies best"),
    "beaten": ("Beaten on", "Test patches on which the tuned weights have the higher PSNR"),
    "patch": ("Patch", "Number, cube and place of the test patch"),
    "tissue": ("Tissue", "As labelled in Annotate"),
    "seconds": ("Time (s)", "Taken by the method; by a comparator for all settings tried"),
    "within_sigma": ("In 1 sigma", "Part of the errors within the stated uncertainty; 0.68 is right"),
    "flagged": ("Flagged", "Part of the pixels that the result's own check flags"),
    "candidate": ("Layer", "What was compared"),
    "component": ("Component", "Endmember of the target whose abundance map is compared"),
    "n_pixels": ("Pixels", "Pixels compared"),
    "n_class": ("Pixels", "Pixels of the target in which this component is the largest"),
    "level": ("Level", "Mean intensity over the target's, before any match of scale; without a target as it is"),
    "noise": ("Noise", "Standard deviation estimated from the layer's own spectra: rough, not wrong"),
    "snr": ("SNR", "Median over pixels of the highest band over the noise: smooth, not right"),
    "correlation": ("Corr.", "Correlation of the abundances over the pixels; higher is better"),
    "kept": ("Kept", "Part of the component's pixels in the target that stay in its class"),
    "test": ("Test", "The test"),
    "measure": ("Of", "The measure that was tested"),
    "control": ("Against", "What it was compared with"),
    "difference": ("Diff.", "Layer less control: of the means, for Wilcoxon the median of the pairs"),
    "low": ("From", "95 % interval of the difference"),
    "high": ("To", "95 % interval of the difference"),
    "statistic": ("Stat.", "The statistic of the test"),
    "p_value": ("p", "Two-sided"),
    "n_samples": ("n", "Regions (or cubes) in each group"),
    "region": ("Region", "Region of interest"),
}  # fmt: skip
LOWER_IS_BETTER = ("excess_mse", "ratio", "mse", "spectral_angle")
HIGHER_IS_BETTER = ("psnr", "ssim", "correlation", "kept")


def columns(summaries: Sequence[Any]) -> list[str]:
    """Return the fields to show, in their order, texts last; a figure that no method has is left out."""
    fields = [f.name for f in dataclasses.fields(summaries[0]) if not f.name.endswith(INTERVAL)]
    stated = [name for name in fields if not all(_unknown(getattr(s, name)) for s in summaries)]
    first = [name for name in stated if name not in LAST]
    return first + [name for name in LAST if name in stated]


def best_of(name: str, summaries: Sequence[Any]) -> float | None:
    """Return the best figure of a field, or None where none is better than another."""
    figures = [getattr(s, name) for s in summaries]
    known = [f for f in figures if isinstance(f, float) and not math.isnan(f)]
    if len(known) < 2:
        return None
    if name in LOWER_IS_BETTER:
        return min(known)
    return max(known) if name in HIGHER_IS_BETTER or name.endswith("accuracy") else None


def _unknown(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)
