"""Training a network: the schedule, and `fit`, which follows it.

Every batch and every rate follows from the seed, the number of the step and the rank of the process
alone, so that a run which was interrupted goes on as if it had not been.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from napari_deeper.spectra.errors import TrainingError

MakeBatch = Callable[[np.random.Generator], tuple[Tensor, ...]]
Loss = Callable[[nn.Module, tuple[Tensor, ...]], Tensor]

_WARM = {"one-cycle": 0.1, "torch-one-cycle": 0.3}


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train.

    Parameters
    ----------
    n_steps
        Batches in all.
    peak_rate
        Highest learning rate.
    seed
        Of every batch.
    save_seconds
        Time between two saved states.
    bf16
        Whether to compute in bfloat16 where it is safe: about three times faster on a CPU that has
        it. None: where the device has it.
    curve
        Of the rate, see `napari_deeper.training.recipes.Recipe`.
    clip
        The largest norm of the gradient; 0 for no bound.
    """

    n_steps: int
    peak_rate: float = 1e-3
    seed: int = 0
    save_seconds: float = 120.0
    bf16: bool | None = True
    curve: str = "one-cycle"
    clip: float = 1.0


@dataclass(frozen=True)
class Place:
    """Where in a run a batch stands; a batch follows from it alone.

    Parameters
    ----------
    seed, step
        Of the run, and the number of the step from 0.
    rank, n_ranks
        Which of the processes that train together, and how many they are.
    """

    seed: int
    step: int
    rank: int = 0
    n_ranks: int = 1

    def rng(self) -> np.random.Generator:
        """Return a generator that is new for every batch."""
        words = [self.seed, self.step]
        return np.random.default_rng(words if self.n_ranks == 1 else [*words, self.rank])


BatchAt = Callable[[Place], tuple[Tensor, ...]]


@dataclass(frozen=True)
class Drawn:
    """Batches that are drawn at random and know nothing of the steps before them."""

    make_batch: MakeBatch

    def __call__(self, place: Place) -> tuple[Tensor, ...]:
        """Return the batch of a place."""
        return self.make_batch(place.rng())


@dataclass(frozen=True)
class Machine:
    """What to train on; see `napari_deeper.training.config.TrainParams`."""

    accelerator: str = "cpu"
    devices: int = 1
    nodes: int = 1
    strategy: str = "auto"
    workers: int = 0


@dataclass(frozen=True)
class Keeping:
    """Where a run leaves its traces.

    Parameters
    ----------
    state
        File of the state to go on from, or None to keep none.
    limit
        Largest state in bytes, or None.
    run
        What the run is: JSON types. A state of another run is refused.
    table
        CSV file of the losses, or None.
    tensorboard
        Folder of TensorBoard's files, or None.
    log_every
        Steps between two lines of the logs, each the mean of the steps since the last.
    """

    state: Path | None = None
    limit: int | None = None
    run: dict[str, Any] = field(default_factory=dict)
    table: Path | None = None
    tensorboard: Path | None = None
    log_every: int = 10


@dataclass(frozen=True)
class Watching:
    """Who is told of a run, and who may stop it.

    Parameters
    ----------
    on_step
        Called with the step and its loss after each step, in the first process alone.
    should_stop
        Asked after each step: a word why to stop, or nothing.
    validate
        Called with the network, in the first process alone, every `validate_every` steps; returns a
        loss for the logs.
    validate_every
        Steps; 0 for never.
    on_save
        Called with the number of steps done after a state was saved, in the first process alone.
    """

    on_step: Callable[[int, float], None] | None = None
    should_stop: Callable[[], str] | None = None
    validate: Callable[[nn.Module], float] | None = None
    validate_every: int = 0
    on_save: Callable[[int], None] | None = None


@dataclass(frozen=True)
class Fitted:
    """What became of a run.

    Parameters
    ----------
    n_done
        Steps taken in all.
    stopped
        Why no further step should be taken: ``"interrupt"``, ``"time"``, ``"cancel"``; empty if
        nobody asked for it.
    seconds
        Time that training took, all slices together.
    hardware
        What it ran on.
    notes
        What the user should know.
    n_ranks, is_first
        How many processes trained together, and whether this is the one that writes files.
    """

    n_done: int
    stopped: str = ""
    seconds: float = 0.0
    hardware: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    n_ranks: int = 1
    is_first: bool = True


