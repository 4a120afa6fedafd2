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

    def __init__(self) -> None:
        super().__init__()
        self.setReadOnly(True)
        self.setFixedHeight(120)
        self.setPlaceholderText("Results are new layers; the input stays as it is.")

    def text(self) -> str:
        """Return what is shown."""
        return self.toPlainText()

    def set_text(self, text: str) -> None:
        """Show another text, from its beginning."""
        if text != self.toPlainText():
            self.setPlainText(text)


class RunBar(QWidget):
    """The foot of a dock that runs jobs; it stays in sight whatever is unfolded above."""

    def __init__(self) -> None:
        super().__init__()
        self.run_button = QPushButton("Run")
        self.run_button.setToolTip("Make new layers; the input stays as it is")
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip("Stop within one batch; nothing is added")
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(True)
        self.message = Message()
        self.flags_button = QPushButton("Show &flagged pixels")
        self.flags_button.setToolTip(
            "Show where what was removed does not look like noise, as layers over the results (Alt+F)"
        )
        self.flags_button.setEnabled(False)
        buttons = QHBoxLayout()
        buttons.addWidget(self.run_button, stretch=2)
        buttons.addWidget(self.cancel_button, stretch=1)
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 0, 6, 4)
        column.addLayout(buttons)
        column.addWidget(self.bar)
        column.addWidget(self.message)
        column.addWidget(self.flags_button)

    def show_progress(self, fraction: float, text: str, seconds: float | None) -> None:
        """Show how far the run is, what it does, and the time left where that is known."""
        self.bar.setValue(round(1000 * fraction))
        left = "" if seconds is None else f", {_duration(seconds)} left"
        self.bar.setFormat(f"%p %{left}")
        self.message.set_text(text)

    def show_end(self, text: str, *, done: bool) -> None:
        """Show how the run ended."""
        self.bar.setValue(1000 if done else 0)
        self.bar.setFormat("Done" if done else "")
        self.message.set_text(text)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min"
