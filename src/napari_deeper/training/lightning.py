"""The run itself, by PyTorch Lightning: devices, precision and several processes are its business.

What the batches are, when to save, and how to go on is ours, because a run that goes on must take
the very steps that it would have taken.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from napari_deeper.spectra.errors import CheckpointError
from napari_deeper.training.logs import Logs
from napari_deeper.training.loop import (
    BatchAt,
    Diverged,
    Fitted,
    Keeping,
    Loss,
    Machine,
    Place,
    Schedule,
    Watching,
    rate_at,
)
from napari_deeper.training.machines import describe_hardware, new_trainer, quiet
from napari_deeper.training.state import State, last_good, load_state, save_state

# Steps between two looks at the loss where a look makes the device wait.
_LOOK_EVERY = 20
_MOST_WORKERS = 12


class Run:
    """One run, from where its state says to its end or until it is stopped."""

    def __init__(
        self,
        net: nn.Module,
        batch_at: BatchAt,
        loss: Loss,
        schedule: Schedule,
        keeping: Keeping,
        watching: Watching,
    ) -> None:
        self.net, self.batch_at, self.loss = net, batch_at, loss
        self.schedule, self.keeping, self.watching = schedule, keeping, watching

    def on(self, machine: Machine) -> Fitted:
        """Train, and tell what became of it."""
        state = load_state(self.keeping.state) if self.keeping.state else None
        with quiet():
            keeper = _Keeper(self, state)
            trainer = new_trainer(machine, self.schedule, keeper)
            keeper.hardware = describe_hardware(trainer)
            self._take_up(state, trainer.world_size)
            module = _Module(self.net, self.loss, self.schedule, state)
            self.net.train()
            first = keeper.done
            if first < self.schedule.n_steps:
                with keeper.listening(), closing(keeper.logs):
                    self._fit(trainer, module, self._loader(machine, trainer, first))
        self.net.to("cpu").eval()
        return keeper.outcome(trainer)

    def _fit(self, trainer: pl.Trainer, module: pl.LightningModule, loader: Any) -> None:
        try:
            trainer.fit(module, loader)
        except SystemExit as error:  # so Lightning ends after a second Ctrl-C
            if isinstance(error.__context__, KeyboardInterrupt):
                raise KeyboardInterrupt from error
            raise

    def _take_up(self, state: State | None, n_ranks: int) -> None:
        """Put a state into the network."""
        if state is None:
            return
        run = {**self.keeping.run, "n_ranks": n_ranks}
        for key in {**run, **state.run}:
            was, now = state.run.get(key), run.get(key)
            if was != now:
                raise CheckpointError(
                    f"{self.keeping.state} holds the state of another run: {key} is {was!r} there "
                    f"and {now!r} here. Choose an empty folder, or pass --force to begin again."
                )
        try:
            self.net.load_state_dict(state.net)
        except RuntimeError as error:
            raise CheckpointError(
                f"{self.keeping.state} holds the state of another network; choose an empty folder. "
                f"({error})"
            ) from error

    def _loader(self, machine: Machine, trainer: pl.Trainer, first: int) -> DataLoader[Any]:
        on_cpu = trainer.strategy.root_device.type == "cpu"
        n = machine.workers
        if n < 0:
            n = 0 if on_cpu else min(_MOST_WORKERS, max(1, (os.cpu_count() or 2) - 1))
        batches = _Batches(
            self.batch_at, self.schedule.seed, trainer.global_rank, trainer.world_size
        )
        return DataLoader(
            batches,
            batch_size=None,
            sampler=range(first, self.schedule.n_steps),
            num_workers=n,
            worker_init_fn=_heed_no_interrupt,
            pin_memory=not on_cpu and torch.cuda.is_available(),
        )


def _heed_no_interrupt(worker: int) -> None:
    """Leave Ctrl-C to the process that trains: it must get its batches until it has saved."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


class _Batches(Dataset[tuple[Tensor, ...]]):
    """The batches of one process by the number of their step, in whichever worker asks."""

    def __init__(self, batch_at: BatchAt, seed: int, rank: int, n_ranks: int) -> None:
        self.batch_at, self.seed, self.rank, self.n_ranks = batch_at, seed, rank, n_ranks

    def __getitem__(self, step: int) -> tuple[Tensor, ...]:
        return self.batch_at(Place(self.seed, step, self.rank, self.n_ranks))


class _Module(pl.LightningModule):
    """Network, loss and rate, in the words of Lightning."""

    def __init__(self, net: nn.Module, loss: Loss, schedule: Schedule, state: State | None) -> None:
        super().__init__()
        self.net, self.loss, self.schedule = net, loss, schedule
        self.state = state
        self.first = state.step if state else 0

    def configure_optimizers(self) -> torch.optim.Optimizer:
        optimizer = torch.optim.Adam(self.net.parameters(), lr=self.schedule.peak_rate)
        if self.state is not None and self.state.optimizer is not None:
            optimizer.load_state_dict(self.state.optimizer)
        return optimizer

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        rate = rate_at(self.first + batch_idx, self.schedule)
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = rate

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return self.loss(self.net, tuple(batch))


