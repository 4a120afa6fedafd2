"""The controls of the band: presets, borders, and whose heatmap is shown."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QWidget,
)

from napari_deeper.processing.bands import PRESETS

FIRST = next(band for band in PRESETS if band.center == 1450)
TRUST = (
    "Show how far the current cube can be trusted, as two layers over it (Alt+T):\n"
    "the uncertainty of the band (one sigma, in the band's unit), and the flagged pixels.\n"
    "The uncertainty of a band is the mean of its channels' uncertainties, as if their errors all went\n"
    "together: it is never too small."
)


class BandBar(QWidget):
    """A row of controls; `band_changed(low, high)` in cm-1 when the user sets the band here."""

    band_changed = Signal(float, float)
    heatmap_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.preset = QComboBox()
        self.preset.addItem("own band")
        for band in PRESETS:
            self.preset.addItem(str(band), band)
        self.preset.setToolTip("Move the band to a known vibration")
        self.low, self.high = _wavenumber_box(), _wavenumber_box()
        self.heatmap = QCheckBox("Heatmap")
        self.heatmap.setToolTip(
            "Show the mean intensity of the band as an image; drag the band and it follows"
        )
        self.every = QCheckBox("of every cube")
        self.every.setToolTip(
            "Heatmaps of all cube layers, those of one dwell time on one contrast; off: of the current cube only"
        )
        self.trust = QPushButton("Show &trust")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        for widget in (QLabel("Band"), self.preset, self.low, QLabel("to"), self.high):
            row.addWidget(widget)
        row.addWidget(self.heatmap)
        row.addWidget(self.every)
        row.addWidget(self.trust)
        row.addStretch()
        self.show_band(*FIRST.limits)
        self.preset.activated.connect(self._on_preset)
        self.low.valueChanged.connect(self._on_borders)
        self.high.valueChanged.connect(self._on_borders)
        self.heatmap.toggled.connect(self.heatmap_changed)
        self.every.toggled.connect(self.heatmap_changed)

    def show_band(self, low: float, high: float) -> None:
        """Show a band that was set elsewhere, cm-1."""
        for box, value in ((self.low, low), (self.high, high)):
            box.blockSignals(True)
            box.setValue(value)
            box.blockSignals(False)
        limits = (round(low), round(high))
        known = [i + 1 for i, band in enumerate(PRESETS) if band.limits == limits]
        self.preset.setCurrentIndex(known[0] if known else 0)

    def set_usable(self, usable: bool) -> None:
        """Allow heatmaps, or not: there may be no cube."""
        self.heatmap.setEnabled(usable)
        self.every.setEnabled(usable)

    def set_trust(self, known: bool, instead: str) -> None:
        """Allow showing the trust of the current cube; `instead` is told where there is none."""
        self.trust.setEnabled(known)
        self.trust.setToolTip(TRUST if known else instead)

    def _on_preset(self, index: int) -> None:
        band = self.preset.itemData(index)
        if band is not None:
            self.band_changed.emit(*band.limits)

    def _on_borders(self) -> None:
        low, high = sorted((self.low.value(), self.high.value()))
        self.band_changed.emit(low, high)


def _wavenumber_box() -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setRange(-5000, 10000)
    box.setDecimals(0)
    box.setSuffix(" cm-1")
    box.setToolTip("Border of the band")
    box.setKeyboardTracking(False)
    return box
