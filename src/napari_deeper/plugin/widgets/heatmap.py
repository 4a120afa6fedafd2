"""Heatmap layers of a band that follow the plot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_deeper.plugin.layers import (
    contrast_limits,
    dwell_time,
    put_below_markers,
    wavenumbers,
)
from napari_deeper.processing.bands import band_mean
from napari_deeper.spectra.errors import AxisError

if TYPE_CHECKING:
    import napari
    from napari.layers import Image

KEY = "napari_deeper_heatmap"
Heatmap = NDArray[np.float32]


class Heatmaps:
    """One 2D layer per cube layer; cubes of one dwell time share one contrast, so that results compare honestly."""

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = viewer

    def layer_of(self, source: Image) -> Image | None:
        """Return the heatmap layer of a cube layer, if it is there."""
        for layer in self._viewer.layers:
            if layer.metadata.get(KEY) is source:
                return layer
        return None

    def update(self, sources: Sequence[Image], low: float, high: float) -> list[str]:
        """Show the mean over a band (cm-1) of each cube layer; return why a cube has no heatmap, if any."""
        groups: dict[object, list[tuple[Image, Heatmap]]] = {}
        problems = []
        for source in sources:
            try:
                cube_order = np.moveaxis(source.data, 0, 2)
                image = band_mean(cube_order, wavenumbers(source), low, high)
            except AxisError as error:
                problems.append(f"{source.name}: {error}")
                continue
            groups.setdefault(dwell_time(source), []).append((source, image))
        for group in groups.values():
            limits = contrast_limits(np.concatenate([image.ravel() for _, image in group]), 99.5)
            for source, image in group:
                self._show(source, image, f"{low:.0f}-{high:.0f} cm-1, {source.name}", limits)
        return problems

    def remove(self, keep: Sequence[Image] = ()) -> None:
        """Take away the heatmaps, but for those of these cube layers."""
        for layer in list(self._viewer.layers):
            source = layer.metadata.get(KEY)
            # the removal of one may have led to that of another meanwhile
            if source is not None and source not in keep and layer in self._viewer.layers:
                self._viewer.layers.remove(layer)

    def _show(self, source: Image, image: Heatmap, name: str, limits: tuple[float, float]) -> None:
        layer = self.layer_of(source)
        if layer is not None:
            layer.data = image
            layer.contrast_limits_range = limits
            layer.contrast_limits = limits
            layer.name = name
            return
        layers = self._viewer.layers
        active = layers.selection.active
        self._viewer.add_image(
            image,
            name=name,
            scale=source.scale[-2:],
            translate=source.translate[-2:],
            units=source.units[-2:],
            axis_labels=("y", "x"),
            colormap="inferno",
            contrast_limits=limits,
            metadata={KEY: source},
        )
        put_below_markers(layers)
        layers.selection.active = active  # the cube stays the layer that the docks speak of
