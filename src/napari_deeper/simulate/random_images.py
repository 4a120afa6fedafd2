"""Eigenimages at random: signed mixtures of abundance maps, as a decomposition makes them."""

from __future__ import annotations

import numpy as np

from napari_deeper.simulate.bands import Array
from napari_deeper.simulate.random_maps import random_map, smooth_field


def random_image(size: tuple[int, int], rng: np.random.Generator) -> Array:
    """Return one image (y, x) of mean 0 and mean square 1, about as an eigenimage of a map may look.

    Up to three abundance maps are mixed with either sign, sometimes seen from so near that shapes
    reach out of the field. Some images are texture alone, down to what no pixel shares with the
    next, and some hold stripes, as line scans do.
    """
    image = smooth_field(size, rng, 0.05, 6.0) if rng.random() < 0.2 else _mixture(size, rng)
    if rng.random() < 0.1:
        image = _standard(image) + rng.uniform(0.1, 1.0) * rng.standard_normal((size[0], 1))
    image = image if rng.random() < 0.5 else image[:, ::-1]
    return _standard(image)


def _mixture(size: tuple[int, int], rng: np.random.Generator) -> Array:
    zoom = 2 if rng.random() < 0.3 else 1
    whole = (size[0] * zoom, size[1] * zoom)
    start = [int(rng.integers(0, w - n + 1)) for w, n in zip(whole, size, strict=True)]
    image = np.zeros(size)
    for _ in range(int(rng.integers(1, 4))):
        field = random_map(whole, rng)[start[0] :, start[1] :][: size[0], : size[1]]
        image += rng.normal() * _standard(field)
    return image


def _standard(image: Array) -> Array:
    image = image - image.mean()
    return np.asarray(image / max(float(np.sqrt((image**2).mean())), 1e-6))
