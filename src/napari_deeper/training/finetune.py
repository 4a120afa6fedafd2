"""Training a network on, with the loop of `napari_deeper.training.loop`, and keeping its best weights.

The best are those that scored the highest PSNR on the validation part, or the last ones where none before
was better by a margin. What is scored and kept may be a blend of the trained weights and those that were
started from, which forgets less of what those knew (Wortsman et al. 2022, doi
10.1109/CVPR52688.2022.00780). A run that is paused, stopped, killed, diverges or runs out of a GPU's
memory goes on from its state.
"""

from __future__ import annotations

import copy
import gc
import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from napari_deeper.spectra.errors import TrainingError
from napari_deeper.training.datasets import Order
from napari_deeper.training.finetune_config import FinetuneParams
from napari_deeper.training.finetune_course import Course, Tuned, Validations, read_best
from napari_deeper.training.finetune_data import Score, Subject
from napari_deeper.training.finetune_events import Control, Reporter
from napari_deeper.training.finetune_machine import agree, count_ranks, is_out_of_memory
from napari_deeper.training.finetune_preview import Previewer
from napari_deeper.training.loop import (
    Diverged,
    Fitted,
    Keeping,
    Machine,
    Schedule,
    Watching,
    fit_on,
    rate_at,
)
from napari_deeper.training.state import last_good, load_state, save_state

N_VALIDATIONS = 50
_LOWER, _MOST_LOWERED = 0.3, 3
_ACCELERATORS = {"auto": "auto", "cpu": "cpu", "cuda": "gpu", "mps": "mps"}
_WAIT = 0.2  # seconds between two looks while paused


def plan_schedule(
    subject: Subject, params: FinetuneParams, n_in_batch: int, rate: float
) -> Schedule:
    """Return how long and how fast a subject is learned."""
    n_ranks = count_ranks(params)
    per_epoch = Order(subject.n_items, n_in_batch).n_batches(n_ranks)
    return Schedule(
        n_steps=params.n_epochs * per_epoch,
        peak_rate=rate,
        seed=params.seed,
        save_seconds=params.save_seconds,
        bf16={"auto": None, "bf16": True, "32": False}[params.precision],
    )


def tune(
    net: nn.Module,
    subject: Subject,
    params: FinetuneParams,
    course: Course,
    reporter: Reporter | None = None,
    is_cancelled: Callable[[], bool] = lambda: False,
    control: Control | None = None,
) -> Tuned:
    """Train a network in place, going on from the state in the folder if there is one.

    Raises
    ------
    CheckpointError
        If the folder holds the state of another run.
    TrainingError
        If the run diverges again and again, memory is not enough for the smallest batch, or the disk
        is full. What was saved stays.
    """
    run = _Tuning(net, subject, params, course, reporter or Reporter(None), is_cancelled, control)
    return run.run()


