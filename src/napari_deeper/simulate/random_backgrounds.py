"""What stands under the bands, and what the optics do to both: many spectra at a time."""

from __future__ import annotations

import numpy as np

from napari_deeper.simulate.bands import Array, Array32, profile
from napari_deeper.simulate.random_spectra import smooth_backgrounds
from napari_deeper.simulate.windows import Windows

# Shares of spectra: none, a positive background as measured, a rest of either sign that a
# subtraction left, a dip where too much was subtracted.
_KINDS = (0.35, 0.30, 0.20, 0.15)
_DEGREE = 8  # of the curve that a careless subtraction takes for the background


def shape_response(signal: Array32, rng: np.random.Generator) -> Array32:
    """Multiply spectra (n, channel) by what the optics pass: the slow curve of a grating."""
    n, n_channels = signal.shape
    curve = smooth_backgrounds(n, np.arange(float(n_channels)), rng)
    strength = np.where(rng.random((n, 1)) < 0.3, rng.uniform(0, 0.4, (n, 1)), 0.0)
    return np.asarray(signal * np.exp(strength * curve), dtype=np.float32)


def add_backgrounds(signal: Array32, windows: Windows, rng: np.random.Generator) -> Array32:
    """Return spectra (n, channel) on a random background, some with the ripples of an etalon."""
    n, n_channels = signal.shape
    level = np.sqrt((signal**2).mean(axis=1, keepdims=True))
    level = np.where(level > 1e-9, level, 1.0)
    kind = rng.choice(len(_KINDS), size=(n, 1), p=_KINDS)
    curve = _curves(windows, rng)
    positive = curve - curve.min(axis=1, keepdims=True)
    positive = positive / (np.sqrt((positive**2).mean(axis=1, keepdims=True)) + 1e-9)
    positive = positive + rng.gamma(0.5, 1.0, (n, 1))
    loud = np.exp(rng.uniform(np.log(0.05), np.log(20), (n, 1)))
    faint = np.exp(rng.uniform(np.log(0.02), np.log(0.5), (n, 1)))
    out = signal + level * np.where(kind == 1, loud * positive, 0)
    out = out + level * np.where(kind == 2, faint * curve, 0)
    out = out - np.where(kind == 3, rng.uniform(0.3, 1.0, (n, 1)) * _polynomial_fit(signal), 0)
    return np.asarray(out * _ripples(n, n_channels, rng), dtype=np.float32)


def add_continuum(parts: Array32, windows: Windows, rng: np.random.Generator) -> Array32:
    """Return components (n, channel), half of them on a broad continuum, not negative."""
    n = len(parts)
    curve = _curves(windows, rng)
    curve -= curve.min(axis=1, keepdims=True)
    level = np.sqrt((parts**2).mean(axis=1, keepdims=True))
    share = np.exp(rng.uniform(np.log(0.03), np.log(2.0), (n, 1))) * (rng.random((n, 1)) < 0.5)
    floor = share * (0.7 * curve + rng.gamma(0.5, 1.0, (n, 1)))
    return np.asarray(parts + level * floor, dtype=np.float32)


def _curves(windows: Windows, rng: np.random.Generator) -> Array:
    """Return curves (n, channel), mean square 1: polynomial, steeply falling, bumpy, or a sum."""
    n, n_channels = windows.low.size, windows.n_channels
    channel = np.arange(n_channels, dtype=float)
    place = channel / (n_channels - 1)
    smooth = smooth_backgrounds(n, channel, rng)
    steep = np.exp(-rng.uniform(0.3, 6.0, (n, 1)) * place)
    steep = np.where(rng.random((n, 1)) < 0.8, steep, steep[:, ::-1])
    bumps = np.zeros((n, n_channels))
    for _ in range(3):
        # Glass near 480, 800 and 1080 cm-1 and 1400 under infrared light; here they may lie anywhere.
        width = rng.uniform(80, 500, n) / windows.dispersion
        bumps += rng.random((n, 1)) * profile(channel, rng.uniform(0, n_channels, n), width, 0.0)
    weights = rng.gamma(0.4, size=(3, n, 1)) + 0.01
    curves = np.zeros((n, n_channels))
    for weight, part in zip(weights, (smooth, steep, bumps), strict=True):
        curves += weight * part / (np.sqrt((part**2).mean(axis=1, keepdims=True)) + 1e-9)
    return np.asarray(curves / (np.sqrt((curves**2).mean(axis=1, keepdims=True)) + 1e-9))


def _ripples(n: int, n_channels: int, rng: np.random.Generator) -> Array:
    """Return factors (n, channel) about 1: fringes in a thin chip, in one spectrum of seven."""
    place = np.linspace(-1, 1, n_channels)
    period = np.exp(rng.uniform(np.log(8), np.log(120), (n, 1)))
    turns = (n_channels / period) * (place / 2 + rng.uniform(-0.1, 0.1, (n, 1)) * place**2)
    depth = np.exp(rng.uniform(np.log(0.002), np.log(0.06), (n, 1)))
    depth = depth * (1 + rng.uniform(-1, 1, (n, 1)) * place) * (rng.random((n, 1)) < 1 / 7)
    return 1 + depth * np.sin(2 * np.pi * (turns + rng.random((n, 1))))


def _polynomial_fit(signal: Array32) -> Array:
    place = np.linspace(-1, 1, signal.shape[1])
    basis, _ = np.linalg.qr(np.polynomial.legendre.legvander(place, _DEGREE))
    return np.asarray((signal @ basis) @ basis.T)
