"""The menu of the band: presets of the user's own, and settings that are seldom needed."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import Signal
from qtpy.QtGui import QAction
from qtpy.QtWidgets import QInputDialog, QMenu, QMessageBox, QWidget

from napari_deeper.plugin.band_presets import BandPresets
from napari_deeper.processing.band_maps import BandSpec
from napari_deeper.processing.bands import Band
from napari_deeper.spectra.errors import ParameterError


class BandMenu(QMenu):
    """Actions on the band that is shown; `presets_changed` and `settings_changed` after each that did something."""

    presets_changed = Signal()
    settings_changed = Signal()

    def __init__(self, parent: QWidget, presets: BandPresets) -> None:
        super().__init__(parent)
        self._presets = presets
        self._band: tuple[float, float] = (0.0, 0.0)
        self._known: Band | None = None
        self.n_shoulder, self.least_snr = BandSpec(0, 0).n_shoulder, BandSpec(0, 0).least_snr
        self.setToolTipsVisible(True)
        self.keep = self._action("Keep this band as a preset...", self._on_keep)
        self.rename = self._action("Rename this preset...", self._on_rename)
        self.forget = self._action("Forget this preset", self._on_forget)
        self.addSeparator()
        self.shoulder = self._action("", self._on_shoulder)
        self.shoulder.setToolTip(
            "Channels at each side of the band whose mean the baseline runs through"
        )
        self.snr = self._action("", self._on_snr)
        self.snr.setToolTip(
            "How many times the noise a peak must be high to have a position and a width, and the band\n"
            "that is divided by must be; else the pixel is missing"
        )
        self._name()

    def _action(self, text: str, slot: Callable[[], None]) -> QAction:
        action = QAction(text, self)
        action.triggered.connect(lambda *_: slot())
        self.addAction(action)
        return action

    def show_band(self, low: float, high: float, known: Band | None) -> None:
        """Offer what can be done with this band."""
        self._band, self._known = (low, high), known
        own = known in self._presets.own
        self.keep.setEnabled(known is None)
        self.rename.setEnabled(own)
        self.forget.setEnabled(own)

    def set_shoulder(self, n_channels: int) -> None:
        """Set how many channels a shoulder has."""
        self.n_shoulder = n_channels
        self._name()
        self.settings_changed.emit()

    def set_least_snr(self, ratio: float) -> None:
        """Set how many times the noise a peak or a denominator must be."""
        self.least_snr = ratio
        self._name()
        self.settings_changed.emit()

    def _name(self) -> None:
        self.shoulder.setText(f"Shoulders of {self.n_shoulder} channels...")
        self.snr.setText(f"Least signal: {self.least_snr:g} times the noise...")

    def _on_keep(self) -> None:
        low, high = self._band
        name = self._ask_name(f"Name of the band {low:.0f}-{high:.0f} cm-1", "")
        if name is not None:
            self._try(lambda: self._presets.add(low, high, name))

    def _on_rename(self) -> None:
        band = self._known
        if band is None:
            return
        name = self._ask_name(f"New name of {band}", band.assignment)
        if name is not None and name != band.assignment:
            self._try(lambda: self._presets.rename(band, name))

    def _on_forget(self) -> None:
        if self._known is not None:
            self._presets.remove(self._known)
            self.presets_changed.emit()

    def _try(self, change: Callable[[], Band]) -> None:
        try:
            change()
        except ParameterError as error:
            QMessageBox.information(self.parentWidget(), "Preset", str(error))
            return
        self.presets_changed.emit()

    def _ask_name(self, label: str, before: str) -> str | None:
        name, agreed = QInputDialog.getText(self.parentWidget(), "Preset", label, text=before)
        return name if agreed else None

    def _on_shoulder(self) -> None:
        n_channels, agreed = QInputDialog.getInt(
            self.parentWidget(), "Baseline", "Channels of each shoulder", self.n_shoulder, 1, 100
        )
        if agreed:
            self.set_shoulder(n_channels)

    def _on_snr(self) -> None:
        ratio, agreed = QInputDialog.getDouble(
            self.parentWidget(), "Least signal", "Times the noise", self.least_snr, 0, 1000, 1
        )
        if agreed:
            self.set_least_snr(ratio)
