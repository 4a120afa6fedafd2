"""What the Evaluate dock asks for: how the input is made, and the settings of the evaluation."""

from __future__ import annotations

import dataclasses
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QVBoxLayout, QWidget
from superqt import QCollapsible

from napari_deeper.engine.evaluate import EvaluateParams
from napari_deeper.plugin.widgets.form import ParamsForm, restore
from napari_deeper.spectra.params import to_json

ADD_NOISE, LEAVE_OUT, BOTH = "add noise", "leave pixels out", "add noise, leave pixels out"
PAIR = "another layer, measured"
TESTS = {
    ADD_NOISE: "Noise is added to the reference; the methods have to take it off again",
    LEAVE_OUT: "Only every second (third, fourth) pixel of the reference is kept; the rest is to be found",
    BOTH: "Noise is added and pixels are left out",
    PAIR: "The input is another layer of the same field: a shorter exposure, or a coarser scan",
}
SHOWN = ["noise", "level", "scale"]
NOISE_FIELDS, SCALE_FIELDS = ("noise", "level"), ("scale",)


class EvaluateForm(QWidget):
    """Editor of `EvaluateParams` and of the test; emits `changed` when the user changes anything.

    Parameters
    ----------
    other
        Where the second layer of a test is chosen, to be shown beside the test.
    """

    changed = Signal()

    def __init__(self, other: QWidget) -> None:
        super().__init__()
        self.test = QComboBox()
        for name, tooltip in TESTS.items():
            self.test.addItem(name)
            self.test.setItemData(self.test.count() - 1, tooltip, 3)  # 3: the tooltip's role
        self.test.setToolTip("Where the input of the methods comes from")
        self.test.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        others = [f.name for f in dataclasses.fields(EvaluateParams) if f.name not in SHOWN]
        self.params = ParamsForm(EvaluateParams, SHOWN, others, self.changed.emit)
        self.params.set_field("scale", 2)
        fold = QCollapsible("Advanced")
        fold.addWidget(self.params.advanced)
        fold.collapse(animate=False)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        row = QFormLayout()
        row.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        row.addRow("Input", self.test)
        row.addRow("Layer", other)
        column.addLayout(row)
        column.addWidget(self.params)
        column.addWidget(fold)
        self.test.currentIndexChanged.connect(self._on_test)
        self._on_test()

    @property
    def needs_other_layer(self) -> bool:
        """Whether a second layer takes part."""
        return self.test.currentText() == PAIR

    def _on_test(self, *_: object) -> None:
        test = self.test.currentText()
        # switched off, not hidden: nothing jumps
        for name in NOISE_FIELDS:
            self.params.field(name).setEnabled(test in (ADD_NOISE, BOTH))
        for name in SCALE_FIELDS:
            self.params.field(name).setEnabled(test in (LEAVE_OUT, BOTH))
        self.changed.emit()

    def value(self, scale_of_pair: int = 1) -> EvaluateParams:
        """Return the settings; `scale_of_pair` is that of a coarser second layer.

        Raises
        ------
        ParameterError
            Where a value is not allowed.
        """
        params, test = self.params.value(), self.test.currentText()
        if test == PAIR:
            return dataclasses.replace(params, noise="none", scale=scale_of_pair)
        if test == LEAVE_OUT:
            return dataclasses.replace(params, noise="none")
        # auto adds none for super-resolution, but here noise is asked for
        noise = "white" if params.noise == "auto" else params.noise
        scale = params.scale if test == BOTH else 1
        return dataclasses.replace(params, noise=noise, scale=scale)

    def to_json(self) -> dict[str, Any]:
        """Return what is shown, as JSON types."""
        return {"test": self.test.currentText(), "params": to_json(self.params.value())}

    def restore(self, record: dict[str, Any]) -> None:
        """Show what `to_json` returned; what this version does not know stays as it is."""
        restore(self.params, record.get("params"))
        if record.get("test") in TESTS:
            self.test.setCurrentText(str(record["test"]))
