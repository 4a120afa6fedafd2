"""Draw spectra one above the other, and bars of measures."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from napari_deeper.engine.figure_layout import SMALL, Box, fit
from napari_deeper.engine.figure_page import INK, Page
from napari_deeper.engine.figure_parts import BarsPanel, FigureCurve, FigureStyle, SpectraPanel
from napari_deeper.engine.figure_ticks import (
    format_evenly,
    format_number,
    format_power,
    scale_bar_length,
    ticks_of,
)

LABEL_STEP = 2.7  # mm between names of curves
_APART = 0.06  # between curves, of the tallest


def draw_spectra(
    page: Page, panel: SpectraPanel, box: Box, style: FigureStyle, numbered: bool
) -> None:
    """Draw curves with names at their right ends, in their colors, and a bar for the intensity."""
    curves = panel.curves
    names = [_name(c, numbered) for c in curves]
    room = min(max(page.measure(n, SMALL) for n in names) + 0.5, 0.42 * box.w)
    box = Box(box.x, box.y, box.w - room - 1.2, box.h)
    axes = page.axes(box, "spectra")
    offsets = stack([c.intensity for c in curves], [c.wavenumber for c in curves])
    low = min(float(c.wavenumber[0]) for c in curves)
    high = max(float(c.wavenumber[-1]) for c in curves)
    for band in panel.bands:
        axes.axvspan(*band, color="#e3e3e3", lw=0, zorder=0)
    for curve, offset in zip(curves, offsets, strict=True):
        values = curve.intensity + offset
        if style.uncertainty and curve.uncertainty is not None:
            sigma = curve.uncertainty
            axes.fill_between(
                curve.wavenumber, values - sigma, values + sigma,
                color=curve.color, alpha=0.3, lw=0, zorder=2,
            )  # fmt: skip
        axes.plot(curve.wavenumber, values, color=curve.color, lw=0.6, ls="-", marker="", zorder=3)
    bottom, top = _span(curves, offsets)
    pad = 0.03 * (top - bottom)
    bottom, top = bottom - pad, top + pad
    axes.set_xlim(low, high if high > low else low + 1)
    axes.set_ylim(bottom, top)
    ticks, texts, _ = roomy_ticks(page, low, high, box.w)
    axes.set_xticks(ticks, texts)
    page.text(box.x + box.w / 2, box.bottom + 6.6, "Raman shift (cm⁻¹)", 7, ha="center")
    per_mm = (top - bottom) / box.h
    ends = [_level(c) + offset for c, offset in zip(curves, offsets, strict=True)]
    heights = spread([box.bottom - (end - bottom) / per_mm for end in ends], LABEL_STEP, box)
    for curve, name, y in zip(curves, names, heights, strict=True):
        text = fit(name, SMALL, room, page.measure)
        page.text(box.right + 1.2, y, text, SMALL, va="center_baseline", color=_darker(curve.color))
    _draw_intensity_bar(page, panel, box, per_mm)


def roomy_ticks(
    page: Page, low: float, high: float, width: float, power: int | None = None
) -> tuple[NDArray[np.float64], list[str], str]:
    """Return the ticks of an axis of this width, mm: as many as leave room between their numbers."""
    for most in range(max(1, int(width / 5)), 0, -1):
        ticks, texts, times = ticks_of(low, high, most)
        if power is not None:
            texts = format_evenly(ticks / 10.0**power)
        wide = max(page.measure(text, SMALL) for text in texts) + 2.0
        if len(ticks) < 2 or (ticks[1] - ticks[0]) / (high - low) * width >= wide:
            break
    return ticks, texts, times


def _draw_intensity_bar(page: Page, panel: SpectraPanel, box: Box, per_mm: float) -> None:
    """Offsets leave an intensity axis without a zero: a bar says how much a height is."""
    length = scale_bar_length(0.3 * box.h * per_mm)
    height = length / per_mm
    x, middle = box.x - 1.6, box.y + box.h / 2
    page.line((x, x), (middle - height / 2, middle + height / 2), INK, 1.0)
    text = f"{format_number(length)} {panel.unit}"
    page.text(x - 1.2, middle, text, SMALL, ha="center", va="center", rotation=90)
    label = "Intensity, offset" if len(panel.curves) > 1 else "Intensity"
    page.text(x - 4.6, middle, label, 7, ha="center", va="center", rotation=90)


def stack(
    intensities: list[NDArray[np.float32]], wavenumbers: list[NDArray[np.float64]]
) -> list[float]:
    """Return offsets that put each curve below the one before it, as close as they go without touching.

    Single channels that stick out (three in a thousand) may touch.
    """
    spans = [_robust_span(i) for i in intensities]
    gap = _APART * max((high - low for low, high in spans), default=1.0)
    offsets = [0.0]
    for i, j in pairwise(range(len(intensities))):
        above = np.interp(wavenumbers[j], wavenumbers[i], intensities[i])
        difference = above - intensities[j]
        finite = difference[np.isfinite(difference)]
        least = float(np.percentile(finite, 0.3)) if finite.size else 0.0
        offsets.append(offsets[-1] + least - gap)
    return offsets


def spread(places: list[float], step: float, box: Box) -> list[float]:
    """Return heights near those wanted (mm, from the top) and at least a step apart, within a box if they can."""
    found = list(places)
    order = sorted(range(len(found)), key=lambda i: found[i])
    previous = box.y - step
    for i in order:
        found[i] = previous = max(found[i], previous + step)
    following = max(box.bottom, box.y + step * (len(found) - 1)) + step
    for i in reversed(order):
        found[i] = following = min(found[i], following - step)
    return found


def _name(curve: FigureCurve, numbered: bool) -> str:
    return f"{curve.mark}: {curve.name}" if numbered and curve.mark else curve.name


def _robust_span(values: NDArray[np.float32]) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 0.0
    low, high = np.percentile(finite, (0.5, 99.5))
    return float(low), float(high)


def _span(curves: tuple[FigureCurve, ...], offsets: list[float]) -> tuple[float, float]:
    ends = []
    for curve, offset in zip(curves, offsets, strict=True):
        finite = curve.intensity[np.isfinite(curve.intensity)]
        if finite.size:
            ends += [float(finite.min()) + offset, float(finite.max()) + offset]
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _level(curve: FigureCurve) -> float:
    """Return where a curve ends at the right: the median of its last channels."""
    last = curve.intensity[-max(1, curve.intensity.size // 20) :]
    finite = last[np.isfinite(last)]
    return float(np.median(finite)) if finite.size else 0.0


def _darker(color: str) -> str:
    """Return a color dark enough for small text on white."""
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    light = (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255
    factor = min(1.0, 0.45 / light) if light > 0 else 1.0
    return "#" + "".join(f"{round(c * factor):02x}" for c in (red, green, blue))


def draw_bars(page: Page, panel: BarsPanel, box: Box, *, with_names: bool) -> None:
    """Draw bars from zero with their intervals, and the figures at their right."""
    values = [bar.value for bar in panel.bars]
    finite = [v for v in values if math.isfinite(v)]
    bounds = [b for bar in panel.bars for b in bar.interval if math.isfinite(b)]
    most = max([0.0, *finite, *bounds])
    least = min([0.0, *finite, *bounds])
    texts, power = _figures(values)
    room = max((page.measure(text, SMALL) for text in texts), default=0.0) + 1.4
    inner = Box(box.x, box.y, max(box.w - room, 0.4 * box.w), box.h)
    axes = page.axes(inner, panel.measure)
    axes.set_ylim(len(values) - 0.5, -0.5)
    span = (most - least) or 1.0
    axes.set_xlim(least, least + 1.03 * span)
    ticks, labels, _ = ticks_of(
        least, most if most > least else least + 1, max(2, int(inner.w / 9))
    )
    scale = 10.0**power
    axes.set_xticks(ticks, [format_number(t / scale) for t in ticks] if power else labels)
    axes.plot((0, 0), (len(values) - 0.5, -0.5), color=INK, lw=0.5)
    for i, bar in enumerate(panel.bars):
        y = box.y + box.h * (i + 0.5) / len(values)
        if math.isfinite(bar.value):
            axes.barh(i, bar.value, height=0.66, color=bar.color, lw=0)
        if all(math.isfinite(b) for b in bar.interval):
            axes.plot(bar.interval, (i, i), color=INK, lw=0.7, marker="|", ms=3, mew=0.7)
        page.text(box.right, y, texts[i], SMALL, ha="right", va="center_baseline")
        if with_names:
            name = fit(bar.name, SMALL, box.x - 2.0, page.measure)
            page.text(box.x - 1.0, y, name, SMALL, ha="right", va="center_baseline")
    arrow = {"lower": " ↓", "higher": " ↑"}.get(panel.better, "")
    inside = " ".join(part for part in (format_power(power), panel.unit) if part)
    label = f"{panel.measure}{arrow}" + (f" ({inside})" if inside else "")
    page.text(inner.x + inner.w / 2, box.bottom + 6.4, label, SMALL, ha="center")


def _figures(values: list[float]) -> tuple[list[str], int]:
    """Return the texts of figures, of one power of 1000, and that power."""
    finite = [abs(v) for v in values if math.isfinite(v) and v]
    power = 3 * math.floor(math.log10(max(finite)) / 3 + 1e-9) if finite else 0
    if not finite or -2 <= math.log10(max(finite)) < 4:
        power = 0
    return [_three_digits(v / 10.0**power) for v in values], power


def _three_digits(value: float) -> str:
    if not math.isfinite(value):
        return "∞" if value > 0 else "-"
    text = f"{value:.0f}" if abs(value) >= 100 or value == 0 else f"{value:#.3g}"
    return text.replace("-", "−")
