"""Files of instruments: every spectrum in its place, and what each file says of itself."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from vendor_files import (
    AXIS,
    labspec_bytes,
    measured,
    numbered,
    save_envi,
    spc_bytes,
    wdf_bytes,
    wdf_map,
)

import napari_deeper as nd
from napari_deeper.io.series import spectral_axis
from napari_deeper.spectra.errors import AxisError, FileError


def save(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def notes(cube: nd.RamanCube) -> str:
    return " ".join(cube.provenance[0].notes)


# ---- Renishaw .wdf

MAPS = [
    ("renishaw_test_map.wdf", (3, 3, 47), (100, 100), (-100, -100), 325.0),
    ("renishaw_test_map2.wdf", (20, 20, 1015), (1, 1), (-105970.3, 4950.8), 325.0),
    ("interrupted_acquisition.wdf", (3, 4, 1010), (10, 10), (3334.2344, 9250.0735), 532.16),
    ("renishaw_test_streamline.wdf", (49, 45, 394), (2.6, 2.6), (-1201.3, -8100.3), 785.0),
]


@pytest.mark.parametrize(("name", "shape", "size", "origin", "laser"), MAPS)
def test_wire_maps(name: str, shape: Any, size: Any, origin: Any, laser: float) -> None:
    pytest.importorskip("wdf")
    cube = nd.read(measured(f"renishaw/{name}"))
    assert cube.shape == shape
    assert cube.pixel_size == pytest.approx(size)
    assert cube.origin == pytest.approx(origin, rel=1e-6)
    assert cube.excitation_nm == pytest.approx(laser, abs=0.01)
    assert cube.metadata["intensity_unit"] == "counts"
    assert cube.metadata["software"].startswith("WiRE")


@pytest.mark.parametrize("name", [m[0] for m in MAPS])
def test_each_spectrum_is_where_the_stage_was(name: str) -> None:
    """Against Renishaw's own library, one spectrum after the other."""
    wdf = pytest.importorskip("wdf")
    path = measured(f"renishaw/{name}")
    cube = nd.read(path)
    with wdf.Wdf(str(path)) as file:
        n = file.hdr.ncollected
        origins = {origin.datatype.name: origin[0:n] for origin in file.origins.values()}
        falls = file.xlist()[0] > file.xlist()[-1]
        for k in range(0, n, 7):
            row = round((origins["Spatial_Y"][k] - cube.origin[0]) / cube.pixel_size[0])
            column = round((origins["Spatial_X"][k] - cube.origin[1]) / cube.pixel_size[1])
            expected = np.array(file.spectrum(k), np.float32)[:: -1 if falls else 1]
            np.testing.assert_array_equal(cube.intensity[row, column], expected)


def test_wire_maps_stand_as_rosettasciio_reads_them() -> None:
    """Except for StreamLine, measured column by column, which it unfolds row by row."""
    pytest.importorskip("wdf")
    renishaw = pytest.importorskip("rsciio.renishaw")
    path = measured("renishaw/renishaw_test_map2.wdf")
    entry = renishaw.file_reader(str(path))[0]
    np.testing.assert_array_equal(nd.read(path).intensity, entry["data"])


def test_wire_settings() -> None:
    pytest.importorskip("wdf")
    cube = nd.read(measured("renishaw/renishaw_test_map2.wdf"))
    assert cube.metadata["date"] == "2022-02-04T16:16:43+00:00"
    assert cube.metadata["dwell_time_s"] == 4.0
    assert cube.metadata["instrument"] == "Renishaw InVia 3F0Q94"
    # nm behind the laser line that the file states
    assert cube.wavenumber[[0, -1]] == pytest.approx(
        1e7 / 325.00033 - 1e7 / np.array([326.17166, 412.44839]), abs=0.01
    )
    assert "325 nm" in notes(cube)
    given = nd.read(measured("renishaw/renishaw_test_map2.wdf"), excitation_nm=320)
    assert given.excitation_nm == 320
    assert given.wavenumber[0] == pytest.approx(1e7 / 320 - 1e7 / 326.17166, abs=0.01)


