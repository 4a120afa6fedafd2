"""Find the purest spectra of a map: N-FINDR, the simplex of largest volume."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_deeper.processing.map_spectra import MapSpectra, Spectra, check
from napari_deeper.processing.reduction import Reduced, reduce
from napari_deeper.processing.vca import PureSpectra, find_corners, take
from napari_deeper.spectra.errors import CubeError, ParameterError

Array = NDArray[np.float64]

N_STARTS = 10
# A swap must enlarge the volume by this part of it: rounding alone never goes round in circles.
_GAIN = 1e-9
# Every swap enlarges the volume, so the search ends; maps need a few swaps for each endmember.
_MOST_SWAPS = 1000
# Corners as good as flat, from which no volume can be judged.
_FLAT = 1e-12


def n_findr(
    spectra: Spectra | MapSpectra, n_endmembers: int, seed: int = 0, n_starts: int = N_STARTS
) -> PureSpectra:
    """Find endmembers as the pixels that span the largest simplex.

    Starts from the corners that vertex component analysis finds, and swaps the pixel in that
    enlarges the volume most until none does. Of several starts the largest simplex is kept. The
    endmembers are the projected spectra of the pixels, as with `vca.vca`.

    Parameters
    ----------
    spectra, n_endmembers
        As in `vca.vca`.
    seed
        Of the first start; the others follow.
    n_starts
        How many simplices to choose from.

    Raises
    ------
    CubeError, ParameterError
        As in `vca.vca`.

    References
    ----------
    Winter 1999, doi 10.1117/12.366289.
    """
    if n_starts < 1:
        raise ParameterError(f"n_starts is {n_starts}; it must be at least 1.")
    data = check(spectra, n_endmembers)
    view = reduce(data, n_endmembers)
    pixels = largest_simplex(view, range(seed, seed + n_starts))
    return take(data, view.spectra(pixels), pixels)


def largest_simplex(view: Reduced, seeds: Sequence[int]) -> NDArray[np.intp]:
    """Return the pixels (endmember,) that span the largest simplex found from several starts.

    Parameters
    ----------
    view
        The map.
    seeds
        One for each start.

    Raises
    ------
    CubeError
        If every simplex is flat.
    """
    largest = view.largest()
    sizes = np.where(largest > 0, largest, 1.0)
    best, most = np.zeros(0, dtype=np.intp), 0.0
    for start in find_corners(view, seeds):
        grown, volume = _grow(view, sizes, start)
        if volume > most * (1 + _GAIN):
            best, most = grown, volume
    if not best.size:
        raise CubeError(
            f"The map does not hold {len(sizes)} independent spectra: ask for fewer endmembers."
        )
    return best


def _grow(view: Reduced, sizes: Array, pixels: NDArray[np.intp]) -> tuple[NDArray[np.intp], float]:
    """Swap pixels in as long as the volume grows; return them and the volume, 0 where it is flat.

    The volume is that in coordinates over their sizes.
    """

    def corners(pixels: NDArray[np.intp]) -> Array:
        # coordinates in single precision would leave gains where there are none
        return np.asarray(view.coordinates[pixels].astype(np.float64) / sizes)

    pixels = pixels.copy()
    volume = float(np.abs(np.linalg.det(corners(pixels))))
    if volume <= _FLAT:
        return pixels, 0.0
    for _ in range(_MOST_SWAPS):
        # afresh rather than by a rank-one update: it is tiny, and rounding does not add up
        inverse = np.asarray(np.linalg.inv(corners(pixels)), np.float64)
        # for endmember j: how many times as large the volume is with the best pixel for it
        others, gain = view.outermost(inverse.T / sizes)
        corner = int(gain.argmax())
        if gain[corner] <= 1 + _GAIN:
            break
        volume *= float(gain[corner])
        pixels[corner] = others[corner]
    return pixels, volume
