"""Difference maps as layers: candidate less target, zero in the middle of a diverging colormap."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_deeper.engine.compare_scores import DifferenceMap
from napari_deeper.plugin.layers import put_below_markers

if TYPE_CHECKING:
    import napari
    from napari.layers import Image

KEY = "napari_deeper_difference"
# Blue is less than the target, red is more, white the same; told apart with every kind of color vision
# (after Paul Tol's diverging scheme).
_COLORS = (
    "#2166AC", "#4393C3", "#92C5DE", "#D1E5F0", "#F7F7F7", "#FDDBC7", "#F4A582", "#D6604D", "#B2182B",
)  # fmt: skip
_PERCENTILE = 99.5
_ROUND = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


def diverging_colormap() -> Any:
    """Return the colormap of difference maps; what was not compared is gray."""
    from napari.utils.colormaps import Colormap

    return Colormap(list(_COLORS), name="difference", nan_color="#808080")


def shared_limit(maps: Sequence[DifferenceMap]) -> float:
    """Return the largest difference shown, the same for all maps: a round number that a few pixels do not decide."""
    values = np.concatenate([np.abs(m.difference[np.isfinite(m.difference)]) for m in maps])
    limit = float(np.percentile(values, _PERCENTILE)) if values.size else 0.0
    if not limit > 0:
        return 1.0
    decade = 10.0 ** math.floor(math.log10(limit))
    return next(step * decade for step in _ROUND if step * decade >= limit * (1 - 1e-9))


def show_differences(
    viewer: napari.Viewer, maps: Sequence[DifferenceMap], target: str, band: str = ""
) -> Iterator[None]:
    """Add a layer for each map in turn, or bring the one of its candidate up to date; all share their limits.

    Parameters
    ----------
    viewer, maps
        Where to, and what.
    target
        Name of what was taken off.
    band
        Of the maps, for their names; empty for all channels.
    """
    limit = shared_limit(maps)
    shown: list[Image] = []
    for each in maps:
        shown.append(_show(viewer, each, target, limit, band))
        yield
    for layer in shown:  # one bar tells for all
        layer.colorbar.visible = layer is shown[-1]


def difference_layers(viewer: napari.Viewer) -> list[Image]:
    """Return the layers that show differences, bottom first."""
    return [layer for layer in viewer.layers if KEY in layer.metadata]


def _show(
    viewer: napari.Viewer, found: DifferenceMap, target: str, limit: float, band: str
) -> Image:
    name = f"Δ {found.candidate}{f', {band}' if band else ''}"
    key = [found.candidate, target]
    old = next((la for la in viewer.layers if la.metadata.get(KEY) == key), None)
    if old is not None and old.data.shape == found.difference.shape:
        old.data, old.name = found.difference, name
        old.translate, old.scale = found.origin, found.spacing
        old.contrast_limits_range = old.contrast_limits = (-limit, limit)
        return old
    if old is not None:
        viewer.layers.remove(old)
    active = viewer.layers.selection.active
    layer = viewer.add_image(
        found.difference,
        name=name,
        scale=found.spacing,
        translate=found.origin,
        units=(found.unit, found.unit),
        axis_labels=("y", "x"),
        colormap=diverging_colormap(),
        contrast_limits=(-limit, limit),
        metadata={KEY: key},
    )
    put_below_markers(viewer.layers)
    viewer.layers.selection.active = active
    return layer
