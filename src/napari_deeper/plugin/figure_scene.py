"""What is on screen as plain data for a figure: maps, marked places, spectra, and the last table."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from napari_deeper.engine.compare_scores import CubeComparison
from napari_deeper.engine.figure_bars import bars_of_comparison, bars_of_evaluation
from napari_deeper.engine.figure_parts import (
    COLORMAPS,
    BarsPanel,
    Figure,
    FigureCurve,
    FigureStyle,
    MapPanel,
    Mark,
)
from napari_deeper.engine.figure_spectra import SCALINGS, SpectrumRead, arrange_spectra
from napari_deeper.engine.scores import Evaluation
from napari_deeper.plugin.figure_layers import map_of_layer, source_of
from napari_deeper.plugin.layers import (
    KEY,
    cube_layers,
    dwell_time,
    read_at,
    time_behind_layer,
    wavenumbers,
)
from napari_deeper.plugin.widgets.spectrum_plot import COLORS
from napari_deeper.spectra.imaging_time import describe_times

if TYPE_CHECKING:
    import napari

AS_SHOWN = "as on screen"


@dataclass(frozen=True)
class ScreenParams(FigureStyle):
    """How what is on screen becomes a figure."""

    spectra: Annotated[
        bool, {"label": "Spectra", "tooltip": "Show the spectra of the marked pixels"}
    ] = True
    measures: Annotated[
        bool,
        {
            "label": "Measures",
            "tooltip": "Show the last table of Compare or Evaluate as bars, if there is one",
        },
    ] = True
    scaling: Annotated[
        str,
        {
            "label": "Intensities",
            "tooltip": (
                "Of the spectra; auto: as measured, and per second where dwell times differ and are "
                "known, else each divided by its maximum"
            ),
            "choices": SCALINGS,
        },
    ] = "auto"
    colormap: Annotated[
        str,
        {
            "label": "Color map",
            "tooltip": "Of the heatmaps; all that can be chosen can be read with any kind of color vision",
            "choices": (AS_SHOWN, *COLORMAPS),
        },
    ] = AS_SHOWN
    same_contrast: Annotated[
        bool,
        {
            "label": "Same contrast",
            "tooltip": (
                "Give maps of the same quantity and dwell time one contrast, wide enough for all, and one "
                "color bar"
            ),
        },
    ] = True


@dataclass(frozen=True, eq=False)
class ScenePanel:
    """A map on screen: its layer's key and name, the panel it would be, whether that is wanted at first."""

    key: str
    name: str
    panel: MapPanel
    wanted: bool
    shares_contrast: bool


@dataclass(frozen=True, eq=False)
class Scene:
    """Everything on screen that a figure can hold.

    Parameters
    ----------
    panels
        Maps of the visible layers, by the cubes that they were made of, bottom first.
    marks
        The pinned places.
    reads
        Spectra of all visible cubes there.
    tables
        What the last tables of Compare and Evaluate hold, by the name of the dock.
    notes
        About imaging times.
    left_out
        Why visible layers are not among the panels, one sentence each.
    """

    panels: tuple[ScenePanel, ...] = ()
    marks: tuple[Mark, ...] = ()
    reads: tuple[SpectrumRead, ...] = ()
    tables: tuple[tuple[str, tuple[BarsPanel, ...]], ...] = ()
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def collect(viewer: napari.Viewer) -> Scene:
    """Return what is on screen now; quick enough for the GUI thread, and free of layers and widgets."""
    cubes = cube_layers(viewer.layers)
    shown = sorted(
        (layer for layer in viewer.layers if layer.visible), key=lambda la: _rank(la, cubes)
    )
    times, notes = describe_times(
        {la.name: (la.data.shape[-2:], time_behind_layer(la)) for la in cubes}
    )
    panels, left_out = [], []
    for layer in shown:
        found = map_of_layer(layer, viewer)
        if isinstance(found, str):
            left_out += [found] if found else []
            continue
        timed = dataclasses.replace(found.panel, imaging=times.get(found.panel.title, ""))
        panels.append(
            ScenePanel(str(layer.unique_id), layer.name, timed, found.wanted, found.shares_contrast)
        )
    marks = _marks(viewer)
    visible = [layer for layer in cubes if layer.visible] or cubes
    reads = _read(visible, marks, cubes)
    return Scene(tuple(panels), marks, reads, _tables(viewer), notes, tuple(left_out))


