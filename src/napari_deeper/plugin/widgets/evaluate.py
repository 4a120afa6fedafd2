"""The Evaluate dock: judge methods on a cube whose truth is known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from napari_deeper.engine.evaluate import EvaluateParams, evaluate
from napari_deeper.engine.evaluation_report import write_report
from napari_deeper.engine.scores import Evaluation
from napari_deeper.plugin.jobs import JobRunner
from napari_deeper.plugin.layers import cube_from_layer
from napari_deeper.plugin.widgets.dock_page import DockPage, scrolled
from napari_deeper.plugin.widgets.evaluate_form import EvaluateForm
from napari_deeper.plugin.widgets.form import Remembered
from napari_deeper.plugin.widgets.layer_box import LayerBox
from napari_deeper.plugin.widgets.result_table import ResultTable
from napari_deeper.plugin.widgets.run_bar import RunBar
from napari_deeper.plugin.widgets.wording import describe_cube, describe_test, in_words, verdict
from napari_deeper.plugin.widgets.workspace import tabify_beside_ours
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import DeeperError
from napari_deeper.spectra.progress import Progress

if TYPE_CHECKING:
    import napari


class EvaluateWidget(DockPage):
    """Choose the truth, choose a test, run it off the GUI thread, read the table, save the report."""

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self.failure = ""  # why the last run ended without a table
        self.evaluation: Evaluation | None = None
        self._jobs = JobRunner(self, self._on_progress, self._on_end)
        self._saving = JobRunner(self, lambda *_: None, self._on_saved)
        self._remembered = Remembered("evaluate")
        self._refresh_timer = QTimer(self)
        self._refresh_timer.setSingleShot(True)
        self._refresh_timer.setInterval(0)
        self._refresh_timer.timeout.connect(self.refresh)
        self.reference = LayerBox(self._viewer)
        self.reference.setToolTip(
            "The truth: simulated, or measured with as little noise as can be"
        )
        self.other = LayerBox(self._viewer, leads=False)
        self.other.setToolTip("The second layer of a test that compares two")
        self.fit = QLabel()
        self.fit.setWordWrap(True)
        self.form = EvaluateForm(self.other)
        self.form.restore(self._remembered.load())
        self.foot = RunBar(
            run="Judge the methods; no layer is made or changed",
            cancel="Stop within one batch",
            placeholder="The methods are judged against every classical one, tuned on the truth itself.",
            height=72,
        )
        self.table = ResultTable()
        self.copy = QPushButton("&Copy table")
        self.copy.setToolTip("Copy the table to the clipboard, for a spreadsheet (Alt+C)")
        self.save = QPushButton("&Save report...")
        self.save.setToolTip(
            "Save a folder with the report in Markdown, tables in CSV and the figure (Alt+S)"
        )
        self._lay_out()
        self._connect()
        self.reference.follow_active()
        self.refresh()
        QTimer.singleShot(0, self._settle)

    def _lay_out(self) -> None:
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(6, 4, 6, 4)
        boxes = QFormLayout()
        boxes.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        boxes.addRow("Truth", self.reference)
        column.addLayout(boxes)
        column.addWidget(self.fit)
        column.addWidget(self.form)
        column.addStretch()
        scroll = scrolled(inner)
        results = QWidget()
        below = QVBoxLayout(results)
        below.setContentsMargins(6, 0, 6, 4)
        below.addWidget(self.table, stretch=1)
        buttons = QHBoxLayout()
        buttons.addWidget(self.copy)
        buttons.addWidget(self.save)
        below.addLayout(buttons)
        lower = QWidget()
        stack = QVBoxLayout(lower)
        stack.setContentsMargins(0, 0, 0, 0)
        stack.addWidget(self.foot)
        stack.addWidget(results, stretch=1)
        parts = QSplitter(Qt.Orientation.Vertical)
        parts.addWidget(scroll)
        parts.addWidget(lower)
        parts.setChildrenCollapsible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(parts)
        self.setMinimumWidth(280)

    def _connect(self) -> None:
        for box in (self.reference, self.other):
            box.activated.connect(self._changed)
        self.form.changed.connect(self._changed)
        self.foot.run_button.clicked.connect(self.run)
        self.foot.cancel_button.clicked.connect(self._jobs.cancel)
        self.copy.clicked.connect(self.table.copy)
        self.save.clicked.connect(self._on_save)
        self.listen_to_layers(self._changed, active=self._on_active)

    def _settle(self) -> None:
        tabify_beside_ours(self)

    def release(self) -> None:
        """Stop the run and let go of the viewer's events."""
        super().release()
        self._jobs.stop()
        self._saving.stop()
        self._refresh_timer.stop()

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        return self._jobs.running

    def refresh(self) -> None:
        """List the cubes, and say whether and how the run can be made."""
        self.reference.refill()
        self.other.refill()
        self.other.setEnabled(self.form.needs_other_layer)
        possible = self._describe_fit()
        running = self._jobs.running
        self.foot.run_button.setEnabled(possible and not running)
        self.foot.cancel_button.setEnabled(running)
        has_table = self.evaluation is not None
        self.copy.setEnabled(has_table)
        self.save.setEnabled(has_table and not self._saving.running)

    def _changed(self, *_: object) -> None:
        self._refresh_timer.start()

    def _on_active(self, *_: object) -> None:
        self.reference.follow_active()
        self._changed()

    def _describe_fit(self) -> bool:
        try:
            reference, other, params = self._asked()
        except DeeperError as error:
            self.fit.setText(str(error))
            return False
        self.fit.setText(f"{describe_cube(reference)}\n{describe_test(params, other)}")
        return True

    def _asked(self) -> tuple[RamanCube, RamanCube | None, EvaluateParams]:
        """Return the truth, the second cube and the settings, checked as far as that is quick.

        Raises
        ------
        DeeperError
            In words for the user.
        """
        source = self.reference.layer()
        reference, other, scale = cube_from_layer(source), None, 1
        if self.form.needs_other_layer:
            if self.other.layer() in (None, source):
                raise DeeperError("Choose another layer of the same field.")
            other = cube_from_layer(self.other.layer())
            scale = max(1, round(reference.shape[0] / other.shape[0]))
        return reference, other, self.form.value(scale)

    def run(self) -> None:
        """Start the run with what the dock shows."""
        self.failure = ""
        try:
            reference, other, params = self._asked()
        except DeeperError as error:
            self.failure = str(error)
            self.foot.show_end(self.failure, done=False)
            return
        self._remembered.save(**self.form.to_json())

        def work(progress: Progress) -> Evaluation:
            return evaluate(reference, params, measured=other, progress=progress)

        self._jobs.start(work)
        self._on_progress(0.0, "Starting", None)
        self.refresh()

    def _on_progress(self, fraction: float, text: str, seconds: float | None) -> None:
        self.foot.show_progress(fraction, text, seconds)

    def _on_end(self, found: Evaluation | None, error: Exception | None) -> None:
        if error is None and found is not None:
            self.evaluation = found
            self.table.show_evaluation(found)
            self.foot.show_end("\n".join([*verdict(found), *found.notes]), done=True)
        elif error is not None:
            self.failure = in_words(error, "Cancelled.")
            self.foot.show_end(self.failure, done=False)
        self.refresh()

    def _on_save(self) -> None:
        name = f"evaluation of {self.evaluation.map}" if self.evaluation else "evaluation"
        path, _ = QFileDialog.getSaveFileName(self, "Save report in a new folder", name)
        if path:
            self.save_report(Path(path))

    def save_report(self, folder: Path) -> None:
        """Write the report into a new folder, off the GUI thread: its figure takes a second."""
        found = self.evaluation
        if found is None or self._saving.running:
            return
        self.foot.message.set_text("Writing the report...")
        self._saving.start(lambda _: write_report([found], folder))
        self.refresh()

    def _on_saved(self, folder: Any, error: Exception | None) -> None:
        told = f"Saved the report in {folder}." if error is None else in_words(error, "")
        self.foot.message.set_text(told)
        self.refresh()
