"""``train``: the verb. Follows the recipes of a task and writes their weights into a folder."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from napari_deeper.models import checkpoint
from napari_deeper.models.checkpoint import Checkpoint
from napari_deeper.spectra import params as settings_of
from napari_deeper.spectra.errors import FileError, ParameterError
from napari_deeper.spectra.progress import Progress
from napari_deeper.training import network
from napari_deeper.training.cards import data_in_words, finite, origin
from napari_deeper.training.config import TrainParams, command_line
from napari_deeper.training.jobs import Job, left_to_do, new_job
from napari_deeper.training.layouts import Reading
from napari_deeper.training.loop import (
    Fitted,
    Keeping,
    Machine,
    Schedule,
    Watching,
    fit_on,
    require_lightning,
)
from napari_deeper.training.measured import Source, mean_loss
from napari_deeper.training.recipes import Recipe
from napari_deeper.training.state import SMALL, remove_state
from napari_deeper.training.tasks import TASKS, WAVENUMBER, Task
from napari_deeper.training.watch import Watch

# After each epoch; at the end all of them count.
_MOST_VALIDATION_BATCHES = 32
_WHY = {"interrupt": "as asked", "cancel": "as asked", "time": "at the end of its slice"}


@dataclass(frozen=True)
class TrainResult:
    """What became of a training run.

    Parameters
    ----------
    files
        The weights that are finished, each with its card beside it.
    stopped
        Why it stopped before the end: ``"interrupt"``, ``"time"`` or ``"cancel"``; empty if it is
        done. The same call goes on from there.
    notes
        What the user should know.
    is_first
        Whether this process is the one that writes, where several train together.
    """

    files: tuple[Path, ...]
    stopped: str = ""
    notes: tuple[str, ...] = ()
    is_first: bool = True


def train(
    task: str,
    folder: str | os.PathLike[str],
    params: TrainParams | None = None,
    *,
    progress: Progress | None = None,
    reading: Reading | None = None,
    overwrite: bool = False,
    **settings: Any,
) -> TrainResult:
    """Train a network, or all of them, and write weights with their cards into a folder.

    A run that was interrupted, killed or stopped at the end of its slice goes on when the same call
    is made again; files that it has finished are left as they are.

    Parameters
    ----------
    task
        ``"denoise"``, ``"super-resolve"``, ``"eigenimage"``, or ``"all"`` for every file that comes
        with napari-deeper.
    folder
        Where weights, states and logs go.
    params, **settings
        See `TrainParams`; settings go before params.
    progress
        Told how far it is; may cancel, which saves the state first.
    reading
        Keywords of `napari_deeper.read` for data whose files do not state everything.
    overwrite
        Begin again, and replace what is in the folder.

    Raises
    ------
    ParameterError
        If a setting is unknown or does not fit the task.
    FileError, CubeError, AxisError, CheckpointError
        If data, weights or the folder are not usable.
    TrainingError
        If the run cannot start or go on, for example because it diverged.
    """
    params = settings_of.make(TrainParams, params, settings)
    require_lightning()
    job = new_job(task, Path(folder), params, reading or {})
    todo = left_to_do(job, overwrite)
    if overwrite:
        for recipe in todo:
            remove_state(job.state(recipe))
    watch = Watch(progress or Progress(), sum(r.n_steps for r in todo), params.minutes_per_slice)
    with limited_threads(params.threads):
        return _follow(job, todo, watch)


def _follow(job: Job, todo: Sequence[Recipe], watch: Watch) -> TrainResult:
    notes = [] if todo else ["Everything was made before."]
    fitted, stopped = Fitted(0), ""
    for recipe in todo:
        fitted, is_done = _one(job, recipe, watch)
        notes += [note for note in fitted.notes if note not in notes]
        if fitted.stopped and not (is_done and recipe is todo[-1]):
            stopped = fitted.stopped
            where = f"{recipe.name} stopped after step {fitted.n_done}, {_WHY[stopped]}"
            notes.append(f"{where}; the same command goes on from there.")
            break
        _wait_for_others()
    files = [job.path(r) for r in job.recipes if job.path(r).is_file() and not r.is_step]
    return TrainResult(tuple(files), stopped, tuple(notes), fitted.is_first)


def _one(job: Job, recipe: Recipe, watch: Watch) -> tuple[Fitted, bool]:
    """Train one network, judge it, and write it with its card; tell whether it is finished."""
    task, params = TASKS[recipe.network], job.params
    net, start = _begin(job, recipe, task)
    source = _open(job, recipe, task, start)
    if source is not None and recipe.n_epochs:
        n_steps = recipe.n_epochs * source.n_per_epoch(_n_ranks(params))
        recipe = dataclasses.replace(recipe, n_steps=n_steps)
    machine = Machine(
        params.accelerator,
        params.devices,
        params.nodes,
        params.strategy,
        0 if source is not None and params.workers < 0 else params.workers,
    )
    fitted = fit_on(
        machine,
        net,
        source.batch_at if source is not None else task.batches(recipe),
        task.loss,
        _schedule(recipe, params),
        _keeping(job, recipe),
        _watching(recipe, task, source, watch),
    )
    is_done = fitted.n_done == recipe.n_steps
    if not (is_done and fitted.is_first):
        return fitted, is_done
    watch.say(f"{recipe.name}: judging it")
    _write(job, recipe, task, net, source, fitted)
    remove_state(job.state(recipe))
    return fitted, is_done


def _watching(recipe: Recipe, task: Task, source: Source | None, watch: Watch) -> Watching:
    """Watch a run; on measured data, with its loss on the validation part after each epoch."""
    told = Watching(watch.on_step(recipe), watch.should_stop)
    if source is None:
        return told
    batch_at, n_batches = source.held_out["validation"]
    n_batches = min(n_batches, _MOST_VALIDATION_BATCHES)
    return dataclasses.replace(
        told,
        validate=lambda net: mean_loss(net, batch_at, task.loss, n_batches),
        validate_every=source.n_per_epoch(1),
    )


def _begin(job: Job, recipe: Recipe, task: Task) -> tuple[torch.nn.Module, Checkpoint | None]:
    """Return the network to train, and the weights it starts from."""
    path = Path(job.params.start_from) if job.params.start_from else None
    before = next((r for r in job.recipes if r.name == recipe.start_from), None)
    if before is not None:
        path = job.path(before)
    if path is None:
        n_channels = WAVENUMBER.size
        return task.new_network(recipe, n_channels), None
    return network.started_from(path, recipe, task, keep_axis=bool(job.params.data))


def _open(job: Job, recipe: Recipe, task: Task, start: Checkpoint | None) -> Source | None:
    if not job.params.data:
        return None
    if task.measured is None:
        raise ParameterError(f"'{job.task}' learns from simulated data alone.")
    # Without weights to start from the axis is the data's own: as many channels as the network has.
    axis = start.wavenumber if start is not None else None
    return task.measured(recipe, Path(job.params.data), axis, job.reading)


def _n_ranks(params: TrainParams) -> int:
    """Return how many processes train together."""
    everywhere = torch.cuda.device_count() if params.accelerator in ("auto", "gpu") else 1
    return (params.devices or max(everywhere, 1)) * params.nodes


def _schedule(recipe: Recipe, params: TrainParams) -> Schedule:
    return Schedule(
        n_steps=recipe.n_steps,
        peak_rate=recipe.rate,
        seed=recipe.seed,
        save_seconds=params.save_seconds,
        bf16={"auto": None, "bf16": True, "32": False}[params.precision],
        curve=recipe.curve,
        clip=recipe.clip,
    )


def _keeping(job: Job, recipe: Recipe) -> Keeping:
    record = {**job.records[recipe.name], "n_steps": recipe.n_steps}
    return Keeping(
        state=job.state(recipe),
        limit=SMALL if job.params.small_checkpoints else None,
        run=record,
        table=job.folder / f"{recipe.name}.csv",
        tensorboard=job.folder / "tensorboard" / recipe.name,
    )


def _write(
    job: Job,
    recipe: Recipe,
    task: Task,
    net: torch.nn.Module,
    source: Source | None,
    fitted: Fitted,
) -> None:
    runs = [*job.chain(recipe)[:-1], recipe]
    scale = recipe.scale or job.params.scale
    command = command_line(recipe.task, dataclasses.replace(job.params, scale=scale))
    where = origin(runs, job.chain_records(recipe), fitted, command)
    card = {
        "title": task.title.format(scale=recipe.scale) + ", trained on simulated data",
        "normalization": task.normalization,
        "figures": {},
    }
    if source is not None:
        card["title"] = task.title.format(scale=recipe.scale) + ", trained on measured data"
        where["data"] = data_in_words(Path(job.params.data), source.about)
        card["figures"] = {
            f"mean loss, {name}": mean_loss(net, batch_at, task.loss, n_batches)
            for name, (batch_at, n_batches) in source.held_out.items()
        }
    elif not recipe.is_step:
        card["figures"] = {"simulated, held out": task.figures(net, recipe)}
    card["figures"] = finite(card["figures"])
    if task.has_axis:
        axis = source.wavenumber if source is not None else WAVENUMBER
        card["wavenumber"] = axis.tolist()
    try:
        checkpoint.save(net, job.path(recipe), {**card, **where})
    except OSError as error:
        raise FileError(
            f"{job.path(recipe)} cannot be written: {error.strerror or error}. The state is kept in "
            f"{job.state(recipe)}: make room, and run the same command again."
        ) from error


class limited_threads:  # noqa: N801 - a context manager
    """Compute with so many threads for a while; 0 changes nothing."""

    def __init__(self, n: int) -> None:
        self.n, self.before = n, torch.get_num_threads()

    def __enter__(self) -> None:
        if self.n:
            torch.set_num_threads(self.n)

    def __exit__(self, *error: object) -> None:
        if self.n:
            torch.set_num_threads(self.before)


def _wait_for_others() -> None:
    """Wait until the first process has written what all start from next."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.barrier()
