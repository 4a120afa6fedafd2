"""Abundance maps at random: shapes, spots of one pixel, texture that no sampling resolves."""

from __future__ import annotations

import numpy as np

from napari_deeper.simulate.bands import Array
from napari_deeper.simulate.random_spectra import random_components


def random_cube(size: tuple[int, int], wavenumber: Array, rng: np.random.Generator) -> Array:
    """Return a random clean cube (y, x, channel): 2-6 components, each with a map of its own.

    A cube of mean square 1 about its mean spectrum.
    """
    n = int(rng.integers(2, 7))
    maps = np.stack([random_map(size, rng) for _ in range(n)], axis=-1)  # (y, x, n)
    maps *= np.exp(rng.normal(0, 0.8, n))
    if rng.random() < 0.5:
        # A cell ends somewhere; outside it there is next to nothing.
        maps *= (0.02 + ellipse(size, rng, 0.25, 0.7))[..., None]
    cube = maps @ random_components(n, wavenumber, rng)
    spread = np.sqrt(((cube - cube.mean(axis=(0, 1))) ** 2).mean())
    return np.asarray(cube / max(spread, 1e-12))


def random_map(size: tuple[int, int], rng: np.random.Generator) -> Array:
    """Return one map (y, x), not negative, of a kind chosen at random."""
    kind = rng.choice(5, p=[0.2, 0.2, 0.2, 0.2, 0.2])
    if kind == 0:
        field = ellipses(size, rng)
    elif kind == 1:
        field = spots(size, rng)
    elif kind == 2:
        field = np.maximum(smooth_field(size, rng, 1.0, 10.0), 0)
    elif kind == 3:
        # A level set of a smooth field: regions with borders of any sharpness.
        slope = np.exp(rng.uniform(0, 3))
        field = 1 / (1 + np.exp(-slope * smooth_field(size, rng, 2.0, 10.0)))
    else:
        field = ellipses(size, rng) + spots(size, rng)
    # Real maps are rougher than drawn shapes: a network that has not met roughness sharpens what it
    # cannot know.
    roughness = rng.choice([0.0, 1.0], p=[0.3, 0.7]) * rng.uniform(0.05, 0.8)
    rough = 1 + roughness * smooth_field(size, rng, 0.05, 1.5)
    return np.asarray(np.maximum(field * rough, 0))


def smooth_field(
    size: tuple[int, int], rng: np.random.Generator, shortest: float, longest: float
) -> Array:
    """Return a Gaussian random field (y, x), variance 1, of random correlation length."""
    length = np.exp(rng.uniform(np.log(shortest), np.log(longest)))
    return blur(rng.standard_normal(size), length, unit_variance=True)


def blur(field: Array, sigma: float, unit_variance: bool = False) -> Array:
    """Blur a map (y, x) by a Gaussian of sigma pixels, edges mirrored."""
    margin = int(np.ceil(3 * sigma))
    padded = np.pad(field, margin, mode="symmetric")
    fy, fx = (np.fft.fftfreq(n) for n in padded.shape)
    transfer = np.exp(-2 * np.pi**2 * sigma**2 * (fy[:, None] ** 2 + fx**2))
    out = np.fft.ifft2(np.fft.fft2(padded) * transfer).real
    out = out[margin : margin + field.shape[0], margin : margin + field.shape[1]]
    return np.asarray(out / np.sqrt((transfer**2).mean()) if unit_variance else out)


def ellipse(
    size: tuple[int, int], rng: np.random.Generator, smallest: float, largest: float
) -> Array:
    """Return one filled ellipse (y, x), 0 to 1, its radii as shares of the longer side."""
    side = max(size)
    center = rng.uniform(0, size, 2)
    radii = np.exp(rng.uniform(np.log(smallest * side), np.log(largest * side), 2)) + 0.4
    angle, soft = rng.uniform(0, np.pi), rng.uniform(0.2, 2.0)
    y, x = np.mgrid[: size[0], : size[1]]
    v = np.cos(angle) * (y - center[0]) + np.sin(angle) * (x - center[1])
    u = np.cos(angle) * (x - center[1]) - np.sin(angle) * (y - center[0])
    distance = (1 - np.hypot(v / radii[0], u / radii[1])) * radii.min()
    return np.asarray(1 / (1 + np.exp(np.clip(-2 * distance / soft, -50, 50))))


def ellipses(size: tuple[int, int], rng: np.random.Generator) -> Array:
    """Return a sum (y, x) of one to six ellipses of random weight."""
    field = np.zeros(size)
    for _ in range(int(rng.integers(1, 7))):
        field += rng.gamma(2.0, 0.5) * ellipse(size, rng, 0.03, 0.5)
    return field


def spots(size: tuple[int, int], rng: np.random.Generator) -> Array:
    """Return droplets (y, x): points at random, blurred by the focus to one or a few pixels."""
    density = np.exp(rng.uniform(np.log(0.002), np.log(0.05)))
    points = (rng.random(size) < density) * rng.gamma(2.0, 1.0, size)
    sigma = rng.uniform(0.3, 2.0)
    return np.maximum(blur(points, sigma) * (1 + 2 * np.pi * sigma**2), 0)
