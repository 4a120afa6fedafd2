"""Tables of text become cubes however they are laid out, and say so where they could be meant in two ways."""

from __future__ import annotations

import gzip
import lzma
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import napari_deeper as nd
from napari_deeper.spectra.errors import AmbiguousFile, AxisError, DeeperError, FileError

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
AXIS = np.array([600.5, 602.25, 604.0, 605.75, 607.5])
SPECTRA = np.round(
    np.random.default_rng(1).uniform(1, 99, (6, 5)), 3
)  # of 2 x 3 pixels, row by row
X, Y = np.array([0, 0.5, 1.0] * 2) + 3, np.repeat([10.0, 10.25], 3)
CUBE = SPECTRA.reshape(2, 3, 5).astype(np.float32)


def lines(rows: list[list[object]], separator: str = "\t") -> str:
    return "\n".join(separator.join(str(c) for c in row) for row in rows) + "\n"


def save(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def wide(separator: str = "\t", names: tuple[str, str] = ("x (um)", "y (um)")) -> str:
    rows: list[list[object]] = [[*names, *AXIS]]
    rows += [[x, y, *s] for x, y, s in zip(X, Y, SPECTRA, strict=True)]
    return lines(rows, separator)


def columns(names: bool = True) -> str:
    rows: list[list[object]] = [["Raman shift", *(f"s{i}" for i in range(6))]] if names else []
    return lines([*rows, *([w, *SPECTRA[:, i]] for i, w in enumerate(AXIS))])


def long(names: list[str] | None) -> str:
    rows: list[list[object]] = [list(names)] if names else []
    for x, y, spectrum in zip(X, Y, SPECTRA, strict=True):
        rows += [[x, y, w, i] for w, i in zip(AXIS, spectrum, strict=True)]
    return lines(rows)


def check_map(cube: nd.RamanCube) -> None:
    np.testing.assert_array_equal(cube.intensity, CUBE)
    np.testing.assert_allclose(cube.wavenumber, AXIS)
    assert cube.pixel_size == pytest.approx((0.25, 0.5))
    assert cube.origin == pytest.approx((10, 3))


@pytest.mark.parametrize("separator", ["\t", ";", ","])
def test_a_spectrum_in_each_row_with_its_place(tmp_path: Path, separator: str) -> None:
    check_map(nd.read(save(tmp_path / "a.csv", wide(separator))))


def test_a_labspec_map_with_its_comments(tmp_path: Path) -> None:
    head = (
        "#Acq. time (s)=\t2.5\n#Laser=\t785nm\n#Instrument=\tLabRAM HR Evol\n#Title=\tliver 3\n"
        "#Date=\t12.06.2018 14:33:01\n#AxisUnit[0]=\tCnt/sec\n#AxisUnit[1]=\t1/cm\n"
    )
    cube = nd.read(save(tmp_path / "map.txt", head + wide(names=("", ""))))
    check_map(cube)
    assert cube.excitation_nm == 785
    said = {k: v for k, v in cube.metadata.items() if k != "source"}
    assert said == {
        "name": "liver 3",
        "dwell_time_s": 2.5,
        "instrument": "LabRAM HR Evol",
        "date": "2018-06-12T14:33:01",
        "intensity_unit": "Cnt/sec",
    }
    assert cube.metadata["source"]["Laser"] == "785nm"


@pytest.mark.parametrize(
    "names", [None, ["#X", "#Y", "#Wave", "#Intensity"], ["x", "y", "wavenumber", "intensity"]]
)
def test_one_intensity_in_each_row(tmp_path: Path, names: list[str] | None) -> None:
    check_map(nd.read(save(tmp_path / "a.txt", long(names))))
    if names is not None:  # without names, the order of the rows is the only sign of such a table
        head, *rest = long(names).splitlines()
        mixed = np.random.default_rng(2).permutation(rest)
        check_map(nd.read(save(tmp_path / "b.txt", "\n".join([head, *mixed]) + "\n")))


@pytest.mark.parametrize("names", [False, True])
def test_a_spectrum_in_each_column_folds_as_the_caller_says(tmp_path: Path, names: bool) -> None:
    path = save(tmp_path / "a.txt", columns(names))
    line = nd.read(path)
    np.testing.assert_array_equal(line.intensity[0], SPECTRA.astype(np.float32))
    assert "became one row" in line.provenance[0].notes[0]
    np.testing.assert_array_equal(nd.read(path, image_size=(2, 3)).intensity, CUBE)
    down = nd.read(path, image_size=(3, 2), layout="cxy")
    np.testing.assert_array_equal(down.intensity, CUBE.transpose(1, 0, 2))
    with pytest.raises(FileError, match="asks for 8 spectra, but there are 6"):
        nd.read(path, image_size=(2, 4))


def test_witec_names_tell_the_places(tmp_path: Path) -> None:
    names = [f"map_F({x}/{y})" for y in range(2) for x in range(3)]
    rows = [["X-Axis", *names], ["rel. 1/cm", *["CCD cts"] * 6]]
    text = lines(rows) + columns(names=False)
    cube = nd.read(save(tmp_path / "a.txt", text))
    np.testing.assert_array_equal(cube.intensity, CUBE)
    assert cube.pixel_size is None
    assert cube.metadata["intensity_unit"] == "CCD cts"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_decimal_commas_marks_and_encodings(tmp_path: Path, encoding: str, ending: str) -> None:
    text = wide(";", ("x (µm)", "y (µm)")).replace(".", ",").replace("\n", ending)
    (tmp_path / "a.csv").write_bytes(
        f"# Größe{ending}".encode(encoding) + text.encode(encoding)[2 * (encoding == "utf-16") :]
    )
    cube = nd.read(tmp_path / "a.csv")
    np.testing.assert_array_equal(cube.intensity, CUBE)
    assert "decimal" in " ".join(cube.provenance[0].notes)


def test_a_single_spectrum_of_two_columns(tmp_path: Path) -> None:
    text = "a title\n" + "".join(f"{w} {i}\n" for w, i in zip(AXIS[::-1], SPECTRA[0], strict=True))
    cube = nd.read(save(tmp_path / "a.dat", text))
    np.testing.assert_array_equal(cube.intensity[0, 0], SPECTRA[0, ::-1].astype(np.float32))
    np.testing.assert_array_equal(cube.wavenumber, AXIS)


def test_packed_tables_are_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.csv.xz").write_bytes(lzma.compress(wide().encode()))
    (tmp_path / "a b.txt.gz").write_bytes(gzip.compress(wide().encode()))
    check_map(nd.read(tmp_path / "a.csv.xz"))
    cube = nd.read(tmp_path / "a b.txt.gz")
    check_map(cube)
    assert cube.name == "a b"
    (tmp_path / "cut.csv.xz").write_bytes(lzma.compress(wide().encode())[:-30])
    with pytest.raises(FileError, match=r"cut\.csv\.xz"):
        nd.read(tmp_path / "cut.csv.xz")


def test_an_axis_in_nm_needs_the_laser_line(tmp_path: Path) -> None:
    nm = np.linspace(540, 560, 30)
    text = lines([["Wavelength (nm)", "I"], *([w, 1.0] for w in nm)])
    path = save(tmp_path / "a.txt", text)
    with pytest.raises(AxisError, match="excitation_nm"):
        nd.read(path)
    np.testing.assert_allclose(nd.read(path, excitation_nm=532).wavenumber, 1e7 / 532 - 1e7 / nm)
    told = save(tmp_path / "b.txt", "#Laser=\t532\n" + text)
    np.testing.assert_allclose(nd.read(told).wavenumber, 1e7 / 532 - 1e7 / nm)


def test_a_table_that_can_be_meant_in_two_ways_is_asked_about(tmp_path: Path) -> None:
    table = np.random.default_rng(0).random((8, 9)) * 100
    table[0], table[:, 0] = np.linspace(600, 680, 9), np.linspace(600, 607, 8)
    path = tmp_path / "a.txt"
    np.savetxt(path, table)
    with pytest.raises(
        AmbiguousFile, match=r"a\.txt: .*layout='yxc' \(--layout yxc\).*--layout cyx"
    ) as caught:
        nd.read(path)
    rows, cols = (nd.read(path, **choice.options) for choice in caught.value.choices)
    assert (rows.shape, cols.shape) == ((1, 7, 9), (1, 8, 8))
    np.testing.assert_array_equal(rows.intensity[0], table[1:].astype(np.float32))
    np.testing.assert_array_equal(cols.intensity[0], table[:, 1:].T.astype(np.float32))


def test_a_column_that_counts_the_spectra_is_no_axis(tmp_path: Path) -> None:
    rows = [["", *AXIS], *([i, *s] for i, s in enumerate(SPECTRA))]
    cube = nd.read(save(tmp_path / "a.csv", lines(rows, ",")))
    np.testing.assert_array_equal(cube.intensity[0], SPECTRA.astype(np.float32))


def test_missing_places_and_cells_become_nan(tmp_path: Path) -> None:
    text = "\n".join(wide(",").splitlines()[:-1]) + "\n"
    text = text.replace(f",{SPECTRA[1, 2]},", ",,")
    cube = nd.read(save(tmp_path / "a.csv", text))
    assert np.isnan(cube.intensity[1, 2]).all()
    assert np.isnan(cube.intensity[0, 1, 2])
    assert np.isnan(cube.intensity).sum() == 6


def test_rows_and_columns_at_uneven_steps_stand_in_their_order(tmp_path: Path) -> None:
    x, y = np.array([0, 1, 2.41421, 5.71]), np.array([0, 2.718, 3.1416])
    rows: list[list[object]] = [["x_um", "y_um", 600, 601, 602]]
    rows += [[x[i], y[j], i, j, i + j] for j in range(3) for i in range(4) if (i, j) != (2, 1)]
    cube = nd.read(save(tmp_path / "a.csv", lines(rows)))
    assert cube.shape == (3, 4, 3)
    assert cube.pixel_size is None
    assert np.isnan(cube.intensity[1, 2]).all()
    np.testing.assert_array_equal(cube.intensity[2, 3], [3, 2, 5])
    assert "not evenly spaced" in cube.provenance[0].notes[0]


@pytest.mark.parametrize(
    "text",
    [
        "#Wave\t\t#Intensity\n602\t3.5\n601\t2.5\n600\t1.5\n",  # Renishaw
        "TITLE\tx\nXUNITS\t1/CM\nXYDATA\n600\t1.5\n601\t2.5\n602\t3.5\n\n##### End\n[Comments]\n",  # JASCO
        "600.0,1.5\n601.0,2.5\n602.0,3.5\n",  # OPUS
        '"wavenumber","a"\n"600,0","1,5"\n"601,0","2,5"\n"602,0","3,5"\n',
        "600\t1.5\t\r601\t2.5\t\r602\t3.5\t\r",
        "Wellenzahl;Intensität\n600;1,5\n601;2,5\n602;3,5\n",
    ],
)
def test_single_spectra_as_programs_write_them(tmp_path: Path, text: str) -> None:
    cube = nd.read(save(tmp_path / "a.dpt", text))
    np.testing.assert_array_equal(cube.wavenumber, [600, 601, 602])
    np.testing.assert_array_equal(cube.intensity, [[[1.5, 2.5, 3.5]]])


def test_a_row_with_a_word_among_its_numbers_is_not_taken_for_a_header(tmp_path: Path) -> None:
    rows = [["x_um", "y_um", 600, 601, 602], [0, 0.5, 1, "NA", 3], [1, 0.5, 4, 5, 6]]
    cube = nd.read(save(tmp_path / "a.csv", lines(rows, ",")))
    np.testing.assert_array_equal(cube.intensity, [[[1, np.nan, 3], [4, 5, 6]]])
    rows[1][3] = "broken"
    with pytest.raises(FileError, match="not as the others"):
        nd.read(save(tmp_path / "b.csv", lines(rows, ",")))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "0 bytes"),
        ("\n\n# only\n", "no table of numbers"),
        (
            "Dear reader,\nthis is prose\nwithout a number.\n",
            "no table of numbers|can be an axis|words",
        ),
        ("600 1\n601 2\n602\n", "cells|columns|not as the others"),
        ("1.5;2\n2,5;3\n3.5;4\n4,5;5\n", "decimal point and others a decimal comma"),
        ("0\n# 1 x\n## 1 NA\n0 x x\nwave 1,5 0 wave", "no table of numbers"),
        ("5 1\n4 2\n6 3\n5 4\n", "can be an axis"),
        ("eV\tI\n1.5\t1\n1.6\t2\n1.7\t3\n", "another unit"),
        ("x,y,wavenumber,intensity\n0,0,600,1\n0,0,600,2\n0,0,601,2\n", "several intensities"),
    ],
)
def test_what_is_no_table_of_spectra(tmp_path: Path, text: str, words: str) -> None:
    path = save(tmp_path / "bad.txt", text)
    with pytest.raises(DeeperError, match=words) as caught:
        nd.read(path)
    assert "bad.txt" in str(caught.value)


