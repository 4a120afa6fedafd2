"""Ask how a file is meant that can be read in several ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QApplication,
    QDialog,
    QDialogButtonBox,
    QLabel,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from napari_deeper.spectra.errors import AmbiguousFile


class ReadingDialog(QDialog):
    """The question of an ambiguous file, with one button for each answer."""

    def __init__(self, asked: AmbiguousFile, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("How is this file meant?")
        self._choices = asked.choices
        column = QVBoxLayout(self)
        question = QLabel(asked.question)
        question.setWordWrap(True)
        question.setMinimumWidth(420)
        question.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        column.addWidget(question)
        self._buttons = [QRadioButton(choice.text) for choice in asked.choices]
        for button in self._buttons:
            column.addWidget(button)
        self._buttons[0].setChecked(True)
        standard = QDialogButtonBox.StandardButton
        box = QDialogButtonBox(standard.Open | standard.Cancel)
        box.accepted.connect(self.accept)
        box.rejected.connect(self.reject)
        column.addWidget(box)

    def value(self) -> Mapping[str, Any]:
        """Return the keywords of `napari_deeper.read` for the answer."""
        chosen = [button.isChecked() for button in self._buttons].index(True)
        return self._choices[chosen].options


def ask_reading(asked: AmbiguousFile) -> Mapping[str, Any] | None:
    """Show the dialog; return the keywords of the answer, or None where it was cancelled."""
    dialog = ReadingDialog(asked, QApplication.activeWindow())
    try:
        return dialog.value() if dialog.exec() else None
    finally:
        dialog.deleteLater()
