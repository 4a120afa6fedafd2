"""Arrows at marked pixels, kept off the corners and off each other."""

from __future__ import annotations

import math

from napari_deeper.engine.figure_layout import SMALL, Box
from napari_deeper.engine.figure_page import Page
from napari_deeper.engine.figure_parts import Figure, MapPanel, Mark

LENGTH = 5.2  # mm from the pixel to the middle of the number
_HALF = 1.7


def draw_marks(
    page: Page, figure: Figure, boxes: tuple[Box, ...], corners: list[list[Box]]
) -> None:
    """Draw an arrow with its number at each mark that lies within a map, alike in maps of one field.

    Parameters
    ----------
    page, figure
        Where, and of what.
    boxes
        Of the maps, mm.
    corners
        What is taken in each map: the imaging time and the scale bar.
    """
    taken: dict[object, list[Box]] = {}
    keys = [(m.size, m.origin, box.w) for m, box in zip(figure.maps, boxes, strict=True)]
    for key, box, own in zip(keys, boxes, corners, strict=True):
        taken.setdefault(key, []).extend(Box(b.x - box.x, b.y - box.y, b.w, b.h) for b in own)
    for key, panel, box in zip(keys, figure.maps, boxes, strict=True):
        used = [Box(b.x + box.x, b.y + box.y, b.w, b.h) for b in taken[key]]
        _draw_in_map(page, panel, figure.marks, box, used)


def _draw_in_map(
    page: Page, panel: MapPanel, marks: tuple[Mark, ...], box: Box, used: list[Box]
) -> None:
    per_unit = box.w / panel.size[1]
    shown = []
    for mark in marks:
        place = panel.place(mark)
        if place is not None:
            shown.append((mark, (box.x + place[1] * per_unit, box.y + place[0] * per_unit)))
    length = min(LENGTH, 0.4 * min(box.w, box.h))
    tips = [tip for _, tip in shown]
    for mark, tip in shown:
        tail, unit = _choose_tail(tip, length, box, used, tips)
        near = (tip[0] + unit[0] * 0.5, tip[1] + unit[1] * 0.5)
        page.arrow((tail[0] - unit[0] * 1.2, tail[1] - unit[1] * 1.2), near)
        used.append(page.plate(*tail, mark.label, SMALL, across="center", down="center"))


def _choose_tail(
    tip: tuple[float, float],
    length: float,
    box: Box,
    used: list[Box],
    tips: list[tuple[float, float]],
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return where the number goes, and the direction there from the pixel: inside and on nothing else."""
    best = (math.inf, (tip[0], tip[1]), (0.0, -1.0))
    for i in range(16):
        angle = math.pi / 8 * (i + 10)  # up and to the left first
        unit = (math.cos(angle), math.sin(angle))
        tail = (tip[0] + unit[0] * length, tip[1] + unit[1] * length)
        around = Box(tail[0] - _HALF, tail[1] - _HALF, 2 * _HALF, 2 * _HALF)
        cost = 10 * _outside(around, box)
        cost += sum(8 * _overlap(around, other) for other in used)
        cost += sum(3.0 for other in tips if other != tip and math.dist(other, tail) < 2 * _HALF)
        if cost < best[0] - 1e-9:
            best = (cost, tail, unit)
    return best[1], best[2]


def _outside(inner: Box, outer: Box) -> float:
    beyond = (
        outer.x - inner.x,
        outer.y - inner.y,
        inner.right - outer.right,
        inner.bottom - outer.bottom,
    )
    return sum(max(0.0, b) for b in beyond)


def _overlap(a: Box, b: Box) -> float:
    w = min(a.right, b.right) - max(a.x, b.x)
    h = min(a.bottom, b.bottom) - max(a.y, b.y)
    return max(0.0, w) * max(0.0, h)
