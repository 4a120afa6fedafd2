"""The page of the Fine-tune dock that shows a job as it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from napari_deeper.plugin.finetune_view import (
    DEAD,
    ENDED,
    FAILED,
    FINISHED,
    JUDGING,
    PAUSED,
    RUNNING,
    STARTING,
    STOPPED,
    JobView,
)
from napari_deeper.plugin.widgets.finetune_plot import Preview, TrainingPlot
from napari_deeper.plugin.widgets.run_bar import Message, duration

_BAR = {
    STARTING: "Starting",
    PAUSED: "Paused at %p %",
    JUDGING: "Judging on the test patches",
    FINISHED: "Done",
    STOPPED: "Stopped at %p %",
    FAILED: "Failed at %p %",
    DEAD: "Ended at %p %",
}


class RunPage(QWidget):
    """Plots, preview, how far it is, and the buttons; emits what the user wants of the job.

    `wished` carries ``pause``, ``continue``, ``stop``, ``cancel`` or ``resume``; `chosen` the folder of another
    job; `remove_asked` that this one be removed.
    """

    wished = Signal(str)
    chosen = Signal(object)
    remove_asked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.jobs = QComboBox()
        self.jobs.setToolTip("Jobs that were started on this computer, the newest first")
        self.jobs.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.remove = _button("&Remove", "Remove this job's folder; a model that it made stays")
        self.plot, self.preview = TrainingPlot(), Preview()
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.message = Message("Start a job on the page 'Set up'.", 76)
        self.details = QPlainTextEdit()
        self.details.setReadOnly(True)
        self.details.setFixedHeight(72)
        self.fold = QCollapsible("Details")
        self.fold.addWidget(self.details)
        self.fold.collapse(animate=False)
        self.pause = _button(
            "&Pause", "Save and wait; the processor and the GPU are free meanwhile"
        )
        self.stop = _button(
            "&Stop, keep best", "End here, judge the best weights so far, and keep them"
        )
        self.cancel = _button("&Cancel", "Save and end; Resume can go on from there")
        self._state = ""
        self._lay_out()
        self.jobs.activated.connect(lambda row: self.chosen.emit(self.jobs.itemData(row)))
        self.remove.clicked.connect(self.remove_asked)
        self.pause.clicked.connect(lambda: self.wished.emit(self._word()))
        self.stop.clicked.connect(lambda: self.wished.emit("stop"))
        self.cancel.clicked.connect(lambda: self.wished.emit("cancel"))
        self.show_nothing()

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 4, 6, 4)
        row = QHBoxLayout()
        row.addWidget(self.jobs, stretch=1)
        row.addWidget(self.remove)
        column.addLayout(row)
        column.addWidget(self.plot, stretch=1)
        column.addWidget(self.preview)
        column.addWidget(self.bar)
        column.addWidget(self.message)
        column.addWidget(self.fold)
        row = QHBoxLayout()
        for button in (self.pause, self.stop, self.cancel):
            row.addWidget(button)
        column.addLayout(row)

    def _word(self) -> str:
        if self._state in ENDED:
            return "resume"
        return "continue" if self._state == PAUSED else "pause"

    def show_jobs(self, jobs: list[tuple[Path, str]], current: Path | None) -> None:
        """List jobs, and choose one."""
        self.jobs.clear()
        for folder, title in jobs:
            self.jobs.addItem(title, folder)
        folders = [folder for folder, _ in jobs]
        self.jobs.setCurrentIndex(folders.index(current) if current in folders else -1)

    def show_nothing(self) -> None:
        """Show that there is no job."""
        self.plot.show_view(JobView())
        self.preview.show_images({}, 0)
        self.bar.setValue(0)
        self.bar.setFormat("")
        self.message.set_text("")
        for button in (self.pause, self.stop, self.cancel, self.remove):
            button.setEnabled(False)

    def show_view(self, view: JobView, images: dict[str, Any], log: str) -> None:
        """Show a job as it is now."""
        self._state = state = view.state
        self.plot.show_view(view)
        self.preview.show_images(images, view.preview_step)
        self.bar.setValue(round(1000 * view.fraction))
        self.bar.setFormat(_BAR.get(state) or _left(view))
        told = [view.sentence(), *view.notes]
        self.message.set_text("\n".join(told if state in ENDED else [*told, view.plan]))
        if log != self.details.toPlainText():
            self.details.setPlainText(log)
        self._enable(state)

    def _enable(self, state: str) -> None:
        goes = state in (RUNNING, PAUSED)
        can_resume = state in (STOPPED, FAILED, DEAD)
        self.pause.setText("&Resume" if state == PAUSED or can_resume else "&Pause")
        self.pause.setEnabled(goes or can_resume)
        self.stop.setEnabled(goes)
        self.cancel.setEnabled(state not in ENDED)
        self.remove.setEnabled(state in ENDED)


def _left(view: JobView) -> str:
    if view.seconds_left is None:
        return "%p %"
    return f"%p %, {duration(view.seconds_left)} left"


def _button(text: str, tooltip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tooltip)
    return button