def test_wire_series() -> None:
    pytest.importorskip("wdf")
    line = nd.read(measured("renishaw/renishaw_test_linescan.wdf"))
    assert line.shape == (1, 5, 40)
    assert line.pixel_size == pytest.approx((30, 30))
    assert line.metadata["series"]["values"] == pytest.approx([0, 30, 60, 90, 120])
    depth = nd.read(measured("renishaw/renishaw_test_zscan.wdf"))
    assert depth.shape == (1, 40, 1015)
    assert depth.metadata["series"]["kind"] == "z"
    assert depth.metadata["series"]["values"][:3] == pytest.approx([-10, -9.5, -9])
    stages = nd.read(measured("renishaw/renishaw_test_timeseries.wdf"))
    assert stages.shape == (1, 3, 1007)
    assert stages.metadata["series"]["unit"] == "s"
    assert stages.metadata["series"]["values"] == pytest.approx([0, 3.088, 6.133], abs=1e-3)
    assert nd.read(measured("renishaw/renishaw_test_spectrum.wdf")).shape == (1, 1, 36)
    undefined = nd.read(measured("renishaw/renishaw_test_undefined.wdf"))
    assert undefined.shape == (1, 2, 1015)
    assert "taken as cm-1" in notes(undefined)
    assert "date" not in undefined.metadata


def test_a_large_wire_map_opens_at_once() -> None:
    pytest.importorskip("wdf")
    path = measured("renishaw/renishaw_test_streamline.wdf")
    nd.read(path)
    began = time.perf_counter()
    nd.read(path)
    assert time.perf_counter() - began < 3  # tens of milliseconds on a free core


def test_falling_rows_and_interrupted_lines(tmp_path: Path) -> None:
    pytest.importorskip("wdf")
    cube = nd.read(save(tmp_path / "a.wdf", wdf_map()))
    np.testing.assert_array_equal(cube.intensity, numbered(4, 3)[::-1])
    assert (cube.origin, cube.pixel_size) == ((14, 10), (2, 0.5))
    y, x = np.mgrid[:4, :3]
    spectra, places = numbered(4, 3).reshape(-1, 12), {3: x.ravel(), 4: y.ravel()}
    eight = wdf_bytes(
        spectra[:8], {k: v[:8] for k, v in places.items()}, counts=(3, 4, 1), capacity=12
    )
    cube = nd.read(save(tmp_path / "b.wdf", eight))
    np.testing.assert_array_equal(cube.intensity, numbered(2, 3))
    assert "after 2 whole lines of 4. 2 spectra of the next one were left out" in notes(cube)
    by_column = numbered(4, 3).transpose(1, 0, 2).reshape(-1, 12)
    y, x = y.T.ravel()[:10], x.T.ravel()[:10]
    ten = wdf_bytes(by_column[:10], {3: x, 4: y}, counts=(3, 4, 1), capacity=12, flags=2)
    np.testing.assert_array_equal(
        nd.read(save(tmp_path / "c.wdf", ten)).intensity, numbered(4, 3)[:, :2]
    )


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"hello" * 200, "does not begin as a WiRE file"),
        (wdf_map(counts=(3, 4, 2)), "volume of 2 layers"),
        (wdf_map(axis_unit=20), "'Radians'"),
        (wdf_map(place_unit=10), "'Kelvin', not in a unit of length"),
        (wdf_map()[:1000], "cut short"),
        (wdf_map()[:520] + b"\0" * 16, "damaged|cut short"),
        (wdf_map().replace((12).to_bytes(4, "little"), b"\xff\xff\xff\x7f"), "damaged|declares"),
    ],
)
def test_wire_files_that_are_none(tmp_path: Path, content: bytes, text: str) -> None:
    pytest.importorskip("wdf")
    with pytest.raises((FileError, AxisError), match=text):
        nd.read(save(tmp_path / "a.wdf", content))


