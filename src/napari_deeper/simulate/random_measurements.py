"""The noise of any spectrometer, put onto clean spectra for training."""

from __future__ import annotations

import numpy as np

from napari_deeper.simulate.bands import Array, Array32

QUIETEST, LOUDEST = (
    0.02,
    4.0,
)  # white noise, in standard deviations of what stands on the background
_DARKEST, _BRIGHTEST = 0.1, 1e4  # mean photoelectrons per channel
_COUNTED = 0.55  # share of spectra with shot noise
_STRUCK = 0.01  # share of spectra with a cosmic ray left in them


def random_measurement(clean: Array | Array32, rng: np.random.Generator) -> tuple[Array32, Array32]:
    """Return noisy spectra and the standard deviation of their noise, both (n, channel) float32.

    Half of the spectra are counted: true Poisson counts, from 0.1 to 10,000 on average per channel,
    with read noise, an uneven chip and a coarse converter in many of them. A background that was
    subtracted earlier left its shot noise. The others carry white noise. In some the noise is
    correlated, as after resampling or smoothing. One in a hundred holds a cosmic ray, which the
    standard deviation leaves out.

    Parameters
    ----------
    clean
        (n, channel), in any unit, may be negative; spectra of zeros get white noise or the counts of
        an empty background.
    """
    clean = clean.astype(np.float64)
    n = len(clean)
    level = _level(clean)
    error = np.empty_like(clean)
    variance = np.empty_like(clean)
    counted = rng.random(n) < _COUNTED
    error[counted], variance[counted] = _count(clean[counted], level[counted], rng)
    white = ~counted
    error[white], variance[white] = _whiten(clean[white], level[white], rng)
    error, variance = _correlate(error, variance, rng)
    noisy = clean + error + _cosmic_rays(clean, level, rng)
    return noisy.astype(np.float32), np.sqrt(variance).astype(np.float32)


def _level(clean: Array) -> Array:
    """Return (n, 1), how far a spectrum stands out from a cubic through it; 1 for an empty one."""
    place = np.linspace(-1, 1, clean.shape[1])
    basis, _ = np.linalg.qr(np.polynomial.legendre.legvander(place, min(3, place.size - 1)))
    level = (clean - (clean @ basis) @ basis.T).std(axis=1, keepdims=True)
    overall = np.sqrt((clean**2).mean(axis=1, keepdims=True))
    return np.where(level > 1e-3 * overall, level, np.where(overall > 1e-12, overall, 1.0))


def _log_uniform(low: float, high: float, n: int, rng: np.random.Generator) -> Array:
    return np.asarray(np.exp(rng.uniform(np.log(low), np.log(high), (n, 1))))


def _chance(share: float, n: int, rng: np.random.Generator) -> Array:
    return np.asarray(rng.random((n, 1)) < share, dtype=float)


def _whiten(clean: Array, level: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    n = len(clean)
    sigma = level * _log_uniform(QUIETEST, LOUDEST, n, rng)
    return sigma * rng.standard_normal(clean.shape), np.broadcast_to(sigma**2, clean.shape)


def _count(clean: Array, level: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return the error (n, channel) of counted spectra, and its variance."""
    n = len(clean)
    # Light that was there and was subtracted before.
    removed = level * rng.gamma(0.5, 3.0, (n, 1)) * _chance(0.6, n, rng) + 1e-3 * level
    pedestal = removed - np.minimum(clean.min(axis=1, keepdims=True), 0)
    light = clean + pedestal
    per_electron = light.mean(axis=1, keepdims=True) / _log_uniform(_DARKEST, _BRIGHTEST, n, rng)
    mean = light / per_electron
    uneven = _chance(0.4, n, rng) * _log_uniform(0.001, 0.02, n, rng)
    electrons = rng.poisson(mean * np.maximum(1 + uneven * rng.standard_normal(mean.shape), 0))
    read = _chance(0.7, n, rng) * _log_uniform(0.2, 8.0, n, rng)
    stripes = _chance(0.05, n, rng) * rng.normal(0, 1, (n, 1)) * read
    odd = np.where(np.arange(clean.shape[1]) % 2, 1.0, -1.0)
    signal = electrons + read * rng.standard_normal(mean.shape) + stripes * odd
    gain = np.where(rng.random((n, 1)) < 0.5, _log_uniform(0.3, 4.0, n, rng), 0.0)
    step = np.where(gain > 0, gain, 1.0)
    signal = np.where(gain > 0, np.rint(signal / step) * step, signal)
    # Whole counts of whole electrons add nothing when one count is at most one electron.
    rounding = np.where((gain > 1) | (read > 0.3), gain**2 / 12, 0.0)
    variance = mean + (uneven * mean) ** 2 + read**2 + stripes**2 + rounding
    return (signal - mean) * per_electron, variance * per_electron**2


def _correlate(error: Array, variance: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Smooth the error of a tenth of the spectra, and resample that of another fifth."""
    n, n_channels = error.shape
    kind = rng.random((n, 1))
    width = 0.5 * rng.random((n, 1))
    part = (rng.random((n, 1)) + rng.uniform(0, 0.5, (n, 1)) * np.arange(n_channels)) % 1.0
    # Weights of the channel before, of the channel itself, and of the one after.
    before = np.where(kind < 0.1, width / (1 + 2 * width), 0.0)
    after = np.where(kind < 0.1, before, np.where(kind < 0.3, part, 0.0))
    middle = 1 - before - after
    values, powers = (np.pad(v, ((0, 0), (1, 1)), mode="edge") for v in (error, variance))
    mixed = before * values[:, :-2] + middle * values[:, 1:-1] + after * values[:, 2:]
    spread = before**2 * powers[:, :-2] + middle**2 * powers[:, 1:-1] + after**2 * powers[:, 2:]
    return mixed, spread


def _cosmic_rays(clean: Array, level: Array, rng: np.random.Generator) -> Array:
    """Return spikes (n, channel) of one to three channels in a few spectra."""
    spikes = np.zeros_like(clean)
    n_channels = clean.shape[1]
    for i in np.flatnonzero(rng.random(len(clean)) < _STRUCK):
        start = int(rng.integers(n_channels))
        height = level[i, 0] * np.exp(rng.uniform(np.log(3), np.log(100)))
        spikes[i, start : start + int(rng.integers(1, 4))] = height * rng.uniform(0.3, 1.0)
    return spikes