class _Keeper(pl.Callback):
    """Watches a run: loss, logs, states, and the wish to stop."""

    def __init__(self, run: Run, state: State | None) -> None:
        self.run = run
        self.done = state.step if state else 0
        self.past = state.seconds if state else 0.0
        self.past_hardware = state.hardware if state else ()
        self.hardware = ""
        self.logs = Logs(run.keeping, state)
        self.start = self.last_save = time.monotonic()
        self.pending: list[Tensor] = []
        self.wish = self.stopped = self.trouble = ""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # After Lightning's own handlers, which end the process without a word about our state.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._on_signal)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, *rest: Any
    ) -> None:
        self.pending.append(outputs["loss"].detach())
        self.done += 1
        is_last = self.done == self.run.schedule.n_steps
        overdue = time.monotonic() - self.last_save > self.run.schedule.save_seconds
        on_cpu = self.pending[0].device.type == "cpu"
        if on_cpu or is_last or overdue or len(self.pending) >= _LOOK_EVERY:
            self._look(trainer)
        self._validate(trainer)
        self.logs.flush()
        reason = self._agreed(trainer)
        if reason or is_last or overdue:
            self._look(trainer)
            if self.trouble:
                raise Diverged(self.trouble)
            self.save(trainer)
        if reason:
            self.stopped = reason
            trainer.should_stop = True

    def _look(self, trainer: pl.Trainer) -> None:
        """Take the losses from the device, and tell them."""
        losses = [float(value) for value in self.pending]
        first = self.done - len(losses)
        self.pending.clear()
        for step, value in enumerate(losses, first):
            if not -float("inf") < value < float("inf"):
                self.trouble = _diverged(step, value, self.run.keeping)
                return
            if trainer.is_global_zero:
                schedule = self.run.schedule
                is_last = step + 1 == schedule.n_steps
                self.logs.add(step, value, rate_at(step, schedule), is_last)
                if self.run.watching.on_step:
                    self.run.watching.on_step(step, value)

    def _validate(self, trainer: pl.Trainer) -> None:
        ask, every = self.run.watching.validate, self.run.watching.validate_every
        if ask is None or not every or self.done % every or not trainer.is_global_zero:
            return
        self._look(trainer)
        if self.trouble:
            return
        net = self.run.net
        net.eval()
        self.logs.validated(ask(net))
        net.train()

    def _agreed(self, trainer: pl.Trainer) -> str:
        """Return why to stop; all processes must stop after the same step.

        Raises
        ------
        Diverged
            If the loss of any process was no number.
        """
        asked = self.run.watching.should_stop
        self.wish = self.wish or (asked() if asked else "")
        if not _any(trainer, bool(self.wish or self.trouble)):
            return ""
        if _any(trainer, bool(self.trouble)):
            raise Diverged(self.trouble or "The loss of another process is no number.")
        return self.wish or "interrupt"

    def save(self, trainer: pl.Trainer) -> None:
        """Save the state in the first process."""
        self.last_save = time.monotonic()
        path = self.run.keeping.state
        if path is None or not trainer.is_global_zero:
            return
        weights = {k: v.detach().cpu() for k, v in self.run.net.state_dict().items()}
        about = {**self.run.keeping.run, "n_ranks": trainer.world_size}
        optimizer = trainer.optimizers[0].state_dict()
        state = State(
            step=self.done,
            net=weights,
            optimizer=optimizer,
            run=about,
            seconds=self.seconds(),
            hardware=self.all_hardware(),
            losses=tuple(self.logs.losses),
        )
        save_state(path, state, self.run.keeping.limit)
        if self.run.watching.on_save:
            self.run.watching.on_save(self.done)

    def all_hardware(self) -> tuple[str, ...]:
        """Return what all slices ran on."""
        return tuple(dict.fromkeys([*self.past_hardware, self.hardware]))

    def seconds(self) -> float:
        """Return how long training took, all slices together."""
        return self.past + time.monotonic() - self.start

    def outcome(self, trainer: pl.Trainer) -> Fitted:
        """Tell what became of the run."""
        return Fitted(
            n_done=self.done,
            stopped=self.stopped,
            seconds=self.seconds(),
            hardware=self.all_hardware(),
            notes=self.logs.notes,
            n_ranks=trainer.world_size,
            is_first=trainer.is_global_zero,
        )

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Stop after the current step at the first Ctrl-C, and at once at the second."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        signal.signal(signal.SIGINT, self._on_signal)
        try:
            yield
        finally:
            for number, handler in kept.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: Any) -> None:
        if self.wish and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.wish = "interrupt"


def _any(trainer: pl.Trainer, mine: bool) -> bool:
    """Tell whether it is so in any of the processes."""
    if trainer.world_size == 1:
        return mine
    return bool(trainer.strategy.reduce_boolean_decision(mine, all=False))


def _diverged(step: int, value: float, keeping: Keeping) -> str:
    kept = last_good(keeping.state) if keeping.state else ""
    return (
        f"The loss of step {step} is {value}: the run diverged. {kept} Check the data, or begin "
        "again with a lower --rate or --precision 32."
    )
