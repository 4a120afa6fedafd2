"""Spectra at random, wide enough in kind that a measured spectrum is one more of them.

Domain randomization (Tobin et al. 2017, doi 10.1109/IROS.2017.8202133): a network that has met
bands of every width, number and place, on axes shifted and stretched, learns what a Raman spectrum
is, and not one sample.
"""

from __future__ import annotations

import numpy as np

from napari_deeper.simulate.bands import Array, profile
from napari_deeper.simulate.components import COMPONENTS

_PADDING = 60.0  # cm-1 beyond the axis in which bands may lie, so that their flanks reach in


def random_components(n: int, wavenumber: Array, rng: np.random.Generator) -> Array:
    """Return random component spectra (n, channel), each with mean square 1.

    About half are the biochemical tables of `napari_deeper.simulate.components` with every band
    moved, widened and weighted at random; the others are random bands.
    """
    tables = list(COMPONENTS.values())
    spectra = np.empty((n, wavenumber.size))
    for i in range(n):
        if rng.random() < 0.5:
            bands = tables[rng.integers(len(tables))]
            table = np.array([(band.position, band.width, band.height) for band in bands])
            spectra[i] = _sum_of(_vary(table, rng), wavenumber, rng)
        else:
            spectra[i] = _sum_of(_random_table(wavenumber, rng), wavenumber, rng)
    power = np.sqrt((spectra**2).mean(axis=1, keepdims=True))
    return np.asarray(spectra / np.maximum(power, 1e-12))


def random_mixtures(n: int, wavenumber: Array, rng: np.random.Generator) -> Array:
    """Return spectra (n, channel) of random mixtures, with and without a smooth background.

    Mean square 1 each; some have an offset or a background that dips below zero, as background-
    subtracted spectra do.
    """
    pool = random_components(max(8, n // 2), wavenumber, rng)
    mixtures = np.empty((n, wavenumber.size))
    for i in range(n):
        n_parts = int(rng.integers(1, 6))
        chosen = rng.choice(len(pool), n_parts, replace=False)
        mixtures[i] = rng.dirichlet(np.full(n_parts, 0.7)) @ pool[chosen]
    mixtures /= np.sqrt((mixtures**2).mean(axis=1, keepdims=True))
    share = rng.choice([0.0, 0.2, 1.0], (n, 1), p=[0.5, 0.3, 0.2]) * rng.random((n, 1))
    mixtures = mixtures + share * smooth_backgrounds(n, wavenumber, rng)
    return np.asarray(mixtures / np.sqrt((mixtures**2).mean(axis=1, keepdims=True)))


def smooth_backgrounds(n: int, wavenumber: Array, rng: np.random.Generator) -> Array:
    """Return smooth random curves (n, channel) with mean square 1: Legendre series of degree 5."""
    x = np.linspace(-1, 1, wavenumber.size)
    basis = np.polynomial.legendre.legvander(x, 5)  # (channel, 6)
    weights = rng.normal(size=(n, 6)) / (1 + np.arange(6)) ** 1.5
    curves = weights @ basis.T
    return np.asarray(curves / np.sqrt((curves**2).mean(axis=1, keepdims=True) + 1e-12))


def random_noise(shape: tuple[int, int], rng: np.random.Generator) -> Array:
    """Return noise (n, channel) of variance 1, in a third of the spectra correlated.

    Spectra that were resampled onto another axis, or smoothed by the vendor's program, carry such
    noise.
    """
    noise = rng.standard_normal(shape)
    width = np.where(rng.random(shape[0]) < 1 / 3, rng.uniform(0.2, 1.0, shape[0]), 0.0)[:, None]
    padded = np.pad(noise, ((0, 0), (1, 1)), mode="reflect")
    smooth = noise + 0.5 * width * (padded[:, :-2] + padded[:, 2:])
    return np.asarray(smooth / np.sqrt(1 + 0.5 * width**2))


def _vary(table: Array, rng: np.random.Generator) -> Array:
    """Move, widen and weight the bands (band, 3) of a table, and drop a few."""
    n = len(table)
    stretch = rng.normal(1.0, 0.01) * table[:, 0] + rng.normal(0, 15)
    position = stretch + rng.normal(0, 4, n)
    width = table[:, 1] * np.exp(rng.normal(0, 0.25) + rng.normal(0, 0.15, n))
    height = table[:, 2] * np.exp(rng.normal(0, 0.5, n)) * (rng.random(n) > 0.1)
    return np.stack([position, width, height], axis=1)


def _random_table(wavenumber: Array, rng: np.random.Generator) -> Array:
    """Return random bands (band, 3): mostly 6-60 cm-1 wide, few or many."""
    n = int(np.exp(rng.uniform(np.log(2), np.log(40))))
    position = rng.uniform(wavenumber[0] - _PADDING, wavenumber[-1] + _PADDING, n)
    typical = np.exp(rng.uniform(np.log(8), np.log(45)))
    width = np.clip(typical * np.exp(rng.normal(0, 0.5, n)), 5, 200)
    height = rng.gamma(1.0, 1.0, n) + 0.02
    return np.stack([position, width, height], axis=1)


def _sum_of(table: Array, wavenumber: Array, rng: np.random.Generator) -> Array:
    shares = rng.uniform(0.2, 1.0, len(table))
    bands = profile(wavenumber, table[:, 0], table[:, 1], shares)
    return np.asarray(table[:, 2] @ bands) + 1e-6
