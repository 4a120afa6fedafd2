"""What the Components dock shows of a result: the endmembers as a table and a plot, and the buttons to edit them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QMenu, QPushButton, QSplitter, QVBoxLayout, QWidget

from napari_deeper.engine.references import Match
from napari_deeper.plugin.widgets.endmember_table import EndmemberTable
from napari_deeper.plugin.widgets.spectrum_plot import Curve, SpectrumPlot
from napari_deeper.spectra.endmembers import Endmembers

HINT = "No endmembers yet: Run looks for them,\nor load some, or take them from pixels."
# Colors too dark for a dark ground, and too light for a light one, are drawn in gray.
_GRAY, _DARK, _LIGHT = "#888888", 40, 235


class ComponentsResult(QWidget):
    """Table, buttons and plot; the dock connects them."""

    def __init__(self) -> None:
        super().__init__()
        self.table = EndmemberTable()
        self.plot = SpectrumPlot(band=False)
        self.plot.legend.hide()  # the table is the legend
        self.plot.set_hint(HINT)
        self.plot.set_y_label("Normalized")
        self.plot.setMinimumHeight(100)
        self.merge = _button(
            "Mer&ge", "Make one of the selected rows: their mean, weighted by abundance"
        )
        self.remove = _button("Remove", "Take the selected rows out (Delete)")
        self.pixel = _button(
            "From pi&xel", "Add the spectrum of the pixel pinned in the Spectra dock"
        )
        self.region = _button(
            "From &ROI", "Add the mean spectrum inside the shapes of the active Shapes layer"
        )
        self.load = _button(
            "Loa&d...", "Use endmembers of a file in place of these: CSV or .npz, in cm-1"
        )
        self.save = _button("&Save...", "Save the endmembers as CSV, with names and colors")
        self.match = _button(
            "Match",
            "Compare with reference spectra; a good match names a component that has no name",
        )
        self.undo = _button("&Undo", "Go back to the endmembers before the last change")
        menu = QMenu(self.match)
        self.match_tables: Any = menu.addAction("with band tables")
        self.match_file: Any = menu.addAction("with a file of spectra...")
        self.match.setMenu(menu)
        self._lay_out()

    def _lay_out(self) -> None:
        buttons = QGridLayout()
        buttons.setSpacing(3)
        each = (
            self.merge, self.remove, self.pixel, self.region,
            self.load, self.save, self.match, self.undo,
        )  # fmt: skip
        for i, button in enumerate(each):
            buttons.addWidget(button, i // 4, i % 4)
        upper = QWidget()
        column = QVBoxLayout(upper)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.table, stretch=1)
        column.addLayout(buttons)
        parts = QSplitter(Qt.Orientation.Vertical)
        parts.addWidget(upper)
        parts.addWidget(self.plot)
        parts.setChildrenCollapsible(False)
        parts.setSizes([190, 150])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 0, 6, 4)
        layout.addWidget(parts)

    def show_endmembers(
        self,
        endmembers: Endmembers | None,
        shares: Sequence[float],
        drawn: Sequence[bool],
        matches: Sequence[Match | None],
    ) -> None:
        """Show these in the table and the plot."""
        self.table.show_endmembers(endmembers, shares, drawn, matches)
        self.plot.set_curves(_stacked(endmembers) if endmembers is not None else [])
        if endmembers is not None:
            self.plot.fit()

    def enable(self, *, some: bool, free: bool, target: bool, undo: bool) -> None:
        """Allow what can be done: with endmembers, while nothing runs, on a target cube."""
        n_chosen = len(self.table.chosen())
        self.merge.setEnabled(some and free and n_chosen > 1)
        self.remove.setEnabled(some and free and 0 < n_chosen < self.table.rowCount())
        self.match.setEnabled(some and free)
        self.save.setEnabled(some)
        self.undo.setEnabled(undo and free)
        for button in (self.pixel, self.region, self.load):
            button.setEnabled(target and free)
        self.table.setEnabled(free)


def _stacked(endmembers: Endmembers) -> list[Curve]:
    """Return each spectrum scaled to its own maximum, the first on top."""
    curves = []
    for i, (spectrum, color, name) in enumerate(
        zip(endmembers.spectra, endmembers.colors, endmembers.names, strict=True)
    ):
        size = float(np.abs(spectrum).max())
        raised = spectrum / (size if size > 0 else 1.0) + np.float32(len(endmembers) - 1 - i)
        curves.append(Curve(name, endmembers.wavenumber, raised, _seen(color)))
    return curves


def _seen(color: str) -> str:
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    brightness = 0.3 * red + 0.59 * green + 0.11 * blue
    return color if _DARK < brightness < _LIGHT else _GRAY


def _button(text: str, tooltip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tooltip)
    button.setMinimumWidth(40)
    button.setStyleSheet("padding-left: 3px; padding-right: 3px;")
    return button
