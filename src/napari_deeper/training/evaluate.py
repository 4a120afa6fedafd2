"""How good a network is: on simulated data that it has not seen, and on a measured map.

Excess error is the mean squared error against a noisy reference less the variance of its noise:
what the result adds to an error that nobody can avoid.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.signal import savgol_filter
from torch import Tensor, nn

from napari_deeper.models.compact import interpolate
from napari_deeper.models.scaling import normalize, restore
from napari_deeper.processing.noise import sigma_per_map
from napari_deeper.training import denoise, eigenimages, super_resolve

Array = NDArray[np.float64]
HELD_OUT_SEED = 977  # training seeds a generator with [seed, step]; this stream is another


def run_denoiser(net: nn.Module, spectra: Array, normalization: str) -> Array:
    """Denoise spectra (n, channel) on the axis of the network, in absolute intensity."""
    x = torch.from_numpy(np.asarray(spectra, dtype=np.float32))[:, None]
    scaled, scaling = normalize(x, normalization)
    with torch.inference_mode():
        out = torch.cat([net(part) for part in torch.split(scaled, 256)])
    return restore(out, scaling)[:, 0].double().numpy()


def run_super_resolver(
    net: nn.Module, cubes: Tensor, normalization: str, phase: int | None = None
) -> Tensor:
    """Super-resolve cubes (n, channel, y, x), in absolute intensity."""
    scaled, scaling = normalize(cubes, normalization)
    with torch.inference_mode():
        out = net(scaled) if phase is None else net(scaled, phase)
    return restore(out, scaling)


def best_savgol(noisy: Array, clean: Array) -> Array:
    """Return the smallest mean squared error (n,) of Savitzky-Golay over windows and orders."""
    errors = [((noisy - clean) ** 2).mean(axis=1)]
    for order in (1, 2, 3):
        for window in (5, 9, 13, 19, 27, 41, 61):
            smooth = savgol_filter(noisy, window, order, axis=1)
            errors.append(((smooth - clean) ** 2).mean(axis=1))
    return np.asarray(np.min(errors, axis=0))


def denoise_figures(net: nn.Module, wavenumber: Array, n: int = 512) -> dict[str, float]:
    """Return error ratios on held-out simulated spectra, medians over every level of noise.

    Ratios below 1 mean better than the noisy spectrum, and than the Savitzky-Golay filter whose
    window and order were chosen for each spectrum with its truth in hand.
    """
    rng = np.random.default_rng(HELD_OUT_SEED)
    noisy, clean, _ = denoise.make_batch(n, wavenumber, rng)
    with torch.inference_mode():
        out = torch.cat([net(part) for part in torch.split(noisy, 128)])
    x, y, z = (t[:, 0].double().numpy() for t in (noisy, clean, out))
    error = ((z - y) ** 2).mean(axis=1)
    before = ((x - y) ** 2).mean(axis=1)
    savgol = best_savgol(x, y)
    return {
        "n_spectra": n,
        "mse_to_input": float(np.median(error / before)),
        "mse_to_best_savgol": float(np.median(error / savgol)),
        "share_better_than_input": float((error < before).mean()),
        "share_better_than_best_savgol": float((error < savgol).mean()),
    }


def eigenimage_figures(net: nn.Module, n_batches: int = 24) -> dict[str, float]:
    """Return error ratios on held-out random images of every strength, medians.

    Ratios below 1 mean better than the best constant factor, and than the Gaussian blur whose width
    and factor were chosen for each image with its truth in hand.
    """
    rng = np.random.default_rng(HELD_OUT_SEED)
    factor, blurred = [], []
    for _ in range(n_batches):
        batch = eigenimages.make_batch(2**13, rng)
        with torch.inference_mode():
            error = (net(batch[0]) - batch[1]).square().mean(dim=(1, 2, 3)).numpy()
        noisy, clean = (part[:, 0].double().numpy() for part in batch[:2])
        for one, x, y in zip(error, noisy, clean, strict=True):
            tries = [_best_factor(gaussian_filter(x, s), y) for s in (0, 0.4, 0.6, 0.8, 1.2, 2, 3)]
            factor.append(one / max(tries[0], 1e-9))
            blurred.append(one / max(min(tries), 1e-9))
    return {
        "n_images": len(factor),
        "mse_to_best_factor": float(np.median(factor)),
        "mse_to_best_blur": float(np.median(blurred)),
        "share_better_than_best_blur": float((np.array(blurred) < 1).mean()),
    }


def _best_factor(x: Array, y: Array) -> float:
    return float(np.mean((y - x * (x * y).sum() / (x * x).sum()) ** 2))


def super_resolve_figures(
    net: nn.Module, wavenumber: Array, scale: int, n: int = 24
) -> dict[str, float]:
    """Return error ratios to aligned bilinear interpolation on held-out simulated cubes."""
    rng = np.random.default_rng(HELD_OUT_SEED)
    ratios, clean_ratios = [], []
    for _ in range(n):
        batch = super_resolve.make_batch(1, scale, wavenumber, rng)
        measured, target, weight, phase = *batch[:3], int(batch[3])
        with torch.inference_mode():
            error = (net(measured, phase) - target).square().mean()
            bilinear = (interpolate(measured, scale, phase) - target).square().mean()
        ratios.append(float(error / bilinear))
        if float(weight) > 9.99:
            clean_ratios.append(ratios[-1])
    return {
        "n_cubes": n,
        "mse_to_bilinear": float(np.exp(np.mean(np.log(ratios)))),
        "mse_to_bilinear_without_noise": float(np.exp(np.mean(np.log(clean_ratios)))),
        "share_better_than_bilinear": float((np.array(ratios) < 1).mean()),
    }


def skip_sampling_figures(
    net: nn.Module, cube: Array, normalization: str, scale: int, phase: int = 1
) -> dict[str, float]:
    """Judge a network on a measured map (y, x, channel) of which it sees every scale-th pixel.

    Only hidden pixels count. The ratio is of excess errors; below 1 is better than aligned
    bilinear.
    """
    rows, columns = (n // scale * scale for n in cube.shape[:2])
    whole = cube[:rows, :columns]
    x = torch.from_numpy(whole.astype(np.float32)).permute(2, 0, 1)[None]
    low = x[:, :, phase::scale, phase::scale]
    out = run_super_resolver(net, low, normalization, phase)
    bilinear = interpolate(low, scale, phase)
    hidden = np.ones((rows, columns), bool)
    hidden[phase::scale, phase::scale] = False
    noise = sigma_per_map(whole) ** 2

    def excess(result: Tensor) -> float:
        difference = result[0].permute(1, 2, 0).double().numpy() - whole
        return float((difference[hidden] ** 2).mean() - noise)

    return {
        "excess_mse_to_bilinear": excess(out) / excess(bilinear),
        "excess_mse_over_noise": excess(out) / noise,
    }
