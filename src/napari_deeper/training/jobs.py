"""What a call of ``train`` has to do: its runs, where each leaves its files, which are made."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_deeper.spectra.errors import FileError, ParameterError
from napari_deeper.training.cards import is_made, run_record
from napari_deeper.training.config import TrainParams, check_combination
from napari_deeper.training.layouts import Reading
from napari_deeper.training.network import identity
from napari_deeper.training.recipes import Recipe, plan, tasks


@dataclass(frozen=True)
class Job:
    """The runs of one call.

    Parameters
    ----------
    task, folder, params, reading
        As given to `napari_deeper.train`.
    recipes
        What to follow, in this order.
    records
        What makes each run that run, by the name of its recipe.
    """

    task: str
    folder: Path
    params: TrainParams
    reading: Reading
    recipes: tuple[Recipe, ...]
    records: Mapping[str, dict[str, Any]] = field(default_factory=dict)

    def path(self, recipe: Recipe) -> Path:
        """Return where the weights of a recipe go; those on the way to others lie apart."""
        folder = self.folder / "steps" if recipe.is_step else self.folder
        return folder / f"{recipe.name}.safetensors"

    def state(self, recipe: Recipe) -> Path:
        """Return where the state of an unfinished run is kept."""
        return self.folder / f"{recipe.name}.state.pt"

    def chain(self, recipe: Recipe) -> list[Recipe]:
        """Return the recipes from the first that these weights began with to their own."""
        before = next((r for r in self.recipes if r.name == recipe.start_from), None)
        return [*(self.chain(before) if before else []), recipe]

    def chain_records(self, recipe: Recipe) -> list[dict[str, Any]]:
        """Return what makes the runs of a chain those runs."""
        return [self.records[each.name] for each in self.chain(recipe)]


def new_job(task: str, folder: Path, params: TrainParams, reading: Reading) -> Job:
    """Plan the runs of a call.

    Raises
    ------
    ParameterError
        If the settings do not fit the task.
    CheckpointError
        If the weights to start from are not there.
    """
    if task not in tasks():
        raise ParameterError(
            f"'{task}' cannot be trained; it must be one of: {', '.join(tasks())}."
        )
    check_combination(task, params)
    recipes = plan(task, params.scale, params.preset)
    if params.data or params.start_from or params.steps or params.rate or params.batch_size:
        recipes = (_own(recipes, params),)
    recipes = tuple(dataclasses.replace(r, seed=r.seed + params.seed) for r in recipes)
    outside = {"data": Path(params.data).name, "start_from": identity(params.start_from)}
    records = {recipe.name: run_record(recipe, outside) for recipe in recipes}
    # The recipe's own start is another recipe; the user's goes before it.
    for recipe in recipes:
        if recipe.start_from:
            records[recipe.name]["start_from"] = recipe.start_from
    return Job(task, folder, params, reading, recipes, records)


def _own(recipes: Sequence[Recipe], params: TrainParams) -> Recipe:
    """Return the user's own run: the first one for this network, from nothing or given weights."""
    last = recipes[-1]
    first = next(r for r in recipes if (r.network, r.scale) == (last.network, last.scale))
    return dataclasses.replace(
        first,
        name=last.name,
        start_from=None,
        is_step=False,
        n_steps=params.steps or first.n_steps,
        n_epochs=0 if params.steps else first.n_epochs,
        rate=params.rate or first.rate,
        n=params.batch_size or first.n,
    )


def left_to_do(job: Job, overwrite: bool) -> tuple[Recipe, ...]:
    """Return the recipes whose weights are not made yet, before hours of work find out the rest.

    Raises
    ------
    FileError
        If the folder cannot be written to, or holds weights of another run.
    """
    try:
        job.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{job.folder} cannot be made: {error.strerror or error}.") from error
    if not os.access(job.folder, os.W_OK):
        raise FileError(f"{job.folder} may not be written to: permission denied.")
    if overwrite:
        return job.recipes
    made = {r.name for r in job.recipes if is_made(job.path(r), job.chain_records(r))}
    for recipe in job.recipes:
        if recipe.name not in made and job.path(recipe).exists():
            raise FileError(
                f"{job.path(recipe)} exists, and was not made by this run. Choose another folder, "
                "or pass --force (overwrite=True) to begin again."
            )
    return tuple(r for r in job.recipes if r.name not in made)
