"""The only conversion between cubes, (y, x, channel), and layers, (channel, y, x)."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.io.zarr_levels import StoredLevels, open_levels
from napari_deeper.plugin.stored_chunks import Averages, Pixels
from napari_deeper.plugin.stored_image import LevelArray, StoredImage, on_disk
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.endmembers import Endmembers
from napari_deeper.spectra.errors import CubeError, FileError
from napari_deeper.spectra.imaging_time import ImagingTime, time_behind

if TYPE_CHECKING:
    import napari
    from napari.layers import Image, Layer

KEY = "napari_deeper"
# Beside the header in a layer's metadata, as arrays of the cube's own: (y, x, channel) and (y, x).
UNCERTAINTY, FLAGGED = "napari_deeper_uncertainty", "napari_deeper_flagged"
# In the metadata of a map made of a cube layer (a component, a class map, a residual, a heatmap): the cube
# layer itself; and where components were unmixed, their `Endmembers`, and which of them the map shows.
SOURCE = "napari_deeper_source"
ENDMEMBERS, COMPONENT = "napari_deeper_endmembers", "napari_deeper_component"
# In the metadata of a heatmap: what it shows, as a dict of measure, low, high, over, baseline, unit and label.
SHOWS = "napari_deeper_shows"
# Beside the header of a cube layer that stays on disk: the path of its store, as text.
STORE = "napari_deeper_store"
# Of which the contrast is told: more take the window longer, and tell no more.
_MOST_VALUES = 200_000
LayerTuple = tuple[Any, dict[str, Any], str]


def layer_tuple(cube: RamanCube) -> LayerTuple:
    """Return ``(data (channel, y, x), attributes, "image")`` for napari, sharing the cube's memory.

    The channel axis gets the mean step as its scale, since napari's axes are uniform; the true
    wavenumbers stay in the metadata and are what every dock uses. Uncertainty and flags go with the
    layer in its metadata, not as layers of their own.
    """
    metadata: dict[str, Any] = {KEY: cube.header()}
    for key, array in ((UNCERTAINTY, cube.uncertainty), (FLAGGED, cube.flagged)):
        if array is not None:
            metadata[key] = array
    return np.moveaxis(cube.intensity, 2, 0), _attributes(cube, cube.intensity, metadata), "image"


def stored_tuple(stored: StoredLevels) -> LayerTuple:
    """Return what `layer_tuple` does for a cube that stays in its store: its levels, which are read when shown.

    Raises
    ------
    DeeperError
        If the coarsest level, which alone is read, is damaged, or the header is not that of a cube.
    """
    image = StoredImage(stored)
    pixel = stored.pixel()
    attributes = _attributes(pixel, image.coarsest, {KEY: pixel.header(), STORE: str(stored.path)})
    # a mean over the one channel of a slice would only take time
    attributes["projection_mode"] = "none"
    return image.levels, attributes, "image"


def _attributes(
    cube: RamanCube, shown: NDArray[np.float32], metadata: dict[str, Any]
) -> dict[str, Any]:
    axis = cube.wavenumber
    step = float((axis[-1] - axis[0]) / (axis.size - 1)) if axis.size > 1 else 1.0
    unit = cube.length_unit
    return {
        "name": cube.name,
        "scale": (step, *cube.spacing),
        "translate": (float(axis[0]), *cube.origin),
        "axis_labels": ("Raman shift", "y", "x"),
        "units": ("1/cm", unit, unit),
        "contrast_limits": contrast_limits(shown),
        "colormap": "viridis",
        "metadata": metadata,
    }


def contrast_limits(intensity: NDArray[Any], percentile: float = 99.9) -> tuple[float, float]:
    """Return display limits that a few bright or dead pixels do not decide."""
    every = max(1, intensity.size // _MOST_VALUES)
    while np.gcd(every, intensity.shape[-1]) > 1:  # else some channels alone would be looked at
        every += 1
    values = intensity.reshape(-1)[::every]
    values = values[np.isfinite(values)]
    if values.size == 0:
        return 0.0, 1.0
    low, high = np.percentile(values, (0.5, percentile))
    return (float(low), float(high)) if high > low else (float(low), float(low) + 1.0)


def is_cube(layer: object) -> bool:
    """Tell whether a layer holds a Raman cube of this plugin."""
    return KEY in getattr(layer, "metadata", {}) and getattr(layer, "ndim", 0) == 3


def cube_layers(layers: Iterable[Layer]) -> list[Image]:
    """Return the layers that hold cubes, bottom first."""
    return [layer for layer in layers if is_cube(layer)]


def stored_image(layer: object) -> StoredImage | None:
    """Return what reads the store of a cube layer that stays on disk, or None for one in memory."""
    if STORE not in getattr(layer, "metadata", {}):
        return None
    data = layer.data  # type: ignore[attr-defined]
    first = data[0] if getattr(layer, "multiscale", False) else data
    return first.image if isinstance(first, LevelArray) else None


def is_stored(layer: object) -> bool:
    """Tell whether a cube layer stays on disk."""
    return stored_image(layer) is not None


def stored_path(layer: object) -> Path | None:
    """Return the store of a cube layer that stays on disk, or None for one in memory."""
    image = stored_image(layer)
    return None if image is None else image.stored.path


def shown_endmembers(layers: Iterable[Layer]) -> Endmembers | None:
    """Return the endmembers whose maps lie topmost among the layers, if there are any."""
    found = [layer.metadata[ENDMEMBERS] for layer in layers if ENDMEMBERS in layer.metadata]
    return found[-1] if found else None


def cube_from_layer(layer: Layer | None) -> RamanCube:
    """Return the cube that a layer shows.

    Raises
    ------
    CubeError
        In words for the user, where the layer is no cube, is RGB, or was changed in shape.
    """
    if layer is None:
        raise CubeError(
            "No layer is chosen. Open a Raman cube: File > Open, or File > Open Sample > DeepeR."
        )
    if type(layer).__name__ != "Image":
        raise CubeError(f"'{layer.name}' is a {type(layer).__name__} layer. Choose a Raman cube.")
    if layer.rgb:
        raise CubeError(
            f"'{layer.name}' is a color (RGB) image, not a Raman cube with wavenumbers."
        )
    if KEY not in layer.metadata:
        raise CubeError(
            f"'{layer.name}' has no wavenumbers, so its channels have no meaning in cm-1. Open the cube "
            "from a file that holds its axis, or convert it: napari-deeper convert IN OUT --wavenumbers FILE."
        )
    image = stored_image(layer)
    if image is not None:
        raise CubeError(on_disk(layer.name, image.stored.n_bytes))
    return cube_from_data(layer.data, layer.metadata, layer.name)


def cube_from_data(data: Any, metadata: dict[str, Any], name: str) -> RamanCube:
    """Return the cube of layer data (channel, y, x) and the metadata that came with it."""
    header = metadata[KEY]
    n_channels = len(header["wavenumber"])
    first = data[0] if STORE in metadata and len(data) else data
    if isinstance(first, LevelArray):
        raise CubeError(on_disk(name, first.image.stored.n_bytes))
    if np.ndim(data) != 3 or np.shape(data)[0] != n_channels:
        raise CubeError(
            f"'{name}' has shape {np.shape(data)}, but its axis has {n_channels} wavenumbers: the layer "
            "was changed since it was opened. Open it again."
        )
    intensity = np.moveaxis(np.asarray(data), 0, 2)
    uncertainty, flagged = metadata.get(UNCERTAINTY), metadata.get(FLAGGED)
    for array in (uncertainty, flagged):
        if array is not None and np.shape(array)[:2] != intensity.shape[:2]:
            raise CubeError(
                f"'{name}' has {intensity.shape[0]} x {intensity.shape[1]} pixels, but the uncertainty and "
                f"flags that came with it have {np.shape(array)[0]} x {np.shape(array)[1]}: the layer was "
                "changed since it was made. Make it again from the changed input."
            )
    # the layer may have been renamed since
    named = {**header, "metadata": {**header.get("metadata", {}), "name": name}}
    return RamanCube.from_header(intensity, named, uncertainty=uncertainty, flagged=flagged)


def add_cube(viewer: napari.Viewer, cube: RamanCube, like: Layer | None = None) -> Image:
    """Add a cube as a new layer on top; `like` lends its contrast and colors, so that both compare."""
    return _add(viewer, layer_tuple(cube), like)


def add_stored(viewer: napari.Viewer, path: Path, like: Layer | None = None) -> Image:
    """Add a cube that stays in its store as a new layer on top, as `add_cube` does, under the name of the store.

    Raises
    ------
    FileError
        If there is no such store.
    """
    stored = open_levels(path)
    if stored is None:
        raise FileError(f"{path} is no Zarr store of a cube.")
    data, attributes, kind = stored_tuple(stored)
    return _add(viewer, (data, attributes | {"name": path.stem}, kind), like)


def _add(viewer: napari.Viewer, made: LayerTuple, like: Layer | None) -> Image:
    data, attributes, _ = made
    if like is not None and like in viewer.layers:
        attributes["contrast_limits"] = tuple(like.contrast_limits)
        attributes["colormap"] = like.colormap
    step = viewer.dims.current_step
    layer = viewer.add_image(data, **attributes)
    if like is not None:
        viewer.dims.current_step = step
    return layer


def put_below_markers(layers: napari.components.LayerList) -> None:
    """Move the layer added last under the first layer of points, which mark places on what lies below."""
    points = [i for i, layer in enumerate(layers) if type(layer).__name__ == "Points"]
    if points:
        layers.move(len(layers) - 1, points[0])


def channel_at_slider(layer: Layer, viewer: napari.Viewer) -> int:
    """Return the channel of a cube layer that the slider shows."""
    position = viewer.dims.point[viewer.dims.ndim - 3]
    n_channels = layer.data.shape[0]
    channel = round(float((position - layer.translate[0]) / layer.scale[0]))
    return int(np.clip(channel, 0, n_channels - 1))


def wavenumbers(layer: Layer) -> NDArray[np.float64]:
    """Return the true axis (channel,) of a cube layer, cm-1."""
    return np.asarray(layer.metadata[KEY]["wavenumber"], dtype=np.float64)


def dwell_time(layer: Layer) -> float | None:
    """Return the dwell time per pixel of a cube layer in s, where its source told it."""
    seconds = layer.metadata[KEY].get("metadata", {}).get("dwell_time_s")
    return float(seconds) if isinstance(seconds, int | float) and seconds > 0 else None


def time_behind_layer(layer: Layer) -> ImagingTime | None:
    """Return how long the measurement behind a cube layer took, or None where that is not known."""
    n_y, n_x = layer.data.shape[-2:]
    zoom = float(layer.metadata[KEY].get("zoom", 1.0))
    return time_behind(n_y, n_x, zoom, dwell_time(layer))


def has_uncertainty(layer: Layer) -> bool:
    """Tell whether a cube layer knows its uncertainty, in memory or on disk."""
    image = stored_image(layer)
    return UNCERTAINTY in layer.metadata or (
        image is not None and "uncertainty" in image.stored.trust
    )


@dataclass(frozen=True)
class Reading:
    """What a cube layer says of a place.

    Parameters
    ----------
    intensity
        (channel,) mean of the pixels read.
    uncertainty
        (channel,) mean of their uncertainties, or None. Errors of neighboring pixels of a result go
        together, so that a mean is taken to be no more certain than its pixels are.
    flagged
        Whether one of the pixels is flagged.
    """

    intensity: NDArray[np.float32]
    uncertainty: NDArray[np.float32] | None = None
    flagged: bool = False


def read_at(layer: Layer, position: tuple[float, float], radius: float) -> Reading | None:
    """Return what a cube layer says around a place, or None outside it.

    Parameters
    ----------
    position
        (y, x) in world units (um, or measured pixels).
    radius
        Pixels whose centers lie within it are averaged; the pixel at the place always is.
    """
    pixels = _pixels_at(layer, position, radius)
    if pixels is None:
        return None
    return reading_of(layer, pixels)


def reading_of(layer: Layer, pixels: Pixels) -> Reading | None:
    """Return what a cube layer says of pixels (rows, columns)."""
    image = stored_image(layer)
    if image is not None:
        return wait_for_reading(image.ask(pixels), None)
    y, x = pixels
    intensity = np.asarray(layer.data[:, y, x], dtype=np.float32).mean(axis=1)
    sigma, flagged = layer.metadata.get(UNCERTAINTY), layer.metadata.get(FLAGGED)
    return Reading(
        intensity,
        None if sigma is None else sigma[y, x].mean(axis=0),
        flagged is not None and bool(flagged[y, x].any()),
    )


def ask_at(
    layer: Layer, position: tuple[float, float], radius: float
) -> Future[Averages | None] | None:
    """Have a cube layer on disk read around a place, as `read_at`; None for others, and outside it."""
    image = stored_image(layer)
    pixels = _pixels_at(layer, position, radius)
    return None if image is None or pixels is None else image.ask(pixels)


def wait_for_reading(asked: Future[Averages | None], seconds: float | None) -> Reading | None:
    """Return what was asked of a layer on disk once it is read; None if it is not there in so many seconds.

    Raises
    ------
    FileError
        If it cannot be read.
    """
    try:
        found = asked.result(seconds)
    except (TimeoutError, CancelledError):
        return None
    return None if found is None else Reading(*found)


def pixel_at(layer: Layer, position: tuple[float, float]) -> tuple[int, int] | None:
    """Return the pixel (row, column) of a cube layer at a place (y, x) in world units, or None outside it."""
    pixels = _pixels_at(layer, position, 0.0)
    return None if pixels is None else (int(pixels[0][0]), int(pixels[1][0]))


def spectrum_at(
    layer: Layer, position: tuple[float, float], radius: float
) -> NDArray[np.float32] | None:
    """Return the mean spectrum (channel,) of a cube layer around a place, as `read_at`."""
    reading = read_at(layer, position, radius)
    return None if reading is None else reading.intensity


def _pixels_at(
    layer: Layer, position: tuple[float, float], radius: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]] | None:
    """Return rows and columns of the pixels around a place, or None outside the layer."""
    scale, translate = np.asarray(layer.scale[-2:]), np.asarray(layer.translate[-2:])
    n_yx = np.array(layer.data.shape[-2:])
    center = (np.asarray(position) - translate) / scale
    nearest = np.rint(center).astype(int)
    if (center < -0.5).any() or (center > n_yx - 0.5).any():
        return None
    nearest = np.clip(nearest, 0, n_yx - 1)
    reach = np.ceil(radius / scale).astype(int)
    low, high = np.maximum(nearest - reach, 0), np.minimum(nearest + reach + 1, n_yx)
    y, x = np.mgrid[low[0] : high[0], low[1] : high[1]]
    distance = np.hypot((y - center[0]) * scale[0], (x - center[1]) * scale[1])
    chosen = (distance <= radius) | ((y == nearest[0]) & (x == nearest[1]))
    return y[chosen], x[chosen]
