"""The cosmic rays that a recipe would remove, as a list to go through."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_deeper.engine.rays import RayTable

KEY = "napari_deeper_rays"  # in the metadata of the points of them: the layer that was searched
COLUMNS = ("y", "x", "cm-1", "height")
MOST_LISTED = 500
_TABLE_HEIGHT = 112


class RayBox(QWidget):
    """Emits `find` when asked to look for them, `chosen` with (y, x, cm-1) of the ray that is gone to."""

    find = Signal()
    chosen = Signal(int, int, float)
    cleared = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.button = QPushButton("Find cosmic &rays")
        self.button.setToolTip(
            "List what this step would remove, before anything is changed (Alt+R). The steps before it are "
            "taken into account"
        )
        self.clear_button = QPushButton()
        self.told = QLabel()
        self.told.setWordWrap(True)
        self.table = QTableWidget()
        self.table.setColumnCount(len(COLUMNS))
        self.table.setHorizontalHeaderLabels(list(COLUMNS))
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setFixedHeight(_TABLE_HEIGHT)
        self.table.setToolTip("Choose a cosmic ray to go to its pixel and its wavenumber")
        self.table.setAccessibleName("Cosmic rays found")
        headers: list[Any] = [self.table.verticalHeader(), self.table.horizontalHeader()]
        headers[0].setVisible(False)
        headers[0].setDefaultSectionSize(20)
        headers[1].setSectionResizeMode(headers[1].ResizeMode.Stretch)
        row = QHBoxLayout()
        row.addWidget(self.button, stretch=2)
        row.addWidget(self.clear_button, stretch=1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(row)
        column.addWidget(self.told)
        column.addWidget(self.table)
        self.button.clicked.connect(self.find)
        self.clear_button.clicked.connect(self.cleared)
        self.table.itemSelectionChanged.connect(self._on_selected)
        self.show_searching(False)
        self.clear()

    def show_searching(self, searching: bool) -> None:
        """While rays are looked for, the second button stops that; else it clears the list, if there is one."""
        self.button.setEnabled(not searching)
        self.clear_button.setText("Cancel" if searching else "Clear")
        self.clear_button.setToolTip(
            "Stop before the next test; nothing is listed"
            if searching
            else "Remove the list and its points on the canvas"
        )
        self.clear_button.setEnabled(searching or self.table.rowCount() > 0)

    def clear(self) -> None:
        """List nothing."""
        self.table.setRowCount(0)
        self.say("")
        self.table.setVisible(False)
        self.clear_button.setEnabled(False)

    def say(self, text: str) -> None:
        """Show a sentence above the list."""
        self.told.setText(text)
        self.told.setVisible(bool(text))

    def show_rays(self, rays: RayTable) -> None:
        """List the highest rays, in the order of the map; nothing is chosen yet."""
        shown = highest(rays)
        self.table.blockSignals(True)
        self.table.setRowCount(len(shown))
        for row, i in enumerate(shown):
            y, x = (int(n) for n in rays.pixels[i])
            values = (y, x, round(float(rays.wavenumber[i]), 1), float(f"{rays.height[i]:.4g}"))
            for column, value in enumerate(values):
                self.table.setItem(row, column, _item(value))
        self.table.clearSelection()
        self.table.setCurrentCell(-1, -1)
        self.table.blockSignals(False)
        self.table.setVisible(len(shown) > 0)
        self.clear_button.setEnabled(True)
        n_pixels = len(np.unique(rays.pixels, axis=0))
        told = f"{len(rays)} found in {n_pixels} pixels; nothing is changed yet. Choose one to go there."
        if len(rays) > len(shown):
            told += f" The {len(shown)} highest are listed."
        self.say(told if len(rays) else "No cosmic ray was found.")

    def _on_selected(self) -> None:
        row = self.table.currentRow()
        items = [self.table.item(row, column) for column in range(3)]
        if row < 0 or any(item is None for item in items) or not self.table.selectedItems():
            return
        y, x, wavenumber = (i.data(Qt.ItemDataRole.DisplayRole) for i in items if i is not None)
        self.chosen.emit(int(y), int(x), float(wavenumber))


def highest(rays: RayTable) -> np.ndarray:
    """Return the numbers of the highest rays, in the order of the map."""
    return np.sort(np.argsort(-rays.height, kind="stable")[:MOST_LISTED])


def _item(value: float) -> QTableWidgetItem:
    item = QTableWidgetItem()
    item.setData(Qt.ItemDataRole.DisplayRole, value)
    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    return item