def test_an_axis_that_merely_looks_like_nm_is_not_converted(tmp_path: Path) -> None:
    """A narrow window in cm-1, as the file says: no laser line turns it into another."""
    pytest.importorskip("wdf")
    axis = np.linspace(500, 540, 100)
    content = wdf_bytes(numbered(1, 1, 100)[0], kind=1, axis=axis)
    cube = nd.read(save(tmp_path / "a.wdf", content))
    np.testing.assert_allclose(cube.wavenumber, axis, atol=0.01)
    assert "the file says that it is in cm-1" in notes(cube)
    in_nm = wdf_bytes(numbered(1, 1, 100)[0], kind=1, axis=axis, axis_unit=3, laser_nm=488)
    cube = nd.read(save(tmp_path / "b.wdf", in_nm))
    assert cube.wavenumber[0] == pytest.approx(1e7 / 488 - 1e7 / 500, abs=0.01)


# ---- Galactic .spc


def test_a_witec_spc_is_the_mat_of_the_same_map() -> None:
    pytest.importorskip("spc_io")
    path = measured("witec/P_A32_006_Spec.Data 1.spc")
    reference = nd.read(measured("witec/P_A32_006_Spec.Data 1.mat"))
    for cube in (nd.read(path), nd.read(path, image_size=(17, 16))):
        np.testing.assert_array_equal(cube.intensity, reference.intensity)
        np.testing.assert_allclose(cube.wavenumber, reference.wavenumber, rtol=3e-7)
    assert "17 x 16 pixels (y, x) were chosen" in notes(nd.read(path))
    with pytest.raises(FileError, match="272 spectra"):
        nd.read(path, image_size=(17, 17))


def test_measured_spc_files() -> None:
    pytest.importorskip("spc_io")
    several = nd.read(measured("spc/LabRam-1.spc"))
    assert several.shape == (1, 18, 1023)
    assert "-40 to 9 of an unnamed unit" in notes(several)
    single = nd.read(measured("spc/LabRam-2.spc"))
    assert single.shape == (1, 1, 1911)
    assert single.excitation_nm == 660
    assert single.metadata["instrument"] == "LABRAM HR EVOL"
    small = nd.read(measured("spc/Witec-Map.spc"))
    assert small.shape == (1, 25, 1024)  # too small to tell 5 x 5 from a line
    assert nd.read(measured("spc/Witec-Map.spc"), image_size=(5, 5)).shape == (5, 5, 1024)


def test_the_width_of_a_map_is_told_only_where_it_is_plain(tmp_path: Path) -> None:
    pytest.importorskip("spc_io")
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:12, :10]
    image = np.exp(-((y - 5) ** 2 + (x - 3) ** 2) / 20) + 0.3 * np.sin(x / 2)
    spectra = image.ravel()[:, None] * np.arange(1, 13) + rng.normal(0, 0.1, (120, 12))
    cube = nd.read(save(tmp_path / "a.spc", spc_bytes(spectra)))
    np.testing.assert_allclose(cube.intensity, spectra.reshape(12, 10, 12), rtol=1e-6)
    noise = rng.normal(0, 1, (120, 12))
    assert nd.read(save(tmp_path / "b.spc", spc_bytes(noise))).shape == (1, 120, 12)


def test_integers_series_and_logs_of_spc(tmp_path: Path) -> None:
    pytest.importorskip("spc_io")
    spectra = numbered(1, 3)[0]
    scaled = spc_bytes(spectra * 2**12, exponent=20)
    np.testing.assert_array_equal(nd.read(save(tmp_path / "a.spc", scaled)).intensity[0], spectra)
    single = bytearray(spc_bytes(spectra[:1] * 2**12, exponent=20))
    single[512 + 48 + 1] = 0  # the subfile states no exponent; the header does
    np.testing.assert_array_equal(
        nd.read(save(tmp_path / "b.spc", bytes(single))).intensity[0, 0], spectra[0]
    )
    log = b"ACQ. TIME (S) = 2\r\nACCUMULATIONS = 3\r\nLASER (NM) = 785 \r\na=b=c\r\n\0"
    depth = spc_bytes(spectra, z_unit=2, places=[0, 1.5, 3], log=log)
    cube = nd.read(save(tmp_path / "c.spc", depth))
    assert cube.metadata["series"] == {"kind": "z", "unit": "um", "values": [0, 1.5, 3]}
    assert (cube.metadata["dwell_time_s"], cube.excitation_nm) == (6, 785)
    assert cube.metadata["date"] == "2020-02-03T04:05:00"
    even = nd.read(save(tmp_path / "d.spc", spc_bytes(spectra, axis=None)))
    np.testing.assert_allclose(even.wavenumber, AXIS)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"short", "cut short"),
        (b"\0" * 600, "renamed"),
        (spc_bytes(numbered(1, 2)[0], version=0x4D), "before 1996"),
        (spc_bytes(numbered(1, 2)[0], version=0x4C), "Motorola"),
        (spc_bytes(numbered(1, 2)[0])[:-60], "cut short"),
        (spc_bytes(numbered(1, 2)[0], unit=20), "'XDEGRC'"),
        (spc_bytes(np.zeros((0, 12))), "no spectra"),
    ],
)
def test_spc_files_that_are_not_read(tmp_path: Path, content: bytes, text: str) -> None:
    pytest.importorskip("spc_io")
    with pytest.raises((FileError, AxisError), match=text):
        nd.read(save(tmp_path / "a.spc", content))


