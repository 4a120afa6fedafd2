"""How foreign arrays are arranged is told by the length of their axis, or asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import napari_deeper as nd
from napari_deeper.io.layout import LAYOUTS, arrange
from napari_deeper.spectra.errors import (
    AmbiguousFile,
    AxisError,
    CubeError,
    FileError,
    ParameterError,
)

h5py = pytest.importorskip("h5py")

N = 20
WAVENUMBER = np.linspace(600, 1800, N)
CUBE = np.random.default_rng(5).random((3, 4, N)).astype(np.float32)


def save_npz(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def save_mat(path: Path, **arrays: Any) -> Path:
    from scipy.io import savemat

    savemat(path, arrays)
    return path


def save_mat73(path: Path, **arrays: Any) -> Path:
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            file[name] = np.asarray(array).T
    with path.open("r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")
    return path


def save_hdf5(path: Path, **arrays: Any) -> Path:
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[f"measurement/{name}"] = array
    return path


KINDS = [
    pytest.param(save_npz, ".npz", id="npz"),
    pytest.param(save_mat, ".mat", id="mat"),
    pytest.param(save_mat73, ".mat", id="mat73"),
    pytest.param(save_hdf5, ".h5", id="hdf5"),
]


@pytest.mark.parametrize(("save", "suffix"), KINDS)
@pytest.mark.parametrize("layout", ["yxc", "cyx", "ycx"])
def test_the_length_of_the_axis_tells_the_channels(
    tmp_path: Path, save: Any, suffix: str, layout: str
) -> None:
    order = ["yxc".index(letter) for letter in layout]
    path = save(tmp_path / f"a{suffix}", map=CUBE.transpose(order), wavenumber=WAVENUMBER)
    cube = nd.read(path)
    np.testing.assert_array_equal(cube.intensity, CUBE)
    assert len(cube.provenance[0].notes) == (layout != "yxc")


@pytest.mark.parametrize(("save", "suffix"), KINDS)
def test_an_axis_that_fits_two_ways_is_asked_about(tmp_path: Path, save: Any, suffix: str) -> None:
    square = np.random.default_rng(1).random((N, 3, N)).astype(np.float32)
    path = save(tmp_path / f"a{suffix}", map=square, wavenumber=WAVENUMBER)
    with pytest.raises(
        AmbiguousFile, match=rf"^a\{suffix}: .*--layout yxc.*--layout cyx"
    ) as caught:
        nd.read(path)
    assert [dict(c.options) for c in caught.value.choices] == [{"layout": "yxc"}, {"layout": "cyx"}]
    np.testing.assert_array_equal(nd.read(path, layout="yxc").intensity, square)
    np.testing.assert_array_equal(nd.read(path, layout="cyx").intensity, square.transpose(1, 2, 0))


def test_an_axis_with_a_name_of_its_own_is_found_and_said(tmp_path: Path) -> None:
    path = save_npz(tmp_path / "a.npz", map=CUBE, k=WAVENUMBER, ypos=np.arange(3.0))
    cube = nd.read(path)
    np.testing.assert_array_equal(cube.wavenumber, WAVENUMBER)
    assert "array 'k'" in cube.provenance[0].notes[0]


def test_places_named_x_are_not_the_axis(tmp_path: Path) -> None:
    path = save_npz(tmp_path / "a.npz", map=CUBE, x=np.arange(4.0), y=np.arange(3.0))
    with pytest.raises(AxisError, match="no wavenumber axis"):
        nd.read(path)


@pytest.mark.parametrize("layout", ["yxc", "cyx"])
def test_a_list_of_pixels_folds_by_the_size_beside_it(tmp_path: Path, layout: str) -> None:
    pixels = CUBE.reshape(12, N) if layout == "yxc" else CUBE.reshape(12, N).T
    sized = save_npz(tmp_path / "a.npz", s=pixels, wavenumber=WAVENUMBER, imagesize=[3, 4])
    np.testing.assert_array_equal(nd.read(sized).intensity, CUBE)
    bare = save_npz(tmp_path / "b.npz", s=pixels, wavenumber=WAVENUMBER)
    assert nd.read(bare).shape == (1, 12, N)
    np.testing.assert_array_equal(nd.read(bare, image_size=(3, 4)).intensity, CUBE)
    with pytest.raises(FileError, match="there are 12"):
        nd.read(bare, image_size=(3, 5))


def test_matlab_is_asked_whether_rows_or_columns_run_first(tmp_path: Path) -> None:
    down = CUBE.transpose(1, 0, 2).reshape(12, N)  # as MATLAB's reshape(map, [], channels)
    path = save_mat(tmp_path / "a.mat", s=down, wavenumber=WAVENUMBER, rows=3, columns=4)
    with pytest.raises(AmbiguousFile, match="12 spectra fold into 3 x 4") as caught:
        nd.read(path)
    across, along = (nd.read(path, **choice.options) for choice in caught.value.choices)
    np.testing.assert_array_equal(along.intensity, CUBE)
    assert not np.array_equal(across.intensity, CUBE)


@pytest.mark.parametrize("bad", [{"layout": "xyz"}, {"image_size": (0, 4)}, {"layout": "long"}])
def test_arrangements_that_are_none(tmp_path: Path, bad: dict[str, Any]) -> None:
    path = save_npz(tmp_path / "a.npz", a=CUBE, wavenumber=WAVENUMBER)
    with pytest.raises(ParameterError):
        nd.read(path, **bad)


@given(st.sampled_from(LAYOUTS), st.tuples(*[st.integers(1, 4)] * 3))
def test_every_layout_unfolds_as_its_letters_say(layout: str, shape: tuple[int, int, int]) -> None:
    cube = np.arange(np.prod(shape)).reshape(shape)
    stored = cube.transpose(["yxc".index(letter) for letter in layout])
    np.testing.assert_array_equal(arrange(stored, layout).intensity, cube)
    if layout[1] != "c":
        flat = (
            stored.reshape(stored.shape[0], -1)
            if layout[0] == "c"
            else stored.reshape(-1, stored.shape[2])
        )
        np.testing.assert_array_equal(arrange(flat, layout, shape[:2]).intensity, cube)
    else:
        with pytest.raises(CubeError):
            arrange(stored.reshape(stored.shape[0], -1), layout)
