"""The training loop: batches at random, one-cycle rate, a state on disk to resume from.

Every batch and every rate follows from the seed and the number of the step alone, so that a run
which was interrupted goes on as if it had not been.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from napari_deeper.spectra.errors import CheckpointError

MakeBatch = Callable[[np.random.Generator], tuple[Tensor, ...]]
Loss = Callable[[nn.Module, tuple[Tensor, ...]], Tensor]


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train.

    Parameters
    ----------
    n_steps
        Batches in all.
    peak_rate
        Highest learning rate, reached after a tenth of the steps.
    seed
        Of every batch.
    save_seconds
        Time between two saved states.
    bf16
        Whether to compute in bfloat16 where it is safe: about three times faster on a CPU that has
        it.
    """

    n_steps: int
    peak_rate: float = 1e-3
    seed: int = 0
    save_seconds: float = 120.0
    bf16: bool = True


def rate_at(step: int, schedule: Schedule) -> float:
    """Return the learning rate of a step, one cycle: a cosine up, a cosine down to nothing."""
    warm = max(1, schedule.n_steps // 10)
    if step < warm:
        return schedule.peak_rate * (0.04 + 0.96 * (1 - math.cos(math.pi * (step + 1) / warm)) / 2)
    done = (step - warm) / max(1, schedule.n_steps - warm)
    return schedule.peak_rate * (1 + math.cos(math.pi * done)) / 2 + 1e-7


def fit(
    net: nn.Module,
    make_batch: MakeBatch,
    loss: Loss,
    schedule: Schedule,
    state_path: Path | None = None,
    on_step: Callable[[int, float], None] | None = None,
) -> nn.Module:
    """Train a network in place, going on from `state_path` if it exists.

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
    """
    optimizer = torch.optim.Adam(net.parameters(), lr=schedule.peak_rate)
    first = load_state(state_path, net, optimizer) if state_path and state_path.exists() else 0
    net.train()
    last_save = time.monotonic()
    for step in range(first, schedule.n_steps):
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, schedule)
        batch = make_batch(np.random.default_rng([schedule.seed, step]))
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=schedule.bf16):
            value = loss(net, batch)
        optimizer.zero_grad(set_to_none=True)
        value.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        if on_step:
            on_step(step, float(value.detach()))
        if state_path and time.monotonic() - last_save > schedule.save_seconds:
            save_state(state_path, net, optimizer, step + 1)
            last_save = time.monotonic()
    if state_path:
        save_state(state_path, net, optimizer, schedule.n_steps)
    return net.eval()


def save_state(path: Path, net: nn.Module, optimizer: torch.optim.Optimizer, step: int) -> None:
    """Write what `load_state` needs, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {"step": step, "net": net.state_dict(), "optimizer": optimizer.state_dict()}
    partial = path.with_name(path.name + ".part")
    torch.save(state, partial)
    partial.replace(path)


def load_state(path: Path, net: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Restore a network and its optimizer; return the next step.

    Raises
    ------
    CheckpointError
        If the state is of another network.
    """
    state = torch.load(path, map_location="cpu", weights_only=True)
    try:
        net.load_state_dict(state["net"])
        optimizer.load_state_dict(state["optimizer"])
    except (RuntimeError, KeyError, ValueError) as error:
        raise CheckpointError(
            f"{path} holds the state of another network; choose an empty folder. ({error})"
        ) from error
    return int(state["step"])
