"""Heatmaps: what a band measures in every pixel, with its unit and its place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.processing.band_maps import MEASURES, PLACES, BandSpec, band_map
from napari_deeper.processing.bands import PRESETS, Band
from napari_deeper.spectra import params as settings_of
from napari_deeper.spectra.cube import Pair, RamanCube
from napari_deeper.spectra.errors import ParameterError

_NUMBER = r"\s*(\d+(?:\.\d+)?)\s*(?:cm-1)?\s*"
_NAMES = {
    "height": "peak height",
    "position": "peak position in",
    "width": "peak width (FWHM) in",
}


@dataclass(frozen=True)
class HeatmapParams:
    """Settings of `heatmap`."""

    band: Annotated[
        str,
        {
            "label": "Band",
            "tooltip": (
                "Center (1450), borders (1440-1460) or preset (DNA), in cm-1; a center that is a "
                "preset's takes its borders"
            ),
        },
    ] = "1450"
    measure: Annotated[
        str,
        {
            "label": "Measure",
            "tooltip": (
                "mean, sum or area (integral over cm-1) of the band's intensity; height, position or "
                "width of its highest peak, above a straight line from shoulder to shoulder"
            ),
            "choices": MEASURES,
        },
    ] = "mean"
    baseline: Annotated[
        bool,
        {
            "label": "Above a local baseline",
            "tooltip": (
                "Count means, sums and areas from a straight line between the band's shoulders; peaks "
                "always are"
            ),
        },
    ] = False
    over: Annotated[
        str,
        {
            "label": "Divided by",
            "tooltip": "Band to divide by, written as the band; empty: no ratio",
        },
    ] = ""
    half_width: Annotated[
        float,
        {
            "label": "Half width",
            "tooltip": "Of a band that is given by its center alone, cm-1",
            "min": 0.0,
            "max": 1000.0,
        },
    ] = 10.0
    shoulder: Annotated[
        int,
        {
            "label": "Shoulder",
            "tooltip": "Channels beside the band, at each side, whose means the baseline runs through",
            "min": 1,
            "max": 100,
        },
    ] = 3
    least_snr: Annotated[
        float,
        {
            "label": "Least SNR",
            "tooltip": (
                "Standard deviations of the noise that a peak must be high to have a position and a "
                "width, and the denominator of a ratio must be; else the pixel is missing"
            ),
            "min": 0.0,
            "max": 1000.0,
        },
    ] = 4.0


@dataclass(frozen=True, eq=False)
class Heatmap:
    """What a band measures in every pixel.

    Parameters
    ----------
    image
        (y, x), float32; NaN where the measure is not there.
    unit
        Of its values, for example ``"counts·cm-1"``; empty for a ratio.
    label
        What it shows, in words.
    spec
        The bands, in cm-1, and how they were measured.
    name
        Of the cube.
    pixel_size, origin, zoom
        As of `RamanCube`.
    notes
        What to know of it, in sentences.
    """

    image: NDArray[np.float32]
    unit: str
    label: str
    spec: BandSpec
    name: str = "cube"
    pixel_size: Pair | None = None
    origin: Pair = (0.0, 0.0)
    zoom: float = 1.0
    notes: tuple[str, ...] = ()

    @property
    def spacing(self) -> Pair:
        """(dy, dx) between pixel centers: um, or measured pixels where the pixel size is unknown."""
        return self.pixel_size or (1 / self.zoom, 1 / self.zoom)

    @property
    def length_unit(self) -> str:
        """Unit of `spacing` and `origin`: ``"um"`` or ``"pixel"``."""
        return "um" if self.pixel_size else "pixel"

    @property
    def n_missing(self) -> int:
        """Pixels without a value."""
        return int((~np.isfinite(self.image)).sum())

    def __repr__(self) -> str:
        y, x = self.image.shape
        unit = f" ({self.unit})" if self.unit else ""
        return f"Heatmap of '{self.name}': {self.label}{unit}, {y} x {x} pixels, {self.n_missing} missing"


def heatmap(cube: RamanCube, params: HeatmapParams | None = None, **settings: Any) -> Heatmap:
    """Measure a band in every pixel of a cube, or the ratio of two bands.

    Parameters
    ----------
    cube
        The cube; pixels that hold NaN in the band stay NaN.
    params
        All settings at once.
    settings
        Single settings by name, for example ``band="1440-1460"``; they override ``params``.

    Raises
    ------
    AxisError
        If a band lies outside the axis, or reaches its end where a baseline is wanted.
    ParameterError
        For a setting that does not fit.
    """
    p = settings_of.make(HeatmapParams, params, settings)
    spec = spec_of(p)
    image = band_map(cube.intensity, cube.wavenumber, spec, cube.uncertainty)
    return heatmap_of(image, spec, cube)


def heatmap_of(image: NDArray[np.float32], spec: BandSpec, cube: RamanCube) -> Heatmap:
    """Return a map (y, x) with what is to be told of it; of the cube, name and place count."""
    n_missing = int((~np.isfinite(image)).sum())
    return Heatmap(
        image,
        unit_of(spec, intensity_unit(cube.metadata)),
        label_of(spec),
        spec,
        cube.name,
        cube.pixel_size,
        cube.origin,
        cube.zoom,
        missing_notes(n_missing, image.size, spec),
    )


def spec_of(params: HeatmapParams) -> BandSpec:
    """Return the bands, in cm-1, and the measure that the settings name.

    Raises
    ------
    ParameterError
        For a band that cannot be read, or a ratio of positions or widths.
    """
    low, high = parse_band(params.band, params.half_width)
    over = parse_band(params.over, params.half_width) if params.over.strip() else None
    if over is not None and params.measure in PLACES:
        raise ParameterError(
            f"A ratio of peak {params.measure}s has no meaning. Choose mean, sum, area or height, or "
            "leave 'over' empty."
        )
    return BandSpec(
        low, high, params.measure, over, params.baseline, params.shoulder, params.least_snr
    )


def parse_band(text: str, half_width: float = 10.0) -> tuple[float, float]:
    """Return (low, high), cm-1, of a band written as 1450, 1440-1460 or the name of a preset.

    Raises
    ------
    ParameterError
        If it is none of these.
    """
    borders = re.fullmatch(f"{_NUMBER}(?:-|–|:|to){_NUMBER}", text)
    if borders:
        low, high = sorted((float(borders[1]), float(borders[2])))
        return low, high
    center = re.fullmatch(_NUMBER, text)
    if center:
        at = float(center[1])
        known = next((band for band in PRESETS if band.center == at), None)
        return (known or Band(at, "", half_width)).limits
    wanted = text.strip().casefold()
    for band in PRESETS:
        if wanted and wanted in (band.assignment.casefold(), str(band).casefold()):
            return band.limits
    names = ", ".join(band.assignment for band in PRESETS)
    raise ParameterError(
        f"The band '{text}' is neither a center such as 1450, nor borders such as 1440-1460, nor one of: {names}."
    )


def intensity_unit(metadata: Any) -> str:
    """Return the unit of a cube's intensities, as far as its source told it."""
    return str(metadata.get("intensity_unit") or "arb. units")


