"""What the Enhance dock asks for: both steps, their comparators, the device."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from napari_deeper.engine.denoise_params import DenoiseParams
from napari_deeper.engine.enhance import DENOISE_COMPARATORS, SUPER_RESOLVE_COMPARATORS
from napari_deeper.engine.super_resolve_params import SuperResolveParams
from napari_deeper.plugin.widgets.form import ParamsForm, restore
from napari_deeper.plugin.widgets.weights_box import WeightsBox
from napari_deeper.spectra.params import options, to_json


@dataclass(frozen=True)
class Request:
    """What to run; None for a step that is switched off."""

    denoise: DenoiseParams | None
    super_resolve: SuperResolveParams | None
    comparators: tuple[str, ...] = ()

    @property
    def steps(self) -> list[DenoiseParams | SuperResolveParams]:
        """The steps that are on, in order."""
        return [params for params in (self.denoise, self.super_resolve) if params is not None]


class EnhanceForm(QWidget):
    """Editor of a `Request`; emits `changed` when the user changes anything."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.denoise_on = QCheckBox("Denoise")
        self.denoise_on.setToolTip(
            "Turn short-exposure spectra into what a longer exposure would show"
        )
        self.denoise = ParamsForm(
            DenoiseParams, ["method"], _others(DenoiseParams, "method"), self._on_changed
        )
        self.denoise_weights = WeightsBox(["eigenimage", "resunet"])
        self.super_resolve_weights = WeightsBox(["eigenimage", "hyrisr"])
        shown = ["scale", "method", "phase"]
        self.super_resolve_on = QCheckBox("Super-resolve")
        self.super_resolve_on.setToolTip("Estimate the pixels between the measured ones")
        self.super_resolve = ParamsForm(
            SuperResolveParams, shown, _others(SuperResolveParams, *shown), self._on_changed
        )
        for form, weights in self._weights():
            form.layout().addRow("Weights", weights)
            weights.changed.connect(self.changed)
        self.comparators = {
            name: QCheckBox(name) for name in (*DENOISE_COMPARATORS, *SUPER_RESOLVE_COMPARATORS)
        }
        self.device, self.precision = _choices("device"), _choices("precision")
        self._lay_out()
        for box in (self.denoise_on, self.super_resolve_on):
            box.setChecked(True)
            box.toggled.connect(self._on_toggled)
        for choice in (self.device, self.precision):
            choice.currentIndexChanged.connect(self.changed)
        self._suit_weights()

    def _weights(self) -> list[tuple[Any, WeightsBox]]:
        return [
            (self.denoise, self.denoise_weights),
            (self.super_resolve, self.super_resolve_weights),
        ]

    def _on_changed(self) -> None:
        self._suit_weights()
        self.changed.emit()

    def _suit_weights(self) -> None:
        spectra_alone = self.denoise.value().method == "resunet"
        self.denoise_weights.set_wanted(
            ("resunet",) if spectra_alone else ("eigenimage", "resunet")
        )
        params = self.super_resolve.value()
        kinds = ("hyrisr",) if params.method == "hyrisr" else ("eigenimage", "hyrisr")
        self.super_resolve_weights.set_wanted(kinds, params.scale)

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        for widget in (self.denoise_on, self.denoise, self.super_resolve_on, self.super_resolve):
            column.addWidget(widget)
        column.addWidget(self._comparator_fold())
        column.addWidget(self._advanced_fold())
        row = QHBoxLayout()
        for label, choice in (("Device", self.device), ("Precision", self.precision)):
            row.addWidget(QLabel(label))
            row.addWidget(choice, stretch=1)
        column.addLayout(row)

    def _comparator_fold(self) -> QCollapsible:
        box = QWidget()
        grid = QGridLayout(box)
        grid.setContentsMargins(0, 0, 0, 0)
        for column, names in enumerate((DENOISE_COMPARATORS, SUPER_RESOLVE_COMPARATORS)):
            grid.addWidget(QLabel(("Denoise", "Super-resolve")[column]), 0, column)
            for row, name in enumerate(names):
                self.comparators[name].setToolTip(f"Add the result of {name} as one more layer")
                grid.addWidget(self.comparators[name], row + 1, column)
        return _fold("Add comparators beside", box)

    def _advanced_fold(self) -> QCollapsible:
        box = QWidget()
        column = QVBoxLayout(box)
        column.setContentsMargins(0, 0, 0, 0)
        for title, form in (("Denoise", self.denoise), ("Super-resolve", self.super_resolve)):
            column.addWidget(QLabel(title))
            column.addWidget(form.advanced)
        return _fold("Advanced", box)

    def _on_toggled(self, *_: object) -> None:
        self.denoise.setEnabled(self.denoise_on.isChecked())
        self.super_resolve.setEnabled(self.super_resolve_on.isChecked())
        for names, on in (
            (DENOISE_COMPARATORS, self.denoise_on),
            (SUPER_RESOLVE_COMPARATORS, self.super_resolve_on),
        ):
            for name in names:
                self.comparators[name].setEnabled(on.isChecked())
        self.changed.emit()

    def refill_weights(self) -> None:
        """List the weights that there are now."""
        for _, box in self._weights():
            box.refill()

    def use_model(self, model: str, what: str, scale: int, network: str) -> None:
        """Choose a model of the user's, with the settings that it was made for."""
        if what == "denoise":
            self.denoise_on.setChecked(True)
            self.denoise.set_field("method", "resunet" if network == "resunet" else "auto")
            self.denoise_weights.set_value(model)
            return
        self.super_resolve_on.setChecked(True)
        self.super_resolve.set_field("scale", scale)
        self.super_resolve.set_field("method", "hyrisr" if network == "hyrisr" else "auto")
        self.super_resolve_weights.set_value(model)

    def value(self) -> Request:
        """Return what is asked for.

        Raises
        ------
        ParameterError
            Where a value is not allowed.
        """
        shared = self._shared()
        denoise = super_resolve = None
        if self.denoise_on.isChecked():
            model = self.denoise_weights.value()
            denoise = dataclasses.replace(self.denoise.value(), model=model, **shared)
        if self.super_resolve_on.isChecked():
            model = self.super_resolve_weights.value()
            super_resolve = dataclasses.replace(self.super_resolve.value(), model=model, **shared)
        chosen = (n for n, box in self.comparators.items() if box.isEnabled() and box.isChecked())
        return Request(denoise, super_resolve, tuple(chosen))

    def _shared(self) -> dict[str, Any]:
        """Return the settings that both steps have in common."""
        return {"device": self.device.currentText(), "precision": self.precision.currentText()}

    def set_value(self, request: Request) -> None:
        """Show a request; a step that is None is switched off and keeps its settings."""
        self.denoise_on.setChecked(request.denoise is not None)
        self.super_resolve_on.setChecked(request.super_resolve is not None)
        if request.denoise is not None:
            self.denoise.set_value(request.denoise)
            self.denoise_weights.set_value(request.denoise.model)
        if request.super_resolve is not None:
            self.super_resolve.set_value(request.super_resolve)
            self._suit_weights()
            self.super_resolve_weights.set_value(request.super_resolve.model)
        for params in request.steps:
            self.device.setCurrentText(params.device)
            self.precision.setCurrentText(params.precision)
        for name, box in self.comparators.items():
            box.setChecked(name in request.comparators)
        self.changed.emit()

    def to_json(self) -> dict[str, Any]:
        """Return everything shown, also of steps that are off, as JSON types."""
        return {
            "denoise": to_json(self.denoise.value()),
            "super_resolve": to_json(self.super_resolve.value()),
            "denoise_on": self.denoise_on.isChecked(),
            "super_resolve_on": self.super_resolve_on.isChecked(),
            "weights": [weights.value() for _, weights in self._weights()],
            **self._shared(),
            "comparators": [n for n, box in self.comparators.items() if box.isChecked()],
        }

    def restore(self, record: dict[str, Any]) -> None:
        """Show what `to_json` returned; what this version does not know stays at its default."""
        restore(self.denoise, record.get("denoise"))
        restore(self.super_resolve, record.get("super_resolve"))
        self.denoise_on.setChecked(bool(record.get("denoise_on", True)))
        self.super_resolve_on.setChecked(bool(record.get("super_resolve_on", True)))
        self._suit_weights()
        for (_, box), value in zip(self._weights(), record.get("weights", ()), strict=False):
            box.restore(str(value))
        self.device.setCurrentText(str(record.get("device", "auto")))
        self.precision.setCurrentText(str(record.get("precision", "auto")))
        for name in record.get("comparators", ()):
            if name in self.comparators:
                self.comparators[name].setChecked(True)


def _others(params_type: Any, *shown: str) -> list[str]:
    """Return the remaining fields: some are chosen once for both steps, the weights have a box."""
    elsewhere = (*shown, "device", "precision", "model")
    return [f.name for f in dataclasses.fields(params_type) if f.name not in elsewhere]


def _choices(name: str) -> QComboBox:
    """Return a box of the choices for a setting that both steps have."""
    rule = options(DenoiseParams, name)
    box = QComboBox()
    box.addItems([str(choice) for choice in rule["choices"]])
    box.setToolTip(str(rule.get("tooltip", "")))
    return box


def _fold(title: str, widget: QWidget) -> QCollapsible:
    fold = QCollapsible(title)
    fold.addWidget(widget)
    fold.collapse(animate=False)
    return fold
