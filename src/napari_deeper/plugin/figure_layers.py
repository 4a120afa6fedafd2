"""What one layer would be in a figure."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.engine.figure_heatmaps import name_heatmap
from napari_deeper.engine.figure_parts import COLORMAPS, MapPanel, typeset
from napari_deeper.plugin.component_layers import CLASSES, DRAWN, RESIDUAL, SHOWS
from napari_deeper.plugin.difference_maps import KEY as DIFFERENCE
from napari_deeper.plugin.layers import (
    COMPONENT,
    ENDMEMBERS,
    KEY,
    SOURCE,
    channel_at_slider,
    dwell_time,
    is_cube,
    stored_image,
    wavenumbers,
)
from napari_deeper.plugin.layers import SHOWS as HEATMAP_SHOWS
from napari_deeper.plugin.stored_image import on_disk
from napari_deeper.plugin.trust_maps import KEY as TRUST
from napari_deeper.plugin.widgets.heatmap import KEY as HEATMAP

if TYPE_CHECKING:
    import napari
    from napari.layers import Layer


@dataclass(frozen=True, eq=False)
class LayerMap:
    """The panel of a layer; ``wanted`` at first; ``shares_contrast`` with others of its quantity."""

    panel: MapPanel
    wanted: bool = True
    shares_contrast: bool = False


def map_of_layer(layer: Layer, viewer: napari.Viewer) -> LayerMap | str:
    """Return the map that a layer shows, or why it cannot be in a figure (empty: it is no picture)."""
    kind = type(layer).__name__
    image = stored_image(layer)
    if image is not None:
        return on_disk(layer.name, image.stored.n_bytes)
    if is_cube(layer):
        return _of_cube(layer, viewer)
    if kind == "Labels" and layer.metadata.get(SHOWS) == CLASSES:
        return _of_classes(layer)
    if kind != "Image":
        return ""
    if layer.rgb and layer.ndim == 2:
        return _of_colors(layer)
    if layer.ndim != 2 or (layer.multiscale and HEATMAP not in layer.metadata):
        return f"'{layer.name}' is no cube with wavenumbers and no flat image: not in the figure."
    return _of_values(layer)


def _of_cube(layer: Layer, viewer: napari.Viewer) -> LayerMap:
    channel = channel_at_slider(layer, viewer)
    column = f"{wavenumbers(layer)[channel]:.0f} cm⁻¹"
    image = np.asarray(layer.data[channel], dtype=np.float32)
    made = any(source_of(other) is layer for other in viewer.layers if other.visible)
    panel = _place(layer, layer, image, column, f"Intensity ({_unit_of(layer)})")
    # what was made of a cube on purpose is shown in place of the channel that the slider is at
    return LayerMap(panel, wanted=not made, shares_contrast=True)


def _of_values(layer: Layer) -> LayerMap:
    source = source_of(layer)
    # the heatmap of a cube on disk has levels
    image = np.asarray(layer.data[0] if layer.multiscale else layer.data, dtype=np.float32)
    unit = _unit_of(source)
    what = str(layer.metadata.get(SHOWS, ""))
    if source is not None and HEATMAP in layer.metadata:
        column, quantity = typeset(_without_name(layer, source)), f"Intensity ({unit})"
        told = layer.metadata.get(HEATMAP_SHOWS)
        if isinstance(told, dict):
            column, quantity = name_heatmap(told["measure"], told["label"], told["unit"])
        panel = _place(layer, source, image, column, quantity)
        if quantity == "Ratio" or ("cm⁻¹)" in quantity and "·" not in quantity):
            # what does not grow with the dwell time compares between all cubes
            panel = dataclasses.replace(panel, contrast="")
        return LayerMap(panel, shares_contrast=True)
    if source is not None and ENDMEMBERS in layer.metadata and COMPONENT in layer.metadata:
        name = layer.metadata[ENDMEMBERS].names[layer.metadata[COMPONENT]]
        return LayerMap(_place(layer, source, image, name, "Abundance"))
    if what == RESIDUAL:
        return LayerMap(_place(layer, source, image, "Left over", f"Residual ({unit})"))
    if DIFFERENCE in layer.metadata:
        return LayerMap(_place(layer, None, image, "", "Difference (result − target)"))
    if source is not None:  # an uncertainty
        column = typeset(_without_name(layer, source))
        return LayerMap(_place(layer, source, image, column, f"One sigma ({unit})"))
    return LayerMap(_place(layer, None, image, "", "Value"))


def _of_colors(layer: Layer) -> LayerMap:
    colors = np.asarray(layer.data)
    most = 255.0 if colors.dtype.kind in "ui" else 1.0
    image = np.array(colors[..., :3], dtype=np.float32) / np.float32(most)
    if colors.shape[-1] == 4:
        image[colors[..., 3] == 0] = np.nan
    source = source_of(layer)
    column = "Components" if source is not None else ""
    return LayerMap(_place(layer, source, image, column, "", colors=_key_of(layer)))


def _of_classes(layer: Layer) -> LayerMap:
    labels = np.asarray(layer.data)
    found = np.asarray(layer.colormap.map(labels), dtype=np.float32)
    image = found[..., :3].copy()
    image[found[..., 3] == 0] = np.nan
    panel = _place(layer, source_of(layer), image, "Classes", "", colors=_key_of(layer))
    return LayerMap(panel)


def _key_of(layer: Layer) -> tuple[tuple[str, str], ...]:
    endmembers = layer.metadata.get(ENDMEMBERS)
    if endmembers is None:
        return ()
    # of a composite those left out are black, and so is what surrounds the sample
    colors = layer.metadata.get(DRAWN, endmembers.colors)
    return tuple(zip(endmembers.names, colors, strict=True))


def _place(
    layer: Layer,
    source: Layer | None,
    image: NDArray[np.float32],
    column: str,
    quantity: str,
    colors: tuple[tuple[str, str], ...] = (),
) -> MapPanel:
    """Return the panel of an image that lies where a layer is, by the name of the cube it was made of."""
    known = source is not None and is_cube(source)
    seconds = dwell_time(source) if known and source is not None else None
    low, high = getattr(layer, "contrast_limits", (0.0, 1.0))
    header = dict(source.metadata[KEY]) if known and source is not None else {}
    header.pop("wavenumber", None)
    return MapPanel(
        source.name if source is not None else layer.name,
        image,
        column,
        (float(layer.scale[-2]), float(layer.scale[-1])),
        (float(layer.translate[-2]), float(layer.translate[-1])),
        _length_unit(layer),
        quantity,
        (float(low), float(high)),
        _colors_of(layer),
        f"{seconds:g} s" if seconds else "",
        colors=colors,
        about={"layer": layer.name, **header},
    )


def _length_unit(layer: Layer) -> str:
    unit = str(layer.units[-1])
    return "um" if unit in ("um", "µm", "micrometer", "micron") else "pixel"


def _colors_of(layer: Layer) -> Any:
    colormap = getattr(layer, "colormap", None)
    # "inferno, gray where missing" is inferno: what is missing is hatched in a figure
    name = str(getattr(colormap, "name", "")).split(",")[0]
    if name in COLORMAPS or type(layer).__name__ != "Image" or colormap is None:
        return name if name in COLORMAPS else "viridis"
    return np.asarray(colormap.map(np.linspace(0, 1, 256)), dtype=np.float64)


def source_of(layer: Layer) -> Any:
    """Return the cube layer that a layer was made of, or None."""
    for key in (SOURCE, HEATMAP, TRUST):
        source = layer.metadata.get(key)
        if source is not None and is_cube(source):
            return source
    return None


def _without_name(layer: Layer, source: Layer) -> str:
    """Return the name of a layer less that of the cube it was made of."""
    name = str(layer.name).replace(f", {source.name}", "").removesuffix(f" · {source.name}")
    return name.strip(" ,")


def _unit_of(layer: Any) -> str:
    if layer is None or not is_cube(layer):
        return "arb. units"
    told = layer.metadata[KEY].get("metadata", {}).get("intensity_unit")
    return str(told or "arb. units")
