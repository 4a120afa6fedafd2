"""What the Components dock asks for: how to search, and which layers to show."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QGridLayout, QVBoxLayout, QWidget
from superqt import QCollapsible

from napari_deeper.engine.unmix import UnmixParams
from napari_deeper.plugin.component_layers import CLASSES, COMPONENTS, COMPOSITE, RESIDUAL
from napari_deeper.plugin.widgets.form import ParamsForm, restore
from napari_deeper.spectra.params import to_json

SHOWN = ["n_endmembers", "method", "solver"]
ADVANCED = ["leave_out_spikes", "seed"]
LAYERS = {
    COMPOSITE: ("&Composite", "One picture: the colors of the ticked components added up", True),
    CLASSES: ("C&lasses", "Labels: the component with the largest abundance; 0 is missing", True),
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
        number: Any = self.params.field("n_endmembers")
        number.setSpecialValueText("estimate")
        self.layers = {kind: QCheckBox(label) for kind, (label, _, _) in LAYERS.items()}
        for kind, (_, tooltip, on) in LAYERS.items():
            self.layers[kind].setToolTip(tooltip)
            self.layers[kind].setChecked(on)
        self.every = QCheckBox("&Every cube")
        self.every.setToolTip(
            "Apply these endmembers to every other cube layer too; cubes of one dwell time share one\n"
            "contrast per component"
        )
        fold = QCollapsible("Advanced")
        fold.addWidget(self.params.advanced)
        fold.collapse(animate=False)
        boxes = QGridLayout()
        for i, box in enumerate((*self.layers.values(), self.every)):
            boxes.addWidget(box, i // 3, i % 3)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.params)
        column.addLayout(boxes)
        column.addWidget(fold)
        for box in self.layers.values():
            box.toggled.connect(self.shown_changed)

    def kinds(self) -> list[str]:
        """Return which layers to show."""
        return [kind for kind, box in self.layers.items() if box.isChecked()]

    def value(self) -> UnmixParams:
        """Return the settings.

        Raises
        ------
        ParameterError
            Where a value is not allowed.
        """
        return self.params.value()

    def to_json(self) -> dict[str, Any]:
        """Return what is shown, as JSON types."""
        return {
            "params": to_json(self.params.value()),
            "layers": self.kinds(),
            "every": self.every.isChecked(),
        }

    def restore(self, record: dict[str, Any]) -> None:
        """Show what `to_json` returned; what this version does not know stays as it is."""
        restore(self.params, record.get("params"))
        if isinstance(record.get("layers"), list):
            for kind, box in self.layers.items():
                box.setChecked(kind in record["layers"])
        self.every.setChecked(record.get("every") is True)
