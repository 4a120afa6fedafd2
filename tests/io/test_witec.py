"""WITec exports: orientation, axis, place; checked against other exports of the same map."""

from __future__ import annotations

import lzma
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import napari_deeper as nd
from napari_deeper.spectra.errors import AxisError, FileError

SHARED = Path(__file__).parents[2].parent / "shared" / "data"


def measured(name: str) -> Path:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"measured data is not here: {path}")
    return path


def read_text_export(path: Path) -> NDArray[np.float64]:
    """(channel, 1 + pixel): the axis, then the spectra with x running fastest."""
    with lzma.open(path, "rt", encoding="latin-1") as stream:
        return np.loadtxt([line.replace(",", ".") for line in stream if line[:1] in " -0123456789"])


def read_spc_export(path: Path, n_pixels: int, n_channels: int) -> NDArray[np.float32]:
    """(pixel, channel) of a Galactic SPC file with float32 subfiles, x running fastest."""
    data = path.read_bytes()
    position = 512 + (4 * n_channels if data[0] & 0x80 else 0)
    spectra = []
    for _ in range(n_pixels):
        assert struct.unpack_from("b", data, position + 1)[0] == -128  # float32
        spectra.append(np.frombuffer(data, "<f4", n_channels, position + 32))
        position += 32 + 4 * n_channels
    return np.array(spectra)


def test_three_exports_of_one_map_agree() -> None:
    cube = nd.read(measured("formats/witec/P_A32_006_Spec.Data 1.mat"))
    assert cube.shape == (17, 16, 1024)
    text = read_text_export(measured("formats/witec/P_A32_006_Spec.Data 1.txt.xz"))
    np.testing.assert_allclose(cube.wavenumber, text[:, 0], rtol=1e-4)
    np.testing.assert_allclose(cube.intensity, text[:, 1:].T.reshape(17, 16, 1024), rtol=1e-4)
    spc = read_spc_export(measured("formats/witec/P_A32_006_Spec.Data 1.spc"), 272, 1024)
    np.testing.assert_array_equal(cube.intensity, spc.reshape(17, 16, 1024))
    assert cube.pixel_size == pytest.approx((0.74375, 0.747059), rel=1e-5)
    assert cube.metadata["date"] == "2015-01-15T12:54:42"
    assert cube.name == "P_A32_006_Spec.Data 1"


def test_the_thp1_cell_stands_as_it_was_measured() -> None:
    cube = nd.read(measured("thp1/3D THP1 map 001 L5 (B+R) (Sub BG).mat"))
    assert cube.shape == (40, 40, 500)
    assert cube.pixel_size == pytest.approx((0.625, 0.625))
    assert cube.wavenumber[[0, -1]] == pytest.approx([501.265, 1802.466], abs=1e-3)

    def band(center: float) -> NDArray[np.float32]:
        return cube.intensity[..., np.abs(cube.wavenumber - center) <= 10].mean(axis=2)

    droplets = np.argwhere(band(1450) >= np.quantile(band(1450), 0.99))
    assert droplets.min() >= 16
    assert droplets.max() <= 29
    assert np.median(droplets, axis=0) == pytest.approx([23, 22], abs=3)
    # The nucleus lies beside the droplets: nucleic acids are elsewhere than lipids.
    nucleus = np.argwhere(band(785) >= np.quantile(band(785), 0.99))
    assert nucleus[:, 1].mean() < droplets[:, 1].mean() - 3


def test_a_line_and_a_stack_become_one_row() -> None:
    line = nd.read(measured("formats/witec/LineY.mat"))
    assert line.shape == (1, 50, 1024)
    assert line.pixel_size == pytest.approx((0.4, 0.4))
    assert "line" in line.provenance[0].notes[0]
    assert nd.read(measured("formats/witec/Z-Stack.mat")).shape == (1, 81, 1024)


