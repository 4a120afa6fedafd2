"""Regions of interest from layers: drawn shapes, painted labels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_deeper.plugin.trust_maps import KEY as TRUST_MAP
from napari_deeper.spectra.errors import CubeError
from napari_deeper.spectra.regions import NO_AREA, Region, region_of_shape, regions_of_labels

if TYPE_CHECKING:
    from napari.layers import Labels, Layer, Shapes

KINDS = ("Shapes", "Labels")


def region_layers(layers: Iterable[Layer]) -> list[Layer]:
    """Return the layers that regions can be taken from, bottom first."""
    return [
        layer
        for layer in layers
        if type(layer).__name__ in KINDS and TRUST_MAP not in layer.metadata
    ]


def regions_from_layer(layer: Layer, unit: str) -> tuple[Region, ...]:
    """Return the regions of a Shapes or Labels layer, at their places on the canvas.

    Drawn on one channel, they count for all of them.

    Parameters
    ----------
    layer
        The layer.
    unit
        Of the cubes on the canvas: ``"um"`` or ``"pixel"``.

    Raises
    ------
    CubeError
        If it holds no region.
    """
    if type(layer).__name__ == "Labels":
        return _of_labels(layer, unit)
    return _of_shapes(layer, unit)


def _of_labels(layer: Labels, unit: str) -> tuple[Region, ...]:
    data = np.asarray(layer.data)
    # painted while a channel was shown, labels lie on that channel alone
    flat = data.reshape(-1, *data.shape[-2:]).max(axis=0)
    (dy, dx), (y, x) = layer.scale[-2:], layer.translate[-2:]
    try:
        return regions_of_labels(
            flat, origin=(float(y), float(x)), spacing=(float(dy), float(dx)), unit=unit,
            names=_label_names(layer),
        )  # fmt: skip
    except CubeError as error:
        raise CubeError(f"'{layer.name}': {error}") from error


def _label_names(layer: Labels) -> dict[int, str]:
    """Return the names that a layer's features give its values, as those of a class map do."""
    features = layer.features
    column = next((name for name in ("component", "name") if name in features), None)
    if column is None or "index" not in features:
        return {}
    pairs = zip(features["index"], features[column], strict=True)
    return {int(value): str(name) for value, name in pairs if str(name).strip()}


def shape_region(layer: Shapes, index: int, unit: str, name: str = "") -> Region | None:
    """Return the region of one shape, or None where it has no area (a line, a path)."""
    kind = str(layer.shape_type[index])
    if kind in NO_AREA:
        return None
    corners = [layer.data_to_world(corner) for corner in np.asarray(layer.data[index])]
    places = np.asarray(corners, dtype=np.float64)[:, -2:]
    return region_of_shape(name or f"ROI {index + 1}", kind, places, unit)


def _of_shapes(layer: Shapes, unit: str) -> tuple[Region, ...]:
    drawn = (shape_region(layer, i, unit, name) for i, name in enumerate(_names(layer)))
    found = tuple(region for region in drawn if region is not None)
    if not found:
        raise CubeError(
            f"'{layer.name}' holds no area. Draw a rectangle, an ellipse or a polygon on it."
        )
    return found


def _names(layer: Shapes) -> list[str]:
    """Return a name for each shape: its feature ``name`` where it has one, else ROI and its number."""
    given: list[Any] = [""] * len(layer.data)
    if "name" in layer.features:
        given = [value if isinstance(value, str) else "" for value in layer.features["name"]]
    names: list[str] = []
    for i, name in enumerate(given):
        named = name.strip() and name not in names
        names.append(name if named else f"ROI {i + 1}")
    return names
