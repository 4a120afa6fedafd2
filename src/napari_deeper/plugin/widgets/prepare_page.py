"""What the Prepare dock shows, laid out: the recipe above, what it does to a pixel below."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from napari_deeper.plugin.widgets.dock_page import scrolled
from napari_deeper.plugin.widgets.layer_box import LayerBox
from napari_deeper.plugin.widgets.prepare_form import StepForm
from napari_deeper.plugin.widgets.prepare_plot import PreparePlot
from napari_deeper.plugin.widgets.prepare_rays import RayBox
from napari_deeper.plugin.widgets.prepare_recipe import RecipeBox
from napari_deeper.plugin.widgets.prepare_steps import StepBox
from napari_deeper.plugin.widgets.run_bar import RunBar
from napari_deeper.plugin.widgets.target_box import TargetBox

_MESSAGE_HEIGHT = 64
_CAPTION_HEIGHT = 52  # three lines


class PreparePage:
    """The parts of the dock, laid out in it."""

    def __init__(self, dock: QWidget, viewer: Any) -> None:
        self.cube = LayerBox(viewer)
        self.cube.setToolTip("The image layer to prepare; it is never changed")
        self.recipe = RecipeBox(self.cube)
        self.box = StepBox()
        self.steps = self.box.steps
        self.form = StepForm()
        self.rays = RayBox()
        self.plot = PreparePlot()
        self.whole = QCheckBox("&Whole recipe")
        self.whole.setToolTip(
            "Compare the input with the result of all steps, instead of the chosen step alone (Alt+W)"
        )
        self.fit = QPushButton("Fit &view")
        self.fit.setToolTip("Show the whole spectra again after zooming (Alt+V)")
        self.caption = QLabel()
        self.caption.setWordWrap(True)
        self.caption.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.caption.setFixedHeight(_CAPTION_HEIGHT)
        self.caption.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.foot = RunBar(
            run="Make a new layer by the steps that are checked; the input stays as it is",
            cancel="Stop; nothing is added",
            placeholder="The result is a new layer; the input stays as it is.",
            height=_MESSAGE_HEIGHT,
        )
        self.all_button = QPushButton("Apply to all &cubes")
        self.all_button.setToolTip(
            "Make a new layer of every cube layer. Those that were prepared so already are left out (Alt+C)"
        )
        self.foot.buttons.insertWidget(1, self.all_button, 2)
        self.target = TargetBox(
            "Result", "The Zarr store that the result is written to; it is opened when it is there"
        )
        self._lay_out(dock)

    def _lay_out(self, dock: QWidget) -> None:
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(6, 4, 6, 4)
        column.setSpacing(6)
        for part in (self.recipe, self.box, self.form, self.rays):
            column.addWidget(part)
        column.addStretch()
        lower = QWidget()
        below = QVBoxLayout(lower)
        below.setContentsMargins(6, 0, 6, 2)
        below.setSpacing(2)
        row = QHBoxLayout()
        row.addWidget(self.whole)
        row.addStretch()
        row.addWidget(self.fit)
        below.addLayout(row)
        below.addWidget(self.plot, stretch=1)
        self.plot.axes_note.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.plot.axes_note.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        below.addWidget(self.plot.axes_note)
        below.addWidget(self.caption)
        parts = QSplitter(Qt.Orientation.Vertical)
        parts.addWidget(scrolled(inner))
        parts.addWidget(lower)
        parts.setChildrenCollapsible(False)
        parts.setSizes([340, 220])
        layout = QVBoxLayout(dock)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(parts, stretch=1)
        layout.addWidget(self.target)
        layout.addWidget(self.foot)
        dock.setMinimumWidth(300)

    def say(self, text: str) -> None:
        """Tell something of the preview; the tooltip has all of it."""
        self.caption.setText(text)
        self.caption.setToolTip(text)
