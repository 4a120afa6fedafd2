"""How many endmembers a map can tell apart: the directions that stand out of its noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_deeper.processing.map_spectra import Array, MapSpectra, Spectra, check

MOST = 20
# So many directions are looked at: were all of them structure, there would be no noise to compare with.
_LOOKED_AT = 40
# The edge of the noise is a line through so many eigenvalues, and a gap of so many of its steps is
# structure. Published are 5 and 2; smooth noise alone then passed for a component now and then.
_EDGE, _STEPS = 10, 3.0
_MOST_ROUNDS = 20
# A direction of which two pixels hold this part of the power is theirs alone: each that holds at least
# the second part of it.
_FEW_PIXELS, _OWNED, _OWNER = 2, 0.5, 0.1
_MAIN = 0.99


@dataclass(frozen=True, eq=False)
class EndmemberEstimate:
    """How many endmembers a map can tell apart, and why.

    Parameters
    ----------
    n
        How many, from 1 to 20.
    explanation
        A sentence or two for the user.
    eigenvalues
        (direction,) mean square that each direction holds, largest first, 40 at most.
    noise
        (direction,) what of it is noise, as the edge of the noise says.
    of_few_pixels
        (direction,) True where a direction stands out, but is one or two pixels' own.
    outliers
        (outlier,) those pixels, rising. A search for endmembers would find them first.
    """

    n: int
    explanation: str
    eigenvalues: Array
    noise: Array
    of_few_pixels: NDArray[np.bool_]
    outliers: NDArray[np.intp]


def estimate_n_endmembers(spectra: Spectra | MapSpectra) -> EndmemberEstimate:
    """Estimate how many endmembers a map can tell apart.

    Counts the directions of the spectra whose power stands out of the noise. Eigenvalues of noise fall
    in small even steps, be it white, smooth along the spectra, or stronger in some pixels; the last
    gap that is much wider than those steps ends the structure. Directions that are one or two
    pixels' own, as cosmic rays are, do not count.

    Parameters
    ----------
    spectra
        (pixel, channel), finite, or a map that lies elsewhere.

    Raises
    ------
    CubeError
        If the spectra are not (pixel, channel), hold NaN, or are all zero.

    References
    ----------
    Onatski 2010, doi 10.1162/REST_a_00043.
    """
    data = check(spectra, 1)
    if min(data.shape) <= _EDGE + 1:
        return _too_few(data)
    sums = data.moments()
    values, vectors = np.linalg.eigh(sums.products / sums.n_pixels)
    values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
    least = sums.rounding * sums.total
    # of fewer pixels than channels there are no more values than pixels
    n_values = min(data.shape)
    n_found, line = _find_edge(values[:n_values], least)
    shown = values[: min(_LOOKED_AT, n_values)]
    # so many hold such a part of a direction's power at most
    pixels, power = data.strongest(vectors[:, :n_found], int(1 / _OWNER))
    power = power / (values[:n_found] * sums.n_pixels)
    of_few = np.zeros(len(shown), dtype=bool)
    of_few[:n_found] = _of_few_pixels(power)
    outliers = np.unique(pixels[(power > _OWNER) & of_few[:n_found]])
    n = min(max(1, n_found - int(of_few.sum())), MOST)
    noise = np.minimum(shown, line[: len(shown)])
    explanation = _explain(n_found, shown, noise, of_few)
    return EndmemberEstimate(n, explanation, shown, noise, of_few, outliers)


def _find_edge(values: Array, least: float) -> tuple[int, Array]:
    """Return how many eigenvalues stand out, and the edge of the noise (direction,)."""
    most = min(_LOOKED_AT, len(values) - _EDGE - 1)
    gaps = values[:most] - values[1 : most + 1]
    rank = np.arange(len(values)) ** (2 / 3)
    n = most
    for _ in range(_MOST_ROUNDS):
        edge = slice(n, n + _EDGE)
        slope, start = np.polyfit(rank[edge], values[edge], 1)
        wide = np.flatnonzero(gaps > max(_STEPS * abs(slope), least))
        before, n = n, int(wide[-1]) + 1 if wide.size else 0
        if n == before:
            break
    return n, np.where(np.arange(len(values)) < n, start + slope * rank, values)


def _of_few_pixels(power: Array) -> NDArray[np.bool_]:
    """Return the directions whose power, in parts (pixel, direction), is mostly of one or two pixels."""
    return np.asarray(np.sort(power, axis=0)[-_FEW_PIXELS:].sum(axis=0) > _OWNED)


def _explain(n_found: int, values: Array, noise: Array, of_few: NDArray[np.bool_]) -> str:
    n_few = int(of_few.sum())
    n = n_found - n_few
    few = (
        f" {n_few} more {'is' if n_few == 1 else 'are'} one or two pixels' own, as cosmic rays are, and "
        f"{'is' if n_few == 1 else 'are'} not counted."
        if n_few
        else ""
    )
    if n == 0:
        return f"Nothing stands out of the noise: there is no structure to find endmembers in.{few}"
    if n == 1:
        return f"One spectrum stands out of the noise, and all pixels share it.{few}"
    signal = np.where(of_few, 0, values - noise)[:n_found]
    signal = signal[signal > 0]
    n_main = int(np.searchsorted(np.cumsum(signal), _MAIN * signal.sum())) + 1
    which = "The first alone holds" if n_main == 1 else f"The first {n_main} hold"
    main = f" {which} 99 % of the signal." if n_main < n else ""
    capped = f" More than {MOST} are never proposed." if n > MOST else ""
    return f"{n} independent spectra stand out of the noise.{few}{main}{capped}"


def _too_few(data: MapSpectra) -> EndmemberEstimate:
    n_pixels, n_channels = data.shape
    pixels = "1 pixel" if n_pixels == 1 else f"{n_pixels} pixels"
    zero = np.zeros(0)
    return EndmemberEstimate(
        1,
        f"{pixels} of {n_channels} channels cannot tell structure from noise: more than {_EDGE + 1} of "
        "both are needed.",
        zero,
        zero,
        np.zeros(0, dtype=bool),
        np.zeros(0, dtype=np.intp),
    )
