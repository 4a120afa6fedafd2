"""Pieces of eigenimages to learn from, and what a denoiser makes of whole ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_deeper.engine.finetune_images import MapImages
from napari_deeper.models.eigenimage import EigenimageDenoiser, rms
from napari_deeper.training import augment
from napari_deeper.training.datasets import Order
from napari_deeper.training.loop import Place

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]

_WEAKEST = 0.3**2  # as the shipped network was trained


@dataclass(frozen=True, eq=False)
class Pieces:
    """Pieces of images, turned, of either sign.

    Parameters
    ----------
    planes
        (y, x, plane) of each image: the image itself first.
    items
        The number of an image for each piece that there is.
    side, augmentation
        As in `napari_deeper.training.finetune_config.FinetuneParams`.
    n
        Pieces in a batch.
    """

    planes: list[Array]
    items: list[int]
    side: int
    augmentation: str
    n: int

    def cut(self, place: Place) -> tuple[list[int], Array, Array]:
        """Return which images, their pieces (n, y, x, plane), and a sign for each."""
        rng = place.rng()
        chosen = [self.items[int(i)] for i in Order(len(self.items), self.n).at(place)]
        pieces = np.stack([augment.crop((self.planes[i],), self.side, rng)[0] for i in chosen])
        sign = np.ones((len(chosen), 1, 1), np.float32)
        if self.augmentation != "none":
            pieces = augment.turn((pieces,), rng)[0]
            sign = rng.choice(np.array([-1, 1], np.float32), sign.shape)
        return chosen, pieces, sign


def levels_of(planes: list[Array], chosen: list[int]) -> Tensor:
    """Return the root mean square (n, 1, 1, 1) of the whole images that pieces were cut from."""
    return torch.cat([rms(as_tensor(planes[i][None, ..., 0])) for i in chosen])


def pieces_of(maps: list[tuple[int, int]], side: int) -> list[int]:
    """Return the number of an image for each piece: as many as it has pixels for."""
    items: list[int] = []
    first = 0
    for n_images, n_pixels in maps:
        n = max(1, round(n_pixels / side**2))
        items += [first + i for i in range(n_images) for _ in range(n)]
        first += n_images
    return items


def weight_of(level: Tensor) -> Tensor:
    """Return 1 over the squared error of the best constant factor, so that weak and strong images count alike."""
    return 1 + 1 / (level.square() - 1).clamp(min=_WEAKEST)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Return the mean over the pixels of a mask."""
    total: Tensor = (values * mask).sum() / mask.sum().clamp(min=1)
    return total


def denoised(net: nn.Module, image: Array) -> tuple[Array, Array]:
    """Return an image (y, x) denoised, and the expected squared error."""
    assert isinstance(net, EigenimageDenoiser)
    with torch.no_grad():
        both = net.with_variance(as_tensor(image[None]).to(next(net.parameters()).device))
    clean, variance = (part[0, 0].float().cpu().numpy() for part in both)
    return clean, variance


def composed(source: MapImages, net: nn.Module) -> Array:
    """Return the map (y, x, channel) that the images make up with a network."""
    return source.compose(np.stack([denoised(net, image)[0] for image in source.images]))


def brightest(cube: Array, mask: Mask) -> tuple[int, int]:
    """Return (y, x) of the brightest pixel of a mask."""
    light = np.where(mask, cube.mean(axis=2), -np.inf)
    y, x = np.unravel_index(int(np.argmax(light)), mask.shape)
    return int(y), int(x)


def as_tensor(images: Array) -> Tensor:
    """Return images (n, y, x) as (n, 1, y, x)."""
    return torch.from_numpy(np.ascontiguousarray(images, np.float32))[:, None]
