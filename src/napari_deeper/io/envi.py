"""ENVI .hdr with its binary file, by ``spectral`` (extra ``formats``).

Line 0 is row 0 and sample 0 column 0. Either file of the pair may be named.

Known limits: the pixel size is read where the header states its unit; map projections, frame offsets, spectral
libraries and complex numbers are not read.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.io.contents import Contents, check_memory
from napari_deeper.io.extras import import_extra
from napari_deeper.io.series import known, spectral_axis
from napari_deeper.spectra.errors import AxisError, FileError

_REQUIRED = ("lines", "samples", "bands", "data type", "interleave", "byte order")
_DATA_SUFFIXES = (".img", ".dat", ".raw", ".bin", ".bip", ".bil", ".bsq", "")
_TYPES = {
    "1": "u1",
    "2": "i2",
    "3": "i4",
    "4": "f4",
    "5": "f8",
    "12": "u2",
    "13": "u4",
    "14": "i8",
    "15": "u8",
}
# Order of (lines, samples, bands) in the file, and back to it.
_ORDERS = {"bip": (0, 1, 2), "bil": (0, 2, 1), "bsq": (2, 0, 1)}
_UNITS = {"nanometers": "nm", "micrometers": "um", "wavenumber": "cm-1", "wavenumbers": "cm-1"}
_UM = {
    "um": 1.0,
    "micrometers": 1.0,
    "microns": 1.0,
    "mm": 1e3,
    "millimeters": 1e3,
    "meters": 1e6,
    "nm": 1e-3,
}
_LARGEST_HEADER = 2**22


def read_envi(path: Path, variable: str | None) -> Contents:
    """Read an ENVI cube by its header or its binary file."""
    del variable  # the pair holds one cube
    header_path, data_path = _pair(path)
    header = _header(header_path)
    missing = [key for key in _REQUIRED if key not in header]
    if missing:
        hint = " (0 in files of Intel PCs)" if "byte order" in missing else ""
        listed = " and ".join(f"'{key}'" for key in missing)
        raise FileError(
            f"its header {header_path.name} lacks the required key {listed}. Add it with a text "
            f"editor{hint}, or export it again."
        )
    intensity = _intensity(header, data_path)
    fields, unit, notes = _axis(header, intensity.shape[2])
    fields["metadata"] = known(
        {"title": header.get("description"), "date": header.get("acquisition time")}
    )
    size = header.get("pixel size", [])
    factor = _UM.get(str(size[2]).partition("=")[2].strip().lower()) if len(size) > 2 else None
    if factor is not None:
        fields["pixel_size"] = [float(size[1]) * factor, float(size[0]) * factor]
    elif size:
        notes = (*notes, f"The header states a pixel size, {', '.join(size)}, without its unit.")
    return Contents(intensity, "ENVI", fields, unit, notes)


def _pair(path: Path) -> tuple[Path, Path]:
    if path.suffix.lower() != ".hdr":
        headers = (path.with_suffix(".hdr"), path.with_suffix(".HDR"), Path(f"{path}.hdr"))
        found = next((header for header in headers if header.is_file()), None)
        if found is None:
            raise FileError(
                f"its header {headers[0].name} is not beside it; an ENVI cube is two files."
            )
        return found, path
    stem = path.with_suffix("")
    for suffix in (*_DATA_SUFFIXES, *(s.upper() for s in _DATA_SUFFIXES)):
        data = Path(f"{stem}{suffix}")
        if data.is_file():
            return path, data
    raise FileError(
        f"its binary file is not beside it: {stem.name} with {', '.join(_DATA_SUFFIXES[:-1])} or no suffix."
    )


def _header(path: Path) -> Mapping[str, Any]:
    if path.stat().st_size > _LARGEST_HEADER:
        raise FileError(f"its header {path.name} is larger than 4 MiB; it is no ENVI header.")
    with path.open("rb") as stream:
        if not stream.read(16).startswith(b"ENVI"):
            raise FileError(
                f"its header {path.name} does not begin with 'ENVI': it is of another kind."
            )
    envi = import_extra("spectral.io.envi", "spectral", "formats")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of capital letters in its keys
        header: Mapping[str, Any] = envi.read_envi_header(str(path))
    return header


def _intensity(header: Mapping[str, Any], data_path: Path) -> NDArray[Any]:
    shape = tuple(_count(header, key) for key in ("lines", "samples", "bands"))
    code, interleave = str(header["data type"]), str(header["interleave"]).lower()
    if (
        code not in _TYPES
        or interleave not in _ORDERS
        or str(header["byte order"]) not in ("0", "1")
    ):
        raise FileError(
            f"its header states data type {code}, interleave {interleave} and byte order "
            f"{header['byte order']}; one of them is unknown, or complex numbers, which are not read."
        )
    offsets = (header.get("major frame offsets", 0), header.get("minor frame offsets", 0))
    if any(set(str(offset)) & set("123456789") for offset in offsets):
        raise FileError("its header states frame offsets, which are not read.")
    dtype = np.dtype(_TYPES[code]).newbyteorder("<" if str(header["byte order"]) == "0" else ">")
    start = _count(header, "header offset") if "header offset" in header else 0
    needed, held = check_memory(shape, dtype.itemsize), data_path.stat().st_size - start
    if needed == 0 or needed > held:
        raise FileError(
            f"its header declares {shape[0]} x {shape[1]} pixels of {shape[2]} channels, {needed} bytes, but "
            f"{data_path.name} holds {held}: it is cut short, or the header belongs to another file."
        )
    order = _ORDERS[interleave]
    values = np.fromfile(data_path, dtype, needed // dtype.itemsize, offset=start)
    return values.reshape([shape[axis] for axis in order]).transpose(np.argsort(order))


def _count(header: Mapping[str, Any], key: str) -> int:
    try:
        number = int(str(header[key]))
    except ValueError as error:
        raise FileError(f"its header states {key} = {header[key]}; that is no number.") from error
    if number < 0:
        raise FileError(f"its header states {key} = {number}; it is damaged.")
    return number


def _axis(
    header: Mapping[str, Any], n_channels: int
) -> tuple[dict[str, Any], str, tuple[str, ...]]:
    listed = header.get("wavelength")
    if listed is None:
        return {}, "cm-1", ()
    try:
        values = np.array(listed, dtype=np.float64).reshape(-1)
    except ValueError as error:
        raise AxisError(
            f"the header's key 'wavelength' holds what is no number ({error})."
        ) from error
    if values.size != n_channels:
        raise AxisError(f"the header states {values.size} wavelengths for {n_channels} bands.")
    stated = str(header.get("wavelength units", "")).strip().lower()
    unit = _UNITS.get(stated, stated)
    titles = " ".join(header.get("z plot titles", ()))
    if unit in ("", "unknown"):
        if re.search(r"cm-1|1/cm|wavenumber", titles.lower()):
            note = f"The unit of the axis is taken from its title, '{titles}'."
        else:
            note = "The header does not state the unit of its axis; it is taken as cm-1."
        return {"wavenumber": values}, "cm-1", (note,)
    axis, axis_unit, notes = spectral_axis(values, unit)
    return {"wavenumber": axis}, axis_unit, notes