# ---- LabSpec .xml and TriVista .tvf


def test_labspec_maps() -> None:
    pytest.importorskip("rsciio")
    cube = nd.read(measured("horiba/jobinyvon_test_map_x3-y2.xml"))
    assert cube.shape == (2, 3, 34)
    assert (cube.pixel_size, cube.origin) == ((2, 2), (-1, -2))
    assert cube.excitation_nm == 632.817
    assert cube.metadata["date"] == "2022-08-19T09:30:34"
    assert (cube.metadata["dwell_time_s"], cube.metadata["intensity_unit"]) == (2, "counts/s")
    turned = nd.read(measured("horiba/jobinyvon_test_map_x2-y2_rotated.xml"))
    assert turned.shape == (2, 3, 34)
    assert "rotated by -30.5 degrees" in notes(turned)
    line = nd.read(measured("horiba/jobinyvon_test_linescan.xml"))
    assert line.shape == (1, 3, 34)
    assert line.pixel_size == (0.5, 0.5)


def test_labspec_axes_in_any_unit_are_one_axis() -> None:
    """One spectrum saved four times: in Raman shift, absolute wavenumbers, nm and eV."""
    pytest.importorskip("rsciio")
    names = ("cm-1", "abs-cm-1", "counts", "eV")
    cubes = [nd.read(measured(f"horiba/jobinyvon_test_spec_3s_{name}.xml")) for name in names]
    for cube in cubes[1:]:
        assert cube.shape == (1, 1, 34)
        np.testing.assert_allclose(cube.wavenumber, cubes[0].wavenumber, atol=0.15)


def test_labspec_rows_that_fall(tmp_path: Path) -> None:
    pytest.importorskip("rsciio")
    cube = nd.read(save(tmp_path / "a.xml", labspec_bytes()))
    np.testing.assert_array_equal(cube.intensity, numbered(2, 3)[::-1])
    assert (cube.pixel_size, cube.origin) == ((1, 0.5), (1, 4))
    with pytest.raises(AxisError, match="'furlong'"):
        nd.read(save(tmp_path / "b.xml", labspec_bytes("furlong")))


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"<html></html>", "renamed"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><LSX_Data/>', "entities"),
        (
            labspec_bytes().replace(b'Size="12"', b'Size="99999999999"'),
            "more values than it has bytes",
        ),
        (labspec_bytes()[:2000], "damaged|cut short"),
        (b"<LSX_Data></LSX_Data>", "missing that it needs"),
    ],
)
def test_labspec_files_that_are_none(tmp_path: Path, content: bytes, text: str) -> None:
    pytest.importorskip("rsciio")
    with pytest.raises(FileError, match=text):
        nd.read(save(tmp_path / "a.xml", content))


def test_a_trivista_map_needs_its_laser_line() -> None:
    pytest.importorskip("rsciio")
    path = measured("trivista/map.tvf")
    with pytest.raises(AxisError, match=r"891\.9-932\.6.*laser line"):
        nd.read(path)
    cube = nd.read(path, excitation_nm=785)
    assert cube.shape == (9, 9, 1024)
    assert cube.pixel_size == pytest.approx((0.025, 0.025))
    assert (cube.metadata["date"], cube.metadata["dwell_time_s"]) == ("2016-09-29T12:57:45", 1)