def test_an_axis_in_nm_needs_the_laser_line() -> None:
    path = measured("formats/witec/Map.mat")
    with pytest.raises(AxisError, match=r"in nm \(636\.3-770\.3\)"):
        nd.read(path)
    cube = nd.read(path, excitation_nm=632.8)
    # The text export of the same map is in cm-1, and its header names each column (x/y).
    table = np.loadtxt(measured("formats/witec/Witec-Map_full.txt"), skiprows=2)
    assert cube.shape == (5, 5, 1024)
    np.testing.assert_allclose(cube.wavenumber, table[:, 0], rtol=1e-4)
    np.testing.assert_allclose(cube.intensity, table[:, 1:].T.reshape(5, 5, -1), rtol=1e-4)


def cells(*rows: tuple[Any, str]) -> NDArray[np.object_]:
    table = np.empty((len(rows), 2), dtype=object)
    for i, (values, unit) in enumerate(rows):
        table[i, 0], table[i, 1] = np.atleast_2d(values), unit
    return table


def save_witec(path: Path, **changes: Any) -> Path:
    """Write a struct as WITec does: 20 x 15 pixels, whose product no uint8 can hold."""
    from scipy.io import savemat

    y, x, channel = np.mgrid[:20, :15, :12]
    cube = (y * 10000 + x * 100 + channel).astype(np.float32)
    fields = {
        "name": "made",
        "date": np.array([[2020.0, 1, 2, 3, 4, 5]]),
        "imagesize": np.array([[20, 15]], np.uint8),
        "data": np.concatenate([cube[:, column] for column in range(15)]),
        "axisscale": cells(([], ""), (np.linspace(500, 1600, 12), "rel. 1/cm")),
        "imageaxisscale": cells((np.arange(20) * 0.5 + 3, "\ufffdm"), (np.arange(15) * 0.25, "nm")),
    } | changes
    savemat(path, {"made": {k: v for k, v in fields.items() if v is not None}})
    return path


def test_rows_run_fastest(tmp_path: Path) -> None:
    cube = nd.read(save_witec(tmp_path / "a.mat"))
    assert cube.shape == (20, 15, 12)
    assert cube.intensity[7, 3, 5] == 70305
    assert cube.pixel_size == pytest.approx((0.5, 0.00025))
    assert cube.origin == pytest.approx((3, 0))
    assert cube.metadata == {"name": "made", "date": "2020-01-02T03:04:05"}


def test_places_that_say_nothing(tmp_path: Path) -> None:
    places = cells(([], ""), ([], ""))
    assert nd.read(save_witec(tmp_path / "a.mat", imageaxisscale=places)).pixel_size is None
    assert nd.read(save_witec(tmp_path / "b.mat", imageaxisscale=None)).pixel_size is None
    odd = cells((np.arange(20), "V"), (np.arange(15), "V"))
    assert nd.read(save_witec(tmp_path / "c.mat", imageaxisscale=odd)).pixel_size is None


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"imagesize": np.array([[20, 16]])}, FileError, r"image size is \[20, 16\].*300 spectra"),
        ({"data": np.zeros((3, 4, 5))}, FileError, r"3 axes"),
        ({"axisscale": cells(([], ""), (np.arange(12), "eV"))}, AxisError, "'eV'.*rel"),
        ({"axisscale": cells(([], ""), ([], ""))}, AxisError, "no wavenumber axis"),
        ({"axisscale": cells(([], ""), (np.arange(11), "rel. 1/cm"))}, AxisError, "12 channels"),
    ],
)
def test_structs_that_contradict_themselves(
    tmp_path: Path, changes: dict[str, Any], error: type, text: str
) -> None:
    with pytest.raises(error, match=text):
        nd.read(save_witec(tmp_path / "a.mat", **changes))


def test_one_of_several_structs(tmp_path: Path) -> None:
    from scipy.io import loadmat, savemat

    struct_ = loadmat(save_witec(tmp_path / "a.mat"))["made"]
    savemat(tmp_path / "two.mat", {"first": struct_, "second": struct_})
    with pytest.raises(FileError, match=r"2 WITec images: first, second.*variable"):
        nd.read(tmp_path / "two.mat")
    assert nd.read(tmp_path / "two.mat", variable="second").shape == (20, 15, 12)
