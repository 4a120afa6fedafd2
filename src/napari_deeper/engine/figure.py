"""Make the figure of a set of cubes: heatmaps, composites, spectra at pixels, and measures against a target."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from napari_deeper.engine.figure_heatmaps import measure_all
from napari_deeper.engine.figure_parts import (
    COLORMAPS,
    CUBE_COLORS,
    TARGET_COLOR,
    BarsPanel,
    Figure,
    FigureCurve,
    FigureStyle,
    MapPanel,
    Mark,
    dwell_of,
)
from napari_deeper.engine.figure_sources import compose, judge
from napari_deeper.engine.figure_spectra import SCALINGS, SpectrumRead, arrange_spectra
from napari_deeper.engine.heatmap import HeatmapParams, intensity_unit, parse_band
from napari_deeper.processing.band_maps import MEASURES
from napari_deeper.spectra import params as settings_of
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import CubeError
from napari_deeper.spectra.imaging_time import describe_times, imaging_time_of
from napari_deeper.spectra.progress import Progress

Pin = tuple[float, float]


@dataclass(frozen=True)
class FigureParams(FigureStyle):
    """Settings of `make_figure`: what is shown, and how."""

    band: Annotated[
        str,
        {
            "label": "Band",
            "tooltip": (
                "Of the heatmaps: center (1450), borders (1440-1460) or preset (DNA), in cm-1; empty: none"
            ),
        },
    ] = "1450"
    measure: Annotated[
        str,
        {
            "label": "Measure",
            "tooltip": "What the heatmaps show of the band, as in the command heatmap",
            "choices": MEASURES,
        },
    ] = "mean"
    over: Annotated[
        str,
        {
            "label": "Divided by",
            "tooltip": "Band to divide by, written as the band; empty: no ratio",
        },
    ] = ""
    baseline: Annotated[
        bool,
        {
            "label": "Above a local baseline",
            "tooltip": "Count the band from a straight line between its shoulders, as in the command heatmap",
        },
    ] = False
    components: Annotated[
        int,
        {
            "label": "Components",
            "tooltip": (
                "Endmembers to find on the target (else the first cube) and to compose every cube of; 0: "
                "no composites"
            ),
            "min": 0,
            "max": 16,
        },
    ] = 0
    colormap: Annotated[
        str,
        {
            "label": "Color map",
            "tooltip": "Of the heatmaps; all of these can be read with any kind of color vision",
            "choices": COLORMAPS,
        },
    ] = "inferno"
    scaling: Annotated[
        str,
        {
            "label": "Spectra",
            "tooltip": (
                "Intensities of the spectra; auto: as measured, and per second where dwell times differ "
                "and are known, else each divided by its maximum"
            ),
            "choices": SCALINGS,
        },
    ] = "auto"
    reference_dwell: Annotated[
        float,
        {
            "label": "Reference dwell (s)",
            "tooltip": (
                "Speed-ups are told against the same pixels at this dwell time, s; 0: at the longest dwell "
                "time among the cubes"
            ),
            "min": 0.0,
            "max": 100_000.0,
        },
    ] = 0.0
    seed: Annotated[
        int,
        {
            "label": "Seed",
            "tooltip": "Of the search for endmembers",
            "min": 0,
            "max": 2**31 - 1,
        },
    ] = 0


def make_figure(
    cubes: Sequence[RamanCube] | Mapping[str, RamanCube],
    params: FigureParams | None = None,
    *,
    target: RamanCube | None = None,
    pins: Sequence[Pin] = (),
    progress: Progress | None = None,
    **settings: Any,
) -> Figure:
    """Make the figure of cubes: a row for each, with its heatmap and its composite; spectra; measures.

    Maps of one dwell time share one contrast and one color bar. The endmembers of the target are
    applied to all cubes.

    Parameters
    ----------
    cubes
        The cubes in the order of their rows, by their own names or those given.
    params
        All settings at once.
    target
        What the cubes should be: the last row, and what the measures compare with.
    pins
        (y, x) of pixels whose spectra to show, as pixel numbers of the first cube, from 0.
    progress
        Gets reports, and may cancel.
    settings
        Single settings by name; they override ``params``.

    Raises
    ------
    AxisError
        If no cube holds the band.
    CubeError
        If there is no cube, or a pin lies outside them all.
    ParameterError
        For a setting that does not fit, or more panels than can be read.
    """
    p = settings_of.make(FigureParams, params, settings)
    progress = progress or Progress()
    given = dict(cubes) if isinstance(cubes, Mapping) else {}
    if not isinstance(cubes, Mapping):
        for cube in cubes:
            given[_free_name(cube.name, given)] = cube
    if not given:
        raise CubeError("There is no cube to draw. Give at least one.")
    shown = dict(given)
    first = next(iter(given))
    leading = first if target is None else _free_name(target.name, shown)
    if target is not None:
        shown[leading] = target
    marks = _mark(pins, given[first], shown)
    times, notes = describe_times(
        {name: (cube.shape[:2], imaging_time_of(cube)) for name, cube in shown.items()},
        p.reference_dwell,
    )
    progress.update(0.0, "Measuring the band")
    heatmaps: dict[str, MapPanel] = {}
    said: list[str] = []
    if p.band.strip():
        wanted = HeatmapParams(band=p.band, measure=p.measure, baseline=p.baseline, over=p.over)
        heatmaps, said = measure_all(shown, wanted, p.colormap)
    composites: dict[str, MapPanel] = {}
    endmembers = None
    if p.components:
        part = progress.part(0.1, 0.6)
        composites, endmembers, composed = compose(shown, leading, p.components, p.seed, part)
        said += composed
    maps = [m for name in shown for m in (heatmaps.get(name), composites.get(name)) if m]
    metrics: tuple[BarsPanel, ...] = ()
    remarks: tuple[str, ...] = ()
    if target is not None:
        part = progress.part(0.6, 0.9)
        metrics, judged, remarks = judge(given, leading, target, endmembers, p.seed, part)
        said += judged
    colors = [CUBE_COLORS[i % len(CUBE_COLORS)] for i in range(len(given))] + [TARGET_COLOR]
    spectra = arrange_spectra(_read_spectra(shown, marks, colors), p.scaling, _bands(p))
    progress.update(1.0, "Composed")
    timed = tuple(dataclasses.replace(m, imaging=times.get(m.title, "")) for m in maps)
    return Figure(timed, marks, spectra, metrics, (*said, *notes), remarks)


def _free_name(name: str, taken: Mapping[str, Any]) -> str:
    number = 2
    free = name
    while free in taken:
        free = f"{name} ({number})"
        number += 1
    return free


def _mark(
    pins: Sequence[Pin], first: RamanCube, cubes: Mapping[str, RamanCube]
) -> tuple[Mark, ...]:
    marks = []
    for i, (y, x) in enumerate(pins):
        place = (
            first.origin[0] + y * first.spacing[0],
            first.origin[1] + x * first.spacing[1],
        )
        if all(pixel_at(cube, place) is None for cube in cubes.values()):
            n_y, n_x, _ = first.shape
            raise CubeError(
                f"The pin {y:g},{x:g} lies outside every cube: '{first.name}' has y from 0 to {n_y - 1} "
                f"and x from 0 to {n_x - 1}."
            )
        marks.append(Mark(*place, str(i + 1)))
    return tuple(marks)


def pixel_at(cube: RamanCube, place: Pin) -> tuple[int, int] | None:
    """Return (row, column) of the pixel of a cube at a place in its own unit, or None outside it."""
    at = [(p - o) / s for p, o, s in zip(place, cube.origin, cube.spacing, strict=True)]
    if any(a < -0.5 or a > n - 0.5 for a, n in zip(at, cube.shape[:2], strict=True)):
        return None
    y, x = (int(np.clip(round(a), 0, n - 1)) for a, n in zip(at, cube.shape[:2], strict=True))
    return y, x


def _read_spectra(
    cubes: Mapping[str, RamanCube], marks: Sequence[Mark], colors: Sequence[str]
) -> list[SpectrumRead]:
    found = []
    for mark in marks:
        for (name, cube), color in zip(cubes.items(), colors, strict=False):
            pixel = pixel_at(cube, (mark.y, mark.x))
            if pixel is None:
                continue
            sigma = None if cube.uncertainty is None else cube.uncertainty[pixel]
            curve = FigureCurve(
                name, cube.wavenumber, cube.intensity[pixel], color, mark.label, sigma
            )
            found.append(SpectrumRead(curve, dwell_of(cube), intensity_unit(cube.metadata)))
    return found


def _bands(p: FigureParams) -> tuple[tuple[float, float], ...]:
    return tuple(parse_band(band) for band in (p.band, p.over) if band.strip())
