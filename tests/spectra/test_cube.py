"""RamanCube: what it accepts, keeps and refuses."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_deeper.spectra.cube import RamanCube, require_signal
from napari_deeper.spectra.errors import AxisError, CubeError
from napari_deeper.spectra.provenance import Step


@settings(max_examples=40, deadline=None)
@given(
    dtype=st.sampled_from(["f8", ">f4", "i2", ">i2", "u1", "u2", "?", "f2"]),
    shape=st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 5)),
)
def test_any_real_type_becomes_native_float32(dtype, shape):
    values = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    cube = RamanCube(values, np.arange(shape[2]) + 600.0)
    assert cube.intensity.dtype == np.dtype("=f4")
    np.testing.assert_array_equal(cube.intensity, values.astype("f4"))
    assert cube.shape == shape
    np.testing.assert_array_equal(cube.spectra[0], cube.intensity[0, 0])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.zeros((3, 4)), r"three axes \(y, x, channel\)"),
        (np.zeros((2, 3, 4, 5)), r"\(2, 3, 4, 5\)"),
        (np.zeros((2, 2, 3), complex), "complex"),
        (np.array([[["a", "b", "c"]]]), "real numbers"),
        (np.zeros((0, 2, 3)), "empty"),
        (np.full((1, 1, 3), 1e300), "float32"),
    ],
)
def test_what_is_no_cube_is_refused(values, words):
    with pytest.raises(CubeError, match=words):
        RamanCube(values, [600, 601, 602])


@pytest.mark.parametrize("size", [(0.5, -1), (0, 1), (1, 2, 3), (np.nan, 1)])
def test_a_wrong_pixel_size_is_refused(size):
    with pytest.raises(CubeError, match="pixel size"):
        RamanCube(np.ones((1, 1, 2)), [600, 700], size)


def test_the_header_goes_through_json_and_back(small_cube):
    cube = small_cube.derive(small_cube.intensity, Step("denoise", {"method": "pca"}, ("note",)))
    header = json.loads(json.dumps(cube.header()))
    back = RamanCube.from_header(cube.intensity, header)
    assert back.header() == cube.header()
    assert back.provenance == cube.provenance


def test_derive_keeps_the_rest_and_adds_the_step(small_cube):
    result = small_cube.derive(2 * small_cube.intensity, Step("scale"))
    assert [step.verb for step in result.provenance] == ["scale"]
    assert small_cube.provenance == ()
    assert (result.pixel_size, result.origin) == (small_cube.pixel_size, small_cube.origin)


def test_a_cube_is_frozen(small_cube):
    with pytest.raises(dataclasses.FrozenInstanceError):
        small_cube.pixel_size = None
    with pytest.raises(ValueError, match="read-only"):
        small_cube.wavenumber[0] = 0


def test_the_axis_given_is_not_locked():
    axis = np.array([600.0, 700.0])
    RamanCube(np.ones((1, 1, 2)), axis)
    axis[0] = 500.0


def test_require_signal_names_the_first_bad_pixel(small_cube):
    values = small_cube.intensity.copy()
    values[2, 3, 7] = np.inf
    values[4, 4] = np.nan
    with pytest.raises(CubeError, match=r"2 of 63 spectra .* y=2, x=3"):
        require_signal(RamanCube(values, small_cube.wavenumber))


@pytest.mark.parametrize(("value", "word"), [(0, "zero"), (7, "constant"), (-3, "constant")])
def test_require_signal_refuses_flat_cubes(value, word):
    with pytest.raises(CubeError, match=f"Every spectrum is {word}"):
        require_signal(RamanCube(np.full((2, 2, 5), value), np.arange(5) + 600))


def test_a_cube_with_some_dead_pixels_has_signal(small_cube):
    values = small_cube.intensity.copy()
    values[0, 0] = 0
    require_signal(RamanCube(values, small_cube.wavenumber))


def test_an_axis_of_the_wrong_length_is_refused():
    with pytest.raises(AxisError, match="3 channels"):
        RamanCube(np.ones((1, 1, 3)), [600, 700])


def test_trust_is_kept_beside_the_intensities_and_not_handed_on(small_cube):
    sigma = np.ones(small_cube.shape, np.float64)
    flagged = np.zeros(small_cube.shape[:2], int)
    cube = dataclasses.replace(small_cube, uncertainty=sigma, flagged=flagged)
    assert cube.uncertainty.dtype == np.float32
    assert cube.flagged.dtype == bool
    successor = cube.derive(cube.intensity * 2, Step("double", {}))
    assert successor.uncertainty is None
    assert successor.flagged is None
    assert cube.derive(cube.intensity, Step("as is", {}), uncertainty=sigma).uncertainty is not None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"uncertainty": np.ones((1, 1, 1))}, "uncertainties have shape"),
        ({"flagged": np.ones((1, 1), bool)}, "flags have shape"),
    ],
)
def test_trust_of_another_shape_is_refused(small_cube, changes, words):
    with pytest.raises(CubeError, match=words):
        dataclasses.replace(small_cube, **changes)


def test_a_negative_uncertainty_is_refused(small_cube):
    with pytest.raises(CubeError, match="must not be negative"):
        dataclasses.replace(small_cube, uncertainty=np.full(small_cube.shape, -1.0))
