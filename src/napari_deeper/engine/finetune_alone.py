"""What the denoiser of eigenimages learns from a noisy map alone, and how it is told whether that helped."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_deeper.engine.finetune_images import MapImages
from napari_deeper.engine.finetune_pieces import (
    Array,
    Mask,
    Pieces,
    as_tensor,
    brightest,
    composed,
    denoised,
    levels_of,
    masked_mean,
    pieces_of,
    weight_of,
)
from napari_deeper.models.eigenimage import rms
from napari_deeper.training.finetune_data import Score
from napari_deeper.training.loop import BatchAt, Place

# How strong the noise is that is added to see how far a result follows it, in units of the map's own.
PROBE = 0.2
_N_DRAWN, _N_PROBES, _N_CHECKS = 16, 2, 8
_LARGEST_DRAWN = 2**28  # bytes of drawn noise that are kept
# Better by so many standard errors counts: the very pixels that check chose the step, too.
SURE = 3.0
_BLOCK = 8


@dataclass(frozen=True, eq=False)
class NoisyImages:
    """The images of a noisy map, of which there is nothing better.

    Parameters
    ----------
    source
        The map.
    train
        (y, x): the pixels to learn from; the others tell whether that helped.
    """

    source: MapImages
    train: Mask

    @property
    def held_out(self) -> Mask:
        """(y, x): the pixels that are not learned from."""
        return self.source.alive & ~self.train


@dataclass(frozen=True)
class SelfCheck:
    """Whether weights are better than others on pixels that they did not learn from, as far as that can be told.

    Parameters
    ----------
    ratio
        Estimated squared error over that of the weights that were started from.
    error
        Standard error of the ratio.
    """

    ratio: float
    error: float

    @property
    def better(self) -> bool:
        """Whether it is, by clearly more than the estimate may be off."""
        return self.ratio < 1 - SURE * self.error

    def words(self) -> str:
        """Return what was found."""
        found = (
            f"Estimated on the pixels of the map that were not learned from: {self.ratio:.2f} +/- {self.error:.2f} of "
            "the squared error that the weights it started from leave in its images."
        )
        if self.better:
            return found
        return (
            f"{found} That is not less by clearly more than the estimate may be off: keep to those that it started "
            "from."
        )


@dataclass(frozen=True, eq=False)
class SelfSubject:
    """Eigenimages learned from their own noise: the error is known without the truth (recorrupted-to-recorrupted).

    Noise like the map's own is added and taken off, which gives two maps of independent noise.

    Parameters
    ----------
    maps
        At least one.
    first
        The network that is started from.
    side, augmentation, seed
        As in `napari_deeper.training.finetune_config.FinetuneParams`.

    References
    ----------
    Pang et al. 2021, doi 10.1109/CVPR46437.2021.00208.
    """

    maps: tuple[NoisyImages, ...]
    first: nn.Module
    side: int
    augmentation: str = "turn"
    seed: int = 0

    @property
    def n_items(self) -> int:
        """How many pieces of images there are to train on."""
        return len(self._items)

    def batch_at(self, n: int) -> BatchAt:
        """Return what makes batches of n pieces of images."""
        planes = []
        for number, each in enumerate(self.maps):
            n_drawn = max(2, min(_N_DRAWN, _LARGEST_DRAWN // each.source.images.nbytes))
            drawn = _draw(each.source, [self.seed, number, 0], n_drawn)
            planes += [
                np.stack([image, *noises, each.train], axis=-1, dtype=np.float32)
                for image, noises in zip(each.source.images, drawn.swapaxes(0, 1), strict=True)
            ]
        return NoiseBatches(planes, self._items, self.side, self.augmentation, n)

    def loss(self, net: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """Return the squared error as far as it can be known; the variance is left as it was."""
        noisy, drawn, mask, level = batch
        return masked_mean(error_of(net, noisy, drawn, level) * weight_of(level), mask)

    def score(self, net: nn.Module) -> Score:
        """Estimate by how many dB the error on the pixels that are held out is less than that of the first network.

        The difference of the two is estimated; how large the first one's is, is what it expects itself.
        """
        before = self._expected
        after = before + float(np.mean([d.mean() for d in self._gains(net, _N_PROBES, 1)]))
        if not math.isfinite(after):  # a run that diverges may give anything
            return Score(-math.inf, math.nan)
        return Score(-10 * math.log10(max(after / before, 0.01)), math.nan)

    def check(self, net: nn.Module) -> SelfCheck:
        """Compare a network with the first one on the pixels that are held out, with noise drawn anew."""
        gains = self._gains(net, _N_CHECKS, 2)
        sums = np.concatenate([g.sums for g in gains])
        sizes = np.concatenate([g.sizes for g in gains])
        mean = sums.sum() / sizes.sum()
        n = len(sums)
        spread = math.sqrt(float(np.square(sums - mean * sizes).sum()) * n / max(1, n - 1))
        before = self._expected
        return SelfCheck(1 + float(mean) / before, max(spread / float(sizes.sum()) / before, 1e-6))

    def preview(self, net: nn.Module) -> Mapping[str, NDArray[Any]]:
        """Return the spectra (channel,) of the brightest pixel that is held out, and their axis."""
        each = self.maps[0]
        start = composed(each.source, self.first)
        y, x = brightest(start, each.held_out)
        now = composed(each.source, net)[y, x]
        measured, axis = each.source.measured[y, x], each.source.wavenumber
        return {"measured": measured, "start": start[y, x], "now": now, "wavenumber": axis}

    @cached_property
    def _items(self) -> list[int]:
        maps = [(len(m.source.images), int(m.source.alive.sum())) for m in self.maps]
        return pieces_of(maps, self.side)

    @cached_property
    def _expected(self) -> float:
        """Squared error that the first network expects, summed over images, mean over the pixels held out."""
        found = [
            np.sum([denoised(self.first, image)[1] for image in m.source.images], axis=0)[
                m.held_out
            ]
            for m in self.maps
        ]
        return max(float(np.concatenate(found).mean()), 1e-6)

    def _gains(self, net: nn.Module, n_probes: int, purpose: int) -> list[BlockSums]:
        """Return by how much the squared error of a network is larger than the first one's, map by map."""
        key = n_probes, purpose
        if key not in self._known:
            self._known[key] = self._errors(self.first, *key)
        found = zip(self.maps, self._errors(net, *key), self._known[key], strict=True)
        return [BlockSums.of(now - before, each.held_out) for each, now, before in found]

    def _errors(self, net: nn.Module, n_probes: int, purpose: int) -> list[NDArray[np.float64]]:
        """Return the estimated squared error (y, x) of each map, summed over its images."""
        out = []
        for number, each in enumerate(self.maps):
            images = each.source.images
            drawn = _draw(each.source, [self.seed, number, purpose], n_probes).swapaxes(0, 1)
            maps = [_error_map(net, *both) for both in zip(images, drawn, strict=True)]
            out.append(np.stack(maps).sum(axis=0, dtype=np.float64))
        return out

    @cached_property
    def _known(self) -> dict[tuple[int, int], list[NDArray[np.float64]]]:
        """What the first network gives, which does not change."""
        return {}


