"""Where everything stands on the page, in mm from its top left corner."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from napari_deeper.engine.figure_grid import (
    GAP,
    NARROWEST,
    STRIP,
    Grid,
    rows_of,
    scales_of,
    widths_of,
)
from napari_deeper.engine.figure_parts import WIDTHS, Figure, FigureStyle, MapPanel
from napari_deeper.spectra.errors import ParameterError

SMALL, NORMAL, LARGE = 6.0, 7.0, 8.0  # pt; journals ask for 6 at least
EDGE = 0.7
ROW_LABEL, COLUMN_HEAD, LINE = 4.0, 4.0, 3.1
BAR_WIDTH = 2.0
LARGEST_MAP = 52.0
SPECTRA_HEIGHT, SPECTRA_FOOT, SPECTRA_LEFT = 46.0, 8.5, 9.0
BAR_HEIGHT, BARS_FOOT = 4.2, 9.0
BLOCK_GAP = 3.0
SMALLEST_MAP = 18.0
MOST_LETTERS = 250  # more fit into no line
# A map smaller than this has its imaging time and scale bar in two lines below it.
ROOM_IN_MAP = (13.5, 9.0)
SPECTRA_BESIDE, SMALLEST_BESIDE = 82.0, 24.0

# (text, size in pt) -> width in mm
Measure = Callable[[str, float], float]


@dataclass(frozen=True)
class Box:
    """A rectangle: left and top edge, width and height, mm."""

    x: float
    y: float
    w: float
    h: float

    @property
    def right(self) -> float:
        """Right edge, mm."""
        return self.x + self.w

    @property
    def bottom(self) -> float:
        """Bottom edge, mm."""
        return self.y + self.h


@dataclass(frozen=True)
class Text:
    """A line of text at a place, mm; ``across`` and ``down`` say which part of it is there."""

    x: float
    y: float
    text: str
    size: float = NORMAL
    across: str = "left"
    down: str = "baseline"
    bold: bool = False
    upright: bool = True


@dataclass
class Layout:
    """The page: its size, and the boxes and texts of each part."""

    width: float
    height: float = 0.0
    maps: tuple[Box, ...] = ()
    color_bars: tuple[tuple[Box, int], ...] = ()
    keys: tuple[tuple[Box, str, str], ...] = ()  # (swatch, color or "" for hatching, name)
    spectra: Box | None = None
    metrics: tuple[Box, ...] = ()
    texts: tuple[Text, ...] = ()


def lay_out(figure: Figure, style: FigureStyle, measure: Measure, notes: tuple[str, ...]) -> Layout:
    """Place the parts of a figure on a page of the journal's column width, as high as they need."""
    page = Layout(WIDTHS[style.width])
    writer = _Writer(page, style, measure)
    if figure.maps:
        writer.add_maps(figure)
    if figure.spectra is not None and figure.spectra.curves:
        writer.add_spectra()
    if figure.metrics:
        writer.add_metrics(figure)
    writer.add_notes(notes)
    page.height = writer.y + EDGE
    return page


