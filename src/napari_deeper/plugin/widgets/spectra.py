"""The Spectra dock: a pixel on the canvas gives its spectra, a band on the plot gives its heatmap."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.utils.theme import get_theme
from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QGuiApplication, QKeyEvent
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QVBoxLayout

from napari_deeper.io.spectra_table import Column, format_spectra, write_spectra
from napari_deeper.plugin.canvas import current_cube
from napari_deeper.plugin.layers import (
    FLAGGED,
    KEY,
    cube_layers,
    dwell_time,
    has_uncertainty,
    pixel_at,
    wavenumbers,
)
from napari_deeper.plugin.readings import Readings
from napari_deeper.plugin.trust_maps import NO_TRUST, drop_orphans, show_trust
from napari_deeper.plugin.widgets.band_bar import BandBar
from napari_deeper.plugin.widgets.curve_panel import CurvePanel, intensity_label, scaled
from napari_deeper.plugin.widgets.dock_page import DockPage
from napari_deeper.plugin.widgets.form import Remembered
from napari_deeper.plugin.widgets.heatmap_control import HeatmapControl
from napari_deeper.plugin.widgets.markers import Markers, Place
from napari_deeper.plugin.widgets.pointer import Pointer
from napari_deeper.plugin.widgets.spectrum_plot import COLORS, Curve, SpectrumPlot
from napari_deeper.spectra.errors import FileError

if TYPE_CHECKING:
    import napari

MOVE_MS = 16
HINT = "Click a pixel to read its spectrum.\nShift + move: browse.  Ctrl + click: add a marker."
NO_CUBE = "No Raman cube is open.\nFile > Open, or File > Open Sample > DeepeR."
MOVES = {
    Qt.Key.Key_Up: (-1, 0),
    Qt.Key.Key_Down: (1, 0),
    Qt.Key.Key_Left: (0, -1),
    Qt.Key.Key_Right: (0, 1),
}


class SpectraWidget(DockPage):
    """Spectra of a place in every cube layer that covers it, and heatmaps of a band."""

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self._markers = Markers(self._viewer)
        self._pointer = Pointer(self._viewer, self._on_pin, self._on_browse)
        self._browsed: Place | None = None
        self._readings = Readings(self, self.refresh)
        self._shown_range: tuple[float, float] | None = None
        self._redraw_timer = QTimer(self)
        self._redraw_timer.setSingleShot(True)
        self._redraw_timer.setInterval(MOVE_MS)
        self._redraw_timer.timeout.connect(self.refresh)
        self.band = BandBar()
        self.plot = SpectrumPlot()
        self.panel = CurvePanel()
        self._heatmaps = HeatmapControl(self._viewer, self.band, self.plot, self.panel.status)
        self._remembered = Remembered("spectra")
        record = self._remembered.load()
        self.panel.uncertainty.setChecked(bool(record.get("uncertainty", True)))
        self.band.restore(record)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 2, 4, 2)
        layout.setSpacing(2)
        # the settings stand beside the plot: on a small screen height is what is short
        foot = QHBoxLayout()
        foot.addWidget(self.panel.status, stretch=1)
        foot.addWidget(self._heatmaps.stop_button)
        foot.addWidget(self.plot.axes_note)
        curves = QVBoxLayout()
        curves.setSpacing(0)
        curves.addWidget(self.plot, stretch=1)
        curves.addLayout(foot)
        below = QHBoxLayout()
        below.addLayout(curves, stretch=1)
        below.addWidget(self.panel)
        right = QVBoxLayout()
        right.setSpacing(0)
        right.addWidget(self.plot.legend)
        right.addLayout(below, stretch=1)
        row = QHBoxLayout()
        row.addWidget(self.band)
        row.addLayout(right, stretch=1)
        layout.addLayout(row, stretch=1)
        self.setMinimumHeight(180)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._connect()
        self._set_theme()
        self.refresh()

    def _connect(self) -> None:
        self.band.trust.clicked.connect(self.show_trust)
        self._heatmaps.measure_changed.connect(self._remember)
        self.panel.uncertainty.toggled.connect(self._remember)
        self.panel.changed.connect(self.refresh)
        self.panel.copy.clicked.connect(self.copy_spectra)
        self.panel.save.clicked.connect(self._on_save)
        self.panel.clear.clicked.connect(self.clear_markers)
        self.panel.fit.clicked.connect(self.plot.fit)
        layers = self._viewer.layers
        self.listen(
            (layers.events.inserted, self.refresh),
            (layers.events.removed, self._on_removed),
            (layers.events.renamed, self.refresh),
            (layers.selection.events.active, self._on_active),
            (self._viewer.events.theme, self._set_theme),
        )

    def release(self) -> None:
        """Let go of the mouse and of the viewer's events."""
        super().release()
        self._redraw_timer.stop()
        self._readings.release()
        self._heatmaps.release()
        self._markers.release()
        self._pointer.release()

    # ---- places -------------------------------------------------------------------------------------------------

    def pin(self, place: Place, *, add: bool = False) -> None:
        """Show the spectra of a place (y, x) in world units; `add` keeps the markers before it."""
        if not any(pixel_at(layer, place) is not None for layer in self._cubes()):
            self.panel.status.say("That place lies outside every cube.")
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

    def places(self) -> list[Place]:
        """Return the places shown: the markers, and last the one under the pointer while browsing."""
        return self._markers.places + ([self._browsed] if self._browsed else [])

    def _on_pin(self, place: Place, add: bool) -> None:
        self.pin(place, add=add)

    def _on_browse(self, place: Place | None) -> None:
        self._browsed = place
        if not self._redraw_timer.isActive():
            self._redraw_timer.start()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Arrow keys move the pinned pixel, Escape clears the markers."""
        if event is None:
            return
        key = Qt.Key(event.key())
        if key in MOVES:
            self.move_pin(*MOVES[key])
        elif key == Qt.Key.Key_Escape:
            self.clear_markers()
        else:
            super().keyPressEvent(event)

    # ---- curves -------------------------------------------------------------------------------------------------

    def curves(self) -> list[Curve]:
        """Return one curve per place and cube layer that covers it, in the cube's own intensities.

        Those of a cube on disk that are still being read are left out; the dock is drawn again once they are there.
        """
        curves = []
        places = self.places()
        for marker, place in enumerate(places):
            for i, layer in enumerate(self._cubes()):
                reading = self._readings.at(layer, place, self.panel.radius.value())
                if reading is None:
                    continue
                name = f"{marker + 1}: {layer.name}" if len(places) > 1 else layer.name
                color, dwell = COLORS[i % len(COLORS)], dwell_time(layer)
                curves.append(
                    Curve(
                        name, wavenumbers(layer), reading.intensity, color, marker, dwell,
                        reading.uncertainty, reading.flagged,
                    )
                )  # fmt: skip
        return curves

    def refresh(self, *_: object) -> None:
        """Draw what the markers, the layers and the settings now say."""
        curves = self.curves()
        how = self.panel.how(curves)
        shown = [scaled(curve, how) for curve in curves]
        if not self.panel.uncertainty.isChecked():
            shown = [dataclasses.replace(curve, uncertainty=None) for curve in shown]
        self.plot.set_curves(shown)
        cubes = self._cubes()
        self.plot.set_hint(HINT if cubes else NO_CUBE)
        self.band.set_usable(bool(cubes))
        self._label(curves, how)

    def _label(self, curves: list[Curve], how: str) -> None:
        layer = current_cube(self._viewer)
        header = layer.metadata[KEY] if layer is not None else {}
        known = layer is not None and (has_uncertainty(layer) or FLAGGED in layer.metadata)
        self.band.set_trust(known, NO_TRUST)
        unit = "µm" if header.get("pixel_size") else "px"
        self.panel.radius.setSuffix(f" {unit}")
        measured_in = str(header.get("metadata", {}).get("intensity_unit", "arb. units"))
        self.plot.set_y_label(intensity_label(measured_in, how))
        if layer is not None:
            axis = wavenumbers(layer)
            if self._shown_range != (axis[0], axis[-1]):
                self._shown_range = (axis[0], axis[-1])
                self.plot.set_axis_range(*self._shown_range)
        places = self.places()
        where = f"y {places[-1][0]:.2f}, x {places[-1][1]:.2f} {unit}" if places else ""
        if len(places) > 1:
            where += f"  ({len(places)} places)"
        last = len(places) - 1
        flagged = [curve.name for curve in curves if curve.flagged and curve.marker == last]
        self.panel.show_place(self._readings.problem or where, curves, flagged)

    def _cubes(self) -> list[Any]:
        return cube_layers(self._viewer.layers)

    def _columns(self) -> list[Column]:
        unit = self.panel.radius.suffix().strip().replace("µ", "u")
        radius = self.panel.radius.value()
        columns = []
        for curve in self.curves():
            y, x = self.places()[curve.marker]
            name = f"{curve.name} (y {y:.3f}, x {x:.3f} {unit}, radius {radius:g} {unit})"
            columns.append((name, curve.wavenumber, curve.intensity))
            if curve.uncertainty is not None:
                columns.append((f"one sigma of {name}", curve.wavenumber, curve.uncertainty))
        return columns

    def copy_spectra(self) -> None:
        """Put the spectra on the clipboard as a table."""
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(format_spectra(self._columns(), separator="\t"))
            self.panel.status.say("Spectra copied.")

    def _on_save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save spectra", "spectra.csv", "CSV (*.csv)")
        if path:
            self.save_spectra(Path(path))

    def save_spectra(self, path: Path) -> None:
        """Write the spectra as CSV; a failure is told in the status line."""
        try:
            written = write_spectra(self._columns(), path.with_suffix(".csv"))
        except FileError as error:
            self.panel.status.say(str(error))
            return
        self.panel.status.say(f"Saved {written.name}.")

    # ---- trust and layers ----------------------------------------------------------------------------------------

    def show_trust(self) -> None:
        """Show the uncertainty of the band and the flagged pixels of the current cube as layers over it."""
        layer = current_cube(self._viewer)
        if layer is not None:
            self.panel.status.say(show_trust(self._viewer, layer, *self.plot.band()))

    def _remember(self, *_: object) -> None:
        self._remembered.save(
            uncertainty=self.panel.uncertainty.isChecked(), **self.band.settings()
        )

    def _on_removed(self, *_: object) -> None:
        self._heatmaps.on_removed()
        drop_orphans(self._viewer)
        self.refresh()

    def _on_active(self, *_: object) -> None:
        self._heatmaps.on_active()
        curves = self.curves()
        self._label(curves, self.panel.how(curves))

    def _set_theme(self, *_: object) -> None:
        theme = get_theme(self._viewer.theme)
        self.plot.set_theme(theme.background.as_hex(), theme.text.as_hex())
