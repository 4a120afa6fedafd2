"""Narrow bands of few pixels that a denoiser took for noise: found in its residual, and given back.

One band in one pixel has too little energy to stand out of a whole map as a component. In the
residual it does stand out, of the few channels around it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import scipy
from numpy.typing import NDArray

from napari_deeper.processing.threads import over_rows

Spectra = NDArray[np.float32]
Vector = NDArray[np.float64]
Mask = NDArray[np.bool_]
Places = NDArray[np.intp]

# Standard deviations, in channels, of the Gaussian bands that are looked for.
WIDTHS = (0.85, 1.35, 2.1, 3.4, 5.4)
# Chance that a map of pure noise gets a band that is none.
_FALSE_MAP = 0.01
# Next to a band, in a neighboring pixel and at about the same channel, less evidence is enough.
_NEIGHBOR = 3.5
# Templates overlap: of all places looked at, about this part is independent.
_INDEPENDENT = 0.5
_REACH = 16
_MAX_ROUNDS = 12
_CHUNK = 512
_N_SPIKE = 3


@dataclass(frozen=True)
class NoiseTail:
    """How unlike a normal distribution the noise of a residual is.

    Parameters
    ----------
    skewness
        (pixel, channel) or broadcast to it: third moment of noise of variance 1. Of Poisson noise
        it is one over the root of the number of photons.
    """

    skewness: Spectra

    def of(self, pixels: Places) -> Spectra:
        """Return that of some pixels."""
        return self.skewness if len(self.skewness) == 1 else self.skewness[pixels]


@dataclass
class Found:
    """Bands and spikes in a residual.

    Parameters
    ----------
    intensity
        (pixel, channel): the bands, in units of the noise.
    variance
        (pixel, channel): of the error of the bands.
    spiked
        (pixel,): whether a spike of one channel, which is no band, was found.
    n_bands
        In all pixels.
    """

    intensity: Spectra
    variance: Spectra
    spiked: Mask
    n_bands: int = 0
    _places: list[tuple[Places, Places, Spectra]] = field(default_factory=list)


def threshold(n_places: int, chance: float = _FALSE_MAP) -> float:
    """Return the height, in standard deviations, that noise exceeds anywhere with this chance."""
    return float(-scipy.special.ndtri(chance / max(1.0, 2 * _INDEPENDENT * n_places)))


def recover(residual: Spectra, tail: NoiseTail, alive: Mask) -> Found:
    """Find bands in a residual, one after the other, the clearest in each pixel first.

    A band is a Gaussian of 2 to 13 channels (full width at half maximum), of either sign, that
    exceeds what noise alone makes anywhere on the map, and its height is that of least squares: it
    is not shrunk. A spike of one channel fits better than any band where a cosmic ray struck; it is
    told, not given back, and hides what lies within three channels of it.

    Parameters
    ----------
    residual
        (pixel, channel), in units of its noise.
    tail
        Of the noise: few photons come in spikes, which need more evidence.
    alive
        (y, x): the pixels that the spectra are of.

    References
    ----------
    Matched filters: Turin 1960, doi 10.1109/TIT.1960.1057571. One after the other: Mallat & Zhang
    1993, doi 10.1109/78.258082.
    """
    rest = residual.copy()
    found = Found(np.zeros_like(rest), np.zeros_like(rest), np.zeros(len(rest), bool))
    level = threshold(rest.size * len(WIDTHS))
    unit = _units(rest)
    active = np.arange(len(rest))
    for _ in range(_MAX_ROUNDS):
        active = _round(rest, active, tail, level, unit, found)
        if not active.size:
            break
    _spread(rest, tail, alive, unit, found)
    # A band that was not expected brings shot noise of its own.
    found.variance *= 1 + np.maximum(found.intensity, 0) * tail.skewness
    return found


def strongest(
    residual: Spectra, tail: NoiseTail, unit: Vector | None = None
) -> tuple[Spectra, Places, Places]:
    """Return for each pixel the height, in standard deviations, the channel and width of what stands out most.

    Width 0 is a spike of one channel; width k is ``WIDTHS[k - 1]``.
    """
    unit = _units(residual) if unit is None else unit
    height = np.zeros(len(residual), np.float32)
    channel, width = np.zeros(len(residual), np.intp), np.zeros(len(residual), np.intp)
    rows = np.arange(len(residual))

    def look(chosen: slice) -> None:
        part, skewness = residual[chosen], tail.of(rows[chosen])
        for number, kernel in enumerate(_kernels()):
            z = evidence(part, skewness, kernel) / np.float32(unit[number])
            at = np.abs(z).argmax(axis=1)
            highest = np.take_along_axis(z, at[:, None], axis=1)[:, 0]
            better = np.abs(highest) > np.abs(height[chosen])
            height[chosen] = np.where(better, highest, height[chosen])
            channel[chosen] = np.where(better, at, channel[chosen])
            width[chosen] = np.where(better, number, width[chosen])

    over_rows(look, len(residual), _CHUNK)
    return height, channel, width


def evidence(residual: Spectra, skewness: Spectra, kernel: Spectra) -> Spectra:
    """Return how many standard deviations of normal noise the response to a kernel is worth.

    The response to skewed noise is about that of a sum of photons, whose deviance is normal.
    """
    z = scipy.ndimage.correlate1d(residual, kernel, axis=1, mode="constant")
    if not skewness.any():
        return z
    skew = scipy.ndimage.correlate1d(skewness, kernel**3, axis=1, mode="nearest")
    u = np.maximum(z * skew, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        shrunk = np.sqrt(2 * np.maximum((1 + u) * np.log1p(u) - u, 0)) / skew
    return np.asarray(np.where(u > 1e-2, shrunk, z), np.float32)


def _kernels() -> Iterator[Spectra]:
    yield np.ones(1, np.float32)
    for width in WIDTHS:
        yield _band(width, 0.0)


def _band(width: float, shift: float, half: int | None = None) -> Spectra:
    """Return a band of norm 1."""
    half = int(np.ceil(3 * width)) if half is None else half
    shape = np.exp(-((np.arange(-half, half + 1) - shift) ** 2) / 2 / width**2)
    return np.asarray(shape / np.sqrt(np.sum(shape**2)), np.float32)


def _units(residual: Spectra) -> Vector:
    """Return the spread of the response to each kernel, at least 1.

    Noise that is correlated along the spectrum, and fine misfit everywhere, raise it.
    """
    rows = np.linspace(0, len(residual) - 1, min(len(residual), 512)).astype(int)
    spreads = []
    for kernel in _kernels():
        z = scipy.ndimage.correlate1d(residual[rows], kernel, axis=1, mode="constant")
        spreads.append(max(1.0, float(np.median(np.abs(z))) * 1.4826))
    return np.array(spreads)


def _round(
    rest: Spectra, active: Places, tail: NoiseTail, level: float, unit: Vector, found: Found
) -> Places:
    """Take the clearest band or spike off each active pixel; return the pixels that had one."""
    part = NoiseTail(tail.of(active))
    height, channel, width = strongest(rest[active], part, unit)
    passed = np.abs(height) > level
    active, channel, width = active[passed], channel[passed], width[passed]
    spike = width == 0
    _blank(rest, active[spike], channel[spike], found)
    _take(rest, active[~spike], channel[~spike], width[~spike], found)
    return active


def _blank(rest: Spectra, pixels: Places, channels: Places, found: Found) -> None:
    found.spiked[pixels] = True
    for shift in range(-_N_SPIKE, _N_SPIKE + 1):
        at = channels + shift
        inside = (at >= 0) & (at < rest.shape[1])
        rest[pixels[inside], at[inside]] = 0


def _take(rest: Spectra, pixels: Places, channels: Places, widths: Places, found: Found) -> None:
    """Fit a band around each place, move it from the rest to what was found."""
    n_channels = rest.shape[1]
    for number in np.unique(widths):
        one = widths == number
        p, c = pixels[one], channels[one]
        shapes, tangents = _family(WIDTHS[number - 1])
        at = c[:, None] + np.arange(-_REACH, _REACH + 1)
        inside = (at >= 0) & (at < n_channels)
        at = np.clip(at, 0, n_channels - 1)
        window = rest[p[:, None], at] * inside
        # A band over the edge is fitted by the part of it that is inside.
        norm = np.maximum(inside.astype(np.float32) @ np.square(shapes).T, 1e-6)
        fit = window @ shapes.T
        best = np.argmax(np.square(fit) / norm, axis=1)
        row = np.arange(len(p))
        height = fit[row, best] / norm[row, best]
        # The channel that alone explains more than the band does: few photons can hide that.
        center = np.abs(window[:, _REACH - 1 : _REACH + 2])
        spike = np.square(center.max(axis=1)) > height * fit[row, best]
        _blank(rest, p[spike], c[spike] + center[spike].argmax(axis=1) - 1, found)
        keep = ~spike
        p, c, at, inside = p[keep], c[keep], at[keep], inside[keep]
        height, best = height[keep], best[keep]
        band = height[:, None] * shapes[best] * inside
        np.subtract.at(rest, (p[:, None], at), band)
        np.add.at(found.intensity, (p[:, None], at), band)
        np.add.at(found.variance, (p[:, None], at), tangents[best] * inside)
        found.n_bands += len(p)
        found._places.append((p, c, np.full(len(p), number)))


def _family(width: float) -> tuple[Spectra, Spectra]:
    """Return bands like one of this width (shape, channel), and the variance of a fitted one."""
    half, shapes, tangents = _REACH, [], []
    for factor in (0.9, 1.0, 1.12, 1.26) if width == WIDTHS[0] else (0.8, 0.9, 1.0, 1.12, 1.26):
        for shift in (-0.5, -0.25, 0.0, 0.25, 0.5):
            own = width * factor
            x = (np.arange(-half, half + 1) - shift) / own
            shape = np.exp(-(x**2) / 2)
            # Height, place and width are fitted: three directions, each with noise of variance 1.
            q, _ = np.linalg.qr(np.stack([shape, shape * x, shape * x**2], axis=1))
            shapes.append(shape / np.sqrt(np.sum(shape**2)))
            tangents.append(np.sum(q**2, axis=1))
    return np.asarray(shapes, np.float32), np.asarray(tangents, np.float32)


def _spread(rest: Spectra, tail: NoiseTail, alive: Mask, unit: Vector, found: Found) -> None:
    """Look in the pixels around each band for the same band, with less evidence."""
    index = np.full(np.add(alive.shape, 2), -1)
    index[1:-1, 1:-1][alive] = np.arange(len(rest))
    place = np.argwhere(alive) + 1
    n_done = 0
    for _ in range(_MAX_ROUNDS):
        new, n_done = found._places[n_done:], len(found._places)
        if not new:
            return
        pixels, channels, widths = (np.concatenate(part) for part in zip(*new, strict=True))
        steps = [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1) if a or b]
        around = np.concatenate([index[tuple((place[pixels] + step).T)] for step in steps])
        keys = np.stack([around, np.tile(channels, 8), np.tile(widths, 8)], axis=1)
        keys = np.unique(keys[around >= 0], axis=0)
        _take_weak(rest, keys, tail, unit, found)


def _take_weak(rest: Spectra, keys: Places, tail: NoiseTail, unit: Vector, found: Found) -> None:
    kernels = list(_kernels())
    for number in np.unique(keys[:, 2]):
        p, c, _ = keys[keys[:, 2] == number].T
        rows, back = np.unique(p, return_inverse=True)
        z = evidence(rest[rows], tail.of(rows), kernels[number]) / np.float32(unit[number])
        near = np.clip(c[:, None] + np.arange(-1, 2), 0, rest.shape[1] - 1)
        here = z[back[:, None], near]
        best = np.abs(here).argmax(axis=1)
        height = here[np.arange(len(p)), best]
        passed = np.abs(height) > _NEIGHBOR
        _, first = np.unique(p[passed], return_index=True)
        p, c = p[passed][first], near[np.arange(len(near)), best][passed][first]
        _take(rest, p, c, np.full(len(p), number), found)
