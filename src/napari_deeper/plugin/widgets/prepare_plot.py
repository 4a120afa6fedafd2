"""A pixel before and after a step: its spectra, the baseline that was taken off, the cosmic rays that were repaired."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from qtpy.QtCore import Qt

from napari_deeper.engine.prepare import Stage
from napari_deeper.plugin.widgets.curve_legend import CurveLegend, Entry
from napari_deeper.plugin.widgets.spectrum_plot import STYLES, Curve, SpectrumPlot

BEFORE, AFTER, BASELINE, RAY = "#999999", "#E69F00", "#56B4E9", "#D55E00"
MOST_PIXELS = len(STYLES)
_ENTRY_WIDTH = 86
Spectrum = NDArray[np.float32]


@dataclass(frozen=True)
class Change:
    """Two stages of some pixels to be compared.

    Parameters
    ----------
    before, after
        The stages; the same one where nothing was done.
    details
        Whether `after` is the stage right after `before`, so that its baseline and its marks belong there.
    rescaled
        Whether the scale of the intensities changed; `before` is then drawn to the scale of `after`.
    unit
        Of the intensities of `after`.
    """

    before: Stage
    after: Stage
    details: bool
    rescaled: bool
    unit: str


class PreparePlot(SpectrumPlot):
    """Curves before and after; the legend names them."""

    def __init__(self) -> None:
        super().__init__("", band=False, legend=CurveLegend(_ENTRY_WIDTH))
        item = self._plot.getPlotItem()
        self._marks = pg.ScatterPlotItem(
            size=8, symbol="x", brush=pg.mkBrush(RAY), pen=pg.mkPen(RAY)
        )
        self._marks.setZValue(10)
        item.addItem(self._marks)
        self._line = pg.InfiniteLine(pen=pg.mkPen(RAY, style=Qt.PenStyle.DashLine))
        self._line.setVisible(False)
        item.addItem(self._line, ignoreBounds=True)
        self._range: tuple[float, float] | None = None
        self.setMinimumHeight(120)
        self.setAccessibleName("Preview of a pixel before and after the step")

    def show_change(self, change: Change | None) -> None:
        """Draw a change, or nothing."""
        if change is None:
            self.set_curves([])
            self._marks.setData([], [])
            return
        before, after = change.before, change.after
        self.set_curves(_curves(change))
        x, y = _marked(change)
        self._marks.setData(x, y)
        if x.size:
            entries = [Entry("cosmic ray", RAY, Qt.PenStyle.DotLine)]
            self.legend.set_entries([*self._entries(change), *entries])
        self.set_y_label(f"Intensity ({change.unit})")
        axes = (before.wavenumber, after.wavenumber)
        wanted = (min(float(a[0]) for a in axes), max(float(a[-1]) for a in axes))
        if wanted != self._range:
            self._range = wanted
            self.set_axis_range(*wanted)

    def show_wavenumber(self, wavenumber: float | None) -> None:
        """Draw a line at the cosmic ray that is looked at, or none."""
        self._line.setVisible(wavenumber is not None)
        if wavenumber is not None:
            self._line.setValue(wavenumber)

    def line(self) -> float | None:
        """Return where that line is drawn, in cm-1."""
        return float(self._line.value()) if self._line.isVisible() else None

    def marked(self) -> list[float]:
        """Return the wavenumbers that are marked as struck by cosmic rays."""
        return [float(x) for x in self._marks.getData()[0]]

    def _entries(self, change: Change) -> list[Entry]:
        return [Entry(c.name, c.color, STYLES[c.marker]) for c in _curves(change)]


def _curves(change: Change) -> list[Curve]:
    before, after = change.before, change.after
    curves = []
    several = len(before.spectra) > 1
    for marker in range(min(len(before.spectra), MOST_PIXELS)):
        number = f"{marker + 1}: " if several else ""
        was, now = before.spectra[marker], after.spectra[marker]
        name = "before"
        if change.rescaled:
            was, name = _to_scale_of(was, now), "before, scaled"
        curves.append(Curve(number + name, before.wavenumber, was, BEFORE, marker))
        if change.details and after.curve is not None:
            curves.append(
                Curve(f"{number}baseline", after.before, after.curve[marker], BASELINE, marker)
            )
        if after is not before:
            curves.append(Curve(f"{number}after", after.wavenumber, now, AFTER, marker))
    return curves


def _to_scale_of(spectrum: Spectrum, other: Spectrum) -> Spectrum:
    """Return a spectrum stretched to the lowest and highest intensity of another one."""
    kept, wanted = spectrum[np.isfinite(spectrum)], other[np.isfinite(other)]
    if not kept.size or not wanted.size or kept.max() <= kept.min():
        return spectrum
    low, high, to_low, to_high = kept.min(), kept.max(), wanted.min(), wanted.max()
    return np.asarray((spectrum - low) / (high - low) * (to_high - to_low) + to_low)


def _marked(change: Change) -> tuple[NDArray[np.float64], Spectrum]:
    """Return where channels were repaired: (wavenumber, intensity before)."""
    if not change.details or change.after.marks is None:
        return np.empty(0), np.empty(0, np.float32)
    marks = np.asarray(change.after.marks)
    pixel, channel = np.nonzero(marks[:MOST_PIXELS])
    return change.before.wavenumber[channel], change.before.spectra[pixel, channel]