@pytest.mark.parametrize("suffix", [".xml", ".tvf"])
def test_without_the_gpl_library_the_line_that_installs_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    for name in ("rsciio", "rsciio.jobinyvon", "rsciio.trivista"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
    path = save(tmp_path / f"a{suffix}", b"<LSX_Data/><XmlMain/>")
    with pytest.raises(FileError, match=r'pip install "napari-deeper\[gpl\]"'):
        nd.read(path)


@pytest.mark.parametrize(
    ("suffix", "module", "content"),
    [(".wdf", "wdf", wdf_map()), (".spc", "spc_io.low_level", spc_bytes(numbered(1, 2)[0]))],
)
def test_without_a_library_the_line_that_installs_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, module: str, content: bytes
) -> None:
    monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(FileError, match=r'pip install "napari-deeper\[formats\]"'):
        nd.read(save(tmp_path / f"a{suffix}", content))


# ---- ENVI


@pytest.mark.parametrize("interleave", ["bip", "bil", "bsq"])
@pytest.mark.parametrize("order", [0, 1])
def test_envi(tmp_path: Path, interleave: str, order: int) -> None:
    """Both files of the pair, against the library's own reader."""
    spectral = pytest.importorskip("spectral")
    header = save_envi(tmp_path, interleave, add="pixel size = {0.5, 2, units=um}", order=order)
    expected = np.asarray(spectral.envi.open(str(header)).load())
    for path in (header, header.with_suffix(".img")):
        cube = nd.read(path)
        np.testing.assert_array_equal(cube.intensity, numbered(4, 3))
        np.testing.assert_array_equal(cube.intensity, expected)
        np.testing.assert_allclose(cube.wavenumber, AXIS)
        assert cube.pixel_size == (2, 0.5)


def test_the_measured_envi_lacks_its_byte_order() -> None:
    pytest.importorskip("spectral")
    for name in ("example2.hdr", "example2.img"):
        with pytest.raises(FileError, match="lacks the required key 'byte order'"):
            nd.read(measured(f"envi/{name}"))


@pytest.mark.parametrize(
    ("drop", "add", "text"),
    [
        ("lines", "", "'lines'"),
        ("lines", "lines = 5", r"5 x 3 pixels.*holds 576"),
        ("lines", "lines = 99999999999999", "GiB|cut short"),
        ("lines", "lines = many", "no number"),
        ("lines", "lines = -4", "damaged"),
        ("data type", "data type = 6", "complex"),
        ("wavelength", "", "no wavenumber axis"),
        ("wavelength =", "wavelength = {1, 2}", "2 wavelengths for 12 bands"),
        ("ENVI", "", "does not begin with 'ENVI'"),
    ],
)
def test_envi_headers_that_contradict(tmp_path: Path, drop: str, add: str, text: str) -> None:
    pytest.importorskip("spectral")
    with pytest.raises((FileError, AxisError), match=text):
        nd.read(save_envi(tmp_path, drop=drop, add=add))


def test_an_envi_pair_of_one_file(tmp_path: Path) -> None:
    pytest.importorskip("spectral")
    header = save_envi(tmp_path)
    header.rename(tmp_path / "other.hdr")
    with pytest.raises(FileError, match="binary file is not beside it"):
        nd.read(tmp_path / "other.hdr")
    with pytest.raises(FileError, match=r"its header map\.hdr is not beside it"):
        nd.read(tmp_path / "map.img")


# ---- units


def test_units_of_axes() -> None:
    axis, unit, said = spectral_axis([2.0, 1.9], "eV")
    assert unit == "nm"
    assert axis == pytest.approx([619.92, 652.55], abs=0.01)
    assert said == ("The axis was converted from eV to nm.",)
    assert spectral_axis([0.6, 0.7], "µm")[0] == pytest.approx([600, 700])
    assert spectral_axis([600, 700], "rel. 1/cm")[1:] == ("cm-1", ())
    with pytest.raises(AxisError, match="'THz'"):
        spectral_axis([1, 2], "THz")
