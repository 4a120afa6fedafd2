"""Suggest patches: full of signal, unlike each other, none above another, with their roles.

The spectra of all maps are decomposed together into the components that noise alone could not have made. A patch is
informative where these vary within it, and like another where their means and spreads are alike. Each patch is the one
that brings what there is to see, weighted by its information, nearest to one of those chosen: so neither empty
ground, nor twenty views of the same matrix, nor a single speck of dust stands for the tissue. (Greedy facility
location; Nemhauser, Wolsey & Fisher 1978, doi 10.1007/BF01588971.)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.processing.patch_features import (
    Array,
    Candidates,
    ScoreMap,
    candidates_at,
    decompose,
    features_of,
    ground_of,
)
from napari_deeper.processing.patch_grid import Corner, check_fits, size_for, tiles, windows
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import PatchError
from napari_deeper.spectra.params import make
from napari_deeper.spectra.patches import DEFAULT_SIZE, Patch, PatchCube, PatchSet
from napari_deeper.spectra.progress import Progress

_MOST_PLACES = 2000  # on one map
_MOST_VIEWS = 1000


@dataclass(frozen=True)
class SuggestParams:
    """How many patches to suggest, of what size, and how their roles are dealt."""

    suggest: Annotated[
        int,
        {"label": "Patches", "tooltip": "How many patches to suggest", "min": 1, "max": 1000},
    ] = 16
    size: Annotated[
        int,
        {"label": "Size (pixels)", "tooltip": "Pixels along each side of a patch", "min": 2, "max": 1024},
    ] = DEFAULT_SIZE  # fmt: skip
    scale: Annotated[
        int,
        {
            "label": "Scale",
            "tooltip": "Of the super-resolution to train, of which the size must be a multiple; "
            "1 for a denoiser",
            "choices": (1, 2, 3, 4),
        },
    ] = 2
    validation: Annotated[
        float,
        {
            "label": "Validation",
            "tooltip": "Part of the patches by which training is stopped",
            "min": 0.0,
            "max": 0.5,
        },
    ] = 0.125
    test: Annotated[
        float,
        {
            "label": "Test",
            "tooltip": "Part of the patches that only judge the result",
            "min": 0.0,
            "max": 0.5,
        },
    ] = 0.25
    seed: Annotated[
        int,
        {
            "label": "Seed",
            "tooltip": "Of the choice of roles: the same gives the same",
            "min": 0,
            "max": 2**31 - 1,
        },
    ] = 0


@dataclass(frozen=True)
class Suggestion:
    """What was suggested.

    Parameters
    ----------
    patches
        Those that were kept, then the new ones.
    notes
        What to know of it, a sentence each: for example that fewer fit than were asked for.
    """

    patches: PatchSet
    notes: tuple[str, ...] = ()


def suggest_patches(
    cubes: Mapping[str, RamanCube],
    params: SuggestParams | None = None,
    *,
    tissues: Mapping[str, str] | None = None,
    keep: Sequence[Patch] = (),
    progress: Progress | None = None,
    **settings: Any,
) -> Suggestion:
    """Suggest informative patches of one or several cubes, and deal them roles.

    Parameters
    ----------
    cubes
        By name. They share a range of wavenumbers.
    params, settings
        `SuggestParams`, or its fields as keywords.
    tissues
        What each cube shows, by name: the label of its patches, and what the roles are balanced over
        beside the cubes.
    keep
        Patches that are there already: they stay as they are, and no new one lies above them.
    progress
        Told how far it is.

    Returns
    -------
    Suggestion
        Fewer patches than asked for where no more fit, and a note that says so.

    Raises
    ------
    PatchError
        If no patch of this size fits any cube, with a size that would do, or the cubes share no range.
    """
    params = make(SuggestParams, params, settings)
    progress = progress or Progress()
    if not cubes:
        raise PatchError("There is no cube to suggest patches of.")
    known = tuple(PatchCube.of(cube, name) for name, cube in cubes.items())
    before = PatchSet(known, tuple(keep), params.size // params.scale * params.scale, params.scale)
    fitting, notes = _fitting(cubes, params)
    progress.update(0.1, "Looking for what the maps are made of")
    maps = decompose(fitting)
    progress.update(0.8, "Choosing patches")
    chosen = _choose(maps, params, keep)
    if not chosen:
        raise PatchError("No more patches fit beside those that are there.")
    tissues = tissues or {}
    places = [
        Patch(maps[m].ground.name, y, x, params.size, tissue=tissues.get(maps[m].ground.name, ""))
        for m, (y, x) in chosen
    ]
    new = _deal(places, params)
    notes += _shortage(len(new), params, list(fitting.values()))
    return Suggestion(before.replace(patches=(*keep, *new)), tuple(notes))


def _fitting(
    cubes: Mapping[str, RamanCube], params: SuggestParams
) -> tuple[dict[str, RamanCube], list[str]]:
    """Return the cubes on which a patch fits, and a note for each other one."""
    fitting, notes = {}, []
    for name, cube in cubes.items():
        try:
            check_fits(ground_of(name, cube), params.size, params.scale)
        except PatchError as error:
            notes.append(str(error))
        else:
            fitting[name] = cube
    if not fitting:
        raise PatchError(" ".join(dict.fromkeys(notes)))
    return fitting, notes


def _shortage(n: int, params: SuggestParams, cubes: list[RamanCube]) -> list[str]:
    if n >= params.suggest:
        return []
    size = size_for(params.suggest, [c.shape[:2] for c in cubes], params.scale, params.size - 1)
    smaller = f" More fit at a smaller size, for example {size}." if size else ""
    patches = "patch fits" if n == 1 else "patches fit"
    return [
        f"{n} of {params.suggest} {patches}: one may not lie above another, and each is {params.size} x "
        f"{params.size} pixels.{smaller}"
    ]


# ---- which of them ----------------------------------------------------------------------------------------------


def _choose(
    maps: Sequence[ScoreMap], params: SuggestParams, keep: Sequence[Patch]
) -> list[tuple[int, Corner]]:
    """Return (map, corner) of the patches chosen, in the order of their choice."""
    size, scale = params.size, params.scale
    side_by_side = [tiles(one.ground.shape, size, scale) for one in maps]
    quotas = _share_out(params.suggest, [len(t) for t in side_by_side])
    everywhere = [_windows(one, size, scale, size // 4) for one in maps]
    rest = [_windows(one, size, scale, scale) for one in maps]
    views = candidates_at(maps, everywhere, size)
    best: list[tuple[int, Corner]] = []
    # Any place will do while there is room. Where it is scarce, one patch can block four tiles, which waste none.
    for first in (everywhere, side_by_side):
        choice = _Choice(views, quotas, size)
        for m, one in enumerate(maps):
            own = [patch for patch in keep if patch.cube == one.ground.name]
            for patch in own:
                choice.keep(m, patch, features_of(maps, patch))
        for corners in (first, rest):
            choice.add_from(candidates_at(maps, corners, size))
        best = max(best, choice.chosen, key=len)
        if len(best) == sum(quotas):
            break
    return best


def _windows(one: ScoreMap, size: int, scale: int, step: int) -> list[Corner]:
    """Return places for patches every so many pixels, farther apart on large maps."""
    apart = math.isqrt(math.prod(one.ground.shape) // _MOST_PLACES)
    return windows(one.ground.shape, size, scale, -(-max(step, apart, 1) // scale) * scale)


class _Choice:
    """Patches chosen one after the other: each brings most of what there is to see nearer to one of them.

    What is to be seen are views from everywhere, each as important as it is informative. A patch brings a view
    nearer by as much as it is more like it than all patches before; and counts by its own information.
    """

    def __init__(self, views: Candidates, quotas: Sequence[int], size: int) -> None:
        every = max(1, -(-len(views.maps) // _MOST_VIEWS))
        self._views = views.features[::every]
        self._weights = _relative(views.information[::every])
        self._left = np.array(quotas)
        self._size = size
        # as if the least fitting view had been seen
        far = np.linalg.norm(np.ptp(self._views, axis=0)) if len(self._views) else 0.0
        self._distances = np.full(len(self._views), far)
        self._taken: list[tuple[int, Corner, int]] = []
        self.chosen: list[tuple[int, Corner]] = []

    def keep(self, which: int, patch: Patch, features: Array) -> None:
        """Take note of a patch that is there already; its features (1, k), or none where it has holes."""
        self._taken.append((which, (patch.y, patch.x), patch.size))
        for row in features:
            self._see(row)

    def add_from(self, found: Candidates) -> None:
        """Choose from these candidates until every map has its share or no more fit."""
        free = np.ones(len(found.maps), dtype=bool)
        for which, corner, other in self._taken:
            free &= ~_covered(found, which, corner, self._size, other)
        nearness = _distances(found.features, self._views)
        weight = _relative(found.information)
        while True:
            usable = free & (self._left[found.maps] > 0)
            if not usable.any():
                return
            gain = weight * (np.maximum(self._distances - nearness, 0) @ self._weights)
            # among those that bring nothing, the most informative
            best = int(np.where(usable, gain + 1e-9 * weight, -np.inf).argmax())
            which, at = int(found.maps[best]), found.corners[best]
            corner = (int(at[0]), int(at[1]))
            self.chosen.append((which, corner))
            self._taken.append((which, corner, self._size))
            self._left[which] -= 1
            self._see(found.features[best])
            free &= ~_covered(found, which, corner, self._size, self._size)

    def _see(self, features: Array) -> None:
        self._distances = np.minimum(self._distances, _distances(features[None], self._views)[0])


def _relative(information: Array) -> Array:
    most = information.max(initial=0.0)
    return np.asarray(information / most) if most > 0 else np.ones(len(information))


def _distances(a: Array, b: Array) -> Array:
    """Return the (a, b) distances of rows of features."""
    squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
    return np.asarray(np.sqrt(np.maximum(squares, 0)))


def _covered(
    found: Candidates, which: int, corner: Corner, size: int, other: int
) -> NDArray[np.bool_]:
    """Tell which candidates (of `size`) lie above a patch (of size `other`)."""
    y, x = found.corners[:, 0], found.corners[:, 1]
    above = (y < corner[0] + other) & (y + size > corner[0])
    beside = (x < corner[1] + other) & (x + size > corner[1])
    return np.asarray(above & beside & (found.maps == which))


def _share_out(n: int, room: Sequence[int]) -> list[int]:
    """Share n out in proportion to the room, one for each first, and never more than there is room."""
    quotas = [0] * len(room)
    for _ in range(min(n, sum(room))):
        need = [
            (r / (q + 1) if q else np.inf) if q < r else -1.0
            for q, r in zip(quotas, room, strict=True)
        ]
        quotas[int(np.argmax(need))] += 1
    return quotas


# ---- roles ------------------------------------------------------------------------------------------------------


def _deal(patches: list[Patch], params: SuggestParams) -> list[Patch]:
    """Deal roles at random, each group of one tissue and cube its share; one at least is left to train on."""
    n = len(patches)
    n_validation = _count(params.validation, n, 2)
    n_test = min(_count(params.test, n, 3), n - n_validation - 1) if n > 1 else 0
    rng = np.random.default_rng(params.seed)
    groups: dict[tuple[str, str], list[int]] = {}
    for i in rng.permutation(n):
        groups.setdefault((patches[i].tissue, patches[i].cube), []).append(int(i))
    sizes = {key: len(group) for key, group in groups.items()}
    roles = ["train"] * n
    for role, wanted in (("test", n_test), ("validation", n_validation)):
        given = dict.fromkeys(groups, 0)
        for _ in range(wanted):
            left = [key for key, group in groups.items() if group]
            key = max(left, key=lambda k: (len(groups[k]) > 1, sizes[k] / (given[k] + 1)))
            roles[groups[key].pop()] = role
            given[key] += 1
    return [patch.replace(role=role) for patch, role in zip(patches, roles, strict=True)]


def _count(share: float, n: int, least: int) -> int:
    """Return the share of n, at least one where there are enough for it."""
    return max(round(share * n), 1) if share > 0 and n >= least else 0
