"""Where a run computes: accelerator, processes and precision, set up for Lightning."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment

from napari_deeper.spectra.errors import TrainingError
from napari_deeper.training.loop import Machine, Schedule

_TALKERS = (
    "pytorch_lightning.utilities.rank_zero",
    "lightning_fabric.utilities.rank_zero",
    "lightning_fabric.utilities.distributed",
)


def new_trainer(machine: Machine, schedule: Schedule, keeper: pl.Callback) -> pl.Trainer:
    """Return a trainer that keeps and says nothing by itself.

    Raises
    ------
    TrainingError
        If the machine has not what is asked of it.
    """
    kind = machine.accelerator
    if kind in ("gpu", "mps"):
        there = torch.backends.mps.is_available() or torch.cuda.is_available()
        if not there:
            raise TrainingError(f"There is no {kind.upper()} that torch can use here.")
    if kind == "auto" and not (torch.cuda.is_available() or torch.backends.mps.is_available()):
        kind = "cpu"
    on_gpu = kind != "cpu"
    devices: int | str = machine.devices or ("auto" if on_gpu else 1)
    bf16 = schedule.bf16 if schedule.bf16 is not None else has_bf16(kind)
    # Lightning would take up its own checkpoints when a job is queued again; ours are enough.
    plugins: list[Any] = []
    if SLURMEnvironment.detect():
        plugins.append(SLURMEnvironment(auto_requeue=False))
    try:
        return pl.Trainer(
            accelerator=kind,
            devices=devices,
            num_nodes=machine.nodes,
            strategy=machine.strategy,
            precision="bf16-mixed" if bf16 else "32-true",
            gradient_clip_val=schedule.clip or None,
            max_epochs=1,
            plugins=plugins or None,
            callbacks=[keeper],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
        )
    except Exception as error:  # MisconfigurationException is a plain Exception
        raise TrainingError(
            f"This machine cannot train as asked (accelerator {machine.accelerator}, "
            f"{machine.devices} devices, {machine.nodes} nodes): {error}"
        ) from error


def has_bf16(kind: str) -> bool:
    """Tell whether a device computes bfloat16 itself, so that it is faster there and not slower."""
    if kind == "cpu":
        ask = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
        return ask is not None and bool(ask())
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return False


def describe_hardware(trainer: pl.Trainer) -> str:
    """Return the device and the precision in words."""
    device = trainer.strategy.root_device
    precision = "bfloat16" if str(trainer.precision).startswith("bf16") else "float32"
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    elif device.type == "mps":
        name = "Apple GPU"
    else:
        name = f"CPU, {torch.get_num_threads()} thread(s)"
    n = trainer.world_size
    return f"{f'{n} x ' if n > 1 else ''}{name}, {precision}"


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Lightning's advice to itself where it does not fit how it is used here."""
    loggers = [logging.getLogger(name) for name in _TALKERS]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        # Batches are cheap on a CPU, and the user chose how many processes make them.
        warnings.filterwarnings("ignore", ".*does not have many workers.*")
        # Said of every worker by Python 3.12 and newer; workers make arrays, and hold no locks.
        warnings.filterwarnings("ignore", ".*use of fork\\(\\) may lead to deadlocks.*")
        # Lightning's use of torch, which is not ours to change.
        warnings.filterwarnings("ignore", ".*LeafSpec.* is deprecated.*", FutureWarning)
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
