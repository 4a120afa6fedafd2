"""How far searches for endmembers depend on their seed, and what they find in a measured cell."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from measured_maps import measured_map
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.optimize import linear_sum_assignment
from simulated_cells import SEEDS, expose

import napari_deeper as nd
from napari_deeper.processing.abundances import unmix
from napari_deeper.processing.endmember_count import estimate_n_endmembers
from napari_deeper.processing.endmember_search import SEARCHES, search

MAPS = ("THP-1", "bladder", "simulated cell")
# Apart by more than the draws of one search, which take the seeds that follow.
SEED_STEP = 1000
N_PARTS = 5
Spectra = NDArray[np.float32]


@dataclass(frozen=True)
class Stability:
    """Over all pairs of seeds: degrees between endmembers that match, part of pixels of one class.

    The last two are the same over pairs of searches with one seed, each without another tenth of the
    pixels: what does not depend on a seed may still hang on single pixels.
    """

    map: str
    n_endmembers: int
    method: str
    mean_angle: float
    worst_angle: float
    mean_agreement: float
    worst_agreement: float
    mean_residual: float
    left_out_angle: float
    left_out_agreement: float


@dataclass(frozen=True)
class KnownParts:
    """What became of the nucleus (785 cm-1) and the lipid droplets (1450 cm-1) of the THP-1 cell."""

    n_endmembers: int
    method: str
    nucleus: float
    droplets: float
    droplets_row: int
    droplets_column: int
    most_of_785: bool
    own_components: bool


def load(name: str, small: bool) -> nd.RamanCube:
    """Return a map by name; raise `FileNotFoundError` where a measured one is not here."""
    if name == "simulated cell":
        return expose(SEEDS[0], 16 if small else 40, 1.0).noisy
    return measured_map(name)


def search_without_outliers(cube: nd.RamanCube) -> tuple[Spectra, int, NDArray[np.intp]]:
    """Return the spectra without the pixels that stand alone, the estimate, and those pixels."""
    estimate = estimate_n_endmembers(cube.spectra)
    return np.delete(cube.spectra, estimate.outliers, axis=0), estimate.n, estimate.outliers


def stability(name: str, spectra: Spectra, n: int, method: str, n_seeds: int) -> Stability:
    """Search with several seeds, and without some pixels, and compare each pair of outcomes."""
    found = [search(spectra, n, method, seed * SEED_STEP).spectra for seed in range(n_seeds)]
    angles, agreements = compare(spectra, found)
    left = [unmix(spectra, each) @ each - spectra for each in found]
    parts = np.array_split(np.random.default_rng(0).permutation(len(spectra)), 10)[:N_PARTS]
    without = [search(np.delete(spectra, part, axis=0), n, method).spectra for part in parts]
    other_angles, other_agreements = compare(spectra, without)
    return Stability(
        name,
        n,
        method,
        float(angles.mean()),
        float(angles.max()),
        float(agreements.mean()),
        float(agreements.min()),
        float(np.mean([np.sqrt(np.mean(each**2)) for each in left])),
        float(other_angles.mean()),
        float(other_agreements.mean()),
    )


def compare(
    spectra: Spectra, found: Sequence[Spectra]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the angles in degrees and the agreement of classes, over all pairs of endmembers."""
    classes = [unmix(spectra, each).argmax(axis=1) for each in found]
    angles, agreements = [], []
    for a, b in itertools.combinations(range(len(found)), 2):
        angle, order = match(found[a], found[b])
        angles.append(np.degrees(angle))
        agreements.append(float(np.mean(order[classes[a]] == classes[b])))
    return np.concatenate(angles), np.asarray(agreements)


def match(first: Spectra, second: Spectra) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Return the angle (radians) of each endmember to its partner, and which one that is."""
    a, b = (m / np.linalg.norm(m.astype(float), axis=1, keepdims=True) for m in (first, second))
    # by the chord: an arc cosine cannot tell small angles from rounding
    chord = np.linalg.norm(a[:, None] - b[None], axis=2)
    between = 2 * np.arcsin(np.minimum(chord / 2, 1))
    rows, columns = linear_sum_assignment(between)
    return between[rows, columns], columns


def stabilities(n_seeds: int, small: bool) -> Iterator[Stability]:
    """Yield every map, number of endmembers and search."""
    for name in ("simulated cell",) if small else MAPS:
        try:
            spectra, _, _ = search_without_outliers(load(name, small))
        except FileNotFoundError:
            continue
        for n in (4,) if small else (4, 5, 6):
            for method in SEARCHES:
                yield stability(name, spectra, n, method, n_seeds)


def band_map(intensity: Spectra, axis: NDArray[Any], center: float, half: float, far: float) -> Any:
    """Return the mean height of a band above the line between its surroundings."""
    near = np.abs(axis - center) <= half
    low, high = (np.abs(axis - (center + side * far)).argmin() for side in (-1, 1))
    left, right = (intensity[..., i - 2 : i + 3].mean(axis=-1) for i in (low, high))
    part = (axis[near] - axis[low]) / (axis[high] - axis[low])
    line = left[..., None] * (1 - part) + right[..., None] * part
    return (intensity[..., near] - line).mean(axis=-1)


def known_parts(cube: nd.RamanCube, spectra: Spectra, n: int, method: str) -> KnownParts:
    """Correlate abundances with the maps of two bands, within the cell."""
    axis, (y, x, _) = cube.wavenumber, cube.shape
    # the band at 785 is about as strong as the noise of a pixel
    nucleus = gaussian_filter(band_map(cube.intensity, axis, 785, 12, 25), 1.0)
    droplets = band_map(cube.intensity, axis, 1450, 15, 50)
    light = cube.intensity.mean(axis=2)
    cell = gaussian_filter(light, 1.0) > np.percentile(light, 65)
    found = search(spectra, n, method, 0).spectra
    maps = unmix(cube.intensity, found)

    def like(band: Any) -> NDArray[Any]:
        return np.array([np.corrcoef(maps[..., i][cell], band[cell])[0, 1] for i in range(n)])

    at_785 = band_map(found / np.linalg.norm(found, axis=1, keepdims=True), axis, 785, 12, 25)
    first, second = int(like(nucleus).argmax()), int(like(droplets).argmax())
    row, column = (int(i) for i in np.unravel_index(maps[..., second].argmax(), (y, x)))
    most = bool(at_785.argmax() == first)
    # the droplets are known to lie there
    inside = 18 <= row <= 27 and 18 <= column <= 27
    strong = like(nucleus)[first] > 0.7 and like(droplets)[second] > 0.7
    return KnownParts(
        n,
        method,
        float(like(nucleus)[first]),
        float(like(droplets)[second]),
        row,
        column,
        most,
        first != second and most and inside and bool(strong),
    )


def known_parts_of_thp1() -> Iterator[KnownParts]:
    """Yield what each search finds in the cell, nothing where it is not here."""
    try:
        cube = load("THP-1", False)
    except FileNotFoundError:
        return
    spectra, estimated, _ = search_without_outliers(cube)
    for n in (4, 5, 6, estimated):
        for method in SEARCHES:
            yield known_parts(cube, spectra, n, method)
