"""What files of instruments have in common: units of the spectral axis, and series that are no image."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_deeper.spectra.axis import Axis
from napari_deeper.spectra.errors import AxisError

# h c in eV nm: CODATA 2018, exact
_EV_NM = 1239.841984
_CM = ("cm-1", "1/cm", "cm^-1", "rel.1/cm", "ramanshift", "ramanshift(cm-1)", "cm⁻¹", "rel.cm-1")
_NM = ("nm", "nanometer", "nanometers", "nanometre", "wavelength(nm)")
_UM = ("um", "µm", "μm", "micrometer", "micrometers", "micron", "microns")
_EV = ("ev", "electronvolt", "electronvolts")

_WORDS = {
    "line": "a line of {n} spectra",
    "z": "a series of {n} spectra in depth",
    "time": "a series of {n} spectra in time",
}


def spectral_axis(values: ArrayLike, unit: str) -> tuple[Axis, str, tuple[str, ...]]:
    """Return the axis of a file in one of the units that `Contents` knows.

    Parameters
    ----------
    values
        (channel,).
    unit
        As the file states it.

    Returns
    -------
    axis
        (channel,), float64.
    axis_unit
        ``"cm-1"`` or ``"nm"``.
    notes
        What was converted.

    Raises
    ------
    AxisError
        If the unit is no Raman shift and cannot be converted to one.
    """
    axis = np.asarray(values, dtype=np.float64).reshape(-1)
    plain = unit.lower().replace(" ", "")
    if plain in _CM:
        return axis, "cm-1", ()
    if plain in _NM:
        return axis, "nm", ()
    if plain in _UM:
        return axis * 1000, "nm", ()
    if plain in _EV and (axis > 0).all():
        return _EV_NM / axis, "nm", ("The axis was converted from eV to nm.",)
    raise AxisError(
        f"the spectral axis is in '{unit}'. Export it as Raman shift in cm-1, or in nm with the laser line."
    )


def laser_line(value: Any) -> float | None:
    """Return a laser wavelength in nm where the number can be one, else None."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and 200 <= number <= 2000 else None


def series(kind: str, values: ArrayLike, unit: str) -> tuple[dict[str, Any], str]:
    """Return the metadata of spectra that are no image, and a note in words.

    Parameters
    ----------
    kind
        ``"line"``, ``"z"`` or ``"time"``.
    values
        (spectrum,), distance, depth or time.
    unit
        ``"um"`` or ``"s"``.
    """
    places: NDArray[np.float64] = np.asarray(values, dtype=np.float64).reshape(-1)
    record = {"kind": kind, "unit": unit, "values": [_json(v) for v in places]}
    words = _WORDS[kind].format(n=places.size)
    where = ""
    if places.size and np.isfinite(places[[0, -1]]).all():
        where = f", {places[0]:.6g} to {places[-1]:.6g} {unit}"
    return {"series": record}, f"The file holds {words}{where}, no image; they became one row."


def known(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries that say something."""
    return {key: value for key, value in values.items() if value not in (None, "", [], {})}


def mean_step(values: Sequence[float] | NDArray[np.float64]) -> float | None:
    """Return the mean distance between neighbors, or None where there is none."""
    places = np.asarray(values, dtype=np.float64)
    if places.size < 2 or not np.isfinite(places).all():
        return None
    step = abs(float(places[-1] - places[0])) / (places.size - 1)
    return step if step > 0 else None


def _json(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
