"""The Spectra dock: a pixel on the canvas gives its spectra, a band on the plot gives its heatmap."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.theme import get_theme
from numpy.typing import NDArray
from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QGuiApplication, QKeyEvent
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
)

from napari_deeper.io.spectra_table import Column, format_spectra, write_spectra
from napari_deeper.plugin.canvas import current_cube
from napari_deeper.plugin.layers import (
    KEY,
    cube_layers,
    dwell_time,
    spectrum_at,
    wavenumbers,
)
from napari_deeper.plugin.widgets.dock_page import DockPage
from napari_deeper.plugin.widgets.heatmap import KEY as HEATMAP
from napari_deeper.plugin.widgets.heatmap import Heatmaps
from napari_deeper.plugin.widgets.markers import Markers, Place
from napari_deeper.plugin.widgets.spectrum_plot import COLORS, Curve, SpectrumPlot
from napari_deeper.processing.bands import PRESETS
from napari_deeper.spectra.errors import FileError

if TYPE_CHECKING:
    import napari

MOVE_MS = 16
SIDE_WIDTH = 190
HINT = "Click a pixel to read its spectrum.\nShift + move: browse.  Ctrl + click: add a marker."
NO_CUBE = "No Raman cube is open.\nFile > Open, or File > Open Sample > DeepeR."
AS_MEASURED, PER_SECOND = "as measured", "per second"
SHOWN = (AS_MEASURED, PER_SECOND, "maximum = 1", "area = 1")


class SpectraWidget(DockPage):
    """Spectra of a place in every cube layer that covers it, and heatmaps of a band."""

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self._heatmaps = Heatmaps(self._viewer)
        self._markers = Markers(self._viewer)
        self._browsed: Place | None = None
        self._range_of: object = None
        self._move_timer = QTimer(self)
        self._move_timer.setSingleShot(True)
        self._move_timer.setInterval(MOVE_MS)
        self._move_timer.timeout.connect(self.refresh)
        self.plot = SpectrumPlot()
        self.status = QLabel()
        self.status.setWordWrap(True)
        self.status.setFixedWidth(SIDE_WIDTH)
        self._build_controls()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 2, 4, 2)
        layout.setSpacing(2)
        layout.addLayout(self._band_row())
        # the settings stand beside the plot: on a small screen height is what is short
        below = QHBoxLayout()
        below.addWidget(self.plot, stretch=1)
        below.addLayout(self._side())
        layout.addLayout(below, stretch=1)
        self.setMinimumHeight(180)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._connect()
        self._set_theme()
        self.refresh()

    # ---- what it is made of -------------------------------------------------------------------------------------

    def _build_controls(self) -> None:
        self.preset = QComboBox()
        self.preset.addItem("own band")
        for band in PRESETS:
            self.preset.addItem(str(band), band)
        self.preset.setToolTip("Move the band to a known vibration")
        self.low, self.high = (self._wavenumber_box() for _ in range(2))
        self.heatmap = QCheckBox("Heatmap")
        self.heatmap.setToolTip(
            "Show the mean intensity of the band as an image; drag the band and it follows"
        )
        self.every = QCheckBox("of every cube")
        self.every.setToolTip(
            "Heatmaps of all cube layers on one contrast; off: of the current cube only"
        )
        self.radius = QDoubleSpinBox()
        self.radius.setRange(0, 1000)
        self.radius.setDecimals(2)
        self.radius.setSingleStep(0.5)
        self.radius.setToolTip(
            "Average the pixels within this distance of the place; 0 reads the single pixel"
        )
        self.normalize = QComboBox()
        self.normalize.addItems(SHOWN)
        self.normalize.setToolTip(
            "Scale the curves for display only; copies and files keep the cube's intensities.\n"
            "per second: divided by the dwell time, for cubes whose file tells it"
        )
        self.fit = self._button(
            "Fit view", "Show the whole spectra again (after zooming with the wheel)"
        )
        self.copy = self._button(
            "Copy", "Copy the spectra as a table (tabs), in the cube's own intensities"
        )
        self.save = self._button(
            "Save CSV...", "Save the spectra as CSV, in the cube's own intensities"
        )
        self.clear = self._button("Clear", "Remove all markers (Escape)")

    def _wavenumber_box(self) -> QDoubleSpinBox:
        box = QDoubleSpinBox()
        box.setRange(-5000, 10000)
        box.setDecimals(0)
        box.setSuffix(" cm-1")
        box.setToolTip("Border of the band")
        box.setKeyboardTracking(False)
        return box

    def _button(self, text: str, tooltip: str) -> QPushButton:
        button = QPushButton(text)
        button.setToolTip(tooltip)
        return button

    def _band_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        for widget in (QLabel("Band"), self.preset, self.low, QLabel("to"), self.high):
            row.addWidget(widget)
        row.addWidget(self.heatmap)
        row.addWidget(self.every)
        row.addStretch()
        return row

    def _side(self) -> QVBoxLayout:
        form = QFormLayout()
        form.addRow("Radius", self.radius)
        form.addRow("Show", self.normalize)
        buttons = QGridLayout()
        for i, button in enumerate((self.copy, self.save, self.clear, self.fit)):
            buttons.addWidget(button, i // 2, i % 2)
        side = QVBoxLayout()
        side.addLayout(form)
        side.addLayout(buttons)
        side.addWidget(self.status)
        side.addStretch()
        return side

    def _connect(self) -> None:
        self.low.setValue(PRESETS[4].limits[0])
        self.high.setValue(PRESETS[4].limits[1])
        self.preset.setCurrentIndex(5)
        self.preset.activated.connect(self._on_preset)
        self.low.valueChanged.connect(self._on_band_boxes)
        self.high.valueChanged.connect(self._on_band_boxes)
        self.plot.band_changed.connect(self._on_band_dragged)
        self.heatmap.toggled.connect(self._update_heatmaps)
        self.every.toggled.connect(self._update_heatmaps)
        self.radius.valueChanged.connect(self.refresh)
        self.normalize.currentIndexChanged.connect(self.refresh)
        self.fit.clicked.connect(self.plot.fit)
        self.copy.clicked.connect(self.copy_spectra)
        self.save.clicked.connect(self._on_save)
        self.clear.clicked.connect(self.clear_markers)
        viewer = self._viewer
        viewer.mouse_drag_callbacks.append(self._on_press)
        viewer.mouse_move_callbacks.append(self._on_move)
        self.listen(
            (viewer.layers.events.inserted, self._on_layers),
            (viewer.layers.events.removed, self._on_layers),
            (viewer.layers.events.renamed, self._on_layers),
            (viewer.layers.selection.events.active, self._on_active),
            (viewer.events.theme, self._set_theme),
        )

    def release(self) -> None:
        """Let go of the mouse and of the viewer's events."""
        super().release()
        self._move_timer.stop()
        for callbacks, callback in (
            (self._viewer.mouse_drag_callbacks, self._on_press),
            (self._viewer.mouse_move_callbacks, self._on_move),
        ):
            if callback in callbacks:
                callbacks.remove(callback)

    # ---- canvas to plot -----------------------------------------------------------------------------------------

    def _on_press(self, viewer: napari.Viewer, event: Any) -> Iterator[None]:
        active = viewer.layers.selection.active
        mode = str(getattr(active, "mode", "pan_zoom"))
        if event.button != 1 or mode not in ("pan_zoom", "Mode.PAN_ZOOM") or not self._flat():
            return
        place, add = self._place(event), "Control" in event.modifiers
        yield
        while event.type == "mouse_move":
            if np.hypot(*np.subtract(self._place(event), place)) > self._drag_tolerance():
                return
            yield
        self.pin(place, add=add)

    def _on_move(self, viewer: napari.Viewer, event: Any) -> None:
        if "Shift" not in event.modifiers or not self._flat():
            if self._browsed is not None:
                self._browsed = None
                self._move_timer.start()
            return
        self._browsed = self._place(event)
        if not self._move_timer.isActive():
            self._move_timer.start()

    def _flat(self) -> bool:
        dims = self._viewer.dims
        return dims.ndisplay == 2 and tuple(dims.displayed) == (dims.ndim - 2, dims.ndim - 1)

    @staticmethod
    def _place(event: Any) -> Place:
        y, x = event.position[-2:]
        return float(y), float(x)

    def _drag_tolerance(self) -> float:
        return 4 / float(self._viewer.scene.camera.zoom)

    def pin(self, place: Place, *, add: bool = False) -> None:
        """Show the spectra of a place (y, x) in world units; `add` keeps the markers before it."""
        if not any(spectrum_at(layer, place, 0) is not None for layer in self._cubes()):
            self.status.setText("That place lies outside every cube.")
            return
        self._browsed = None
        self._markers.pin(place, add=add)
        self.refresh()

    def move_pin(self, down: int, right: int) -> None:
        """Move the last marker by whole pixels of the current cube."""
        layer = current_cube(self._viewer)
        if layer is None or not self._markers.places:
            return
        y, x = self._markers.places[-1]
        dy, dx = layer.scale[-2:]
        self.pin((y + down * float(dy), x + right * float(dx)))

    def clear_markers(self) -> None:
        """Forget every marker."""
        self._browsed = None
        self._markers.clear()
        self.refresh()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Arrow keys move the pinned pixel, Escape clears the markers."""
        moves = {
            Qt.Key.Key_Up: (-1, 0),
            Qt.Key.Key_Down: (1, 0),
            Qt.Key.Key_Left: (0, -1),
            Qt.Key.Key_Right: (0, 1),
        }
        if event is None:
            return
        key = Qt.Key(event.key())
        if key in moves:
            self.move_pin(*moves[key])
        elif key == Qt.Key.Key_Escape:
            self.clear_markers()
        else:
            super().keyPressEvent(event)

    # ---- curves -------------------------------------------------------------------------------------------------

    def places(self) -> list[Place]:
        """Return the places shown: the markers, and last the one under the pointer while browsing."""
        return self._markers.places + ([self._browsed] if self._browsed else [])

    def curves(self) -> list[Curve]:
        """Return one curve per place and cube layer that covers it, in the cube's own intensities."""
        curves = []
        many = len(self.places()) > 1
        for marker, place in enumerate(self.places()):
            for i, layer in enumerate(self._cubes()):
                spectrum = spectrum_at(layer, place, self.radius.value())
                if spectrum is None:
                    continue
                name = f"{marker + 1}: {layer.name}" if many else layer.name
                color = COLORS[i % len(COLORS)]
                curves.append(
                    Curve(name, wavenumbers(layer), spectrum, color, marker, dwell_time(layer))
                )
        return curves

    def refresh(self, *_: object) -> None:
        """Draw what the markers, the layers and the settings now say."""
        curves = self.curves()
        how = self._scaling(curves)
        self.plot.set_curves([_scaled(curve, how) for curve in curves])
        self.plot.set_hint(HINT if self._cubes() else NO_CUBE)
        self._update_labels(how)
        for widget in (self.copy, self.save, self.clear):
            widget.setEnabled(bool(curves))
        self.heatmap.setEnabled(bool(self._cubes()))
        self.every.setEnabled(bool(self._cubes()))

    def _scaling(self, curves: list[Curve]) -> str:
        """Return how the curves are scaled: as chosen, unless a dwell time is not known."""
        how = self.normalize.currentText()
        if how == PER_SECOND and any(curve.dwell_time is None for curve in curves):
            return AS_MEASURED
        return how

    def _update_labels(self, how: str) -> None:
        layer = current_cube(self._viewer)
        header = layer.metadata[KEY] if layer is not None else {}
        unit = "µm" if header.get("pixel_size") else "px"
        self.radius.setSuffix(f" {unit}")
        unit_of_intensity = str(header.get("metadata", {}).get("intensity_unit", "arb. units"))
        if how == PER_SECOND:
            unit_of_intensity += "/s"
        elif how != AS_MEASURED:
            unit_of_intensity = "normalized"
        self.plot.set_y_label(f"Intensity ({unit_of_intensity})")
        if layer is not None and self._range_of != tuple(wavenumbers(layer)[[0, -1]]):
            self._range_of = tuple(wavenumbers(layer)[[0, -1]])
            self.plot.set_axis_range(*self._range_of)
        places = self.places()
        if not places:
            self.status.setText("")
            return
        y, x = places[-1]
        text = f"y {y:.2f}, x {x:.2f} {unit}"
        if len(places) > 1:
            text += f"  ({len(places)} places)"
        if how != self.normalize.currentText():
            text += "\nA dwell time is not known: shown as measured."
        self.status.setText(text)

    def _cubes(self) -> list[Any]:
        return cube_layers(self._viewer.layers)

    def _columns(self) -> list[Column]:
        unit = self.radius.suffix().strip().replace("µ", "u")
        radius = self.radius.value()
        columns = []
        for curve in self.curves():
            y, x = self.places()[curve.marker]
            name = f"{curve.name} (y {y:.3f}, x {x:.3f} {unit}, radius {radius:g} {unit})"
            columns.append((name, curve.wavenumber, curve.intensity))
        return columns

    def copy_spectra(self) -> None:
        """Put the spectra on the clipboard as a table."""
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(format_spectra(self._columns(), separator="\t"))
            self.status.setText("Spectra copied.")

    def _on_save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save spectra", "spectra.csv", "CSV (*.csv)")
        if path:
            self.save_spectra(Path(path))

    def save_spectra(self, path: Path) -> None:
        """Write the spectra as CSV; a failure is told in the status line."""
        try:
            written = write_spectra(self._columns(), path.with_suffix(".csv"))
        except FileError as error:
            self.status.setText(str(error))
            return
        self.status.setText(f"Saved {written.name}.")

    # ---- plot to canvas -----------------------------------------------------------------------------------------

    def set_band(self, low: float, high: float) -> None:
        """Choose the band, cm-1."""
        self.plot.set_band(low, high)

    def _on_preset(self, index: int) -> None:
        band = self.preset.itemData(index)
        if band is not None:
            self.set_band(*band.limits)

    def _on_band_boxes(self) -> None:
        low, high = sorted((self.low.value(), self.high.value()))
        self.plot.set_band(low, high)

    def _on_band_dragged(self, low: float, high: float) -> None:
        for box, value in ((self.low, low), (self.high, high)):
            box.blockSignals(True)
            box.setValue(value)
            box.blockSignals(False)
        limits = (round(low), round(high))
        known = [i + 1 for i, band in enumerate(PRESETS) if band.limits == limits]
        self.preset.setCurrentIndex(known[0] if known else 0)
        self._update_heatmaps()

    def _update_heatmaps(self, *_: object) -> None:
        if not self.heatmap.isChecked():
            self._heatmaps.remove()
            return
        current = current_cube(self._viewer)
        shown = self._cubes() if self.every.isChecked() else [current] if current else []
        self._heatmaps.remove(keep=shown)
        problems = self._heatmaps.update(shown, *self.plot.band())
        if problems:
            self.status.setText(problems[0])

    def _on_layers(self, *_: object) -> None:
        gone = [la for la in self._viewer.layers if HEATMAP in la.metadata]
        if self.heatmap.isChecked() and not gone and not self._cubes():
            self.heatmap.setChecked(False)
        self.refresh()

    def _on_active(self, *_: object) -> None:
        if self.heatmap.isChecked() and not self.every.isChecked():
            self._update_heatmaps()
        self._update_labels(self._scaling(self.curves()))

    def _set_theme(self, *_: object) -> None:
        theme = get_theme(self._viewer.theme)
        self.plot.set_theme(theme.background.as_hex(), theme.text.as_hex())


def _scaled(curve: Curve, how: str) -> Curve:
    values: NDArray[np.float32] = curve.intensity
    size = 1.0
    if how == PER_SECOND:
        size = curve.dwell_time or 1.0
    elif how != AS_MEASURED:
        area = how.startswith("area")
        size = float(
            np.trapezoid(np.abs(values), curve.wavenumber) if area else np.nanmax(np.abs(values))
        )
    return dataclasses.replace(curve, intensity=values / size) if size > 0 else curve
