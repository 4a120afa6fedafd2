"""The settings beside the plot: averaging, scaling, copies, and where one is."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QGridLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_deeper.plugin.widgets.spectrum_plot import Curve
from napari_deeper.spectra.trust import FLAG_WARNING

AS_MEASURED, PER_SECOND, MAXIMUM, AREA = "as measured", "per second", "maximum = 1", "area = 1"
WIDTH = 190


class StatusLine(QLabel):
    """One line along the foot of the dock, so that what it says moves nothing; its tooltip has it all."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.say("")

    def say(self, text: str, more: Sequence[str] = ()) -> None:
        """Show a text; `more` is told by the tooltip only."""
        self.setText(text or " ")
        self.setToolTip("\n".join([text, *more]).strip())


class CurvePanel(QWidget):
    """How curves are averaged and scaled, and what to do with them; emits `changed` on a new setting."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.radius = QDoubleSpinBox()
        self.radius.setRange(0, 1000)
        self.radius.setDecimals(2)
        self.radius.setSingleStep(0.5)
        self.radius.setToolTip(
            "Average the pixels within this distance of the place; 0 reads the single pixel.\n"
            "The uncertainty of an average is taken to be the mean of the pixels' uncertainties."
        )
        self.uncertainty = QCheckBox("Show uncertainty")
        self.uncertainty.setChecked(True)
        self.uncertainty.setToolTip(
            "Shade how far off each value may be, where a result knows it:\n"
            "in about two of three cases the true value lies within the shade (one sigma)"
        )
        self.scaling = QComboBox()
        self.scaling.addItems((AS_MEASURED, PER_SECOND, MAXIMUM, AREA))
        self.scaling.setToolTip(
            "Scale the curves for display only; copies and files keep the cube's intensities.\n"
            "per second: divided by the dwell time, for cubes whose file tells it"
        )
        self.copy = _button("Copy", "Copy the spectra as a table, in the cube's own intensities")
        self.save = _button("Save CSV...", "Save the spectra, in the cube's own intensities")
        self.clear = _button("Clear", "Remove all markers (Escape)")
        self.fit = _button("Fit view", "Show the whole spectra again after zooming")
        self.status = StatusLine()
        self._lay_out()
        self.radius.valueChanged.connect(self.changed)
        self.scaling.currentIndexChanged.connect(self.changed)
        self.uncertainty.toggled.connect(self.changed)

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow("Radius", self.radius)
        form.addRow("Show", self.scaling)
        form.addRow(self.uncertainty)
        buttons = QGridLayout()
        for i, button in enumerate((self.copy, self.save, self.clear, self.fit)):
            buttons.addWidget(button, i // 2, i % 2)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(form)
        column.addLayout(buttons)
        column.addStretch()
        self.setFixedWidth(WIDTH)

    def how(self, curves: list[Curve]) -> str:
        """Return how these curves are scaled: as chosen, unless a dwell time is not known."""
        chosen = self.scaling.currentText()
        if chosen == PER_SECOND and any(curve.dwell_time is None for curve in curves):
            return AS_MEASURED
        return chosen

    def show_place(self, text: str, curves: list[Curve], flagged: list[str]) -> None:
        """Say where the curves come from, and allow what can be done with them; `flagged` names layers."""
        told = [text] if text else []
        more = [f"Flagged in {name}" for name in flagged]
        if flagged:
            told.append(FLAG_WARNING)
        if curves and self.how(curves) != self.scaling.currentText():
            told.append("A dwell time is not known: shown as measured.")
        self.status.say("   ".join(told), more)
        for button in (self.copy, self.save, self.clear):
            button.setEnabled(bool(curves))


def scaled(curve: Curve, how: str) -> Curve:
    """Return a curve scaled for display."""
    if how == AS_MEASURED:
        return curve
    if how == PER_SECOND:
        size = curve.dwell_time or 1.0
    elif how == AREA:
        size = float(np.trapezoid(np.abs(curve.intensity), curve.wavenumber))
    else:
        size = float(np.nanmax(np.abs(curve.intensity)))
    if not size > 0:
        return curve
    sigma = None if curve.uncertainty is None else curve.uncertainty / size
    return dataclasses.replace(curve, intensity=curve.intensity / size, uncertainty=sigma)


def intensity_label(unit: str, how: str) -> str:
    """Return the name of the intensity axis for a unit and a scaling."""
    shown = {AS_MEASURED: unit, PER_SECOND: f"{unit}/s"}.get(how, "normalized")
    return f"Intensity ({shown})"


def _button(text: str, tooltip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tooltip)
    return button
