"""What the denoiser of eigenimages learns from a better map of the field."""

from __future__ import annotations

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
    levels_of,
    masked_mean,
    pieces_of,
    weight_of,
)
from napari_deeper.training.finetune_data import Score, mean_score
from napari_deeper.training.loop import BatchAt, Place


@dataclass(frozen=True, eq=False)
class PairedImages:
    """The images of a noisy map, and what a better map of the field says that they should be.

    Parameters
    ----------
    source
        The noisy map.
    target
        (component, y, x), over the noise of the noisy map.
    high
        (y, x, channel), the better map at the scale of the noisy one, over its maximum.
    noise
        Variance of the noise of the target.
    train, validation
        (y, x): the pixels to learn from, and to be chosen by.
    """

    source: MapImages
    target: Array
    high: Array
    noise: float
    train: Mask
    validation: Mask


@dataclass(frozen=True, eq=False)
class PairedSubject:
    """Noisy eigenimages, learned to be what those of a better map are.

    Parameters
    ----------
    pairs
        At least one with pixels to train on, and one with pixels to validate by.
    side, augmentation
        As in `napari_deeper.training.finetune_config.FinetuneParams`.
    """

    pairs: tuple[PairedImages, ...]
    side: int
    augmentation: str = "turn"

    @property
    def n_items(self) -> int:
        """How many pieces of images there are to train on."""
        return len(self._items)

    def batch_at(self, n: int) -> BatchAt:
        """Return what makes batches of n pieces of images."""
        planes = [
            np.stack([image, target, pair.train & pair.source.alive], axis=-1, dtype=np.float32)
            for pair in self._learned
            for image, target in zip(pair.source.images, pair.target, strict=True)
        ]
        noises = [pair.noise for pair in self._learned for _ in pair.source.images]
        return ImageBatches(planes, self._items, self.side, self.augmentation, n, noises)

    def loss(self, net: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """Return the squared error, over that of the best constant factor, plus the variance's likelihood."""
        noisy, target, mask, level, noise = batch
        clean, variance = net.with_variance(noisy, level)  # type: ignore[operator]
        error = (clean.float() - target).square()
        total = variance + noise
        likelihood = (total.log() + error.detach() / total) / 2
        return masked_mean(error * weight_of(level) + likelihood, mask)

    def score(self, net: nn.Module) -> Score:
        """Judge a network in evaluation mode by what the maps become with it where they validate."""
        checked = [pair for pair in self.pairs if pair.validation.any()]
        return mean_score(
            [
                (composed(pair.source, net)[pair.validation], pair.high[pair.validation])
                for pair in checked
            ]
        )

    def preview(self, net: nn.Module) -> Mapping[str, NDArray[Any]]:
        """Return the spectra (channel,) of the brightest validation pixel, and their axis."""
        pair = next(pair for pair in self.pairs if pair.validation.any())
        y, x = brightest(pair.high, pair.validation)
        now = composed(pair.source, net)[y, x]
        measured, axis = pair.source.measured[y, x], pair.source.wavenumber
        return {"measured": measured, "now": now, "target": pair.high[y, x], "wavenumber": axis}

    @property
    def _learned(self) -> list[PairedImages]:
        return [pair for pair in self.pairs if pair.train.any()]

    @cached_property
    def _items(self) -> list[int]:
        maps = [(len(p.source.images), int(p.train.sum())) for p in self._learned]
        return pieces_of(maps, self.side)


@dataclass(frozen=True, eq=False)
class ImageBatches(Pieces):
    """Batches of pieces of images with their targets, turned, of either sign."""

    noises: list[float]

    def __call__(self, place: Place) -> tuple[Tensor, ...]:
        """Return the batch of a place: images, targets, masks, levels, variance of the targets' noise."""
        chosen, pieces, sign = self.cut(place)
        noise = torch.tensor([self.noises[i] for i in chosen])[:, None, None, None]
        noisy, target = (as_tensor(pieces[..., k] * sign) for k in (0, 1))
        return noisy, target, as_tensor(pieces[..., 2]), levels_of(self.planes, chosen), noise
