"""TIFF, one page per channel: cubes (written and read), OME-TIFF, ImageJ stacks and plain pages (read), by tifffile.

A cube is OME-TIFF: the image of its intensities (channel, y, x) with the pixel size, whose description holds the
JSON of `RamanCube.header`; where it has them, ``uncertainty`` and ``flagged`` are further images. The axis of a
file of another program is looked for in the labels of its pages or channels and in a file beside it:
``NAME.csv``, ``NAME.txt``, ``NAME_wavenumbers.csv``, ``NAME_wavenumbers.txt`` or ``NAME_wavenumbers.npy`` with
one number per channel.

Known limits: other axes than channel, y and x must have length one; pages packed by LZW or JPEG need imagecodecs.
"""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, XMLParser

import numpy as np
from numpy.typing import NDArray

from napari_deeper.io.contents import TRUST, Contents, check_memory, trust_arrays
from napari_deeper.io.layout import Asked, arrange, spectral_layout
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import CubeError, FileError

_MARK = "napari-deeper "
_SIDECARS = ("{}.csv", "{}.txt", "{}_wavenumbers.csv", "{}_wavenumbers.txt", "{}_wavenumbers.npy")
_LARGEST_SIDECAR = 2**20
_LONGEST_XML = 64 * 2**20
_LABEL = re.compile(r"\s*([-+]?\d+(?:\.\d+)?)\s*(cm-1|cm\^-1|1/cm|nm)?\s*")
_UM_PER_UNIT = {"µm": 1.0, "μm": 1.0, "um": 1.0, "micron": 1.0, "\\u00B5m": 1.0, "nm": 1e-3, "mm": 1e3, "cm": 1e4,
                "m": 1e6}  # fmt: skip
_BIG = 2**31


@dataclass(frozen=True)
class _Axis:
    """The axis of a file of another program, and where it was found."""

    values: NDArray[np.float64]
    unit: str
    note: str


def read_tiff(path: Path, asked: Asked) -> Contents:
    """Read a cube written by `write_tiff`, or the pages of another program."""
    with _open(path) as file:
        header = _own_header(file)
        if header is not None:
            return _own(file, header, path)
        series = file.series[0]
        axes, shape = series.axes, series.shape
        _check_size(series, path)
        names, sizes = _without_ones(axes, shape)
        axis = _find_axis(path, file, sizes)
        intensity = _as_cube(
            series, names, sizes, asked, None if axis is None else axis.values.size
        )
        fields: dict[str, Any] = {}
        size = _pixel_size(file)
        if size is not None:
            fields["pixel_size"] = size
        if axis is None:
            return Contents(intensity, "tiff of another program", fields, remark=_remark(path))
        fields["wavenumber"] = axis.values
        return Contents(intensity, "tiff of another program", fields, axis.unit, (axis.note,))


def has_axis(path: Path) -> bool:
    """Tell whether a TIFF is a cube, or has an axis in its labels or beside it."""
    try:
        with _open(path) as file:
            if _own_header(file) is not None:
                return True
            _, sizes = _without_ones(file.series[0].axes, file.series[0].shape)
            return len(sizes) == 3 and _find_axis(path, file, sizes) is not None
    except Exception:  # whatever is wrong with it: napari's own reader may know better
        return False


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    import logging

    import tifffile

    logger = logging.getLogger("tifffile")
    is_disabled, logger.disabled = logger.disabled, True  # what it would log of damage, we raise
    try:
        # an OME-TIFF may name other files, which are not followed
        with tifffile.TiffFile(path, _multifile=False) as file:
            yield file
    finally:
        logger.disabled = is_disabled


def _own_header(file: Any) -> dict[str, Any] | None:
    for element in _elements(file, "Description"):
        if (element.text or "").startswith(_MARK):
            header = json.loads(str(element.text).removeprefix(_MARK))
            if isinstance(header, dict):
                return header
    return None


