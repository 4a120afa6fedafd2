"""Training a `CompactHyRISR` on simulated cubes."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_deeper.models.compact import CompactHyRISR, CompactHyRISRConfig
from napari_deeper.models.scaling import normalize
from napari_deeper.simulate.random_maps import random_cube

NORMALIZATION = "centered"
# Measured pixels of a side of a training cube, by scale: about the same work in each.
SIDE = {2: 16, 3: 12, 4: 10}


def new_network(seed: int, config: CompactHyRISRConfig) -> CompactHyRISR:
    """Return an untrained network: aligned bilinear interpolation."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return CompactHyRISR(config)


def make_batch(
    n: int,
    scale: int,
    wavenumber: NDArray[np.float64],
    rng: np.random.Generator,
    loudest: float = 1.0,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return measured cubes (n, channel, y, x), fine ones, weights (n, 1, 1, 1) and the phase.

    The fine cubes (n, channel, scale y, scale x) are clean and scaled like the measured ones.

    One cube in four is free of noise; in the others the noise is from 0.02 to `loudest` standard
    deviations of the cube. The sample phase is drawn at random.
    """
    phase = int(rng.integers(scale))
    side = SIDE[scale] * scale
    fine = np.stack([random_cube((side, side), wavenumber, rng) for _ in range(n)])
    low = fine[:, phase::scale, phase::scale]
    sigma = np.exp(rng.uniform(np.log(0.02), np.log(loudest), (n, 1, 1, 1)))
    sigma *= rng.random((n, 1, 1, 1)) > 0.25
    low = low + sigma * rng.standard_normal(low.shape)
    measured, scaling = normalize(_tensor(low), NORMALIZATION)
    target = ((_tensor(fine) - scaling.offset) / scaling.factor).float()
    weight = 1 / (torch.from_numpy(sigma) / scaling.factor + 0.1)
    return measured, target, weight.float(), torch.tensor(phase)


def loss(net: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
    """Return the mean absolute error, weighted so that every level of noise counts alike."""
    measured, target, weight, phase = batch
    error = (net(measured, int(phase)).float() - target).abs()
    mean: Tensor = (error * weight).mean()
    return mean


def transfer(source: CompactHyRISR, target: CompactHyRISR) -> None:
    """Start a network from the layers that it shares with one of another scale.

    The layers that it does not share start small, so that at first it says next to nothing in place of
    nonsense in the shared ones' words.
    """
    have, want = source.state_dict(), target.state_dict()
    for name, tensor in want.items():
        shared = name in have and have[name].shape == tensor.shape
        want[name] = have[name] if shared else 0.1 * tensor
    target.load_state_dict(want)


def _tensor(cubes: NDArray[np.float64]) -> Tensor:
    """Return (n, y, x, channel) as (n, channel, y, x)."""
    return torch.from_numpy(cubes.astype(np.float32)).permute(0, 3, 1, 2).contiguous()
