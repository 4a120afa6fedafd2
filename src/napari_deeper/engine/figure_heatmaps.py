"""Heatmaps of cubes as panels of a figure, those that compare on one contrast."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_deeper.engine.figure_parts import (
    MapPanel,
    about,
    dwell_of,
    shared_limits,
    typeset,
)
from napari_deeper.engine.heatmap import Heatmap, HeatmapParams, heatmap
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import AxisError

_QUANTITIES = {
    "mean": "Intensity",
    "height": "Peak height",
    "position": "Peak position",
    "width": "Peak width, FWHM",
}


def measure_all(
    cubes: Mapping[str, RamanCube], params: HeatmapParams, colormap: str
) -> tuple[dict[str, MapPanel], list[str]]:
    """Return the heatmap of each cube as a panel, and why a cube has none.

    Cubes of one dwell time share their limits; of a measure that does not depend on it, all do.

    Raises
    ------
    AxisError
        If no cube holds the band.
    ParameterError
        As `heatmap`.
    """
    made: dict[str, Heatmap] = {}
    failures: list[str] = []
    for name, cube in cubes.items():
        try:
            made[name] = heatmap(cube, params)
        except AxisError as error:
            failures.append(f"{name}: {error}")
    if not made:
        raise AxisError(failures[0])
    groups: dict[Any, list[str]] = {}
    for name in made:
        # positions, widths and ratios do not depend on how long a pixel was measured
        same = made[name].unit in ("cm-1", "")
        groups.setdefault(None if same else dwell_of(cubes[name]), []).append(name)
    panels = {}
    for dwell, names in groups.items():
        limits = shared_limits([made[name].image for name in names])
        for name in names:
            panels[name] = map_of(made[name], cubes[name], name, limits, colormap, dwell)
    return panels, failures


def name_heatmap(measure: str, label: str, unit: str) -> tuple[str, str]:
    """Return what stands above a heatmap and beside its color bar, for its label and unit (none: a ratio)."""
    column = typeset(label).removeprefix("mean ")
    if not unit:
        return column, "Ratio"
    return column, f"{_QUANTITIES.get(measure, measure.capitalize())} ({typeset(unit)})"


def map_of(
    made: Heatmap,
    cube: RamanCube,
    title: str,
    limits: tuple[float, float],
    colormap: Any,
    dwell: float | None,
) -> MapPanel:
    """Return the panel of a heatmap."""
    column, quantity = name_heatmap(made.spec.measure, made.label, made.unit)
    return MapPanel(
        title,
        made.image,
        column,
        made.spacing,
        made.origin,
        made.length_unit,
        quantity,
        limits,
        colormap,
        f"{dwell:g} s" if dwell else "",
        about=about(cube) | {"shows": made.label, "notes": list(made.notes)},
    )