@dataclass(frozen=True)
class BlockSums:
    """Sums over the held-out pixels of each block of a map: neighbors are not independent, blocks are nearly."""

    sums: NDArray[np.float64]
    sizes: NDArray[np.float64]

    @classmethod
    def of(cls, values: NDArray[np.float64], mask: Mask) -> BlockSums:
        """Sum values (y, x) where the mask says."""
        n_y, n_x = mask.shape
        side = block_side(mask.shape)
        block = (np.arange(n_y) // side)[:, None] * n_x + np.arange(n_x) // side
        _, place = np.unique(block[mask], return_inverse=True)
        sums = np.asarray(np.bincount(place, values[mask]), np.float64)
        return cls(sums, np.bincount(place).astype(np.float64))

    def mean(self) -> float:
        """Return the mean over the pixels."""
        return float(self.sums.sum() / self.sizes.sum())


def block_side(shape: tuple[int, int]) -> int:
    """Return the side of the blocks that are learned from and held out by turns: at least three along a side."""
    return min(_BLOCK, min(shape) // 3)


def checkered(alive: Mask) -> Mask:
    """Return every second block of the pixels that are alive."""
    side = block_side(alive.shape)
    y, x = np.indices(alive.shape) // side
    return np.asarray(((y + x) % 2 == 0) & alive)


def error_of(net: nn.Module, noisy: Tensor, drawn: Tensor, level: Tensor) -> Tensor:
    """Return an estimate of the squared error of each pixel that is right on average.

    The two recorrupted maps are y + a d and y - d / a. With d and -d by turns the mean of the loss is the
    same, and it scatters far less.

    Parameters
    ----------
    noisy, drawn
        (n, 1, y, x): images, and noise like theirs that is independent of it.
    level
        (n, 1, 1, 1), root mean square of the whole images.
    """
    scale = math.sqrt(1 + PROBE**2)
    seen = torch.cat([noisy + PROBE * drawn, noisy - PROBE * drawn]) / scale
    levels = ((level.square() + PROBE**2).sqrt() / scale).clamp(min=1)
    # The two differ by little, which 16 bits would not tell.
    with torch.autocast(noisy.device.type, enabled=False):
        up, down = (net(seen, torch.cat([levels, levels])) * scale).chunk(2)
    misfit = ((up - noisy).square() + (down - noisy).square()) / 2
    error: Tensor = misfit + drawn * (up - down) / PROBE - drawn.square()
    return error


@dataclass(frozen=True, eq=False)
class NoiseBatches(Pieces):
    """Batches of pieces of images with noise like theirs, turned, of either sign."""

    def __call__(self, place: Place) -> tuple[Tensor, ...]:
        """Return the batch of a place: images, noise, masks, levels."""
        chosen, pieces, sign = self.cut(place)
        # Two noises mixed are a third one.
        rng = np.random.default_rng([place.seed, place.step, 1])
        drawn = np.empty(pieces.shape[:3], np.float32)
        for i, piece in enumerate(pieces):
            a, b = rng.choice(piece.shape[-1] - 2, 2, replace=False) + 1
            angle = rng.uniform(0, 2 * np.pi)
            drawn[i] = np.cos(angle) * piece[..., a] + np.sin(angle) * piece[..., b]
        level = levels_of(self.planes, chosen)
        return as_tensor(pieces[..., 0] * sign), as_tensor(drawn), as_tensor(pieces[..., -1]), level


def _draw(source: MapImages, seed: list[int], n: int) -> Array:
    rng = np.random.default_rng(seed)
    return np.stack([source.draw_noise(rng) for _ in range(n)])


def _error_map(net: nn.Module, image: Array, noises: Array) -> Array:
    device = next(net.parameters()).device
    noisy = as_tensor(image[None]).to(device)
    with torch.no_grad():
        found = [
            error_of(net, noisy, as_tensor(drawn[None]).to(device), rms(noisy)) for drawn in noises
        ]
    mean: Array = torch.cat(found).mean(dim=0)[0].cpu().numpy()
    return mean
