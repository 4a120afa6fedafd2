"""What a figure is made of, as plain data: maps, marks on them, spectra and bars."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import CubeError, ParameterError
from napari_deeper.spectra.imaging_time import imaging_time_of

COLORMAPS = ("viridis", "inferno", "cividis", "magma", "gray")
WIDTHS = {"single": 85.0, "double": 178.0}  # mm, of the columns of most journals
# Okabe & Ito, as in the Spectra dock: none of the colors that components get. The target is black.
CUBE_COLORS = ("#E69F00", "#56B4E9", "#009E73", "#D55E00", "#CC79A7", "#0072B2", "#999999")
TARGET_COLOR = "#000000"
MOST_MAPS, MOST_CURVES, MOST_BARS = 24, 16, 24
Image = NDArray[np.float32]


@dataclass(frozen=True)
class FigureStyle:
    """How a figure is drawn."""

    width: Annotated[
        str,
        {
            "label": "Width",
            "tooltip": "Of the journal's column: single is 85 mm, double 178 mm",
            "choices": tuple(WIDTHS),
        },
    ] = "double"
    n_columns: Annotated[
        int,
        {
            "label": "Columns",
            "tooltip": "Maps in a row; 0: as fits",
            "min": 0,
            "max": 8,
        },
    ] = 0
    color_bars: Annotated[
        bool,
        {"label": "Color bars", "tooltip": "One for all maps that share a quantity and a contrast"},
    ] = True
    scale_bars: Annotated[
        bool, {"label": "Scale bars", "tooltip": "In um; in pixels where the pixel size is unknown"}
    ] = True
    times: Annotated[
        bool,
        {
            "label": "Imaging times",
            "tooltip": "In a corner of each map whose dwell time is known (min:s)",
        },
    ] = True
    arrows: Annotated[
        bool, {"label": "Arrows", "tooltip": "Point at the pixels whose spectra are shown"}
    ] = True
    letters: Annotated[bool, {"label": "Letters", "tooltip": "Name the panels a, b, c"}] = True
    uncertainty: Annotated[
        bool,
        {
            "label": "Uncertainty",
            "tooltip": "Shade one standard deviation around spectra that know it",
        },
    ] = True


@dataclass(frozen=True)
class Mark:
    """A place to point at: y and x in the unit of the maps, and its number."""

    y: float
    x: float
    label: str


@dataclass(frozen=True, eq=False)
class MapPanel:
    """A heatmap or a composite of colors.

    Parameters
    ----------
    title
        What it was made of: the cube's name. Maps of one title make a row.
    image
        (y, x) values, or (y, x, 3) colors from 0 to 1; NaN where there is no value.
    column
        What is shown of it. Maps of one column stand below each other.
    spacing, origin
        (y, x) between pixel centers and of the first one, in ``unit``.
    unit
        ``"um"``, or ``"pixel"`` where the pixel size is not known.
    quantity
        What the values are, with their unit; empty for a composite.
    limits
        Values at the ends of the color bar.
    colormap
        Name of a matplotlib color map, or (n, 3 or 4) colors from 0 to 1.
    contrast
        What sets maps of the same quantity apart that do not share their contrast: a dwell time.
    imaging
        Imaging time for the corner, or empty.
    colors
        ``(name, "#rrggbb")`` of what a composite is composed of.
    parts
        ``(name, (y, x))`` values behind a composite.
    about
        Where it comes from, as JSON types.
    """

    title: str
    image: Image
    column: str = ""
    spacing: tuple[float, float] = (1.0, 1.0)
    origin: tuple[float, float] = (0.0, 0.0)
    unit: str = "pixel"
    quantity: str = ""
    limits: tuple[float, float] = (0.0, 1.0)
    colormap: str | NDArray[np.floating] = "viridis"
    contrast: str = ""
    imaging: str = ""
    colors: tuple[tuple[str, str], ...] = ()
    parts: tuple[tuple[str, Image], ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        image = np.asarray(self.image, dtype=np.float32)
        if not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)) or not image.size:
            raise CubeError(
                f"The map '{self.title}' has shape {image.shape}, not (y, x) or (y, x, 3)."
            )
        object.__setattr__(self, "image", image)

    @property
    def is_composite(self) -> bool:
        """Whether it holds colors, not values."""
        return self.image.ndim == 3

    @property
    def size(self) -> tuple[float, float]:
        """(height, width) of the field, edge to edge, in ``unit``."""
        return self.image.shape[0] * self.spacing[0], self.image.shape[1] * self.spacing[1]

    @property
    def has_gaps(self) -> bool:
        """Whether some pixels have no value."""
        return not bool(np.isfinite(self.image).all())

    @property
    def scale_group(self) -> tuple[Any, ...] | None:
        """What maps with the same color bar have in common; None for a composite."""
        if self.is_composite:
            return None
        colors = self.colormap
        key = colors if isinstance(colors, str) else np.asarray(colors).tobytes()
        return self.column, self.quantity, self.contrast, self.limits, key

    def place(self, mark: Mark) -> tuple[float, float] | None:
        """Return (y, x) of a mark from the top left edge of the field, in ``unit``, or None outside it."""
        y = mark.y - self.origin[0] + self.spacing[0] / 2
        x = mark.x - self.origin[1] + self.spacing[1] / 2
        return (y, x) if 0 <= y <= self.size[0] and 0 <= x <= self.size[1] else None


@dataclass(frozen=True, eq=False)
class FigureCurve:
    """A spectrum: ``wavenumber`` and ``intensity`` (channel,), the mark it was read at, one sigma or None."""

    name: str
    wavenumber: NDArray[np.float64]
    intensity: NDArray[np.float32]
    color: str
    mark: str = ""
    uncertainty: NDArray[np.float32] | None = None


@dataclass(frozen=True, eq=False)
class SpectraPanel:
    """Curves one above the other, the first on top; ``unit`` of their intensity; bands (low, high) to shade."""

    curves: tuple[FigureCurve, ...]
    unit: str = "arb. units"
    bands: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Bar:
    """One method's figure and its 95 % interval (NaN where there is none)."""

    name: str
    value: float
    interval: tuple[float, float] = (float("nan"), float("nan"))
    color: str = "#4477AA"


