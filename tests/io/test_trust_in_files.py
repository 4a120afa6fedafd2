"""Uncertainty and flags go with a cube into every format, and come back exactly or not at all."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import napari_deeper as nd
from napari_deeper.spectra.errors import CubeError, FileError

SUFFIXES = (".npz", ".zarr", ".mat", ".h5", ".tif", ".csv")


@st.composite
def cubes(draw: st.DrawFn) -> nd.RamanCube:
    shape = draw(st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 6)))
    sigmas = st.floats(0, 2.0**100, width=32) | st.just(np.float32(np.nan))
    return nd.RamanCube(
        np.ones(shape),
        np.arange(1, shape[2] + 1) * 10,
        uncertainty=draw(st.none() | hnp.arrays(np.float32, shape, elements=sigmas)),
        flagged=draw(st.none() | hnp.arrays(np.bool_, shape[:2])),
    )


@pytest.fixture
def trusted(small_cube: nd.RamanCube) -> nd.RamanCube:
    rng = np.random.default_rng(8)
    return dataclasses.replace(
        small_cube,
        uncertainty=rng.uniform(0, 5, small_cube.shape),
        flagged=rng.random(small_cube.shape[:2]) < 0.2,
    )


def same(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=one.dtype != bool)


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cube=cubes())
def test_uncertainty_and_flags_come_back_exactly(
    tmp_path: Path, suffix: str, cube: nd.RamanCube
) -> None:
    back = nd.read(nd.write(cube, tmp_path / f"cube{suffix}", overwrite=True))
    assert same(back.uncertainty, cube.uncertainty)
    assert same(back.flagged, cube.flagged)
    np.testing.assert_array_equal(back.intensity, cube.intensity)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_one_format_after_another_loses_nothing(
    tmp_path: Path, trusted: nd.RamanCube, suffix: str
) -> None:
    back = trusted
    for i, other in enumerate((suffix, *SUFFIXES)):
        back = nd.read(nd.write(back, tmp_path / f"{i}{other}"))
    assert same(back.uncertainty, trusted.uncertainty)
    assert same(back.flagged, trusted.flagged)


def test_a_falling_axis_turns_the_uncertainty_too(tmp_path: Path, trusted: nd.RamanCube) -> None:
    header = trusted.header() | {"wavenumber": trusted.wavenumber[::-1].tolist()}
    path = tmp_path / "falling.npz"
    np.savez(
        path,
        intensity=trusted.intensity[..., ::-1],
        uncertainty=trusted.uncertainty[..., ::-1],
        flagged=trusted.flagged,
        header=np.array(json.dumps(header)),
    )
    back = nd.read(path)
    assert same(back.uncertainty, trusted.uncertainty)
    np.testing.assert_array_equal(back.intensity, trusted.intensity)


def test_files_written_before_there_was_uncertainty_still_open(
    tmp_path: Path, small_cube: nd.RamanCube
) -> None:
    import zarr

    header = json.dumps(small_cube.header())
    np.savez(tmp_path / "old.npz", intensity=small_cube.intensity, header=np.array(header))
    group = zarr.create_group(
        tmp_path / "old.zarr", attributes={"napari_deeper": json.loads(header)}
    )
    group.create_array("intensity", data=small_cube.intensity)
    for name in ("old.npz", "old.zarr"):
        back = nd.read(tmp_path / name)
        assert back.uncertainty is None
        assert back.flagged is None
        np.testing.assert_array_equal(back.intensity, small_cube.intensity)


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("uncertainty", np.ones((9, 7, 119)), "shape (9, 7, 119); the intensities ask for"),
        ("uncertainty", -np.ones((9, 7, 120)), "must not be negative"),
        ("uncertainty", np.ones((9, 7, 120), complex), "uncertainties are complex"),
        ("flagged", np.zeros((7, 9), bool), "flags have shape (7, 9)"),
        ("flagged", np.full((9, 7), 0.5), "'flagged' is of type float64"),
        ("flagged", np.full((9, 7), 3), "one truth value"),
    ],
)
def test_what_does_not_fit_the_cube_is_told_with_the_file(
    tmp_path: Path, small_cube: nd.RamanCube, name: str, values: np.ndarray, words: str
) -> None:
    path = tmp_path / "odd.npz"
    header = np.array(json.dumps(small_cube.header()))
    np.savez(path, intensity=small_cube.intensity, header=header, **{name: values})
    with pytest.raises(CubeError) as caught:
        nd.read(path)
    assert words in str(caught.value)
    assert "odd.npz" in str(caught.value)


@pytest.mark.parametrize("name", ["uncertainty", "flagged"])
def test_a_zarr_that_lost_an_array_is_told(
    tmp_path: Path, trusted: nd.RamanCube, name: str
) -> None:
    path = nd.write(trusted, tmp_path / "cube.zarr")
    shutil.rmtree(path / name)
    with pytest.raises(FileError, match=f"lost its array '{name}'"):
        nd.read(path)


@pytest.mark.parametrize("suffix", [".npz", ".mat"])
def test_a_file_cut_short_in_its_uncertainty_is_told(
    tmp_path: Path, trusted: nd.RamanCube, suffix: str
) -> None:
    path = nd.write(trusted, tmp_path / f"cube{suffix}")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 3 // 4])
    with pytest.raises(FileError, match=f"cube{suffix}"):
        nd.read(path)


def test_matlab_sees_plain_arrays(tmp_path: Path, trusted: nd.RamanCube) -> None:
    from scipy.io import loadmat

    content = loadmat(nd.write(trusted, tmp_path / "cube.mat"))
    np.testing.assert_array_equal(content["uncertainty"], trusted.uncertainty)
    np.testing.assert_array_equal(content["flagged"].astype(bool), trusted.flagged)
