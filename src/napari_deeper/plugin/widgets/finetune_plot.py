"""The course of a training: validation and loss by step, and one validation patch as it improves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QGridLayout, QLabel, QStackedLayout, QVBoxLayout, QWidget

from napari_deeper.plugin.finetune_view import TUNE, JobView
from napari_deeper.plugin.widgets.curve_legend import CurveLegend, Entry

COLORS = {TUNE: "#E69F00", "scratch": "#56B4E9"}
NAMES = {TUNE: "fine-tuned", "scratch": "from scratch"}
BEFORE = "what it started from"
IMAGES = ("nearest", "bilinear", "now", "target")
_LEGEND_WIDTH = 80  # of a word
SPECTRA = {"measured": "#999999", "start": "#56B4E9", "now": "#E69F00", "target": "#009E73"}
_TINY = 1e-30
_PSNR, _GAIN = "Validation<br>PSNR (dB)", "Estimated<br>gain (dB)"


class TrainingPlot(QWidget):
    """Validation PSNR above, training loss below, against the same steps."""

    def __init__(self) -> None:
        super().__init__()
        self.legend = CurveLegend()
        self.validation, self.loss = (
            _plot(self, _PSNR),
            _plot(self, "Training<br>loss"),
        )
        self.loss.getPlotItem().setLabel("bottom", "Step")
        self.loss.getPlotItem().getAxis("bottom").setHeight(36)
        self.loss.setXLink(self.validation)
        self._before = pg.InfiniteLine(angle=0, movable=False)
        self._before.setVisible(False)
        self.validation.getPlotItem().addItem(self._before)
        self._lines: dict[tuple[str, str], pg.PlotDataItem] = {}
        self._foreground = "gray"
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.legend)
        column.addWidget(self.validation, stretch=1)
        column.addWidget(self.loss, stretch=1)
        self.setMinimumHeight(140)

    def show_view(self, view: JobView) -> None:
        """Draw the courses of a job."""
        label = _GAIN if view.alone else _PSNR
        self.validation.getPlotItem().setLabel("left", label)
        entries = []
        for run, course in view.courses.items():
            color = COLORS.get(run, "#CC79A7")
            self._draw(self.validation, ("psnr", run), course.psnr, color, symbol="o")
            self._draw(self.loss, ("loss", run), course.losses, color)
            entries.append(Entry(NAMES.get(run, run), color, Qt.PenStyle.SolidLine))
        for kind, run in list(self._lines):
            if run not in view.courses:
                plot = self.validation if kind == "psnr" else self.loss
                plot.getPlotItem().removeItem(self._lines.pop((kind, run)))
        known = math.isfinite(view.psnr_before)
        self._before.setVisible(known)
        if known:
            self._before.setValue(view.psnr_before)
            entries.append(Entry(BEFORE, self._foreground, Qt.PenStyle.DashLine))
        self.legend.set_entries(entries)

    def _draw(
        self,
        plot: pg.PlotWidget,
        key: tuple[str, str],
        rows: Sequence[tuple[int, float]],
        color: str,
        symbol: str | None = None,
    ) -> None:
        if key not in self._lines:
            self._lines[key] = plot.getPlotItem().plot(
                pen=pg.mkPen(color, width=1), symbol=symbol, symbolSize=4,
                symbolBrush=color, symbolPen=None,
            )  # fmt: skip
        x, y = np.array(rows, dtype=float).reshape(-1, 2).T
        self._lines[key].setData(x, y)

    def points(self, kind: str, run: str = TUNE) -> int:
        """Return how many points of ``"psnr"`` or ``"loss"`` are drawn."""
        line = self._lines.get((kind, run))
        x = None if line is None else line.getOriginalDataset()[0]
        return 0 if x is None else len(x)

    def before(self) -> float | None:
        """Return the level of what the job started from, if it is drawn."""
        return float(self._before.value()) if self._before.isVisible() else None

    def set_theme(self, background: str, foreground: str) -> None:
        """Take the colors of napari's theme."""
        for plot in (self.validation, self.loss):
            _color(plot, background, foreground)
        self._foreground = foreground
        self.legend.set_foreground(foreground)
        self._before.setPen(pg.mkPen(foreground, style=Qt.PenStyle.DashLine))