@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    seed=st.integers(0, 10**6),
    size=st.tuples(st.integers(2, 4), st.integers(2, 4), st.integers(3, 9)),
    separator=st.sampled_from(["\t", ";", ","]),
    comma=st.booleans(),
)
def test_any_map_written_wide_comes_back(
    tmp_path: Path, seed: int, size: tuple[int, int, int], separator: str, comma: bool
) -> None:
    rng = np.random.default_rng(seed)
    y, x, n = size
    cube = rng.normal(0, 10 ** rng.uniform(-3, 5), size).astype(np.float32)
    axis = np.cumsum(rng.uniform(0.5, 5, n)) + 300
    rows: list[list[object]] = [["x_um", "y_um", *(repr(float(w)) for w in axis)]]
    for i, j in rng.permutation([(i, j) for i in range(y) for j in range(x)]):
        rows.append([0.25 * j, 0.75 * i - 2, *(f"{v:.9g}" for v in cube[i, j])])
    text = lines(rows, separator)
    if comma and separator != ",":
        text = text.replace(".", ",")
    back = nd.read(save(tmp_path / "a.csv", text))
    np.testing.assert_array_equal(back.intensity, cube)
    np.testing.assert_array_equal(back.wavenumber, axis)
    assert back.pixel_size == pytest.approx((0.75, 0.25))
    assert back.origin == pytest.approx((-2, 0))


