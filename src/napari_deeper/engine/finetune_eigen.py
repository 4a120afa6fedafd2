"""Tuning the network of `auto`: it learns the eigenimages of patches, noise and all.

The images of a patch at full sampling are the targets, every scale-th pixel of them what is given. Both
hold noise of variance 1, which is known, so the likelihood allows for it. The pixels that are given hold
the same noise in both: they are left out, or learned from pieces whose noise was split in two parts that
know nothing of each other (Pang et al. 2021, doi 10.1109/CVPR46437.2021.00208). Shipped weights rehearse
meanwhile what they were trained on, so that they do not forget it (Robins 1995, doi
10.1080/09540099550039318).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_deeper.engine.device import DeviceChoice
from napari_deeper.engine.eigen_super_resolve import Eigenmap, decompose
from napari_deeper.engine.fine_images import ImageSuperResolver
from napari_deeper.models.compact import interpolate
from napari_deeper.models.eigen_super_resolve import EigenimageSuperResolver
from napari_deeper.processing.interpolation import upsample
from napari_deeper.spectra.progress import Progress
from napari_deeper.training import augment, eigen_super_resolve
from napari_deeper.training.datasets import Order
from napari_deeper.training.finetune_data import Score, mean_score
from napari_deeper.training.loop import BatchAt, Place

Array = NDArray[np.float32]
Parts = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]

_SPLIT = 0.5  # share of the pieces whose noise is split
_REHEARSED = 1 / 3  # pixels of random images next to those of patches


@dataclass(frozen=True, eq=False)
class EigenSubject:
    """Patches whose eigenimages are learned.

    Parameters
    ----------
    images
        (y, x) each, of the patches to train on, of noise 1.
    validation
        (y, x, channel) each, maximum 1, on the cube's own axis.
    scale, side, augmentation, phase
        As in `napari_deeper.training.finetune_data.PatchSubject`.
    rehearses
        Whether the random images that the shipped weights were trained on are learned beside.
    """

    images: tuple[Array, ...]
    validation: tuple[Array, ...]
    scale: int
    side: int
    augmentation: str = "turn"
    phase: int = 1
    rehearses: bool = False

    @property
    def n_items(self) -> int:
        """How many images there are to train on."""
        return len(self.images)

    def alone(self) -> EigenSubject:
        """Return the patches with nothing beside them, as an untrained network learns them."""
        return dataclasses.replace(self, rehearses=False)

    def batch_at(self, n: int) -> BatchAt:
        """Return what makes batches of n pieces of images."""
        return EigenBatches(
            self.images, self.scale, self.side, self.augmentation, n, self.rehearses
        )

    def loss(self, net: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """Return the squared error over that of plain interpolation, plus the variance's likelihood."""
        measured, fine, noise, learned, weight, phase, *rehearsed = batch
        mean, variance = net(measured, (int(phase[0]), int(phase[1])))
        square = (mean.float() - fine).square()
        error = (square * weight).clamp(max=1e4) * learned
        total = variance.float() + noise
        misfit = (square.detach() / total + total.log()).clamp(max=1e3) * learned
        loss: Tensor = (error.sum() + 0.1 * misfit.sum()) / learned.sum()
        return loss + eigen_super_resolve.loss(net, tuple(rehearsed)) if rehearsed else loss

    def score(self, net: nn.Module) -> Score:
        """Judge a network in evaluation mode on the validation patches, put together from its images.

        The targets are put together from the patches' own images: what is left out is mostly noise,
        which would drown small differences. The PSNR is that of the new pixels: at the given ones, noise
        that was kept would pass for right.
        """
        found = [self._restored(net, i) for i in range(len(self.validation))]
        pairs = list(zip(found, self._targets, strict=True))
        new = [(result[self._new(target)], target[self._new(target)]) for result, target in pairs]
        return Score(mean_score(new).psnr, mean_score(pairs).ssim)

    def preview(self, net: nn.Module) -> Mapping[str, Array]:
        """Return images (y, x) of the first validation patch in the channel that varies most."""
        patch = self.validation[0]
        channel = int(np.argmax(patch.std(axis=(0, 1))))
        one = self._sampled(patch)[..., channel : channel + 1]
        plain = {
            how: upsample(one, self.scale, how, self.phase)[..., 0]
            for how in ("nearest", "bilinear")
        }
        now = np.asarray(self._restored(net, 0)[..., channel])
        return {**plain, "now": now, "target": patch[..., channel], "channel": np.float32(channel)}  # type: ignore[dict-item]

    @cached_property
    def _maps(self) -> tuple[Eigenmap, ...]:
        return tuple(decompose(self._sampled(patch)) for patch in self.validation)

    @cached_property
    def _targets(self) -> tuple[Array, ...]:
        whole = [decompose(patch) for patch in self.validation]
        return tuple(each.compose(each.images, 1, 0) for each in whole)

    def _new(self, patch: Array) -> NDArray[np.bool_]:
        new = np.ones(patch.shape[:2], bool)
        new[self.phase :: self.scale, self.phase :: self.scale] = False
        return new

    def _sampled(self, patch: Array) -> Array:
        return np.ascontiguousarray(patch[self.phase :: self.scale, self.phase :: self.scale])

    def _restored(self, net: nn.Module, index: int) -> Array:
        assert isinstance(net, EigenimageSuperResolver)
        device = str(next(net.parameters()).device)
        run = ImageSuperResolver(net, DeviceChoice(device, ""), "", "")
        eigenmap = self._maps[index]
        mean, _ = run.run(eigenmap.images, (self.phase, self.phase), Progress(), [], most_views=1)
        return eigenmap.compose(mean, self.scale, self.phase)


