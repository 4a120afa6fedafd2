"""Batches of measured pairs, augmented as published, for any network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_deeper.models.scaling import normalize
from napari_deeper.processing.noise import sigma_per_map
from napari_deeper.spectra.axis import Axis
from napari_deeper.training import augment, denoise, super_resolve
from napari_deeper.training.datasets import CubeSet, Indices, Order, SpectraSet, split
from napari_deeper.training.loop import BatchAt, Loss, Place
from napari_deeper.training.recipes import Recipe

Array = NDArray[np.float32]
# (low, high, rng) -> what the loss takes.
Finish = Callable[[Array, Array, np.random.Generator], tuple[Tensor, ...]]


@dataclass(frozen=True, eq=False)
class SpectraBatches:
    """Batches of pairs of spectra: shifted and mixed, then finished for the network.

    Parameters
    ----------
    data
        All pairs.
    items
        Which of them to use.
    n
        In a batch.
    finish
        Makes what the loss takes of (n, channel) low and high.
    augmented
        Whether to change them at random.
    """

    data: SpectraSet
    items: Indices
    n: int
    finish: Finish
    augmented: bool = True

    def __call__(self, place: Place) -> tuple[Tensor, ...]:
        """Return the batch of a place."""
        rng = place.rng()
        chosen = self.items[Order(len(self.items), self.n).at(place)]
        # Each over its own maximum, so that a mixture holds both.
        rows = (self.data.low[chosen], self.data.high[chosen])
        parts = tuple(over_maximum(part) for part in rows)
        if self.augmented:
            parts = augment.mix(augment.shift_spectra(parts, rng), rng)
        return self.finish(parts[0], parts[1], rng)


@dataclass(frozen=True, eq=False)
class CubeBatches:
    """Batches of pairs of cubes: cropped, turned, shifted, flipped and mixed, then finished.

    Parameters
    ----------
    data, items, n, augmented
        As in `SpectraBatches`.
    side
        In pixels, of the crop.
    finish
        Makes what the loss takes of (n, side, side, channel) low and high.
    """

    data: CubeSet
    items: Indices
    n: int
    side: int
    finish: Finish
    augmented: bool = True

    def __call__(self, place: Place) -> tuple[Tensor, ...]:
        """Return the batch of a place."""
        rng = place.rng()
        chosen = self.items[Order(len(self.items), self.n).at(place)]
        crops = [augment.crop(self._pair(int(i)), self.side, rng) for i in chosen]
        parts = tuple(np.stack([crop[k] for crop in crops]) for k in range(len(crops[0])))
        # Each over its own maximum, so that a mixture holds both.
        parts = tuple(over_maximum(part) for part in parts)
        if self.augmented:
            for change in (augment.turn, augment.shift_spectra, augment.flip_spectra, augment.mix):
                parts = change(parts, rng)
        return self.finish(parts[0], parts[-1], rng)

    def _pair(self, index: int) -> tuple[Array, ...]:
        pair = self.data[index]
        return pair if self.data.paired else pair[:1]


def over_maximum(samples: Array) -> Array:
    """Return samples (n, ...) each divided by its maximum, or by its magnitude where that is not positive."""
    axes = tuple(range(1, samples.ndim))
    peak, magnitude = samples.max(axes, keepdims=True), np.abs(samples).max(axes, keepdims=True)
    factor = np.where(peak > 0, peak, magnitude)
    return np.asarray(samples / np.where(factor > 0, factor, 1), np.float32)


def match(low: Array, high: Array) -> Array:
    """Return high (n, ...) times the factor that brings each sample next to its low partner."""
    axes = tuple(range(1, low.ndim))
    power = (high * high).sum(axes, keepdims=True)
    factor = (low * high).sum(axes, keepdims=True) / np.where(power > 0, power, 1)
    return np.asarray(high * factor, np.float32)


def finish_denoise(low: Array, high: Array, rng: np.random.Generator) -> tuple[Tensor, ...]:
    """Make a batch as `napari_deeper.training.denoise.make_batch` does, of measured spectra."""
    high = match(low, high)
    scaled, scaling = normalize(torch.from_numpy(low)[:, None], denoise.NORMALIZATION)
    target = (torch.from_numpy(high)[:, None] - scaling.offset) / scaling.factor
    sigma = torch.from_numpy((low - high).std(axis=1))[:, None, None] / scaling.factor
    return scaled, target.float(), sigma.float()


@dataclass(frozen=True)
class FinishSuperResolve:
    """Makes a batch as `napari_deeper.training.super_resolve.make_batch` does, of measured cubes."""

    scale: int

    def __call__(self, low: Array, high: Array, rng: np.random.Generator) -> tuple[Tensor, ...]:
        """Return measured and fine cubes, weights and the sample phase."""
        phase = int(rng.integers(self.scale))
        high = high if high is low else match(low, high)
        sampled = low[:, phase :: self.scale, phase :: self.scale]
        measured, scaling = normalize(channels_first(sampled), super_resolve.NORMALIZATION)
        target = (channels_first(high) - scaling.offset) / scaling.factor
        sigma = torch.tensor([float(sigma_per_map(cube)) for cube in low])[:, None, None, None]
        weight = 1 / (sigma / scaling.factor + 0.1)
        return measured, target.float(), weight.float(), torch.tensor(phase)


def channels_first(cubes: Array) -> Tensor:
    """Return (n, y, x, channel) as (n, channel, y, x)."""
    return torch.from_numpy(np.ascontiguousarray(cubes)).permute(0, 3, 1, 2).contiguous()


@dataclass(frozen=True, eq=False)
class Source:
    """A folder of measured data, ready to train on.

    Parameters
    ----------
    batch_at
        Batches of the part for training.
    n_per_epoch
        Batches of an epoch with so many processes: ``n_per_epoch(n_ranks)``.
    held_out
        The other parts by name: their batches, not augmented, and how many.
    wavenumber
        (channel,), cm-1.
    about
        For the card.
    """

    batch_at: BatchAt
    n_per_epoch: Callable[[int], int]
    held_out: Mapping[str, tuple[BatchAt, int]]
    wavenumber: Axis
    about: Mapping[str, Any]


def spectra_source(data: SpectraSet, recipe: Recipe, finish: Finish) -> Source:
    """Split pairs of spectra as a recipe says, whole cubes together."""

    def batches(items: Indices, n: int, augmented: bool) -> BatchAt:
        return SpectraBatches(data, items, n, finish, augmented)

    return _source(data, data.group, recipe, batches)


def cube_source(data: CubeSet, recipe: Recipe, side: int, finish: Finish) -> Source:
    """Split cubes as a recipe says."""

    def batches(items: Indices, n: int, augmented: bool) -> BatchAt:
        return CubeBatches(data, items, n, side, finish, augmented)

    return _source(data, np.arange(len(data)), recipe, batches)


def _source(
    data: SpectraSet | CubeSet,
    groups: Indices,
    recipe: Recipe,
    batches: Callable[[Indices, int, bool], BatchAt],
) -> Source:
    training, *others = split(groups, recipe.shares, recipe.seed)
    names = ("validation", "test")
    held_out = {}
    for name, items in zip(names, others, strict=False):
        n = min(recipe.n, len(items))
        held_out[name] = (batches(items, n, False), Order(len(items), n).n_batches())
    about = {**data.about, "n_training": len(training)}
    about |= {f"n_{name}": len(items) for name, items in zip(names, others, strict=False)}
    order = Order(len(training), recipe.n)
    at = batches(training, recipe.n, True)
    return Source(at, order.n_batches, held_out, data.wavenumber, about)


def mean_loss(net: nn.Module, batch_at: BatchAt, loss: Loss, n_batches: int) -> float:
    """Return the mean loss of a network in evaluation mode over batches."""
    device = next(net.parameters()).device
    losses = []
    with torch.no_grad():
        for step in range(n_batches):
            batch = tuple(part.to(device) for part in batch_at(Place(0, step)))
            losses.append(float(loss(net, batch)))
    return float(np.mean(losses))
