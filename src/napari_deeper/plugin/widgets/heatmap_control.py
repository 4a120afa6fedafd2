"""Keeps the heatmaps in step with the band, the measure and the layers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal
from qtpy.QtWidgets import QToolButton

from napari_deeper.plugin.canvas import current_cube
from napari_deeper.plugin.jobs import JobRunner
from napari_deeper.plugin.layers import cube_layers
from napari_deeper.plugin.stored_heatmap import StoredHeatmap
from napari_deeper.plugin.trust_maps import follow_band
from napari_deeper.plugin.widgets.band_bar import BandBar
from napari_deeper.plugin.widgets.curve_panel import StatusLine
from napari_deeper.plugin.widgets.heatmap import Heatmaps
from napari_deeper.plugin.widgets.run_bar import duration
from napari_deeper.plugin.widgets.spectrum_plot import SpectrumPlot
from napari_deeper.processing.band_maps import BandSpec
from napari_deeper.spectra.errors import Cancelled
from napari_deeper.spectra.progress import Progress

if TYPE_CHECKING:
    import napari
    from napari.layers import Layer

REFRESH_S = 0.3  # between two looks at a heatmap that becomes exact
REST_MS = 150  # a band that has not moved for so long rests


class HeatmapControl(QObject):
    """Connects the controls of the band, the bands in the plot and the heatmap layers.

    `measure_changed` where the user chose something that is remembered.
    """

    measure_changed = Signal()

    def __init__(
        self, viewer: napari.Viewer, band: BandBar, plot: SpectrumPlot, status: StatusLine
    ) -> None:
        super().__init__(band)
        self._viewer, self._band, self._plot, self._status = viewer, band, plot, status
        self._heatmaps = Heatmaps(viewer)
        self._rest_timer = QTimer(self)
        self._rest_timer.setSingleShot(True)
        self._rest_timer.setInterval(REST_MS)
        self._rest_timer.timeout.connect(self.update)
        self._jobs = JobRunner(self, self._on_progress, self._on_end)
        self._refining: list[tuple[StoredHeatmap, BandSpec]] = []
        self._refreshed = 0.0
        self.stop_button = QToolButton()
        self.stop_button.setText("Stop")
        self.stop_button.setToolTip("Leave the heatmap coarse where it is not exact yet")
        self.stop_button.hide()
        self.stop_button.clicked.connect(self._jobs.cancel)
        band.band_changed.connect(plot.set_band)
        band.over_changed.connect(plot.set_over)
        band.heatmap_changed.connect(self._on_measure)
        plot.band_changed.connect(self._on_band)
        plot.over_changed.connect(self._on_over)

    def release(self) -> None:
        """Do nothing more; calling it again changes nothing."""
        self._rest_timer.stop()
        self._jobs.stop()

    @property
    def refining(self) -> bool:
        """Whether a heatmap of a cube on disk is being made exact."""
        return self._jobs.running

    def update(self) -> None:
        """Show what is asked for, or nothing."""
        self._update(moving=False)

    def on_removed(self) -> None:
        """Take away the heatmaps of cubes that are gone: they would show what nobody can check any more."""
        cubes = cube_layers(self._viewer.layers)
        self._heatmaps.remove(keep=cubes)
        if not cubes:
            self._band.heatmap.setChecked(False)

    def on_active(self) -> None:
        """Follow the cube that became the current one."""
        if self._band.heatmap.isChecked() and not self._band.every.isChecked():
            self.update()

    def _on_band(self, low: float, high: float) -> None:
        self._band.show_band(low, high)
        self._on_moved()
        follow_band(self._viewer, low, high)

    def _on_over(self, low: float, high: float) -> None:
        self._band.show_over(low, high)
        self._on_moved()

    def _on_moved(self) -> None:
        """Follow a band that moves as far as time allows, and do the rest when it rests."""
        self._rest_timer.start()
        if self._heatmaps.is_quick(self._spec()):
            self._update(moving=True)

    def _on_measure(self) -> None:
        self._plot.show_over(self._band.has_ratio())
        self.measure_changed.emit()
        self.update()

    def _spec(self) -> BandSpec:
        return self._band.spec(self._plot.band(), self._plot.over())

    def _update(self, *, moving: bool) -> None:
        if not self._band.heatmap.isChecked():
            self._heatmaps.remove()
            self._refine()
            return
        current = current_cube(self._viewer)
        shown = [current] if current else []
        if self._band.every.isChecked():  # that of the current cube comes last, on top
            cubes = cube_layers(self._viewer.layers)
            shown = [cube for cube in cubes if cube is not current] + shown
        self._heatmaps.remove(keep=shown)
        outcome = self._heatmaps.update(shown, self._spec(), moving=moving)
        if outcome.problems:
            self._status.say(outcome.problems[0], outcome.problems[1:])
        elif outcome.sharing and not moving:
            self._status.say(outcome.sharing)
        if not moving:
            self._refine()

    # ---- cubes on disk ------------------------------------------------------------------------------------------

    def _refine(self) -> None:
        """Make exact in a thread what is shown coarse, unless that is under way."""
        found = self._heatmaps.unfinished()
        wanted = [(heat, heat.spec) for _, heat in found if heat.spec]
        if self._jobs.running:
            if wanted != self._refining:
                self._jobs.cancel()  # when it has ended, this is called again
            return
        if wanted == self._refining:
            return  # there is nothing to do, or the user stopped it
        self._refining = wanted
        if not wanted:
            return
        tasks = [
            (heat, spec, self._pixel_in_view(source))
            for (source, _), (heat, spec) in zip(found, wanted, strict=True)
        ]

        def work(progress: Progress) -> None:
            for i, (heat, spec, near) in enumerate(tasks):
                heat.refine(spec, progress.part(i / len(tasks), (i + 1) / len(tasks)), near)

        self._jobs.start(work)
        self.stop_button.show()

    def _pixel_in_view(self, source: Layer) -> tuple[float, float]:
        center = np.asarray(self._viewer.scene.camera.center[-2:])
        y, x = (center - source.translate[-2:]) / source.scale[-2:]
        return float(y), float(x)

    def _on_progress(self, fraction: float, text: str, seconds: float | None) -> None:
        left = "" if seconds is None else f", {duration(seconds)} left"
        self._status.say(f"Heatmap {100 * fraction:.0f} % exact{left}")
        if time.monotonic() - self._refreshed > REFRESH_S:
            self._heatmaps.refresh()
            self._refreshed = time.monotonic()

    def _on_end(self, _: object, error: Exception | None) -> None:
        self.stop_button.hide()
        wanted = [(heat, heat.spec) for _, heat in self._heatmaps.unfinished()]
        if error is not None and wanted and wanted == self._refining:
            told = "Heatmap: stopped; it is coarse where it was not measured yet."
            self._heatmaps.refresh()
            self._status.say(told if isinstance(error, Cancelled) else str(error))
            return
        self._refining = []
        self.update()  # the contrast is now that of single pixels
        if not wanted:
            self._status.say("Heatmap: exact in every pixel.")
