"""Training spectra far wider in kind than any sample, and fast to make.

Domain randomization (Tobin et al. 2017, doi 10.1109/IROS.2017.8202133): the chemistry that a network
will meet is not known, so it is trained on all that a Raman spectrum may be. Half of the spectra
are seen through the given axis, with its calibration in error; the others through any window of
100-3500 cm-1, laid onto the same channels.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from napari_deeper.simulate.bands import Array, Array32
from napari_deeper.simulate.library import load_library
from napari_deeper.simulate.random_backgrounds import add_backgrounds, add_continuum, shape_response
from napari_deeper.simulate.random_parts import draw, random_bands
from napari_deeper.simulate.windows import Windows, mixed

_AT_A_TIME = 1024  # spectra; bounds the memory
_MOST_PARTS = 5
_EMPTY = 0.02  # share of spectra without any band


def random_training_spectra(
    n: int,
    wavenumber: Array,
    rng: np.random.Generator,
    library: str | None = None,
) -> Array32:
    """Return clean spectra (n, channel) float32 to train a denoiser of single spectra on.

    Mixtures of one to five random parts, a few of them differences; parts of the axis may be empty.
    Some stand on a background (sloping, curved, the bumps of glass), some carry ripples of an
    etalon, some dip below zero as background-subtracted spectra do. Mean square 1 each, but for the
    2 % without any band, a part of which is zero throughout.

    Parameters
    ----------
    n
        How many.
    wavenumber
        (channel,), cm-1: the axis that half of them are about. At least 8 channels.
    library
        ``"ramanbiolib"`` adds the spectra of that package, if installed, to the parts.

    Raises
    ------
    AxisError
        If the axis is too short.
    DeeperError
        If the library is not installed.
    """
    axis = np.asarray(wavenumber, dtype=float)
    out = np.empty((n, axis.size), dtype=np.float32)
    for start in range(0, n, _AT_A_TIME):
        block = out[start : start + _AT_A_TIME]
        block[:] = _some(len(block), axis, rng, library)
    return out


def random_training_components(
    n: int,
    wavenumber: Array,
    rng: np.random.Generator,
    library: str | None = None,
) -> Array32:
    """Return component spectra (n, channel) float32 of one map: all seen through the same window.

    Not negative, mean square 1 each. Some stand on a broad continuum of their own, as measured
    substances do. Otherwise as `random_training_spectra`.
    """
    windows = mixed(np.asarray(wavenumber, dtype=float), 1, rng)
    regions = np.tile(_seen_regions(1, windows.n_channels, rng), (n, 1))
    windows = windows.take(np.zeros(n, dtype=int))
    return _standard(add_continuum(_parts(windows, regions, rng, library), windows, rng))


def _some(n: int, axis: Array, rng: np.random.Generator, library: str | None) -> Array32:
    windows = mixed(axis, n, rng)
    signal = _mix(windows, rng, library)
    signal[rng.random(n) < _EMPTY] = 0
    signal = shape_response(signal, rng)
    return _standard(add_backgrounds(signal, windows, rng))


def _mix(windows: Windows, rng: np.random.Generator, library: str | None) -> Array32:
    """Return mixtures (n, channel): parts of one spectrum are seen through the same window."""
    n, n_channels = windows.low.size, windows.n_channels
    n_parts = rng.integers(1, _MOST_PARTS + 1, n)
    owner = np.repeat(np.arange(n), n_parts)
    regions = _seen_regions(n, n_channels, rng)
    parts = _parts(windows.take(owner), regions[owner], rng, library)
    # Parts are weighed by their energy, their height, or between: a narrow line may rule or hide.
    energy = np.sqrt((parts**2).mean(axis=1)) + 1e-9
    top = parts.max(axis=1) + 1e-9
    between = rng.random(n)[owner]
    weight = rng.gamma(0.7, size=owner.size) + 1e-3
    # Another spectrum was subtracted, a little too much of it.
    subtracted = (rng.random(n)[owner] < 0.05) & (rng.random(owner.size) < 0.5)
    weight *= np.where(subtracted, -0.4, 1.0) / (energy**between * top ** (1 - between))
    first = np.concatenate([[0], np.cumsum(n_parts)[:-1]])
    return np.asarray(np.add.reduceat(parts * weight[:, None].astype(np.float32), first, axis=0))


def _parts(
    windows: Windows, regions: Array, rng: np.random.Generator, library: str | None
) -> Array32:
    n = windows.low.size
    bands = random_bands(windows, rng.random(n) < 0.35, rng)
    low, high = regions[bands.owner].T
    bands = replace(bands, height=bands.height * ((low < bands.position) & (bands.position < high)))
    parts = draw(bands, n, windows.n_channels, rng)
    if library is not None:
        chosen = np.flatnonzero(rng.random(n) < 0.35)
        parts[chosen] = _from_library(windows.take(chosen), library, rng)
    return parts


def _from_library(windows: Windows, library: str, rng: np.random.Generator) -> Array32:
    """Return library spectra (n, channel), at their place where the window lies within theirs."""
    axis, spectra = load_library(library)
    out = np.empty((windows.low.size, windows.n_channels), dtype=np.float32)
    even = np.linspace(0, 1, windows.n_channels)
    for i, row in enumerate(out):
        low, high = windows.low[i], windows.high[i]
        if low < axis[0] - 60 or high > axis[-1] + 60:
            # Elsewhere the library knows nothing: lay a piece of it there as an unknown substance.
            span = rng.uniform(0.4, 1.0) * (axis[-1] - axis[0])
            low = rng.uniform(axis[0], axis[-1] - span)
            high = low + span
        place = even - windows.bend[i] * even * (1 - even)
        spectrum = spectra[rng.integers(len(spectra))]
        row[:] = np.interp(low + (high - low) * place, axis, spectrum)
    return out


def _seen_regions(n: int, n_channels: int, rng: np.random.Generator) -> Array:
    """Return the first and last channel (n, 2) that bands lie in; for most spectra, no limit."""
    edges = np.sort(rng.uniform(0, n_channels, (n, 2)), axis=1)
    kind = rng.random((n, 1))
    return np.where(kind < 0.15, edges, [[-np.inf, np.inf]])


def _standard(spectra: Array32) -> Array32:
    power = np.sqrt((spectra**2).mean(axis=1, keepdims=True))
    return np.asarray(spectra / np.where(power > 1e-9, power, 1.0), dtype=np.float32)
