"""Small files as the instruments' software writes them, made by hand from the formats' descriptions."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "formats"
AXIS = np.linspace(600, 1800, 12)


def measured(name: str) -> Path:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"measured data is not here: {path}")
    return path


def numbered(n_y: int, n_x: int, n_channels: int = 12) -> NDArray[np.float32]:
    """A cube whose intensities tell their place: 10000 y + 100 x + channel."""
    y, x, channel = np.mgrid[:n_y, :n_x, :n_channels]
    return (10000 * y + 100 * x + channel).astype(np.float32)


def _block(name: bytes, content: bytes) -> bytes:
    return struct.pack("<4sIQ", name, 1, 16 + len(content)) + content


def wdf_bytes(
    spectra: NDArray[np.float32],
    places: dict[int, NDArray[np.float64]] | None = None,
    *,
    kind: int = 3,
    counts: Sequence[int] | None = None,
    flags: int = 0,
    capacity: int | None = None,
    axis_unit: int = 1,
    place_unit: int = 5,
    axis: NDArray[np.float64] = AXIS,
    laser_nm: float = 532.0,
) -> bytes:
    """A WiRE file; `places` maps a data type (3: x, 4: y, 5: z) to the values of the spectra."""
    n, n_channels = spectra.shape
    capacity = capacity or n
    places = places or {}
    header = struct.pack(
        "<IIQQ16s12xIIIQQIIII24s4HIIQQIf48x32s160s48x32x32x",
        0x31464457, 1, 512, 0, b"", 0, 0, n_channels, capacity, n, 1, 1, n_channels, len(places),
        b"WiRE", 5, 2, 0, 1, 1, kind, 131_000_000_000_000_000, 131_000_000_000_000_000, 6,
        1e7 / laser_nm, b"me", b"A map",
    )  # fmt: skip
    data = np.zeros((capacity, n_channels), "<f4")
    data[:n] = spectra
    origins = struct.pack("<I", len(places))
    for data_type, values in places.items():
        full = np.zeros(capacity)
        full[:n] = values
        origins += struct.pack("<II16s", data_type, place_unit, b"") + full.astype("<f8").tobytes()
    blocks = [header, _block(b"DATA", data.tobytes())]
    blocks.append(
        _block(b"XLST", struct.pack("<II", 1, axis_unit) + np.asarray(axis, "<f4").tobytes())
    )
    if places:
        blocks.append(_block(b"ORGN", origins))
    if counts is not None:
        area = struct.pack("<II3f3f3II", flags, 0, 0, 0, 0, 1, 1, 1, *counts, 0)
        blocks.append(_block(b"WMAP", area))
    return b"".join(blocks)


def wdf_map(n_y: int = 4, n_x: int = 3, **options: Any) -> bytes:
    """A map measured row by row, whose y falls."""
    cube = numbered(n_y, n_x)
    y, x = np.mgrid[:n_y, :n_x]
    places = {3: 0.5 * x.ravel() + 10, 4: 20 - 2.0 * y.ravel()}
    options = {"counts": (n_x, n_y, 1)} | options
    return wdf_bytes(cube.reshape(-1, 12), places, **options)


def spc_bytes(
    spectra: NDArray[Any],
    *,
    axis: NDArray[np.float64] | None = AXIS,
    unit: int = 13,
    z_unit: int = 0,
    places: Sequence[float] | None = None,
    exponent: int = -128,
    version: int = 0x4B,
    flags: int = 0,
    log: bytes = b"",
) -> bytes:
    """A Galactic file: float32 subfiles, or int32 ones scaled by 2 ** (exponent - 32)."""
    n, n_channels = spectra.shape
    flags |= (0x80 if axis is not None else 0) | (0x04 if n > 1 else 0)
    date = (2020 << 20) | (2 << 16) | (3 << 11) | (4 << 6) | 5
    head = struct.pack(
        "<BBBbIddIBBBBI", flags, version, 0, exponent, n_channels, AXIS[0], AXIS[-1], n, unit, 4,
        z_unit, 0, date,
    )  # fmt: skip
    body = b"" if axis is None else np.asarray(axis, "<f4").tobytes()
    for number, spectrum in enumerate(spectra):
        place = number if places is None else places[number]
        body += struct.pack("<BbHffIIIf4x", 0, exponent, number, place, place, 0, n_channels, 1, 0)
        body += spectrum.astype("<f4" if exponent == -128 else "<i4").tobytes()
    offset = 512 + len(body) if log else 0
    head = head.ljust(248, b"\0") + struct.pack("<I", offset)
    tail = struct.pack("<IIIII44x", 64 + len(log), 4096, 64, 0, 0) + log if log else b""
    return head.ljust(512, b"\0") + body + tail


def save_envi(
    folder: Path, interleave: str = "bil", drop: str = "", add: str = "", order: int = 0
) -> Path:
    """An ENVI pair of 4 x 3 pixels; returns its header."""
    cube = numbered(4, 3)
    axes = {"bip": (0, 1, 2), "bil": (0, 2, 1), "bsq": (2, 0, 1)}[interleave]
    values = cube.transpose(axes).astype("<f4" if order == 0 else ">f4")
    (folder / "map.img").write_bytes(b"skip" + values.tobytes())
    lines = [
        "ENVI", "description = {made}", "samples = 3", "lines = 4", "bands = 12", "header offset = 4",
        "data type = 4", f"interleave = {interleave}", f"byte order = {order}",
        "wavelength units = Wavenumber", f"wavelength = {{{', '.join(map(str, AXIS))}}}",
    ]  # fmt: skip
    kept = [line for line in lines if not (drop and line.startswith(drop))]
    (folder / "map.hdr").write_text("\n".join([*kept, add]))
    return folder / "map.hdr"


def labspec_bytes(axis_unit: str = "1/cm") -> bytes:
    """A LabSpec map of 2 x 3 pixels on a falling axis, whose y falls too."""
    cube = numbered(2, 3)[..., ::-1]

    def numbers(values: NDArray[Any]) -> str:
        return " ".join(f"{value:g}" for value in np.ravel(values))

    def axis(number: int, name: str, unit: str, values: NDArray[Any]) -> str:
        return (
            f'<LSX Format="9" ID="0x{number}" Size="4"><LSX Format="6" ID="0x7D6CD4DB" Size="{len(values)}">'
            f'{numbers(values)}</LSX><LSX Format="7" ID="0x6D707974">{name}</LSX>'
            f'<LSX Format="7" ID="0x7C696E75">{unit}</LSX></LSX>'
        )

    axes = axis(1, "Spectr", axis_unit, AXIS[::-1]) + axis(2, "X", "µm", np.array([4.0, 4.5, 5.0]))
    axes += axis(3, "Y", "µm", np.array([2.0, 1.0]))
    signal = (
        '<LSX Format="9" ID="0x0" Size="2"><LSX Format="7" ID="0x6D707974">Intens</LSX>'
        '<LSX Format="7" ID="0x7C696E75">Cnt</LSX></LSX>'
    )

    def record(*pairs: tuple[str, str]) -> str:
        return "".join(
            f'<LSX ID="0x{i}"><LSX ID="0x6D6D616E">{key}</LSX><LSX ID="0x7D6C61DB">{value}</LSX>'
            f'<LSX ID="0x8736F70">{value}</LSX></LSX>'
            for i, (key, value) in enumerate(pairs)
        )

    said = {
        "0x7CECDBD7": record(("Acquired", "27.06.2022 16:26:24")),
        "0x8716361": record(
            ("Acq. time (s)", "0.5"), ("Accumulations", "2"), ("Laser (nm)", "632.8"),
            ("Instrument", "LabRAM"), ("Objective", "50"), ("Grating", "600"),
            ("ND Filter", "1"), ("Hole", "100"),
        ),
        "0x7C73E2D2": record(("Title", "made"), ("Date", "27.06.2022 16:26")),
    }  # fmt: skip
    setup = "".join(f'<LSX ID="{key}">{value}</LSX>' for key, value in said.items())
    rows = "".join(
        f'<LSX_Row Format="5" Size="12">{numbers(row)}</LSX_Row>' for row in cube.reshape(-1, 12)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<LSX_Data><LSX_Tree Format="9" ID="0x69746164" Size="4">'
        '<LSX Format="7" ID="0x6D707974">SpIm</LSX><LSX Format="8" ID="0x6C7469D9">made</LSX>'
        '<LSX Format="9" ID="0x7A74D9D6" Size="1"><LSX Format="9" ID="0x7B697861" Size="4">'
        f'{signal}{axes}</LSX></LSX><LSX Format="9" ID="0x6C62D4D9" Size="3">{setup}</LSX></LSX_Tree>'
        f'<LSX_Matrix Format="9" Size="6">{rows}</LSX_Matrix></LSX_Data>'
    ).encode()


def wip_bytes(
    graphs: dict[str, NDArray[np.float32]] | None = None,
    *,
    steps: tuple[float, float] = (0.5, 2.0),
    lines_valid: Sequence[bool] | None = None,
    angle: float = 0.0,
) -> bytes:
    """A WITec project with spectra in nm behind a 532 nm laser; steps are of x and y."""
    tag = pytest.importorskip("witio.tag")

    def leaf(name: str, value: Any, kind: int) -> Any:
        return tag.WitTag(name, kind, value if kind == 9 else np.atleast_1d(value))

    def tree(name: str, *children: Any) -> Any:
        return tag.WitTag(name, 0, children=list(children))

    def data(number: int, class_name: str, *children: Any, caption: str = "") -> list[Any]:
        common = tree("TData", leaf("ID", number + 1, 5), leaf("Caption", caption, 9))
        entry = tree(f"Data {number}", common, *children)
        return [leaf(f"DataClassName {number}", class_name, 9), entry]

    wavelengths = 1e7 / (1e7 / 532 - AXIS)
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    viewport = tree(
        "ViewPort3D",
        leaf("ModelOrigin", np.zeros(3), 2), leaf("WorldOrigin", np.array([100.0, 200.0, 0]), 2),
        leaf("Scale", np.diag([*steps, 1.0]).ravel(order="F"), 2),
        leaf("Rotation", turn.ravel(order="F"), 2),
    )  # fmt: skip
    entries = data(0, "TDLUTTransformation",
        tree("TDTransformation", leaf("StandardUnit", "nm", 9), leaf("UnitKind", 2, 5)),
        tree("TDLUTTransformation", leaf("LUTSize", 12, 5), leaf("LUT", wavelengths, 2)),
    )  # fmt: skip
    entries += data(1, "TDSpectralInterpretation",
        tree("TDInterpretation", leaf("UnitIndex", 3, 5)),
        tree("TDSpectralInterpretation", leaf("ExcitationWaveLength", 532.0, 2)),
    )  # fmt: skip
    entries += data(2, "TDSpaceTransformation",
        tree("TDTransformation", leaf("StandardUnit", "um", 9), leaf("UnitKind", 1, 5)),
        tree("TDSpaceTransformation", viewport),
    )  # fmt: skip
    graphs = {"map": numbered(4, 3)} if graphs is None else graphs
    for number, (caption, cube) in enumerate(graphs.items(), start=3):
        raw = cube.transpose(1, 0, 2).astype("<f4").tobytes()  # x slowest, channels fastest
        parts = [
            leaf("SizeX", cube.shape[1], 5), leaf("SizeY", cube.shape[0], 5),
            leaf("SizeGraph", cube.shape[2], 5), leaf("SpaceTransformationID", 3, 5),
            leaf("XTransformationID", 1, 5), leaf("XInterpretationID", 2, 5),
            leaf("DataFieldInverted", False, 8),
            tree("GraphData", leaf("DataType", 9, 5), leaf("Data", np.frombuffer(raw, "u1"), 7)),
        ]  # fmt: skip
        if lines_valid is not None:
            parts.append(leaf("LineValid", np.array(lines_valid), 8))
        entries += data(number, "TDGraph", tree("TDGraph", *parts), caption=caption)
    count = leaf("NumberOfData", 3 + len(graphs), 5)
    root = tree("WITec Project", leaf("Version", 7, 5), tree("Data", *entries, count))
    content: bytes = tag.write_bytes(b"WIT_PR06", root)
    return content


def fill_hyperspy(experiments: Any, name: str = "map", **changes: Any) -> None:
    """Write a 4 x 3 map, whose y falls, into an HDF5 or Zarr group as HyperSpy does."""
    group = experiments.create_group(name)
    data = np.asarray(changes.get("data", numbered(4, 3)))
    if hasattr(group, "create_dataset") and type(group).__module__.startswith("h5py"):
        group.create_dataset("data", data=data)
    else:
        group.create_array("data", data=data)
    axes = changes.get(
        "axes",
        [
            {"name": "y", "units": "um", "scale": -2.0, "offset": 6.0, "size": 4, "navigate": True},
            {"name": "x", "units": "nm", "scale": 500.0, "offset": 0.0, "size": 3, "navigate": True},
            {"name": "Raman Shift", "units": "1/cm", "scale": 100.0, "offset": 600.0, "size": 12, "navigate": False},
        ],
    )  # fmt: skip
    for number, axis in enumerate(axes):
        node = group.create_group(f"axis-{number}")
        node.attrs.update(axis)
    general = group.create_group("metadata").create_group("General")
    general.attrs.update({"title": "made", "date": "2020-02-03", "time": "04:05:06"})
    laser = group["metadata"].create_group("Acquisition_instrument").create_group("Laser")
    laser.attrs["wavelength"] = 532.0