def _elements(file: Any, name: str) -> Iterator[Element]:
    """Yield the elements of that name of the OME-XML; there is none where it is damaged or absent."""
    text = file.ome_metadata if file.is_ome else None
    if not text or len(text) > _LONGEST_XML or "<!DOCTYPE" in text or "<!ENTITY" in text:
        return
    parser = XMLParser()
    parser.feed(text)
    for element in parser.close().iter():
        if element.tag.rpartition("}")[2] == name:
            yield element


def _own(file: Any, header: dict[str, Any], path: Path) -> Contents:
    names = header.pop("arrays")
    if len(file.series) != len(names):
        raise FileError(
            f"it holds {len(file.series)} images, but should hold {', '.join(names)}. Copy it again."
        )
    arrays = {}
    for name, series in zip(names, file.series, strict=True):
        _check_size(series, path)
        kept = tuple(header["shape"] if name != "flagged" else header["shape"][1:])
        values = series.asarray()
        if values.size != int(np.prod(kept)):
            raise FileError(f"its image '{name}' is {values.shape}, but should be {kept}.")
        arrays[name] = values.reshape(kept)
    trust = {
        name: np.moveaxis(arrays[name], 0, 2) if arrays[name].ndim == 3 else arrays[name]
        for name in TRUST
        if name in arrays
    }
    return Contents(np.moveaxis(arrays["intensity"], 0, 2), "tiff", header, trust=trust)


def _check_size(series: Any, path: Path) -> None:
    if series.dtype is None or series.dtype.kind not in "biuf":
        raise CubeError(f"its pages are of type {series.dtype}; they must be real numbers.")
    check_memory(series.shape, series.dtype.itemsize, path.stat().st_size)
    for page in series.pages[:1]:  # the parts that are unpacked at once
        if page is not None and hasattr(page, "chunks"):
            check_memory(page.chunks, series.dtype.itemsize, path.stat().st_size)


def _without_ones(axes: str, shape: tuple[int, ...]) -> tuple[str, tuple[int, ...]]:
    """Return the axes that are y, x, or longer than one."""
    kept = [(a, n) for a, n in zip(axes, shape, strict=True) if a in "YX" or n > 1]
    return "".join(a for a, _ in kept), tuple(n for _, n in kept)


def _as_cube(
    series: Any, names: str, sizes: tuple[int, ...], asked: Asked, n_found: int | None
) -> NDArray[Any]:
    if len(sizes) != 3:
        raise CubeError(
            f"its image has the axes {series.axes} {series.shape}; a cube is one page (y, x) for each channel."
        )
    values = series.asarray().reshape(sizes)
    layout = asked.layout
    if layout is None and "Y" in names and "X" in names:
        letters = {"Y": "y", "X": "x"}
        layout = "".join(letters.get(name, "c") for name in names)
    if layout is None:
        layout = spectral_layout("image", sizes, asked.n_channels or n_found, None)
    return arrange(values, layout, what="its image").intensity


def _find_axis(path: Path, file: Any, sizes: tuple[int, ...]) -> _Axis | None:
    for pattern in _SIDECARS:
        beside = path.with_name(
            pattern.format(path.name.split(".ome.")[0] if ".ome." in path.name else path.stem)
        )
        values = _sidecar(beside, sizes)
        if values is not None:
            return _Axis(values, "", f"The axis was read from '{beside.name}' beside it.")
    labels = [e.get("Name") or "" for e in _elements(file, "Channel")]
    if not labels and file.is_imagej:
        stored = (file.imagej_metadata or {}).get("Labels") or ()
        labels = [stored] if isinstance(stored, str) else [str(label) for label in stored]
    found = [label for text in labels if (label := _LABEL.fullmatch(text))]
    values = np.array([float(label[1]) for label in found])
    is_count = values.size and values[0] in (0, 1) and (np.diff(values) == 1).all()
    if len(found) < 2 or len(found) != len(labels) or len(found) not in sizes or is_count:
        return None
    unit = "nm" if found[0][2] == "nm" else "cm-1" if found[0][2] else ""
    return _Axis(values, unit, "The axis was read from the labels of its channels.")


