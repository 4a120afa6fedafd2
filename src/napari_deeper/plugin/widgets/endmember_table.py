"""The table of endmembers: color, name, share of the map, and what each is like."""

from __future__ import annotations

import math
from collections.abc import Sequence

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QColor, QIcon, QKeyEvent, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from napari_deeper.engine.references import Match
from napari_deeper.spectra.endmembers import Endmembers

DRAWN, COLOR, NAME, SHARE, MATCH = range(5)
HEADINGS = (
    ("", "Ticked: in the composite"),
    ("", "Click to choose another color"),
    ("Name", "Double-click to rename"),
    ("Map %", "Part of the pixels in which this component has the largest abundance"),
    (
        "Match",
        "How like a reference spectrum it is, and which, or a mixture of two:\n1 is the same shape; below "
        "0.6 (0.7 for two) is no match",
    ),
)
ROW_HEIGHT, SWATCH = 22, 14


class EndmemberTable(QTableWidget):
    """One row for each endmember; it shows, and says what the user asks for, but changes nothing itself."""

    renamed = Signal(int, str)
    color_asked = Signal(int)
    drawn_changed = Signal()
    remove_asked = Signal()

    def __init__(self) -> None:
        super().__init__(0, len(HEADINGS))
        self._filling = False
        for column, (label, tooltip) in enumerate(HEADINGS):
            heading = QTableWidgetItem(label)
            heading.setToolTip(tooltip)
            self.setHorizontalHeaderItem(column, heading)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setIconSize(QSize(SWATCH, SWATCH))
        self.setMinimumHeight(3 * ROW_HEIGHT)
        rows, columns = self.verticalHeader(), self.horizontalHeader()
        if rows is not None:
            rows.setVisible(False)
            rows.setDefaultSectionSize(ROW_HEIGHT)
        if columns is not None:
            columns.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
            columns.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
            columns.setMinimumSectionSize(24)
        for column, width in ((DRAWN, 26), (COLOR, 26), (SHARE, 50), (MATCH, 92)):
            self.setColumnWidth(column, width)
        self.itemChanged.connect(self._on_changed)
        self.cellClicked.connect(self._on_clicked)

    def show_endmembers(
        self,
        endmembers: Endmembers | None,
        shares: Sequence[float],
        drawn: Sequence[bool],
        matches: Sequence[Match | None],
    ) -> None:
        """Show these; the rows that are selected stay so where there are as many as before."""
        self._filling = True
        n = len(endmembers) if endmembers is not None else 0
        self.setRowCount(n)
        for i in range(n):
            assert endmembers is not None
            self.setItem(i, DRAWN, _tick(drawn[i]))
            self.setItem(i, COLOR, _swatch(endmembers.colors[i]))
            self.setItem(i, NAME, QTableWidgetItem(endmembers.names[i]))
            share = "-" if math.isnan(shares[i]) else f"{100 * shares[i]:.1f}"
            self.setItem(i, SHARE, _fixed(share, right=True))
            match = matches[i]
            said = "" if match is None else _in_short(match)
            self.setItem(i, MATCH, _fixed(said, "" if match is None else str(match)))
        self._filling = False

    def chosen(self) -> list[int]:
        """Return the selected rows."""
        return sorted({index.row() for index in self.selectedIndexes()})

    def drawn(self) -> list[bool]:
        """Return for each row whether it is ticked."""
        items = [self.item(row, DRAWN) for row in range(self.rowCount())]
        return [item is None or item.checkState() == Qt.CheckState.Checked for item in items]

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Remove by the usual key."""
        if event is not None and event.key() == Qt.Key.Key_Delete:
            self.remove_asked.emit()
        else:
            super().keyPressEvent(event)

    def _on_changed(self, item: QTableWidgetItem) -> None:
        if self._filling:
            return
        if item.column() == NAME:
            self.renamed.emit(item.row(), item.text())
        elif item.column() == DRAWN:
            self.drawn_changed.emit()

    def _on_clicked(self, row: int, column: int) -> None:
        if column == COLOR:
            self.color_asked.emit(row)


def _tick(on: bool) -> QTableWidgetItem:
    item = QTableWidgetItem()
    item.setFlags(
        Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsSelectable
    )
    item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)
    item.setToolTip("Untick to leave the component black in the composite")
    return item


def _swatch(color: str) -> QTableWidgetItem:
    picture = QPixmap(SWATCH, SWATCH)
    picture.fill(QColor(color))
    item = QTableWidgetItem(QIcon(picture), "")
    item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
    item.setToolTip(f"{color}: click to choose another")
    return item


def _in_short(match: Match) -> str:
    return f"{match.fit:.2f} {match.label if match.good else 'none'}"


def _fixed(text: str, tooltip: str = "", *, right: bool = False) -> QTableWidgetItem:
    item = QTableWidgetItem(text)
    item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
    item.setToolTip(tooltip or text)
    if right:
        item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    return item