@dataclass(frozen=True, eq=False)
class EigenBatches:
    """Batches of pieces of images, turned, of either sign, sampled at a random phase.

    A batch is what is given (n, 1, y, x); of the fine pixels (n, 1, scale y, scale x) the target, the
    variance of its noise, and whether it is learned; weights (n, 1, 1, 1); the phase; and a batch of
    `napari_deeper.training.eigen_super_resolve.make_batch` where that is rehearsed.
    """

    images: tuple[Array, ...]
    scale: int
    side: int
    augmentation: str
    n: int
    rehearses: bool = False

    def __call__(self, place: Place) -> tuple[Tensor, ...]:
        """Return the batch of a place."""
        rng = place.rng()
        chosen = Order(len(self.images), self.n).at(place)
        pieces = [
            augment.crop((self.images[int(i)][..., None],), self.side, rng)[0] for i in chosen
        ]
        fine = np.stack(pieces)
        if self.augmentation != "none":
            fine = augment.turn((fine,), rng)[0]
            fine = fine * rng.choice(np.array([-1, 1], np.float32), (len(fine), 1, 1, 1))
        phase = [int(p) for p in rng.integers(0, self.scale, 2)]
        batch = (*self._split(_tensor(fine[..., 0]), phase, rng), torch.tensor(phase))
        if not self.rehearses:
            return batch
        n_pixels = round(_REHEARSED * fine[..., 0].size / self.scale**2)
        return batch + eigen_super_resolve.make_batch(n_pixels, self.scale, rng)

    def _split(self, fine: Tensor, phase: list[int], rng: np.random.Generator) -> Parts:
        """Return what is given, the target, its noise, what of it is learned, and the weights.

        Noise is added to some pieces and, at the given pixels, taken from their target: the two are then
        independent, and of variance 1 once both are divided by the root of 2.
        """
        split = torch.from_numpy(rng.random(len(fine)) < _SPLIT)[:, None, None, None].float()
        kept = (1 - split / 2).sqrt()
        added = _tensor(rng.standard_normal(fine[:, 0].shape, np.float32)) * kept * split
        given = torch.zeros_like(fine)
        given[:, :, phase[0] :: self.scale, phase[1] :: self.scale] = 1
        whole = fine * kept + added
        measured = whole[:, :, phase[0] :: self.scale, phase[1] :: self.scale].contiguous()
        target = fine * kept - given * added
        noise = torch.where(given > 0, torch.ones(()), kept.square())
        learned = torch.maximum(1 - given, split)
        weight = self._weight(measured, target, noise, learned, phase)
        return measured, target, noise, learned, weight

    def _weight(
        self, measured: Tensor, target: Tensor, noise: Tensor, learned: Tensor, phase: list[int]
    ) -> Tensor:
        """Return 1 over the least squared error of bilinear, bicubic, and nothing, less the noise's."""
        plain = interpolate(measured, self.scale, (phase[0], phase[1]))
        cubic = _tensor(eigen_super_resolve.bicubic(measured[:, 0].numpy(), self.scale, phase))
        n_learned = learned.sum((1, 2, 3))
        squares = [(guess - target).square() - noise for guess in (plain, cubic, 0 * target)]
        errors = [((s * learned).sum((1, 2, 3)) / n_learned).clamp(min=0.02) for s in squares]
        least = torch.stack(errors).amin(dim=0).maximum(errors[0] / 30)
        return 1 / least[:, None, None, None]


def images_of(patch: Array) -> tuple[Array, ...]:
    """Return the eigenimages (y, x) of a patch (y, x, channel) that stand out of its noise."""
    return tuple(decompose(patch).images)


def _tensor(images: Array) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(images, np.float32))[:, None]
