"""Suggest patches: full of signal, unlike each other, none above another, with their roles.

The spectra of all maps are decomposed together into the components that noise alone could not have made. A patch is
informative where these vary within it, and new where their means and spreads are far from those of the patches
already chosen: each further one is the farthest from all before it, weighted by its information, so that neither
empty ground nor twenty views of the same matrix is chosen.
"""

from __future__ import annotations

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
    step = max(scale, size // 4 // scale * scale)
    # Any place will do while there is room: one patch can block four tiles. Where it is scarce, tiles waste none.
    first = [
        windows(one.ground.shape, size, scale, step) if 4 * quota <= len(t) else t
        for one, quota, t in zip(maps, quotas, side_by_side, strict=True)
    ]
    anywhere = [windows(one.ground.shape, size, scale, scale) for one in maps]
    chosen: list[tuple[int, Corner]] = []
    seen = features_of(maps, keep, size)
    for corners in (first, anywhere):
        found = candidates_at(maps, corners, size)
        picked, seen = _farthest(found, maps, quotas, keep, chosen, seen, size)
        chosen += picked
        if len(chosen) >= sum(quotas):
            break
    return chosen


def _farthest(
    found: Candidates,
    maps: Sequence[ScoreMap],
    quotas: list[int],
    keep: Sequence[Patch],
    chosen: Sequence[tuple[int, Corner]],
    seen: Array,
    size: int,
) -> tuple[list[tuple[int, Corner]], Array]:
    """Return further patches, each the farthest from all before it, and the features of all."""
    left = np.array(quotas)
    free = np.ones(len(found.maps), dtype=bool)
    for i, one in enumerate(maps):
        for patch in keep:
            if patch.cube == one.ground.name:
                free &= ~_covered(found, i, (patch.y, patch.x), size, patch.size)
    for m, corner in chosen:
        left[m] -= 1
        free &= ~_covered(found, m, corner, size, size)
    most = found.information.max(initial=0.0)
    weight = found.information / most if most > 0 else np.ones(len(free))
    distance = np.full(len(free), np.inf)
    for row in seen:
        distance = np.minimum(distance, np.linalg.norm(found.features - row, axis=1))
    picked: list[tuple[int, Corner]] = []
    while True:
        usable = free & (left[found.maps] > 0)
        if not usable.any():
            return picked, seen
        gain = weight if not np.isfinite(distance).any() else (distance + 1e-12) * (weight + 1e-6)
        best = int(np.where(usable, gain, -np.inf).argmax())
        m, corner = (
            int(found.maps[best]),
            (int(found.corners[best, 0]), int(found.corners[best, 1])),
        )
        picked.append((m, corner))
        seen = np.vstack([seen, found.features[best]])
        left[m] -= 1
        free &= ~_covered(found, m, corner, size, size)
        distance = np.minimum(
            distance, np.linalg.norm(found.features - found.features[best], axis=1)
        )


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
