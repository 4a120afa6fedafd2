"""Training a `ResUNet` on simulated spectra."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_deeper.models.resunet import ResUNet, ResUNetConfig
from napari_deeper.models.scaling import normalize
from napari_deeper.simulate.domain import random_training_spectra
from napari_deeper.simulate.random_measurements import random_measurement

NORMALIZATION = "standard"
CONFIG = ResUNetConfig(widths=(32, 64, 128), linear_head=False, residual=True)


def new_network(seed: int, config: ResUNetConfig = CONFIG) -> ResUNet:
    """Return an untrained network whose output may be negative from the start."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = ResUNet(config)
    if not config.linear_head:
        nn.init.ones_(net.get_parameter("conv6.0.body.1.weight"))
    return net


def make_batch(
    n: int, wavenumber: NDArray[np.float64], rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Return noisy and clean spectra (n, 1, channel), scaled alike, and the noise (n, 1, 1).

    The spectra and their noise are those of `napari_deeper.simulate.domain` and
    `napari_deeper.simulate.random_measurements`.
    """
    clean = random_training_spectra(n, wavenumber, rng)
    noisy, sigma = random_measurement(clean, rng)
    scaled, scaling = normalize(_tensor(noisy), NORMALIZATION)
    target = (_tensor(clean) - scaling.offset) / scaling.factor
    level = torch.from_numpy(np.sqrt(np.square(sigma).mean(axis=1)))[:, None, None]
    return scaled, target.float(), (level / scaling.factor).float()


def loss(net: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
    """Return the mean absolute error, weighted so that every level of noise counts alike."""
    noisy, clean, sigma = batch
    error = (net(noisy).float() - clean).abs()
    mean: Tensor = (error / (sigma + 0.02)).mean()
    return mean


def _tensor(spectra: NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(spectra)[:, None]
