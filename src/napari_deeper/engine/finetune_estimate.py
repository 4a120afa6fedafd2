"""How long a fine-tuning job takes, and how much memory, found out by a few steps."""

from __future__ import annotations

import copy
import math
import time
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from napari_deeper.engine.device import choose_device
from napari_deeper.training.finetune import N_VALIDATIONS, plan_schedule
from napari_deeper.training.finetune_config import FinetuneParams
from napari_deeper.training.finetune_data import Subject
from napari_deeper.training.loop import Place

_N_TIMED = 3
_BYTES_PER_PARAMETER = 16  # weight, gradient, and the two moments of Adam


@dataclass(frozen=True)
class Estimate:
    """What a job is expected to take.

    Parameters
    ----------
    seconds
        Of training and its validations, at most: it may stop early. Judging is not in it.
    memory_bytes
        Of the device, for a step of training. The program itself and the data come on top.
    n_steps, n_epochs
        Of one run.
    device
        In words.
    """

    seconds: float
    memory_bytes: int
    n_steps: int
    n_epochs: int
    device: str

    def __str__(self) -> str:
        minutes = self.seconds / 60
        time_left = f"{self.seconds:.0f} s" if minutes < 2 else f"{minutes:.0f} min"
        return (
            f"about {time_left} for {self.n_steps} steps ({self.n_epochs} epochs) on {self.device}, "
            f"with {max(1, round(self.memory_bytes / 1e6))} MB of memory for a step"
        )


def estimate_training(net: nn.Module, subject: Subject, params: FinetuneParams) -> Estimate:
    """Take a few steps with a copy of the network, and tell what all of them will take."""
    choice = choose_device(params.device)
    schedule = plan_schedule(subject, params, params.n_in_batch, params.peak_rate)
    trial = copy.deepcopy(net).to(choice.device)
    start = time.perf_counter()
    subject.score(trial.eval())
    validating = time.perf_counter() - start
    batch_at = subject.batch_at(params.n_in_batch)
    trial.train()
    held, seconds = 0, math.inf
    for step in range(_N_TIMED):
        start = time.perf_counter()
        batch = tuple(part.to(choice.device) for part in batch_at(Place(params.seed, step)))
        held = max(held, _step(trial, subject, batch))
        if choice.device == "cuda":
            torch.cuda.synchronize()
        # The first step holds that of starting; the fastest is the least disturbed.
        seconds = min(seconds, time.perf_counter() - start)
    n_parameters = sum(p.numel() for p in trial.parameters())
    n_validations = min(N_VALIDATIONS, schedule.n_steps)
    n_runs = 2 if params.scratch else 1
    total = n_runs * (seconds * schedule.n_steps + validating * n_validations)
    memory = _BYTES_PER_PARAMETER * n_parameters + held
    return Estimate(total, memory, schedule.n_steps, params.n_epochs, choice.description)


def _step(net: nn.Module, subject: Subject, batch: tuple[Tensor, ...]) -> int:
    """Go forward and back; return the bytes that are held in between."""
    kept: dict[int, int] = {}

    def count(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        loss = subject.loss(net, batch)
    loss.backward()  # type: ignore[no-untyped-call]
    net.zero_grad(set_to_none=True)
    return sum(kept.values())
