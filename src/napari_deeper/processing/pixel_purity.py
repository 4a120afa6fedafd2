"""Find the purest spectra of a map: the pixel purity index."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_deeper.processing.map_spectra import MapSpectra, Spectra, check
from napari_deeper.processing.reduction import Reduced, reduce
from napari_deeper.processing.vca import PureSpectra, take
from napari_deeper.spectra.errors import CubeError, ParameterError

N_SKEWERS = 2000
_BATCH = 50
_FLAT = 1e-9


def pixel_purity(
    spectra: Spectra | MapSpectra, n_endmembers: int, seed: int = 0, n_skewers: int = N_SKEWERS
) -> PureSpectra:
    """Find endmembers as the pixels that are the outermost along most directions drawn at random.

    Neighbors of a corner are often outermost as well, so the next endmember is the pixel with most
    counts times its distance from what those taken already can mix to. The endmembers are the
    projected spectra of the pixels, as with `vca.vca`.

    Parameters
    ----------
    spectra, n_endmembers
        As in `vca.vca`.
    seed
        Of the directions.
    n_skewers
        How many directions.

    Raises
    ------
    CubeError, ParameterError
        As in `vca.vca`.

    References
    ----------
    Boardman, Kruse & Green 1995, Summaries of the Fifth Annual JPL Airborne Earth Science Workshop.
    """
    if n_skewers < 1:
        raise ParameterError(f"n_skewers is {n_skewers}; it must be at least 1.")
    data = check(spectra, n_endmembers)
    view = reduce(data, n_endmembers)
    outer, counts = _count_extremes(view, np.random.default_rng(seed), n_skewers)
    pixels = outer[_pick(view, outer, counts, n_endmembers)]
    return take(data, view.spectra(pixels), pixels)


def _count_extremes(
    view: Reduced, rng: np.random.Generator, n_skewers: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the pixels that are the first or the last along directions drawn at random, and how often."""
    n = view.coordinates.shape[1]
    ends = []
    for start in range(0, n_skewers, _BATCH):
        skewers = rng.normal(size=(min(_BATCH, n_skewers - start), n))
        ends.append(view.outermost(np.concatenate([skewers, -skewers]), signed=True)[0])
    pixels, counts = np.unique(np.concatenate(ends), return_counts=True)
    return pixels, counts


def _pick(
    view: Reduced, outer: NDArray[np.intp], counts: NDArray[np.intp], n: int
) -> NDArray[np.intp]:
    """Return ``n`` of the outer pixels, with many counts, that are no mixtures of each other."""
    left = view.coordinates[outer].astype(np.float64)
    least = _FLAT * view.largest().max()
    picked: list[int] = []
    for _ in range(n):
        distance = np.linalg.norm(left, axis=1)
        best = int((counts * distance).argmax())
        if distance[best] <= least:
            raise CubeError(
                f"The map does not hold {n} independent spectra: ask for fewer endmembers."
            )
        picked.append(best)
        # what is left of each pixel beyond the span of those picked
        unit = left[best] / distance[best]
        left -= np.outer(left @ unit, unit)
    return np.asarray(picked, dtype=np.intp)
