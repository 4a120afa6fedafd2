"""The OME part of a Zarr image: written beside a cube, and read from other programs (versions 0.4 and 0.5).

Known limits: the highest resolution of the first image is read; axes other than channel, y and x must have
length one. The wavenumbers are looked for among the attributes, in an array of their name, and in the labels of
the channels; where there are none, the caller must give them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.io.contents import Contents, check_memory
from napari_deeper.io.layout import Asked, plain_name
from napari_deeper.io.zarr_chunks import check_chunks, check_inside
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import CubeError, FileError

VERSION = "0.5"
_UM_PER_UNIT = {
    "angstrom": 1e-4, "nanometer": 1e-3, "micrometer": 1.0, "micron": 1.0, "millimeter": 1e3, "centimeter": 1e4,
    "meter": 1e6,
}  # fmt: skip
_AXIS_NAMES = (
    "wavenumber",
    "wavenumbers",
    "ramanshift",
    "ramanshifts",
    "spectralaxis",
    "wavenumbercm1",
    "cm1",
)
_NM_NAMES = ("wavelength", "wavelengths", "wavelengthnm", "wavelengthsnm")
_LABEL = re.compile(r"\s*([-+]?\d+(?:\.\d+)?)\s*(cm-1|cm\^-1|cm⁻¹|1/cm|nm)?\s*")
_DEEPEST = 4


def multiscale(cube: RamanCube, n_levels: int) -> dict[str, Any]:
    """Return the OME attributes of a cube with that many levels, each half as fine as the one before."""
    unit = {"unit": "micrometer"} if cube.pixel_size else {}
    datasets = []
    for level in range(n_levels):
        factor = 2**level
        # the center of the first pixel of a level is that of the pixels it covers
        shift = [(factor - 1) / 2 * step for step in cube.spacing]
        scale = [1.0, *(factor * step for step in cube.spacing)]
        translation = [0.0, *(o + s for o, s in zip(cube.origin, shift, strict=True))]
        transforms: list[dict[str, Any]] = [
            {"type": "scale", "scale": scale},
            {"type": "translation", "translation": translation},
        ]
        datasets.append({"path": str(level), "coordinateTransformations": transforms})
    axes: list[dict[str, str]] = [{"name": "c", "type": "channel"}]
    axes += [{"name": name, "type": "space", **unit} for name in ("y", "x")]
    image = {"name": cube.name, "axes": axes, "datasets": datasets, "type": "mean"}
    return {"version": VERSION, "multiscales": [image]}


def is_image(attributes: Mapping[str, Any]) -> bool:
    """Tell whether the attributes of a group are those of an OME-Zarr image."""
    return bool(_ome(attributes).get("multiscales"))


def _ome(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    inner = attributes.get("ome", attributes)
    return inner if isinstance(inner, Mapping) else {}


def read_image(path: Path, group: Any, attributes: Mapping[str, Any], asked: Asked) -> Contents:
    """Return the first image of an OME-Zarr group at its highest resolution."""
    import zarr

    del asked  # the axes are named, so that nothing is to be asked
    ome = _ome(attributes)
    image = ome["multiscales"][0]
    dataset = image["datasets"][0]
    name = check_inside(str(dataset["path"]))
    array = group.get(name)
    if not isinstance(array, zarr.Array):
        raise FileError(f"the OME-Zarr image has lost its array '{name}'. Copy it again.")
    axes = _axes(image, array.ndim)
    check_memory(array.shape, array.dtype.itemsize)
    check_chunks(path / name, array)
    intensity = _as_cube(array, axes)
    names = [str(axis.get("name", "")) for axis in axes]
    header: dict[str, Any] = _place(image, dataset, axes, names)
    values, unit = _wavenumbers(path, group, attributes, array, intensity.shape[2])
    if values is not None:
        header["wavenumber"] = values
    if isinstance(image.get("name"), str) and image["name"]:
        header["metadata"] = {"name": image["name"]}
    return Contents(intensity, "OME-Zarr of another program", header, unit, _notes(array))


def _axes(image: Mapping[str, Any], n_axes: int) -> list[Mapping[str, Any]]:
    axes = [a if isinstance(a, Mapping) else {"name": str(a)} for a in image.get("axes", ())]
    if len(axes) != n_axes:
        raise FileError(f"the OME-Zarr image names {len(axes)} axes, but its array has {n_axes}.")
    return axes


def _channel_axis(axes: Sequence[Mapping[str, Any]]) -> int | None:
    for i, axis in enumerate(axes):
        if axis.get("type") == "channel" or plain_name(str(axis.get("name", ""))) in (
            "c",
            "channel",
        ):
            return i
    return None


def _as_cube(array: Any, axes: Sequence[Mapping[str, Any]]) -> NDArray[Any]:
    """Return (y, x, channel), its other axes taken away."""
    names = [str(axis.get("name", "")) for axis in axes]
    channel = _channel_axis(axes)
    if channel is None or "y" not in names or "x" not in names:
        raise CubeError(
            f"the OME-Zarr image has the axes {', '.join(names)}; a cube needs a channel axis, y and x."
        )
    order = [names.index("y"), names.index("x"), channel]
    others = [i for i in range(array.ndim) if i not in order]
    long = [names[i] for i in others if array.shape[i] != 1]
    if long:
        raise CubeError(
            f"the OME-Zarr image has more than one place along {', '.join(long)}. Save one of them as an image "
            "of its own to read it here."
        )
    values = np.transpose(array[...], order + others)
    return values.reshape(values.shape[:3])


def _place(
    image: Mapping[str, Any],
    dataset: Mapping[str, Any],
    axes: Sequence[Mapping[str, Any]],
    names: list[str],
) -> dict[str, Any]:
    """Return pixel size and origin in um, where the transformations and units tell."""
    scale, shift = np.ones(len(axes)), np.zeros(len(axes))
    # those of the level come first, then those of all levels
    for source in (dataset, image):
        for transform in source.get("coordinateTransformations", ()):
            if transform.get("type") == "scale" and "scale" in transform:
                factor = np.asarray(transform["scale"], dtype=np.float64)
                scale, shift = scale * factor, shift * factor
            elif transform.get("type") == "translation" and "translation" in transform:
                shift = shift + np.asarray(transform["translation"], dtype=np.float64)
    y, x = names.index("y"), names.index("x")
    factors = [_UM_PER_UNIT.get(str(axes[i].get("unit", ""))) for i in (y, x)]
    if None in factors:
        return {}
    um = np.array(factors, dtype=np.float64)
    return {
        "pixel_size": (np.abs(scale[[y, x]]) * um).tolist(),
        "origin": (shift[[y, x]] * um).tolist(),
    }


def _wavenumbers(
    path: Path, group: Any, attributes: Mapping[str, Any], array: Any, n_channels: int
) -> tuple[NDArray[np.float64] | None, str]:
    """Return the axis and its unit, from attributes, from an array, or from the labels of the channels."""
    for source in (attributes, array.attrs.asdict()):
        for names, unit in ((_AXIS_NAMES, ""), (_NM_NAMES, "nm")):
            found = _listed_numbers(source, names, n_channels)
            if found is not None:
                return found, unit
    for names, unit in ((_AXIS_NAMES, ""), (_NM_NAMES, "nm")):
        for name, node in group.arrays():
            if plain_name(name) in names and node.shape == (n_channels,):
                check_chunks(path / name, node)
                return np.asarray(node[...], dtype=np.float64), unit
    return _labels(_ome(attributes), attributes, n_channels)


def _listed_numbers(
    source: Any, names: Sequence[str], n_channels: int, depth: int = 0
) -> NDArray[np.float64] | None:
    if not isinstance(source, Mapping) or depth > _DEEPEST:
        return None
    for key, value in source.items():
        is_axis = plain_name(str(key)) in names and isinstance(value, list)
        if is_axis and len(value) == n_channels and all(isinstance(v, int | float) for v in value):
            return np.asarray(value, dtype=np.float64)
        found = _listed_numbers(value, names, n_channels, depth + 1)
        if found is not None:
            return found
    return None


def _labels(
    ome: Mapping[str, Any], attributes: Mapping[str, Any], n_channels: int
) -> tuple[NDArray[np.float64] | None, str]:
    omero = ome.get("omero", attributes.get("omero", {}))
    channels = omero.get("channels", ()) if isinstance(omero, Mapping) else ()
    labels = [_LABEL.fullmatch(str(c.get("label", ""))) for c in channels if isinstance(c, Mapping)]
    found = [label for label in labels if label]
    if n_channels < 2 or len(found) != n_channels or len(labels) != n_channels:
        return None, ""
    numbers = np.array([float(label[1]) for label in found])
    is_count = numbers[0] in (0, 1) and (np.diff(numbers) == 1).all()
    if is_count:
        return None, ""
    return numbers, "nm" if found[0][2] == "nm" else "cm-1" if found[0][2] else ""


def _notes(array: Any) -> tuple[str, ...]:
    # the parts of shards are not counted
    n_missing = 0 if array.shards else array.nchunks - array.nchunks_initialized
    if not n_missing:
        return ()
    return (
        f"{n_missing} of {array.nchunks} chunks are not in the store; they were read as {array.fill_value}, "
        "as the format has it.",
    )
