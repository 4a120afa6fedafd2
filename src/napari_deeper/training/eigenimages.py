"""Training an `EigenimageDenoiser` on random images plus white noise of variance 1."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_deeper.models.eigenimage import EigenimageDenoiser, EigenimageDenoiserConfig
from napari_deeper.simulate.random_images import random_image

NORMALIZATION = "noise"
_WEAKEST, _STRONGEST = 0.3, 80.0
_SIDES = (16, 24, 32, 48)


def new_network(seed: int, config: EigenimageDenoiserConfig | None = None) -> EigenimageDenoiser:
    """Return an untrained network."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        # Channels last is faster on a CPU.
        return EigenimageDenoiser(config).to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def make_batch(n_pixels: int, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Return noisy and clean images (n, 1, side, side) and the mean square of each (n, 1, 1, 1).

    The side is drawn at random, and as many images as give about ``n_pixels``. The images are 0.3
    to 80 times as strong as their noise.
    """
    side = int(rng.choice(_SIDES))
    n = max(1, n_pixels // side**2)
    strength = np.exp(rng.uniform(np.log(_WEAKEST), np.log(_STRONGEST), (n, 1, 1)))
    clean = strength * np.stack([random_image((side, side), rng) for _ in range(n)])
    noisy = clean + rng.standard_normal(clean.shape)
    return _tensor(noisy), _tensor(clean), _tensor(strength**2)


def loss(net: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
    """Return the squared error over that of the best constant factor, so that all strengths count.

    Added is the likelihood of the error under the variance that the network gives for it.
    """
    noisy, clean, power = batch
    denoised, variance = net.with_variance(noisy)  # type: ignore[operator]
    error = (denoised.float() - clean).square()
    likelihood = (variance.log() + error.detach() / variance) / 2
    mean: Tensor = (error * (1 + 1 / power)).mean() + likelihood.mean()
    return mean


def _tensor(images: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(images.astype(np.float32))[:, None]
