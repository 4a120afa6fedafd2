"""What the Components dock asks for: how to search, and which layers to show."""

from __future__ import annotations

import dataclasses
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QGridLayout,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from napari_deeper.engine.unmix_settings import UnmixParams
from napari_deeper.plugin.component_layers import CLASSES, COMPONENTS, COMPOSITE, RESIDUAL
from napari_deeper.plugin.widgets.form import ParamsForm, restore
from napari_deeper.spectra.params import options, to_json

SHOWN = ["method", "solver"]
ADVANCED = ["leave_out_spikes", "seed"]
LAYERS = {
    COMPOSITE: ("&Composite", "One picture: the colors of the ticked components added up", True),
    CLASSES: ("Cl&asses", "Labels: the component with the largest abundance; 0 is missing", True),
    COMPONENTS: ("&Maps", "A layer for each component: its abundance, from black to its color", False),
    RESIDUAL: (
        "Left &over",
        "Root mean square of what the mixture leaves of each spectrum, in its intensity unit",
        False,
    ),
}  # fmt: skip


class ComponentsForm(QWidget):
    """Editor of `UnmixParams` and of what is shown; emits `changed`, or `shown_changed` for the layers alone."""

    changed = Signal()
    shown_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.params = ParamsForm(UnmixParams, SHOWN, ADVANCED, self.changed.emit)
        # a box of its own: magicgui's cannot say "estimate" in place of 0
        rule = options(UnmixParams, "n_endmembers")
        self.number = QSpinBox()
        self.number.setRange(int(rule["min"]), int(rule["max"]))
        self.number.setValue(UnmixParams().n_endmembers)
        self.number.setSpecialValueText("estimate")
        self.number.setToolTip(str(rule["tooltip"]))
        self.number.valueChanged.connect(lambda _: self.changed.emit())
        for name in ("method", "solver"):
            box: Any = self.params.field(name)
            box.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
            box.setMinimumContentsLength(6)
        self.layers = {kind: QCheckBox(label) for kind, (label, _, _) in LAYERS.items()}
        for kind, (_, tooltip, on) in LAYERS.items():
            self.layers[kind].setToolTip(tooltip)
            self.layers[kind].setChecked(on)
        self.every = QCheckBox("Every cu&be")
        self.every.setToolTip(
            "Apply these endmembers to every other cube layer too; cubes of one dwell time share one\n"
            "contrast per component"
        )
        fold = QCollapsible("Advanced")
        fold.addWidget(self.params.advanced)
        fold.collapse(animate=False)
        boxes = QGridLayout()
        for i, tick in enumerate((*self.layers.values(), self.every)):
            boxes.addWidget(tick, i // 3, i % 3)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        row = QFormLayout()
        row.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        row.addRow(str(rule["label"]), self.number)
        column.addLayout(row)
        column.addWidget(self.params)
        column.addLayout(boxes)
        column.addWidget(fold)
        for tick in self.layers.values():
            tick.toggled.connect(self.shown_changed)

    def kinds(self) -> list[str]:
        """Return which layers to show."""
        return [kind for kind, tick in self.layers.items() if tick.isChecked()]

    def solver(self) -> str:
        """Return how abundances are solved for."""
        return self.params.value().solver

    def value(self) -> UnmixParams:
        """Return the settings.

        Raises
        ------
        ParameterError
            Where a value is not allowed.
        """
        return dataclasses.replace(self.params.value(), n_endmembers=self.number.value())

    def to_json(self) -> dict[str, Any]:
        """Return what is shown, as JSON types."""
        return {
            "params": to_json(self.value()),
            "layers": self.kinds(),
            "every": self.every.isChecked(),
        }

    def restore(self, record: dict[str, Any]) -> None:
        """Show what `to_json` returned; what this version does not know stays as it is."""
        params = record.get("params")
        restore(self.params, params)
        if isinstance(params, dict) and isinstance(params.get("n_endmembers"), int):
            self.number.setValue(params["n_endmembers"])
        if isinstance(record.get("layers"), list):
            for kind, tick in self.layers.items():
                tick.setChecked(kind in record["layers"])
        self.every.setChecked(record.get("every") is True)
