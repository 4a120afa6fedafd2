"""The published training: L1 on input and target that are each over their own maximum.

Horgan et al., Anal. Chem. 2021, 93, 48, 15850-15860, doi 10.1021/acs.analchem.1c02178.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from napari_deeper.models.hyrisr import HyRISR, HyRISRConfig
from napari_deeper.models.resunet import ResUNet, ResUNetConfig
from napari_deeper.simulate.domain import random_training_spectra
from napari_deeper.simulate.random_maps import random_cube
from napari_deeper.simulate.random_measurements import random_measurement
from napari_deeper.spectra.axis import Axis
from napari_deeper.training import augment
from napari_deeper.training.measured import Array, channels_first, over_maximum

NORMALIZATION = "max"
SIDE = 64


def new_resunet(seed: int, config: ResUNetConfig | None = None) -> ResUNet:
    """Return an untrained network, by default of the published size."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return ResUNet(config)


def new_hyrisr(seed: int, config: HyRISRConfig | None = None) -> HyRISR:
    """Return an untrained network, by default of the published size at 2x."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return HyRISR(config)


def loss(net: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
    """Return the mean absolute error."""
    given, target = batch
    error: Tensor = (net(given).float() - target).abs().mean()
    return error


def finish_spectra(low: Array, high: Array, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Return spectra (n, 1, channel), each over its own maximum."""
    given, target = (torch.from_numpy(over_maximum(part))[:, None] for part in (low, high))
    return given, target


@dataclass(frozen=True)
class FinishCubes:
    """Makes batches of cubes: the target over its maximum, and every scale-th pixel of the input."""

    scale: int
    phases: tuple[int, ...] = (1,)

    def __call__(self, low: Array, high: Array, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return coarse and fine cubes (n, channel, y, x)."""
        phase = int(rng.choice(self.phases))
        low, high = over_maximum(low), over_maximum(high)
        coarse = low[:, phase :: self.scale, phase :: self.scale]
        return channels_first(coarse), channels_first(high)


def side_of(scale: int) -> int:
    """Return the side of a fine cube: 64 pixels, 63 at 3x."""
    return SIDE // scale * scale


def simulated_spectra(n: int, wavenumber: Axis, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Return simulated pairs where measured ones are not at hand, augmented as those are."""
    clean = random_training_spectra(n, wavenumber, rng)
    noisy = random_measurement(clean, rng)[0]
    parts = tuple(over_maximum(part.astype(np.float32)) for part in (noisy, clean))
    parts = augment.mix(augment.shift_spectra(parts, rng), rng)
    return finish_spectra(parts[0], parts[1], rng)


def simulated_cubes(
    n: int, wavenumber: Axis, finish: FinishCubes, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Return simulated cubes where measured ones are not at hand; they need no augmentation."""
    side = side_of(finish.scale)
    fine = np.stack([random_cube((side, side), wavenumber, rng) for _ in range(n)])
    cubes = fine.astype(np.float32)
    return finish(cubes, cubes, rng)
