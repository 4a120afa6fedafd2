"""The runs of the Components dock: search, solve, and show what came out as layers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer

from napari_deeper.engine.unmix_report import check_unmixed
from napari_deeper.io.zarr_levels import StoredLevels
from napari_deeper.plugin.component_layers import ComponentLayers, Result
from napari_deeper.plugin.component_session import Input, Session, search, solve
from napari_deeper.plugin.jobs import JobRunner, Pieces
from napari_deeper.plugin.layers import (
    cube_from_layer,
    cube_layers,
    shown_endmembers,
    stored_image,
    stored_path,
)
from napari_deeper.plugin.widgets.components_page import ComponentsPage
from napari_deeper.plugin.widgets.form import Remembered
from napari_deeper.plugin.widgets.target_box import describe_run
from napari_deeper.plugin.widgets.wording import describe_cube, in_words
from napari_deeper.spectra.endmembers import Endmembers
from napari_deeper.spectra.errors import DeeperError
from napari_deeper.spectra.progress import Progress

if TYPE_CHECKING:
    import napari


class ComponentsRuns(ComponentsPage):
    """Looks for endmembers on the target off the GUI thread, and keeps table, plot and layers in step."""

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self.failure = ""  # why the last run changed nothing
        self.session = Session()
        self.layers = ComponentLayers(self._viewer)
        self._jobs = JobRunner(self, self._on_progress, self._on_end, self.refresh)
        self._remembered = Remembered("components")
        self._refresh_timer = QTimer(self)
        self._refresh_timer.setSingleShot(True)
        self._refresh_timer.setInterval(0)
        self._refresh_timer.timeout.connect(self.refresh)
        self.form.restore(self._remembered.load())
        self._solver = self.form.solver()
        self._resume()
        self.target.activated.connect(self._changed)
        self.output.changed.connect(self._changed)
        self.form.changed.connect(self._on_form)
        self.form.shown_changed.connect(self._on_shown)
        self.form.every.clicked.connect(self._on_every)
        self.foot.run_button.clicked.connect(self.run)
        self.foot.cancel_button.clicked.connect(self._jobs.cancel)
        self.result.table.drawn_changed.connect(self._on_drawn)
        self.listen_to_layers(self._changed, active=self._on_active)

    def release(self) -> None:
        """Stop the run and let go of the viewer's events."""
        super().release()
        self._jobs.stop()
        self._refresh_timer.stop()

    # ---- what is shown ------------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        return self._jobs.running

    @property
    def endmembers(self) -> Endmembers | None:
        """The endmembers that are shown."""
        return self.session.endmembers

    def refresh(self) -> None:
        """List the cubes, and allow what can be done."""
        self._drop_gone()
        self.target.refill()
        possible = True
        layer = self.target.layer()
        image = stored_image(layer)
        self.output.setVisible(image is not None)
        try:
            if image is None:
                self.fit.setText(describe_cube(cube_from_layer(layer)))
            else:
                self.fit.setText(self._describe_file(image.stored))
            self.form.value()
        except DeeperError as error:
            self.fit.setText(str(error))
            possible = False
        running = self._jobs.running
        self.foot.run_button.setEnabled(possible and not running)
        self.foot.cancel_button.setEnabled(running)
        self.result.enable(
            some=self.endmembers is not None,
            free=not running,
            target=possible,
            undo=bool(self.session.before),
        )

    def _describe_file(self, stored: StoredLevels) -> str:
        """Say what a run from file to file takes.

        Raises
        ------
        DeeperError
            If the folder for the results is there already.
        """
        self.output.propose(stored.path.with_name(f"{stored.path.stem}-components"))
        output = check_unmixed(self.output.value())
        # at most as many maps as are kept of a search
        n_result = 4 * 16 * stored.shape[0] * stored.shape[1]
        return "\n".join(describe_run(stored.shape, stored.n_bytes, n_result, output))

    def _resume(self) -> None:
        """Go on with the endmembers of maps that an earlier dock has left."""
        left = shown_endmembers(self._viewer.layers)
        if left is not None:
            s = self.session
            s.resume(left)
            self.result.show_endmembers(left, s.shares(), s.drawn, s.matches)

    def _show(self, *, add: bool) -> None:
        s = self.session
        self.result.show_endmembers(s.endmembers, s.shares(), s.drawn, s.matches)
        self.layers.update(s.results, s.drawn, self.form.kinds(), add=add)
        self.refresh()

    def _changed(self, *_: object) -> None:
        self._refresh_timer.start()

    def _on_active(self, *_: object) -> None:
        self.target.follow_active()
        self._changed()

    def _drop_gone(self) -> None:
        # maps of a cube that is gone would show what nobody can check any more
        s = self.session
        left = [result for result in s.results if result[0] in self._viewer.layers]
        if len(left) < len(s.results):
            s.results = left
            self.layers.update(left, s.drawn, self.form.kinds(), add=False)
            self.result.show_endmembers(s.endmembers, s.shares(), s.drawn, s.matches)

    def _on_shown(self) -> None:
        self._remember()
        s = self.session
        if s.results:
            self.layers.update(s.results, s.drawn, self.form.kinds())

    def _on_form(self) -> None:
        self._changed()
        solver = self.form.solver()
        if solver != self._solver and self.endmembers is not None and not self.running:
            self._solve(self.endmembers)
        self._solver = solver

    def _on_drawn(self) -> None:
        self.session.drawn = self.result.table.drawn()
        self._show(add=False)

    def _on_every(self) -> None:
        self._remember()
        if self.endmembers is not None and not self.running:
            self._solve(self.endmembers)

    def _remember(self) -> None:
        try:
            self._remembered.save(**self.form.to_json())
        except DeeperError:
            return

    # ---- runs ---------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Look for endmembers with what the dock shows."""
        try:
            cubes, params = self._cubes(), self.form.value()
            output = None
            if isinstance(cubes[0][1], Path):
                output = check_unmixed(self.output.value())
        except DeeperError as error:
            self._fail(error)
            return
        self._remember()
        self._start(lambda progress: search(cubes, params, progress, output))

    def _cubes(self, *, shown: bool = False) -> list[tuple[Any, Input]]:
        """Return layers with their cubes: the target's first, or those that are shown; then what Every cube adds.

        Raises
        ------
        DeeperError
            If the target is no cube.
        """
        layers = [layer for layer, _ in self.session.results] if shown else []
        layers = layers or [self.target.layer()]
        if self.form.every.isChecked():
            layers += [layer for layer in cube_layers(self._viewer.layers) if layer not in layers]
        elif shown:
            layers = layers[:1]
        return [(layer, stored_path(layer) or cube_from_layer(layer)) for layer in layers]

    def _solve(self, endmembers: Endmembers, *, shown: bool = True) -> None:
        """Solve for these endmembers on the cubes shown, or on the target.

        They take the place of those before once that has worked.
        """
        try:
            cubes, params = self._cubes(shown=shown), self.form.value()
        except DeeperError as error:
            self._fail(error)
            return
        self._start(lambda progress: solve(cubes, endmembers, params, progress))

    def _start(self, work: Callable[[Progress], Any]) -> None:
        if self.running:
            return
        self.failure = ""
        self._jobs.start(work)
        self._on_progress(0.0, "Starting", None)
        self.refresh()

    def _on_progress(self, fraction: float, text: str, seconds: float | None) -> None:
        self.foot.show_progress(fraction, text, seconds)

    def _on_end(self, found: Any, error: Exception | None) -> Pieces | None:
        if error is not None or found is None:
            self._fail(error or DeeperError("Nothing was found."))
            return None
        results, notes = found
        results = [r for r in results if r[0] in self._viewer.layers]
        if not results:
            self._fail(DeeperError("The cube was removed meanwhile."))
            return None
        return self._show_found(results, notes)

    def _show_found(self, results: list[Result], notes: list[str]) -> Pieces:
        """Show what came out, a layer in a turn, and tell of it."""
        s = self.session
        s.take(results)
        self.result.show_endmembers(s.endmembers, s.shares(), s.drawn, s.matches)
        yield
        shown = None
        while shown != (
            wanted := (s.drawn, self.form.kinds())
        ):  # the user may choose others meanwhile
            shown = wanted
            yield from self.layers.update_in_turns(s.results, *wanted)
        self.foot.show_end("\n".join([*s.verdict(), *notes]), done=True)

    def _fail(self, error: Exception) -> None:
        self.failure = in_words(error, "Cancelled.")
        self.foot.show_end(self.failure, done=False)
        s = self.session
        self.result.show_endmembers(s.endmembers, s.shares(), s.drawn, s.matches)
        self.refresh()