def unit_of(spec: BandSpec, intensity: str) -> str:
    """Return the unit of what a spec measures, for a unit of intensity; empty for a ratio."""
    if spec.over is not None:
        return ""
    if spec.measure in PLACES:
        return "cm-1"
    return f"{intensity}·cm-1" if spec.measure == "area" else intensity


def label_of(spec: BandSpec) -> str:
    """Return what a spec measures, in words."""
    name = _NAMES.get(spec.measure, spec.measure)
    band = f"{spec.low:.0f}-{spec.high:.0f}"
    if spec.over is not None:
        band += f" / {spec.over[0]:.0f}-{spec.over[1]:.0f}"
        name = f"ratio of {name}s"
    above = " above baseline" if spec.baseline and spec.measure not in _NAMES else ""
    return f"{name} {band} cm-1{above}"


def missing_notes(n_missing: int, n_pixels: int, spec: BandSpec) -> tuple[str, ...]:
    """Return why pixels have no value, in sentences; none where all have one."""
    if n_missing == 0:
        return ()
    why = "their intensities are not known (NaN)"
    if spec.over is not None:
        why = f"the denominator is not {spec.least_snr:g} times its noise, or the intensities are not known"
    elif spec.measure in PLACES:
        why = (
            f"no peak in the band is {spec.least_snr:g} times the noise high and falls to half of its "
            "height on both sides"
        )
    return (f"{n_missing} of {n_pixels} pixels are missing: {why}.",)
