"""How the Compare dock is laid out."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QGridLayout,
    QLabel,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from napari_deeper.plugin.widgets.compare_results import CompareResults
from napari_deeper.plugin.widgets.dock_page import scrolled
from napari_deeper.plugin.widgets.run_bar import RunBar
from napari_deeper.processing.bands import PRESETS

ALL_CHANNELS, AT_SLIDER = "all channels", "slider ± 10 cm-1"
CUBES, HEATMAPS, DIFFERENCES = "cubes", "heatmaps", "differences"
COMPOSITES, CLASS_MAPS = "composites", "class maps"


class ComparePage:
    """The parts of the dock, put into its owner.

    Parameters
    ----------
    owner
        The dock.
    form
        Its form.
    """

    def __init__(self, owner: QWidget, form: QWidget) -> None:
        self.fit = QLabel()
        self.fit.setWordWrap(True)
        self.foot = RunBar(
            run="Compare the layers; none is made or changed",
            cancel="Stop after the layer it is at",
            placeholder="Layers are compared by their place on the sample, all on the same pixels.",
            height=44,
        )
        self.results = CompareResults()
        self.copy = _button("&Copy table", "Copy the table in front, for a spreadsheet (Alt+C)")
        self.save = _button(
            "&Save report...", "Save a folder with the report in Markdown, tables and maps (Alt+S)"
        )
        self.differences = _button(
            "&Differences", "Show candidate less target as layers, with shared limits (Alt+D)"
        )
        self.difference_of = QComboBox()
        self.difference_of.setToolTip("What the difference maps show: the mean over these channels")
        self.difference_of.addItem(ALL_CHANNELS, None)
        self.difference_of.addItem(AT_SLIDER, AT_SLIDER)
        for band in PRESETS:
            self.difference_of.addItem(str(band), band.limits)
        self.side_by_side = _button(
            "Side &by side",
            "The target and the checked layers in cells of their own, with one cursor in all (Alt+B). Again: back "
            "to what was before",
        )
        self.side_by_side.setCheckable(True)
        self.cells = QComboBox()
        self.cells.setToolTip(
            "What is shown side by side: the cubes at the slider, or maps of them that are open: heatmaps (Spectra), "
            "composites and class maps (Components), differences"
        )
        self.cells.addItems([CUBES, HEATMAPS, COMPOSITES, CLASS_MAPS, DIFFERENCES])
        for box in (self.difference_of, self.cells):
            box.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
            box.setMinimumContentsLength(8)
        self._lay_out(owner, form)

    def _lay_out(self, owner: QWidget, form: QWidget) -> None:
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(6, 4, 6, 4)
        column.addWidget(form)
        column.addStretch()
        scroll = scrolled(inner)
        buttons = QGridLayout()
        buttons.setContentsMargins(6, 0, 6, 4)
        for i, widget in enumerate(
            (
                self.differences, self.difference_of, self.side_by_side, self.cells, self.copy,
                self.save,
            )
        ):  # fmt: skip
            buttons.addWidget(widget, i // 2, i % 2)
        lower = QWidget()
        stack = QVBoxLayout(lower)
        stack.setContentsMargins(0, 0, 0, 0)
        self.fit.setContentsMargins(8, 2, 8, 0)
        stack.addWidget(self.fit)
        stack.addWidget(self.foot)
        stack.addWidget(self.results, stretch=1)
        stack.addLayout(buttons)
        parts = QSplitter(Qt.Orientation.Vertical)
        parts.addWidget(scroll)
        parts.addWidget(lower)
        parts.setChildrenCollapsible(False)
        parts.setStretchFactor(1, 1)
        parts.setSizes([190, 460])
        layout = QVBoxLayout(owner)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(parts)
        owner.setMinimumWidth(300)

    def set_side_by_side(self, on: bool) -> None:
        """Show the toggle as it is, without acting on it."""
        self.side_by_side.blockSignals(True)
        self.side_by_side.setChecked(on)
        self.side_by_side.blockSignals(False)


def _button(text: str, tooltip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tooltip)
    return button