class TestOwnCsv:
    def test_it_says_where_its_rows_were_sorted_or_lost(
        self, tmp_path: Path, small_cube: nd.RamanCube
    ) -> None:
        path = nd.write(small_cube, tmp_path / "a.csv")
        head, names, *rows = path.read_text().splitlines()
        for changed, words in (
            ([*rows[1:], rows[0]], "sorted or changed"),
            (rows[:-1], "added or removed"),
        ):
            path.write_text("\n".join([head, names, *changed]) + "\n")
            with pytest.raises(FileError, match=words):
                nd.read(path)

    def test_without_its_first_line_it_is_a_plain_table(
        self, tmp_path: Path, small_cube: nd.RamanCube
    ) -> None:
        path = nd.write(small_cube, tmp_path / "a.csv")
        path.write_text(path.read_text().partition("\n")[2])
        back = nd.read(path)
        np.testing.assert_array_equal(back.intensity, small_cube.intensity)
        np.testing.assert_array_equal(back.wavenumber, small_cube.wavenumber)
        assert back.pixel_size == pytest.approx((0.5, 0.5))
        assert back.origin == pytest.approx((3.0, -2.0))


class TestMeasured:
    def path(self, name: str) -> Path:
        if not (SHARED / name).is_file():
            pytest.skip(f"the measured file {name} is not beside this checkout (../shared/data)")
        return SHARED / name

    def test_the_text_and_matlab_exports_of_one_witec_map_agree(self) -> None:
        mat = nd.read(self.path("formats/witec/P_A32_006_Spec.Data 1.mat"))
        txt = nd.read(
            self.path("formats/witec/P_A32_006_Spec.Data 1.txt.xz"), image_size=mat.shape[:2]
        )
        np.testing.assert_array_equal(txt.intensity, mat.intensity)
        np.testing.assert_allclose(txt.wavenumber, mat.wavenumber, atol=0.01)

    def test_a_witec_map_with_places_in_its_names(self) -> None:
        cube = nd.read(self.path("formats/witec/Witec-Map_full.txt"))
        assert cube.shape == (5, 5, 1024)
        np.testing.assert_array_equal(cube.intensity[0, :5, 0], [994, 992, 991, 993, 995])

    def test_a_labspec_map_whose_grid_is_not_full(self) -> None:
        cube = nd.read(self.path("formats/horiba/labspec_map_incomplete_grid.txt"))
        assert cube.shape == (20, 19, 616)
        assert cube.pixel_size == pytest.approx((5.2556, 5.0717), abs=1e-3)
        assert "18 of 398 points" in cube.provenance[0].notes[0]

    def test_the_bladder_map(self) -> None:
        cube = nd.read(self.path("bladder/bladder.csv.xz"))
        assert cube.shape == (18, 20, 390)
        assert (cube.wavenumber[0], cube.wavenumber[-1]) == (602.2, 1800.8)
        assert "label" in " ".join(cube.provenance[0].notes)
        assert cube.name == "bladder"