class Preview(QWidget):
    """Four small images with one contrast, or for a denoiser three spectra."""

    def __init__(self) -> None:
        super().__init__()
        self._pictures = {name: QLabel() for name in IMAGES}
        self._captions = {name: QLabel(name) for name in IMAGES}
        self._images: dict[str, NDArray[Any]] = {}
        pictures = QWidget()
        grid = QGridLayout(pictures)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(0)
        for column, name in enumerate(IMAGES):
            for row, label in enumerate((self._pictures[name], self._captions[name])):
                label.setAlignment(Qt.AlignmentFlag.AlignCenter)
                grid.addWidget(label, row, column)
            self._pictures[name].setMinimumSize(40, 40)
            grid.setColumnStretch(column, 1)
        grid.setRowStretch(0, 1)
        self.spectra = _plot(self, "Intensity")
        self.spectra.getPlotItem().setLabel("bottom", "Channel")
        self.legend = CurveLegend(_LEGEND_WIDTH)
        drawn = QWidget()
        column_of = QVBoxLayout(drawn)
        column_of.setContentsMargins(0, 0, 0, 0)
        column_of.addWidget(self.legend)
        column_of.addWidget(self.spectra, stretch=1)
        self._stack = QStackedLayout(self)
        for widget in (pictures, drawn):
            self._stack.addWidget(widget)
        self.setFixedHeight(112)
        self.setToolTip(
            "One validation patch in the channel that varies most, all with the contrast of the target"
        )

    def show_images(self, images: Mapping[str, NDArray[Any]], step: int) -> None:
        """Show what a preview holds; nothing where there is none yet."""
        self._images = dict(images)
        is_spectra = "measured" in images
        self._stack.setCurrentIndex(1 if is_spectra else 0)
        if is_spectra:
            self._draw_spectra(images)
            return
        self._captions["now"].setText(f"now (step {step})" if images else "now")
        self._draw_images()

    def shown(self, name: str) -> QImage:
        """Return the picture of a name as it is shown."""
        return self._pictures[name].pixmap().toImage()

    def captions(self) -> list[str]:
        """Return what is written below the pictures."""
        return [label.text() for label in self._captions.values()]

    def _draw_images(self) -> None:
        target = self._images.get("target")
        side = min(min(label.width(), label.height()) for label in self._pictures.values())
        for name, label in self._pictures.items():
            if target is None or name not in self._images:
                label.clear()
                continue
            label.setPixmap(_pixmap(self._images[name], np.percentile(target, (1, 99.5)), side))

    def _draw_spectra(self, spectra: Mapping[str, NDArray[Any]]) -> None:
        item = self.spectra.getPlotItem()
        item.clear()
        shown = {name: color for name, color in SPECTRA.items() if name in spectra}
        axis = spectra.get("wavenumber", np.arange(len(spectra["measured"])))
        item.setLabel("bottom", "Raman shift (cm-1)" if "wavenumber" in spectra else "Channel")
        for name, color in shown.items():
            item.plot(axis, np.asarray(spectra[name], float), pen=pg.mkPen(color))
        self.legend.set_entries([Entry(n, c, Qt.PenStyle.SolidLine) for n, c in shown.items()])

    def resizeEvent(self, event: Any) -> None:
        """Scale the pictures anew."""
        super().resizeEvent(event)
        if "measured" not in self._images:
            self._draw_images()

    def set_theme(self, background: str, foreground: str) -> None:
        """Take the colors of napari's theme."""
        _color(self.spectra, background, foreground)
        self.legend.set_foreground(foreground)


def _pixmap(image: NDArray[Any], contrast: NDArray[Any], side: int) -> QPixmap:
    low, high = float(contrast[0]), float(contrast[1])
    level = np.clip((image - low) / max(high - low, _TINY), 0, 1)
    table = pg.colormap.get("inferno").getLookupTable(nPts=256)
    colors = np.ascontiguousarray(table[np.rint(255 * level).astype(int)][..., :3], np.uint8)
    height, width = level.shape
    picture = QImage(colors.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
    return QPixmap.fromImage(picture).scaled(
        side,
        side,
        Qt.AspectRatioMode.KeepAspectRatio,
        Qt.TransformationMode.FastTransformation,  # pixels stay pixels
    )


def _plot(parent: QWidget, y_label: str) -> pg.PlotWidget:
    plot = pg.PlotWidget(enableMenu=False)
    item = plot.getPlotItem()
    item.ctrlMenu.setParent(parent)  # else it leaks as a top-level window
    item.ctrlMenu.hide()
    item.setLabel("left", y_label)
    item.getAxis("left").enableAutoSIPrefix(False)  # it would be written into the label
    item.getAxis("left").setWidth(70)  # the two plots stand above each other
    item.showGrid(x=True, y=True, alpha=0.15)
    item.hideButtons()
    plot.setMouseEnabled(x=False, y=False)
    return plot


def _color(plot: pg.PlotWidget, background: str, foreground: str) -> None:
    plot.setBackground(background)
    for side in ("bottom", "left"):
        axis = plot.getPlotItem().getAxis(side)
        axis.setPen(foreground)
        axis.setTextPen(foreground)
