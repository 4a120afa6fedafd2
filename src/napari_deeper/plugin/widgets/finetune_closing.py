"""The question that is asked when a window closes while a training runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QMessageBox, QWidget

STOP, GO_ON, STAY = "stop", "go on", "stay"
_TEXTS = {
    GO_ON: "Let it go on",
    STOP: "Stop it",
    STAY: "Do not close",
}


class ClosingQuestion(QMessageBox):
    """Stop the training, let it go on, or (where that is still possible) do not close."""

    def __init__(self, parent: QWidget | None, *, can_stay: bool) -> None:
        super().__init__(parent)
        self.setWindowTitle("A training is running")
        self.setIcon(QMessageBox.Icon.Question)
        self.setText("A network is being fine-tuned.")
        self.setInformativeText(
            "It can go on without napari; the Fine-tune dock finds it again. If it is stopped, what it has "
            "learned so far is saved, and it can be resumed."
        )
        self._choices: dict[str, Any] = {}
        for choice, text in _TEXTS.items():
            if choice != STAY or can_stay:
                role = QMessageBox.ButtonRole.AcceptRole
                if choice == STAY:
                    role = QMessageBox.ButtonRole.RejectRole
                self._choices[choice] = self.addButton(text, role)
        self.setDefaultButton(self._choices[GO_ON])
        if can_stay:
            self.setEscapeButton(self._choices[STAY])

    def button_of(self, choice: str) -> Any:
        """Return the button of a choice."""
        return self._choices[choice]

    def choice(self) -> str:
        """Return what was clicked; without a click it goes on, which loses nothing."""
        clicked = self.clickedButton()
        for choice, button in self._choices.items():
            if button is clicked:
                return choice
        return STAY if STAY in self._choices else GO_ON


def ask_in_dialog(parent: QWidget | None, can_stay: bool) -> str:
    """Ask, and wait for the answer."""
    question = ClosingQuestion(parent, can_stay=can_stay)
    question.exec()
    return question.choice()


class CloseGuard(QObject):
    """Asks before the main window closes.

    Parameters
    ----------
    window
        The main window.
    may_close
        Called when it is about to close; False keeps it open.
    """

    def __init__(self, window: QObject, may_close: Callable[[], bool]) -> None:
        super().__init__(window)
        self._may_close = may_close  # and not the window: it would be kept in memory
        window.installEventFilter(self)

    def eventFilter(  # noqa: N802 - the name is Qt's
        self, watched: QObject | None, event: QEvent | None
    ) -> bool:
        """Hold back the closing of the window, if that is wished."""
        if event is None or event.type() != QEvent.Type.Close or watched is not self.parent():
            return False
        if self._may_close():
            return False
        event.ignore()
        return True

    def release(self) -> None:
        """Ask no more."""
        window = self.parent()
        if window is not None:
            window.removeEventFilter(self)
        self.deleteLater()
