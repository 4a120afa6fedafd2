"""Training an `EigenimageSuperResolver` on random images, sampled coarsely, plus white noise."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_deeper.models.compact import interpolate
from napari_deeper.models.eigen_super_resolve import (
    EigenimageSuperResolver,
    EigenimageSuperResolverConfig,
)
from napari_deeper.processing.interpolation import upsample_axis
from napari_deeper.simulate.random_images import random_images

NORMALIZATION = "noise"
HELD_OUT_SEED = 977  # training seeds a generator with [seed, step]; this stream is another
_WEAKEST, _STRONGEST = 0.7, 3000.0
_NOISELESS = 0.15  # share of images next to whose strength the noise is nothing
_SIDES = (4, 6, 9, 12, 16, 20)


def new_network(
    seed: int, config: EigenimageSuperResolverConfig | None = None
) -> EigenimageSuperResolver:
    """Return an untrained network."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        # Channels last is faster on a CPU.
        return EigenimageSuperResolver(config).to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def make_batch(
    n_pixels: int, scale: int, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return measured images (n, 1, y, x), fine ones (n, 1, scale y, scale x), weights, the phase.

    The sides and the phase are drawn at random, and as many images as give about ``n_pixels``
    measured pixels. The noise has variance 1. An image's weight (n, 1, 1, 1) is 1 over the least
    squared error of bilinear interpolation, bicubic interpolation, and nothing at all.
    """
    n_y, n_x = (int(rng.choice(_SIDES)) for _ in range(2))
    n = max(1, n_pixels // (n_y * n_x))
    phase = [int(p) for p in rng.integers(0, scale, 2)]
    strength = np.exp(rng.uniform(np.log(_WEAKEST), np.log(_STRONGEST), (n, 1, 1)))
    strength[rng.random(n) < _NOISELESS] = 1e6
    clean = strength * random_images(n, (n_y * scale, n_x * scale), rng)
    low = clean[:, phase[0] :: scale, phase[1] :: scale]
    measured, fine = _tensor(low + rng.standard_normal(low.shape)), _tensor(clean)
    plain = interpolate(measured, scale, (phase[0], phase[1]))
    cubic = _tensor(bicubic(measured[:, 0].numpy(), scale, phase))
    errors = [(guess - fine).square().mean((1, 2, 3)) for guess in (plain, cubic, 0 * fine)]
    least = torch.stack(errors).amin(dim=0).maximum(errors[0] / 30)
    weight = 1 / least.clamp(min=1e-2)[:, None, None, None]
    return measured, fine, weight, torch.tensor(phase)


def figures(net: nn.Module, n_batches: int = 24) -> dict[str, float]:
    """Return what a network reaches on held-out random images of every strength.

    Ratios of the squared error to that of bilinear interpolation and to the least of bilinear,
    bicubic and nothing (geometric means), and how often an error is within one sigma.
    """
    rng = np.random.default_rng(HELD_OUT_SEED)
    assert isinstance(net, EigenimageSuperResolver)
    scale = net.config.scale
    ratios, to_best, within = [], [], []
    for _ in range(n_batches):
        measured, fine, weight, phase = make_batch(2**12, scale, rng)
        at = int(phase[0]), int(phase[1])
        with torch.inference_mode():
            mean, variance = net(measured, at)
        error = (mean - fine).square()
        plain = (interpolate(measured, scale, at) - fine).square().mean((1, 2, 3))
        each = error.mean((1, 2, 3))
        ratios += (each / plain.clamp(min=1e-9)).log().tolist()
        to_best += (each * weight.flatten()).clamp(min=1e-9).log().tolist()
        within.append(float((error < variance).double().mean()))
    return {
        "n_images": len(ratios),
        "mse_to_bilinear": float(np.exp(np.mean(ratios))),
        "mse_to_best_of_bilinear_bicubic_and_nothing": float(np.exp(np.mean(to_best))),
        "share_better_than_bilinear": float((np.array(ratios) < 0).mean()),
        "share_within_one_sigma": float(np.mean(within)),
    }


def transfer(source: nn.Module, target: nn.Module) -> None:
    """Start a network from the layers that it shares with one of another scale."""
    have, own = source.state_dict(), target.state_dict()
    shared = {k: have[k] for k in own if k in have and have[k].shape == own[k].shape}
    target.load_state_dict(own | shared)


def bicubic(images: NDArray[np.float32], scale: int, phase: list[int]) -> NDArray[np.float32]:
    """Interpolate images (n, y, x), one axis after the other, since each has its own phase."""
    n, n_y, n_x = images.shape
    tall = upsample_axis(images.transpose(1, 2, 0).reshape(n_y, -1), scale, phase[0])
    wide = tall.reshape(n_y * scale, n_x, n).transpose(1, 0, 2).reshape(n_x, -1)
    both = upsample_axis(wide, scale, phase[1]).reshape(n_x * scale, n_y * scale, n)
    return both.transpose(2, 1, 0)


def loss(net: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
    """Return the squared error over that of plain interpolation, plus the variance's likelihood.

    The variance is fitted to the errors as they are, so that it cannot excuse a wrong mean.
    """
    measured, fine, weight, phase = batch
    mean, variance = net(measured, (int(phase[0]), int(phase[1])))
    square = (mean.float() - fine).square()
    error = (square * weight).clamp(max=1e4).mean()
    misfit = square.detach() / variance.float() + variance.float().log() + weight.log()
    total: Tensor = error + 0.1 * misfit.clamp(max=1e3).mean()
    return total


def _tensor(images: NDArray[np.floating]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(images, np.float32))[:, None]
