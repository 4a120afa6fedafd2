"""The box in which weights are chosen: the shipped ones, a model of the user's, or a file."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QFileDialog, QWidget

from napari_deeper.models.user_models import UserModel, list_models

SHIPPED, A_FILE = "shipped weights", "a file..."
_FILTER = "Weights (*.safetensors *.pt *.pth)"


class WeightsBox(QComboBox):
    """Lists what can be passed as ``model`` or ``start``; `changed` when another is chosen.

    Models that were added, renamed or removed meanwhile are listed when the box is opened.

    Parameters
    ----------
    kinds
        Of the networks that suit.
    extra
        (label, value) of further choices.
    """

    changed = Signal()

    def __init__(self, kinds: Collection[str], extra: Collection[tuple[str, str]] = ()) -> None:
        super().__init__()
        self.ask_file: Callable[[QWidget], str] = _ask_file
        self._kinds, self._extra, self._scale = tuple(kinds), tuple(extra), 0
        self._value = ""
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(12)
        self.setToolTip("The shipped weights, one of your own models, or a file of weights")
        self.activated.connect(self._on_activated)
        self.refill()

    def set_wanted(self, kinds: Collection[str], scale: int = 0) -> None:
        """List models of these kinds, and of this scale, 0 for those that denoise; others are let go of."""
        if (tuple(kinds), scale) == (self._kinds, self._scale):
            return
        self._kinds, self._scale = tuple(kinds), scale
        unsuited = {model.name for model in list_models()} - {m.name for m in self._models()}
        if self._value in unsuited:
            self._value = ""
        self.refill()

    def value(self) -> str:
        """Return what is chosen: nothing for the shipped weights, a name, or a path."""
        return self._value

    def set_value(self, value: str) -> None:
        """Choose; what is neither listed nor a file is shown as it is."""
        if value != self._value:
            self._value = value
            self.refill()
            self.changed.emit()

    def restore(self, value: str) -> None:
        """Choose what was chosen once, if it is still there."""
        listed = [each for _, each, _ in self._listed()]
        if value in listed or Path(value).is_file():
            self.set_value(value)

    def refill(self) -> None:
        """List what there is now."""
        entries = [(SHIPPED, "", "The weights that come with napari-deeper"), *self._listed()]
        if self._value not in [value for _, value, _ in entries]:
            entries.append((Path(self._value).name, self._value, self._value))
        entries.append((A_FILE, A_FILE, "Choose a file of weights"))
        self.blockSignals(True)
        self.clear()
        for row, (label, value, told) in enumerate(entries):
            self.addItem(label, value)
            self.setItemData(row, told, Qt.ItemDataRole.ToolTipRole)
        self.setCurrentIndex([value for _, value, _ in entries].index(self._value))
        self.blockSignals(False)

    def _listed(self) -> list[tuple[str, str, str]]:
        extra = [(label, value, label) for label, value in self._extra]
        return [*extra, *((_label(m), m.name, str(m.path)) for m in self._models())]

    def _models(self) -> list[UserModel]:
        wanted = self._scale or None  # without a scale a network denoises
        return [m for m in list_models() if m.kind in self._kinds and m.scale == wanted]

    def showPopup(self) -> None:  # noqa: N802 - the name is Qt's
        """Look for models before the list opens."""
        self.refill()
        super().showPopup()

    def _on_activated(self, _: int) -> None:
        chosen: Any = self.currentData()
        if chosen == A_FILE:
            chosen = self.ask_file(self) or self._value
        self.set_value(str(chosen))
        self.refill()


def _label(model: UserModel) -> str:
    return model.name if model.recommended else f"{model.name} (no better)"


def _ask_file(parent: QWidget) -> str:
    return QFileDialog.getOpenFileName(parent, "Choose weights", "", _FILTER)[0]
