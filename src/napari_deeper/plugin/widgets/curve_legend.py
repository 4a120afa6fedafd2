"""The legend above the plot: it takes a strip of its own, so that it never lies over a curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qtpy.QtCore import QEvent, QPoint, QRect, Qt
from qtpy.QtGui import QColor, QHelpEvent, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QToolTip, QWidget

from napari_deeper.spectra.naming import without_common_start

MOST_ROWS = 2
ENTRY_WIDTH = 190  # below this a name says too little
SAMPLE_WIDTH, GAP = 18, 5
SHADE = 60  # of 255: how opaque the band of an uncertainty is


@dataclass(frozen=True)
class Entry:
    """One line of the legend; `style` None stands for a shaded band."""

    name: str
    color: str
    style: Qt.PenStyle | None = Qt.PenStyle.SolidLine


class CurveLegend(QWidget):
    """Names of curves in a few rows; each is shortened in its middle and told in full by its tooltip.

    Parameters
    ----------
    entry_width, most_rows
        Least width of an entry in pixels, and how many rows there are at most.
    """

    def __init__(self, entry_width: int = ENTRY_WIDTH, most_rows: int = MOST_ROWS) -> None:
        super().__init__()
        self._entry_width, self._most_rows = entry_width, most_rows
        self._entries: list[Entry] = []
        self._foreground = QColor("gray")
        font = self.font()
        font.setPointSize(8)
        self.setFont(font)
        self._row_height = self.fontMetrics().height() + 2
        self._fit_height()

    def set_entries(self, entries: Sequence[Entry]) -> None:
        """Show these entries, shaded bands first, instead of those before."""
        if list(entries) == self._entries:
            return
        self._entries = list(entries)
        self._fit_height()
        self.update()

    def set_foreground(self, color: str) -> None:
        """Write in this color."""
        self._foreground = QColor(color)
        self.update()

    def names(self) -> list[str]:
        """Return the full names, in order."""
        return [entry.name for entry in self._entries]

    def shown(self) -> list[str]:
        """Return what is written, in order; the last one may stand for several."""
        return [text for _, text, _ in self._cells()]

    def full_text(self, index: int) -> str:
        """Return what the tooltip of one entry says."""
        return self._cells()[index][2]

    def _n_columns(self) -> int:
        n_fitting = max(1, self.width() // self._entry_width)
        per_row = -(-len(self._entries) // self._n_rows())  # rows of one length leave the most room
        return min(n_fitting, max(1, per_row))

    def _n_rows(self) -> int:
        n_fitting = max(1, self.width() // self._entry_width)
        return max(1, min(self._most_rows, -(-len(self._entries) // n_fitting)))

    def _fit_height(self) -> None:
        height = self._n_rows() * self._row_height
        if height != self.height():
            self.setFixedHeight(height)

    def resizeEvent(self, event: object) -> None:
        """Use the new width; another number of columns may need another number of rows."""
        self._fit_height()

    def _cells(self) -> list[tuple[Entry | None, str, str]]:
        """Return (entry, what is written, full text) for each cell that there is room for."""
        n_columns = self._n_columns()
        width = self.width() // n_columns - SAMPLE_WIDTH - 3 * GAP
        room = n_columns * self._n_rows()
        n_shown = len(self._entries) if len(self._entries) <= room else room - 1
        n_shades = sum(entry.style is None for entry in self._entries)  # these come first
        metrics, texts = self.fontMetrics(), self.names()
        if any(metrics.horizontalAdvance(text) > width for text in texts):
            texts = texts[:n_shades] + without_common_start(texts[n_shades:])
        cells: list[tuple[Entry | None, str, str]] = [
            (entry, metrics.elidedText(text, Qt.TextElideMode.ElideMiddle, width), entry.name)
            for entry, text in zip(self._entries[:n_shown], texts, strict=False)
        ]
        rest = self.names()[n_shown:]
        if rest:
            cells.append((None, f"and {len(rest)} more", "\n".join(rest)))
        return cells

    def _place(self, index: int) -> QRect:
        row, column = divmod(index, self._n_columns())
        width = self.width() // self._n_columns()
        return QRect(column * width, row * self._row_height, width, self._row_height)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw each sample and its name."""
        painter = QPainter(self)
        for index, (entry, text, _) in enumerate(self._cells()):
            place = self._place(index)
            if entry is not None:
                sample = QRect(place.left() + GAP, place.top(), SAMPLE_WIDTH, place.height())
                _draw_sample(painter, sample, entry)
            painter.setPen(self._foreground)
            place.setLeft(place.left() + SAMPLE_WIDTH + 2 * GAP)
            painter.drawText(place, int(Qt.AlignmentFlag.AlignVCenter), text)
        painter.end()

    def event(self, event: QEvent | None) -> bool:
        """Tell the full name of the entry under the pointer."""
        if isinstance(event, QHelpEvent):
            text = self.text_at(event.pos())
            QToolTip.showText(event.globalPos(), text, self)
            return True
        return bool(super().event(event))

    def text_at(self, point: QPoint) -> str:
        """Return the full text of the entry at a point of this widget, or nothing."""
        for index, (_, _, full) in enumerate(self._cells()):
            if self._place(index).contains(point):
                return full
        return ""


def _draw_sample(painter: QPainter, place: QRect, entry: Entry) -> None:
    color = QColor(entry.color)
    if entry.style is None:
        color.setAlpha(2 * SHADE)
        painter.fillRect(place.adjusted(0, 2, 0, -2), color)
        return
    painter.setPen(QPen(color, 2, entry.style))
    painter.drawLine(place.left(), place.center().y(), place.right(), place.center().y())
