"""The settings of every step that prepares a cube, one frozen dataclass each.

Beside ``label``, ``tooltip``, ``min``, ``max`` and ``choices``, a field may say its ``unit`` and where it
``applies``: the name of another field, and the values of that field for which this one is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

BASELINES = (
    "arpls",
    "asls",
    "airpls",
    "aspls",
    "shape",
    "modpoly",
    "imodpoly",
    "rolling-ball",
    "snip",
    "morphological",
)
WHITTAKER = ("arpls", "asls", "airpls", "aspls")
POLYNOMIALS = ("modpoly", "imodpoly")
WINDOWED = ("rolling-ball", "snip", "morphological")
NORMALIZATIONS = ("cube-maximum", "maximum", "area", "vector", "snv", "band")
REFERENCES = ("silicon", "phenylalanine", "own")
FILLS = ("neighbors", "missing")
REPAIRS = ("neighbors", "interpolate")


@dataclass(frozen=True)
class Despike:
    """Find and repair cosmic rays."""

    threshold: Annotated[
        float,
        {
            "label": "Threshold",
            "tooltip": "How far a rise from one channel to the next must stand out, in standard deviations",
            "min": 3.0,
            "max": 100.0,
            "unit": "sigma",
        },
    ] = 7.0
    max_width: Annotated[
        int,
        {
            "label": "Widest ray",
            "tooltip": "Channels that a cosmic ray may span; wider rises are bands",
            "min": 1,
            "max": 8,
            "unit": "channels",
        },
    ] = 4
    compare_neighbors: Annotated[
        bool,
        {
            "label": "Compare with neighbors",
            "tooltip": "Keep what neighboring pixels show at the same place too: that is a band",
        },
    ] = True
    repair: Annotated[
        str,
        {
            "label": "Repair",
            "tooltip": "neighbors: the median of the pixels around, brought to the level of the spectrum. "
            "interpolate: a straight line",
            "choices": REPAIRS,
        },
    ] = "neighbors"


@dataclass(frozen=True)
class BadPixels:
    """Find channels that are dead or hot and pixels that are saturated."""

    channels: Annotated[
        bool,
        {
            "label": "Dead and hot channels",
            "tooltip": "Bridge channels that are stuck, or stand out alone in all pixels alike",
        },
    ] = True
    saturation: Annotated[
        float,
        {
            "label": "Saturated from",
            "tooltip": "Intensity from which a channel counts as saturated; 0: the level that the file "
            "states, or plateaus at the highest intensity of the map",
            "min": 0.0,
            "max": 1e30,
            "unit": "intensity",
        },
    ] = 0.0
    saturated: Annotated[
        str,
        {
            "label": "Saturated pixels",
            "tooltip": "neighbors: filled with the mean of the good pixels around. missing: NaN",
            "choices": FILLS,
        },
    ] = "missing"
    missing: Annotated[
        str,
        {
            "label": "Unmeasured pixels",
            "tooltip": "Pixels that hold NaN. missing: left so. neighbors: filled with the mean of the good "
            "pixels around",
            "choices": FILLS,
        },
    ] = "missing"


@dataclass(frozen=True)
class Crop:
    """Keep a range of the axis."""

    low: Annotated[
        float,
        {
            "label": "From",
            "tooltip": "First wavenumber to keep",
            "min": -1e5,
            "max": 1e5,
            "unit": "cm-1",
        },
    ] = 600.0
    high: Annotated[
        float,
        {
            "label": "To",
            "tooltip": "Last wavenumber to keep",
            "min": -1e5,
            "max": 1e5,
            "unit": "cm-1",
        },
    ] = 1800.0


@dataclass(frozen=True)
class Recalibrate:
    """Shift the axis so that a known band lies where it should."""

    reference: Annotated[
        str,
        {
            "label": "Reference band",
            "tooltip": "silicon: 520.7 cm-1. phenylalanine: 1003.5 cm-1. own: the position given",
            "choices": REFERENCES,
        },
    ] = "phenylalanine"
    position: Annotated[
        float,
        {
            "label": "Its position",
            "tooltip": "Where the band should lie, for a reference of your own",
            "min": -1e5,
            "max": 1e5,
            "unit": "cm-1",
            "applies": ("reference", ("own",)),
        },
    ] = 1003.5
    search: Annotated[
        float,
        {
            "label": "Search within",
            "tooltip": "How far from there the band is looked for, to either side",
            "min": 1.0,
            "max": 200.0,
            "unit": "cm-1",
        },
    ] = 12.0


@dataclass(frozen=True)
class Baseline:
    """Take off what lies smoothly under the bands."""

    method: Annotated[
        str,
        {
            "label": "Method",
            "tooltip": "arpls, asls, airpls, aspls: a smooth curve that weighs bands down. shape: a wide, "
            "rounded form that rolls along below. modpoly, imodpoly: a polynomial. rolling-ball, snip, "
            "morphological: filters in a window",
            "choices": BASELINES,
        },
    ] = "arpls"
    smoothness: Annotated[
        float,
        {
            "label": "Smoothness",
            "tooltip": "lambda: larger is stiffer. It grows with the fourth power of the channels that a bend takes",
            "min": 1.0,
            "max": 1e12,
            "applies": ("method", WHITTAKER),
        },
    ] = 1e5
    asymmetry: Annotated[
        float,
        {
            "label": "Asymmetry",
            "tooltip": "p: weight of what lies above the curve",
            "min": 1e-6,
            "max": 0.5,
            "applies": ("method", ("asls",)),
        },
    ] = 0.01
    size: Annotated[
        float,
        {
            "label": "Shape size",
            "tooltip": "alpha: half-width of the form at the height of the spectrum; larger is flatter",
            "min": 1.0,
            "max": 1e5,
            "unit": "channels",
            "applies": ("method", ("shape",)),
        },
    ] = 500.0
    order: Annotated[
        int,
        {
            "label": "Order",
            "tooltip": "Order of the polynomial",
            "min": 0,
            "max": 12,
            "applies": ("method", POLYNOMIALS),
        },
    ] = 5
    half_window: Annotated[
        int,
        {
            "label": "Half window",
            "tooltip": "Wider than half of the widest band",
            "min": 1,
            "max": 2000,
            "unit": "channels",
            "applies": ("method", WINDOWED),
        },
    ] = 40


@dataclass(frozen=True)
class Resample:
    """Move the spectra to another axis."""

    to: Annotated[
        str,
        {
            "label": "To",
            "tooltip": "spacing: an even step. channels: a number of even channels. network: the axis that the "
            "weights were trained on",
            "choices": ("spacing", "channels", "network"),
        },
    ] = "network"
    spacing: Annotated[
        float,
        {
            "label": "Spacing",
            "tooltip": "Between channels",
            "min": 0.01,
            "max": 1000.0,
            "unit": "cm-1",
            "applies": ("to", ("spacing",)),
        },
    ] = 2.5
    n_channels: Annotated[
        int,
        {
            "label": "Channels",
            "tooltip": "Their number, over the range that the cube has",
            "min": 2,
            "max": 100000,
            "applies": ("to", ("channels",)),
        },
    ] = 500
    model: Annotated[
        str,
        {
            "label": "Weights",
            "tooltip": "Name or path of weights whose axis is taken; empty: the shipped ones",
            "applies": ("to", ("network",)),
        },
    ] = ""


@dataclass(frozen=True)
class Smooth:
    """Smooth each spectrum by Savitzky-Golay."""

    window: Annotated[
        int,
        {
            "label": "Window",
            "tooltip": "Odd number of channels; 0: window and order with the least expected error",
            "min": 0,
            "max": 501,
            "unit": "channels",
        },
    ] = 0
    polyorder: Annotated[
        int,
        {
            "label": "Polynomial order",
            "tooltip": "Less than the window; not used with window 0",
            "min": 0,
            "max": 9,
        },
    ] = 3


@dataclass(frozen=True)
class Normalize:
    """Bring spectra to a common scale."""

    method: Annotated[
        str,
        {
            "label": "To",
            "tooltip": "cube-maximum: one factor for the whole cube, so that pixels stay comparable (DeepeR's "
            "scale). maximum, area, vector: each spectrum by its own. snv: mean 0 and standard deviation 1. "
            "band: the mean of a band to 1",
            "choices": NORMALIZATIONS,
        },
    ] = "cube-maximum"
    low: Annotated[
        float,
        {
            "label": "Band from",
            "tooltip": "First wavenumber of the band",
            "min": -1e5,
            "max": 1e5,
            "unit": "cm-1",
            "applies": ("method", ("band",)),
        },
    ] = 1435.0
    high: Annotated[
        float,
        {
            "label": "Band to",
            "tooltip": "Last wavenumber of the band",
            "min": -1e5,
            "max": 1e5,
            "unit": "cm-1",
            "applies": ("method", ("band",)),
        },
    ] = 1465.0


@dataclass(frozen=True)
class CropMap:
    """Keep a part of the map."""

    y: Annotated[
        int, {"label": "First row", "tooltip": "Counted from 0", "min": 0, "max": 10**6}
    ] = 0
    x: Annotated[
        int, {"label": "First column", "tooltip": "Counted from 0", "min": 0, "max": 10**6}
    ] = 0
    height: Annotated[
        int, {"label": "Rows", "tooltip": "0: all that follow", "min": 0, "max": 10**6}
    ] = 0
    width: Annotated[
        int, {"label": "Columns", "tooltip": "0: all that follow", "min": 0, "max": 10**6}
    ] = 0


@dataclass(frozen=True)
class Bin:
    """Average pixels in rectangles: less resolution, less noise."""

    y: Annotated[
        int, {"label": "Rows", "tooltip": "Pixels averaged along y", "min": 1, "max": 1000}
    ] = 2
    x: Annotated[
        int, {"label": "Columns", "tooltip": "Pixels averaged along x", "min": 1, "max": 1000}
    ] = 2


@dataclass(frozen=True)
class Flip:
    """Mirror the map."""

    axis: Annotated[
        str,
        {
            "label": "Along",
            "tooltip": "y: top and bottom change places. x: left and right. The map keeps its place on the sample",
            "choices": ("y", "x", "both"),
        },
    ] = "y"


Settings = (
    Despike
    | BadPixels
    | Crop
    | Recalibrate
    | Baseline
    | Resample
    | Smooth
    | Normalize
    | CropMap
    | Bin
    | Flip
)
