"""Training a `ResUNet` on simulated spectra."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_deeper.models.resunet import ResUNet, ResUNetConfig
from napari_deeper.models.scaling import normalize
from napari_deeper.simulate.random_spectra import random_mixtures, random_noise

NORMALIZATION = "standard"
CONFIG = ResUNetConfig(widths=(32, 64, 128), linear_head=False, residual=True)
_QUIETEST, _LOUDEST = 0.01, 2.5


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

    The noise is 0.01 to 2.5 standard deviations of the spectrum; in half of them it is shot noise
    in part.
    """
    clean = random_mixtures(n, wavenumber, rng)
    sigma = np.exp(rng.uniform(np.log(_QUIETEST), np.log(_LOUDEST), (n, 1)))
    sigma *= clean.std(axis=1, keepdims=True)
    shot = (rng.random((n, 1)) < 0.5) * rng.random((n, 1))
    rising = clean - clean.min(axis=1, keepdims=True)
    local = np.sqrt(1 - shot + shot * rising / (rising.mean(axis=1, keepdims=True) + 1e-9))
    noisy = clean + sigma * local * random_noise(clean.shape, rng)
    scaled, scaling = normalize(_tensor(noisy), NORMALIZATION)
    target = (_tensor(clean) - scaling.offset) / scaling.factor
    return scaled, target.float(), (torch.from_numpy(sigma)[:, None] / scaling.factor).float()


def loss(net: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
    """Return the mean absolute error, weighted so that every level of noise counts alike."""
    noisy, clean, sigma = batch
    error = (net(noisy).float() - clean).abs()
    mean: Tensor = (error / (sigma + 0.02)).mean()
    return mean


def _tensor(spectra: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(spectra.astype(np.float32))[:, None]
