"""Prepare one cube or several, and tell what was done."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari_deeper.engine.prepare import prepare
from napari_deeper.engine.prepare_run import in_use
from napari_deeper.engine.recipe import Recipe, kind_of
from napari_deeper.plugin.canvas import show_wavenumber
from napari_deeper.plugin.layers import add_cube, add_stored, channel_at_slider, wavenumbers
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import Cancelled, DeeperError
from napari_deeper.spectra.progress import Progress

Prepared = tuple[list[tuple[Any, RamanCube]], list[str]]


def prepare_one(cube: RamanCube, recipe: Recipe, progress: Progress) -> RamanCube:
    """Return the prepared cube under a name that says so."""
    ready = prepare(cube, recipe, progress=progress)
    return dataclasses.replace(ready, metadata={**ready.metadata, "name": f"{cube.name}, prepared"})


def prepare_each(
    cubes: Sequence[tuple[Any, RamanCube]], recipe: Recipe, progress: Progress
) -> Prepared:
    """Prepare the cubes of layers; return the results with those layers, and sentences.

    What cannot be prepared is told, and stops no other; so is what this recipe was run on already.

    Raises
    ------
    DeeperError
        If there is one cube only, and it cannot be prepared.
    """
    done: list[tuple[Any, RamanCube]] = []
    notes: list[str] = []
    for number, (layer, cube) in enumerate(cubes):
        part = progress.part(number / len(cubes), (number + 1) / len(cubes))
        about = f"{cube.name}: " if len(cubes) > 1 else ""
        if about and is_prepared(cube, recipe):
            notes.append(f"{about}left out, since it was prepared so already.")
            continue
        try:
            ready = prepare_one(cube, recipe, part)
        except Cancelled:
            raise
        except DeeperError as error:
            if not about:
                raise
            notes.append(f"{about}left out. {error}")
            continue
        done.append((layer, ready))
        notes += [about + note for note in what_was_done(ready, recipe)]
    return done, notes


def add_prepared(viewer: Any, source: Any, result: RamanCube | Path) -> Any:
    """Add a result on top, in the colors of its source and at the wavenumber that was shown; return its layer.

    Its contrast is its own, since preparing changes the scale. A path is that of a store, where the result stays.
    """

    def add() -> Any:
        return add_stored(viewer, result) if isinstance(result, Path) else add_cube(viewer, result)

    if source not in viewer.layers:
        return add()
    shown = float(wavenumbers(source)[channel_at_slider(source, viewer)])
    layer = add()
    layer.colormap = source.colormap
    viewer.layers.selection.active = layer
    show_wavenumber(viewer, shown)
    return layer


def is_prepared(cube: RamanCube, recipe: Recipe) -> bool:
    """Tell whether these steps with these settings were the last ones of a cube."""
    n_steps = len(recipe.steps)
    last = cube.provenance[-n_steps:] if n_steps else ()
    return len(last) == n_steps > 0 and all(
        step.verb == kind_of(settings).name and in_use(settings).items() <= step.params.items()
        for step, settings in zip(last, recipe.steps, strict=True)
    )


def what_was_done(cube: RamanCube, recipe: Recipe) -> list[str]:
    """Return the notes of the steps of a recipe from the history of its result."""
    if not recipe.steps:
        return []
    told = []
    for step, settings in zip(cube.provenance[-len(recipe.steps) :], recipe.steps, strict=True):
        notes = " ".join(step.notes) or "done."
        told.append(f"{kind_of(settings).label}: {notes}")
    return told
