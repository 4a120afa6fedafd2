"""Composites and measures for figures, from the verbs that make them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from napari_deeper.engine.compare import compare
from napari_deeper.engine.compare_notes import was_made_from
from napari_deeper.engine.compare_settings import CompareParams
from napari_deeper.engine.component_colors import BLACK, composite, shared_limits
from napari_deeper.engine.figure_bars import bars_of_comparison
from napari_deeper.engine.figure_parts import BarsPanel, MapPanel, about, dwell_of
from napari_deeper.engine.unmix import unmix, unmix_with
from napari_deeper.engine.unmixed import Unmixed
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.endmembers import Endmembers
from napari_deeper.spectra.errors import DeeperError
from napari_deeper.spectra.progress import Progress

COMPONENTS = "Components"


def compose(
    cubes: Mapping[str, RamanCube], source: str, n: int, seed: int, progress: Progress
) -> tuple[dict[str, MapPanel], Endmembers, list[str]]:
    """Return the composite of each cube, the endmembers found on one of them, and what to know.

    Colors are of the same brightness for the same abundance in all cubes of one dwell time.

    Raises
    ------
    DeeperError
        As `unmix`.
    """
    progress.update(0.0, "Looking for components")
    found = _blacken(unmix(cubes[source], n_endmembers=n, seed=seed))
    maps = {}
    said = []
    for i, (name, cube) in enumerate(cubes.items()):
        progress.update(0.5 + 0.5 * i / len(cubes), "Unmixing")
        try:
            maps[name] = unmix_with(cube, found).abundances
        except DeeperError as error:
            said.append(f"{name}: {error}")
    groups: dict[float | None, list[str]] = {}
    for name in maps:
        groups.setdefault(dwell_of(cubes[name]), []).append(name)
    panels = {}
    for names in groups.values():
        limits = shared_limits([maps[name] for name in names])
        for name in names:
            panels[name] = _panel(name, cubes[name], maps[name], found, limits)
    if said or len(cubes) > 1:
        said.insert(0, f"Components found on '{source}' and applied to every cube.")
    return panels, found, said


def _blacken(unmixed: Unmixed) -> Endmembers:
    """Return the endmembers with what surrounds the sample, if one is that, in black."""
    found, surroundings = unmixed.endmembers, unmixed.backdrop
    if surroundings is None:
        return found
    # the others get the first colors of the scheme
    colors = list(found.colors[:-1])
    colors.insert(surroundings, BLACK)
    names = list(found.names)
    names[surroundings] += " (surroundings)"
    return found.replace(colors=tuple(colors), names=tuple(names))


def _panel(
    name: str, cube: RamanCube, abundances: np.ndarray, found: Endmembers, limits: np.ndarray
) -> MapPanel:
    colors = composite(abundances, found.colors, limits).astype(np.float32) / 255
    image = np.where(colors[..., 3:] > 0, colors[..., :3], np.float32(np.nan))
    return MapPanel(
        name,
        image,
        COMPONENTS,
        cube.spacing,
        cube.origin,
        cube.length_unit,
        colors=tuple(zip(found.names, found.colors, strict=True)),
        parts=tuple((part, abundances[..., i]) for i, part in enumerate(found.names)),
        about=about(cube)
        | {
            "shows": "composite of abundances",
            "endmembers": found.source,
            "full_color_at": [float(limit) for limit in limits],
        },
    )


def judge(
    cubes: Mapping[str, RamanCube],
    name: str,
    target: RamanCube,
    endmembers: Endmembers | None,
    seed: int,
    progress: Progress,
) -> tuple[tuple[BarsPanel, ...], list[str], tuple[str, ...]]:
    """Return the measures of each cube against the target of this name, what must be said, and all remarks.

    Raises
    ------
    DeeperError
        As `compare`.
    """
    times = {dwell_of(cube) for cube in (*cubes.values(), target)}
    matched = len(times) > 1
    renamed = dataclasses.replace(target, metadata={**target.metadata, "name": name})
    found = compare(
        cubes, renamed, CompareParams(n_endmembers=0, match_scale=matched, seed=seed),
        endmembers=endmembers, progress=progress,
    )  # fmt: skip
    said = [f"Compared with '{name}'."]
    if matched:
        said[0] = f"Compared with '{name}', at its mean intensity (dwell times differ)."
    made = [made for made, cube in cubes.items() if was_made_from(cube, target)]
    if made:
        said.append(
            f"Made from the target itself, so that the measures flatter: {', '.join(made)}."
        )
    unit = str(target.metadata.get("intensity_unit") or "")
    return bars_of_comparison(found, unit), said, found.notes