class Stopped(Exception):  # noqa: N818 - a request of the user's, not an error
    """`fit` was stopped before the end; its state is saved."""


class Diverged(TrainingError):  # noqa: N818 - says what the run did
    """The loss is no number; the state that was saved last is good."""


def rate_at(step: int, schedule: Schedule) -> float:
    """Return the learning rate of a step.

    One cycle is a cosine up and a cosine down to next to nothing (Smith & Topin 2018, doi
    10.48550/arXiv.1708.07120).
    """
    peak = schedule.peak_rate
    if schedule.curve == "constant":
        return peak
    if schedule.curve == "torch-one-cycle":
        return _torch_one_cycle(step, schedule.n_steps, peak)
    warm = max(1, schedule.n_steps // 10)
    if step < warm:
        return peak * (0.04 + 0.96 * (1 - math.cos(math.pi * (step + 1) / warm)) / 2)
    done = (step - warm) / max(1, schedule.n_steps - warm)
    return peak * (1 + math.cos(math.pi * done)) / 2 + 1e-7


def _torch_one_cycle(step: int, n_steps: int, peak: float) -> float:
    """Return what OneCycleLR gives with its defaults: 30 % up from 1/25, then down to 1/250000."""
    top, last = 0.3 * n_steps - 1, n_steps - 1
    if step <= top:
        return _cosine(peak / 25, peak, step / top)
    return _cosine(peak, peak / 25e4, (step - top) / (last - top))


def _cosine(start: float, stop: float, share: float) -> float:
    return stop + (start - stop) * (1 + math.cos(math.pi * share)) / 2


def fit(
    net: nn.Module,
    make_batch: MakeBatch,
    loss: Loss,
    schedule: Schedule,
    state_path: Path | None = None,
    on_step: Callable[[int, float], None] | None = None,
) -> nn.Module:
    """Train a network in place on one CPU process, going on from `state_path` if it exists.

    Parameters
    ----------
    make_batch
        Called with a generator that is new for every step.
    loss
        Called as ``loss(net, batch)``.
    state_path
        Where the state is kept, or None to keep none.
    on_step
        Called with the step and its loss.

    Raises
    ------
    Stopped
        After Ctrl-C; the state is saved.
    CheckpointError
        If the state is of another network.
    TrainingError
        If the loss is not a number, or pytorch-lightning is not installed.
    """
    keeping, watching = Keeping(state=state_path), Watching(on_step)
    done = fit_on(Machine(), net, Drawn(make_batch), loss, schedule, keeping, watching)
    if done.n_done < schedule.n_steps:
        raise Stopped(f"stopped after step {done.n_done} of {schedule.n_steps}")
    return net


def fit_on(
    machine: Machine,
    net: nn.Module,
    batch_at: BatchAt,
    loss: Loss,
    schedule: Schedule,
    keeping: Keeping | None = None,
    watching: Watching | None = None,
) -> Fitted:
    """Train a network in place on any machine; on return it is in evaluation mode on the CPU.

    Parameters
    ----------
    batch_at
        Called with the `Place` of each batch; can be pickled where there are workers.
    loss
        Called as ``loss(net, batch)``.

    Raises
    ------
    CheckpointError
        If the state is of another run or network.
    Diverged
        If the loss is not a number.
    TrainingError
        If the state cannot be saved, or pytorch-lightning is not installed.
    """
    require_lightning()
    # Seconds to load, and not needed by what only asks for the schedule.
    from napari_deeper.training.lightning import Run

    return Run(net, batch_at, loss, schedule, keeping or Keeping(), watching or Watching()).on(
        machine
    )


def require_lightning() -> None:
    """Raise `TrainingError` with what to install where pytorch-lightning is missing."""
    try:
        import pytorch_lightning  # noqa: F401
    except ImportError as error:
        raise TrainingError(
            f"Training needs pytorch-lightning, which cannot be loaded here ({error}). Install it: "
            "pip install 'napari-deeper[train]'"
        ) from error
