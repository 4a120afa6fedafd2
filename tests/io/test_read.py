"""Foreign files become cubes; what the caller says goes first; bad input has its own error."""

from __future__ import annotations

import os
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import napari_deeper as nd
from napari_deeper.io.read import read, readable_suffixes
from napari_deeper.spectra.errors import AxisError, CubeError, FileError, ParameterError

Y, X, N = 3, 4, 20
WAVENUMBER = np.linspace(600, 1800, N)
INTENSITY = np.random.default_rng(5).random((Y, X, N)).astype(np.float32)


def save_mat(path: Path, **arrays: Any) -> Path:
    from scipy.io import savemat

    savemat(path, arrays)
    return path


def save_npz(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def save_hdf5(path: Path, **arrays: Any) -> Path:
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            file[name] = np.asarray(array).T  # MATLAB's order
    with path.open("r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")
    return path


SAVERS = [
    pytest.param(save_npz, ".npz", id="npz"),
    pytest.param(save_mat, ".mat", id="mat"),
    pytest.param(save_hdf5, ".mat", id="mat73"),
]


@pytest.mark.parametrize(("save", "suffix"), SAVERS)
@pytest.mark.parametrize("name", ["wavenumber", "Wavenumbers", "raman_shift", "axis", "x"])
def test_a_foreign_cube_with_its_axis(tmp_path: Path, save: Any, suffix: str, name: str) -> None:
    path = save(tmp_path / f"map{suffix}", **{"data": INTENSITY, name: WAVENUMBER, "n": np.eye(2)})
    cube = read(path)
    np.testing.assert_array_equal(cube.intensity, INTENSITY)
    np.testing.assert_allclose(cube.wavenumber, WAVENUMBER)
    assert cube.name == "map"
    assert cube.pixel_size is None
    assert [step.verb for step in cube.provenance] == ["read"]
    assert cube.provenance[0].params["path"] == f"map{suffix}"
    assert cube.provenance[0].notes == ()


@pytest.mark.parametrize(("save", "suffix"), SAVERS)
def test_a_falling_axis_is_reversed_with_the_data(tmp_path: Path, save: Any, suffix: str) -> None:
    path = save(tmp_path / f"a{suffix}", map=INTENSITY[..., ::-1], shift=WAVENUMBER[::-1])
    cube = read(path)
    np.testing.assert_array_equal(cube.intensity, INTENSITY)
    np.testing.assert_allclose(cube.wavenumber, WAVENUMBER)
    assert "reversed" in cube.provenance[0].notes[0]


@pytest.mark.parametrize(("save", "suffix"), SAVERS)
def test_what_the_caller_says_goes_first(tmp_path: Path, save: Any, suffix: str) -> None:
    path = save(tmp_path / f"a{suffix}", a=INTENSITY, b=INTENSITY + 1, wavenumber=WAVENUMBER)
    with pytest.raises(
        FileError, match=r"2 arrays of three axes: a, b.*variable='b'.*--variable b"
    ):
        read(path)
    cube = read(path, variable="b", wavenumber=WAVENUMBER + 5, pixel_size=0.5, excitation_nm=785)
    np.testing.assert_array_equal(cube.intensity, INTENSITY + 1)
    np.testing.assert_array_equal(cube.wavenumber, WAVENUMBER + 5)
    assert cube.pixel_size == (0.5, 0.5)
    assert cube.excitation_nm == 785
    assert len(cube.provenance[0].notes) == 3
    with pytest.raises(FileError, match="no array 'c'"):
        read(path, variable="c")


def test_what_the_caller_says_is_added_to_a_history(tmp_path: Path) -> None:
    first = nd.RamanCube(INTENSITY, WAVENUMBER, (1, 1), metadata={"name": "cell"})
    once = read(nd.write(first, tmp_path / "a.npz"))
    twice = read(nd.write(once, tmp_path / "b.npz"), pixel_size=(0.25, 0.5))
    assert twice.pixel_size == (0.25, 0.5)
    assert [step.params["path"] for step in twice.provenance] == ["a.npz", "b.npz"]
    assert "0.25" in twice.provenance[1].notes[0]


def test_npy_needs_an_axis_which_may_be_two_numbers(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", INTENSITY)
    with pytest.raises(AxisError, match=r"a\.npy: .*no wavenumber axis.*wavenumber=.*20 channels"):
        read(tmp_path / "a.npy")
    cube = read(tmp_path / "a.npy", wavenumber=(600, 1800))
    np.testing.assert_allclose(cube.wavenumber, WAVENUMBER)
    falling = read(tmp_path / "a.npy", wavenumber=(1800, 600))
    np.testing.assert_array_equal(falling.intensity, INTENSITY[..., ::-1])


def test_the_published_layout_asks_for_the_axis(tmp_path: Path) -> None:
    path = save_mat(tmp_path / "cell_01.mat", cell=INTENSITY)
    with pytest.raises(AxisError, match=r"cell_01\.mat: .*--wavenumbers"):
        read(path)
    np.testing.assert_array_equal(read(path, wavenumber=WAVENUMBER).intensity, INTENSITY)


def test_the_published_spectra_are_not_a_cube(tmp_path: Path) -> None:
    path = save_mat(tmp_path / "Inputs.mat", Inputs=INTENSITY.reshape(-1, N))
    with pytest.raises(CubeError, match=r"no array of three axes.*Inputs \(12, 20\)"):
        read(path)


def test_channels_first_are_moved_to_the_end(tmp_path: Path) -> None:
    path = save_npz(tmp_path / "a.npz", a=np.moveaxis(INTENSITY, 2, 0), wavenumber=WAVENUMBER)
    cube = read(path)
    np.testing.assert_array_equal(cube.intensity, INTENSITY)
    assert "axis 0" in cube.provenance[0].notes[0]


def test_nm_needs_the_laser_line(tmp_path: Path) -> None:
    nm = np.linspace(550, 590, N)
    path = save_npz(tmp_path / "a.npz", a=INTENSITY, wavelength=nm)
    with pytest.raises(AxisError, match=r"in nm \(550\.0-590\.0\).*excitation_nm"):
        read(path)
    cube = read(path, excitation_nm=532)
    np.testing.assert_allclose(cube.wavenumber, 1e7 / 532 - 1e7 / nm)
    assert cube.excitation_nm == 532
    assert "converted from nm" in cube.provenance[0].notes[0]
    with pytest.raises(ParameterError, match="200-2000 nm"):
        read(path, excitation_nm=-1)


def test_nm_that_calls_itself_wavenumber_is_noticed(tmp_path: Path) -> None:
    nm = np.linspace(550, 559, N)
    path = save_npz(tmp_path / "a.npz", a=INTENSITY, wavenumber=nm[::-1])
    with pytest.raises(AxisError, match="in nm"):
        read(path)
    np.testing.assert_array_equal(read(path, excitation_nm=532).intensity, INTENSITY[..., ::-1])


@pytest.mark.parametrize("dtype", ["int16", "uint8", "float64", ">f4", ">i2", "float16", "bool"])
def test_real_types_become_native_float32(tmp_path: Path, dtype: str) -> None:
    values = (INTENSITY * 100).astype(dtype)
    cube = read(save_npz(tmp_path / "a.npz", a=values, wavenumber=WAVENUMBER))
    assert cube.intensity.dtype == np.dtype("=f4")
    np.testing.assert_array_equal(cube.intensity, values.astype(np.float32))


@pytest.mark.parametrize(("save", "suffix"), [SAVERS[0], SAVERS[1]])
@pytest.mark.parametrize(
    ("arrays", "error", "text"),
    [
        ({"a": INTENSITY + 1j, "wavenumber": WAVENUMBER}, CubeError, "complex"),
        ({"a": INTENSITY, "wavenumber": WAVENUMBER * 1j}, AxisError, "real numbers"),
        ({"a": INTENSITY, "wavenumber": np.roll(WAVENUMBER, 3)}, AxisError, "not sorted"),
        ({"a": INTENSITY, "wavenumber": np.round(WAVENUMBER, -2)}, AxisError, "same wavenumber"),
        ({"a": INTENSITY, "wavenumber": np.where(WAVENUMBER > 900, np.nan, 1)}, AxisError, "nan"),
        ({"a": INTENSITY, "wavenumber": WAVENUMBER[1:]}, AxisError, "'wavenumber' has 19 values"),
        ({"a": INTENSITY}, AxisError, "no wavenumber axis"),
        ({"a": INTENSITY[0], "wavenumber": WAVENUMBER[:7]}, CubeError, "three axes"),
        ({"a": INTENSITY[None], "wavenumber": WAVENUMBER}, CubeError, "three axes"),
        ({"a": np.zeros((3, 0, N)), "wavenumber": WAVENUMBER}, CubeError, "empty"),
        ({"a": np.zeros((3, 3, 0))}, AxisError, "no wavenumber axis"),
        ({"a": INTENSITY.astype(float) * 1e300, "wavenumber": WAVENUMBER}, CubeError, "float32"),
    ],
)
def test_what_is_not_a_cube(
    tmp_path: Path, save: Any, suffix: str, arrays: dict[str, Any], error: type, text: str
) -> None:
    path = save(tmp_path / f"bad{suffix}", **arrays)
    with pytest.raises(error, match=text) as caught:
        read(path)
    assert str(caught.value).startswith(f"bad{suffix}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("bad", [["a"] * N, "600:1800", [[1, 2], [3]], np.zeros((2, 2)), 5])
def test_wavenumbers_that_are_none(tmp_path: Path, bad: Any) -> None:
    np.save(tmp_path / "a.npy", INTENSITY)
    with pytest.raises(nd.DeeperError):
        read(tmp_path / "a.npy", wavenumber=bad)


@pytest.mark.parametrize("bad", [0, -1, np.nan, (1, 2, 3), (1, np.inf)])
def test_pixel_sizes_that_are_none(tmp_path: Path, bad: Any) -> None:
    np.save(tmp_path / "a.npy", INTENSITY)
    with pytest.raises(CubeError, match="pixel size"):
        read(tmp_path / "a.npy", wavenumber=WAVENUMBER, pixel_size=bad)


@pytest.mark.parametrize(
    "shape", [(1, 1, N), (1, 7, N), (5, 1, N), (2, 2, 1), (1, 1, 1), (2, 1, 5000)]
)
def test_small_and_long_cubes(tmp_path: Path, shape: tuple[int, int, int]) -> None:
    values = np.ones(shape)
    cube = read(save_npz(tmp_path / "a.npz", a=values, wavenumber=np.arange(shape[2]) + 400.0))
    assert cube.shape == shape


def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return os.mkdir, (str(tmp_path / "exploded"),)

    bomb = np.array([[[Bomb()]]], dtype=object)
    np.savez(tmp_path / "a.npz", a=bomb, wavenumber=[1.0])
    np.savez(tmp_path / "b.npz", intensity=INTENSITY, header=bomb)
    np.save(tmp_path / "c.npy", bomb)
    for name in ("a.npz", "b.npz", "c.npy"):
        with pytest.raises(FileError, match=rf"{name}: .*pickle"):
            read(tmp_path / name, wavenumber=[1.0] if name == "c.npy" else None)
    assert not (tmp_path / "exploded").exists()


def test_missing_folder_unknown_and_empty(tmp_path: Path) -> None:
    (tmp_path / "empty.npz").touch()
    (tmp_path / "photo.jpg").write_bytes(b"x")
    (tmp_path / "nosuffix").write_bytes(b"x")
    (tmp_path / "folder.npz").mkdir()
    (tmp_path / "file.zarr").write_bytes(b"x")
    for name, text in {
        "gone.npz": r"gone\.npz does not exist",
        "empty.npz": r"0 bytes",
        "photo.jpg": r"cannot read '\.jpg' files.*\.mat, \.npy, \.npz",
        "nosuffix": r"no suffix",
        "folder.npz": r"is a folder",
        ".": r"is a folder",
        "file.zarr": r"store is a folder",
    }.items():
        with pytest.raises(FileError, match=text):
            read(tmp_path / name)


def test_suffixes_in_capitals(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", INTENSITY)
    (tmp_path / "a.npy").rename(tmp_path / "A.NPY")
    assert read(tmp_path / "A.NPY", wavenumber=(1, 2)).shape == (Y, X, N)
    assert ".npz" in readable_suffixes()


def _valid_files(folder: Path) -> list[Path]:
    cube = nd.RamanCube(INTENSITY, WAVENUMBER, (1, 1))
    np.save(folder / "plain.npy", INTENSITY)
    return [
        nd.write(cube, folder / "own.npz", overwrite=True),
        nd.write(cube, folder / "own.mat", overwrite=True),
        save_npz(folder / "foreign.npz", a=INTENSITY, wavenumber=WAVENUMBER),
        save_mat(folder / "foreign.mat", a=INTENSITY, wavenumber=WAVENUMBER),
        save_hdf5(folder / "hdf5.mat", a=INTENSITY, wavenumber=WAVENUMBER),
        folder / "plain.npy",
    ]


@pytest.mark.parametrize("which", range(6))
def test_a_truncated_file_is_refused_wherever_it_is_cut(tmp_path: Path, which: int) -> None:
    path = _valid_files(tmp_path)[which]
    whole = path.read_bytes()
    axis = WAVENUMBER if path.suffix == ".npy" else None
    for end in [*range(1, 300, 23), *range(300, len(whole), len(whole) // 40), len(whole) - 1]:
        path.write_bytes(whole[:end])
        with pytest.raises(nd.DeeperError) as caught:
            read(path, wavenumber=axis)
        assert path.name in str(caught.value)


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(which=st.integers(0, 5), place=st.floats(0, 1), noise=st.binary(min_size=1, max_size=40))
def test_a_damaged_file_never_raises_anything_raw(
    tmp_path: Path, which: int, place: float, noise: bytes
) -> None:
    path = _valid_files(tmp_path)[which]
    data = bytearray(path.read_bytes())
    start = int(place * (len(data) - 1))
    data[start : start + len(noise)] = noise
    path.write_bytes(data)
    axis = WAVENUMBER if path.suffix == ".npy" else None
    try:
        read(path, wavenumber=axis)
    except nd.DeeperError as error:
        assert path.name in str(error)


def _npy_header(shape: tuple[int, ...], dtype: str) -> bytes:
    text = repr({"descr": dtype, "fortran_order": False, "shape": shape}).encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize(
    ("shape", "text"),
    [((10**5, 10**5, 1000), "GiB"), ((300, 300, 500), "cut short"), ((-1, 4, 4), "cannot be")],
)
def test_an_absurd_size_is_not_allocated(tmp_path: Path, shape: tuple[int, ...], text: str) -> None:
    data = _npy_header(shape, "<f4") + bytes(64)
    (tmp_path / "a.npy").write_bytes(data)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", data)
    for name in ("a.npy", "a.npz"):
        with pytest.raises(FileError, match=text):
            read(tmp_path / name, wavenumber=(1, 2))


def test_an_absurd_matlab_size_is_not_allocated(tmp_path: Path) -> None:
    from scipy.io import savemat

    path = tmp_path / "a.mat"
    savemat(path, {"a": np.ones((2, 2, 2))})
    data = bytearray(path.read_bytes())
    place = data.index(np.array([2, 2, 2], "<i4").tobytes())
    data[place : place + 12] = np.array([2**30, 2**30, 500], "<i4").tobytes()
    path.write_bytes(data)
    with pytest.raises(FileError, match="8 numbers, not"):
        read(path, wavenumber=(1, 2))


def test_matlab_73_without_h5py_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save_hdf5(tmp_path / "a.mat", a=INTENSITY, wavenumber=WAVENUMBER)
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(FileError, match=r"napari-deeper\[formats\]"):
        read(path)


def test_matlab_4_is_refused(tmp_path: Path) -> None:
    from scipy.io import savemat

    savemat(tmp_path / "a.mat", {"a": np.eye(9)}, format="4")
    with pytest.raises(FileError, match=r"version 5 to 7\.3"):
        read(tmp_path / "a.mat")


def test_big_endian_matlab_is_checked_in_its_own_order(tmp_path: Path) -> None:
    (tmp_path / "a.mat").write_bytes(
        b"MATLAB 5.0".ljust(124) + b"\x01\x00MI" + b"\0\0\0\x0e\0\0\1\0"
    )
    with pytest.raises(FileError, match="cut short"):
        read(tmp_path / "a.mat")


class TestZarr:
    @pytest.fixture
    def store(self, tmp_path: Path) -> Path:
        big = nd.RamanCube(np.ones((70, 70, 3)), [1, 2, 3])
        return nd.write(big, tmp_path / "a.zarr")

    def test_a_missing_chunk_does_not_become_zeros(self, store: Path) -> None:
        (store / "0" / "c" / "0" / "1" / "0").unlink()
        with pytest.raises(FileError, match="1 of the 4 chunks"):
            read(store)

    @pytest.mark.parametrize("length", [0, 10, -1])
    def test_a_cut_chunk_is_noticed(self, store: Path, length: int) -> None:
        chunk = store / "0" / "c" / "0" / "1" / "1"
        os.truncate(chunk, length if length >= 0 else chunk.stat().st_size - 1)
        with pytest.raises(FileError, match=r"a\.zarr.*(damaged|incomplete)"):
            read(store)

    def test_a_flipped_bit_is_noticed(self, store: Path) -> None:
        chunk = store / "0" / "c" / "0" / "0" / "0"
        data = bytearray(chunk.read_bytes())
        data[len(data) // 2] ^= 1
        chunk.write_bytes(data)
        with pytest.raises(FileError, match="damaged"):
            read(store)

    @pytest.mark.parametrize("lost", ["zarr.json", "0/zarr.json"])
    @pytest.mark.parametrize("content", [None, "", '{"zarr_for', "{}", "[1]"])
    def test_a_lost_or_cut_description(self, store: Path, lost: str, content: str | None) -> None:
        if content is None:
            (store / lost).unlink()
        else:
            (store / lost).write_text(content)
        with pytest.raises(FileError, match=r"a\.zarr"):
            read(store)

    def test_a_group_of_another_program(self, tmp_path: Path) -> None:
        import zarr

        group = zarr.create_group(tmp_path / "other.zarr")
        group.create_array("0", shape=(3, 3, 3), dtype="f4")
        zarr.create_array(tmp_path / "array.zarr", shape=(3, 3, 3), dtype="f4")
        (tmp_path / "empty.zarr").mkdir()
        for name, text in {
            "other.zarr": "not a cube written by",
            "array.zarr": "not a cube written by",
            "empty.zarr": "no Zarr store",
        }.items():
            with pytest.raises(FileError, match=text):
                read(tmp_path / name)

    def test_an_absurd_size(self, store: Path) -> None:
        description = store / "0" / "zarr.json"
        text = re.sub(r"\b70\b", "7000000", description.read_text())
        description.write_text(text)
        with pytest.raises(FileError, match="GiB"):
            read(store)


def test_a_narrow_axis_is_taken_for_what_the_file_says_it_is(tmp_path):
    # silicon under a fine grating: the numbers alone look like nm
    axis = np.arange(450, 600, 0.3)
    rows = "\n".join(f"{w:.1f}\t{i}" for i, w in enumerate(axis))
    (tmp_path / "stated.txt").write_text(f"Raman shift (cm-1)\tintensity\n{rows}\n")
    (tmp_path / "unstated.txt").write_text(rows + "\n")
    cube = nd.read(tmp_path / "stated.txt")
    np.testing.assert_allclose(cube.wavenumber, axis)
    again = nd.read(nd.write(cube, tmp_path / "again.npz"))
    np.testing.assert_array_equal(again.wavenumber, cube.wavenumber)
    part = nd.prepare(cube, nd.Recipe((nd.Crop(500.0, 540.0),)))
    assert part.wavenumber[0] >= 500 and part.wavenumber[-1] <= 540
    with pytest.raises(nd.DeeperError, match="nm"):
        nd.read(tmp_path / "unstated.txt")
