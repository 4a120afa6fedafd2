"""Eigenimages at random: signed mixtures of abundance maps, as a decomposition makes them."""

from __future__ import annotations

import numpy as np

from napari_deeper.simulate.bands import Array
from napari_deeper.simulate.random_maps import ellipse, random_map, smooth_field, spots

_FIELD_SIDE, _N_FIELDS = 128, 10


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


def random_images(n: int, size: tuple[int, int], rng: np.random.Generator) -> Array:
    """Return images (n, y, x) of mean 0 and mean square 1 to be sampled coarsely.

    Unlike those of `random_image` they are cut out of a few larger fields and mixed, so they cost
    little, show parts of things as well as whole ones, and are as rough as measured maps: many are
    fractal, which is what a map looks like whose pixels are larger than what it is of.
    """
    whole = max(_FIELD_SIDE, *size)
    fields = np.stack([_standard(_random_field(whole, rng)) for _ in range(_N_FIELDS)])
    images = np.zeros((n, *size))
    n_mixed = rng.choice([1, 2, 3], n, p=[0.4, 0.35, 0.25])
    for image, n_parts in zip(images, n_mixed, strict=True):
        for _ in range(n_parts):
            image += rng.normal() * _cut(fields[rng.integers(_N_FIELDS)], size, rng)
        if rng.random() < 0.25:
            share = np.exp(rng.uniform(np.log(0.01), np.log(0.5))) * image.std()
            image += share * rng.standard_normal(size)
        image[:] = _standard(image)
    return images


def _cut(field: Array, size: tuple[int, int], rng: np.random.Generator) -> Array:
    """Return a part (y, x) of a square field, turned and flipped at random."""
    y, x = (int(rng.integers(0, len(field) - n + 1)) for n in size)
    if rng.random() < 0.5:
        field = field.T
    part = field[y : y + size[0], x : x + size[1]]
    return part[:: rng.choice([-1, 1]), :: rng.choice([-1, 1])]


def _random_field(side: int, rng: np.random.Generator) -> Array:
    kind = rng.choice(6, p=[0.22, 0.16, 0.18, 0.16, 0.16, 0.12])
    if kind == 0:
        return random_map((side, side), rng)
    texture = any_field(side, rng)
    if kind == 1:
        field = texture
    elif kind == 2:
        # Few strong places and many weak ones.
        field = np.exp(rng.uniform(0.3, 1.8) * texture)
    elif kind == 3:
        # Regions with borders as ragged as the field and of any sharpness.
        slope = np.exp(rng.uniform(0.5, 4))
        field = 1 / (1 + np.exp(-np.clip(slope * (texture - rng.normal()), -50, 50)))
    elif kind == 4:
        field = np.zeros((side, side))
        for _ in range(int(rng.integers(1, 10))):
            field += rng.normal() * ellipse((side, side), rng, 0.02, 0.35)
        field *= np.exp(rng.uniform(0, 0.8) * texture)
    else:
        # Droplets gather where something else is.
        field = spots((side, side), rng) * (1 / (1 + np.exp(-3 * texture)))
    if rng.random() < 0.5:
        field = field * (1 + rng.uniform(0.05, 0.6) * any_field(side, rng))
    return field


def any_field(side: int, rng: np.random.Generator) -> Array:
    """Return a Gaussian random field (side, side), variance about 1, smooth or fractal."""
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side))
    if rng.random() < 0.55:
        # The power falls as a power of the frequency, from a longest length downward.
        longest = np.exp(rng.uniform(np.log(3), np.log(2.0 * side)))
        power = (frequency**2 + longest**-2) ** (-rng.uniform(1.0, 2.6))
    else:
        length = np.exp(rng.uniform(np.log(0.4), np.log(9.0)))
        power = np.exp(-4 * np.pi**2 * length**2 * frequency**2)
    spectrum = np.fft.rfft2(rng.standard_normal((side, side))) * np.sqrt(power)
    field = np.fft.irfft2(spectrum, (side, side))
    return np.asarray(field / max(float(field.std()), 1e-12))