class _Tuning:
    """One run, from where its state says."""

    def __init__(
        self,
        net: nn.Module,
        subject: Subject,
        params: FinetuneParams,
        course: Course,
        reporter: Reporter,
        is_cancelled: Callable[[], bool],
        control: Control | None,
    ) -> None:
        self.net, self.subject, self.params, self.course = net, subject, params, course
        self.reporter, self.is_cancelled = reporter, is_cancelled
        self.control = control or Control(None)
        self.n, self.rate = params.n_in_batch, params.peak_rate
        self.first = copy.deepcopy(net.state_dict())
        self.notes: list[str] = []
        self.n_lowered = 0
        self.validations = Validations(course)
        self.done, self.began, self.began_at = 0, 0.0, 0
        self.before = Score(math.nan, math.nan)
        self.previewer = Previewer(
            course.folder / "preview.npz", subject, params.preview_seconds, self._tell
        )

    def run(self) -> Tuned:
        """Train, and return the best."""
        self.before = self.subject.score(self.net.eval())
        self._take_up()
        self._tell("started", state="running", step=self.done, n_steps=self.schedule.n_steps,
                   resumed=self.done > 0, psnr_before=self.before.psnr,
                   ssim_before=_or_none(self.before.ssim))  # fmt: skip
        fitted, reason = self._until_it_ends()
        if fitted.is_first and self.validations.last_step != self.done:
            self._validate(self.net)
        step, best = self._load_best()
        return Tuned(
            self.net.eval(), self.before, best, step, fitted, reason, self.n, self.rate,
            tuple(dict.fromkeys([*self.notes, *fitted.notes])),
        )  # fmt: skip

    @property
    def schedule(self) -> Schedule:
        """Steps and rates with the batch and the rate of now."""
        return plan_schedule(self.subject, self.params, self.n, self.rate)

    def _take_up(self) -> None:
        """Read batch, rate and validations of a state; the weights are taken up by the loop."""
        self.course.folder.mkdir(parents=True, exist_ok=True)
        state = load_state(self.course.state)
        if state is None:
            self.course.best.unlink(missing_ok=True)
            return
        self.n = int(state.run.get("batch", self.n))
        self.rate = float(state.run.get("rate", self.rate))
        self.done = state.step
        self.validations.take_up(state.step)

    def _until_it_ends(self) -> tuple[Fitted, str]:
        while True:
            trouble = ""
            try:
                fitted = self._fit()
            except Diverged as error:
                if count_ranks(self.params) > 1:
                    raise
                trouble = str(error)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error) or count_ranks(self.params) > 1:
                    raise
                trouble = "memory"
            # Outside the except clauses: until they end, the error keeps the step's arrays alive.
            if trouble == "memory":
                self._halve()
            elif trouble:
                self._lower(trouble)
            else:
                reason = agree(fitted.stopped)
                if fitted.n_done >= self.schedule.n_steps:
                    reason = ""
                if reason != "pause":
                    self.control.clear()
                    return fitted, reason
                self._wait_for_word()

    def _fit(self) -> Fitted:
        schedule = self.schedule
        self.began, self.began_at = 0.0, self.done
        params = self.params
        machine = Machine(
            _ACCELERATORS[params.device],
            params.devices,
            params.nodes,
            params.strategy,
            params.workers,
        )
        keeping = Keeping(
            state=self.course.state,
            run={"job": self.course.identity, "batch": self.n, "rate": self.rate},
            table=self.course.folder / "losses.csv",
        )
        watching = Watching(
            on_step=self._on_step,
            should_stop=self._should_stop,
            validate=self._validate,
            validate_every=max(1, round(schedule.n_steps / N_VALIDATIONS)),
            on_save=lambda step: self._tell("saved", step=step, path=str(self.course.state)),
        )
        fitted = fit_on(
            machine, self.net, self.subject.batch_at(self.n), self.subject.loss, schedule, keeping,
            watching,
        )  # fmt: skip
        self.done = fitted.n_done
        return fitted

    def _on_step(self, step: int, loss: float) -> None:
        now, schedule = time.monotonic(), self.schedule
        self.done = step + 1
        if not self.began:  # the time of the first step holds that of starting
            self.began, self.began_at = now, step + 1
        n_timed = self.done - self.began_at
        left = (now - self.began) / n_timed * (schedule.n_steps - self.done) if n_timed else None
        per_epoch = max(1, schedule.n_steps // self.params.n_epochs)
        self.reporter.tell_step(
            self.done == schedule.n_steps, run=self.course.name, step=self.done,
            n_steps=schedule.n_steps, epoch=step // per_epoch + 1, n_epochs=self.params.n_epochs,
            loss=loss, rate=rate_at(step, schedule),
            seconds_left=None if left is None else round(left, 1),
        )  # fmt: skip

    def _should_stop(self) -> str:
        word = self.control.word()
        if word in ("pause", "stop", "cancel"):
            return word
        if self.is_cancelled():
            return "cancel"
        return "patience" if 0 < self.params.patience <= self.validations.n_since_best else ""

    def _validate(self, net: nn.Module) -> float:
        """Score the network, and keep it if it is the best so far; return an error for the logs."""
        net = self._blended(net)
        score = self.subject.score(net)
        # The last weights have priority, but only where they are better than the first ones.
        is_last = self.done == self.schedule.n_steps and score.psnr > self.before.psnr
        margin = self.params.margin if is_last else 0.0
        is_best = self.validations.add(self.done, score, net, margin)
        self._tell("validated", step=self.done, psnr=_or_none(score.psnr), ssim=_or_none(score.ssim),
                   best=is_best, psnr_before=self.before.psnr)  # fmt: skip
        self.previewer.show(net, self.done)
        return float(10 ** (-score.psnr / 10))

    def _blended(self, net: nn.Module) -> nn.Module:
        """Return a network with the trained weights, or with a blend of those and the first ones."""
        share = self.params.share
        if share == 1:
            return net
        mixed = copy.deepcopy(net).eval()
        device = next(net.parameters()).device
        for name, tensor in mixed.state_dict().items():
            if tensor.is_floating_point():
                tensor.lerp_(self.first[name].to(device), 1 - share)
        return mixed

    def _load_best(self) -> tuple[int, Score]:
        """Put the best weights into the network; return after which step they were, and their score."""
        found = read_best(self.course.best)
        if found is None:
            return self.done, self.subject.score(self.net.eval())
        tensors, step, score = found
        self.net.load_state_dict(tensors)
        return step, score

    def _lower(self, trouble: str) -> None:
        """Go back to the last good state with a lower rate."""
        self.n_lowered += 1
        if self.n_lowered > _MOST_LOWERED:
            raise TrainingError(
                f"The run diverged {self.n_lowered} times, the last time at a rate of {self.rate:.2g}. "
                f"{last_good(self.course.state)} Look for odd patches, or choose a lower rate."
            )
        was, self.rate = self.rate, self.rate * _LOWER
        self._go_back(lambda step: step)
        self._note(
            f"The loss was no number, so the run went back to step {self.done} and goes on at a rate of "
            f"{self.rate:.2g} in place of {was:.2g}."
        )

    def _halve(self) -> None:
        """Go on from the last state with batches half as large, twice as many in an epoch."""
        if self.n < 2:
            raise TrainingError(
                "Memory ran out even with a batch of 1. Choose smaller pieces (side), or another device."
            )
        before, old = self.schedule.n_steps, self.n
        self.n = max(1, self.n // 2)
        self._go_back(lambda step: round(step * self.schedule.n_steps / before))
        self._note(f"Memory ran out: the batch was halved from {old} to {self.n}.")

    def _go_back(self, new_step: Callable[[int], int]) -> None:
        """Put the network back to its last good state, which from now on has other settings."""
        self.net.to("cpu").zero_grad(set_to_none=True)
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        state = load_state(self.course.state)
        self.net.load_state_dict(self.first if state is None else state.net)
        self.done = 0
        if state is not None:
            self.done = new_step(state.step)
            run = {**state.run, "batch": self.n, "rate": self.rate}
            save_state(self.course.state, replace(state, step=self.done, run=run))
        self.validations.drop_after(self.done)

    def _wait_for_word(self) -> None:
        self._tell("paused", state="paused", step=self.done)
        while self.control.word() == "pause" and not self.is_cancelled():
            time.sleep(_WAIT)
        self._tell("resumed", state="running", step=self.done)

    def _note(self, text: str) -> None:
        self.notes.append(text)
        self._tell("note", text=text)

    def _tell(self, event: str, *, state: str = "", **fields: Any) -> None:
        self.reporter.tell(event, state=state, run=self.course.name, **fields)


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None