@dataclass(frozen=True)
class BarsPanel:
    """A measure of several methods; ``better`` is ``"lower"``, ``"higher"`` or empty."""

    measure: str
    bars: tuple[Bar, ...]
    unit: str = ""
    better: str = ""


@dataclass(frozen=True, eq=False)
class Figure:
    """A figure as plain data, to be drawn by `draw_figure` and written by `write_figure`.

    Parameters
    ----------
    maps
        In reading order, 24 at most.
    marks
        Places to point at, in the unit of the maps.
    spectra
        Curves, or None.
    metrics
        One panel per measure.
    notes
        What a reader must know, one sentence each; drawn below.
    remarks
        What else is known, one sentence each; kept with the data.

    Raises
    ------
    ParameterError
        If there is nothing in it, or more than can be read.
    """

    maps: tuple[MapPanel, ...] = ()
    marks: tuple[Mark, ...] = ()
    spectra: SpectraPanel | None = None
    metrics: tuple[BarsPanel, ...] = ()
    notes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n_curves = len(self.spectra.curves) if self.spectra else 0
        if not (self.maps or n_curves or self.metrics):
            raise ParameterError(
                "There is nothing to draw: show a map or pin a pixel first (or give a cube)."
            )
        _check_number(len(self.maps), MOST_MAPS, "maps", "Hide layers, or make several figures.")
        _check_number(n_curves, MOST_CURVES, "spectra", "Pin fewer pixels, or hide cubes.")
        n_bars = max((len(panel.bars) for panel in self.metrics), default=0)
        _check_number(n_bars, MOST_BARS, "bars of one measure", "Leave some methods out.")


def _check_number(n: int, most: int, what: str, remedy: str) -> None:
    if n > most:
        raise ParameterError(f"A figure can hold {most} {what}; these are {n}. {remedy}")


def shared_limits(images: list[Image], percentile: float = 99.5) -> tuple[float, float]:
    """Return limits for all these maps that a few bright or dead pixels do not decide."""
    values = np.concatenate([image[np.isfinite(image)].ravel() for image in images])
    if values.size == 0:
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(values, (100 - percentile, percentile)))
    return (low, high) if high > low else (low, low + 1.0)


def dwell_of(cube: RamanCube) -> float | None:
    """Return the dwell time of a cube in s, where it is known."""
    time = imaging_time_of(cube)
    return time.dwell_s if time else None


def about(cube: RamanCube) -> dict[str, Any]:
    """Return where a panel comes from, as JSON types; the axis by its ends."""
    header = cube.header()
    axis = header.pop("wavenumber")
    return header | {"wavenumber": [axis[0], axis[-1]], "n_channels": len(axis)}


def typeset(text: str) -> str:
    """Return a text with its units as they are printed: cm⁻¹, and a dash between numbers."""
    printed = text.replace("cm-1", "cm⁻¹")
    for digit in "0123456789":
        printed = printed.replace(f"{digit}-", f"{digit}–")
    return printed