def _sidecar(path: Path, sizes: tuple[int, ...]) -> NDArray[np.float64] | None:
    """Return the numbers of a file beside the image if there is one for each channel."""
    if not path.is_file() or path.stat().st_size > _LARGEST_SIDECAR:
        return None
    try:
        if path.suffix == ".npy":
            values = np.load(path, allow_pickle=False)
        else:
            text = path.read_text(encoding="utf-8-sig", errors="replace")
            values = np.array(
                [float(word) for word in re.split(r"[\s,;]+", text) if _is_number(word)]
            )
    except (ValueError, OSError, EOFError):
        return None
    if (
        values.ndim != 1
        or values.dtype.kind not in "iuf"
        or values.size not in sizes
        or values.size < 2
    ):
        return None
    return np.asarray(values, dtype=np.float64)


def _is_number(word: str) -> bool:
    return bool(re.fullmatch(r"[-+]?\d+(\.\d*)?([eE][-+]?\d+)?", word))


def _pixel_size(file: Any) -> list[float] | None:
    """Return (dy, dx) in um where OME-XML or ImageJ state it with its unit."""
    for pixels in _elements(file, "Pixels"):
        sizes = [_length(pixels.attrib, f"PhysicalSize{axis}") for axis in "YX"]
        if None not in sizes:
            return [float(size) for size in sizes if size is not None]
    about = file.imagej_metadata if file.is_imagej else None
    factor = _UM_PER_UNIT.get(str((about or {}).get("unit", "")))
    tags = file.pages[0].tags
    if factor is None or "XResolution" not in tags or "YResolution" not in tags:
        return None
    rates = [tags[f"{axis}Resolution"].value for axis in "YX"]
    if any(rate[0] == 0 for rate in rates):
        return None
    return [factor * rate[1] / rate[0] for rate in rates]


def _length(attributes: Mapping[str, str], name: str) -> float | None:
    factor = _UM_PER_UNIT.get(attributes.get(f"{name}Unit", "µm"))
    try:
        value = float(attributes[name])
    except (KeyError, ValueError):
        return None
    return None if factor is None or not value > 0 else value * factor


def _remark(path: Path) -> str:
    return f"Or write one number per channel to '{path.stem}_wavenumbers.txt' beside it."


def write_tiff(cube: RamanCube, header: str, path: Path) -> None:
    """Write a cube and the JSON of its header as OME-TIFF, one page per channel."""
    import tifffile

    arrays = {"intensity": cube.intensity, **trust_arrays(cube)}
    planes = {n: np.moveaxis(a, 2, 0) if a.ndim == 3 else a for n, a in arrays.items()}
    shape = planes["intensity"].shape
    text = _MARK + json.dumps(json.loads(header) | {"arrays": list(arrays), "shape": list(shape)})
    is_big = sum(a.nbytes for a in arrays.values()) > _BIG
    try:
        with (
            path.open("wb") as stream,
            tifffile.TiffWriter(stream, ome=True, bigtiff=is_big) as file,
        ):
            for name, values in planes.items():
                data = values.astype(np.uint8) if values.dtype == bool else values
                about = _about(cube, name, data.ndim, text)
                file.write(np.ascontiguousarray(data), photometric="minisblack", metadata=about)
    except OSError as error:
        if error.errno is None:  # NumPy does not say why it could write no further
            raise OSError(errno.ENOSPC, str(error)) from error
        raise


def _about(cube: RamanCube, name: str, n_axes: int, text: str) -> dict[str, Any]:
    """Return what the OME-XML says of one image."""
    about: dict[str, Any] = {"axes": "CYX"[-n_axes:], "Name": name}
    if cube.pixel_size:
        about |= {"PhysicalSizeY": cube.pixel_size[0], "PhysicalSizeX": cube.pixel_size[1]}
        about |= {"PhysicalSizeYUnit": "µm", "PhysicalSizeXUnit": "µm"}
    if name == "intensity":
        about["Description"] = text
        about["Channel"] = {"Name": [f"{w:.2f} cm-1" for w in cube.wavenumber]}
    return about
