"""Look for the cosmic rays that a step would remove, and go to each of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_deeper.engine.prepare import prepare
from napari_deeper.engine.prepare_settings import Despike
from napari_deeper.engine.rays import RayTable, cosmic_rays
from napari_deeper.engine.recipe import Recipe
from napari_deeper.plugin.canvas import current_cube, show_wavenumber
from napari_deeper.plugin.jobs import JobRunner
from napari_deeper.plugin.layers import put_below_markers
from napari_deeper.plugin.pinned_pixels import PinnedPixels
from napari_deeper.plugin.widgets.prepare_plot import PreparePlot
from napari_deeper.plugin.widgets.prepare_rays import KEY, RayBox, highest
from napari_deeper.plugin.widgets.wording import in_words
from napari_deeper.spectra.cube import Pair, RamanCube
from napari_deeper.spectra.progress import Progress

CHANGED_SINCE = "The recipe has changed since; find them again."


class RayFinder:
    """Fills the list of rays off the GUI thread; nothing of the cube is changed.

    Parameters
    ----------
    viewer
        The viewer.
    box, plot
        Where they are listed, and where one of them is marked.
    pinned
        What pins the pixel that is gone to.
    """

    def __init__(self, viewer: Any, box: RayBox, plot: PreparePlot, pinned: PinnedPixels) -> None:
        self._viewer, self._box, self._plot, self._pinned = viewer, box, plot, pinned
        # the layer that was searched, and origin and spacing of what was searched in it
        self._found_in: tuple[Any, Pair, Pair] | None = None
        self._searched: Any = None
        self._jobs = JobRunner(box, self._on_progress, self._on_end)
        box.chosen.connect(self.go_to)
        box.cleared.connect(self._on_cleared)

    @property
    def running(self) -> bool:
        """Whether they are being looked for."""
        return self._jobs.running

    def stop(self) -> None:
        """Look no more, and wait for the thread."""
        self._jobs.stop()

    def find(self, layer: Any, cube: RamanCube, before: Recipe, settings: Despike) -> None:
        """List what a step would remove after those before it."""
        if self._jobs.running:
            return
        self._searched = layer

        def work(progress: Progress) -> tuple[RamanCube, RayTable]:
            ready = prepare(cube, before, progress=progress.part(0.0, 0.5))
            rest = progress.part(0.5, 1.0) if before.steps else progress
            return ready, cosmic_rays(ready, settings, progress=rest)

        self._jobs.start(work)
        self._box.say("Looking for cosmic rays...")
        self._box.show_searching(True)

    def go_to(self, y: int, x: int, wavenumber: float) -> None:
        """Pin a pixel of the map that was searched, and bring the slider to a wavenumber."""
        if self._found_in is None:
            return
        layer, origin, spacing = self._found_in
        if current_cube(self._viewer) is not layer:
            self._viewer.layers.selection.active = layer
        place = np.asarray(origin) + np.array([y, x]) * np.asarray(spacing)
        self._pinned.pin((float(place[0]), float(place[1])))
        show_wavenumber(self._viewer, wavenumber)
        self._plot.show_wavenumber(wavenumber)

    def clear(self) -> None:
        """Remove the list and the points."""
        self._found_in = None
        self._box.clear()
        self._plot.show_wavenumber(None)
        remove_points(self._viewer)

    def _on_cleared(self) -> None:
        if self._jobs.running:
            self._jobs.cancel()
        else:
            self.clear()

    def _on_progress(self, fraction: float, text: str, seconds: float | None) -> None:
        self._box.say(f"Looking for cosmic rays... {100 * fraction:.0f} %")

    def on_recipe(self) -> None:
        """Say that what is listed may not hold any more."""
        if self._found_in is not None:
            self._box.say(CHANGED_SINCE)

    def on_removed(self) -> None:
        """Let go of what belongs to a layer that is gone."""
        layers, points = self._viewer.layers, points_layer(self._viewer)
        searched = [self._found_in[0]] if self._found_in is not None else []
        if points is not None:
            searched.append(points.metadata[KEY])
        if any(layer not in layers for layer in searched):
            self.clear()

    def _on_end(self, found: tuple[RamanCube, RayTable] | None, error: Exception | None) -> None:
        layer, self._searched = self._searched, None
        self._box.show_searching(False)
        if found is None:
            self._box.say(in_words(error, "Cancelled.") if error else "")
        elif layer in self._viewer.layers:
            cube, rays = found
            self._found_in = (layer, cube.origin, cube.spacing)
            self._box.show_rays(rays)
            show_points(self._viewer, rays, cube, layer)


def show_points(viewer: Any, rays: RayTable, cube: RamanCube, source: Any) -> None:
    """Show the struck pixels as points over the cube; `remove_points` takes them away."""
    remove_points(viewer)
    if not len(rays):
        return
    struck = np.unique(rays.pixels[highest(rays)], axis=0)
    places = np.asarray(cube.origin) + struck * np.asarray(cube.spacing)
    active = viewer.layers.selection.active
    viewer.add_points(
        places,
        name=f"Cosmic rays, {source.name}",
        size=1.2 * float(max(cube.spacing)),
        units=source.units[-2:],
        axis_labels=("y", "x"),
        symbol="square",
        face_color="transparent",
        border_color="#D55E00",
        border_width=0.12,
        metadata={KEY: source},
    )
    put_below_markers(viewer.layers)
    viewer.layers.selection.active = active


def points_layer(viewer: Any) -> Any:
    """Return the layer of points, or None."""
    return next((layer for layer in viewer.layers if KEY in layer.metadata), None)


def remove_points(viewer: Any) -> None:
    """Take the points away, if they are there."""
    layer = points_layer(viewer)
    if layer is not None:
        viewer.layers.remove(layer)
