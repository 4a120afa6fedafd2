"""The published augmentations: each sample changed at random as its partner is.

Every function takes the parts of a batch (input and target, say) as a tuple of arrays whose first
axis counts samples, draws once for each sample, and does the same to all parts.

References
----------
Horgan et al., Anal. Chem. 2021, 93, 48, 15850-15860, doi 10.1021/acs.analchem.1c02178; mixup: Zhang
et al. 2018, doi 10.48550/arXiv.1710.09412.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Parts = tuple[Array, ...]


def shift_spectra(parts: Parts, rng: np.random.Generator, largest: float = 0.1) -> Parts:
    """Move each sample along its spectral axis by up to `largest` of it, reflected at the ends.

    Parameters
    ----------
    parts
        (n, ..., channel) each.
    """
    n_samples, n_channels = len(parts[0]), parts[0].shape[-1]
    most = min(int(largest * n_channels), n_channels - 1)
    shifts = rng.integers(-most, most + 1, n_samples)
    # Where each channel comes from; the end itself is not repeated.
    place = np.abs(np.arange(n_channels) - shifts[:, None])
    place = np.where(place >= n_channels, 2 * (n_channels - 1) - place, place)
    return tuple(
        np.stack([sample[..., at] for sample, at in zip(part, place, strict=True)])
        for part in parts
    )


def flip_spectra(parts: Parts, rng: np.random.Generator, share: float = 0.5) -> Parts:
    """Reverse the spectral axis of a share of the samples (n, ..., channel)."""
    chosen = rng.random(len(parts[0])) < share
    return tuple(_where(chosen, part[..., ::-1], part) for part in parts)


def mix(parts: Parts, rng: np.random.Generator, alpha: float = 0.2, share: float = 0.5) -> Parts:
    """Mix a share of the samples (n, ...) with others of the batch, by weights of Beta(alpha, alpha)."""
    n_samples = len(parts[0])
    chosen = rng.random(n_samples) < share
    weight = np.where(chosen, rng.beta(alpha, alpha, n_samples), 1.0)
    partner = rng.permutation(n_samples)
    mixed = []
    for part in parts:
        w = weight.astype(part.dtype).reshape(-1, *[1] * (part.ndim - 1))
        mixed.append(w * part + (1 - w) * part[partner])
    return tuple(mixed)


def crop(cubes: Parts, side: int, rng: np.random.Generator) -> Parts:
    """Cut a square of `side` pixels out of cubes (y, x, channel) of one size, all at one place.

    A side that is too short is first extended by reflection, as often as it takes.
    """
    padded = [_extend(cube, side) for cube in cubes]
    height, width = padded[0].shape[:2]
    top = int(rng.integers(0, height - side + 1))
    left = int(rng.integers(0, width - side + 1))
    return tuple(cube[top : top + side, left : left + side] for cube in padded)


def _extend(cube: Array, side: int) -> Array:
    missing = [max(0, side - n) for n in cube.shape[:2]]
    ends = [(m // 2, m - m // 2) for m in missing]
    return np.pad(cube, [*ends, (0, 0)], mode="reflect") if any(missing) else cube


def turn(parts: Parts, rng: np.random.Generator) -> Parts:
    """Flip square images (n, y, x, ...) up-down and left-right and turn them by quarters."""
    n_samples = len(parts[0])
    up, left = rng.random((2, n_samples)) < 0.5
    quarters = rng.integers(0, 4, n_samples)
    turned = []
    for part in parts:
        flipped = _where(up, part[:, ::-1], part)
        flipped = _where(left, flipped[:, :, ::-1], flipped)
        images = [np.rot90(image, q) for image, q in zip(flipped, quarters, strict=True)]
        turned.append(np.stack(images))
    return tuple(turned)


def _where(chosen: NDArray[np.bool_], changed: Array, kept: Array) -> Array:
    return np.where(chosen.reshape(-1, *[1] * (kept.ndim - 1)), changed, kept)