class _Writer:
    """Fills a page from the top; ``y`` is how far it is, mm."""

    def __init__(self, page: Layout, style: FigureStyle, measure: Measure) -> None:
        self.page, self.style, self.measure = page, style, measure
        self.y = EDGE
        self._n_letters = 0
        self._beside: Box | None = None  # free room at the right of the maps

    def _say(self, text: Text) -> None:
        self.page.texts += (text,)

    def _letter(self, x: float, y: float) -> float:
        """Write the next letter with its baseline at y; return the room that it takes."""
        if not self.style.letters:
            return 0.0
        self._say(Text(x, y, _letter(self._n_letters), LARGE, bold=True))
        self._n_letters += 1
        return self.measure(_letter(self._n_letters - 1), LARGE) * 1.1 + 1.2  # bold

    # ---- maps ---------------------------------------------------------------------------------------------------

    def add_maps(self, figure: Figure) -> None:
        maps = figure.maps
        grid, room = self._choose_grid(maps)
        side = self._side(grid, room, with_spectra=figure.spectra is not None)
        bars = grid.color_bars(maps) if self.style.color_bars else []
        head = LINE + 0.9 if not grid.is_table else (LINE if self.style.letters else GAP)
        scales = scales_of(maps, side, grid.n_rows, head)
        drawn = [(m.size[0] * scales[m.unit], m.size[1] * scales[m.unit]) for m in maps]
        self.y += COLUMN_HEAD if any(grid.heads) or grid.caption else 0.0
        tops, bottom = rows_of(grid, [h + self._foot(h, w) for h, w in drawn], self.y, head)
        widths = widths_of(grid, [w for _, w in drawn], side, {column for column, *_ in bars})
        left = _left(grid)
        lefts = [left + sum(widths[:c]) for c in range(grid.n_columns)]
        boxes = [
            Box(lefts[column], tops[row], w, h)
            for (row, column), (h, w) in zip(grid.cells, drawn, strict=True)
        ]
        self.page.maps = tuple(boxes)
        self._name_maps(maps, grid, boxes, lefts)
        if grid.caption:
            self._add_caption(grid.caption, boxes)
        for column, first, last, index in bars:
            run = [b for b, c in zip(boxes, grid.cells, strict=True) if _in(c, column, first, last)]
            top, right = run[0].y, max(lefts[column] + NARROWEST, *(b.right for b in run))
            height = max(min(run[-1].bottom - top, 60.0), 2 * LINE)
            self.page.color_bars += ((Box(right + 1.2, top, BAR_WIDTH, height), index),)
        self.y = bottom
        end = lefts[-1] + widths[-1]
        self._beside = Box(end, EDGE, self.page.width - EDGE - end, bottom - EDGE)
        self._add_keys(maps, end)

    def _choose_grid(self, maps: tuple[MapPanel, ...]) -> tuple[Grid, float]:
        """Return a grid whose maps are legible, and the width that all maps of a row have together, mm."""
        wanted = self.style.n_columns
        for most in range(3 if self.style.width == "single" else 5, 0, -1):
            grid = Grid(maps, wanted, most)
            bars = grid.color_bars(maps) if self.style.color_bars else []
            strips = STRIP * len({column for column, *_ in bars})
            gaps = GAP * (grid.n_columns - 1)
            room = self.page.width - _left(grid) - EDGE - strips - gaps
            if wanted or room / grid.n_columns >= SMALLEST_MAP:
                break
        if room / grid.n_columns < NARROWEST:
            raise ParameterError(
                f"{grid.n_columns} columns of maps, with their color bars, have no room on "
                f"{self.page.width:g} mm. Choose fewer columns, a wider figure, or no color bars."
            )
        return grid, room

    def _side(self, grid: Grid, room: float, *, with_spectra: bool) -> float:
        """Return how wide a map may be, mm."""
        if with_spectra and self.style.width == "double":
            # a tall block leaves room for the spectra at its side, as long as its maps stay legible
            beside = (room - SPECTRA_BESIDE) / grid.n_columns
            if beside >= SMALLEST_BESIDE and beside * grid.n_rows >= SPECTRA_HEIGHT - 8:
                return min(beside, LARGEST_MAP)
        return min(room / grid.n_columns, LARGEST_MAP)

    def _foot(self, height: float, width: float) -> float:
        """Return the room below a map of this size for what has no room in it."""
        wanted = self.style.times or self.style.scale_bars
        return 0.0 if has_room((width, height)) or not wanted else 2 * LINE

    def _name_maps(
        self, maps: tuple[MapPanel, ...], grid: Grid, boxes: list[Box], lefts: list[float]
    ) -> None:
        if grid.is_table:
            for name, x in zip(grid.heads, lefts, strict=True):
                shown = [b.w for b, (_, c) in zip(boxes, grid.cells, strict=True) if lefts[c] == x]
                middle = x + max(shown) / 2
                room = max(shown) + GAP
                self._say(Text(middle, EDGE + 2.6, self.fit(name, NORMAL, room), across="center"))
            for row, name in enumerate(grid.labels):
                box = next(b for b, (r, _) in zip(boxes, grid.cells, strict=True) if r == row)
                label = self.fit(name, NORMAL, box.h + 2)
                self._say(
                    Text(
                        EDGE, box.y + box.h / 2, label, across="left", down="center", upright=False
                    )
                )
        for panel, box in zip(maps, boxes, strict=True):
            used = self._letter(box.x, box.y - 0.9)
            if not grid.is_table:
                several = len({m.column for m in maps}) > 1
                title = (
                    f"{panel.title}, {panel.column}" if several and panel.column else panel.title
                )
                room = max(box.w, NARROWEST) - used
                self._say(Text(box.x + used, box.y - 0.9, self.fit(title, NORMAL, room)))

    def _add_caption(self, caption: str, boxes: list[Box]) -> None:
        """Say above the maps what all of them show, in the middle where it fits there."""
        text = self.fit(caption[:1].upper() + caption[1:], NORMAL, self.page.width - 2 * EDGE)
        half = self.measure(text, NORMAL) / 2
        middle = (boxes[0].x + max(box.right for box in boxes)) / 2
        middle = min(max(middle, EDGE + half), self.page.width - EDGE - half)
        self._say(Text(middle, EDGE + 2.6, text, across="center"))

    def _add_keys(self, maps: tuple[MapPanel, ...], end: float) -> None:
        """Name the colors of composites, and the hatching, in lines below the maps."""
        keys = dict.fromkeys(color for m in maps for color in m.colors)
        entries = [(color, name) for name, color in keys]
        if any(m.has_gaps for m in maps):
            entries.append(("", "no data"))
        if not entries:
            return
        x = self.page.maps[0].x
        self.y += GAP
        for color, name in entries:
            text = self.fit(name, SMALL, self.page.width / 2)
            needed = 3.4 + self.measure(text, SMALL) + 3.0
            if x + needed > self.page.width - EDGE and x > self.page.maps[0].x:
                x = self.page.maps[0].x
                self.y += LINE
            self.page.keys += ((Box(x, self.y, 2.2, 2.2), color, text),)
            x += needed
        self.y += 2.4

    # ---- spectra and metrics ------------------------------------------------------------------------------------

    def add_spectra(self) -> None:
        beside = self._beside
        if beside is not None and beside.w >= SPECTRA_BESIDE - 2:
            top = beside.y + LINE
            height = max(beside.h - LINE - SPECTRA_FOOT, 36.0)
            x = beside.x + 4.0 + SPECTRA_LEFT
            box = Box(x, top, self.page.width - EDGE - x, height)
            self._letter(beside.x + 4.0, beside.y + LINE - 0.9)
            self.y = max(self.y, box.bottom + SPECTRA_FOOT)
        else:
            self.y += BLOCK_GAP if self.y > EDGE else 0.0
            self._letter(EDGE, self.y + LINE - 0.4)
            top = self.y + (LINE if self.style.letters else 0.5)
            x = EDGE + SPECTRA_LEFT
            box = Box(x, top, self.page.width - EDGE - x, SPECTRA_HEIGHT)
            self.y = box.bottom + SPECTRA_FOOT
        self.page.spectra = box

    def add_metrics(self, figure: Figure) -> None:
        names = [bar.name for panel in figure.metrics for bar in panel.bars]
        widest = max(self.measure(name, SMALL) for name in names)
        most = 3 if self.style.width == "single" else 5
        label = min(widest + 2.0, self.page.width * 0.3)
        n = len(figure.metrics)
        per_row = math.ceil(n / math.ceil(n / most))
        rows = [figure.metrics[i : i + per_row] for i in range(0, n, per_row)]
        for row in rows:
            self.y += BLOCK_GAP if self.y > EDGE else 0.0
            height = BAR_HEIGHT * max(len(panel.bars) for panel in row)
            room = self.page.width - 2 * EDGE - label - 3.0 * (per_row - 1)
            width = min(room / per_row, 50.0)
            if self.style.letters:
                for i in range(len(row)):
                    x = EDGE if i == 0 else EDGE + label + i * (width + 3.0)
                    self._letter(x, self.y + LINE - 0.6)
                self.y += LINE + 0.4
            for i in range(len(row)):
                x = EDGE + label + i * (width + 3.0)
                self.page.metrics += (Box(x, self.y, width, height),)
            self.y += height + BARS_FOOT

    def add_notes(self, notes: tuple[str, ...]) -> None:
        if notes:
            self.y += 1.0
        for line in wrap(" ".join(notes), SMALL, self.page.width - 2 * EDGE, self.measure):
            self.y += 2.7
            self._say(Text(EDGE, self.y, line, SMALL))
        if notes:
            self.y += 0.8

    def fit(self, text: str, size: float, room: float) -> str:
        """Return a text, cut with an ellipsis where it is wider than the room (mm)."""
        return fit(text, size, room, self.measure)


