"""What fine-tuning learns from and is watched by: patches to super-resolve, pairs to denoise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_deeper.models.scaling import normalize, restore
from napari_deeper.processing import metrics
from napari_deeper.processing.interpolation import upsample
from napari_deeper.processing.noise import sigma_per_map
from napari_deeper.training import augment, denoise
from napari_deeper.training.datasets import Order
from napari_deeper.training.loop import BatchAt, Place
from napari_deeper.training.measured import channels_first, match, over_maximum

Array = NDArray[np.float32]

# Planes that the structural similarity of a validation patch is taken over.
_N_PLANES = 25
_SPECTRA_AT_ONCE = 512
# Squares of larger values leave float32; intensities are of the order of 1, or counts.
_ABSURD = 1e15


@dataclass(frozen=True)
class Score:
    """How far results are from their targets, means over the validation patches.

    Parameters
    ----------
    psnr
        dB, for the maximum of each target.
    ssim
        Mean over 25 channels; NaN for spectra, and where the PSNR is minus infinity: the results are
        no numbers then.
    """

    psnr: float
    ssim: float


class Subject(Protocol):
    """What is learned, with its data."""

    @property
    def n_items(self) -> int:
        """How many items there are to train on."""

    def batch_at(self, n: int) -> BatchAt:
        """Return what makes the batches."""

    def loss(self, net: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """Return the loss of a batch."""

    def score(self, net: nn.Module) -> Score:
        """Judge a network in evaluation mode on the validation part."""

    def preview(self, net: nn.Module) -> Mapping[str, NDArray[Any]]:
        """Return images, or spectra, of one validation patch by their names."""


@dataclass(frozen=True, eq=False)
class PatchSubject:
    """Patches to super-resolve, on the axis of the network.

    Parameters
    ----------
    train, validation
        (y, x, channel) each; sides are multiples of the scale.
    scale, normalization
        Of the network.
    phases
        Sample phases to learn at: all of them where the network takes the phase as an argument.
    any_phase
        Whether it does.
    seen
        (channel,), which channels of the network the patches cover.
    side
        Of the pieces that are cut out.
    augmentation
        See `napari_deeper.training.finetune_config.FinetuneParams`.
    phase
        Sample phase to be judged at.
    """

    train: tuple[Array, ...]
    validation: tuple[Array, ...]
    scale: int
    normalization: str
    phases: tuple[int, ...]
    any_phase: bool
    seen: NDArray[np.bool_]
    side: int
    augmentation: str = "turn"
    phase: int = 1

    @property
    def n_items(self) -> int:
        """How many patches there are to train on."""
        return len(self.train)

    def batch_at(self, n: int) -> BatchAt:
        """Return what makes batches of n pieces."""
        return PatchBatches(self, n)

    def loss(self, net: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """Return the mean absolute error, weighted so that every level of noise counts alike."""
        measured, target, weight, phase = batch
        error = (self._run(net, measured, int(phase)).float() - target).abs()
        mean: Tensor = (error * weight).mean()
        return mean

    def score(self, net: nn.Module) -> Score:
        """Judge a network in evaluation mode on the validation patches, sampled at one phase."""
        return mean_score([(self.restored(net, patch), patch) for patch in self.validation])

    def preview(self, net: nn.Module) -> Mapping[str, Array]:
        """Return images (y, x) of the first validation patch in the channel that varies most."""
        patch = self.validation[0]
        channel = int(np.argmax(np.where(self.seen, patch.std(axis=(0, 1)), -1)))
        low, phase = self.sampled(patch), self.phase
        one = low[..., channel : channel + 1]
        plain = {
            how: upsample(one, self.scale, how, phase)[..., 0] for how in ("nearest", "bilinear")
        }
        now = np.asarray(self.restored(net, patch)[..., channel])
        return {**plain, "now": now, "target": patch[..., channel], "channel": np.float32(channel)}  # type: ignore[dict-item]

    def sampled(self, patch: Array) -> Array:
        """Return the pixels of a patch that are given."""
        return patch[self.phase :: self.scale, self.phase :: self.scale]

    def restored(self, net: nn.Module, patch: Array) -> Array:
        """Return what a network makes of the sampled patch."""
        low = channels_first(self.sampled(patch)[None])
        scaled, scaling = normalize(low, self.normalization)
        device = next(net.parameters()).device
        with torch.no_grad():
            out = self._run(net, scaled.to(device), self.phase).float().cpu()
        fine: Array = restore(out, scaling)[0].permute(1, 2, 0).numpy()
        return fine

    def _run(self, net: nn.Module, measured: Tensor, phase: int) -> Tensor:
        out: Tensor = net(measured, phase) if self.any_phase else net(measured)
        return out


@dataclass(frozen=True, eq=False)
class PatchBatches:
    """Batches of pieces of patches: cut out, turned, sampled at a random phase, and scaled."""

    subject: PatchSubject
    n: int

    def __call__(self, place: Place) -> tuple[Tensor, ...]:
        """Return the batch of a place."""
        s, rng = self.subject, place.rng()
        chosen = Order(s.n_items, self.n).at(place)
        pieces = [augment.crop((s.train[int(i)],), s.side, rng)[0] for i in chosen]
        parts = (over_maximum(np.stack(pieces)),)
        if s.augmentation != "none":
            parts = augment.turn(parts, rng)  # type: ignore[assignment]
        if s.augmentation == "published":
            for change in (augment.shift_spectra, augment.flip_spectra, augment.mix):
                parts = change(parts, rng)  # type: ignore[assignment]
        return self._finish(parts[0], int(rng.choice(s.phases)))

    def _finish(self, fine: Array, phase: int) -> tuple[Tensor, ...]:
        s = self.subject
        low = fine[:, phase :: s.scale, phase :: s.scale]
        measured, scaling = normalize(channels_first(low), s.normalization)
        target = (channels_first(fine) - scaling.offset) / scaling.factor
        sigma = torch.tensor([float(sigma_per_map(piece)) for piece in fine])[:, None, None, None]
        weight = 1 / (sigma / scaling.factor + 0.1)
        mask = torch.from_numpy(s.seen.astype(np.float32))[None, :, None, None]
        return measured, target.float(), weight.float() * mask, torch.tensor(phase)


@dataclass(frozen=True, eq=False)
class PairSubject:
    """Pairs of spectra to denoise, on the axis of the network.

    Parameters
    ----------
    train, validation
        Blocks of pairs, (low, high), each (pixel, channel).
    normalization, augmentation
        As in `PatchSubject`.
    wavenumber
        (channel,) of the network, cm-1.
    """

    train: tuple[tuple[Array, Array], ...]
    validation: tuple[tuple[Array, Array], ...]
    normalization: str
    augmentation: str = "turn"
    wavenumber: NDArray[np.float64] | None = None

    @property
    def n_items(self) -> int:
        """How many spectra there are to train on."""
        return sum(len(low) for low, _ in self.train)

    def batch_at(self, n: int) -> BatchAt:
        """Return what makes batches of n spectra."""
        low, high = (np.concatenate([pair[k] for pair in self.train]) for k in (0, 1))
        return PairBatches(low, high, self.normalization, self.augmentation, n)

    def loss(self, net: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """Return the mean absolute error, weighted so that every level of noise counts alike."""
        return denoise.loss(net, batch)

    def score(self, net: nn.Module) -> Score:
        """Judge a network in evaluation mode on the validation spectra."""
        return mean_score(
            [(self.restored(net, low), match(low, high)) for low, high in self.validation]
        )

    def preview(self, net: nn.Module) -> Mapping[str, NDArray[Any]]:
        """Return the spectra (channel,) of one validation pixel, and their axis where it is known."""
        low, high = self.validation[0]
        at = int(np.argmax(high.std(axis=1)))
        one = slice(at, at + 1)
        now = self.restored(net, low[one])[0]
        found = {"measured": low[at], "now": now, "target": match(low[one], high[one])[0]}
        return found if self.wavenumber is None else {**found, "wavenumber": self.wavenumber}

    def restored(self, net: nn.Module, low: Array) -> Array:
        """Return what a network makes of noisy spectra (pixel, channel)."""
        device = next(net.parameters()).device
        scaled, scaling = normalize(torch.from_numpy(low)[:, None], self.normalization)
        with torch.no_grad():
            parts = [
                net(part.to(device)).float().cpu() for part in torch.split(scaled, _SPECTRA_AT_ONCE)
            ]
        clean: Array = restore(torch.cat(parts), scaling)[:, 0].numpy()
        return clean


@dataclass(frozen=True, eq=False)
class PairBatches:
    """Batches of pairs of spectra, scaled as the network wants them."""

    low: Array
    high: Array
    normalization: str
    augmentation: str
    n: int

    def __call__(self, place: Place) -> tuple[Tensor, ...]:
        """Return the batch of a place."""
        rng = place.rng()
        chosen = Order(len(self.low), self.n).at(place)
        parts = tuple(over_maximum(rows[chosen]) for rows in (self.low, self.high))
        if self.augmentation == "published":
            parts = augment.mix(augment.shift_spectra(parts, rng), rng)
        low, high = parts[0], match(parts[0], parts[1])
        scaled, scaling = normalize(torch.from_numpy(low)[:, None], self.normalization)
        target = (torch.from_numpy(high)[:, None] - scaling.offset) / scaling.factor
        sigma = torch.from_numpy((low - high).std(axis=1))[:, None, None] / scaling.factor
        return scaled, target.float(), sigma.float()


def mean_score(pairs: list[tuple[Array, Array]]) -> Score:
    """Return the mean score of results next to their targets (y, x, channel) or (pixel, channel)."""
    psnr, ssim = [], []
    for result, target in pairs:
        # A run that diverges may give anything.
        if not np.isfinite(result).all() or np.abs(result).max() > _ABSURD:
            return Score(-np.inf, np.nan)
        top = float(np.abs(target).max()) or 1.0
        psnr.append(min(metrics.psnr(result, target, top), 200.0))
        if target.ndim == 3:
            step = max(1, target.shape[2] // _N_PLANES)
            ssim.append(metrics.ssim(result[..., ::step], target[..., ::step], top))
    return Score(float(np.mean(psnr)), float(np.mean(ssim)) if ssim else float("nan"))
