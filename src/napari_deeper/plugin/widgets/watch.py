"""The Watch dock: a workflow on the cubes that an instrument writes, as they finish."""

from __future__ import annotations

import dataclasses
import queue
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_deeper.engine.batch_task import BatchFile
from napari_deeper.engine.watch import watch_folder
from napari_deeper.engine.workflow import WORKFLOWS, as_workflow
from napari_deeper.io.read import read
from napari_deeper.plugin.jobs import JobRunner, Pieces
from napari_deeper.plugin.layers import add_cube
from napari_deeper.plugin.widgets.dock_page import DockPage
from napari_deeper.plugin.widgets.form import Remembered
from napari_deeper.plugin.widgets.wording import in_words
from napari_deeper.plugin.widgets.workspace import tabify_beside_ours
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import Cancelled, DeeperError
from napari_deeper.spectra.progress import Progress

if TYPE_CHECKING:
    import napari

_MOST_LINES = 1000


@dataclass(frozen=True)
class _Found:
    """What became of a file, and the result where it is to be shown."""

    file: BatchFile
    cube: RamanCube | None = None


class WatchWidget(DockPage):
    """Choose a folder, a workflow and where results go; start, and see them come."""

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self._remembered = Remembered("watch")
        self._jobs = JobRunner(
            self, self._on_progress, self._on_end, lambda: self._show_running(False)
        )
        self._found: queue.SimpleQueue[_Found] = queue.SimpleQueue()
        self.folder, self.out, self.workflow = QLineEdit(), QLineEdit(), QComboBox()
        self.as_layers = QCheckBox("&Show results as layers")
        self.poll = 2.0
        self.start_button, self.stop_button = QPushButton("S&tart"), QPushButton("St&op")
        self.status, self.log = QLabel(), QPlainTextEdit()
        self._fill()
        self._lay_out()
        self.start_button.clicked.connect(self.start)
        self.stop_button.clicked.connect(self._jobs.cancel)
        self._show_running(False)
        QTimer.singleShot(0, self._settle)

    def _fill(self) -> None:
        self.folder.setPlaceholderText("where the instrument saves")
        self.out.setPlaceholderText("another folder")
        for name, workflow in WORKFLOWS.items():
            self.workflow.addItem(workflow.name, name)
        self.workflow.setToolTip(
            "What is done to each cube: one of these, or a file of a workflow or recipe of your own"
        )
        self.as_layers.setToolTip("Each stays in memory until its layer is removed")
        self.status.setWordWrap(True)
        self.log.setReadOnly(True)
        self.log.setMaximumBlockCount(_MOST_LINES)
        self.log.setPlaceholderText("A line for each cube appears here.")
        kept = self._remembered.load()
        self.folder.setText(str(kept.get("folder", "")))
        self.out.setText(str(kept.get("out", "")))
        self.as_layers.setChecked(kept.get("as_layers", True) is not False)
        self.choose_workflow(str(kept.get("workflow", "raw-for-enhance")))

    def _lay_out(self) -> None:
        inputs = QWidget()
        form = QFormLayout(inputs)
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow(QLabel("Folder"), _with_button(self.folder, lambda: _ask_folder(self.folder)))
        form.addRow(QLabel("Workflow"), _with_button(self.workflow, self._ask_workflow))
        form.addRow(QLabel("Results"), _with_button(self.out, lambda: _ask_folder(self.out)))
        buttons = QHBoxLayout()
        buttons.addWidget(self.start_button)
        buttons.addWidget(self.stop_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.addWidget(inputs)
        layout.addWidget(self.as_layers)
        layout.addLayout(buttons)
        layout.addWidget(self.status)
        layout.addWidget(self.log, 1)
        self.setMinimumWidth(280)

    def _settle(self) -> None:
        tabify_beside_ours(self)

    @property
    def running(self) -> bool:
        """Whether a folder is being watched."""
        return self._jobs.running

    def release(self) -> None:
        """End the watch and let go of the viewer's events."""
        super().release()
        self._jobs.stop()

    def choose_workflow(self, name: str) -> None:
        """Choose a preset by its name, or a file by its path, which is listed from then on."""
        at = self.workflow.findData(name)
        if at < 0:
            self.workflow.addItem(Path(name).name, name)
            at = self.workflow.count() - 1
        self.workflow.setCurrentIndex(at)

    def _ask_workflow(self) -> None:
        name, _ = QFileDialog.getOpenFileName(
            self, "Workflow or recipe", "", "Workflow or recipe (*.json)"
        )
        if name:
            self.choose_workflow(name)

    def start(self) -> None:
        """Watch what the dock shows."""
        found: queue.SimpleQueue[_Found] = queue.SimpleQueue()
        as_layers, poll = self.as_layers.isChecked(), self.poll
        folder, out = self.folder.text().strip(), self.out.text().strip()
        name = str(self.workflow.currentData())
        try:
            if not folder or not out:
                raise DeeperError("Choose a folder to watch, and another for the results.")
            workflow = as_workflow(name)
        except DeeperError as error:
            self.status.setText(str(error))
            return
        self._remembered.save(folder=folder, out=out, workflow=name, as_layers=as_layers)

        def work(progress: Progress) -> None:
            for file in watch_folder(folder, workflow, out, poll=poll, progress=progress):
                found.put(_with_result(file) if as_layers else _Found(file))

        self._found = found
        self._show_running(True)
        self._jobs.start(work)

    def _on_progress(self, fraction: float, text: str, seconds: float | None) -> None:
        if self.status.text() != text:
            self.status.setText(text)
        next(self._show_found(), None)

    def _on_end(self, result: None, error: Exception | None) -> Pieces:
        if isinstance(error, Cancelled):
            self.status.setText("Stopped. What is finished is kept, and skipped the next time.")
        elif error is not None:
            self.status.setText(in_words(error, ""))
        return self._show_found()

    def _show_running(self, running: bool) -> None:
        self.start_button.setEnabled(not running)
        self.stop_button.setEnabled(running)
        for field in (self.folder, self.out, self.workflow, self.as_layers):
            field.setEnabled(not running)

    def _show_found(self) -> Pieces:
        """Show what was found, a cube in a turn."""
        while not self._found.empty():
            found = self._found.get()
            self.log.appendPlainText(_line(found.file))
            if found.cube is not None:
                add_cube(self._viewer, found.cube)
                yield


def _with_result(file: BatchFile) -> _Found:
    if file.outcome != "done":
        return _Found(file)
    try:
        return _Found(file, read(file.target))
    except DeeperError as error:  # too large for the memory that is left: the watch goes on
        return _Found(dataclasses.replace(file, text=f"It cannot be shown: {error}"))


def _line(file: BatchFile) -> str:
    said = " ".join(file.text.split())
    return f"{time.strftime('%H:%M')}  {file.source.name}: {file.outcome}. {said}"


def _with_button(field: QWidget, ask: Callable[[], None]) -> QWidget:
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(field, 1)
    button = QPushButton("…")
    button.setToolTip("Choose")
    button.setMaximumWidth(32)
    button.clicked.connect(lambda: ask())
    layout.addWidget(button)
    return row


def _ask_folder(field: QLineEdit) -> None:
    name = QFileDialog.getExistingDirectory(field, "Folder", field.text())
    if name:
        field.setText(name)
