"""The Enhance dock: denoise and super-resolve the current cube."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_deeper.engine.denoise_params import DenoiseParams
from napari_deeper.engine.enhance import enhance
from napari_deeper.engine.enhance_files import Made, enhance_file, enhanced_name
from napari_deeper.engine.estimate import plan
from napari_deeper.engine.recipe import Recipe
from napari_deeper.io.write import check_output
from napari_deeper.io.zarr_levels import StoredLevels
from napari_deeper.models.kept import keeping
from napari_deeper.plugin.fit_watch import FitWatch
from napari_deeper.plugin.jobs import JobRunner, Pieces
from napari_deeper.plugin.layers import (
    add_cube,
    add_stored,
    cube_from_layer,
    is_stored,
    stored_image,
    stored_path,
)
from napari_deeper.plugin.prepare_job import add_prepared, prepare_one, what_was_done
from napari_deeper.plugin.trust_maps import drop_orphans, show_flagged
from napari_deeper.plugin.widgets.dock_page import DockPage, scrolled
from napari_deeper.plugin.widgets.enhance_form import EnhanceForm
from napari_deeper.plugin.widgets.fit_box import FitBox
from napari_deeper.plugin.widgets.form import Remembered
from napari_deeper.plugin.widgets.layer_box import LayerBox
from napari_deeper.plugin.widgets.run_bar import RunBar
from napari_deeper.plugin.widgets.target_box import TargetBox, describe_run
from napari_deeper.plugin.widgets.wording import describe_cube, devices_used, in_words, repeated
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import DeeperError
from napari_deeper.spectra.progress import Progress
from napari_deeper.spectra.trust import trust_sentences

if TYPE_CHECKING:
    import napari

NETWORKS = ("auto", "resunet")  # methods of denoising that a cube must suit


class EnhanceWidget(DockPage):
    """Choose a cube, choose what to do, run it off the GUI thread, get new layers."""

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self.failure = ""  # why the last run ended without results
        self._source: Any = None
        self._flagged: list[Any] = []  # results of the last run that have flagged pixels
        self._networks: dict[Any, Any] = {}  # the shipped ones of earlier runs, ready to run
        self._n_steps = 0  # of the last run: results before comparators
        self._show: Callable[[Any], Pieces] = self._show_enhanced  # what is done with the results
        self._jobs = JobRunner(self, self._on_progress, self._on_end, self._on_shown)
        self._fit_watch = FitWatch(self, self._changed)
        self._remembered = Remembered("enhance")
        self._refresh_timer = QTimer(self)
        self._refresh_timer.setSingleShot(True)
        self._refresh_timer.setInterval(0)
        self._refresh_timer.timeout.connect(self.refresh)
        self.cube = LayerBox(self._viewer)
        self.cube.setToolTip("The image layer to work on; it is never changed")
        self.fit = QLabel()
        self.fit.setWordWrap(True)
        self.target = TargetBox(
            "Result", "The Zarr store that the result is written to; it is opened when it is there"
        )
        self.suits = FitBox()
        self.form = EnhanceForm()
        self.form.restore(self._remembered.load())
        self.foot = RunBar(
            run="Make new layers; the input stays as it is",
            cancel="Stop within one batch; nothing is added",
            placeholder="Results are new layers; the input stays as it is.",
        )
        self.flags_button = QPushButton("Show &flagged pixels")
        self.flags_button.setToolTip(
            "Show where what was removed does not look like noise, as layers over the results (Alt+F)"
        )
        self.flags_button.setEnabled(False)
        self._lay_out()
        self._connect()
        self.cube.follow_active()
        self.refresh()

    def _lay_out(self) -> None:
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(6, 4, 6, 4)
        column.setSpacing(6)
        row = QHBoxLayout()
        row.addWidget(QLabel("Cube"))
        row.addWidget(self.cube, stretch=1)
        column.addLayout(row)
        column.addWidget(self.fit)
        column.addWidget(self.target)
        column.addWidget(self.suits)
        column.addWidget(self.form)
        column.addStretch()
        scroll = scrolled(inner)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scroll, stretch=1)
        layout.addWidget(self.foot)
        row = QHBoxLayout()
        row.setContentsMargins(6, 0, 6, 4)
        row.addWidget(self.flags_button)
        layout.addLayout(row)
        self.setMinimumWidth(324)  # the form, beside the bar that scrolls it

    def _connect(self) -> None:
        self.cube.activated.connect(self._changed)
        self.target.changed.connect(self._changed)
        self.form.changed.connect(self._changed)
        self.foot.run_button.clicked.connect(self.run)
        self.foot.cancel_button.clicked.connect(self._jobs.cancel)
        self.flags_button.clicked.connect(self.show_flagged)
        self.suits.prepare.connect(self.prepare)
        self.suits.open_recipe.connect(self._open_recipe)
        self.listen_to_layers(self._changed, removed=self._on_removed, active=self._on_active)

    def release(self) -> None:
        """Stop the run, and let go of the viewer's events and of the networks."""
        super().release()
        self._jobs.stop()
        self._networks.clear()
        self._fit_watch.stop()
        self._refresh_timer.stop()

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        return self._jobs.running

    def refresh(self) -> None:
        """List the cubes, and say whether and how the run can be made."""
        self.cube.refill()
        possible = self._describe_fit()
        running = self._jobs.running
        self.foot.run_button.setEnabled(possible and not running)
        self.foot.cancel_button.setEnabled(running)
        self.suits.set_running(running)

    def _changed(self, *_: object) -> None:
        # once for many events: a run adds several layers at a time
        self._refresh_timer.start()

    def _on_removed(self, *_: object) -> None:
        # what is gone must not be kept in memory by the dock
        self._flagged = [layer for layer in self._flagged if layer in self._viewer.layers]
        self.flags_button.setEnabled(bool(self._flagged))
        drop_orphans(self._viewer)
        self._changed()

    def _on_active(self, *_: object) -> None:
        self.cube.follow_active()
        self._changed()

    def _describe_fit(self) -> bool:
        """Show what fits or does not; return whether the run is possible."""
        stored = stored_image(self.cube.layer())
        self.target.setVisible(stored is not None)
        if stored is not None:
            return self._describe_file(stored.stored)
        try:
            cube = cube_from_layer(self.cube.layer())
            request = self.form.value()
            steps = request.steps
            if not steps:
                raise DeeperError("Tick Denoise, Super-resolve, or both.")
            lines = [describe_cube(cube), *repeated(cube, steps)]
            lines += dict.fromkeys(line for params in steps for line in plan(cube, params))
        except DeeperError as error:
            self.fit.setText(str(error))
            self._describe_suits(None, None)
            return False
        self.fit.setText("\n".join(lines))
        self._describe_suits(cube, request.denoise)
        return True

    def _describe_file(self, stored: StoredLevels) -> bool:
        """Say what a run from file to file takes; return whether it is possible."""
        self._describe_suits(None, None)
        try:
            request = self.form.value()
            name = enhanced_name(stored.path, request.denoise, request.super_resolve)
            self.target.propose(stored.path.with_name(name))
            target = check_output(self.target.value())
            if not request.steps:
                raise DeeperError("Tick Denoise, Super-resolve, or both.")
        except DeeperError as error:
            self.fit.setText(str(error))
            return False
        scale = request.super_resolve.scale if request.super_resolve else 0
        # denoised intensities have their uncertainty beside them; so have finer ones
        n_result = 2 * stored.n_bytes * (scale**2 + (request.denoise is not None))
        lines = describe_run(stored.shape, stored.n_bytes, n_result, target)
        if request.comparators:
            lines.append("Comparators are for cubes in memory: left out.")
        self.fit.setText("\n".join(lines))
        return True

    def _describe_suits(self, cube: RamanCube | None, params: DenoiseParams | None) -> None:
        """Show what about the cube does not suit the network, once that is known."""
        if cube is None or params is None or params.method not in NETWORKS:
            self._fit_watch.forget()
            self.suits.show_findings(None)
            return
        layer = self.cube.layer()
        self.suits.show_findings(self._fit_watch.findings(layer, cube, params.model))

    def prepare(self, recipe: Recipe) -> None:
        """Run the suggested steps, and choose the result."""
        source = self.cube.layer()
        try:
            cube = cube_from_layer(source)
        except DeeperError as error:
            self.failure = str(error)
            self.foot.show_end(self.failure, done=False)
            return
        if self._jobs.running:
            return
        self.failure = ""
        self._source = source

        def show(ready: RamanCube) -> Pieces:
            layer = add_prepared(self._viewer, source, ready)
            self.cube.follow_active()
            told = f"Added '{layer.name}' and chose it: Run works on it now. '{cube.name}' stays as it is."
            self.foot.show_end("\n".join([told, *what_was_done(ready, recipe)]), done=True)
            yield

        self._show = show
        self._jobs.start(lambda progress: prepare_one(cube, recipe, progress))
        self._on_progress(0.0, "Starting", None)
        self.refresh()

    def _open_recipe(self, recipe: Recipe) -> None:
        # the dock of Prepare is made only where it is wanted
        from napari_deeper.plugin.widgets.prepare import open_prepare

        open_prepare(self._viewer, recipe)

    def run(self) -> None:
        """Start the run with what the dock shows."""
        self.failure = ""
        source = self.cube.layer()
        stored = stored_path(source)
        if stored is not None:
            self._run_file(source, stored)
            return
        try:
            cube = cube_from_layer(source)
            request = self.form.value()
        except DeeperError as error:
            self.failure = str(error)
            self.foot.show_end(self.failure, done=False)
            return
        self._source, self._n_steps = source, len(request.steps)
        self._flagged = []
        self.flags_button.setEnabled(False)
        self._remembered.save(**self.form.to_json())

        def work(progress: Progress) -> tuple[list[RamanCube], list[str]]:
            own = any(step.model for step in request.steps)
            with keeping({} if own else self._networks):  # own ones can be large
                results = enhance(
                    cube, request.denoise, request.super_resolve, request.comparators, progress
                )
            return results, _tell(results, len(request.steps))

        self._show = self._show_enhanced
        self._jobs.start(work)
        self._on_progress(0.0, "Starting", None)
        self.refresh()

    def _run_file(self, source: Any, path: Path) -> None:
        """Start a run from the store of a layer to the target."""
        try:
            request, target = self.form.value(), check_output(self.target.value())
        except DeeperError as error:
            self.failure = str(error)
            self.foot.show_end(self.failure, done=False)
            return
        self._source = source
        self._remembered.save(**self.form.to_json())

        def show(made: list[Made]) -> Pieces:
            told = []
            for result, notes in made:
                layer = add_stored(self._viewer, result, like=source)
                told += [f"Wrote {result} and opened it as '{layer.name}'.", *notes]
                yield
            self.cube.keep(source)
            self.foot.show_end("\n".join(dict.fromkeys(told)), done=True)

        self._show = show
        self._jobs.start(
            lambda progress: enhance_file(
                path, target, request.denoise, request.super_resolve, progress
            )
        )
        self._on_progress(0.0, "Starting", None)
        self.refresh()

    def _on_progress(self, fraction: float, text: str, seconds: float | None) -> None:
        self.foot.show_progress(fraction, text, seconds)

    def _on_end(self, results: Any, error: Exception | None) -> Pieces | None:
        if error is None:
            return self._show(results)
        stopped = "Cancelled. Nothing was added."
        if is_stored(self._source):
            stopped = "Cancelled. Run goes on where it was."
        self.failure = in_words(error, stopped)
        self.foot.show_end(self.failure, done=False)
        self._on_shown()
        return None

    def _on_shown(self) -> None:
        self._source = None
        self._show = self._show_enhanced  # what was shown must not be kept in memory
        self.refresh()

    def _show_enhanced(self, found: tuple[list[RamanCube], list[str]]) -> Pieces:
        """Add the results as layers, one in a turn, and tell of them."""
        results, told = found
        # the last one added lies on top: comparators first, then the results in the order they were made
        for cube in [*results[self._n_steps :], *results[: self._n_steps]]:
            layer = add_cube(self._viewer, cube, like=self._source)
            if cube.flagged is not None and cube.flagged.any():
                self._flagged.append(layer)
            yield
        self.flags_button.setEnabled(bool(self._flagged))
        self.cube.keep(self._source)
        self.foot.show_end("\n".join(told), done=True)

    def show_flagged(self) -> None:
        """Show the flagged pixels of the last results as layers over them."""
        for layer in self._flagged:
            show_flagged(self._viewer, layer)


def _tell(results: list[RamanCube], n_steps: int) -> list[str]:
    """Return what to tell of the results; `n_steps` of them come before the comparators."""
    n_added = len(results)
    notes = [f"Added {n_added} layer{'s' if n_added > 1 else ''}."]
    for cube in results[:n_steps]:
        # two results may say the same with other numbers
        about = f"{cube.provenance[-1].verb}: " if n_steps > 1 else ""
        notes += cube.provenance[-1].notes
        notes += [about + sentence for sentence in trust_sentences(cube)]
    notes += [f"Ran on {device}." for device in devices_used(results)]
    return list(dict.fromkeys(notes))
