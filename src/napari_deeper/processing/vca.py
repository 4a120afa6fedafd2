"""Find the purest spectra of a map: vertex component analysis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_deeper.processing.abundances import conditioning, unmix
from napari_deeper.spectra.errors import CubeError, ParameterError

Array = NDArray[np.float64]

# Nearer to a multiple of another than this part of its length, an endmember says nothing new.
MIN_CONDITION = 1e-6
# A pixel this much darker than the mean along the mean spectrum has a direction made of noise, and
# the projective division would make it the farthest of all.
_DARK = 1e-2
# Enough pixels, evenly spread, to tell which draw explains a map best.
_MOST_JUDGED = 4096


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
    spectra: NDArray[np.floating], n_endmembers: int, seed: int = 0, n_draws: int = 50
) -> PureSpectra:
    """Find endmembers by repeated vertex component analysis, and keep the draw that explains most.

    One analysis depends on random directions. Of several, that whose non-negative mixtures leave the
    least of the map over is kept, so that the outcome hardly depends on the seed.

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
    data = _check(spectra, n_endmembers)
    view = _project(data, n_endmembers)
    drawn = [_find_corners(view, np.random.default_rng(seed + i)) for i in range(n_draws)]
    different = {tuple(sorted(pixels.tolist())): pixels for pixels in drawn}
    return min((_take(data, view, p) for p in different.values()), key=lambda e: e.residual)


def vca(spectra: NDArray[np.floating], n_endmembers: int, seed: int = 0) -> PureSpectra:
    """Find endmembers as the outermost pixels of the map's simplex.

    Assumes that each endmember is nearly pure in at least one pixel. Below an SNR of 15 + 10
    log10(n_endmembers) dB the spectra are projected on one dimension less than there are endmembers,
    about their mean; above it projectively, which a varying brightness does not disturb. Either way
    the endmembers are the *projected* spectra of the pixels found, with less noise than measured.

    Parameters
    ----------
    spectra
        (pixel, channel), finite.
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
    data = _check(spectra, n_endmembers)
    view = _project(data, n_endmembers)
    return _take(data, view, _find_corners(view, np.random.default_rng(seed)))


@dataclass(frozen=True, eq=False)
class _View:
    """The spectra as the analysis sees them.

    The projected spectra are ``principal @ directions.T + offset``; corners are looked for in the
    ``coordinates`` (pixel, endmember) of the ``usable`` pixels.
    """

    principal: Array
    directions: Array
    offset: Array
    coordinates: Array
    usable: NDArray[np.bool_]


def _find_corners(view: _View, rng: np.random.Generator) -> NDArray[np.intp]:
    n = view.coordinates.shape[1]
    corners = np.zeros((n, n))
    corners[-1, 0] = 1
    pixels = np.zeros(n, dtype=np.intp)
    for i in range(n):
        draw = rng.random(n)
        # a direction that no endmember found so far reaches into
        direction = draw - corners @ (np.linalg.pinv(corners) @ draw)
        reach = np.abs(view.coordinates @ direction)
        pixels[i] = int(np.argmax(np.where(view.usable, reach, -1.0)))
        corners[:, i] = view.coordinates[pixels[i]]
    return pixels


def _take(data: Array, view: _View, pixels: NDArray[np.intp]) -> PureSpectra:
    found = view.principal[pixels] @ view.directions.T + view.offset
    if not conditioning(found) > MIN_CONDITION:
        raise CubeError(
            f"The map does not hold {len(pixels)} independent spectra: ask for fewer endmembers."
        )
    n_judged = min(len(data), _MOST_JUDGED)
    judged = data[np.linspace(0, len(data) - 1, n_judged).astype(np.intp)]
    left = judged - unmix(judged, found).astype(np.float64) @ found
    return PureSpectra(found.astype(np.float32), pixels, float(np.sqrt(np.mean(left**2))))


def snr_decibels(spectra: NDArray[np.floating], n_endmembers: int) -> float:
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
    data = _check(spectra, n_endmembers)
    mean = data.mean(axis=0)
    return _snr(data, mean, (data - mean) @ _directions(data - mean, n_endmembers))


def _snr(data: Array, mean: Array, principal: Array) -> float:
    total = float(np.mean(np.sum(data**2, axis=1)))
    kept = float(np.mean(np.sum(principal**2, axis=1))) + float(mean @ mean)
    signal = kept - principal.shape[1] / data.shape[1] * total
    noise = total - kept
    # no noise, to the precision of the sums
    if noise <= 1e-12 * total:
        return float("inf")
    return float(10 * np.log10(signal / noise)) if signal > 0 else -float("inf")


def _project(data: Array, n: int) -> _View:
    mean = data.mean(axis=0)
    directions = _directions(data - mean, n)
    principal = (data - mean) @ directions
    if _snr(data, mean, principal) < 15 + 10 * np.log10(n):
        principal = principal[:, : n - 1]
        # one more coordinate, the same for all and as large as the largest, keeps them apart from 0
        radius = np.sqrt(np.max(np.sum(principal**2, axis=1))) or 1.0
        coordinates = np.column_stack([principal, np.full(len(data), radius)])
        everywhere = np.ones(len(data), dtype=bool)
        return _View(principal, directions[:, : n - 1], mean, coordinates, everywhere)
    directions = _directions(data, n)
    principal = data @ directions
    along_mean = principal @ principal.mean(axis=0)
    usable = along_mean > _DARK * along_mean.mean()
    coordinates = principal / np.where(usable, along_mean, 1.0)[:, None]
    return _View(principal, directions, np.zeros_like(mean), coordinates, usable)


def _directions(data: Array, n: int) -> Array:
    """Return the (channel, n) directions in which the spectra reach farthest."""
    _, vectors = np.linalg.eigh(data.T @ data)
    return np.asarray(vectors[:, ::-1][:, :n])


def _check(spectra: NDArray[np.floating], n: int) -> Array:
    if spectra.ndim != 2:
        raise CubeError(f"The spectra must be (pixel, channel), not {spectra.shape}.")
    if not np.isfinite(spectra).all():
        raise CubeError("The spectra hold NaN or infinity: leave those pixels out first.")
    if not 1 <= n <= min(spectra.shape):
        raise ParameterError(
            f"n_endmembers is {n}; with {spectra.shape[0]} pixels of {spectra.shape[1]} channels it "
            f"must be from 1 to {min(spectra.shape)}."
        )
    if not spectra.any():
        raise CubeError("The spectra are all zero: there is nothing to find endmembers in.")
    return spectra.astype(np.float64)
