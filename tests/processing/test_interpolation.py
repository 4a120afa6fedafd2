from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.io import loadmat

from napari_deeper.processing import interpolation, metrics

METHODS = ("nearest", "bilinear", "bicubic")
DATA = Path(__file__).parents[2].parent / "shared" / "data"


def image(n_y=5, n_x=7, n_channels=3, seed=0):
    return np.random.default_rng(seed).normal(size=(n_y, n_x, n_channels)).astype(np.float32)


def reference_bilinear(low, scale, phase):
    """Interpolate one fine pixel after another."""
    n_y, n_x, n_channels = low.shape
    fine = np.zeros((n_y * scale, n_x * scale, n_channels))
    for i in range(n_y * scale):
        for j in range(n_x * scale):
            y = min(max((i - phase) / scale, 0), n_y - 1)
            x = min(max((j - phase) / scale, 0), n_x - 1)
            y0, x0 = int(y), int(x)
            y1, x1 = min(y0 + 1, n_y - 1), min(x0 + 1, n_x - 1)
            top = low[y0, x0] * (1 - (x - x0)) + low[y0, x1] * (x - x0)
            bottom = low[y1, x0] * (1 - (x - x0)) + low[y1, x1] * (x - x0)
            fine[i, j] = top * (1 - (y - y0)) + bottom * (y - y0)
    return fine


SCALES_AND_PHASES = [(s, p) for s in (2, 3, 4) for p in range(s)]


@pytest.mark.parametrize(("scale", "phase"), SCALES_AND_PHASES)
def test_bilinear_is_what_explicit_loops_give(scale, phase):
    low = image()
    result = interpolation.upsample(low, scale, "bilinear", phase)

    np.testing.assert_allclose(result, reference_bilinear(low, scale, phase), atol=1e-5)
    assert result.dtype == np.float32


@pytest.mark.parametrize(("scale", "phase"), SCALES_AND_PHASES)
def test_bicubic_is_the_spline_of_scipy(scale, phase):
    low = image(n_y=70, n_x=5, n_channels=1)
    y, x = ((np.arange(n * scale) - phase) / scale for n in low.shape[:2])
    grid = np.meshgrid(y, x, indexing="ij")
    expected = ndimage.map_coordinates(low[..., 0], grid, order=3, mode="nearest")

    result = interpolation.upsample(low, scale, "bicubic", phase)

    np.testing.assert_allclose(result[..., 0], expected, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
@settings(deadline=None, max_examples=15)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(2, 4), st.integers(0, 3))
def test_measured_pixels_are_reproduced_exactly(method, n_y, n_x, scale, phase):
    phase %= scale
    low = image(n_y, n_x)
    fine = interpolation.upsample(low, scale, method, phase)

    assert fine.shape == (n_y * scale, n_x * scale, 3)
    np.testing.assert_array_equal(interpolation.skip_sample(fine, scale, phase), low)


@pytest.mark.parametrize("method", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("scale", "phase"), [(2, 0), (2, 1), (3, 1), (4, 2)])
def test_a_plane_stays_in_place(method, scale, phase):
    y, x = np.mgrid[:24, :24].astype(np.float32)
    fine = np.stack([2 * y - x + 3], axis=-1)
    low = interpolation.skip_sample(fine, scale, phase)
    result = interpolation.upsample(low, scale, method, phase)

    inner = slice(10, 14)
    np.testing.assert_allclose(result[inner, inner], fine[inner, inner], atol=0.05)


@pytest.mark.parametrize(("method", "order"), [("nearest", 0), ("bicubic", 3)])
def test_as_published_is_the_corner_aligned_zoom(method, order):
    low = image(6, 5)
    expected = ndimage.zoom(low, (3, 3, 1), order=order)

    result = interpolation.upsample(low, 3, method, as_published=True)

    np.testing.assert_allclose(result, expected, atol=1e-5)


def test_nearest_ties_go_to_the_pixel_after():
    low = np.arange(3, dtype=np.float32)[:, None, None].repeat(2, axis=1)
    fine = interpolation.upsample(low, 2, "nearest", 1)

    assert fine[:, 0, 0].tolist() == [0, 0, 1, 1, 2, 2]


@pytest.fixture(scope="module")
def thp1():
    found = list(DATA.glob("thp1/*.mat"))
    if not found:
        pytest.skip("the measured THP-1 cell is not here (shared/data/thp1)")
    content = loadmat(found[0])
    record = next(v for k, v in content.items() if not k.startswith("__"))[0, 0]
    cube = record["data"].reshape(40, 40, 500, order="F").astype(np.float32)
    return cube / cube.max()


# MSE x 1e5 on the cell scaled to a maximum of 1: published nearest and bicubic, aligned three.
TABLE = {
    2: (4.15, 3.79, 4.15, 2.75, 3.22),
    3: (6.39, 5.75, 6.01, 4.53, 5.29),
    4: (9.64, 7.28, 7.75, 4.92, 6.00),
}


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_errors_on_a_measured_cell_are_the_known_ones(thp1, scale):
    n = 40 // scale * scale
    target = thp1[:n, :n]
    low = interpolation.skip_sample(target, scale, 1)
    published = [
        interpolation.upsample(low, scale, m, as_published=True) for m in ("nearest", "bicubic")
    ]
    aligned = [interpolation.upsample(low, scale, m, 1) for m in METHODS]

    errors = [1e5 * metrics.mse(result, target) for result in (*published, *aligned)]

    np.testing.assert_allclose(errors, TABLE[scale], atol=0.006)


@pytest.mark.parametrize(("scale", "phase"), [(2, 0), (2, 1), (3, 1), (4, 0), (4, 3)])
@pytest.mark.parametrize("n_some", [0, 1, 6, 70])
def test_what_is_zero_nearly_everywhere_is_interpolated_where_it_is_not(scale, phase, n_some):
    rng = np.random.default_rng(n_some)
    image = np.zeros((11, 7, 5), np.float32)
    flat = image.reshape(-1, 5)
    chosen = rng.permutation(len(flat))[:n_some]
    chosen[:1] = 0  # a corner
    flat[chosen] = rng.uniform(0.5, 1, (n_some, 5))

    place, values = interpolation.upsample_some(image, scale, phase)

    found = np.zeros((11 * scale * 7 * scale, 5), np.float32)
    found[place] = values
    expected = interpolation.upsample(image, scale, "bilinear", phase)
    np.testing.assert_allclose(found.reshape(expected.shape), expected, atol=1e-6)
    if n_some == 1:
        assert len(values) < 0.1 * len(found)
