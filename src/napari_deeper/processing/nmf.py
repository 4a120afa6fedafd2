"""Find the spectra that a map is a sum of: non-negative matrix factorization."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_deeper.processing.map_spectra import Array, MapSpectra, Spectra, blocks, check
from napari_deeper.processing.n_findr import N_STARTS, largest_simplex
from napari_deeper.processing.reduction import farthest, reduce
from napari_deeper.processing.vca import PureSpectra, take
from napari_deeper.spectra.errors import CubeError

# Directions kept beside one for each endmember: room for what the start missed, little for noise.
_SPARE = 5
_MOST_ROUNDS = 500
# Pixels enough, evenly spread, to fit few spectra to.
_MOST_FITTED = 16384
# The misfit falls by less than this part of it in a round: the factors hardly move any more.
_SETTLED = 1e-6
# Pixels darker than this part of the mean are too noisy to stand for an endmember.
_DARK = 0.2
_TINY = 1e-12


def nmf(spectra: Spectra | MapSpectra, n_endmembers: int, seed: int = 0) -> PureSpectra:
    """Find endmembers that are nowhere negative and whose non-negative mixtures are the map.

    Needs no pure pixels, but has more than one solution: it starts from the corners that N-FINDR
    finds and stays near them. That it hardly depends on the seed does not make it unique.

    Factors the map as its leading directions hold it, which leaves most of the noise out (hierarchical
    alternating least squares on a low-rank map); of a large map 16384 pixels and the corners.

    Negative intensities are kept as they are in what is fitted. Noise about zero is of both signs, and
    cutting off one would raise all spectra by what is left of the other. Only the endmembers and
    abundances are held at zero or above, so what is negative is left over.

    The endmembers are each as bright as the pixel most like it; `PureSpectra.pixels` says which.

    Parameters
    ----------
    spectra, n_endmembers
        As in `vca.vca`.
    seed
        Of the start.

    Raises
    ------
    CubeError
        If the spectra hold NaN, fewer independent spectra than asked for, or are mostly negative.
    ParameterError
        If there are more endmembers than pixels or channels.

    References
    ----------
    Cichocki & Phan 2009, doi 10.1587/transfun.E92.A.708; Zhou, Cichocki & Xie 2012, doi
    10.1109/TSP.2012.2190410.
    """
    data = check(spectra, n_endmembers)
    n_kept = min(n_endmembers + _SPARE, *data.shape)
    corners, start = _corners(data, n_endmembers, seed)
    directions = farthest(data.moments().products, n_kept)
    scores = data.project(directions)
    spread = np.linspace(0, len(scores) - 1, min(len(scores), _MOST_FITTED)).astype(np.intp)
    fitted = scores[np.union1d(spread, corners)].astype(np.float64)
    found = _factor(fitted, directions, start)
    lengths = np.linalg.norm(found, axis=1)
    if not (lengths > _TINY * lengths.max()).all() or not lengths.any():
        raise CubeError(
            f"The map does not hold {n_endmembers} spectra that are nowhere negative: ask for fewer "
            "endmembers, or take the negative intensities out."
        )
    found, pixels = _brighten(scores, directions, found)
    return take(data, found, pixels)


def _corners(data: MapSpectra, n: int, seed: int) -> tuple[NDArray[np.intp], Array]:
    """Return the pixels to start from, and their projected spectra without what is below zero."""
    view = reduce(data, n)
    # sorted, as the order counts until all has settled
    corners = np.sort(largest_simplex(view, range(seed, seed + N_STARTS)))
    return corners, np.maximum(view.spectra(corners), 0)


def _factor(scores: Array, directions: Array, start: Array) -> Array:
    """Return the (endmember, channel) whose non-negative mixtures are next to the map."""
    found: Array = start + _TINY * start.max()
    # one row for each endmember or direction, so that each is read in one go
    rows = np.ascontiguousarray(scores.T)
    amounts = np.linalg.pinv(found @ found.T) @ (found @ directions) @ rows
    np.maximum(amounts, 0, out=amounts)
    total = float(np.sum(scores**2))
    before = np.inf
    for _ in range(_MOST_ROUNDS):
        _improve(amounts, (found @ directions) @ rows, found @ found.T)
        products, reach = amounts @ amounts.T, (amounts @ scores) @ directions.T
        _improve(found, reach, products)
        mixed = float(np.sum(products * (found @ found.T)))
        left = total - 2 * float(np.sum(found * reach)) + mixed
        if before - left <= _SETTLED * abs(left):
            break
        before = left
    return found


def _improve(factor: Array, reach: Array, products: Array) -> None:
    """Set each row of a factor to the best one at zero or above, given the others."""
    for j in range(len(factor)):
        if products[j, j] > 0:
            change = (reach[j] - products[j] @ factor) / products[j, j]
            np.maximum(factor[j] + change, 0, out=factor[j])


def _brighten(scores: Spectra, directions: Array, found: Array) -> tuple[Array, NDArray[np.intp]]:
    """Make each endmember as bright as the pixel most like it; return them and those pixels."""
    lengths = np.sqrt(np.einsum("pi,pi->p", scores, scores))
    dark = _DARK * lengths.mean(dtype=np.float64)
    unit = found / np.linalg.norm(found, axis=1, keepdims=True)
    to_units = directions.T @ unit.T
    pixels, brightness = np.zeros(len(found), np.intp), np.zeros(len(found))
    most, start = np.full(len(found), -np.inf), 0
    for block in blocks(scores):
        length = lengths[start : start + len(block)]
        bright = length > dark
        along = block @ to_units
        likeness = np.where(bright[:, None], along / np.where(bright, length, 1)[:, None], -1.0)
        best, each = likeness.argmax(axis=0), np.arange(len(found))
        more = likeness[best, each] > most
        pixels[more], most[more] = start + best[more], likeness[best, each][more]
        brightness[more] = along[best, each][more]
        start += len(block)
    return unit * brightness[:, None], pixels
