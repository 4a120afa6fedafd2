"""The Prepare dock: the steps before the networks, with what each does to a pixel while settings move."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.theme import get_theme
from qtpy.QtCore import QTimer

from napari_deeper.engine.prepare import prepare
from napari_deeper.engine.prepare_settings import Despike, Normalize
from napari_deeper.engine.rays import RayTable, cosmic_rays
from napari_deeper.engine.recipe import PRESETS, Recipe, read_recipe, write_recipe
from napari_deeper.plugin.canvas import current_cube, show_wavenumber
from napari_deeper.plugin.jobs import JobRunner
from napari_deeper.plugin.layers import (
    add_cube,
    channel_at_slider,
    cube_from_layer,
    cube_layers,
    pixel_at,
    wavenumbers,
)
from napari_deeper.plugin.pinned_pixels import PinnedPixels
from napari_deeper.plugin.prepare_job import Prepared, prepare_each
from napari_deeper.plugin.prepare_preview import LivePreview, Look, Pixels, PreviewSource
from napari_deeper.plugin.widgets import prepare_recipe
from napari_deeper.plugin.widgets.dock_page import DockPage
from napari_deeper.plugin.widgets.form import Remembered
from napari_deeper.plugin.widgets.prepare_page import PreparePage
from napari_deeper.plugin.widgets.prepare_plot import MOST_PIXELS, Change
from napari_deeper.plugin.widgets.prepare_rays import KEY as RAYS
from napari_deeper.plugin.widgets.prepare_rays import points_layer, remove_points, show_points
from napari_deeper.plugin.widgets.prepare_steps import (
    Row,
    recipe_of,
    rows_from_json,
    rows_of,
    rows_to_json,
)
from napari_deeper.plugin.widgets.wording import in_words
from napari_deeper.plugin.widgets.workspace import PLUGIN, bring_forward, tabify_beside
from napari_deeper.processing.normalization import UNITS
from napari_deeper.spectra.cube import Pair, RamanCube
from napari_deeper.spectra.errors import DeeperError
from napari_deeper.spectra.progress import Progress

if TYPE_CHECKING:
    import napari

FIRST = "raw-for-enhance"  # the preset that a new user starts from
NO_STEPS = "There is no step to run: choose a preset, add a step, or check one."
CHANGED_SINCE = "The recipe has changed since; find them again."


class PrepareWidget(DockPage):
    """Choose a cube and its steps, see what they do to a pixel, run them off the GUI thread."""

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self.failure = ""  # why the last run ended without results
        self._source: tuple[Any, Any, PreviewSource] | None = None  # layer, its data, the cube
        self._own: list[Row] = []  # the steps of the user, while a preset is shown
        self._name, self._path = "own", ""
        # the layer that was searched, and origin and spacing of what was searched in it
        self._rays_from: tuple[Any, Pair, Pair] | None = None
        self._searched: Any = None
        self._filling = False
        self._jobs = JobRunner(self, self._on_progress, self._on_end)
        self._finding = JobRunner(self, lambda *_: None, self._on_rays)
        self._live = LivePreview(self, self._on_look)
        self._remembered = Remembered("prepare")
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self.refresh)
        self.page = page = PreparePage(self, self._viewer)
        self.cube, self.steps, self.form, self.rays = page.cube, page.steps, page.form, page.rays
        self.plot, self.foot, self.caption = page.plot, page.foot, page.caption
        self.pinned = PinnedPixels(self._viewer, self._on_pinned)
        self._connect()
        self._restore()
        self.cube.follow_active()
        self._set_theme()
        self.refresh()
        QTimer.singleShot(0, self._settle)

    def _connect(self) -> None:
        page = self.page
        page.cube.activated.connect(self._changed)
        page.recipe.preset.connect(self.choose_preset)
        page.recipe.open.triggered.connect(self._on_open)
        page.recipe.save.triggered.connect(self._on_save)
        page.recipe.save_as.triggered.connect(self._on_save_as)
        page.steps.changed.connect(self._on_steps)
        page.steps.chosen.connect(self._on_chosen)
        page.form.changed.connect(page.steps.show_settings)
        page.rays.find.connect(self.find_rays)
        page.rays.chosen.connect(self.go_to)
        page.rays.cleared.connect(self.clear_rays)
        page.whole.toggled.connect(self._changed)
        page.fit.clicked.connect(page.plot.fit)
        page.foot.run_button.clicked.connect(self.run)
        page.all_button.clicked.connect(self.run_on_all)
        page.foot.cancel_button.clicked.connect(self._jobs.cancel)
        self.listen_to_layers(self._changed, removed=self._on_removed, active=self._on_active)
        self.listen((self._viewer.events.theme, self._set_theme))

    def _settle(self) -> None:
        tabify_beside(self, "Enhance")

    def release(self) -> None:
        """Stop the run and let go of the mouse and of the viewer's events."""
        super().release()
        for jobs in (self._jobs, self._finding, self._live):
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
        return recipe_of(self.steps.rows(), self._name)

    def show_recipe(self, recipe: Recipe) -> None:
        """Show the steps of a recipe as the user's own."""
        self._name = recipe.name
        self.page.recipe.show_preset("")
        self.steps.set_rows(rows_of(recipe))

    def choose_preset(self, name: str) -> None:
        """Show a preset, or with no name the user's own steps again."""
        rows = rows_of(PRESETS[name]) if name else self._own
        self._filling = True
        self.page.recipe.show_preset(name)
        self.steps.set_rows(rows)
        self._filling = False
        self._changed()

    def open_recipe(self, path: Path) -> None:
        """Show the recipe of a file; a failure is told, and changes nothing."""
        try:
            recipe = read_recipe(path)
        except DeeperError as error:
            self._tell(str(error))
            return
        self._path = str(path)
        self.show_recipe(recipe)
        self._tell(f"Opened {path.name}: {recipe.name}.")

    def save_recipe(self, path: Path) -> None:
        """Write the steps that are switched on; a failure is told."""
        path = path.with_suffix(".json")
        rows = self.steps.rows()
        try:
            # whoever chose the file was asked whether it may be replaced
            write_recipe(recipe_of(rows, path.stem), path, overwrite=True)
        except DeeperError as error:
            self._tell(str(error))
            return
        self._path, self._name = str(path), path.stem
        self.page.recipe.name_own(self._name)
        n_off = sum(not row.on for row in rows)
        off = f" {n_off} switched off: not in the file." if n_off else ""
        self._tell(f"Saved {path.name}.{off}")
        self._changed()

    def _on_open(self) -> None:
        path = prepare_recipe.ask_source(self)
        if path:
            self.open_recipe(Path(path))

    def _on_save(self) -> None:
        if self._path:
            self.save_recipe(Path(self._path))
        else:
            self._on_save_as()

    def _on_save_as(self) -> None:
        path = prepare_recipe.ask_target(self, self._path or "recipe.json")
        if path:
            self.save_recipe(Path(path))

    def _restore(self) -> None:
        kept = self._remembered.load()
        self._own = rows_from_json(kept.get("own"))
        self._name = str(kept.get("name", "own"))
        preset = str(kept.get("preset", "" if self._own else FIRST))
        self.choose_preset(preset if preset in PRESETS else "")

    def _remember(self) -> None:
        self._remembered.save(
            own=rows_to_json(self._own), name=self._name, preset=self.page.recipe.chosen()
        )

    def _on_steps(self) -> None:
        if not self._filling:
            self._own = self.steps.rows()
            self.page.recipe.show_preset("")
        if self._rays_from is not None:
            self.rays.say(CHANGED_SINCE)
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
        points = points_layer(self._viewer)
        if points is not None and points.metadata[RAYS] not in self._viewer.layers:
            self.clear_rays()
        if self._rays_from is not None and self._rays_from[0] not in self._viewer.layers:
            self.clear_rays()
        self._changed()

    def _on_pinned(self) -> None:
        self.plot.show_wavenumber(None)
        self._ask()

    def refresh(self) -> None:
        """List the cubes, say what can be run, and look at the pixels again."""
        self.cube.refill()
        self.page.recipe.name_own(self._name)
        self._remember()
        running, problem = self._jobs.running, self._problem()
        self.foot.run_button.setEnabled(not problem and not running)
        some = bool(cube_layers(self._viewer.layers)) and bool(_on(self.steps.rows()))
        self.page.all_button.setEnabled(some and not running)
        self.foot.cancel_button.setEnabled(running)
        self.rays.button.setEnabled(self._source is not None and not self._finding.running)
        self._ask()

    def _problem(self) -> str:
        """Find the cube; return why nothing can be run, or nothing."""
        layer = self.cube.layer()
        try:
            cube = cube_from_layer(layer)
            recipe = self.recipe()
        except DeeperError as error:
            self._source = None
            return str(error)
        if (
            self._source is None
            or self._source[0] is not layer
            or self._source[1] is not layer.data
        ):
            self._source = (layer, layer.data, PreviewSource(cube))
        return "" if recipe.steps else NO_STEPS

    def showEvent(self, event: Any) -> None:
        """Look again: nothing is looked at while the dock lies behind another tab."""
        super().showEvent(event)
        self._changed()

    def _ask(self) -> None:
        """Look at the pixels before and after the chosen step."""
        if self.window().isVisible() and not self.isVisible():
            return
        if self._source is None:
            self._live.forget()
            self.plot.show_change(None)
            problem = self._problem()
            self.plot.set_hint("Nothing to preview yet.")
            self.page.say(problem)
            return
        rows, number = self.steps.rows(), self.steps.currentRow()
        whole = self.page.whole.isChecked() or number < 0
        shown = rows if whole else rows[: number + 1]
        off = not whole and not rows[number].on
        pixels = self._pixels()
        self._live.ask(self._source[2], recipe_of(shown, self._name), pixels, (whole, off))

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

    # ---- cosmic rays ---------------------------------------------------------------------------------------------

    def find_rays(self) -> None:
        """List what the chosen step would remove; nothing is changed."""
        row = self.steps.current()
        if self._source is None or row is None or self._finding.running:
            return
        cube, settings = self._source[2].cube, row.settings
        before = recipe_of(self.steps.rows()[: self.steps.currentRow()], "before")
        if not isinstance(settings, Despike):
            return
        self._searched = self._source[0]

        def work(progress: Progress) -> tuple[RamanCube, RayTable]:
            ready = prepare(cube, before, progress=progress)
            return ready, cosmic_rays(ready, settings)

        self._finding.start(work)
        self.rays.say("Looking for cosmic rays...")
        self.rays.button.setEnabled(False)

    def _on_rays(self, found: tuple[RamanCube, RayTable] | None, error: Exception | None) -> None:
        layer = self._searched
        self._searched = None
        self.rays.button.setEnabled(self._source is not None)
        if found is None:
            self.rays.say(in_words(error, "") if error else "")
            return
        cube, rays = found
        if layer not in self._viewer.layers:
            return
        self._rays_from = (layer, cube.origin, cube.spacing)
        self.rays.show_rays(rays)
        show_points(self._viewer, rays, cube, layer)

    def go_to(self, y: int, x: int, wavenumber: float) -> None:
        """Pin a pixel of the map that was searched, and bring the slider to a wavenumber."""
        if self._rays_from is None:
            return
        layer, origin, spacing = self._rays_from
        if current_cube(self._viewer) is not layer:
            self._viewer.layers.selection.active = layer
        place = np.asarray(origin) + np.array([y, x]) * np.asarray(spacing)
        self.pinned.pin((float(place[0]), float(place[1])))
        show_wavenumber(self._viewer, wavenumber)
        self.plot.show_wavenumber(wavenumber)

    def clear_rays(self) -> None:
        """Remove the list and the points."""
        self._rays_from = None
        self.rays.clear()
        self.plot.show_wavenumber(None)
        remove_points(self._viewer)

    # ---- runs ----------------------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        return self._jobs.running

    def run(self) -> None:
        """Prepare the chosen cube."""
        self._start([self.cube.layer()])

    def run_on_all(self) -> None:
        """Prepare every cube layer."""
        self._start(cube_layers(self._viewer.layers))

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
        self._jobs.start(lambda progress: prepare_each(cubes, recipe, progress))
        self._on_progress(0.0, "Starting", None)
        self.refresh()

    def _on_progress(self, fraction: float, text: str, seconds: float | None) -> None:
        self.foot.show_progress(fraction, text, seconds)

    def _on_end(self, prepared: Prepared | None, error: Exception | None) -> None:
        if prepared is None:
            self._fail(in_words(error, "Cancelled. Nothing was added.") if error else "")
        else:
            done, notes = prepared
            for source, cube in done:
                self._add(source, cube)
            added = ", ".join(cube.name for _, cube in done)
            told = f"Added {added}. The input stays as it is." if done else "Nothing was added."
            self.foot.show_end("\n".join([told, *notes]), done=bool(done))
        self.refresh()

    def _add(self, source: Any, cube: RamanCube) -> None:
        """Add a result, at the wavenumber that is shown."""
        shown = None
        if source in self._viewer.layers:
            shown = float(wavenumbers(source)[channel_at_slider(source, self._viewer)])
        layer = add_cube(self._viewer, cube)
        if shown is not None:
            layer.colormap = source.colormap
            show_wavenumber(self._viewer, shown)
            self.cube.keep(source)

    def _fail(self, text: str) -> None:
        self.failure = text
        self.foot.show_end(text, done=False)

    def _tell(self, text: str) -> None:
        self.foot.message.set_text(text)

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