def to_figure(scene: Scene, chosen: list[int], params: ScreenParams) -> Figure:
    """Return the figure of the panels chosen, in that order.

    Raises
    ------
    ParameterError
        If nothing is chosen, or more than can be read.
    """
    picked = [scene.panels[i] for i in chosen]
    maps = [p.panel for p in picked]
    if params.colormap != AS_SHOWN:
        maps = [
            dataclasses.replace(m, colormap=params.colormap) if p.shares_contrast else m
            for m, p in zip(maps, picked, strict=True)
        ]
    if params.same_contrast:
        maps = _share_contrast(maps, [p.shares_contrast for p in picked])
    spectra = None
    if params.spectra:
        bands = sorted({band for m in maps for band in _bands_of(m)})
        spectra = arrange_spectra(scene.reads, params.scaling, bands)
    metrics = scene.tables[-1][1] if params.measures and scene.tables else ()
    notes = scene.notes if params.times and any(m.imaging for m in maps) else ()
    marks = scene.marks if spectra is not None else ()
    return Figure(tuple(maps), marks, spectra, metrics, notes)


def _share_contrast(maps: list[MapPanel], may: list[bool]) -> list[MapPanel]:
    groups: dict[Any, list[int]] = {}
    for i, panel in enumerate(maps):
        if may[i]:
            groups.setdefault((panel.column, panel.quantity, panel.contrast), []).append(i)
    shared = list(maps)
    for members in groups.values():
        limits = [maps[i].limits for i in members]
        wide = (min(low for low, _ in limits), max(high for _, high in limits))
        first = maps[members[0]].colormap
        for i in members:
            shared[i] = dataclasses.replace(maps[i], limits=wide, colormap=first)
    return shared


def _bands_of(panel: MapPanel) -> list[tuple[float, float]]:
    """Return the bands that the name of a heatmap speaks of, cm-1."""
    if panel.is_composite:
        return []
    return [
        (float(low), float(high))
        for low, high in re.findall(r"(\d+(?:\.\d+)?)–(\d+(?:\.\d+)?)", panel.column)
    ]


def _rank(layer: Any, cubes: list[Any]) -> int:
    """Return where the cube stands that a layer was made of; what is of no cube comes last."""
    source = layer if layer in cubes else source_of(layer)
    return cubes.index(source) if source in cubes else len(cubes)


def _marks(viewer: napari.Viewer) -> tuple[Mark, ...]:
    for layer in viewer.layers:
        places = getattr(layer.metadata.get("marks_of"), "places", None)
        if places and layer.visible:
            return tuple(Mark(float(y), float(x), str(i + 1)) for i, (y, x) in enumerate(places))
    return ()


def _read(layers: list[Any], marks: tuple[Mark, ...], cubes: list[Any]) -> tuple[SpectrumRead, ...]:
    """Read the spectra at the marks, in the colors that the Spectra dock gives the cubes."""
    found = []
    for mark in marks:
        for layer in layers:
            reading = read_at(layer, (mark.y, mark.x), 0.0)
            if reading is None:
                continue
            color = COLORS[cubes.index(layer) % len(COLORS)]
            curve = FigureCurve(
                layer.name,
                wavenumbers(layer),
                reading.intensity,
                color,
                mark.label,
                reading.uncertainty,
            )
            found.append(SpectrumRead(curve, dwell_time(layer), _intensity_unit(layer)))
    return tuple(found)


def _intensity_unit(layer: Any) -> str:
    return str(layer.metadata[KEY].get("metadata", {}).get("intensity_unit") or "arb. units")


def _unit_by_name(layers: Any, name: str) -> str:
    """Return the intensity unit that the cube layer of this name tells; empty where there is none."""
    cube = next((layer for layer in cube_layers(layers) if layer.name == name), None)
    header = cube.metadata[KEY] if cube is not None else {}
    return str(header.get("metadata", {}).get("intensity_unit") or "")


def _tables(viewer: napari.Viewer) -> tuple[tuple[str, tuple[BarsPanel, ...]], ...]:
    """Return the tables of the open docks Evaluate and Compare, the latter last."""
    found = []
    for widget in viewer.window.dock_widgets.values():
        evaluation = getattr(widget, "evaluation", None)
        comparison = getattr(widget, "found", None)
        if isinstance(evaluation, Evaluation):
            unit = _unit_by_name(viewer.layers, evaluation.map)
            found.append(("Evaluate", bars_of_evaluation(evaluation, unit)))
        if isinstance(comparison, CubeComparison) and comparison.target:
            unit = _unit_by_name(viewer.layers, comparison.target)
            found.append(("Compare", bars_of_comparison(comparison, unit)))
    return tuple(sorted(found, key=lambda table: table[0], reverse=True))
