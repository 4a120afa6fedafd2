"""Run, Cancel, how far it is, and what it says."""

from __future__ import annotations

from qtpy.QtWidgets import (
    QHBoxLayout,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)


class Message(QPlainTextEdit):
    """What a run says: read only, to be selected and copied, of fixed height so that nothing jumps."""

    def __init__(self, placeholder: str, height: int) -> None:
        super().__init__()
        self.setReadOnly(True)
        self.setFixedHeight(height)
        self.setPlaceholderText(placeholder)

    def text(self) -> str:
        """Return what is shown."""
        return self.toPlainText()

    def set_text(self, text: str) -> None:
        """Show another text, from its beginning."""
        if text != self.toPlainText():
            self.setPlainText(text)


class RunBar(QWidget):
    """The foot of a dock that runs jobs; it stays in sight whatever is unfolded above.

    Parameters
    ----------
    run, cancel
        Tooltips of the buttons.
    placeholder
        Shown while nothing was run.
    height
        Of the message, in pixels.
    """

    def __init__(self, run: str, cancel: str, placeholder: str, height: int = 120) -> None:
        super().__init__()
        self.run_button = QPushButton("Run")
        self.run_button.setToolTip(run)
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip(cancel)
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(True)
        self.message = Message(placeholder, height)
        self.buttons = QHBoxLayout()  # a dock may put one of its own beside them
        self.buttons.addWidget(self.run_button, stretch=2)
        self.buttons.addWidget(self.cancel_button, stretch=1)
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 0, 6, 4)
        column.addLayout(self.buttons)
        column.addWidget(self.bar)
        column.addWidget(self.message)

    def show_progress(self, fraction: float, text: str, seconds: float | None) -> None:
        """Show how far the run is, what it does, and the time left where that is known."""
        left = "" if seconds is None else f", {duration(seconds)} left"
        self._set_bar(round(1000 * fraction), f"%p %{left}")
        self.message.set_text(text)

    def show_end(self, text: str, *, done: bool) -> None:
        """Show how the run ended."""
        self._set_bar(1000 if done else 0, "Done" if done else "")
        self.message.set_text(text)

    def _set_bar(self, value: int, text: str) -> None:
        # a bar that is told a value paints at once, and the whole window with it; so it does once, and later
        self.bar.setUpdatesEnabled(False)
        self.bar.setValue(value)
        self.bar.setFormat(text)
        self.bar.setUpdatesEnabled(True)


def duration(seconds: float) -> str:
    """Return a time in words."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min"