def has_room(size: tuple[float, float]) -> bool:
    """Tell whether a map of this (width, height), mm, has room for the texts of its corners."""
    return size[0] >= ROOM_IN_MAP[0] and size[1] >= ROOM_IN_MAP[1]


def fit(text: str, size: float, room: float, measure: Measure) -> str:
    """Return a text, cut with an ellipsis where it is wider than the room (mm)."""
    kept = text[:MOST_LETTERS]
    if kept == text and measure(text, size) <= room:
        return text
    while kept and measure(kept + "…", size) > room:
        kept = kept[:-1]
    return kept.rstrip(" ,") + "…"


def wrap(text: str, size: float, room: float, measure: Measure) -> list[str]:
    """Return the lines of a text, none wider than the room (mm)."""
    lines: list[str] = []
    for word in text.split():
        if lines and measure(f"{lines[-1]} {word}", size) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(fit(word, size, room, measure))
    return lines


def _left(grid: Grid) -> float:
    """Return where the maps begin, mm: at the right of the names of rows, if there are any."""
    return EDGE + (ROW_LABEL if grid.is_table else 0.0)


def _letter(i: int) -> str:
    return chr(ord("a") + i) if i < 26 else _letter(i // 26 - 1) + _letter(i % 26)


def _in(cell: tuple[int, int], column: int, first: int, last: int) -> bool:
    return cell[1] == column and first <= cell[0] <= last
