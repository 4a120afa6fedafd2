"""Bars of measures from what `compare` and `evaluate` found."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from napari_deeper.engine.compare_scores import CubeComparison
from napari_deeper.engine.figure_parts import CUBE_COLORS, Bar, BarsPanel
from napari_deeper.engine.scores import Evaluation

_ROLES = {"input": "#999999", "method": "#0072B2", "comparator": "#E69F00"}


@dataclass(frozen=True)
class _Measure:
    field: str
    label: str
    unit: str
    better: str
    factor: float = 1.0


def _measures(unit: str, error: str, error_label: str) -> tuple[_Measure, ...]:
    squared = f"{unit}²" if unit else ""
    return (
        _Measure(error, error_label, squared, "lower"),
        _Measure("psnr", "PSNR", "dB", "higher"),
        _Measure("ssim", "SSIM", "", "higher"),
        _Measure("spectral_angle", "Spectral angle", "rad", "lower"),
        _Measure("accuracy", "Class accuracy", "%", "higher", 100.0),
    )


def bars_of_comparison(found: CubeComparison, unit: str = "") -> tuple[BarsPanel, ...]:
    """Return a panel for each measure that the candidates have; ``unit`` is that of the intensity."""
    names = [s.candidate for s in found.scores]
    colors = {name: CUBE_COLORS[i % len(CUBE_COLORS)] for i, name in enumerate(names)}
    return _panels(
        _measures(unit, "mse", "MSE"), found.scores, "candidate", lambda s: colors[s.candidate]
    )


def bars_of_evaluation(found: Evaluation, unit: str = "") -> tuple[BarsPanel, ...]:
    """Return a panel for each measure of an evaluation, in the colors of the roles."""
    return _panels(
        _measures(unit, "excess_mse", "Excess MSE"),
        found.summaries,
        "method",
        lambda s: _ROLES.get(s.role, CUBE_COLORS[-1]),
    )


def _panels(
    measures: Sequence[_Measure], rows: Sequence[Any], name: str, color: Callable[[Any], str]
) -> tuple[BarsPanel, ...]:
    panels = []
    for m in measures:
        bars = [
            Bar(getattr(row, name), getattr(row, m.field) * m.factor, _interval(row, m), color(row))
            for row in rows
        ]
        if any(math.isfinite(bar.value) for bar in bars):
            panels.append(BarsPanel(m.label, tuple(bars), m.unit, m.better))
    return tuple(panels)


def _interval(row: Any, m: _Measure) -> tuple[float, float]:
    low, high = getattr(row, f"{m.field}_interval", (math.nan, math.nan))
    return low * m.factor, high * m.factor
