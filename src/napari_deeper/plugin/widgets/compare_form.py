"""What the Compare dock asks for: target, candidates, regions, components and settings."""

from __future__ import annotations

from typing import Any
from weakref import WeakSet

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from napari_deeper.engine.compare_settings import CompareParams
from napari_deeper.plugin.layers import cube_layers, dwell_time, shown_endmembers
from napari_deeper.plugin.regions import region_layers
from napari_deeper.plugin.widgets.form import ParamsForm, restore
from napari_deeper.spectra.naming import without_common_start
from napari_deeper.spectra.params import to_json

NO_TARGET, NO_REGIONS = "none: describe the layers", "none"
OF_TARGET, AS_SHOWN = "of the target (VCA)", "those shown"
SHOWN = ["n_endmembers", "match_scale", "within"]
ADVANCED = ["interpolation", "noiseless", "class_by", "control", "seed"]
LIST_HEIGHT = 70


class CompareForm(QWidget):
    """Editor of what is compared; emits `changed` when the user changes anything."""

    changed = Signal()

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._viewer = viewer
        self._target: Any = None  # the layer chosen, as long as it is there
        self._no_target = False
        self._region: Any = None
        self._left_out: WeakSet[Any] = WeakSet()
        self.target_box = _box("What the others should be: the truth, or the best there is")
        self.list = QListWidget()
        self.list.setFixedHeight(LIST_HEIGHT)
        self.list.setToolTip("Layers to compare; Space checks and unchecks the current one")
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.region_box = _box(
            "A Shapes or Labels layer: mean ± sd spectra, figures and tests by region"
        )
        self.source_box = _box(
            "Whose components are looked for in every layer: found on the target by vertex component "
            "analysis, or those whose maps are shown as layers"
        )
        self.source_box.addItems([OF_TARGET, AS_SHOWN])
        self.params = ParamsForm(CompareParams, SHOWN, ADVANCED, self.changed.emit)
        fold = QCollapsible("Advanced")
        fold.addWidget(self.params.advanced)
        fold.collapse(animate=False)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        rows = QFormLayout()
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        rows.addRow("Target", self.target_box)
        rows.addRow("Layers", self.list)
        rows.addRow("Regions", self.region_box)
        rows.addRow("Endmembers", self.source_box)
        column.addLayout(rows)
        column.addWidget(self.params)
        column.addWidget(fold)
        self.target_box.activated.connect(self._on_target)
        self.region_box.activated.connect(self._on_region)
        self.source_box.activated.connect(lambda *_: self._emit())
        self.list.itemChanged.connect(self._on_item)

    def refill(self) -> None:
        """List the layers that there are now; choices stay as far as their layers do."""
        cubes = cube_layers(self._viewer.layers)
        if self._target not in cubes:
            self._target = _most_likely_target(cubes)
        _fill(self.target_box, [(NO_TARGET, None), *((c.name, c) for c in cubes)], self.target())
        regions = region_layers(self._viewer.layers)
        if self._region not in regions:
            self._region = None
        _fill(self.region_box, [(NO_REGIONS, None), *((r.name, r) for r in regions)], self._region)
        self.list.blockSignals(True)
        current = self.list.currentRow()
        self.list.clear()
        others = [layer for layer in cubes if layer is not self.target()]
        names = without_common_start([layer.name for layer in others])
        for layer, name in zip(others, names, strict=True):
            self._add_item(layer, name)
        self.list.setCurrentRow(min(current, self.list.count() - 1))
        self.list.blockSignals(False)
        shown = shown_endmembers(self._viewer.layers)
        tooltip = "No component maps are shown" if shown is None else ", ".join(shown.names)
        self.source_box.setItemData(1, tooltip, Qt.ItemDataRole.ToolTipRole)
        for field, usable in (
            (self.source_box, self.target() is not None),
            (self.params.field("within"), self._region is not None),
            (self.params.field("n_endmembers"), not self.uses_shown_endmembers),
        ):
            field.setEnabled(usable)

    def _add_item(self, layer: Any, name: str) -> None:
        item = QListWidgetItem(name)
        item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
        kept = layer not in self._left_out
        item.setCheckState(Qt.CheckState.Checked if kept else Qt.CheckState.Unchecked)
        item.setData(Qt.ItemDataRole.UserRole, layer)
        item.setToolTip(layer.name)
        self.list.addItem(item)

    def target(self) -> Any:
        """Return the target layer, or None."""
        return None if self._no_target else self._target

    def candidates(self) -> list[Any]:
        """Return the layers that are checked, bottom first."""
        items = [self.list.item(i) for i in range(self.list.count())]
        return [
            item.data(Qt.ItemDataRole.UserRole)
            for item in items
            if item is not None and item.checkState() == Qt.CheckState.Checked
        ]

    def region_layer(self) -> Any:
        """Return the layer that regions are taken from, or None."""
        return self._region

    @property
    def uses_shown_endmembers(self) -> bool:
        """Whether the endmembers of the component maps on the canvas are taken."""
        return self.source_box.currentText() == AS_SHOWN

    def choose_target(self, layer: Any) -> None:
        """Choose a target, or None, as the user would."""
        self._no_target = layer is None
        self._target = layer if layer is not None else self._target
        self._emit()

    def choose_regions(self, layer: Any) -> None:
        """Choose the layer of the regions, or None, as the user would."""
        self._region = layer
        self._emit()

    def _on_target(self, *_: object) -> None:
        self.choose_target(self.target_box.currentData())

    def _on_region(self, *_: object) -> None:
        self.choose_regions(self.region_box.currentData())

    def _on_item(self, item: QListWidgetItem) -> None:
        layer = item.data(Qt.ItemDataRole.UserRole)
        if item.checkState() == Qt.CheckState.Checked:
            self._left_out.discard(layer)
        else:
            self._left_out.add(layer)
        self.changed.emit()

    def _emit(self) -> None:
        self.refill()
        self.changed.emit()

    def to_json(self) -> dict[str, Any]:
        """Return the settings that are remembered, as JSON types: those that name no layer."""
        return {"params": to_json(self.params.value()) | {"control": ""}}

    def restore(self, record: dict[str, Any]) -> None:
        """Show what `to_json` returned; what this version does not know stays as it is."""
        restore(self.params, record.get("params"))


def _box(tooltip: str) -> QComboBox:
    box = QComboBox()
    box.setToolTip(tooltip)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(12)
    return box


def _fill(box: QComboBox, entries: list[tuple[str, Any]], chosen: Any) -> None:
    box.blockSignals(True)
    box.clear()
    for name, layer in entries:
        box.addItem(name, layer)
    box.setCurrentIndex(next(i for i, (_, layer) in enumerate(entries) if layer is chosen))
    box.blockSignals(False)


def _most_likely_target(cubes: list[Any]) -> Any:
    """Return the cube measured longest, else the first: results lie above what they were made from."""
    if not cubes:
        return None
    return max(cubes, key=lambda layer: (dwell_time(layer) or 0.0, -cubes.index(layer)))
