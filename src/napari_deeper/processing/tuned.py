"""Classical denoisers at their very best: settings chosen with the truth in hand.

No one has the truth when measuring, so these are opponents for a fair comparison and nothing to
use. What beats them beats every way of choosing the settings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_deeper.processing import low_rank, smoothing
from napari_deeper.processing.metrics import mse

Spectra = NDArray[np.float32]
Finish = Callable[[Spectra], NDArray[np.float32]]
Score = Callable[[NDArray[np.float32]], float]
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
    best_score, best_score_settings
        The largest score of any candidate, and whose it is; NaN and empty where none was asked for.
    """

    intensity: NDArray[np.float32]
    settings: str
    error: float
    errors: tuple[tuple[str, float], ...]
    best_score: float = float("nan")
    best_score_settings: str = ""


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
    return tune_each(method, spectra, target, {"": finish or _leave})[""]


def tune_each(
    method: str,
    spectra: Spectra,
    target: NDArray[np.float32],
    finishes: Mapping[str, Finish],
    score: Score | None = None,
) -> dict[str, Tuned]:
    """Tune a denoiser once for each of several ways to finish, running its grid only once.

    Parameters
    ----------
    method, spectra, target
        As in `tune`.
    finishes
        What is done to the denoised spectra, by name.
    score
        Something else to judge every candidate by, the more the better; the result kept is still the
        closest to the target.
    """
    errors: dict[str, list[tuple[str, float]]] = {name: [] for name in finishes}
    kept: dict[str, Tuned] = {}
    scores = dict.fromkeys(finishes, (float("-inf"), ""))
    for settings, clean in candidates(method, spectra):
        for name, finish in finishes.items():
            result = finish(clean)
            error = mse(result, target)
            errors[name].append((settings, error))
            if name not in kept or error < kept[name].error:
                kept[name] = Tuned(result, settings, error, ())
            if score:
                scores[name] = max(scores[name], (score(result), settings), key=lambda s: s[0])
    found = {name: replace(best, errors=tuple(errors[name])) for name, best in kept.items()}
    if score:
        for name, (value, settings) in scores.items():
            found[name] = replace(found[name], best_score=value, best_score_settings=settings)
    return found


def candidates(method: str, spectra: Spectra) -> Candidates:
    """Yield the settings of a denoiser's grid, and what each makes of the spectra.

    Parameters
    ----------
    method, spectra
        As in `tune`.
    """
    yield from _CANDIDATES[method](spectra)


def _leave(spectra: Spectra) -> Spectra:
    return spectra


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
