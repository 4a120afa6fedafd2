"""What the canvas says of the cube on it: the wavenumber of the slider or what its heatmap shows, and a scale bar."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_deeper.plugin.layers import (
    ENDMEMBERS,
    SHOWS,
    SOURCE,
    channel_at_slider,
    cube_layers,
    dwell_time,
    is_cube,
    is_stored,
    stored_image,
    time_behind_layer,
    wavenumbers,
)
from napari_deeper.plugin.stored_image import in_gb
from napari_deeper.spectra.imaging_time import FROM_HOURS, format_speed_up, imaging_time

if TYPE_CHECKING:
    import napari
    from napari.layers import Layer

FIRST_SHOWN = 1450.0  # cm-1: CH2 bending, strong in every cell


def own_viewer(napari_viewer: napari.Viewer) -> napari.Viewer:
    """Return the viewer behind the proxy that napari hands to docks, whose layers are not the same objects."""
    viewer: napari.Viewer = getattr(napari_viewer, "__wrapped__", napari_viewer)
    return viewer


def follow_current_viewer() -> None:
    """Follow the viewer that is open, if any (a reader is told of no viewer, and may run without napari)."""
    napari = sys.modules.get("napari")
    viewer = napari.current_viewer() if napari is not None else None
    if viewer is not None:
        follow(viewer)


def follow(viewer: napari.Viewer) -> None:
    """Show the wavenumber of the slider and a scale bar in this viewer from now on; calling again changes nothing."""
    if getattr(viewer.layers, "_deeper_follows", None) is None:
        _Follower(viewer)


def current_cube(viewer: napari.Viewer) -> Layer | None:
    """Return the layer that all docks speak of: the active cube, else the topmost visible one."""
    active = viewer.layers.selection.active
    if is_cube(active):
        return active
    cubes = cube_layers(viewer.layers)
    visible = [layer for layer in cubes if layer.visible]
    return (visible or cubes or [None])[-1]


def show_wavenumber(viewer: napari.Viewer, wavenumber: float) -> None:
    """Move the slider to the channel of the current cube nearest to a wavenumber, cm-1."""
    layer = current_cube(viewer)
    if layer is None:
        return
    channel = int(np.abs(wavenumbers(layer) - wavenumber).argmin())
    position = float(layer.translate[0] + channel * layer.scale[0])
    viewer.dims.set_point(viewer.dims.ndim - 3, position)


def describe_time(layer: Layer, cubes: Sequence[Layer]) -> str:
    """Return the imaging time of a cube layer, with its speed-up where another cube gives a reference.

    Empty where the dwell time is not known. The speed-up is that over the same pixels, each measured
    for the longest dwell time among the cubes, which is named.
    """
    time = time_behind_layer(layer)
    if time is None:
        return ""
    unit = "min:s" if time.seconds < FROM_HOURS else "h:min:s"
    told = f"imaging time {time} {unit}" if time.seconds >= 0.5 else f"imaging time {time}"
    dwell = max(dwell_time(cube) or 0.0 for cube in (layer, *cubes))
    n_y, n_x = layer.data.shape[-2:]
    factor = time.speed_up(imaging_time(n_y, n_x, dwell))
    return (
        told if factor < 1.05 else f"{told}, {format_speed_up(factor)} faster than at {dwell:g} s"
    )


class _Follower:
    """Keeps one viewer's text and scale bar in step; lives as long as its layer list."""

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = viewer
        self._seen_cube = bool(cube_layers(viewer.layers))
        object.__setattr__(viewer.layers, "_deeper_follows", self)
        viewer.canvas.overlays.text.position = "top_left"  # the scale bar is at the bottom right
        viewer.dims.events.current_step.connect(self._refresh)
        viewer.layers.selection.events.active.connect(self._refresh)
        viewer.canvas.grid.events.enabled.connect(self._refresh)
        viewer.layers.events.inserted.connect(self._on_inserted)
        viewer.layers.events.removed.connect(self._on_layers)
        viewer.layers.events.renamed.connect(self._refresh)
        viewer.layers.events.reordered.connect(self._refresh)
        for layer in viewer.layers:
            layer.events.visible.connect(self._refresh)
            self._keep_fresh(layer)
        self._refresh()

    def _keep_fresh(self, layer: Layer) -> None:
        if is_stored(layer):
            # Qt is loaded only where there is a window
            from napari_deeper.plugin.stored_refresh import Refresher

            Refresher(self._viewer, layer, self._refresh)

    def _on_inserted(self, event: Any) -> None:
        event.value.events.visible.connect(self._refresh)
        self._keep_fresh(event.value)
        self._on_layers(event)

    def _on_layers(self, event: Any = None) -> None:
        layer = getattr(event, "value", None)
        if layer is not None and SHOWS in layer.metadata:
            layer.events.visible.connect(self._refresh)
        cubes = cube_layers(self._viewer.layers)
        if cubes and not self._seen_cube:
            axis = wavenumbers(cubes[-1])
            if axis[0] <= FIRST_SHOWN <= axis[-1]:
                show_wavenumber(self._viewer, FIRST_SHOWN)
        self._seen_cube = bool(cubes)
        self._refresh()

    def _refresh(self, event: Any = None) -> None:
        viewer = self._viewer
        layer = current_cube(viewer)
        overlays = viewer.canvas.overlays
        overlays.text.visible = layer is not None
        overlays.scale_bar.visible = layer is not None
        if layer is None or viewer.dims.ndim < 3:
            return
        place, layer = self._describe(layer)
        time = describe_time(layer, cube_layers(viewer.layers))
        image = stored_image(layer)
        disk = "" if image is None else f"{in_gb(image.stored.n_bytes)} on disk"
        if image is not None and image.loading:
            disk += ", loading"
        # side by side each cell has the name of its own
        lines = [place] if viewer.canvas.grid.enabled else [place, layer.name, time, disk]
        overlays.text.text = "\n".join(line for line in lines if line)

    def _describe(self, layer: Layer) -> tuple[str, Layer]:
        """Return what the canvas shows, and of which cube: the topmost map, else the channel of the slider."""
        for above in reversed(self._viewer.layers):
            if above is layer:
                break
            shows, source = above.metadata.get(SHOWS), above.metadata.get(SOURCE)
            if not above.visible or source is None:
                continue
            if ENDMEMBERS in above.metadata:
                return above.name.removesuffix(f", {source.name}"), source
            if shows:
                unit = f" ({shows['unit']})" if shows["unit"] else ""
                return f"{shows['label']}{unit}", source
        channel = channel_at_slider(layer, self._viewer)
        axis = wavenumbers(layer)
        place = f"{axis[channel]:.1f} cm-1 (channel {channel + 1} of {axis.size})"
        return place, layer
