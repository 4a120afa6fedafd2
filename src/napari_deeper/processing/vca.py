"""Find the purest spectra of a map: vertex component analysis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_deeper.processing.abundances import conditioning, unmix
from napari_deeper.processing.map_spectra import MapSpectra, Spectra, check
from napari_deeper.processing.reduction import Reduced, decibels, reduce
from napari_deeper.spectra.errors import CubeError, ParameterError

Array = NDArray[np.float64]

# Nearer to a multiple of another than this part of its length, an endmember says nothing new.
MIN_CONDITION = 1e-6


@dataclass(frozen=True, eq=False)
class PureSpectra:
    """The purest spectra of a map.

    Parameters
    ----------
    spectra
        (endmember, channel), as strong as in the pixels they were found in.
    pixels
        (endmember,) index of those pixels among the spectra searched.
    residual
        Root mean square of what the map's non-negative mixtures of them leave over (of a large map, in
        4096 of its pixels).
    """

    spectra: NDArray[np.float32]
    pixels: NDArray[np.intp]
    residual: float


def find_endmembers(
    spectra: Spectra | MapSpectra, n_endmembers: int, seed: int = 0, n_draws: int = 50
) -> PureSpectra:
    """Find endmembers by repeated vertex component analysis, and keep the draw that explains most.

    One analysis depends on random directions. Of several, that whose non-negative mixtures leave the
    least of the map over is kept, so that the outcome depends far less on the seed; of more
    endmembers than stand out clearly, it still does.

    Parameters
    ----------
    spectra, n_endmembers
        As in `vca`.
    seed
        Of the first draw; the others follow.
    n_draws
        How many analyses to choose from.

    Raises
    ------
    CubeError, ParameterError
        As in `vca`.
    """
    if n_draws < 1:
        raise ParameterError(f"n_draws is {n_draws}; it must be at least 1.")
    data = check(spectra, n_endmembers)
    view = reduce(data, n_endmembers)
    drawn = find_corners(view, range(seed, seed + n_draws))
    different = {tuple(sorted(pixels.tolist())): pixels for pixels in drawn}
    taken = (take(data, view.spectra(pixels), pixels) for pixels in different.values())
    return min(taken, key=lambda found: found.residual)


def vca(spectra: Spectra | MapSpectra, n_endmembers: int, seed: int = 0) -> PureSpectra:
    """Find endmembers as the outermost pixels of the map's simplex.

    Assumes that each endmember is nearly pure in at least one pixel. Below an SNR of 15 + 10
    log10(n_endmembers) dB the spectra are projected on one dimension less than there are endmembers,
    about their mean; above it projectively, which a varying brightness does not disturb. Either way
    the endmembers are the *projected* spectra of the pixels found, with less noise than measured.

    Parameters
    ----------
    spectra
        (pixel, channel), finite, or a map that lies elsewhere.
    n_endmembers
        How many to find, at least 1.
    seed
        Of the random directions.

    Raises
    ------
    CubeError
        If the spectra hold NaN, or fewer independent spectra than endmembers were asked for.
    ParameterError
        If there are more endmembers than pixels or channels.

    References
    ----------
    Nascimento & Dias 2005, doi 10.1109/TGRS.2005.844293.
    """
    data = check(spectra, n_endmembers)
    view = reduce(data, n_endmembers)
    pixels = find_corners(view, [seed])[0]
    return take(data, view.spectra(pixels), pixels)


def find_corners(view: Reduced, seeds: Sequence[int]) -> NDArray[np.intp]:
    """Return the outermost pixels along directions drawn at random, each clear of those before.

    Parameters
    ----------
    view
        The map.
    seeds
        One for each draw.

    Returns
    -------
    NDArray[np.intp]
        (draw, endmember).
    """
    n, n_draws = view.coordinates.shape[1], len(seeds)
    generators = [np.random.default_rng(seed) for seed in seeds]
    corners = np.zeros((n_draws, n, n))
    corners[:, -1, 0] = 1
    pixels = np.zeros((n_draws, n), dtype=np.intp)
    for i in range(n):
        drawn = np.stack([generator.random(n) for generator in generators])[..., None]
        # directions that no endmember found so far reaches into
        directions = drawn - corners @ (np.linalg.pinv(corners) @ drawn)
        pixels[:, i] = view.outermost(directions[..., 0])[0]
        corners[:, :, i] = view.coordinates[pixels[:, i]]
    return pixels


def take(data: MapSpectra, found: Array, pixels: NDArray[np.intp]) -> PureSpectra:
    """Return endmembers with what they leave over, or say that they are not independent.

    Parameters
    ----------
    data
        The map.
    found
        (endmember, channel).
    pixels
        (endmember,) where each was found.

    Raises
    ------
    CubeError
        If an endmember is a mixture of the others.
    """
    if not conditioning(found) > MIN_CONDITION:
        raise CubeError(
            f"The map does not hold {len(pixels)} independent spectra: ask for fewer endmembers."
        )
    judged = data.sample()
    left = judged - unmix(judged, found).astype(np.float64) @ found
    return PureSpectra(found.astype(np.float32), pixels, float(np.sqrt(np.mean(left**2))))


def snr_decibels(spectra: Spectra | MapSpectra, n_endmembers: int) -> float:
    """Return the SNR that the rule of vertex component analysis goes by.

    The signal is what the first ``n_endmembers`` principal components (and the mean) hold, the noise
    the rest; the noise within those components is counted out.

    Parameters
    ----------
    spectra, n_endmembers
        As in `vca`.

    References
    ----------
    Nascimento & Dias 2005, doi 10.1109/TGRS.2005.844293.
    """
    return decibels(check(spectra, n_endmembers).moments(), n_endmembers)
