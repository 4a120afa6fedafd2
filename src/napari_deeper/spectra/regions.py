"""Region: a named part of the sample, as an outline or as labeled pixels, wherever cubes lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_deeper.spectra.cube import Pair
from napari_deeper.spectra.errors import CubeError

Flags = NDArray[np.bool_]
Places = NDArray[np.float64]

# Drawn shapes that enclose nothing.
NO_AREA = ("line", "path")
# Corners of the polygon that stands for an ellipse: within 0.1 % of its area.
_ELLIPSE_CORNERS = 96


@dataclass(frozen=True, eq=False)
class Region:
    """A part of the sample. Give it an outline, or labeled pixels with their place.

    Parameters
    ----------
    name
        Shown to the user.
    outline
        (corner, 2): y, x of the corners of a polygon, which is closed by itself.
    mask
        (y, x), True inside; instead of an outline.
    origin, spacing
        Of the mask: place of the center of pixel (0, 0), and (dy, dx) between pixels.
    unit
        Of places: ``"um"``, or ``"pixel"`` where cubes have no pixel size.

    Raises
    ------
    CubeError
        If there are not both an area and a name, or numbers are missing.
    """

    name: str
    outline: Places | None = None
    mask: Flags | None = None
    origin: Pair = (0.0, 0.0)
    spacing: Pair = (1.0, 1.0)
    unit: str = "um"

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise CubeError("A region needs a name.")
        if (self.outline is None) == (self.mask is None):
            raise CubeError(f"Region '{self.name}' needs an outline or a mask, and not both.")
        if self.outline is not None:
            corners = np.asarray(self.outline, dtype=np.float64)
            if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 3:
                raise CubeError(
                    f"The outline of region '{self.name}' is {corners.shape}; it needs at least three "
                    "corners (y, x). A line or a point has no area."
                )
            if not np.isfinite(corners).all():
                raise CubeError(f"The outline of region '{self.name}' holds NaN or infinity.")
            object.__setattr__(self, "outline", corners)
        if self.mask is not None:
            mask = np.ascontiguousarray(self.mask, dtype=bool)
            if mask.ndim != 2 or not mask.any():
                raise CubeError(f"The mask of region '{self.name}' is not (y, x), or is empty.")
            object.__setattr__(self, "mask", mask)

    def contains(self, y: ArrayLike, x: ArrayLike) -> Flags:
        """Tell which places lie inside.

        Parameters
        ----------
        y, x
            Places in `unit`, of shapes that broadcast.
        """
        at_y, at_x = np.asarray(y, dtype=np.float64), np.asarray(x, dtype=np.float64)
        if self.outline is not None:
            return _inside(self.outline, at_y, at_x)
        assert self.mask is not None
        row = np.floor((at_y - self.origin[0]) / self.spacing[0] + 0.5)
        column = np.floor((at_x - self.origin[1]) / self.spacing[1] + 0.5)
        n_y, n_x = self.mask.shape
        there = (row >= 0) & (row < n_y) & (column >= 0) & (column < n_x)
        rows = np.clip(row, 0, n_y - 1).astype(np.intp)
        columns = np.clip(column, 0, n_x - 1).astype(np.intp)
        return np.asarray(self.mask[rows, columns] & there)

    def bounds(self) -> tuple[Pair, Pair]:
        """Return the (low, high) of y and of x between which it lies."""
        if self.outline is not None:
            low, high = self.outline.min(axis=0), self.outline.max(axis=0)
        else:
            assert self.mask is not None
            pixels = np.argwhere(self.mask)
            start, step = np.asarray(self.origin), np.asarray(self.spacing)
            low = start + (pixels.min(axis=0) - 0.5) * step
            high = start + (pixels.max(axis=0) + 0.5) * step
        return (float(low[0]), float(high[0])), (float(low[1]), float(high[1]))


def region_of_shape(name: str, kind: str, corners: ArrayLike, unit: str = "um") -> Region:
    """Return the region of a drawn shape.

    Parameters
    ----------
    name
        Of the region.
    kind
        ``"ellipse"``: the corners are those of the rectangle around it; else they are a polygon's. The
        kinds in `NO_AREA` are no regions.
    corners
        (corner, 2): y, x.
    unit
        As in `Region`.
    """
    box = np.asarray(corners, dtype=np.float64)
    if kind != "ellipse" or box.shape != (4, 2):
        return Region(name, box, unit=unit)
    middle = box.mean(axis=0)
    across, along = (box[1] - box[0]) / 2, (box[3] - box[0]) / 2
    turn = np.linspace(0, 2 * np.pi, _ELLIPSE_CORNERS, endpoint=False)
    outline = middle + np.cos(turn)[:, None] * across + np.sin(turn)[:, None] * along
    return Region(name, outline, unit=unit)


def regions_of_labels(
    labels: NDArray[np.integer],
    *,
    origin: Pair = (0.0, 0.0),
    spacing: Pair = (1.0, 1.0),
    unit: str = "um",
    names: Mapping[int, str] | None = None,
) -> tuple[Region, ...]:
    """Return a region for each value but 0 of an image of labels.

    Parameters
    ----------
    labels
        (y, x), whole numbers; 0 is no region.
    origin, spacing, unit
        As in `Region`.
    names
        Of values; the others are called ``label 1`` and so on.

    Raises
    ------
    CubeError
        If it is not a (y, x) image of whole numbers, or holds no label.
    """
    values = np.asarray(labels)
    if values.ndim != 2 or values.dtype.kind not in "iub":
        raise CubeError(
            f"Labels must be a (y, x) image of whole numbers, not {values.dtype} {values.shape}."
        )
    found = [int(value) for value in np.unique(values) if value != 0]
    if not found:
        raise CubeError("The labels hold no region: every pixel is 0. Paint some first.")
    called = names or {}
    return tuple(
        Region(
            called.get(value, f"label {value}"), mask=values == value, origin=origin,
            spacing=spacing, unit=unit,
        )
        for value in found
    )  # fmt: skip


def _inside(corners: Places, y: Places, x: Places) -> Flags:
    """Tell by the even-odd rule which places a polygon holds; one edge at a time, for any number of places."""
    inside = np.zeros(np.broadcast_shapes(y.shape, x.shape), dtype=bool)
    for (y1, x1), (y2, x2) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y1 == y2:
            continue
        crosses = (y1 > y) != (y2 > y)
        inside ^= crosses & (x < x1 + (y - y1) * (x2 - x1) / (y2 - y1))
    return inside
