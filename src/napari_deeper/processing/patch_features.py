"""What there is to see in each place of one or several maps, in components that all of them share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_deeper.processing.low_rank import components, noise_level
from napari_deeper.processing.patch_grid import Corner, Ground
from napari_deeper.processing.patch_labels import window_sums
from napari_deeper.processing.resample import resample, same_axis
from napari_deeper.spectra.axis import Axis
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import PatchError
from napari_deeper.spectra.patches import Patch

Array = NDArray[np.float64]

_MOST_SPECTRA = 4000
_MOST_COMPONENTS = 8
_LEAST_CHANNELS = 10


@dataclass(frozen=True)
class ScoreMap:
    """One cube in the components that all share.

    Parameters
    ----------
    ground
        Its name and size.
    scores
        (y, x, component).
    usable
        (y, x), False where a spectrum holds NaN or infinity.
    """

    ground: Ground
    scores: NDArray[np.float32]
    usable: NDArray[np.bool_]


@dataclass(frozen=True)
class Candidates:
    """Places for patches on all maps, and what can be seen at each.

    Parameters
    ----------
    maps
        (candidate,), which map.
    corners
        (candidate, 2).
    features
        (candidate, 2 x component): means, then spreads of the scores.
    information
        (candidate,), how much the scores vary within the patch.
    """

    maps: NDArray[np.intp]
    corners: NDArray[np.intp]
    features: Array
    information: Array


def decompose(cubes: Mapping[str, RamanCube]) -> list[ScoreMap]:
    """Return the scores of every map in the components that stand out of the noise of all, each of spread 1."""
    axis = _common_axis(list(cubes.values()))
    spectra = {name: _on_axis(cube, axis) for name, cube in cubes.items()}
    usable = {name: np.asarray(np.isfinite(s).all(axis=2)) for name, s in spectra.items()}
    rows = [s[usable[name]] for name, s in spectra.items()]
    if not any(len(row) for row in rows):
        raise PatchError("Every spectrum holds NaN or infinity. Fill or crop those pixels first.")
    every = max(1, -(-sum(map(len, rows)) // _MOST_SPECTRA))
    sample = np.concatenate([row[::every] for row in rows])
    found = components(sample, noise_level(sample))
    basis = found.basis[:_MOST_COMPONENTS]
    spread = found.scores[:, : len(basis)].std(axis=0)
    maps = []
    for name, values in spectra.items():
        with np.errstate(invalid="ignore"):
            scores = np.asarray(values @ basis.T - found.mean @ basis.T)
        scores[~usable[name]] = 0
        scores /= spread  # a rare component counts as much as the matrix
        maps.append(ScoreMap(ground_of(name, cubes[name]), scores, usable[name]))
    return maps


def _common_axis(cubes: list[RamanCube]) -> Axis:
    low = max(cube.wavenumber[0] for cube in cubes)
    high = min(cube.wavenumber[-1] for cube in cubes)
    axis = cubes[0].wavenumber
    shared = axis[(axis >= low) & (axis <= high)]
    if shared.size < min(_LEAST_CHANNELS, axis.size):
        raise PatchError(
            "The cubes share no range of wavenumbers: they cannot train one network. Untick those of "
            "another range."
        )
    return np.asarray(shared)


def _on_axis(cube: RamanCube, axis: Axis) -> NDArray[np.float32]:
    """Return the spectra of a cube on the axis, the median spectrum of norm 1: cubes may differ in exposure."""
    same = same_axis(cube.wavenumber, axis)
    values = cube.intensity if same else resample(cube.intensity, cube.wavenumber, axis)
    norms = np.linalg.norm(values, axis=2)
    norms = norms[np.isfinite(norms) & (norms > 0)]
    typical = float(np.median(norms)) if norms.size else 1.0
    return np.asarray(values / np.float32(typical))


def candidates_at(
    maps: Sequence[ScoreMap], corners: Sequence[list[Corner]], size: int
) -> Candidates:
    """Look at the corners given for each map; those with a hole in their patch are left out."""
    which, places, features = [], [], []
    for i, (one, own) in enumerate(zip(maps, corners, strict=True)):
        if not own:
            continue
        holes = window_sums(~one.usable[..., None] * 1.0, own, size)[:, 0]
        at = np.array(own)[holes == 0]
        mean = window_sums(one.scores, at.tolist(), size) / size**2
        square = window_sums(one.scores.astype(np.float64) ** 2, at.tolist(), size) / size**2
        spread = np.sqrt(np.maximum(square - mean**2, 0))
        which.append(np.full(len(at), i))
        places.append(at)
        features.append(np.hstack([mean, spread]))
    n_components = maps[0].scores.shape[2]
    if not which:
        none = np.zeros((0, 2), dtype=np.intp)
        return Candidates(none[:, 0], none, np.zeros((0, 2 * n_components)), np.zeros(0))
    all_features = np.concatenate(features)
    information = np.sqrt(np.sum(all_features[:, n_components:] ** 2, axis=1))
    return Candidates(np.concatenate(which), np.concatenate(places), all_features, information)


def features_of(maps: Sequence[ScoreMap], patch: Patch) -> Array:
    """Return the features (1, k) of a patch of one of the maps; (0, k) where it has holes."""
    corners: list[list[Corner]] = [
        [(patch.y, patch.x)] if one.ground.name == patch.cube else [] for one in maps
    ]
    return candidates_at(maps, corners, patch.size).features


def ground_of(name: str, cube: RamanCube) -> Ground:
    """Return a cube as a map counted in its own pixels."""
    return Ground(name, cube.shape[:2], (0.0, 0.0), (1.0, 1.0))
