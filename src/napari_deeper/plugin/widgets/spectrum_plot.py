"""The plot of spectra: curves against cm-1 with their uncertainty, and a band to drag."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_deeper.plugin.widgets.curve_legend import SHADE, CurveLegend, Entry
from napari_deeper.plugin.widgets.shade import Shade

# Okabe & Ito: told apart by color-blind readers; black and yellow are left out, for dark and for light grounds
COLORS = ("#E69F00", "#56B4E9", "#009E73", "#D55E00", "#CC79A7", "#0072B2", "#999999")
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

    def __init__(
        self,
        shade_name: str = SHADE_NAME,
        *,
        band: bool = True,
        legend: CurveLegend | None = None,
    ) -> None:
        super().__init__()
        self._shade_name = shade_name
        self._plot = pg.PlotWidget(enableMenu=False)
        item = self._plot.getPlotItem()
        item.ctrlMenu.setParent(self)  # else it leaks as a top-level window
        item.ctrlMenu.hide()
        item.setLabel("bottom", "Raman shift (cm<sup>-1</sup>)")
        item.getAxis("bottom").setHeight(36)
        item.showGrid(x=True, y=True, alpha=0.15)
        item.setClipToView(True)
        self.legend = legend or CurveLegend()
        self._foreground = "gray"
        self._items: list[pg.PlotDataItem] = []
        self._shades: list[Shade] = []
        self._hint = pg.TextItem(anchor=(0.5, 0.5))
        self._band = pg.LinearRegionItem((1440, 1460), swapMode="sort")
        self._band.setZValue(-10)
        self._band.sigRegionChanged.connect(self._on_band)
        if band:
            item.addItem(self._band, ignoreBounds=True)
        item.addItem(self._hint, ignoreBounds=True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.legend)
        layout.addWidget(self._plot, stretch=1)
        self.set_y_label("Intensity")
        self.set_axis_range(600, 1800)

    def set_curves(self, curves: list[Curve]) -> None:
        """Draw these curves instead of the ones before; plot items are reused, which keeps dragging smooth."""
        item = self._plot.getPlotItem()
        while len(self._items) < len(curves):
            self._items.append(item.plot(skipFiniteCheck=False, connect="finite"))
        for line in self._items[len(curves) :]:
            item.removeItem(line)
        del self._items[len(curves) :]
        entries = []
        for line, curve in zip(self._items, curves, strict=True):
            style = STYLES[curve.marker % len(STYLES)]
            line.setData(curve.wavenumber, curve.intensity)
            line.setPen(pg.mkPen(curve.color, width=1, style=style))
            entries.append(Entry(curve.name, curve.color, style))
        self._set_shades(curves)
        if self._shade_name and any(shade.isVisible() for shade in self._shades):
            entries.insert(0, Entry(self._shade_name, self._foreground, None))
        self.legend.set_entries(entries)
        self._hint.setVisible(not curves)

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
        self._plot.getPlotItem().setXRange(low, high, padding=0.01)
        self._place_hint()

    def set_y_label(self, text: str) -> None:
        """Name the intensity axis, with its unit."""
        if text != self.y_label():  # a new label lays out the whole plot again
            self._plot.getPlotItem().setLabel("left", text)

    def y_label(self) -> str:
        """Return the name of the intensity axis."""
        return str(self._plot.getPlotItem().getAxis("left").labelText)

    def fit(self) -> None:
        """Let the view follow the curves again."""
        self._plot.getPlotItem().enableAutoRange(x=True, y=True)

    def band(self) -> tuple[float, float]:
        """Return the band, (low, high) in cm-1."""
        low, high = self._band.getRegion()
        return float(low), float(high)

    def set_band(self, low: float, high: float) -> None:
        """Move the band."""
        self._band.setRegion((low, high))

    def hide_band(self) -> None:
        """Show no band, where the plot is for reading only."""
        self._band.setVisible(False)

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
        self._band.setBrush(tint)
        tint.setAlpha(70)
        self._band.setHoverBrush(tint)
        for line in self._band.lines:
            line.setPen(pg.mkPen(foreground, width=1))

    def _place_hint(self) -> None:
        rect = self._plot.getPlotItem().viewRect()
        self._hint.setPos(rect.center())

    def _on_band(self) -> None:
        self.band_changed.emit(*self.band())


def _one_sigma(curve: Curve) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    sigma = np.asarray(curve.uncertainty)
    known = np.isfinite(sigma) & np.isfinite(curve.intensity)
    x, y, sigma = curve.wavenumber[known], curve.intensity[known], sigma[known]
    return x, y - sigma, y + sigma
