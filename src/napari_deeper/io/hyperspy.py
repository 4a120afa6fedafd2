"""HyperSpy .hspy (HDF5, by h5py) and .zspy (Zarr), and what RosettaSciIO's readers give: data with named axes.

Known limits: one signal axis and at most two navigation axes; ragged signals are refused, since they are
pickled. A .zspy is read by zarr 3 directly, as HyperSpy's own reader asks for zarr 2.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.io.contents import Contents, check_memory
from napari_deeper.io.extras import import_extra
from napari_deeper.io.hdf5 import load_dataset
from napari_deeper.io.series import known, laser_line, mean_step, series, spectral_axis
from napari_deeper.io.zarr_chunks import check_chunks, check_store
from napari_deeper.spectra.errors import FileError

_UM = {"um": 1.0, "µm": 1.0, "μm": 1.0, "micron": 1.0, "nm": 1e-3, "mm": 1e3, "m": 1e6}
_SECONDS = {"s": 1.0, "ms": 1e-3, "min": 60.0, "h": 3600.0}
_AXIS_KEYS = ("name", "units", "scale", "offset", "size", "navigate", "index_in_array")
Entry = Mapping[str, Any]


def read_hspy(path: Path, variable: str | None) -> Contents:
    """Read a .hspy file; `variable` names the experiment where it holds several."""
    h5py = import_extra("h5py", "h5py", "formats")
    with h5py.File(path, "r") as file:
        if "Experiments" not in file:
            raise FileError("it has no group 'Experiments': HyperSpy did not write it.")
        group = _experiment(file["Experiments"], variable)
        if h5py.check_vlen_dtype(group["data"].dtype) is not None:
            raise FileError("its signal is ragged: no cube. Save it with spectra of one length.")

        def load(node: Any) -> NDArray[Any]:
            if not Path(node.file.filename).samefile(path):
                raise FileError(
                    f"the numbers of '{node.name.lstrip('/')}' lie in another file, which is not followed. Save the "
                    "signal again, into one file."
                )
            return load_dataset(node)

        return hyperspy_contents(_entry(group, load), "HyperSpy .hspy")


def read_zspy(path: Path, variable: str | None) -> Contents:
    """Read a .zspy folder; `variable` names the experiment where it holds several."""
    import zarr

    check_store(path)
    root = zarr.open_group(path, mode="r")
    if "Experiments" not in root:
        raise FileError("it has no group 'Experiments': HyperSpy did not write it.")

    def load(node: Any) -> NDArray[Any]:
        check_memory(node.shape, node.dtype.itemsize)
        check_chunks(path / node.path, node)
        return np.asarray(node[...])

    group = _experiment(root["Experiments"], variable)
    return hyperspy_contents(_entry(group, load), "HyperSpy .zspy")


def _experiment(experiments: Any, variable: str | None) -> Any:
    names = sorted(name for name, node in _members(experiments) if "data" in node)
    if variable is not None and variable not in names:
        raise FileError(
            f"it has no experiment '{variable}'. It holds {', '.join(names) or 'none'}."
        )
    if variable is None and len(names) != 1:
        raise FileError(
            f"it holds {len(names)} experiments: {', '.join(names) or 'none'}. "
            "Say which with variable=... (--variable on the command line)."
        )
    return experiments[variable or names[0]]


def _entry(group: Any, load: Callable[[Any], NDArray[Any]]) -> Entry:
    """Return an experiment in the form that RosettaSciIO gives, its arrays as `load` returns them."""
    data = group["data"]
    if data.dtype.kind not in "biuf":
        raise FileError(f"its signal is of type {data.dtype}; it must hold real numbers.")
    axes = []
    for number in range(len(data.shape)):
        node = group[f"axis-{number}"]
        attributes = {key: _plain(node.attrs[key]) for key in _AXIS_KEYS if key in node.attrs}
        if "axis" in node:
            attributes["axis"] = np.asarray(load(node["axis"]), dtype=np.float64)
        elif "axis" in node.attrs:
            attributes["axis"] = np.asarray(node.attrs["axis"], dtype=np.float64)
        axes.append({"index_in_array": number} | attributes)
    metadata = _tree(group["metadata"], 0) if "metadata" in group else {}
    return {"data": load(data), "axes": axes, "metadata": metadata}


def _tree(group: Any, depth: int) -> dict[str, Any]:
    found = {key: _plain(value) for key, value in dict(group.attrs).items()}
    if depth < 8:
        for name, node in _members(group):
            if not hasattr(node, "shape"):
                found[name] = _tree(node, depth + 1)
    return found


def _members(group: Any) -> Iterator[tuple[str, Any]]:
    """Return the members of a group of h5py or of zarr."""
    yield from group.items() if hasattr(group, "items") else group.members()


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return value.item() if isinstance(value, np.generic) else value


def hyperspy_contents(entry: Entry, file_format: str) -> Contents:
    """Return what a signal with named axes says.

    Parameters
    ----------
    entry
        ``"data"``, ``"axes"`` (dicts with ``index_in_array``, ``navigate``, ``name``, ``units`` and
        ``axis`` or ``offset``, ``scale``, ``size``) and ``"metadata"``.
    file_format
        The format in words.
    """
    data = np.asarray(entry["data"])
    axes = sorted(entry["axes"], key=lambda axis: int(axis["index_in_array"]))
    signal = [axis for axis in axes if not axis.get("navigate")]
    places = [axis for axis in axes if axis.get("navigate")]
    if len(signal) != 1 or len(places) > 2 or data.ndim != len(axes):
        names = ", ".join(str(axis.get("name")) for axis in axes)
        raise FileError(
            f"it has {len(signal)} signal axes and {len(places)} others ({names}); "
            "a cube has one spectral axis and at most two others."
        )
    data = np.moveaxis(data, axes.index(signal[0]), -1)
    metadata, laser = _metadata(entry.get("metadata", {}))
    values, unit = _shift_or_wavelength(_values(signal[0], data.shape[-1]), signal[0])
    wavenumber, axis_unit, notes = spectral_axis(values, unit)
    intensity, header, note, found = _place(data, places)
    header["metadata"] = metadata | found
    header["wavenumber"] = wavenumber
    if laser is not None:
        header["excitation_nm"] = laser
    return Contents(intensity, file_format, header, axis_unit, (*notes, *note))


def _shift_or_wavelength(
    values: NDArray[np.float64], axis: Entry
) -> tuple[NDArray[np.float64], str]:
    """Return absolute wavenumbers as wavelengths; all else as it is."""
    unit = str(axis.get("units", ""))
    is_cm = unit.replace(" ", "").lower() in ("1/cm", "cm-1", "cm^-1", "cm^{-1}")
    if is_cm and str(axis.get("name", "")).lower() == "wavenumber" and values.min() > 5000:
        return 1e7 / values, "nm"
    return values, "cm-1" if is_cm else unit


def _values(axis: Entry, n: int) -> NDArray[np.float64]:
    if "axis" in axis:
        values: NDArray[Any] = np.asarray(axis["axis"], dtype=np.float64).reshape(-1)
    else:
        values = float(axis.get("offset", 0)) + float(axis.get("scale", 1)) * np.arange(n)
    if values.size != n:
        raise FileError(
            f"its axis '{axis.get('name')}' has {values.size} values for {n} entries; it is damaged."
        )
    return values


def _place(
    data: NDArray[Any], places: Sequence[Entry]
) -> tuple[NDArray[Any], dict[str, Any], tuple[str, ...], dict[str, Any]]:
    """Return (y, x, channel), pixel size and origin, what to say, and the series."""
    if not places:
        return data.reshape(1, 1, -1), {}, (), {}
    values = [_values(axis, n) for axis, n in zip(places, data.shape, strict=False)]
    units = [str(axis.get("units", "")).strip() for axis in places]
    if len(places) == 1:
        return _series(data, values[0], units[0], str(places[0].get("name", "")))
    data, values = _upright(data, values)
    steps = [mean_step(v * _UM.get(u, np.nan)) for v, u in zip(values, units, strict=True)]
    steps = [steps[0] or steps[1], steps[1] or steps[0]]
    if None in steps:
        return data, {}, (), {}
    origin = [float(v[0] * _UM.get(u, 0.0)) for v, u in zip(values, units, strict=True)]
    notes = tuple(
        f"The pixels are not evenly spaced along {name}; their mean distance is used."
        for name, v in zip(("y", "x"), values, strict=True)
        if v.size > 2 and np.ptp(np.diff(v)) > 0.2 * abs(np.diff(v).mean())
    )
    return data, {"pixel_size": [float(f"{s:.9g}") for s in steps], "origin": origin}, notes, {}


def _upright(
    data: NDArray[Any], values: list[NDArray[np.float64]]
) -> tuple[NDArray[Any], list[NDArray[np.float64]]]:
    """Turn rows and columns so that y and x rise."""
    for number in (0, 1):
        if values[number].size > 1 and values[number][-1] < values[number][0]:
            data, values[number] = np.flip(data, number), values[number][::-1]
    return data, values


def _series(
    data: NDArray[Any], values: NDArray[np.float64], unit: str, name: str
) -> tuple[NDArray[Any], dict[str, Any], tuple[str, ...], dict[str, Any]]:
    data = data[None]
    if unit in _SECONDS:
        found, note = series("time", values * _SECONDS[unit], "s")
        return data, {}, (note,), found
    if unit not in _UM:
        note = f"The file holds {len(values)} spectra in a series of '{name}' "
        note += f"({unit or 'no unit'}); they became one row."
        return data, {}, (note,), {}
    kind = "z" if name.lower() in ("z", "depth") else "line"
    found, note = series(kind, (values - (values[0] if kind == "line" else 0)) * _UM[unit], "um")
    step = mean_step(values * _UM[unit])
    if kind == "z" or step is None:
        return data, {}, (note,), found
    step = float(f"{step:.9g}")
    start = float(values[0] * _UM[unit])
    origin = [start, 0.0] if name.lower() == "y" else [0.0, start]
    return data, {"pixel_size": [step, step], "origin": origin}, (note,), found


def _metadata(metadata: Mapping[str, Any]) -> tuple[dict[str, Any], float | None]:
    general, setup = metadata.get("General", {}), metadata.get("Acquisition_instrument", {})
    laser, detector = setup.get("Laser", {}), setup.get("Detector", {})
    quantity = re.search(r"\((.+)\)", str(metadata.get("Signal", {}).get("quantity", "")))
    found = {
        "title": general.get("title"),
        "date": iso_date(general.get("date"), general.get("time")),
        "dwell_time_s": detector.get("integration_time"),
        "intensity_unit": quantity[1].lower() if quantity else None,
        "laser_power": laser.get("power"),
        "instrument": setup.get("Spectrometer", {}).get("model"),
    }
    found = {key: value for key, value in found.items() if isinstance(value, str | int | float)}
    json.dumps(found)
    return known(found), laser_line(laser.get("wavelength"))


def iso_date(date: Any, time: Any = "") -> str | None:
    """Return ``2022-08-19T09:30:34`` from a date in ISO or German order and a time, or None."""
    for form in ("%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M:%S", "%Y-%m-%d", "%d.%m.%Y"):
        text = f"{date} {str(time).split('.')[0].split('+')[0]}" if "%H" in form else str(date)
        with contextlib.suppress(ValueError):
            return datetime.strptime(text.strip(), form).isoformat().removesuffix("T00:00:00")
    return None
