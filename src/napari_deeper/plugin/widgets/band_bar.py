"""The controls beside the plot of what a band is, what is measured of it, and whose heatmap is shown."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QToolButton,
    QWidget,
)

from napari_deeper.plugin.band_presets import BandPresets
from napari_deeper.plugin.widgets.band_menu import BandMenu
from napari_deeper.processing.band_maps import PLACES, BandSpec, Limits
from napari_deeper.processing.band_peaks import PEAK
from napari_deeper.processing.bands import PRESETS, Band

FIRST = next(band for band in PRESETS if band.center == 1450)
WIDTH = 236
MEASURES = {
    "mean": "Mean intensity of the band's channels",
    "sum": "Sum over the band's channels; cubes of other channel widths do not compare",
    "area": "Integral of the intensity over the band, in intensity times cm-1",
    "height": "Height of the band's highest channel above the baseline",
    "position": "Wavenumber of the band's highest peak: the center of what lies above half of its height",
    "width": "Full width of the band's highest peak at half of its height (FWHM)",
}
NAMES = {"height": "peak height", "position": "peak position", "width": "peak width"}
TRUST = (
    "Show how far the current cube can be trusted, as two layers over it (Alt+T):\n"
    "the uncertainty of the band (one sigma, in the band's unit), and the flagged pixels.\n"
    "The uncertainty of a band is the mean of its channels' uncertainties, as if their errors all went\n"
    "together: it is never too small."
)
NO_RATIO = "not divided"


class BandBar(QWidget):
    """A column of controls; signals tell what the user set here.

    `band_changed(low, high)` and `over_changed(low, high)` in cm-1; `heatmap_changed` for all else,
    also where a ratio begins or ends.
    """

    band_changed = Signal(float, float)
    over_changed = Signal(float, float)
    heatmap_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.presets = BandPresets()
        self.preset, self.over = QComboBox(), QComboBox()
        for box in (self.preset, self.over):
            box.setMinimumContentsLength(12)
            box.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
        self.low, self.high = _wavenumber_box(), _wavenumber_box()
        self.measure = QComboBox()
        for name in MEASURES:
            self.measure.addItem(NAMES.get(name, name), name)
        self.baseline = QCheckBox("above baseline")
        self._baseline_wanted = (
            False  # kept while a peak is shown, which always counts from its baseline
        )
        self.heatmap, self.every = QCheckBox("Heatmap"), QCheckBox("of every cube")
        self.trust = QPushButton("Show &trust")
        self.menu = BandMenu(self, self.presets)
        self.more = QToolButton()
        self.more.setText("⋮")
        self.more.setToolTip("Keep this band as a preset of your own; settings of the measures")
        self.more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.more.setMenu(self.menu)
        self._tell()
        self._lay_out()
        self.fill()
        self.show_band(*FIRST.limits)
        self._on_measure()
        self._connect()

    def _tell(self) -> None:
        self.preset.setToolTip("Move the band to a known vibration, or to one of your own presets")
        self.over.setToolTip(
            "Divide by a second band, measured alike. It is the dashed one in the plot: drag it.\n"
            "Pixels where it is not clearly positive are missing (gray)."
        )
        self.baseline.setToolTip(
            "Count from a straight line between the shoulders of the band, the mean of a few channels\n"
            "at each side of it (⋮ sets how many). Peaks always count from there."
        )
        self.heatmap.setToolTip(
            "Show the measure as an image; drag the band and it follows. Gray: no value there."
        )
        self.every.setToolTip(
            "Heatmaps of all cube layers, those of one dwell time on one contrast, so that they compare;\n"
            "ratios, positions and widths are on one contrast all. Off: of the current cube only"
        )

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(2)
        grid.setHorizontalSpacing(4)
        borders = QHBoxLayout()
        for widget in (self.low, QLabel("to"), self.high, QLabel("cm-1")):
            borders.addWidget(widget, stretch=isinstance(widget, QDoubleSpinBox))
        top = QHBoxLayout()
        top.addWidget(self.preset, stretch=1)
        top.addWidget(self.more)
        for row, text in enumerate(("Band", "", "Show", "", "÷")):
            grid.addWidget(QLabel(text), row, 0)
        grid.addLayout(top, 0, 1)
        grid.addLayout(borders, 1, 1)
        for row, field in ((2, self.measure), (3, self.baseline), (4, self.over)):
            grid.addWidget(field, row, 1)
        last = QHBoxLayout()
        for check in (self.heatmap, self.every):
            last.addWidget(check)
        grid.addLayout(last, 5, 0, 1, 2)
        grid.addWidget(self.trust, 6, 0, 1, 2)
        grid.setRowStretch(7, 1)
        grid.setColumnStretch(1, 1)
        self.setFixedWidth(WIDTH)

    def _connect(self) -> None:
        self.preset.activated.connect(self._on_preset)
        self.over.activated.connect(self._on_over)
        self.low.valueChanged.connect(self._on_borders)
        self.high.valueChanged.connect(self._on_borders)
        self.measure.currentIndexChanged.connect(self._on_measure)
        self.baseline.clicked.connect(self._on_baseline)
        self.heatmap.toggled.connect(self.heatmap_changed)
        self.every.toggled.connect(self.heatmap_changed)
        self.menu.presets_changed.connect(self.fill)
        self.menu.settings_changed.connect(self.heatmap_changed)

    # ---- what is measured ---------------------------------------------------------------------------------------

    def spec(self, limits: Limits, over: Limits) -> BandSpec:
        """Return what is measured of a band; `over` is the band to divide by, where there is a ratio."""
        return BandSpec(
            *limits,
            str(self.measure.currentData()),
            over if self.has_ratio() else None,
            self.baseline.isChecked(),
            self.menu.n_shoulder,
            self.menu.least_snr,
        )

    def set_measure(self, measure: str, *, baseline: bool = False) -> None:
        """Choose a measure."""
        self._baseline_wanted = baseline
        self.measure.setCurrentIndex(self.measure.findData(measure))
        self._on_measure()

    def has_ratio(self) -> bool:
        """Whether the band is divided by another one."""
        return self.over.isEnabled() and self.over.currentIndex() > 0

    def settings(self) -> dict[str, object]:
        """Return what is remembered for this user."""
        return {"measure": self.measure.currentData(), "baseline": self._baseline_wanted}

    def restore(self, record: dict[str, object]) -> None:
        """Show what was remembered."""
        self._baseline_wanted = bool(record.get("baseline", False))
        index = self.measure.findData(record.get("measure", "mean"))
        self.measure.setCurrentIndex(max(0, index))
        self._on_measure()

    def _on_baseline(self, wanted: bool) -> None:
        self._baseline_wanted = wanted
        self.heatmap_changed.emit()

    def _on_measure(self) -> None:
        measure = str(self.measure.currentData())
        self.measure.setToolTip(MEASURES[measure])
        peak = measure in PEAK
        self.baseline.setEnabled(not peak)
        self.baseline.setChecked(peak or self._baseline_wanted)
        self.over.setEnabled(measure not in PLACES)
        self.heatmap_changed.emit()

    # ---- the band -----------------------------------------------------------------------------------------------

    def fill(self) -> None:
        """List the presets anew."""
        for box, first in ((self.preset, "own band"), (self.over, NO_RATIO)):
            chosen = box.currentText()
            box.clear()
            box.addItem(first)
            for band in self.presets.all():
                box.addItem(str(band), band)
            if box is self.over:
                box.addItem("own band")
            box.setCurrentIndex(max(0, box.findText(chosen)))
        self.show_band(self.low.value(), self.high.value())

    def show_band(self, low: float, high: float) -> None:
        """Show a band that was set elsewhere, cm-1."""
        for box, value in ((self.low, low), (self.high, high)):
            box.blockSignals(True)
            box.setValue(value)
            box.blockSignals(False)
        known = self.presets.find(low, high)
        self.preset.setCurrentIndex(self._index(self.preset, known) if known else 0)
        self.menu.show_band(low, high, known)

    def show_over(self, low: float, high: float) -> None:
        """Show a second band that was set elsewhere, cm-1."""
        known = self.presets.find(low, high)
        last = self.over.count() - 1
        self.over.setCurrentIndex(self._index(self.over, known) if known else last)
        self.over.setItemText(last, "own band" if known else f"{low:.0f}-{high:.0f} cm-1")

    def _index(self, box: QComboBox, band: Band) -> int:
        return next((i for i in range(box.count()) if box.itemData(i) == band), 0)

    def _on_preset(self, index: int) -> None:
        band = self.preset.itemData(index)
        if band is not None:
            self.band_changed.emit(*band.limits)

    def _on_over(self, index: int) -> None:
        band = self.over.itemData(index)
        if band is not None:
            self.over_changed.emit(*band.limits)
        self.heatmap_changed.emit()

    def _on_borders(self) -> None:
        low, high = sorted((self.low.value(), self.high.value()))
        self.band_changed.emit(low, high)

    # ---- what can be done ---------------------------------------------------------------------------------------

    def set_usable(self, usable: bool) -> None:
        """Allow heatmaps, or not: there may be no cube."""
        self.heatmap.setEnabled(usable)
        self.every.setEnabled(usable)

    def set_trust(self, known: bool, instead: str) -> None:
        """Allow showing the trust of the current cube; `instead` is told where there is none."""
        self.trust.setEnabled(known)
        self.trust.setToolTip(TRUST if known else instead)


def _wavenumber_box() -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setRange(-5000, 10000)
    box.setDecimals(0)
    box.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
    box.setToolTip("Border of the band, cm-1 (arrow keys move it)")
    box.setKeyboardTracking(False)
    return box
