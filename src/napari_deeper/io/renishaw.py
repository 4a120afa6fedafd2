"""Renishaw WiRE .wdf, by Renishaw's own library (``renishaw-wdf``, extra ``formats``).

Maps (point by point, StreamLine, StreamHR), lines, depth and time series, single spectra. The place of each
spectrum is the one that the stage reported for it: rows rise with y, whatever the order of the measurement.
StreamLine measures column by column; a reader that unfolds it row by row scrambles the image.

Known limits: of an interrupted map only whole lines are read. Volumes, and files whose spectra have axes of
their own (multitrack), are refused. White-light images are not read.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.io.contents import Contents, check_memory
from napari_deeper.io.extras import import_extra
from napari_deeper.io.grid import grid_points
from napari_deeper.io.series import known, laser_line, series, spectral_axis
from napari_deeper.spectra.errors import FileError

_HEADER = 512
_BLOCK = 16
# Properties may be stored compressed: what they can grow to is bounded by what is looked at.
_LARGEST_PROPERTIES = 2**20
_UM = {"Micron": 1.0, "Millimetres": 1e3, "Metres": 1e6, "Nanometre": 1e-3}
_SHIFTS = {"RamanShift": "cm-1", "Nanometre": "nm", "ElectronVolt": "eV", "Micron": "um"}


def read_wdf(path: Path, variable: str | None) -> Contents:
    """Read a .wdf file of WiRE."""
    del variable  # a .wdf holds one measurement
    wdf = import_extra("wdf", "renishaw-wdf", "formats")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        blocks = _blocks(data)
        reader = wdf.Wdf()
        reader.open_fd(data)
        _check(reader, blocks, len(data))
        spectra = _spectra(reader.hdr, data, blocks)
        return _contents(reader, blocks, spectra)


def _blocks(data: mmap.mmap) -> dict[bytes, tuple[int, int]]:
    """Return (position, size) of the first block of each name."""
    if data[:4] != b"WDF1" or len(data) < _HEADER:
        raise FileError("it does not begin as a WiRE file does. Was it renamed, or cut short?")
    blocks: dict[bytes, tuple[int, int]] = {}
    position = 0
    while position + _BLOCK <= len(data):
        name, _, size = struct.unpack_from("<4sIQ", data, position)
        if size < _BLOCK:  # the library would go round in circles here
            raise FileError(f"its block at byte {position} declares {size} bytes; it is damaged.")
        blocks.setdefault(name, (position, size))
        position += size
    return blocks


def _check(reader: Any, blocks: dict[bytes, tuple[int, int]], n_bytes: int) -> None:
    """Compare what the header declares with what is there."""
    header = reader.hdr
    shape = (header.ncollected, header.npoints)
    if 0 in shape:
        raise FileError(f"it holds no spectra: {shape[0]} of {shape[1]} channels were collected.")
    if header.flags_ & 0b1001:
        raise FileError(
            "its spectra have axes of their own (multitrack), which is no cube. Export them in WiRE."
        )
    if header.ncollected > header.nspectra or header.xlistcount != header.npoints:
        raise FileError(
            f"it declares {header.ncollected} of {header.nspectra} spectra with {header.npoints} channels, and an "
            f"axis of {header.xlistcount} values; it is damaged."
        )
    needed = {b"DATA": 4 * shape[0] * shape[1], b"XLST": 8 + 4 * shape[1]}
    if b"ORGN" in blocks:
        position = blocks[b"ORGN"][0] + _BLOCK
        n_origins = int.from_bytes(reader.fd[position : position + 4], "little")
        needed[b"ORGN"] = 4 + n_origins * (24 + 8 * header.nspectra)
    for name, size in needed.items():
        position, held = blocks.get(name, (0, 0))
        if size > held - _BLOCK or position + _BLOCK + size > n_bytes:
            raise FileError(
                f"its block {name.decode()} should hold {size} bytes, but they are not there: the file is cut "
                "short or damaged. Copy it again."
            )
    check_memory(shape, 4)


def _spectra(
    header: Any, data: mmap.mmap, blocks: dict[bytes, tuple[int, int]]
) -> NDArray[np.float32]:
    n_values = header.ncollected * header.npoints
    start = blocks[b"DATA"][0] + _BLOCK
    values = np.frombuffer(data[start : start + 4 * n_values], "<f4")
    return values.reshape(header.ncollected, header.npoints)


def _contents(
    reader: Any, blocks: dict[bytes, tuple[int, int]], spectra: NDArray[np.float32]
) -> Contents:
    header = reader.hdr
    listed = reader.xlist()
    unit = _SHIFTS.get(listed.units.name, listed.units.name)
    notes: tuple[str, ...] = ()
    if listed.units.name == "Arbitrary":
        unit, notes = (
            "cm-1",
            ("The file does not state the unit of its axis; it is taken as cm-1.",),
        )
    axis, axis_unit, axis_notes = spectral_axis(listed, unit)
    place, metadata = _place(reader, blocks, spectra)
    intensity, place_header, place_notes = place
    laser = laser_line(1e7 / header.laser_wavenumber) if header.laser_wavenumber > 0 else None
    fields = {"wavenumber": axis, "metadata": metadata} | place_header
    if laser is not None:
        fields["excitation_nm"] = laser
    return Contents(
        intensity,
        "Renishaw .wdf",
        fields,
        axis_unit,
        notes + axis_notes + place_notes,
    )


Place = tuple[NDArray[np.float32], dict[str, Any], tuple[str, ...]]


def _place(
    reader: Any, blocks: dict[bytes, tuple[int, int]], spectra: NDArray[np.float32]
) -> tuple[Place, dict[str, Any]]:
    """Return the intensities in their place, and the metadata."""
    metadata = _metadata(reader, blocks)
    origins = {o.datatype.name: o for o in reader.origins.values()} if b"ORGN" in blocks else {}
    x, y, z = (_positions(origins, f"Spatial_{axis}", len(spectra)) for axis in "XYZ")
    area = reader.map_area if b"WMAP" in blocks else None
    kind = reader.hdr.type.name
    if kind == "Map" and x is not None and y is not None:
        _refuse_volume(area)
        place = _map(area, x, y, spectra)
        if z is not None:
            metadata["z_um"] = float(np.median(z))
    elif z is not None and len(spectra) > 1:
        found, note = series("z", z, "um")
        metadata |= found
        place = (spectra[None], {}, (note,))
    elif len(spectra) > 1:
        place = _series_in_time(origins, spectra, metadata)
    else:
        place = (spectra[None], {}, ())
    if "series" not in metadata and place[0].shape[0] == 1 and kind == "Map":
        metadata |= _line_series(place)
    return place, known(metadata)


def _refuse_volume(area: Any) -> None:
    if area is not None and area.count.z > 1:
        raise FileError(
            f"it holds a volume of {area.count.z} layers; a cube is one layer. Export single layers in WiRE."
        )


def _map(
    area: Any, x: NDArray[np.float64], y: NDArray[np.float64], spectra: NDArray[np.float32]
) -> Place:
    n_whole, notes = _whole_lines(area, len(spectra))
    if n_whole < len(spectra):
        x, y, spectra = x[:n_whole], y[:n_whole], spectra[:n_whole]
    gridded = grid_points(x, y, spectra)
    if gridded.pixel_size is None:
        return gridded.intensity, {"origin": list(gridded.origin)}, notes
    header = {"pixel_size": list(gridded.pixel_size), "origin": list(gridded.origin)}
    return gridded.intensity, header, notes + gridded.notes


def _whole_lines(area: Any, n_collected: int) -> tuple[int, tuple[str, ...]]:
    """Return how many spectra are in whole lines, and what is said where some are not."""
    if area is None or area.flags & area.flags.RandomPoints:
        return n_collected, ()
    declared = area.count.x * area.count.y
    length = area.count.y if area.flags & area.flags.ColumnMajor else area.count.x
    if n_collected >= declared or length == 0:
        return n_collected, ()
    n_lines = n_collected // length
    if n_lines == 0:
        return n_collected, (f"The measurement was interrupted after {n_collected} spectra.",)
    left = n_collected - n_lines * length
    note = f"The measurement was interrupted after {n_lines} whole lines of {declared // length}."
    if left:
        note += f" {left} spectra of the next one were left out."
    return n_lines * length, (note,)


def _line_series(place: Place) -> dict[str, Any]:
    _, header, _ = place
    step = header.get("pixel_size", [0, 0])[1]
    n = place[0].shape[1]
    return series("line", step * np.arange(n), "um")[0] if n > 1 else {}


def _series_in_time(
    origins: dict[str, Any], spectra: NDArray[np.float32], metadata: dict[str, Any]
) -> Place:
    time = origins.get("Time")
    if time is None or time.dataunit.name != "FileTime":
        note = f"The file holds {len(spectra)} spectra and not their place; they became one row."
        return spectra[None], {}, (note,)
    stamps = time[0 : len(spectra)]
    found, note = series("time", [(t - stamps[0]).total_seconds() for t in stamps], "s")
    metadata |= found
    return spectra[None], {}, (note,)


def _positions(origins: dict[str, Any], name: str, n: int) -> NDArray[np.float64] | None:
    origin = origins.get(name)
    if origin is None:
        return None
    factor = _UM.get(origin.dataunit.name)
    if factor is None:
        raise FileError(f"its places are in '{origin.dataunit.name}', not in a unit of length.")
    return np.array(origin[0:n]) * factor


def _metadata(reader: Any, blocks: dict[bytes, tuple[int, int]]) -> dict[str, Any]:
    header = reader.hdr
    found: dict[str, Any] = {
        "title": header.title,
        "software": f"{header.appname} {header.appversion}" if header.appname else None,
        "intensity_unit": "counts" if header.units.name == "Counts" else None,
        "user": header.user,
    }
    if header.time_start_:
        found["date"] = header.time_start.isoformat(timespec="seconds")
    settings = _properties(reader, blocks, b"WXDM")
    exposure, frames = settings.get("Exposure Time"), settings.get("Accumulations")
    if isinstance(exposure, int | float) and isinstance(frames, int) and exposure > 0 < frames:
        found["dwell_time_s"] = exposure * frames / 1000
    if isinstance(power := settings.get("Laser Power"), str | int | float):
        found["laser_power"] = power
    instrument = _properties(reader, blocks, b"WXIS")
    words = [instrument.get("Instrument type"), instrument.get("Instrument")]
    found["instrument"] = " ".join(["Renishaw", *(w for w in words if isinstance(w, str))])
    return known(found) if blocks.keys() & {b"WXIS"} else known(found | {"instrument": None})


def _properties(reader: Any, blocks: dict[bytes, tuple[int, int]], name: bytes) -> dict[str, Any]:
    """Return the properties of a block, the first of each name; none where they are damaged."""
    _, size = blocks.get(name, (0, 0))
    if not 0 < size <= _LARGEST_PROPERTIES:
        return {}
    found: dict[str, Any] = {}
    try:
        properties = reader.get_section_properties(int.from_bytes(name, "little"), -1)
        for key, value in _leaves(properties, 0):
            found.setdefault(key, value)
    except (
        Exception
    ):  # side notes: the library raises anything on damage, and the map is still good
        return {}
    return found


def _leaves(properties: Any, depth: int) -> Iterator[tuple[str, Any]]:
    if properties is None or depth > 6:
        return
    for key, item in properties:
        value = item.value
        if hasattr(value, "items") and not isinstance(value, dict):
            yield from _leaves(value, depth + 1)
        else:
            yield key, value
