"""Making a file of weights from nothing but a seed: train, judge, save with a card."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from napari_deeper.models import checkpoint
from napari_deeper.models.compact import CompactHyRISR, CompactHyRISRConfig
from napari_deeper.training import denoise, eigenimages, super_resolve
from napari_deeper.training.evaluate import (
    denoise_figures,
    eigenimage_figures,
    super_resolve_figures,
)
from napari_deeper.training.loop import Schedule, fit

WAVENUMBER = np.linspace(600.0, 1800.0, 500)
Report = Callable[[int, float], None]


def make_denoiser(
    folder: Path,
    schedule: Schedule,
    command: str,
    report: Report | None = None,
    start_from: Path | None = None,
    n: int = 128,
) -> Path:
    """Train a `ResUNet` and write ``resunet.safetensors`` into a folder.

    Parameters
    ----------
    folder
        Also keeps the state, so that an interrupted run goes on when it is started again.
    command
        What to run to make the file again, for the card.
    start_from
        Weights to train on.
    n
        Spectra in a batch.
    """
    start = time.monotonic()
    net = denoise.new_network(schedule.seed)
    if start_from is not None:
        net.load_state_dict(checkpoint.load(start_from).model.state_dict())
    batch = partial(denoise.make_batch, n, WAVENUMBER)
    fit(net, batch, denoise.loss, schedule, folder / "resunet.state.pt", report)
    card = {
        "title": "ResUNet, half width, trained on simulated spectra",
        "normalization": denoise.NORMALIZATION,
        "wavenumber": WAVENUMBER.tolist(),
        "samples": schedule.n_steps * n,
        "figures": {"simulated, held out": denoise_figures(net, WAVENUMBER)},
        **_origin(schedule, command, time.monotonic() - start),
    }
    return checkpoint.save(net, folder / "resunet.safetensors", card)


def make_eigenimage_denoiser(
    folder: Path,
    schedule: Schedule,
    command: str,
    report: Report | None = None,
    start_from: Path | None = None,
    n_pixels: int = 2**14,
) -> Path:
    """Train an `EigenimageDenoiser` and write ``eigenimage.safetensors`` into a folder.

    Parameters
    ----------
    n_pixels
        In a batch, about; the rest as in `make_denoiser`.
    """
    start = time.monotonic()
    net = eigenimages.new_network(schedule.seed)
    if start_from is not None:
        net.load_state_dict(checkpoint.load(start_from).model.state_dict())
    batch = partial(eigenimages.make_batch, n_pixels)
    fit(net, batch, eigenimages.loss, schedule, folder / "eigenimage.state.pt", report)
    card = {
        "title": "Eigenimage denoiser, trained on random images",
        "normalization": eigenimages.NORMALIZATION,
        "samples": f"{schedule.n_steps} batches of about {n_pixels} pixels",
        "figures": {"simulated, held out": eigenimage_figures(net)},
        **_origin(schedule, command, time.monotonic() - start),
    }
    return checkpoint.save(net, folder / "eigenimage.safetensors", card)


def make_super_resolver(
    folder: Path,
    scale: int,
    schedule: Schedule,
    command: str,
    report: Report | None = None,
    start_from: Path | None = None,
    loudest: float = 1.0,
    n: int = 8,
) -> Path:
    """Train a `CompactHyRISR` and write ``hyrisr_<scale>x.safetensors`` into a folder.

    Parameters
    ----------
    start_from
        Weights of this or another scale whose shared layers to start from.
    loudest
        Noise of the noisiest training cube, in standard deviations of the cube.
    n
        Cubes in a batch; the rest as in `make_denoiser`.
    """
    start = time.monotonic()
    config = CompactHyRISRConfig(scale=scale)
    net = super_resolve.new_network(schedule.seed, config)
    if start_from is not None:
        source = checkpoint.load(start_from).model
        assert isinstance(source, CompactHyRISR)
        super_resolve.transfer(source, net)
    batch = partial(super_resolve.make_batch, n, scale, WAVENUMBER, loudest=loudest)
    fit(net, batch, super_resolve.loss, schedule, folder / f"hyrisr_{scale}x.state.pt", report)
    figures = super_resolve_figures(net, WAVENUMBER, scale)
    card = {
        "title": f"Compact HyRISR, {scale}x, trained on simulated cubes",
        "normalization": super_resolve.NORMALIZATION,
        "wavenumber": WAVENUMBER.tolist(),
        "samples": schedule.n_steps * n,
        "started_from": start_from.name if start_from else None,
        "figures": {"simulated, held out": figures},
        **_origin(schedule, command, time.monotonic() - start),
    }
    return checkpoint.save(net, folder / f"hyrisr_{scale}x.safetensors", card)


def _origin(schedule: Schedule, command: str, seconds: float) -> dict[str, Any]:
    return {
        "data": "simulated by napari_deeper.simulate; no measured data",
        "command": command,
        "seed": schedule.seed,
        "steps": schedule.n_steps,
        "hardware": f"CPU, {torch.get_num_threads()} thread(s)",
        "minutes": round(seconds / 60, 1),
        "license": "BSD-3-Clause",
        "notes": [],
    }
