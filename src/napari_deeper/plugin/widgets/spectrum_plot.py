"""The plot of spectra: curves against cm-1 with their uncertainty, and a band to drag."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_deeper.plugin.widgets.curve_legend import SHADE, CurveLegend, Entry
from napari_deeper.plugin.widgets.shade import Shade
from napari_deeper.plugin.widgets.still_axis import StillAxis

# Okabe & Ito: told apart by color-blind readers; black and yellow are left out, for dark and for light grounds
COLORS = ("#E69F00", "#56B4E9", "#009E73", "#D55E00", "#CC79A7", "#0072B2", "#999999")
LOW, LOW_AXIS, TALL_AXIS = 210, 20, 36  # heights in pixels
LEAST_FILLED = 0.5  # part of the view's height that curves fill, or the view draws nearer
SHADE_NAME = "shaded: ± 1 sigma"
STYLES = (
    Qt.PenStyle.SolidLine,
    Qt.PenStyle.DashLine,
    Qt.PenStyle.DotLine,
    Qt.PenStyle.DashDotLine,
)


@dataclass(frozen=True)
class Curve:
    """One spectrum to draw.

    Parameters
    ----------
    name, color
        Of the curve.
    wavenumber, intensity
        (channel,) each.
    marker
        Number of the marker that it belongs to.
    dwell_time
        In s, where it is known.
    uncertainty
        (channel,) one standard deviation of the intensity, or None.
    flagged
        Whether what was left out of this result does not look like noise.
    """

    name: str
    wavenumber: NDArray[np.float64]
    intensity: NDArray[np.float32]
    color: str
    marker: int = 0
    dwell_time: float | None = None
    uncertainty: NDArray[np.float32] | None = None
    flagged: bool = False


class SpectrumPlot(QWidget):
    """Curves against wavenumber, and a draggable band; `band_changed(low, high)` while it is dragged.

    A second, dashed band, `over_changed(low, high)`, is there while a ratio is shown. An owner
    that is short of height can place `legend` elsewhere, and `axes_note`, which then stands in for the names
    of the axes while the plot is low.

    Parameters
    ----------
    shade_name
        What the legend calls the shade about a curve; empty where it is told elsewhere.
    band
        Whether there is a band to drag.
    legend
        In place of the usual one.
    """

    band_changed = Signal(float, float)
    over_changed = Signal(float, float)

    def __init__(
        self,
        shade_name: str = SHADE_NAME,
        *,
        band: bool = True,
        legend: CurveLegend | None = None,
    ) -> None:
        super().__init__()
        self._shade_name = shade_name
        axes = {side: StillAxis(side) for side in ("bottom", "left")}
        self._plot = pg.PlotWidget(enableMenu=False, axisItems=axes)
        item = self._plot.getPlotItem()
        item.ctrlMenu.setParent(self)  # else it leaks as a top-level window
        item.ctrlMenu.hide()
        item.setLabel("bottom", "Raman shift (cm<sup>-1</sup>)")
        item.getAxis("bottom").setHeight(TALL_AXIS)
        item.showGrid(x=True, y=True, alpha=0.15)
        item.setClipToView(True)
        self._view = item.getViewBox()
        self._followed: list[float] | None = None  # where the view was brought to
        self._axis_range = (600.0, 1800.0)
        self.legend = legend or CurveLegend()
        self.axes_note = QLabel()
        self._foreground = "gray"
        self._items: list[pg.PlotDataItem] = []
        self._drawn_as: dict[pg.PlotDataItem, tuple[str, Qt.PenStyle]] = {}
        self._shades: list[Shade] = []
        self._extent: tuple[float, float] | None = None
        self._hint = pg.TextItem(anchor=(0.5, 0.5))
        self._band = pg.LinearRegionItem((1440, 1460), swapMode="sort")
        self._band.setZValue(-10)
        self._band.sigRegionChanged.connect(self._on_band)
        self._over = pg.LinearRegionItem((996, 1012), swapMode="sort")
        self._over.setZValue(-10)
        self._over.setVisible(False)
        self._over.sigRegionChanged.connect(self._on_over)
        if band:
            item.addItem(self._band, ignoreBounds=True)
            item.addItem(self._over, ignoreBounds=True)
        item.addItem(self._hint, ignoreBounds=True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.legend)
        layout.addWidget(self._plot, stretch=1)
        self._is_low = False
        self.axes_note.setVisible(False)
        self.set_y_label("Intensity")
        self.set_axis_range(600, 1800)

    def resizeEvent(self, event: object) -> None:
        """Leave naming the axes to `axes_note` where the plot is low: their labels would take a quarter of it."""
        is_low = self.height() < LOW and self.axes_note.parentWidget() is not None
        if is_low == self._is_low:
            return
        self._is_low = is_low
        item = self._plot.getPlotItem()
        for side in ("left", "bottom"):
            item.getAxis(side).showLabel(not is_low)
        item.getAxis("bottom").setHeight(LOW_AXIS if is_low else TALL_AXIS)
        self.axes_note.setVisible(is_low)

    def set_curves(self, curves: list[Curve]) -> None:
        """Draw these curves instead of the ones before; plot items are reused, which keeps dragging smooth."""
        item = self._plot.getPlotItem()
        while len(self._items) < len(curves):
            self._items.append(item.plot(skipFiniteCheck=False, connect="finite"))
        for line in self._items[len(curves) :]:
            item.removeItem(line)
            self._drawn_as.pop(line, None)
        del self._items[len(curves) :]
        entries = []
        for line, curve in zip(self._items, curves, strict=True):
            style = STYLES[curve.marker % len(STYLES)]
            line.setData(curve.wavenumber, curve.intensity)
            if self._drawn_as.get(line) != (curve.color, style):
                self._drawn_as[line] = (curve.color, style)
                line.setPen(pg.mkPen(curve.color, width=1, style=style))
            entries.append(Entry(curve.name, curve.color, style))
        self._set_shades(curves)
        if self._shade_name and any(shade.isVisible() for shade in self._shades):
            entries.insert(0, Entry(self._shade_name, self._foreground, None))
        self.legend.set_entries(entries)
        self._hint.setVisible(not curves)
        self._extent = _extent(curves)
        self._follow()

    def _set_shades(self, curves: list[Curve]) -> None:
        """Shade one sigma to either side of each curve that knows its uncertainty; items are reused."""
        shaded = [curve for curve in curves if curve.uncertainty is not None]
        while len(self._shades) < len(shaded):
            self._shades.append(Shade())
            self._plot.getPlotItem().addItem(self._shades[-1])
        nothing = np.empty(0)
        for shade in self._shades[len(shaded) :]:
            shade.set_data(nothing, nothing, nothing, pg.mkColor(self._foreground))
        for shade, curve in zip(self._shades, shaded, strict=False):
            color = pg.mkColor(curve.color)
            color.setAlpha(SHADE)
            shade.set_data(*_one_sigma(curve), color)

    def set_hint(self, text: str) -> None:
        """Show this text while there are no curves."""
        self._hint.setText(text)
        self._place_hint()

    def hint(self) -> str:
        """Return the text that stands in for curves."""
        return str(self._hint.toPlainText())

    def legend_names(self) -> list[str]:
        """Return the full names of the curves in the legend, in order."""
        return [name for name in self.legend.names() if name != self._shade_name]

    def curve_data(self, index: int) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Return what is drawn of one curve: (wavenumber, intensity), (channel,) each."""
        return self._items[index].getOriginalDataset()  # type: ignore[no-any-return]

    def shaded(self) -> list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]:
        """Return what is shaded, (wavenumber, low, high) for each curve that knows its uncertainty."""
        return [shade.bounds() for shade in self._shades if shade.isVisible()]

    def set_axis_range(self, low: float, high: float) -> None:
        """Show these wavenumbers."""
        self._axis_range = (low, high)
        self._view.setXRange(low, high, padding=0.01)
        self._place_hint()

    def set_y_label(self, text: str) -> None:
        """Name the intensity axis, with its unit."""
        if text != self.y_label():  # a new label lays out the whole plot again
            axis = self._plot.getPlotItem().getAxis("left")
            axis.setLabel(text)
            axis.showLabel(not self._is_low)
            self.axes_note.setText(f"↑ {text}  → cm<sup>-1</sup>")
            self.axes_note.setToolTip(f"{text} against Raman shift (cm-1)")

    def y_label(self) -> str:
        """Return the name of the intensity axis."""
        return str(self._plot.getPlotItem().getAxis("left").labelText)

    def fit(self) -> None:
        """Show the whole axis and all curves, and follow them again."""
        self._followed = None
        self.set_axis_range(*self._axis_range)
        self._follow()

    def _follow(self) -> None:
        """Bring the curves into view, but leave it where they fit, and where it was moved otherwise."""
        shown = self._view.viewRange()[1]
        if self._extent is None or self._followed not in (None, shown):
            return
        low, high = self._extent
        bottom, top = shown
        fits = bottom <= low and high <= top and high - low >= LEAST_FILLED * (top - bottom)
        if self._followed is None or not fits:
            self._view.setYRange(low, high, padding=0.06)
            self._followed = list(self._view.viewRange()[1])

    def band(self) -> tuple[float, float]:
        """Return the band, (low, high) in cm-1."""
        low, high = self._band.getRegion()
        return float(low), float(high)

    def set_band(self, low: float, high: float) -> None:
        """Move the band."""
        self._band.setRegion((low, high))

    def over(self) -> tuple[float, float]:
        """Return the band to divide by, (low, high) in cm-1."""
        low, high = self._over.getRegion()
        return float(low), float(high)

    def set_over(self, low: float, high: float) -> None:
        """Move the band to divide by."""
        self._over.setRegion((low, high))

    def show_over(self, shown: bool) -> None:
        """Show the band to divide by, or hide it."""
        self._over.setVisible(shown)

    def set_theme(self, background: str, foreground: str) -> None:
        """Take the colors of napari's theme."""
        self._plot.setBackground(background)
        item = self._plot.getPlotItem()
        for side in ("bottom", "left"):
            axis = item.getAxis(side)
            axis.setPen(foreground)
            axis.setTextPen(foreground)
        self._foreground = foreground
        self.legend.set_foreground(foreground)
        self._hint.setColor(foreground)
        tint = pg.mkColor(foreground)
        tint.setAlpha(40)
        hovered = pg.mkColor(foreground)
        hovered.setAlpha(70)
        for band, style in ((self._band, STYLES[0]), (self._over, STYLES[1])):
            band.setBrush(tint)
            band.setHoverBrush(hovered)
            for line in band.lines:
                line.setPen(pg.mkPen(foreground, width=1, style=style))

    def _place_hint(self) -> None:
        rect = self._plot.getPlotItem().viewRect()
        self._hint.setPos(rect.center())

    def _on_band(self) -> None:
        self.band_changed.emit(*self.band())

    def _on_over(self) -> None:
        self.over_changed.emit(*self.over())


def _extent(curves: list[Curve]) -> tuple[float, float] | None:
    """Return the lowest and highest intensity of the curves with their shades, or None where there is none."""
    ends = []
    for curve in curves:
        sigma = 0.0 if curve.uncertainty is None else np.nan_to_num(curve.uncertainty)
        for side in (curve.intensity - sigma, curve.intensity + sigma):
            finite = side[np.isfinite(side)]
            if finite.size:
                ends += [float(finite.min()), float(finite.max())]
    if not ends:
        return None
    low, high = min(ends), max(ends)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _one_sigma(curve: Curve) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    sigma = np.asarray(curve.uncertainty)
    known = np.isfinite(sigma) & np.isfinite(curve.intensity)
    x, y, sigma = curve.wavenumber[known], curve.intensity[known], sigma[known]
    return x, y - sigma, y + sigma
