"""Prepare every cube of a folder by one recipe; safe to run again."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any

from napari_deeper.engine.batch import batch
from napari_deeper.engine.batch_task import BatchFile
from napari_deeper.engine.prepare import as_recipe
from napari_deeper.engine.recipe import Recipe
from napari_deeper.spectra.progress import Progress


def prepare_folder(
    source: str | PathLike[str],
    target: str | PathLike[str],
    recipe: Recipe | str,
    *,
    suffix: str = ".npz",
    overwrite: bool = False,
    reading: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> tuple[BatchFile, ...]:
    """Prepare each cube in a folder; one that fails does not stop the others.

    Parameters
    ----------
    source, target
        Folders; the second is made where it is missing.
    recipe
        As `prepare` takes it.
    suffix
        Format of the results, for example ``".npz"`` or ``".zarr"``.
    overwrite
        Replace results that are there but were made by another recipe or from another input.
    reading
        Keywords of `napari_deeper.read` for every file.
    progress
        Gets reports, and may cancel the run between blocks.

    Raises
    ------
    FileError
        If the first folder holds no cube, or the second cannot be made.
    ParameterError
        For an unknown preset or format.
    """
    return batch(
        as_recipe(recipe),
        source,
        target,
        suffix=suffix,
        workers=1,
        overwrite=overwrite,
        reading=reading,
        progress=progress,
    )
