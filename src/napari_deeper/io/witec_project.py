"""WITec .wip projects and .wid data, by ``witio`` (MIT-0, extra ``formats``).

A project holds many data: the one spectral image in it is read, or the one whose caption is given. Rows rise
with y and columns with x as the file's space transformation says; lines that were not measured are NaN.

Known limits: tested on files that this project builds itself, since no public project is at hand: where a real
one reads wrongly, its .mat or .spc export is the way round. Volumes, single images and texts are not read.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.io.contents import Contents, check_memory
from napari_deeper.io.extras import import_extra
from napari_deeper.io.series import known, laser_line, series, spectral_axis
from napari_deeper.spectra.errors import FileError

_MAGIC = (b"WIT_PRCT", b"WIT_DATA", b"WIT_PR06", b"WIT_DA06")
_TREE = 0
_DEEPEST = 40


def read_wip(path: Path, variable: str | None) -> Contents:
    """Read a .wip or .wid file; `variable` is the caption of the data to read."""
    check_memory((3 * path.stat().st_size,), 1)
    data = path.read_bytes()
    _check(data)
    project = import_extra("witio", "witio", "formats").read_bytes(data)
    entry = _choose(project, variable)
    intensity = np.asarray(entry.array()).transpose(1, 0, 2)
    header, notes, metadata = _place(entry, intensity.shape)
    intensity = np.flip(intensity, header.pop("flips"))
    if intensity.shape[1] == 1:  # a line along y
        intensity = intensity.transpose(1, 0, 2)
    axis, axis_unit, axis_notes, laser = _axis(project, entry)
    header |= {"wavenumber": axis, "metadata": metadata | _metadata(project, entry)}
    if laser is not None:
        header["excitation_nm"] = laser
    n_lost = int(np.isnan(intensity).all(axis=(1, 2)).sum()) if intensity.dtype.kind == "f" else 0
    if n_lost:
        notes = (*notes, f"{n_lost} of {intensity.shape[0]} lines were not measured; they are NaN.")
    return Contents(intensity, "WITec project", header, axis_unit, (*axis_notes, *notes))


def _check(data: bytes) -> None:
    """Follow the tags from the first to the last byte: the library would go round in circles on damage."""
    if data[:8] not in _MAGIC:
        raise FileError("it does not begin as a WITec project does. Was it renamed?")
    ends = [len(data)]
    position = 8
    while position + 24 <= len(data):
        (length,) = struct.unpack_from("<I", data, position)
        head = position + 4 + length
        if head + 20 > len(data):
            break
        kind, start, end = struct.unpack_from("<IQQ", data, head)
        while len(ends) > 1 and position >= ends[-1]:
            ends.pop()
        if not head + 20 <= start <= end <= ends[-1] or len(ends) > _DEEPEST:
            raise FileError(
                f"its entry at byte {position} lies outside of the one that holds it: the file is cut short or "
                "damaged. Copy or save it again."
            )
        if kind == _TREE:
            ends.append(end)
            position = head + 20
        else:
            position = end


def _choose(project: Any, variable: str | None) -> Any:
    graphs: dict[str, tuple[Any, tuple[int, ...]]] = {}
    for entry in project.find(class_name="TDGraph"):
        sizes = [int(entry.payload[key].scalar()) for key in ("SizeY", "SizeX", "SizeGraph")]
        if sizes[2] > 1 and _is_spectral(entry):
            graphs[_unused(str(entry.caption), graphs)] = (entry, tuple(sizes))
    listed = ", ".join(f"'{name}' {sizes}" for name, (_, sizes) in graphs.items())
    if variable is not None:
        if variable not in graphs:
            raise FileError(f"it has no spectra '{variable}'. It holds {listed or 'none'}.")
        return graphs[variable][0]
    images = [entry for entry, sizes in graphs.values() if sizes[0] * sizes[1] > 1]
    found = images or [entry for entry, _ in graphs.values()]
    if len(found) != 1:
        raise FileError(
            f"it holds {len(found)} sets of spectra: {listed or 'none'}. Say which with variable=... "
            "(--variable on the command line)."
        )
    return found[0]


def _unused(caption: str, taken: Any) -> str:
    name, number = caption, 2
    while name in taken:
        name, number = f"{caption} ({number})", number + 1
    return name


def _is_spectral(entry: Any) -> bool:
    transformation = _linked(entry, "XTransformationID")
    interpretation = _linked(entry, "XInterpretationID")
    kinds = {getattr(linked, "class_name", "") for linked in (transformation, interpretation)}
    return bool(kinds & {"TDSpectralTransformation", "TDSpectralInterpretation"})


def _linked(entry: Any, key: str) -> Any:
    tag = entry.payload.find(key)
    return entry.project.find_by_id(tag.scalar()) if tag is not None else None


def _axis(
    project: Any, entry: Any
) -> tuple[NDArray[np.float64], str, tuple[str, ...], float | None]:
    interpretation = _linked(entry, "XInterpretationID")
    laser = None
    if getattr(interpretation, "class_name", "") == "TDSpectralInterpretation":
        laser = laser_line(interpretation.payload["ExcitationWaveLength"].scalar())
    values, unit = entry.x_axis("nm")
    axis, axis_unit, notes = spectral_axis(values, str(unit))
    return axis, axis_unit, notes, laser


def _place(
    entry: Any, shape: Sequence[int]
) -> tuple[dict[str, Any], tuple[str, ...], dict[str, Any]]:
    """Return pixel size, origin and the axes to turn; what to say; and the series of a line."""
    header: dict[str, Any] = {"flips": ()}
    if _linked(entry, "SpaceTransformationID") is None or shape[0] * shape[1] == 1:
        note = f"The file holds {shape[0] * shape[1]} spectra without their place."
        return header, (note,) if shape[0] * shape[1] > 1 else (), {}
    x, y = (np.asarray(grid, dtype=np.float64).T for grid in entry.position_grid("um"))
    along_x = _vector(x, y, 1)
    along_y = _vector(x, y, 0)
    steps = [float(np.hypot(*vector)) for vector in (along_y, along_x)]
    if shape[0] == 1 or shape[1] == 1:
        return _line(header, max(steps), x, y)
    if min(steps) == 0:
        return header, ("The places of the pixels are damaged; they are left out.",), {}
    header["pixel_size"] = [float(f"{step:.9g}") for step in steps]
    if abs(along_x[1]) > 0.01 * steps[1] or abs(along_y[0]) > 0.01 * steps[0]:
        angle = np.degrees(np.arctan2(along_x[1], along_x[0]))
        header["origin"] = [float(y[0, 0]), float(x[0, 0])]
        note = f"The map is rotated by {angle:.1f} degrees against the stage; it is shown along its own axes."
        return header, (note,), {}
    header["flips"] = tuple(a for a, falls in ((0, along_y[1] < 0), (1, along_x[0] < 0)) if falls)
    header["origin"] = [float(y.min()), float(x.min())]
    return header, (), {}


def _vector(x: NDArray[np.float64], y: NDArray[np.float64], axis: int) -> tuple[float, float]:
    if x.shape[axis] < 2:
        return 0.0, 0.0
    second = (1, 0) if axis == 0 else (0, 1)
    return float(x[second] - x[0, 0]), float(y[second] - y[0, 0])


def _line(
    header: dict[str, Any], step: float, x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[dict[str, Any], tuple[str, ...], dict[str, Any]]:
    found, note = series("line", step * np.arange(x.size), "um")
    if step > 0:
        header["pixel_size"] = [float(f"{step:.9g}")] * 2
    header["origin"] = [float(y[0, 0]), float(x[0, 0])]
    return header, (note,), found


def _metadata(project: Any, entry: Any) -> dict[str, Any]:
    try:
        said, system = dict(entry.measurement_metadata), dict(project.system_metadata)
        dates = [event.date for event in entry.history if event.date is not None]
    except (
        Exception
    ):  # side notes: the library raises anything on damage, and the map is still good
        return known({"title": entry.caption})
    date = said.get("trace_creation_time_utc") or (dates[0] if dates else None)
    dwell, frames = said.get("integration_time_s"), said.get("accumulations") or 1
    power = said.get("laser_power_mw")
    return known(
        {
            "title": entry.caption,
            "date": date.isoformat(timespec="seconds") if date else None,
            "dwell_time_s": float(dwell) * float(frames)
            if isinstance(dwell, int | float)
            else None,
            "laser_power": f"{power:g} mW" if isinstance(power, int | float) else None,
            "instrument": system.get("system_id"),
            "software": system.get("application_version"),
            "z_um": said.get("sample_position_z_um"),
            "intensity_unit": "counts",
        }
    )
