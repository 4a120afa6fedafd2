"""The Prepare dock: the steps before the networks, with what each does to a pixel while settings move."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.utils.theme import get_theme
from qtpy.QtCore import QTimer

from napari_deeper.engine.prepare_files import prepare_file
from napari_deeper.engine.prepare_settings import Despike, Normalize
from napari_deeper.engine.recipe import Recipe
from napari_deeper.io.write import check_output
from napari_deeper.plugin.jobs import JobRunner, Pieces
from napari_deeper.plugin.layers import (
    cube_from_layer,
    cube_layers,
    is_stored,
    pixel_at,
    stored_path,
)
from napari_deeper.plugin.pinned_pixels import PinnedPixels
from napari_deeper.plugin.prepare_job import Prepared, add_prepared, prepare_each
from napari_deeper.plugin.prepare_preview import LivePreview, Look, Pixels, PreviewSource
from napari_deeper.plugin.ray_finder import RayFinder
from napari_deeper.plugin.widgets.dock_page import DockPage
from napari_deeper.plugin.widgets.prepare_page import PreparePage
from napari_deeper.plugin.widgets.prepare_plot import MOST_PIXELS, Change
from napari_deeper.plugin.widgets.prepare_recipe import RecipeKeeper
from napari_deeper.plugin.widgets.prepare_steps import Row
from napari_deeper.plugin.widgets.wording import in_words
from napari_deeper.plugin.widgets.workspace import (
    PLUGIN,
    bring_forward,
    dock_of,
    tabify_beside_ours,
)
from napari_deeper.processing.normalization import UNITS
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import DeeperError
from napari_deeper.spectra.progress import Progress

if TYPE_CHECKING:
    import napari

ON_DISK = (
    "No preview of a cube that stays on disk; Run prepares it from file to file. Try the recipe on a part of it: "
    "Plugins > DeepeR > Crop."
)
NO_STEPS = "There is no step to run: choose a preset, add a step, or check one."


@dataclass(frozen=True)
class FilePrepared:
    """What was made from file to file, and of which layer."""

    source: Any
    path: Path
    notes: tuple[str, ...]


class PrepareWidget(DockPage):
    """Choose a cube and its steps, see what they do to a pixel, run them off the GUI thread."""

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self._if_stopped = ""  # what a cancel of this run is told as
        self.failure = ""  # why the last run ended without results
        self._behind = False  # another tab
        self._source: tuple[Any, Any, PreviewSource] | None = None  # layer, its data, the cube
        self._jobs = JobRunner(self, self._on_progress, self._on_end, self.refresh)
        self._live = LivePreview(self, self._on_look)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self.refresh)
        self.page = page = PreparePage(self, self._viewer)
        self.cube, self.steps, self.form, self.rays = page.cube, page.steps, page.form, page.rays
        self.plot, self.foot, self.caption = page.plot, page.foot, page.caption
        self.pinned = PinnedPixels(self._viewer, self._on_pinned)
        self.finder = RayFinder(self._viewer, self.rays, self.plot, self.pinned)
        self.recipes = RecipeKeeper(page.recipe, self.steps, self.foot.message.set_text)
        self._connect()
        self.recipes.restore()
        self.cube.follow_active()
        self._set_theme()
        self.refresh()
        self.setMinimumHeight(1)  # on its way to a tab it must not push the window off the screen
        QTimer.singleShot(0, self._settle)

    def _connect(self) -> None:
        page = self.page
        page.cube.activated.connect(self._changed)
        page.steps.changed.connect(self._on_steps)
        page.steps.chosen.connect(self._on_chosen)
        page.form.changed.connect(page.steps.show_settings)
        page.rays.find.connect(self.find_rays)
        page.whole.toggled.connect(self._changed)
        page.target.changed.connect(self._changed)
        page.fit.clicked.connect(page.plot.fit)
        page.foot.run_button.clicked.connect(self.run)
        page.all_button.clicked.connect(self.run_on_all)
        page.foot.cancel_button.clicked.connect(self._jobs.cancel)
        self.listen_to_layers(self._changed, removed=self._on_removed, active=self._on_active)
        self.listen((self._viewer.events.theme, self._set_theme))

    def _settle(self) -> None:
        tabify_beside_ours(self)
        self.setMinimumHeight(0)
        dock = dock_of(self)
        if dock is not None:
            dock.visibilityChanged.connect(self._on_visible)

    def release(self) -> None:
        """Stop the run and let go of the mouse and of the viewer's events."""
        super().release()
        for jobs in (self._jobs, self.finder, self._live):
            jobs.stop()
        self._timer.stop()
        self.pinned.release()

    # ---- the recipe ---------------------------------------------------------------------------------------------

    def recipe(self) -> Recipe:
        """Return the steps that are switched on.

        Raises
        ------
        DeeperError
            In words, where a value is not allowed.
        """
        return self.recipes.recipe()

    def show_recipe(self, recipe: Recipe) -> None:
        """Show the steps of a recipe as the user's own."""
        self.recipes.show_recipe(recipe)

    def _on_steps(self) -> None:
        self.finder.on_recipe()
        self._changed()

    def _on_chosen(self) -> None:
        row = self.steps.current()
        self.form.show_step(row.settings if row else None)
        self.rays.setVisible(row is not None and isinstance(row.settings, Despike))
        self.plot.show_wavenumber(None)
        self.plot.fit()
        self._changed()

    # ---- the cube and the preview --------------------------------------------------------------------------------

    def _changed(self, *_: object) -> None:
        self._timer.start()  # once for many events

    def _on_active(self, *_: object) -> None:
        self.cube.follow_active()
        self._changed()

    def _on_removed(self, *_: object) -> None:
        # what is gone must not be kept in memory by the dock
        if self._source is not None and self._source[0] not in self._viewer.layers:
            self._source = None
        self.finder.on_removed()
        self._changed()

    def _on_pinned(self) -> None:
        self.plot.show_wavenumber(None)
        self._ask()

    def refresh(self) -> None:
        """List the cubes, say what can be run, and look at the pixels again."""
        self.cube.refill()
        self.recipes.remember()
        running, problem = self._jobs.running, self._problem()
        self.foot.run_button.setEnabled(not problem and not running)
        some = any(not is_stored(la) for la in cube_layers(self._viewer.layers)) and bool(
            _on(self.steps.rows())
        )
        self.page.all_button.setEnabled(some and not running)
        self.foot.cancel_button.setEnabled(running)
        self.rays.button.setEnabled(self._source is not None and not self.finder.running)
        self._ask()

    def _problem(self) -> str:
        """Find the cube; return why nothing can be run, or nothing."""
        layer = self.cube.layer()
        path = stored_path(layer)
        self.page.target.setVisible(path is not None)
        try:
            if path is not None:
                self._source = None
                self.page.target.propose(path.with_name(f"{path.stem}-prepared.zarr"))
                check_output(self.page.target.value())
                return "" if self.recipe().steps else NO_STEPS
            if not self._is_source(layer):
                self._source = None
                cube = cube_from_layer(layer)
                self._source = (layer, layer.data, PreviewSource(cube))
            recipe = self.recipe()
        except DeeperError as error:
            return str(error)
        return "" if recipe.steps else NO_STEPS

    def _is_source(self, layer: Any) -> bool:
        """Tell whether this layer is looked at already, unchanged."""
        if self._source is None:
            return False
        known, data, _ = self._source
        return known is layer and data is layer.data

    def _on_visible(self, visible: bool) -> None:
        """Look at nothing while the dock lies behind another tab, and again when it comes to the front."""
        window = self.window()
        self._behind = not visible and window is not None and window.isVisible()
        self._changed()

    def _ask(self) -> None:
        """Look at the pixels before and after the chosen step."""
        if self._behind:
            return
        if self._source is None:
            self._live.forget()
            self.plot.show_change(None)
            problem = self._problem()
            self.plot.set_hint("Nothing to preview yet.")
            self.page.say(problem or (ON_DISK if is_stored(self.cube.layer()) else ""))
            return
        rows, number = self.steps.rows(), self.steps.currentRow()
        whole = self.page.whole.isChecked() or number < 0
        stop = None if whole else number + 1
        off = not whole and not rows[number].on
        pixels = self._pixels()
        self._live.ask(self._source[2], self.recipes.recipe(stop), pixels, (whole, off))

    def _pixels(self) -> Pixels:
        layer = self._source[0] if self._source else None
        found = [pixel_at(layer, place) for place in self.pinned.places()]
        inside = [pixel for pixel in found if pixel is not None]
        return tuple(dict.fromkeys(inside))[-MOST_PIXELS:]

    def _on_look(self, look: Look | None, error: Exception | None) -> None:
        if self._source is None:
            return
        if look is None:
            self.plot.show_change(None)
            self.plot.set_hint("No preview.")
            self.page.say(in_words(error, "") if error is not None else "")
            return
        whole, off = look.about
        stages, steps = look.stages, look.recipe.steps
        step_alone = not whole and not off and len(stages) > 1
        before = stages[-2] if step_alone else stages[0] if whole else stages[-1]
        scales = [s for s in (steps[-1:] if step_alone else steps) if isinstance(s, Normalize)]
        known = [s for s in steps if isinstance(s, Normalize)]
        metadata = self._source[2].cube.metadata
        unit = UNITS[known[-1].method] if known else metadata.get("intensity_unit", "arb. units")
        details = step_alone or len(stages) == 2
        rescaled = bool(scales) and not off
        self.plot.show_change(Change(before, stages[-1], details, rescaled, str(unit)))
        notes = "This step is switched off." if off else " ".join(stages[-1].notes)
        self.page.say(
            f"{_where(look.pixels, bool(self._pixels()))} {'' if whole else notes}".strip()
        )

    def find_rays(self) -> None:
        """List what the chosen step would remove; nothing is changed."""
        row, number = self.steps.current(), self.steps.currentRow()
        if self._source is not None and row is not None and isinstance(row.settings, Despike):
            layer, _, source = self._source
            self.finder.find(layer, source.cube, self.recipes.recipe(number), row.settings)

    # ---- runs ----------------------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        return self._jobs.running

    def run(self) -> None:
        """Prepare the chosen cube; one on disk from file to file."""
        layer = self.cube.layer()
        path = stored_path(layer)
        if path is not None:
            self._run_file(layer, path)
            return
        self._start([layer])

    def _run_file(self, layer: Any, path: Path) -> None:
        self.failure = ""
        try:
            target, recipe = check_output(self.page.target.value()), self.recipe()
        except DeeperError as error:
            self._fail(str(error))
            return

        def work(progress: Progress) -> FilePrepared:
            return FilePrepared(
                layer, target, prepare_file(path, target, recipe, progress=progress)
            )

        self._if_stopped = "Cancelled. Run goes on where it was."
        self._jobs.start(work)
        self._on_progress(0.0, "Starting", None)
        self.refresh()

    def run_on_all(self) -> None:
        """Prepare every cube layer that is in memory."""
        self._start([la for la in cube_layers(self._viewer.layers) if not is_stored(la)])

    def _start(self, layers: list[Any]) -> None:
        self.failure = ""
        try:
            cubes = [(layer, cube_from_layer(layer)) for layer in layers]
            recipe = self.recipe()
        except DeeperError as error:
            self._fail(str(error))
            return
        if not recipe.steps:
            self._fail(NO_STEPS)
            return
        self._if_stopped = "Cancelled. Nothing was added."
        self._jobs.start(lambda progress: prepare_each(cubes, recipe, progress))
        self._on_progress(0.0, "Starting", None)
        self.refresh()

    def _on_progress(self, fraction: float, text: str, seconds: float | None) -> None:
        self.foot.show_progress(fraction, text, seconds)

    def _on_end(
        self, prepared: Prepared | FilePrepared | None, error: Exception | None
    ) -> Pieces | None:
        if isinstance(prepared, FilePrepared):
            added = add_prepared(self._viewer, prepared.source, prepared.path)
            self.cube.keep(prepared.source)
            told = f"Wrote {prepared.path} and opened it as '{added.name}'."
            self.foot.show_end("\n".join([told, *prepared.notes]), done=True)
            self.refresh()
            return None
        if prepared is not None:
            return self._show(*prepared)
        self._fail(in_words(error, self._if_stopped) if error else "")
        self.refresh()
        return None

    def _show(self, done: list[tuple[Any, RamanCube]], notes: list[str]) -> Pieces:
        """Add the results as layers, one in a turn, and tell of them."""
        for source, cube in done:
            add_prepared(self._viewer, source, cube)
            self.cube.keep(source)
            yield
        added = ", ".join(cube.name for _, cube in done)
        told = f"Added {added}. The input stays as it is." if done else "Nothing was added."
        self.foot.show_end("\n".join([told, *notes]), done=bool(done))

    def _fail(self, text: str) -> None:
        self.failure = text
        self.foot.show_end(text, done=False)

    def _set_theme(self, *_: object) -> None:
        theme = get_theme(self._viewer.theme)
        self.plot.set_theme(theme.background.as_hex(), theme.text.as_hex())


def open_prepare(viewer: Any, recipe: Recipe) -> PrepareWidget:
    """Show a recipe in the Prepare dock, which is opened if need be."""
    _, found = viewer.window.add_plugin_dock_widget(PLUGIN, "Prepare")
    widget: PrepareWidget = found
    widget.show_recipe(recipe)
    bring_forward(widget)
    return widget


def _on(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row.on]


def _where(pixels: Pixels, pinned: bool) -> str:
    told = "; ".join(f"y {y}, x {x}" for y, x in pixels)
    if not pinned:
        return f"Strongest pixel, {told}; click another on the canvas."
    return f"Pixel{'s' if len(pixels) > 1 else ''} {told}."
