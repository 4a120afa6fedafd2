"""Draw a figure with matplotlib's objects: no pyplot and no global settings, so that any thread may."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_deeper.engine.figure_curves import draw_bars, draw_spectra
from napari_deeper.engine.figure_layout import (
    SMALL,
    Box,
    Layout,
    Text,
    fit,
    has_room,
    lay_out,
)
from napari_deeper.engine.figure_marks import draw_marks
from napari_deeper.engine.figure_page import DPI, Page
from napari_deeper.engine.figure_parts import Figure, FigureStyle, MapPanel
from napari_deeper.engine.figure_ticks import scale_bar_length, ticks_of
from napari_deeper.spectra.naming import without_common_start

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

BAR_SHARE = 0.3  # of the field's width, the longest that a scale bar may be


def draw_figure(figure: Figure, style: FigureStyle | None = None, *, dpi: float = DPI) -> Drawing:
    """Return a figure drawn by matplotlib, with an Agg canvas, of the width that the style says.

    Parameters
    ----------
    figure
        What to draw.
    style
        How.
    dpi
        Of images and pixels.
    """
    style = style or FigureStyle()
    figure = _shorten_names(figure)
    layout = lay_out(figure, style, _measure, notes_for(figure, style))
    page = Page(layout.width, layout.height, dpi)
    corners = [
        _draw_map(page, panel, box, style, f"map_{i + 1}")
        for i, (panel, box) in enumerate(zip(figure.maps, layout.maps, strict=True))
    ]
    if style.arrows:
        draw_marks(page, figure, layout.maps, corners)
    for box, index in layout.color_bars:
        _draw_color_bar(page, figure, figure.maps[index], box)
    if layout.spectra is not None and figure.spectra is not None:
        draw_spectra(page, figure.spectra, layout.spectra, style, bool(figure.marks))
    for i, (bars, box) in enumerate(zip(figure.metrics, layout.metrics, strict=True)):
        draw_bars(page, bars, box, with_names=i == 0 or layout.metrics[i - 1].y != box.y)
    _draw_keys(page, layout)
    for text in layout.texts:
        _write(page, text)
    return page.figure


def _shorten_names(figure: Figure) -> Figure:
    """Leave out a long start that all names share, else what tells them apart is what is cut."""
    curves = figure.spectra.curves if figure.spectra is not None else ()
    bars = [bar for panel in figure.metrics for bar in panel.bars]
    names = {*(m.title for m in figure.maps), *(c.name for c in curves), *(b.name for b in bars)}
    ordered = sorted(names)
    short = dict(zip(ordered, without_common_start(ordered), strict=True))
    spectra = figure.spectra
    if spectra is not None:
        named = tuple(dataclasses.replace(c, name=short[c.name]) for c in curves)
        spectra = dataclasses.replace(spectra, curves=named)
    return dataclasses.replace(
        figure,
        maps=tuple(dataclasses.replace(m, title=short[m.title]) for m in figure.maps),
        spectra=spectra,
        metrics=tuple(
            dataclasses.replace(
                panel,
                bars=tuple(dataclasses.replace(b, name=short[b.name]) for b in panel.bars),
            )
            for panel in figure.metrics
        ),
    )


def notes_for(figure: Figure, style: FigureStyle) -> tuple[str, ...]:
    """Return what the figure says below itself: its own notes, and what the drawing needs."""
    notes = list(figure.notes)
    if style.scale_bars and any(m.unit != "um" for m in figure.maps):
        notes.append("Scale bars in pixels: the pixel size is not known.")
    better = {panel.better for panel in figure.metrics} - {""}
    if better:
        arrows = {"lower": "↓ lower is better", "higher": "↑ higher is better"}
        notes.append(", ".join(arrows[b] for b in ("lower", "higher") if b in better) + ".")
    if any(np.isfinite(bar.interval).all() for panel in figure.metrics for bar in panel.bars):
        notes.append("Error bars: 95 % intervals.")
    curves = figure.spectra.curves if figure.spectra else ()
    if style.uncertainty and any(c.uncertainty is not None for c in curves):
        notes.append("Shaded: one standard deviation.")
    return tuple(dict.fromkeys(notes))


def _measure(text: str, size: float) -> float:
    return Page.measure(text, size)


def _write(page: Page, text: Text) -> None:
    page.text(
        text.x, text.y, text.text, text.size,
        ha=text.across, va=text.down, bold=text.bold, rotation=0 if text.upright else 90,
    )  # fmt: skip


def _draw_map(page: Page, panel: MapPanel, box: Box, style: FigureStyle, name: str) -> list[Box]:
    """Draw a map with what stands in its corners, and return where that is."""
    if panel.has_gaps:
        page.hatch(box)
    image = panel.image
    if panel.is_composite:
        shown: Any = np.isfinite(image).all(axis=2)
        colors = np.where(shown[..., None], np.clip(image, 0, 1), 0)
        page.image(np.dstack([colors, shown.astype(np.float32)]), box, name)
    else:
        page.image(_colored(image, panel), box, name)
    if not has_room((box.w, box.h)):
        _draw_below(page, panel, box, style)
        return []
    corners = [_draw_time(page, panel, box)] if style.times and panel.imaging else []
    return corners + ([_draw_scale_bar(page, panel, box)] if style.scale_bars else [])


def _draw_below(page: Page, panel: MapPanel, box: Box, style: FigureStyle) -> None:
    """Write what would not fit into a small map below it."""
    if style.scale_bars:
        length, text = _scale_of(panel)
        width = length * box.w / panel.size[1]
        page.rectangle(Box(box.x, box.bottom + 1.5, width, 0.5), "#000000")
        page.text(box.x + width + 0.8, box.bottom + 2.5, text, SMALL)
    if style.times:
        page.text(box.x, box.bottom + 2.5 + 2.8 * style.scale_bars, panel.imaging, SMALL)


def _scale_of(panel: MapPanel) -> tuple[float, str]:
    length = scale_bar_length(panel.size[1] * BAR_SHARE, whole=panel.unit != "um")
    if panel.unit != "um":
        return length, f"{length:g} px"
    return length, f"{length / 1000:g} mm" if length >= 1000 else f"{length:g} µm"


def _colored(image: Any, panel: MapPanel) -> Any:
    """Return the (y, x, 4) colors of values, clear where there is none."""
    low, high = panel.limits
    part = np.clip((image - low) / (high - low if high > low else 1.0), 0, 1)
    gone = ~np.isfinite(part)
    colors = _color_table(panel.colormap)
    index = np.rint(np.where(gone, 0, part) * (len(colors) - 1)).astype(int)
    found = colors[index].copy()
    found[gone, 3] = 0
    return found


def _color_table(colormap: Any) -> Any:
    """Return (n, 4) colors of a color map by name, or of those given."""
    if isinstance(colormap, str):
        return _named_colors(colormap)
    colors = np.asarray(colormap, dtype=float)
    if colors.shape[1] == 3:
        colors = np.column_stack([colors, np.ones(len(colors))])
    return colors


@cache
def _named_colors(name: str) -> Any:
    from matplotlib import colormaps

    return colormaps[name](np.linspace(0, 1, 256))


def _draw_time(page: Page, panel: MapPanel, box: Box) -> Box:
    """Write the imaging time at the top left, on a dark ground that any map leaves it legible on."""
    text = fit(panel.imaging, SMALL, max(box.w - 1.6, 4.0), _measure)
    return page.plate(box.x + 0.5, box.y + 0.5, text, SMALL, across="left", down="top")


def _draw_scale_bar(page: Page, panel: MapPanel, box: Box) -> Box:
    """Draw a bar of a round length at the bottom right, its length above it."""
    per_unit = box.w / panel.size[1]
    length, text = _scale_of(panel)
    width = length * per_unit
    wide = max(width, Page.measure(text, SMALL)) + 1.0
    ground = Box(box.right - wide - 0.5, box.bottom - 4.1, wide, 3.6)
    page.rectangle(ground, "#000000", alpha=0.55)
    middle = ground.x + ground.w / 2
    page.text(
        middle, ground.bottom - 1.35, text, SMALL, ha="center", va="baseline", color="#ffffff"
    )
    page.rectangle(Box(middle - width / 2, ground.bottom - 0.9, width, 0.5), "#ffffff")
    return ground


def _draw_color_bar(page: Page, figure: Figure, panel: MapPanel, box: Box) -> None:
    colors = _color_table(panel.colormap)
    low, high = panel.limits
    box = _draw_ends(page, figure, panel, box, colors)
    page.image(colors[::-1][:, None], box, "color_bar")
    page.outline(box)
    values, texts, times = ticks_of(low, high, max(2, int(box.h / 8)))
    widest = 0.0
    for value, text in zip(values, texts, strict=True):
        y = box.bottom - box.h * (value - low) / (high - low)
        page.line((box.right, box.right + 0.6), (y, y))
        page.text(box.right + 1.0, y, text, SMALL, va="center_baseline")
        widest = max(widest, Page.measure(text, SMALL))
    same = {m.contrast for m in figure.maps if m.quantity == panel.quantity and not m.is_composite}
    label = panel.quantity
    if times:
        label = label.replace("(", f"({times} ", 1) if "(" in label else f"{label} ({times})"
    if len(same) > 1 and panel.contrast:
        label += f", {panel.contrast}"
    label = _shortened(label, box.h + 3.0)
    x = box.right + 1.0 + widest + 2.6
    page.text(x, box.y + box.h / 2, label, SMALL, ha="center", va="center", rotation=90)


def _shortened(label: str, room: float) -> str:
    """Return a label, or of a label "Intensity (counts)" what is in brackets, as the room allows."""
    if _measure(label, SMALL) <= room or "(" not in label:
        return fit(label, SMALL, room, _measure)
    _, _, inner = label.partition("(")
    return fit(inner.replace(")", "", 1), SMALL, room, _measure)


def _draw_ends(page: Page, figure: Figure, panel: MapPanel, box: Box, colors: Any) -> Box:
    """Point the bar at the ends that values go beyond, and return what is left of its box."""
    maps = [m.image for m in figure.maps if m.scale_group == panel.scale_group]
    low, high = panel.limits
    tip, right, middle = 1.5, box.right, box.x + box.w / 2
    if any((image > high).any() for image in maps):
        corners = [(box.x, box.y + tip), (middle, box.y), (right, box.y + tip)]
        page.polygon(corners, colors[-1])
        box = Box(box.x, box.y + tip, box.w, box.h - tip)
    if any((image < low).any() for image in maps):
        edge = box.bottom - tip
        page.polygon([(box.x, edge), (middle, box.bottom), (right, edge)], colors[0])
        box = Box(box.x, box.y, box.w, box.h - tip)
    return box


def _draw_keys(page: Page, layout: Layout) -> None:
    for box, color, name in layout.keys:
        if color:
            page.rectangle(box, color)
        else:
            page.hatch(box)
        page.outline(box)
        page.text(box.right + 1.0, box.bottom - 0.35, name, SMALL)
