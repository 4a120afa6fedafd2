"""Cubes and layers: one conversion, both ways."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from napari.layers import Image, Labels

from napari_deeper import RamanCube, super_resolve
from napari_deeper.plugin.layers import cube_from_layer, layer_tuple, spectrum_at
from napari_deeper.spectra.errors import CubeError


def as_layer(cube: RamanCube) -> Image:
    data, attributes, kind = layer_tuple(cube)
    assert kind == "image"
    return Image(data, **attributes)


@settings(deadline=None, max_examples=25)
@given(
    shape=st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 6)),
    size=st.none() | st.tuples(st.floats(0.01, 100), st.floats(0.01, 100)),
    origin=st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)),
    seed=st.integers(0, 99),
)
def test_a_cube_comes_back_from_its_layer(shape, size, origin, seed):
    rng = np.random.default_rng(seed)
    axis = 500 + np.cumsum(rng.uniform(1, 9, shape[2]))
    cube = RamanCube(rng.normal(size=shape), axis, size, origin=origin, metadata={"name": "c"})
    back = cube_from_layer(as_layer(cube))
    np.testing.assert_array_equal(back.intensity, cube.intensity)
    assert back.header() == cube.header()


def test_a_layer_has_units_and_shares_the_cubes_memory(small_cube):
    layer = as_layer(small_cube)
    assert [str(unit) for unit in layer.units] == ["1 / centimeter", "micrometer", "micrometer"]
    assert layer.axis_labels == ("Raman shift", "y", "x")
    assert layer.data.shape == (120, 9, 7)
    assert np.shares_memory(layer.data, small_cube.intensity)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("pixel_size", [(0.5, 0.25), None])
def test_a_super_resolved_layer_lies_exactly_over_its_input(small_cube, scale, pixel_size):
    header = small_cube.header() | {"pixel_size": pixel_size}
    cube = RamanCube.from_header(small_cube.intensity, header)
    phase = scale - 1
    high = as_layer(super_resolve(cube, scale=scale, method="bilinear", phase=phase))
    low = as_layer(cube)
    for y, x in [(0, 0), (3, 2), (8, 6)]:
        measured = low.data_to_world((5, y, x))
        fine = high.data_to_world((5, y * scale + phase, x * scale + phase))
        np.testing.assert_allclose(fine, measured, atol=1e-9)
        np.testing.assert_allclose(
            high.data[:, y * scale + phase, x * scale + phase], low.data[:, y, x], rtol=1e-5
        )


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (None, "No layer is chosen"),
        (Labels(np.zeros((4, 4), int), name="cells"), "'cells' is a Labels layer"),
        (Image(np.zeros((4, 4, 3), np.uint8), rgb=True, name="photo"), "color (RGB)"),
        (Image(np.zeros((5, 4, 4)), name="stack"), "'stack' has no wavenumbers"),
    ],
)
def test_a_wrong_layer_is_refused_in_words(layer, words):
    with pytest.raises(CubeError) as caught:
        cube_from_layer(layer)
    assert words in str(caught.value)


def test_a_layer_whose_data_were_replaced_is_refused(small_cube):
    layer = as_layer(small_cube)
    layer.data = np.zeros((60, 9, 7), np.float32)
    with pytest.raises(CubeError, match="120 wavenumbers"):
        cube_from_layer(layer)


@settings(deadline=None, max_examples=40)
@given(
    y=st.floats(2.0, 8.0), x=st.floats(-3.0, 2.0), radius=st.floats(0, 2.5), seed=st.integers(0, 9)
)
def test_spectrum_at_averages_the_pixels_within_the_radius(y, x, radius, seed):
    rng = np.random.default_rng(seed)
    cube = RamanCube(rng.normal(size=(9, 7, 4)), [1, 2, 3, 4], (0.5, 0.75), origin=(3.0, -2.0))
    got = spectrum_at(as_layer(cube), (y, x), radius)
    inside = -0.5 <= (y - 3) / 0.5 <= 8.5 and -0.5 <= (x + 2) / 0.75 <= 6.5
    if not inside:
        assert got is None
        return
    places = [
        (np.hypot(3 + 0.5 * i - y, -2 + 0.75 * j - x), i, j) for i in range(9) for j in range(7)
    ]
    nearest = min(
        places, key=lambda p: max(abs(3 + 0.5 * p[1] - y) / 0.5, abs(-2 + 0.75 * p[2] - x) / 0.75)
    )
    chosen = {(i, j) for d, i, j in places if d <= radius} | {nearest[1:]}
    expected = np.mean([cube.intensity[i, j] for i, j in chosen], axis=0)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)
