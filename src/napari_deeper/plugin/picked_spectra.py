"""Spectra that the user points at: of the pinned pixel, or the mean of a drawn region."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Shapes
from numpy.typing import NDArray

from napari_deeper.plugin.layers import is_stored, reading_of, spectrum_at
from napari_deeper.plugin.regions import shape_region
from napari_deeper.spectra.errors import CubeError

Place = tuple[float, float]
_MOST_STORED = 10_000  # pixels of a region that are read from disk while the window waits


def pinned_place(viewer: Any) -> Place:
    """Return the place (y, x) in world units that the Spectra dock marks, the last of several.

    Raises
    ------
    CubeError
        If none is marked.
    """
    for layer in viewer.layers:
        places = getattr(layer.metadata.get("marks_of"), "places", None)
        if places:
            y, x = places[-1]
            return float(y), float(x)
    raise CubeError("No pixel is pinned. Click one in the image while the Spectra dock is open.")


def pixel_spectrum(layer: Any, place: Place) -> NDArray[np.float32]:
    """Return the spectrum (channel,) of a cube layer at a place.

    Raises
    ------
    CubeError
        If the place lies outside it.
    """
    spectrum = spectrum_at(layer, place, 0.0)
    if spectrum is None:
        raise CubeError(
            f"The pinned pixel (y {place[0]:.1f}, x {place[1]:.1f}) lies outside '{layer.name}'."
        )
    return spectrum


def region_layer(viewer: Any) -> Any:
    """Return the Shapes layer that is meant: the active one, else the only one.

    Raises
    ------
    CubeError
        If there is none, or several of which none is active.
    """
    active = viewer.layers.selection.active
    if isinstance(active, Shapes):
        return active
    found = [layer for layer in viewer.layers if isinstance(layer, Shapes)]
    if not found:
        raise CubeError("No region is drawn. Add a Shapes layer and draw a polygon or an ellipse.")
    if len(found) > 1:
        raise CubeError("There are several Shapes layers: make the one that is meant active.")
    return found[0]


def region_spectrum(layer: Any, shapes: Any) -> tuple[NDArray[np.float32], int]:
    """Return the mean spectrum (channel,) of the pixels of a cube layer inside the shapes, and how many.

    Selected shapes count alone; pixels that were not measured are passed over.

    Raises
    ------
    CubeError
        If no measured pixel lies inside.
    """
    chosen = sorted(shapes.selected_data) or range(len(shapes.data))
    y, x = (
        start + step * np.arange(n)
        for start, step, n in zip(
            layer.translate[-2:], layer.scale[-2:], layer.data.shape[-2:], strict=True
        )
    )
    inside = np.zeros((y.size, x.size), dtype=bool)
    for i in chosen:
        region = shape_region(shapes, i, "um")
        if region is not None:
            inside |= region.contains(y[:, None], x[None, :])
    if is_stored(layer):
        return _stored_mean(layer, shapes, inside)
    spectra = layer.data.reshape(layer.data.shape[0], -1)[:, inside.ravel()]
    spectra = spectra[:, np.isfinite(spectra).all(axis=0)]
    if not spectra.shape[1]:
        raise CubeError(
            f"No measured pixel of '{layer.name}' lies inside '{shapes.name}': draw the region over "
            "the cube."
        )
    mean = np.asarray(spectra.mean(axis=1, dtype=np.float64), dtype=np.float32)
    return mean, int(spectra.shape[1])


def _stored_mean(
    layer: Any, shapes: Any, inside: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], int]:
    rows, columns = np.nonzero(inside)
    if not rows.size:
        raise CubeError(f"No pixel of '{layer.name}' lies inside '{shapes.name}'.")
    if rows.size > _MOST_STORED:
        raise CubeError(
            f"The region has {rows.size} pixels, too many to read at once, since '{layer.name}' stays on disk. "
            f"Draw one of at most {_MOST_STORED} pixels."
        )
    reading = reading_of(layer, (rows, columns))
    if reading is None or not np.isfinite(reading.intensity).all():
        raise CubeError(
            f"Some pixels of '{layer.name}' inside '{shapes.name}' were not measured. Draw the region beside them."
        )
    return reading.intensity, int(rows.size)
