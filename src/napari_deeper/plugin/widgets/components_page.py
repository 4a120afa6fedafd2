"""The widgets of the Components dock and where they lie; what they do is in the classes made of this one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.utils.theme import get_theme
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFormLayout, QLabel, QSplitter, QVBoxLayout, QWidget

from napari_deeper.plugin.widgets.components_form import ComponentsForm
from napari_deeper.plugin.widgets.components_result import ComponentsResult
from napari_deeper.plugin.widgets.dock_page import DockPage, scrolled
from napari_deeper.plugin.widgets.layer_box import LayerBox
from napari_deeper.plugin.widgets.run_bar import RunBar
from napari_deeper.plugin.widgets.target_box import TargetBox

if TYPE_CHECKING:
    import napari


class ComponentsPage(DockPage):
    """Target, settings, run bar and result, one below the other."""

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self.target = LayerBox(self._viewer)
        self.target.setToolTip(
            "The cube on which endmembers are looked for: the one with the least noise"
        )
        self.fit = QLabel()
        self.fit.setWordWrap(True)
        self.output = TargetBox("Folder", "Folder that the results are written to as well")
        self.form = ComponentsForm()
        self.foot = RunBar(
            run="Look for endmembers on this cube, and make their maps; the cube stays as it is",
            cancel="Stop within one block of pixels",
            placeholder="Endmembers are looked for on the chosen cube; with Every cube they are applied to all.",
            height=56,
        )
        self.result = ComponentsResult()
        self._lay_out()
        self._set_theme()
        self.listen((self._viewer.events.theme, self._set_theme))

    def _lay_out(self) -> None:
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(6, 4, 6, 0)
        boxes = QFormLayout()
        boxes.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        boxes.addRow("Cube", self.target)
        column.addLayout(boxes)
        column.addWidget(self.fit)
        column.addWidget(self.output)
        column.addWidget(self.form)
        column.addStretch()
        scroll = scrolled(inner)
        scroll.setMinimumHeight(110)
        lower = QWidget()
        stack = QVBoxLayout(lower)
        stack.setContentsMargins(0, 0, 0, 0)
        stack.addWidget(self.foot)
        stack.addWidget(self.result, stretch=1)
        parts = QSplitter(Qt.Orientation.Vertical)
        parts.addWidget(scroll)
        parts.addWidget(lower)
        parts.setChildrenCollapsible(False)
        parts.setSizes([230, 420])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(parts)
        self.setMinimumWidth(300)

    def _set_theme(self, *_: object) -> None:
        theme = get_theme(self._viewer.theme)
        self.result.plot.set_theme(theme.background.as_hex(), theme.text.as_hex())
