"""Prepare a cube from file to file; a large Zarr store streams, so that memory is bounded by its blocks."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from napari_deeper.engine.large_files import input_of
from napari_deeper.engine.prepare import as_recipe, prepare
from napari_deeper.engine.prepare_stream import prepare_stored
from napari_deeper.engine.recipe import Recipe
from napari_deeper.io.read import read
from napari_deeper.io.write import check_output, write
from napari_deeper.spectra.progress import Progress


def prepare_file(
    source: str | PathLike[str],
    target: str | PathLike[str],
    recipe: Recipe | str,
    *,
    overwrite: bool = False,
    reading: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> tuple[str, ...]:
    """Read a cube, prepare it and write the result; return what was found, one sentence each.

    A large ``.zarr`` is worked on tile by tile, in memory that does not grow with it. A run that was cancelled or
    killed goes on where it was when it is started again with the same arguments; until then what it made stays in
    the hidden folder ``.NAME.work`` beside the output.

    Parameters
    ----------
    source, target
        Files; the second as `napari_deeper.write` takes it.
    recipe
        As `prepare` takes it.
    overwrite
        Replace an existing output.
    reading
        Keywords of `napari_deeper.read`.
    progress
        Gets reports, and may cancel the run between blocks.
    """
    recipe = as_recipe(recipe)
    path = check_output(target, overwrite=overwrite)
    stored, given = input_of(Path(source), path, reading)
    if stored is not None and not stored.has_trust:
        steps = prepare_stored(
            stored,
            Path(source),
            path,
            recipe,
            overwrite=overwrite,
            progress=progress or Progress(),
        )
        return tuple(note for step in steps for note in step.notes)
    cube = read(Path(source), **given)
    done = prepare(cube, recipe, progress=progress)
    write(done, path, overwrite=overwrite)
    return tuple(note for step in done.provenance[len(cube.provenance) :] for note in step.notes)
