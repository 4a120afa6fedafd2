"""WITec Project FOUR and FIVE: the struct that "Export > MATLAB" writes.

``data`` is (pixel, channel) with the row running fastest, so it unfolds in Fortran order to
``imagesize`` = [rows, columns]; ``axisscale`` holds the spectral axis with its unit,
``imageaxisscale`` the places of rows and columns.

Known limits: a line or a z-stack states no image size and becomes one row; axes other than relative
wavenumbers and nm are refused.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.io.contents import Contents
from napari_deeper.spectra.axis import Axis
from napari_deeper.spectra.errors import AxisError, FileError

_FIELDS = {"data", "axisscale", "imagesize"}
# The files say micrometer in a code page of their own: its first letter may arrive as anything.
_UM_PER_UNIT = {"nm": 1e-3, "mm": 1e3, "um": 1.0}


def is_witec(value: Any) -> bool:
    """Tell whether a variable of a .mat file is such a struct."""
    return isinstance(value, dict) and value.keys() >= _FIELDS


def witec_contents(entry: Mapping[str, Any]) -> Contents:
    """Return what the struct says."""
    data = np.asarray(entry["data"])
    if data.ndim != 2:
        raise FileError(f"the WITec data have {data.ndim} axes {data.shape}, not (pixel, channel).")
    axis, unit = _scale(entry, "axisscale", 1)
    rows, columns, notes = _image_size(entry, data.shape[0])
    pixel_size, origin = _place(entry, is_line=bool(notes))
    header: dict[str, Any] = {"pixel_size": pixel_size, "metadata": _metadata(entry)}
    if pixel_size is not None:
        header["origin"] = origin
    if axis.size:
        header["wavenumber"] = axis
    return Contents(
        data.reshape(rows, columns, data.shape[1], order="F"),
        "WITec .mat",
        header,
        _axis_unit(unit),
        notes,
    )


def _image_size(entry: Mapping[str, Any], n_pixels: int) -> tuple[int, int, tuple[str, ...]]:
    # The sizes arrive as uint8, whose product would wrap.
    size = [int(n) for n in np.asarray(entry["imagesize"]).reshape(-1)]
    if not size:
        note = f"The file holds no image but {n_pixels} spectra in a line; they became one row."
        return 1, n_pixels, (note,)
    if len(size) != 2 or math.prod(size) != n_pixels:
        raise FileError(
            f"the WITec image size is {size}, but there are {n_pixels} spectra; export it again."
        )
    return size[0], size[1], ()


def _place(entry: Mapping[str, Any], is_line: bool) -> tuple[list[float] | None, list[float]]:
    """Return (dy, dx) in um, or None, and the place (y, x) of the first pixel in um."""
    if is_line:
        along = _step(*_scale(entry, "axisscale", 0))
        return ([along[0], along[0]] if along else None), [0.0, along[1] if along else 0.0]
    y = _step(*_scale(entry, "imageaxisscale", 0))
    x = _step(*_scale(entry, "imageaxisscale", 1))
    y, x = y or x, x or y  # one row has no step along y: its pixels are taken as square
    if y is None or x is None:
        return None, [0.0, 0.0]
    return [y[0], x[0]], [y[1], x[1]]


def _step(places: Axis, unit: str) -> tuple[float, float] | None:
    """Return the mean step and the start in um, or None where they are not stated."""
    factor = _UM_PER_UNIT.get(unit, 1.0 if len(unit) == 2 and unit.endswith("m") else math.nan)
    if places.size < 2 or math.isnan(factor):
        return None
    step = abs(places[-1] - places[0]) / (places.size - 1) * factor
    return (float(step), float(places[0] * factor)) if step > 0 else None


def _scale(entry: Mapping[str, Any], field: str, row: int) -> tuple[Axis, str]:
    """Return the values and the unit of one scale."""
    table = entry.get(field)
    if not isinstance(table, np.ndarray) or table.ndim != 2 or table.shape[0] <= row:
        return np.empty(0), ""
    values: NDArray[np.float64] = np.asarray(table[row, 0], dtype=np.float64).reshape(-1)
    return values, _text(table[row, -1])


def _axis_unit(unit: str) -> str:
    plain = unit.lower().replace(" ", "")
    if plain in ("rel.1/cm", "rel1/cm", "1/cm", "cm-1", "cm^-1"):
        return "cm-1"
    if plain in ("", "nm"):
        return plain
    raise AxisError(
        f"the spectral axis is in '{unit}'. Export it in rel. 1/cm (in WITec Project, set the unit "
        "of the spectral axis before the export)."
    )


def _metadata(entry: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: _text(entry.get(key)) for key in ("name", "author", "description")}
    found["date"] = _date(np.asarray(entry.get("date", ())).reshape(-1))
    history = np.asarray(entry.get("history", ()), dtype=object).reshape(-1)
    found["software"] = _text(history[0]) if history.size else ""
    return {key: value for key, value in found.items() if value}


def _date(parts: NDArray[Any]) -> str:
    if parts.size != 6:
        return ""
    year, month, day, hour, minute, second = (int(part) for part in parts)
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""
