"""Signal too faint to stand out as a component: found in what a low-rank fit left out, by its power.

A component that only few pixels hold, or that is weaker than what noise alone makes, is dropped by
shrinkage. Many such together still show: unlike white noise they are stronger at low frequencies,
of space or of the spectrum, than at high ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy
from numpy.typing import NDArray

Spectra = NDArray[np.float32]
Vector = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Borders of the frequencies that are pooled, as parts of the highest.
_SPACE = np.array([0, 0.12, 0.25, 0.5, 0.75, 2.0])
_SPECTRUM = np.array(
    [0, 1 / 64, 1 / 32, 1 / 16, 1 / 8, 0.1875, 0.25, 0.3125, 0.375, 0.5, 0.75, 1.01]
)
# The last ranges of the spectrum hold noise alone.
_N_NOISE = 2
# The first hold bands.
_N_BANDS = 8
_SIGNIFICANT = 3.0
_LONGEST_SIDE = 96
_MIN_PIXELS = 36
_MIN_CHANNELS = 64


@dataclass(frozen=True)
class Diffuse:
    """Faint signal in a residual, and how much more of it there is.

    Parameters
    ----------
    intensity
        (pixel, channel): what can be told from noise.
    left
        Mean square of what cannot, less that of the noise which the fit took along: it may be below
        0.
    missed
        Which part of such noise, and of what else has bands, is not recovered.
    scatter
        Standard deviation of ``left``, if the noise is normal.
    """

    intensity: Spectra
    left: float
    missed: float = 1.0
    scatter: float = 0.0


def recover(residual: Spectra, alive: Mask) -> Diffuse:
    """Filter a residual by the ratio of signal to noise at each frequency (Wiener).

    The noise is that of the highest spectral frequencies. Where the power does not stand out of it,
    nothing is taken, so that a residual of pure noise gives next to nothing.

    Parameters
    ----------
    residual
        (pixel, channel), in units of its noise.
    alive
        (y, x): the pixels that the spectra are of.

    References
    ----------
    Wiener 1949, ISBN 978-0-262-73005-1.
    """
    if len(residual) < _MIN_PIXELS or residual.shape[1] < _MIN_CHANNELS:
        return Diffuse(np.zeros_like(residual), 0.0)
    image = np.zeros((*alive.shape, residual.shape[1]), np.float32)
    image[alive] = residual
    n, power = _pool(image)
    noise = float(power[:, -_N_NOISE:].sum() / n[:, -_N_NOISE:].sum())
    mean = power / np.maximum(n, 1)
    signal = mean - noise
    stands_out = signal > _SIGNIFICANT * noise * np.sqrt(2 / np.maximum(n, 1))
    gain = np.where(stands_out, signal / np.maximum(mean, 1e-30), 0.0)
    # Averaged over many frequencies, what is too weak to be used can still be counted.
    n_low = n[:, :_N_BANDS]
    left = float(np.sum((signal * (1 - gain) * n)[:, :_N_BANDS])) / residual.size
    missed = float(np.sum(n_low * np.square(1 - gain[:, :_N_BANDS])) / n_low.sum())
    of_noise = n_low.sum() ** 2 / n[:, -_N_NOISE:].sum()
    scatter = noise * float(np.sqrt(2 * (n_low.sum() + of_noise))) / residual.size
    if gain.any():
        for place in _tiles(alive.shape):
            part = scipy.fft.dctn(image[place], norm="ortho")
            part *= gain.astype(np.float32)[_ranges(part.shape)]
            image[place] = scipy.fft.idctn(part, norm="ortho")
        return Diffuse(image[alive], left, missed, scatter)
    return Diffuse(np.zeros_like(residual), left, missed, scatter)


def _pool(image: Spectra) -> tuple[Vector, Vector]:
    """Return the number and the summed power of the coefficients in each range of frequencies."""
    shape = (_SPACE.size - 1, _SPECTRUM.size - 1)
    n, power = np.zeros(shape), np.zeros(shape)
    for place in _tiles(image.shape[:2]):
        part = scipy.fft.dctn(image[place], norm="ortho")
        space, spectrum = _ranges(part.shape)
        starts = np.searchsorted(spectrum, np.arange(shape[1]))
        summed = np.add.reduceat(np.square(part), starts, axis=2, dtype=np.float64)
        np.add.at(power, space[..., 0], summed)
        n += np.outer(np.bincount(space.ravel(), minlength=shape[0]), np.bincount(spectrum))
    return n, power


def _ranges(shape: tuple[int, ...]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the range of each coefficient: (y, x, 1) in space and (channel,) in the spectrum."""
    y, x, channel = (np.arange(n) / n for n in shape)
    space = np.digitize(np.hypot(y[:, None], x), _SPACE) - 1
    return space[..., None], np.digitize(channel, _SPECTRUM) - 1


def _tiles(shape: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
    """Cut a map (y, x) into parts of about equal size; their edges reflect."""
    rows, columns = (np.linspace(0, n, -(-n // _LONGEST_SIDE) + 1).astype(int) for n in shape)
    for top, bottom in pairwise(rows):
        for left, right in pairwise(columns):
            yield slice(top, bottom), slice(left, right)
