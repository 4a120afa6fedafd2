"""What the denoiser of eigenimages learns from: a better map of the field, or the noise of a map alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_deeper.engine.finetune_images import MapImages
from napari_deeper.models.eigenimage import EigenimageDenoiser, rms
from napari_deeper.training import augment
from napari_deeper.training.datasets import Order
from napari_deeper.training.finetune_data import Score, mean_score
from napari_deeper.training.loop import BatchAt, Place

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]

# How strong the noise is that is added to see how far a result follows it, in units of the map's own.
PROBE = 0.2
_N_DRAWN, _N_PROBES, _N_CHECKS = 16, 2, 8
_LARGEST_DRAWN = 2**28  # bytes of drawn noise that are kept
_WEAKEST = 0.3**2  # as the shipped network was trained
# Better by so many standard errors counts: the very pixels that check chose the step, too.
SURE = 3.0
_BLOCK = 8


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
        return ImageBatches(planes, noises, self._items, self.side, self.augmentation, n)

    def loss(self, net: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """Return the squared error, over that of the best constant factor, plus the variance's likelihood."""
        noisy, target, mask, level, noise = batch
        clean, variance = net.with_variance(noisy, level)  # type: ignore[operator]
        error = (clean.float() - target).square()
        total = variance + noise
        likelihood = (total.log() + error.detach() / total) / 2
        return _mean(error * _weight(level) + likelihood, mask)

    def score(self, net: nn.Module) -> Score:
        """Judge a network in evaluation mode by what the maps become with it where they validate."""
        checked = [pair for pair in self.pairs if pair.validation.any()]
        return mean_score(
            [
                (_composed(pair.source, net)[pair.validation], pair.high[pair.validation])
                for pair in checked
            ]
        )

    def preview(self, net: nn.Module) -> Mapping[str, Array]:
        """Return the spectra (channel,) of the brightest validation pixel."""
        pair = next(pair for pair in self.pairs if pair.validation.any())
        y, x = _brightest(pair.high, pair.validation)
        now = _composed(pair.source, net)[y, x]
        return {"measured": pair.source.measured[y, x], "now": now, "target": pair.high[y, x]}

    @property
    def _learned(self) -> list[PairedImages]:
        return [pair for pair in self.pairs if pair.train.any()]

    @cached_property
    def _items(self) -> list[int]:
        maps = [(len(p.source.images), int(p.train.sum())) for p in self._learned]
        return _pieces(maps, self.side)


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
        return _mean(error_of(net, noisy, drawn, level) * _weight(level), mask)

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

    def preview(self, net: nn.Module) -> Mapping[str, Array]:
        """Return the spectra (channel,) of the brightest pixel that is held out."""
        each = self.maps[0]
        start = _composed(each.source, self.first)
        y, x = _brightest(start, each.held_out)
        now = _composed(each.source, net)[y, x]
        return {"measured": each.source.measured[y, x], "start": start[y, x], "now": now}

    @cached_property
    def _items(self) -> list[int]:
        maps = [(len(m.source.images), int(m.source.alive.sum())) for m in self.maps]
        return _pieces(maps, self.side)

    @cached_property
    def _expected(self) -> float:
        """Squared error that the first network expects, summed over images, mean over the pixels held out."""
        found = [
            np.sum([_run(self.first, image)[1] for image in m.source.images], axis=0)[m.held_out]
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
class ImageBatches:
    """Batches of pieces of images with their targets, turned, of either sign."""

    planes: list[Array]
    noises: list[float]
    items: list[int]
    side: int
    augmentation: str
    n: int

    def __call__(self, place: Place) -> tuple[Tensor, ...]:
        """Return the batch of a place: images, targets, masks, levels, variance of the targets' noise."""
        chosen, pieces, sign = _cut(self, place)
        noise = torch.tensor([self.noises[i] for i in chosen])[:, None, None, None]
        noisy, target = (_tensor(pieces[..., k] * sign) for k in (0, 1))
        return noisy, target, _tensor(pieces[..., 2]), _levels(self.planes, chosen), noise


@dataclass(frozen=True, eq=False)
class NoiseBatches:
    """Batches of pieces of images with noise like theirs, turned, of either sign."""

    planes: list[Array]
    items: list[int]
    side: int
    augmentation: str
    n: int

    def __call__(self, place: Place) -> tuple[Tensor, ...]:
        """Return the batch of a place: images, noise, masks, levels."""
        chosen, pieces, sign = _cut(self, place)
        # Two noises mixed are a third one.
        rng = np.random.default_rng([place.seed, place.step, 1])
        drawn = np.empty(pieces.shape[:3], np.float32)
        for i, piece in enumerate(pieces):
            a, b = rng.choice(piece.shape[-1] - 2, 2, replace=False) + 1
            angle = rng.uniform(0, 2 * np.pi)
            drawn[i] = np.cos(angle) * piece[..., a] + np.sin(angle) * piece[..., b]
        level = _levels(self.planes, chosen)
        return _tensor(pieces[..., 0] * sign), _tensor(drawn), _tensor(pieces[..., -1]), level


def _cut(batches: ImageBatches | NoiseBatches, place: Place) -> tuple[list[int], Array, Array]:
    """Return which images, their pieces (n, y, x, plane), and a sign for each."""
    rng = place.rng()
    chosen = [batches.items[int(i)] for i in Order(len(batches.items), batches.n).at(place)]
    pieces = np.stack([augment.crop((batches.planes[i],), batches.side, rng)[0] for i in chosen])
    sign = np.ones((len(chosen), 1, 1), np.float32)
    if batches.augmentation != "none":
        pieces = augment.turn((pieces,), rng)[0]
        sign = rng.choice(np.array([-1, 1], np.float32), sign.shape)
    return chosen, pieces, sign


def _levels(planes: list[Array], chosen: list[int]) -> Tensor:
    return torch.cat([rms(_tensor(planes[i][None, ..., 0])) for i in chosen])


def _pieces(maps: list[tuple[int, int]], side: int) -> list[int]:
    """Return the number of an image for each piece: as many as it has pixels for."""
    items: list[int] = []
    first = 0
    for n_images, n_pixels in maps:
        n = max(1, round(n_pixels / side**2))
        items += [first + i for i in range(n_images) for _ in range(n)]
        first += n_images
    return items


def _weight(level: Tensor) -> Tensor:
    return 1 + 1 / (level.square() - 1).clamp(min=_WEAKEST)


def _mean(values: Tensor, mask: Tensor) -> Tensor:
    total: Tensor = (values * mask).sum() / mask.sum().clamp(min=1)
    return total


def _draw(source: MapImages, seed: list[int], n: int) -> Array:
    rng = np.random.default_rng(seed)
    return np.stack([source.draw_noise(rng) for _ in range(n)])


def _run(net: nn.Module, image: Array) -> tuple[Array, Array]:
    """Return an image (y, x) denoised, and the expected squared error."""
    assert isinstance(net, EigenimageDenoiser)
    with torch.no_grad():
        both = net.with_variance(_tensor(image[None]).to(next(net.parameters()).device))
    clean, variance = (part[0, 0].float().cpu().numpy() for part in both)
    return clean, variance


def _error_map(net: nn.Module, image: Array, noises: Array) -> Array:
    device = next(net.parameters()).device
    noisy = _tensor(image[None]).to(device)
    with torch.no_grad():
        found = [
            error_of(net, noisy, _tensor(drawn[None]).to(device), rms(noisy)) for drawn in noises
        ]
    mean: Array = torch.cat(found).mean(dim=0)[0].cpu().numpy()
    return mean


def _composed(source: MapImages, net: nn.Module) -> Array:
    return source.compose(np.stack([_run(net, image)[0] for image in source.images]))


def _brightest(cube: Array, mask: Mask) -> tuple[int, int]:
    light = np.where(mask, cube.mean(axis=2), -np.inf)
    y, x = np.unravel_index(int(np.argmax(light)), mask.shape)
    return int(y), int(x)


def _tensor(images: Array) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(images, np.float32))[:, None]
