"""Prepare a cube that memory does not hold: from Zarr to Zarr, tile by tile.

A step that must know the whole map first lets all tiles before it pass once to be summed up. What was summed up and
made stays until the result is whole, so that a run that was stopped goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.engine.prepare import at_step
from napari_deeper.engine.prepare_run import (
    history,
    in_order,
    sum_up,
)
from napari_deeper.engine.prepare_settings import Bin, CropMap, Settings
from napari_deeper.engine.prepare_sources import Stepped, Stored
from napari_deeper.engine.prepare_steps import Facts, Intensity, Summary
from napari_deeper.engine.recipe import Recipe, kind_of
from napari_deeper.engine.tile_passes import parts_of
from napari_deeper.engine.work_folder import WorkFolder, task_of_file, working
from napari_deeper.io.write import put_in_place, writing
from napari_deeper.io.zarr_growing import GrowingStore
from napari_deeper.io.zarr_rows import StoredCube, Tile, pixels_of, tiles_of
from napari_deeper.processing.threads import in_threads
from napari_deeper.spectra.progress import Progress
from napari_deeper.spectra.provenance import Step

_RESULT = "result.zarr"
_LEVELS_TAKE = 0.05  # of the time


def _sum_up(source: Stored | Stepped, progress: Progress, label: str) -> Summary:
    shape = source.outline.shape

    def blocks() -> Iterator[tuple[NDArray[np.intp], Intensity]]:
        for tile, block in in_threads(source.read, tiles_of(shape), progress, label):
            yield pixels_of(tile, shape[1]), block.reshape(-1, block.shape[2])

    return sum_up(source.outline, blocks())


def prepare_stored(
    stored: StoredCube,
    source: Path,
    target: Path,
    recipe: Recipe,
    *,
    overwrite: bool,
    progress: Progress,
) -> tuple[Step, ...]:
    """Run a recipe from a store to a new one; return the steps of the new history.

    Memory holds a few tiles at a time: as many as twice the threads, with what their steps need. A run that was
    stopped goes on where it was.

    Raises
    ------
    DeeperError
        As `napari_deeper.prepare` does.
    """
    task = {"verb": "prepare", "recipe": recipe.to_json(), "input": task_of_file(source)}
    with working(target, task) as work, writing(target):
        last, part = _chain(stored, recipe, work, progress)
        result = work.path / _RESULT
        steps = _write(last, result, stored, work, part)
        put_in_place(result, target, overwrite=overwrite)
    progress.update(1.0, "Prepared")
    return steps


def _chain(
    stored: StoredCube, recipe: Recipe, work: WorkFolder, progress: Progress
) -> tuple[Stored | Stepped, Progress]:
    """Return the last step over all before it, with what surveys found, and what is left of the progress."""
    source: Stored | Stepped = Stored(stored)
    n_passes = 1 + sum(kind_of(s).surveys(s) for s in recipe.steps)
    done = 0
    for number, settings in enumerate(recipe.steps, 1):
        kind, name = kind_of(settings), f"survey-{number}.json"
        with at_step(number, settings):
            facts: Facts = {}
            if kind.surveys(settings):
                part = progress.part(done / n_passes, (done + 1) / n_passes)
                if not work.has(name):
                    found = kind.survey(_sum_up(source, part, kind.label), settings)
                    work.save_facts(name, found)
                facts = work.facts(name)
                done += 1
            kind.run(
                source.read(_first_pixel(settings)), source.outline.wavenumber, settings, facts
            )
            source = Stepped(source, settings, facts)
    return source, progress.part(done / n_passes, 1.0)


def _first_pixel(settings: Settings) -> Tile:
    """Return the pixels that tell at once whether a step can be done with this cube."""
    if isinstance(settings, CropMap):
        return slice(0, settings.y + 1), slice(0, settings.x + 1)
    if isinstance(settings, Bin):
        return slice(0, settings.y), slice(0, settings.x)
    return slice(0, 1), slice(0, 1)


def _write(
    source: Stored | Stepped,
    path: Path,
    stored: StoredCube,
    work: WorkFolder,
    progress: Progress,
) -> tuple[Step, ...]:
    shape, steps = source.outline.shape, _steps_of(source)
    store = GrowingStore(path, shape)
    parts = parts_of(tiles_of(shape), shape[2])
    making = progress.part(0.0, 1 - _LEVELS_TAKE)
    for number, tiles in enumerate(parts):
        name = f"part-{number}.npz"
        if work.has(name):
            continue
        for step in steps:
            step.forget()
        part = making.part(number / len(parts), (number + 1) / len(parts))
        for tile, block in in_threads(source.read, tiles, part, "Preparing tile by tile"):
            store.put(tile, block)
        work.save_arrays(name, **_found(steps))
    for step in steps:
        step.forget()
    for number in range(len(parts)):
        _count(steps, work.arrays(f"part-{number}.npz"))
    made = _history(source)
    old = list(stored.header.get("provenance", ()))
    header = source.outline.cube.header()
    levels = progress.part(1 - _LEVELS_TAKE, 1.0)
    store.finish(
        header | {"provenance": [*old, *(step.to_json() for step in made)]},
        lambda fraction: levels.update(fraction, "Writing coarser levels for viewers"),
    )
    return made


def _steps_of(source: Stored | Stepped) -> list[Stepped]:
    """Return the steps up to this, in order."""
    return [] if isinstance(source, Stored) else [*_steps_of(source.before), source]


def _found(steps: list[Stepped]) -> dict[str, NDArray[Any]]:
    """Return what the steps have found in a part, as arrays to be saved."""
    arrays: dict[str, NDArray[Any]] = {}
    for number, step in enumerate(steps):
        arrays[f"{number} events"] = in_order(step.events)
        for key, value in step.found.items():
            arrays[f"{number} found {key}"] = np.array(value)
    return arrays


def _count(steps: list[Stepped], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Add what was found in a part to what the steps have found."""
    for name, values in arrays.items():
        number, kind, *key = name.split(" ", 2)
        step = steps[int(number)]
        if kind == "events":
            step.events.append(values)
        else:
            step.found[key[0]] = step.found.get(key[0], 0.0) + float(values)


def _history(source: Stored | Stepped) -> tuple[Step, ...]:
    if isinstance(source, Stored):
        return ()
    step = history(
        source.before.outline,
        source.kind,
        source.settings,
        source.facts,
        source.outcome(),
        source.changes,
    )
    return (*_history(source.before), step)
