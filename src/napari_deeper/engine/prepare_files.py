"""Prepare a cube from file to file; a large Zarr store streams, so that memory is bounded by its blocks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from napari_deeper.engine.prepare import as_recipe, prepare
from napari_deeper.engine.prepare_stream import prepare_stored
from napari_deeper.engine.recipe import Recipe
from napari_deeper.io.read import read
from napari_deeper.io.write import check_output, write
from napari_deeper.io.zarr_rows import StoredCube, open_stored
from napari_deeper.spectra.progress import Progress

# Cubes larger than this stream; below, one go in memory is quicker.
STREAM_FROM_BYTES = 512 * 2**20


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
    given = {key: value for key, value in (reading or {}).items() if value is not None}
    stored = None if given else _large_store(Path(source), path)
    if stored is not None:
        steps = prepare_stored(
            stored, path, recipe, overwrite=overwrite, progress=progress or Progress()
        )
        return tuple(note for step in steps for note in step.notes)
    cube = read(Path(source), **given)
    done = prepare(cube, recipe, progress=progress)
    write(done, path, overwrite=overwrite)
    return tuple(note for step in done.provenance[len(cube.provenance) :] for note in step.notes)


def _large_store(source: Path, target: Path) -> StoredCube | None:
    """Return the source if it is a large store without uncertainty or flags, and the target one to be."""
    if source.suffix.lower() != ".zarr" or target.suffix.lower() != ".zarr":
        return None
    stored = open_stored(source)
    if stored is None or stored.has_trust or 4 * math.prod(stored.shape) < STREAM_FROM_BYTES:
        return None
    return stored
