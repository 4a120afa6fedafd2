"""Classical denoisers at their very best: settings chosen with the truth in hand.

No one has the truth when measuring, so these are opponents for a fair comparison and nothing to
use. What beats them beats every way of choosing the settings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_deeper.processing import low_rank, smoothing
from napari_deeper.processing.metrics import mse

Spectra = NDArray[np.float32]
Finish = Callable[[Spectra], NDArray[np.float32]]
Candidates = Iterator[tuple[str, Spectra]]

DENOISERS = ("savgol", "wavelet", "pca", "low-rank")

WINDOWS = (*range(3, 22, 2), 25, 31, 41, 61)
ORDERS = (0, 2, 4)
RANKS = (*range(1, 17), 20, 24, 32, 48, 64)
# The noise level that is assumed, as a part of the estimated one.
FACTORS = (0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0)


@dataclass(frozen=True, eq=False)
class Tuned:
    """The best of a grid.

    Parameters
    ----------
    intensity
        The result, in the shape of the target.
    settings
        Of the best, in words.
    error
        Its mean squared error.
    errors
        (settings, error) of every candidate, in the order tried.
    """

    intensity: NDArray[np.float32]
    settings: str
    error: float
    errors: tuple[tuple[str, float], ...]


def tune(
    method: str, spectra: Spectra, target: NDArray[np.float32], finish: Finish | None = None
) -> Tuned:
    """Run a denoiser with every setting of its grid and keep the closest to the target.

    Parameters
    ----------
    method
        One of `DENOISERS`.
    spectra
        (pixel, channel), noisy.
    target
        What to come close to: (pixel, channel), or the shape that `finish` returns.
    finish
        What is done to the denoised spectra before they are compared, for example interpolation;
        None for nothing.
    """
    errors: list[tuple[str, float]] = []
    best: tuple[float, str, NDArray[np.float32]] | None = None
    for settings, clean in _CANDIDATES[method](spectra):
        result = finish(clean) if finish else clean
        error = mse(result, target)
        errors.append((settings, error))
        if best is None or error < best[0]:
            best = error, settings, result
    assert best is not None  # every grid has a candidate that fits any spectra
    return Tuned(best[2], best[1], best[0], tuple(errors))


def _savgol(spectra: Spectra) -> Candidates:
    for window in WINDOWS:
        for order in ORDERS:
            if order < window - 1 and window <= spectra.shape[1]:
                yield f"window {window}, order {order}", smoothing.savgol(spectra, window, order)
    if spectra.shape[1] < min(WINDOWS):
        yield "none", spectra.copy()


def _wavelet(spectra: Spectra) -> Candidates:
    yield "BayesShrink, sigma of each spectrum", smoothing.wavelet(spectra)
    level = low_rank.noise_level(spectra)
    for factor in FACTORS if level > 0 else ():
        settings = f"BayesShrink, sigma {factor:g} x estimate"
        yield settings, smoothing.wavelet(spectra, sigma=factor * level)


def _pca(spectra: Spectra) -> Candidates:
    ranks = [rank for rank in RANKS if rank == 1 or rank < min(spectra.shape)]
    for rank, clean in zip(ranks, low_rank.pca_of_ranks(spectra, ranks), strict=True):
        yield f"{rank} component{'s' if rank > 1 else ''}", clean


def _low_rank(spectra: Spectra) -> Candidates:
    level = low_rank.noise_level(spectra)
    levels = [factor * level for factor in FACTORS]
    for factor, clean in zip(FACTORS, low_rank.shrink_for_levels(spectra, levels), strict=True):
        yield f"sigma {factor:g} x estimate", clean


_CANDIDATES: dict[str, Callable[[Spectra], Candidates]] = {
    "savgol": _savgol,
    "wavelet": _wavelet,
    "pca": _pca,
    "low-rank": _low_rank,
}
