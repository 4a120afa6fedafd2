"""Run the network that super-resolves eigenimages, in strips, turned and flipped."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_deeper.engine.device import DeviceChoice, run_within_memory
from napari_deeper.engine.precision import ready
from napari_deeper.models.checkpoint import load, shipped
from napari_deeper.models.eigen_super_resolve import EigenimageSuperResolver, Surface
from napari_deeper.spectra.errors import CheckpointError
from napari_deeper.spectra.progress import Progress

Images = NDArray[np.float32]
Phases = tuple[int, int]

# The network takes no image that is smaller along an axis.
MIN_SIDE = 4
_STRIP_PIXELS = 2**16
# Pixels of all images together up to which each is seen turned and flipped in so many ways.
_FOR_EIGHT, _FOR_FOUR, _FOR_TWO = 2**14, 2**16, 2**19
_VIEWS = (0, 7, 1, 6, 2, 5, 3, 4)


@dataclass(frozen=True)
class ImageSuperResolver:
    """The network for eigenimages of one scale on its device."""

    model: EigenimageSuperResolver
    choice: DeviceChoice
    name: str
    sha256: str
    notes: tuple[str, ...] = ()

    @property
    def scale(self) -> int:
        """Fine pixels per measured pixel along each axis."""
        return self.model.config.scale

    def record(self) -> dict[str, str]:
        """Return what the provenance should say about it."""
        return {
            "checkpoint": self.name,
            "checkpoint_sha256": self.sha256,
            "device_used": self.choice.description,
        }

    def run(
        self,
        images: Images,
        phase: Phases,
        progress: Progress,
        notes: list[str],
        most_views: int = 8,
    ) -> tuple[Images, Images]:
        """Super-resolve images whose noise has variance 1.

        Every image is seen turned and flipped in several ways, and the results are averaged: fewer
        ways where there is much to do.

        Parameters
        ----------
        images
            (image, y, x), at least 4 pixels along y and x.
        phase
            Which fine pixel of each cell was measured, along y and x.
        notes
            Gets a sentence where memory ran out.
        most_views
            1 to 8.

        Returns
        -------
        mean, variance
            Each (image, scale * y, scale * x).
        """
        n, n_y, n_x = images.shape
        mean = np.empty((n, n_y * self.scale, n_x * self.scale), np.float32)
        variance = np.empty_like(mean)
        views = _VIEWS[: min(_n_views(images.size), most_views)]
        strip, n_together = _STRIP_PIXELS, max(1, _STRIP_PIXELS // (n_y * n_x))
        for start in range(0, n, n_together):
            part = torch.from_numpy(images[start : start + n_together])[:, None]
            own = progress.part(start / n, (start + len(part)) / n)
            own.update(0.0, f"Super-resolving eigenimage {start + 1} of {n}")

            def step(size: int, part: Tensor = part, own: Progress = own) -> tuple[Tensor, Tensor]:
                return self._average(part, phase, views, size, own)

            found, strip = run_within_memory(step, max(strip, n_x), n_x, "strip", notes)
            mean[start : start + len(part)] = found[0][:, 0].numpy()
            variance[start : start + len(part)] = found[1][:, 0].numpy()
        progress.update(1.0, "Super-resolved eigenimages")
        return mean, variance

    def _average(
        self,
        x: Tensor,
        phase: Phases,
        views: tuple[int, ...],
        n_pixels: int,
        progress: Progress,
    ) -> tuple[Tensor, Tensor]:
        surface = Surface.of(x)
        first = second = torch.zeros(())
        for number, view in enumerate(views):
            progress.update(number / len(views), "Super-resolving eigenimages")
            progress.update(
                0.0, "Super-resolving eigenimages"
            ) if progress.cancel.is_set() else None
            seen, at = _turn(x, phase, view, self.scale)
            mean, variance = self._in_strips(seen.contiguous(), at, surface, n_pixels)
            first = first + _turn_back(mean, view)
            second = second + _turn_back(variance, view)
        return first / len(views), second / len(views)

    def _in_strips(
        self, x: Tensor, phase: Phases, surface: Surface, n_pixels: int
    ) -> tuple[Tensor, Tensor]:
        """Run images (n, 1, y, x) a few rows at a time; the result is the same."""
        n, _, n_y, n_x = x.shape
        scale, reach = self.scale, self.model.reach
        n_rows = max(1, n_pixels // (n * n_x))
        there = surface.to(self.choice.device)
        parts = []
        for start in range(0, n_y, n_rows):
            first, stop = max(0, start - reach), min(n_y, start + n_rows + reach)
            with torch.inference_mode():
                found = self.model(x[:, :, first:stop].to(self.choice.device), phase, there)
            rows = slice((start - first) * scale, (min(start + n_rows, n_y) - first) * scale)
            parts.append([each[:, :, rows].cpu() for each in found])
        mean, variance = (torch.cat(each, dim=2) for each in zip(*parts, strict=True))
        return mean, variance


def open_image_super_resolver(
    scale: int, device: str, model: str = "", precision: str = "auto"
) -> ImageSuperResolver:
    """Load shipped or own weights of a network that super-resolves eigenimages.

    Raises
    ------
    CheckpointError
        If the weights are missing, damaged or of another kind.
    """
    checkpoint = load(model or shipped("eigenimage", scale), scale)
    if not isinstance(checkpoint.model, EigenimageSuperResolver):
        raise CheckpointError(f"{checkpoint.path.name} holds a {checkpoint.kind} network.")
    net, choice = ready(checkpoint, device, precision)
    assert isinstance(net, EigenimageSuperResolver)
    card = checkpoint.card
    notes = tuple(str(note) for note in card.get("notes", ()))
    return ImageSuperResolver(net, choice, checkpoint.name, card["sha256"], notes)


def _n_views(n_pixels: int) -> int:
    limits = ((_FOR_EIGHT, 8), (_FOR_FOUR, 4), (_FOR_TWO, 2))
    return next((n for limit, n in limits if n_pixels <= limit), 1)


def _turn(x: Tensor, phase: Phases, view: int, scale: int) -> tuple[Tensor, Phases]:
    """Return images (n, 1, y, x) flipped or turned, and where their pixels then lie in their cells."""
    along_y, along_x = phase
    if view & 1:
        x, along_y = x.flip(2), scale - 1 - along_y
    if view & 2:
        x, along_x = x.flip(3), scale - 1 - along_x
    if view & 4:
        return x.transpose(2, 3), (along_x, along_y)
    return x, (along_y, along_x)


def _turn_back(x: Tensor, view: int) -> Tensor:
    if view & 4:
        x = x.transpose(2, 3)
    if view & 2:
        x = x.flip(3)
    return x.flip(2) if view & 1 else x
