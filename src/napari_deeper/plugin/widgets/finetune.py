"""The Fine-tune dock: train a network on, on patches of one's own, in a process of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.utils.theme import get_theme
from qtpy.QtCore import QTimer, QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import (
    QHBoxLayout,
    QMessageBox,
    QPushButton,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_deeper.engine.finetune_job import JOB_FILE, read_job
from napari_deeper.plugin.finetune_data import Drawn, prepare
from napari_deeper.plugin.finetune_job import (
    Watcher,
    jobs_folder,
    known_jobs,
    launch,
    new_folder,
    running_job,
)
from napari_deeper.plugin.finetune_view import ENDED, FINISHED, PAUSED, RUNNING
from napari_deeper.plugin.jobs import JobRunner
from napari_deeper.plugin.widgets.annotate import AnnotateWidget
from napari_deeper.plugin.widgets.dock_page import DockPage, scrolled
from napari_deeper.plugin.widgets.enhance import EnhanceWidget
from napari_deeper.plugin.widgets.finetune_closing import STAY, STOP, CloseGuard, ask_in_dialog
from napari_deeper.plugin.widgets.finetune_estimate import Estimator
from napari_deeper.plugin.widgets.finetune_form import Asked, FinetuneForm
from napari_deeper.plugin.widgets.finetune_result import ResultPage
from napari_deeper.plugin.widgets.finetune_run import RunPage
from napari_deeper.plugin.widgets.form import Remembered
from napari_deeper.plugin.widgets.layer_box import LayerBox
from napari_deeper.plugin.widgets.my_models import ModelsPage
from napari_deeper.plugin.widgets.run_bar import Message
from napari_deeper.plugin.widgets.wording import in_words
from napari_deeper.plugin.widgets.workspace import bring_forward, tabify_beside_ours
from napari_deeper.spectra.errors import DeeperError

if TYPE_CHECKING:
    import napari

LOOK_MS, CHECK_MS = 200, 1000
_SURE = "Remove the folder of this job, with its report? A model that it made stays in My models."


class FinetuneWidget(DockPage):
    """Set a job up, start it as a process, watch it, read what became of it, keep the models."""

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self.ask: Callable[[QWidget | None, bool], str] = ask_in_dialog
        self.ask_sure: Callable[[QWidget, str], bool] = _ask_sure
        self.open_folder: Callable[[Path], object] = _open_folder
        self.watcher: Watcher | None = None
        self._seen = -1
        self._answered = False
        self._jobs = JobRunner(self, lambda *_: None, self._on_end)
        self._then: Callable[[Any], None] = lambda _: None
        self.estimator = Estimator(self, self._asked)
        self._remembered = Remembered("finetune")
        self._looking = self._timer(LOOK_MS, self._look)
        self._checking = self._timer(CHECK_MS, self._check_if_seen)
        low, high = LayerBox(self._viewer), LayerBox(self._viewer, leads=False)
        self.form = FinetuneForm(self._drawn, low, high)
        self.form.restore(self._remembered.load())
        self.message = Message("", 110)
        self.estimate_button = QPushButton("&Estimate")
        self.estimate_button.setToolTip(
            "Find out by a few steps how long it takes and how much memory; done by itself for cubes of usual size"
        )
        self.start_button = QPushButton("&Start")
        self.start_button.setToolTip("Train in a process of its own; napari stays free")
        self.run, self.result, self.models = RunPage(), ResultPage(), ModelsPage()
        self._told = ""
        self._lay_out()
        self._connect()
        self._guard: CloseGuard | None = CloseGuard(self._viewer.window._qt_window, self._may_close)
        self._set_theme()
        self.refresh()
        self._looking.start()
        self._checking.start()
        QTimer.singleShot(0, self._settle_in)

    def _timer(self, interval: int, slot: Callable[[], None]) -> QTimer:
        timer = QTimer(self)
        timer.setInterval(interval)
        timer.timeout.connect(slot)
        return timer

    def _lay_out(self) -> None:
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(6, 4, 6, 4)
        column.addWidget(self.form)
        column.addStretch()
        scroll = scrolled(inner)
        self.setup = QWidget()
        column = QVBoxLayout(self.setup)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(scroll, stretch=1)
        foot = QVBoxLayout()
        foot.setContentsMargins(6, 0, 6, 4)
        foot.addWidget(self.message)
        row = QHBoxLayout()
        row.addWidget(self.estimate_button)
        row.addWidget(self.start_button, stretch=1)
        foot.addLayout(row)
        column.addLayout(foot)
        self.pages = QTabWidget()
        self.pages.setDocumentMode(True)
        for page, title in (
            (self.setup, "Set up"),
            (self.run, "Run"),
            (self.result, "Result"),
            (self.models, "My models"),
        ):
            self.pages.addTab(page, title)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.pages)
        self.setMinimumWidth(320)

    def _connect(self) -> None:
        self.form.changed.connect(self._on_form)
        self.estimate_button.clicked.connect(self.estimator.begin)
        self.estimator.changed.connect(self.refresh)
        self.start_button.clicked.connect(self.start)
        self.run.wished.connect(self.wish)
        self.run.chosen.connect(self.watch)
        self.run.remove_asked.connect(self.remove_job)
        self.result.report_asked.connect(self._open_report)
        self.result.use_asked.connect(self.use_in_enhance)
        self.models.changed.connect(self._tell_of_models)
        self.pages.currentChanged.connect(self._on_page)
        self.listen_to_layers(self.refresh)
        self.listen((self._viewer.events.theme, self._set_theme))

    def _settle_in(self) -> None:
        tabify_beside_ours(self)
        self._do(lambda _: (known_jobs(), running_job()), self._show_found)

    def release(self) -> None:
        """Let go of the viewer; a job goes on, unless the user wants it stopped."""
        super().release()
        if self._guard is None:
            return
        self._guard.release()
        self._guard = None
        if self.working and not self._answered:
            self._answer(self.ask(self._viewer.window._qt_window, False))
        self._jobs.stop()
        self.estimator.stop()
        for timer in (self._looking, self._checking):
            timer.stop()
        self._let_go()

    # ---- closing ------------------------------------------------------------------------------------------------

    def _may_close(self) -> bool:
        if not self.working:
            return True
        answer = self.ask(self._viewer.window._qt_window, True)
        self._answer(answer)
        self._answered = answer != STAY
        return self._answered

    def _answer(self, answer: str) -> None:
        if answer == STOP:
            self.wish("cancel")

    # ---- setting up ---------------------------------------------------------------------------------------------

    @property
    def working(self) -> bool:
        """Whether the job that is shown runs."""
        watcher = self.watcher
        return watcher is not None and watcher.view.state not in ENDED

    @property
    def busy(self) -> bool:
        """Whether something is being prepared."""
        return self._jobs.running

    def _drawn(self, whole: bool) -> Drawn | None:
        docks = self._viewer.window._qt_window.findChildren(AnnotateWidget)
        return docks[0].drawn(whole) if docks else None

    def refresh(self, *_: object) -> None:
        """Say whether and how the job can be started."""
        for box in (self.form.low, self.form.high):
            box.refill()
        asked, told = None, ""
        try:
            asked = self.form.value()
            told = "\n".join(asked.told)
        except DeeperError as error:
            told = str(error)
        if self.working:
            asked, told = None, f"{told}\nA job is running: see the page 'Run'."
        # Nobody waits for an estimate that nobody sees.
        self.estimator.consider(asked, seen=self.setup.isVisible())
        parts = (told, self._told or self.estimator.told)
        self.message.set_text("\n".join(part for part in parts if part))
        possible = asked is not None and not self.busy
        self.estimate_button.setEnabled(possible and not self.estimator.running)
        self.start_button.setEnabled(possible)

    def _check_if_seen(self) -> None:
        # Patches are drawn in another dock, which tells nobody.
        if self.setup.isVisible():
            self.refresh()

    def _on_form(self) -> None:
        self._told = ""
        self.refresh()

    def _on_page(self, *_: object) -> None:
        if self.pages.currentWidget() is self.models:
            self.models.refill()
        self.refresh()

    def _do(self, work: Callable[[Any], Any], then: Callable[[Any], None], doing: str = "") -> None:
        if self._jobs.running:
            return
        self._then, self._told = then, doing
        self._jobs.start(work)
        self.refresh()

    def _on_end(self, result: Any, error: Exception | None) -> None:
        self._told = "" if error is None else in_words(error, "")
        if error is None:
            self._then(result)
        self.refresh()

    def _asked(self) -> Asked | None:
        try:
            return self.form.value(whole=True)
        except DeeperError as error:
            self._told = ""
            self.message.set_text(str(error))
            return None

    def start(self) -> None:
        """Write the job, and start it."""
        asked = self._asked()
        if asked is None or self.working:
            return
        self._remembered.save(**self.form.to_json())
        self.estimator.consider(None, seen=False)

        def work(_: Any) -> Watcher:
            folder = new_folder()
            prepare(folder, asked.data, asked.params, asked.name)
            return Watcher(folder, launch(folder))

        self._do(work, self._show_started, "Writing the job...")

    def _show_started(self, watcher: Watcher) -> None:
        self._follow(watcher)
        self.run.show_jobs(known_jobs(), watcher.folder)
        self.pages.setCurrentWidget(self.run)

    # ---- watching -----------------------------------------------------------------------------------------------

    def _show_found(self, found: tuple[list[tuple[Path, str]], Path | None]) -> None:
        jobs, running = found
        newest = jobs[0][0] if jobs else None
        shown = running or newest
        if self.watcher is None and shown is not None:
            self.watch(shown)
        self.run.show_jobs(jobs, self.watcher.folder if self.watcher else None)
        if running is not None:
            self.pages.setCurrentWidget(self.run)

    def watch(self, folder: Path) -> None:
        """Show the job of a folder, whoever started it."""
        self._follow(Watcher(folder))

    def _follow(self, watcher: Watcher) -> None:
        self._let_go()
        self.watcher, self._seen = watcher, -1
        self.result.show_result(None)
        # A plain object's method: it can still be called when this widget is gone.
        self.destroyed.connect(watcher.forget)
        watcher.start()

    def _let_go(self) -> None:
        if self.watcher is not None:
            self.watcher.stop()
            self.watcher = None

    def _look(self) -> None:
        watcher = self.watcher
        if watcher is None:
            return
        with watcher.lock:
            if watcher.n_changes == self._seen:
                return
            self._seen = watcher.n_changes
            view, images = watcher.view, dict(watcher.images)
            self.run.show_view(view, images, watcher.last_log)
            state, facts = view.state, view.result
        if state == FINISHED and facts is not None and self.result.facts is not facts:
            self._show_result(facts)
        if state in ENDED:
            self.refresh()

    def _show_result(self, facts: Any) -> None:
        assert self.watcher is not None
        was_started_here = self.watcher.process is not None
        self.result.show_result(facts, self.watcher.from_scratch)
        self.models.refill()
        self._tell_of_models()
        if was_started_here or self.pages.currentWidget() is self.run:
            self.pages.setCurrentWidget(self.result)

    def wish(self, word: str) -> None:
        """Pause, continue, stop, cancel or resume the job that is shown."""
        watcher = self.watcher
        if watcher is None:
            return
        if word == "resume":
            self._resume(watcher.folder)
        elif word == "cancel" and watcher.view.state not in (RUNNING, PAUSED):
            watcher.end()  # it does not look for wishes while it reads its data or judges
        else:
            watcher.wish(word)

    def _resume(self, folder: Path) -> None:
        self._do(lambda _: Watcher(folder, launch(folder)), self._show_started, "Going on...")

    def remove_job(self) -> None:
        """Remove the folder of the job that is shown, if the user is sure."""
        watcher = self.watcher
        if watcher is None or self.working or not self.ask_sure(self, _SURE):
            return
        folder = watcher.folder
        self._let_go()
        if jobs_folder() in folder.parents:
            shutil.rmtree(folder, ignore_errors=True)
        self.run.show_nothing()
        self.result.show_result(None)
        self._do(lambda _: (known_jobs(), None), self._show_found)

    # ---- after --------------------------------------------------------------------------------------------------

    def _enhance_docks(self) -> list[EnhanceWidget]:
        found: list[EnhanceWidget] = self._viewer.window._qt_window.findChildren(EnhanceWidget)
        return found

    def _tell_of_models(self) -> None:
        self.form.start.refill()
        for dock in self._enhance_docks():
            dock.form.refill_weights()

    def use_in_enhance(self) -> None:
        """Choose the model of the job in the Enhance dock, which is opened if need be."""
        facts, watcher = self.result.facts, self.watcher
        if facts is None or watcher is None:
            return
        if not self._enhance_docks():
            self._viewer.window.add_plugin_dock_widget("napari-deeper", "Enhance")
        params = read_job(watcher.folder / JOB_FILE).params
        for dock in self._enhance_docks():
            dock.form.use_model(str(facts["model"]), params.what, params.scale, params.network)
            bring_forward(dock)

    def _open_report(self) -> None:
        if self.watcher is not None:
            self.open_folder(self.watcher.folder)

    def _set_theme(self, *_: object) -> None:
        theme = get_theme(self._viewer.theme)
        colors = theme.background.as_hex(), theme.text.as_hex()
        self.run.plot.set_theme(*colors)
        self.run.preview.set_theme(*colors)


def _ask_sure(parent: QWidget, text: str) -> bool:
    answer = QMessageBox.question(parent, "Remove job", text)
    return answer == QMessageBox.StandardButton.Yes


def _open_folder(folder: Path) -> bool:
    return QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))
