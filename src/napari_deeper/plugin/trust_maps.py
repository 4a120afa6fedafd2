"""Where a result is uncertain and where it is flagged, as layers over it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_deeper.plugin.layers import (
    FLAGGED,
    UNCERTAINTY,
    cube_layers,
    put_below_markers,
    stored_image,
    wavenumbers,
)
from napari_deeper.plugin.stored_image import on_disk
from napari_deeper.processing.bands import band_mean
from napari_deeper.spectra.errors import AxisError

if TYPE_CHECKING:
    import napari
    from napari.layers import Image, Labels, Layer

KEY = "napari_deeper_trust_of"
FLAG_COLOR = "#00E5FF"  # cyan is in none of viridis, inferno, magma and gray
NO_TRUST = "This layer has no uncertainty and no flags: results of Enhance may have them, measured cubes do not."


def trust_layer(viewer: napari.Viewer, source: Layer, kind: str) -> Any:
    """Return the layer that shows the `kind` (`UNCERTAINTY` or `FLAGGED`) of a cube layer, or None."""
    for layer in viewer.layers:
        if layer.metadata.get(KEY) is source and layer.metadata.get("shows") == kind:
            return layer
    return None


def show_trust(viewer: napari.Viewer, source: Image, low: float, high: float) -> str:
    """Add the uncertainty of a band (cm-1) and the flagged pixels of a cube layer as layers; say what was done.

    Those that are there already are brought up to date, and into sight.
    """
    image = stored_image(source)
    if image is not None and image.stored.trust:
        return on_disk(source.name, image.stored.n_bytes)
    if UNCERTAINTY not in source.metadata and FLAGGED not in source.metadata:
        return NO_TRUST
    told = []
    if UNCERTAINTY in source.metadata:
        try:
            show_uncertainty(viewer, source, low, high).visible = True
            told.append(f"Uncertainty of {low:.0f}-{high:.0f} cm-1 is shown as a layer.")
        except AxisError as error:
            told.append(str(error))
    if FLAGGED in source.metadata:
        told.append(show_flagged(viewer, source))
    return " ".join(told)


def show_uncertainty(viewer: napari.Viewer, source: Image, low: float, high: float) -> Image:
    """Show one sigma of a band's mean (cm-1): the mean over its channels, as if their errors all went together.

    Raises
    ------
    AxisError
        If the band lies outside the axis.
    """
    sigma = band_mean(source.metadata[UNCERTAINTY], wavenumbers(source), low, high)
    top = float(np.nanpercentile(sigma, 99.5)) if np.isfinite(sigma).any() else 0.0
    limits = (0.0, top if top > 0 else 1.0)
    name = f"{low:.0f}-{high:.0f} cm-1, {source.name} · uncertainty"
    layer = trust_layer(viewer, source, UNCERTAINTY)
    if layer is not None:
        layer.data, layer.name = sigma, name
        layer.contrast_limits_range = limits
        layer.contrast_limits = limits
        return layer
    active = viewer.layers.selection.active
    layer = viewer.add_image(
        sigma, name=name, colormap="magma", contrast_limits=limits, **_placed(source, UNCERTAINTY)
    )
    put_below_markers(viewer.layers)
    viewer.layers.selection.active = active
    return layer


def show_flagged(viewer: napari.Viewer, source: Image) -> str:
    """Show the flagged pixels of a cube layer as labels, and say how many there are."""
    flagged = source.metadata[FLAGGED]
    n_flagged = int(flagged.sum())
    if n_flagged == 0:
        return "No pixel is flagged."
    layer = trust_layer(viewer, source, FLAGGED)
    if layer is None:
        _add_flagged(viewer, source).editable = False
    else:
        layer.visible = True
    return f"{n_flagged} flagged pixel{'s are' if n_flagged > 1 else ' is'} shown in cyan."


def _add_flagged(viewer: napari.Viewer, source: Image) -> Labels:
    active = viewer.layers.selection.active
    layer = viewer.add_labels(
        source.metadata[FLAGGED].astype(np.uint8),
        name=f"{source.name} · flagged",
        colormap={None: "transparent", 1: FLAG_COLOR},
        opacity=0.8,
        **_placed(source, FLAGGED),
    )
    put_below_markers(viewer.layers)
    viewer.layers.selection.active = active
    return layer


def _placed(source: Image, kind: str) -> dict[str, Any]:
    return {
        "scale": source.scale[-2:],
        "translate": source.translate[-2:],
        "units": source.units[-2:],
        "axis_labels": ("y", "x"),
        "metadata": {KEY: source, "shows": kind},
    }


def follow_band(viewer: napari.Viewer, low: float, high: float) -> None:
    """Bring the uncertainties that are shown to another band, as far as it lies on their axes."""
    for source in cube_layers(viewer.layers):
        if trust_layer(viewer, source, UNCERTAINTY) is not None:
            try:
                show_uncertainty(viewer, source, low, high)
            except AxisError:
                continue


def drop_orphans(viewer: napari.Viewer) -> None:
    """Take away what shows the trust of a cube that is gone."""
    for layer in list(viewer.layers):
        source = layer.metadata.get(KEY)
        # the removal of one may have led to that of another meanwhile
        if source is not None and source not in viewer.layers and layer in viewer.layers:
            viewer.layers.remove(layer)
