"""The Imaging time dock: a measurement in full against a fast one, before one sits down to measure."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget
from superqt import QCollapsible

from napari_deeper.plugin.canvas import current_cube
from napari_deeper.plugin.layers import KEY, dwell_time
from napari_deeper.plugin.widgets.dock_page import DockPage, scrolled
from napari_deeper.plugin.widgets.form import ParamsForm, Remembered, restore
from napari_deeper.plugin.widgets.workspace import tabify_beside_ours
from napari_deeper.spectra import params as settings_of
from napari_deeper.spectra.errors import DeeperError
from napari_deeper.spectra.imaging_plan import PlanParams, plan_imaging
from napari_deeper.spectra.imaging_time import FROM_HOURS, ImagingTime, format_speed_up

if TYPE_CHECKING:
    import napari

_SHOWN = ["n_y", "n_x", "pixel_size_um", "dwell_s", "fast_dwell_s", "scale"]
_MORE = ["pixel_overhead_s", "line_overhead_s"]


class ImagingTimeWidget(DockPage):
    """Say pixels, dwell times and scale; read minutes, the speed-up, and what it is bought with."""

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self._remembered = Remembered("imaging time")
        self.form: ParamsForm[PlanParams] = ParamsForm(PlanParams, _SHOWN, _MORE, self.refresh)
        restore(self.form, self._remembered.load())
        self.take = QPushButton("&Take from the current cube")
        self.take.setToolTip(
            "Pixels, pixel size and dwell time, as far as the cube tells them; a dwell time shorter than the "
            "full one is taken for the fast one (Alt+T)"
        )
        self.take.clicked.connect(self.take_from_cube)
        self.full, self.fast, self.gain, self.notes = (QLabel() for _ in range(4))
        self.gain.setToolTip("How many times sooner the fast measurement is done")
        for label in (self.full, self.fast, self.gain, self.notes):
            label.setWordWrap(True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._lay_out()
        self.listen(
            (self._viewer.layers.events.inserted, self._on_layers),
            (self._viewer.layers.events.removed, self._on_layers),
            (self._viewer.layers.selection.events.active, self._on_layers),
        )
        self._on_layers()
        self.refresh()
        QTimer.singleShot(0, self._settle)

    def _lay_out(self) -> None:
        fold = QCollapsible("Overheads")
        fold.addWidget(self.form.advanced)
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(6, 4, 6, 4)
        for part in (self.form, fold, self.take, self.full, self.fast, self.gain, self.notes):
            column.addWidget(part)
        column.addStretch()
        scroll = scrolled(inner)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scroll)
        self.setMinimumWidth(260)

    def _settle(self) -> None:
        tabify_beside_ours(self)

    def _on_layers(self, *_: object) -> None:
        self.take.setEnabled(current_cube(self._viewer) is not None)

    def take_from_cube(self) -> None:
        """Fill in what the current cube tells."""
        layer = current_cube(self._viewer)
        if layer is None:
            return
        header = layer.metadata[KEY]
        n_y, n_x = layer.data.shape[-2:]
        found = dataclasses.replace(self.form.value(), n_y=int(n_y), n_x=int(n_x))
        if header.get("pixel_size"):
            found = dataclasses.replace(found, pixel_size_um=float(header["pixel_size"][1]))
        seconds = dwell_time(layer)
        if seconds is not None and seconds < found.dwell_s:
            found = dataclasses.replace(found, fast_dwell_s=seconds)
        elif seconds is not None:
            found = dataclasses.replace(found, dwell_s=seconds)
        self.form.set_value(found)
        self.refresh()

    def refresh(self) -> None:
        """Show the plan for what the form says."""
        try:
            params = self.form.value()
            plan = plan_imaging(params)
        except DeeperError as error:
            for label in (self.fast, self.gain, self.notes):
                label.setText("")
            self.full.setText(str(error))
            return
        self._remembered.save(**settings_of.to_json(params))
        size = params.pixel_size_um
        self.full.setText(_row("In full", plan.full, size))
        self.fast.setText(_row("Fast", plan.fast, size * params.scale))
        self.gain.setText(f"<b>{format_speed_up(plan.speed_up, ' ×')} faster</b>")
        self.notes.setText("<br><br>".join(plan.notes))


def _row(name: str, time: ImagingTime, pixel_size: float) -> str:
    unit = "min:s" if time.seconds < FROM_HOURS else "h:min:s"
    unit = "" if time.seconds < 0.5 else f" {unit}"
    text = f"{name}: <b>{time}</b>{unit}, {time.n_y} × {time.n_x} pixels at {time.dwell_s:g} s"
    if not pixel_size:
        return text
    field = f"{time.n_y * pixel_size:g} × {time.n_x * pixel_size:g} µm"
    return f"{text}, {pixel_size:g} µm apart, field {field}"
