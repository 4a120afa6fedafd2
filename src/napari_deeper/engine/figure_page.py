"""A page of matplotlib on which one writes and draws in mm from the top left corner."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from napari_deeper.engine.figure_layout import Box

MM = 1 / 25.4
POINT_MM = 25.4 / 72
DPI = 300.0
INK = "#000000"
GRID = "#8c8c8c"
_HINTED = 1.03  # letters set on whole pixels take a little more than their outlines
# Asked for by journals, and the one that matplotlib always brings for what those lack.
_WANTED = ("Arial", "Helvetica", "Liberation Sans", "DejaVu Sans")


class Page:
    """One matplotlib figure with a canvas; text is never read as a formula, and stays text."""

    def __init__(self, width: float, height: float, dpi: float) -> None:
        # imported here: it takes a second, and is needed only when a figure is drawn
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self.width, self.height = width, height
        self.figure = Figure(figsize=(width * MM, height * MM), dpi=dpi, facecolor="white")
        FigureCanvasAgg(self.figure)  # without it a figure would look for a display
        self._sheet = self.figure.add_axes((0, 0, 1, 1), frameon=False)
        self._sheet.set_axis_off()
        self._clip_to_page()

    def _clip_to_page(self) -> None:
        self._sheet.set_xlim(0, self.width)
        self._sheet.set_ylim(self.height, 0)
        self._sheet.set_autoscale_on(False)

    @staticmethod
    def measure(text: str, size: float) -> float:
        """Return the width of a text, mm."""
        return _extent(printable(text), size)

    def text(
        self, x: float, y: float, text: str, size: float, *, ha: str = "left", va: str = "baseline",
        color: str = INK, bold: bool = False, rotation: float = 0,
    ) -> Any:  # fmt: skip
        """Write a line of text."""
        return self._sheet.text(
            x, y, printable(text), fontsize=size, fontfamily=list(families()), ha=ha, va=va,
            color=color, fontweight="bold" if bold else "normal", rotation=rotation,
            parse_math=False, usetex=False, zorder=6,
        )  # fmt: skip

    def plate(self, x: float, y: float, text: str, size: float, *, across: str, down: str) -> Box:
        """Write white text on a dark ground; ``across`` and ``down`` say which corner of it (x, y) is."""
        from napari_deeper.engine.figure_layout import Box

        w, h = self.measure(text, size) + 1.0, size * POINT_MM + 0.8
        left = x - {"left": 0.0, "center": w / 2, "right": w}[across]
        top = y - {"top": 0.0, "center": h / 2, "bottom": h}[down]
        box = Box(left, top, w, h)
        self.rectangle(box, "#000000", alpha=0.55)
        self.text(left + w / 2, top + h - 0.75, text, size, ha="center", color="#ffffff")
        return box

    def rectangle(self, box: Box, color: str, alpha: float = 1.0) -> None:
        """Fill a box."""
        from matplotlib.patches import Rectangle

        self._add(Rectangle((box.x, box.y), box.w, box.h, fc=color, ec="none", lw=0, alpha=alpha))

    def outline(self, box: Box) -> None:
        """Draw the border of a box."""
        from matplotlib.patches import Rectangle

        self._add(Rectangle((box.x, box.y), box.w, box.h, fc="none", ec=INK, lw=0.4))

    def polygon(self, corners: list[tuple[float, float]], color: Any) -> None:
        """Fill a polygon and draw its border."""
        from matplotlib.patches import Polygon

        self._add(Polygon(corners, closed=True, fc=tuple(color), ec=INK, lw=0.4))

    def hatch(self, box: Box) -> None:
        """Fill a box with what says that there are no data: gray with lines across."""
        from matplotlib.patches import Rectangle

        self._add(Rectangle((box.x, box.y), box.w, box.h, fc="#d9d9d9", ec="none", lw=0), 1)
        steps = np.arange(-box.h, box.w, 1.1)
        for left in steps:  # as lines: a hatch pattern is not drawn alike by all programs
            start, end = max(left, 0.0), min(left + box.h, box.w)
            if end > start:
                x, y = (box.x + start, box.x + end), (box.y + start - left, box.y + end - left)
                self.line(x, y, GRID, 0.4, 1)

    def line(
        self, x: tuple[float, ...], y: tuple[float, ...], color: str = INK, width: float = 0.5,
        zorder: int = 5,
    ) -> None:  # fmt: skip
        """Draw a line through points; its width is in pt."""
        from matplotlib.lines import Line2D

        self._sheet.add_line(Line2D(x, y, color=color, lw=width, ls="-", marker="", zorder=zorder))

    def arrow(self, tail: tuple[float, float], tip: tuple[float, float]) -> None:
        """Draw a white arrow with a dark edge."""
        from matplotlib.patches import FancyArrowPatch
        from matplotlib.patheffects import Normal, Stroke

        arrow = FancyArrowPatch(
            tail, tip, arrowstyle="-|>,head_length=2.4,head_width=1.3", mutation_scale=1.0,
            shrinkA=0, shrinkB=0, lw=0.9, color="#ffffff", zorder=5,
        )  # fmt: skip
        arrow.set_path_effects([Stroke(linewidth=2.0, foreground="#000000"), Normal()])
        self._sheet.add_patch(arrow)

    def image(self, colors: NDArray[Any], box: Box, name: str) -> None:
        """Show (y, x, 3 or 4) colors in a box, each pixel sharp."""
        self._sheet.imshow(
            colors, extent=(box.x, box.right, box.bottom, box.y), interpolation="nearest",
            aspect="auto", origin="upper", zorder=2, resample=False,
        ).set_gid(name)  # fmt: skip
        self._clip_to_page()

    def axes(self, box: Box, name: str) -> Axes:
        """Return axes with only the bottom line, in our font."""
        w, h = self.width, self.height
        axes = self.figure.add_axes((box.x / w, 1 - box.bottom / h, box.w / w, box.h / h))
        axes.set_gid(name)
        axes.grid(False)
        axes.set_facecolor("none")
        axes.tick_params(
            labelsize=6, labelfontfamily=list(families()), width=0.5, length=2, pad=1.5,
            color=INK, labelcolor=INK, direction="out", which="major",
            bottom=True, top=False, left=False, right=False, labelleft=False,
        )  # fmt: skip
        axes.tick_params(which="minor", bottom=False, top=False, left=False, right=False)
        for side, spine in axes.spines.items():
            spine.set_visible(side == "bottom")
            spine.set_linewidth(0.5)
            spine.set_color(INK)
        return axes

    def _add(self, patch: Any, zorder: int = 4) -> None:
        patch.set_zorder(zorder)
        self._sheet.add_patch(patch)


@cache
def families() -> tuple[str, ...]:
    """Return the fonts to use of those that this computer has, the best first."""
    from matplotlib import font_manager

    there = {entry.name for entry in font_manager.fontManager.ttflist}
    return tuple(name for name in _WANTED if name in there) or ("DejaVu Sans",)


@cache
def _fonts() -> tuple[Any, ...]:
    from matplotlib import font_manager
    from matplotlib.ft2font import FT2Font

    return tuple(FT2Font(font_manager.findfont(name)) for name in families())


@cache
def _known(character: str) -> bool:
    return any(font.get_char_index(ord(character)) for font in _fonts())


def printable(text: str) -> str:
    """Return a text on one line, with ``?`` for what no font here can print."""
    plain = " ".join(text.split())
    return "".join(c if _known(c) else "?" for c in plain)


@lru_cache(maxsize=4096)
def _extent(text: str, size: float) -> float:
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    if not text:
        return 0.0
    font = FontProperties(family=list(families()), size=size)
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return float(width) * POINT_MM * _HINTED
