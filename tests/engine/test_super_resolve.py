import threading

import numpy as np
import pytest
from engine_cubes import MODEL_AXIS, band_cube
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import napari_deeper as nd
from napari_deeper.processing.interpolation import skip_sample, upsample
from napari_deeper.spectra.errors import (
    AxisError,
    Cancelled,
    CheckpointError,
    CubeError,
    ParameterError,
)

SCALES_AND_PHASES = [(s, p) for s in (2, 3, 4) for p in range(s)]
INTERPOLATIONS = ("nearest", "bilinear", "bicubic")


def positions(cube):
    """Return the y and x of all pixel centers, in the unit of the cube."""
    return [
        o + step * np.arange(n)
        for o, step, n in zip(cube.origin, cube.spacing, cube.shape[:2], strict=True)
    ]


@pytest.mark.parametrize(("scale", "phase"), SCALES_AND_PHASES)
@pytest.mark.parametrize("method", INTERPOLATIONS)
def test_measured_pixels_lie_where_they_did_and_keep_their_values(method, scale, phase):
    cube = band_cube(shape=(5, 6), pixel_size=(0.6, 0.25), origin=(10.0, -3.0))

    fine = nd.super_resolve(cube, scale=scale, method=method, phase=phase)

    for low_um, fine_um in zip(positions(cube), positions(fine), strict=True):
        np.testing.assert_allclose(fine_um[phase::scale], low_um, atol=1e-9)
    np.testing.assert_array_equal(skip_sample(fine.intensity, scale, phase), cube.intensity)
    assert fine.pixel_size == pytest.approx((0.6 / scale, 0.25 / scale))
    assert fine.zoom == scale


@pytest.mark.parametrize(("scale", "phase"), [(2, 1), (3, 0), (4, 2)])
def test_without_pixel_size_the_place_is_in_measured_pixels(scale, phase):
    cube = band_cube(shape=(5, 6))

    fine = nd.super_resolve(cube, scale=scale, method="bilinear", phase=phase)

    assert fine.pixel_size is None
    for low, high in zip(positions(cube), positions(fine), strict=True):
        np.testing.assert_allclose(high[phase::scale], low, atol=1e-9)


def test_twice_2x_lies_over_the_input_too():
    cube = band_cube(shape=(3, 3), pixel_size=(1.0, 1.0))

    fine = nd.super_resolve(
        nd.super_resolve(cube, scale=2, method="bilinear", phase=1),
        scale=2,
        method="bilinear",
        phase=0,
    )

    for low, high in zip(positions(cube), positions(fine), strict=True):
        np.testing.assert_allclose(high[2::4], low, atol=1e-9)


@pytest.mark.parametrize("method", ["auto", "hyrisr", *INTERPOLATIONS])
def test_result_is_float32_and_the_input_is_untouched(method, tiny_hyrisr):
    cube = band_cube(shape=(17, 18), excitation_nm=785)
    cube.intensity.flags.writeable = False
    before = cube.intensity.copy()

    fine = nd.super_resolve(cube, method=method, model=tiny_hyrisr(2))

    np.testing.assert_array_equal(cube.intensity, before)
    assert fine.intensity.dtype == np.float32
    assert fine.shape == (34, 36, 100)
    assert fine.excitation_nm == 785


@pytest.mark.parametrize("method", ["auto", "hyrisr", "bilinear"])
@pytest.mark.parametrize("factor", [37.5, 1e-22, 1e22])
def test_absolute_intensity_survives(method, factor, tiny_hyrisr):
    cube, model = band_cube(shape=(17, 18)), tiny_hyrisr(2)
    scaled = nd.RamanCube(cube.intensity * np.float32(factor), cube.wavenumber)

    # bf16 rounds 37.5 times a number elsewhere
    how = {"method": method, "model": model, "precision": "fp32"}
    result = nd.super_resolve(cube, **how).intensity
    followed = nd.super_resolve(scaled, **how).intensity

    largest = np.abs(result).max()
    np.testing.assert_allclose(
        followed / np.float32(factor), result, rtol=1e-4, atol=1e-5 * largest
    )


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_network_changes_something_and_follows_the_phase(scale, tiny_hyrisr):
    cube, model = band_cube(), tiny_hyrisr(scale)
    shifted = {}
    for phase in range(scale):
        fine = nd.super_resolve(cube, scale=scale, method="hyrisr", phase=phase, model=model)
        shifted[phase] = fine.intensity
        plain = upsample(cube.intensity, scale, "bilinear", phase)
        assert np.abs(fine.intensity - plain).max() > 1e-4

    # one and the same image, cut out at another place
    first, second = shifted[0], shifted[1]
    inner = slice(scale, -scale - 1)
    moved = slice(scale + 1, -scale)
    np.testing.assert_allclose(second[moved, moved], first[inner, inner], atol=1e-4)


def test_a_network_of_one_phase_is_shifted_to_another(tiny_published_hyrisr):
    cube = band_cube(shape=(9, 9))

    def run(phase):
        fine = nd.super_resolve(cube, method="hyrisr", phase=phase, model=tiny_published_hyrisr)
        return fine.intensity

    # Its attention pools over the whole image, and the shift adds a border: close, not equal.
    at_0, at_1 = run(0), run(1)
    difference = np.abs(at_0[4:-5, 4:-5] - at_1[5:-4, 5:-4]).mean()
    assert difference < 0.2 * np.abs(at_0[4:-5, 4:-5] - at_1[4:-5, 4:-5]).mean()


def test_tiles_leave_no_seam(tiny_hyrisr):
    cube, model = band_cube(shape=(40, 45)), tiny_hyrisr(2)

    whole = nd.super_resolve(cube, method="hyrisr", model=model, tile=64).intensity
    tiled = nd.super_resolve(cube, method="hyrisr", model=model, tile=32).intensity

    changed = np.abs(whole - upsample(cube.intensity, 2, "bilinear", 1)).max()
    assert np.abs(tiled - whole).max() < 0.005 * changed


def test_channels_outside_the_network_are_interpolated(tiny_hyrisr):
    axis = np.linspace(400, 3000, 400)
    cube = band_cube(axis=axis)

    fine = nd.super_resolve(cube, method="hyrisr", model=tiny_hyrisr(2))

    plain = upsample(cube.intensity, 2, "bilinear", 1)
    outside = (axis < 590) | (axis > 1810)
    np.testing.assert_allclose(fine.intensity[..., outside], plain[..., outside], atol=1e-5)
    assert np.abs(fine.intensity - plain)[..., ~outside].max() > 1e-4
    assert any("interpolated (aligned bilinear)" in n for n in fine.provenance[-1].notes)


def test_hardly_overlapping_axis_is_refused_by_the_network_only(tiny_hyrisr):
    cube = band_cube(axis=np.linspace(1750, 3200, 300))

    with pytest.raises(AxisError, match=r"1750-3200 cm-1.*600-1800 cm-1"):
        nd.super_resolve(cube, method="hyrisr", model=tiny_hyrisr(2))
    assert nd.super_resolve(cube).provenance[-1].params["chosen"] == "eigenimages"


def test_auto_is_never_worse_than_bilinear_by_much_with_a_useless_network(tiny_hyrisr):
    y, x = np.mgrid[:48, :48] / 6
    map_ = np.sin(y) * np.cos(x) + 1.5
    bands = np.exp(-((MODEL_AXIS - 1200) ** 2) / 2 / 30**2)
    truth = (map_[..., None] * bands).astype(np.float32)
    cube = nd.RamanCube(skip_sample(truth, 2, 1), MODEL_AXIS)
    model = tiny_hyrisr(2)

    def error(method):
        fine = nd.super_resolve(cube, method=method, model=model)
        return np.mean((fine.intensity - truth) ** 2)

    assert error("hyrisr") > 1.5 * error("bilinear")
    assert error("auto") < 1.1 * error("bilinear")


def test_auto_says_why(tiny_hyrisr):
    small = nd.super_resolve(band_cube(shape=(4, 4)), model=tiny_hyrisr(2)).provenance[-1]
    large = nd.super_resolve(band_cube(shape=(20, 20)), model=tiny_hyrisr(2)).provenance[-1]

    assert any("too small to leave pixels out" in note for note in small.notes)
    assert small.params["network_share"] == 1
    assert any("left out" in note for note in large.notes)
    assert "network_share" in large.params


@pytest.mark.parametrize("method", ["auto", *INTERPOLATIONS])
@settings(deadline=None, max_examples=12)
@given(
    st.integers(1, 5), st.integers(1, 5), st.sampled_from([1, 2, 50]), st.sampled_from((2, 3, 4))
)
def test_any_shape_works(method, n_y, n_x, n_channels, scale):
    rng = np.random.default_rng(0)
    axis = 600 + 10.0 * np.arange(n_channels)
    cube = nd.RamanCube(1 + rng.random((n_y, n_x, n_channels)), axis)

    fine = nd.super_resolve(cube, scale=scale, method=method)

    assert fine.shape == (n_y * scale, n_x * scale, n_channels)
    assert np.isfinite(fine.intensity).all()


@settings(
    deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from([(1, 1), (1, 5), (4, 1), (3, 3)]), st.sampled_from([40, 100, 333]))
def test_the_network_takes_any_shape(tiny_hyrisr, shape, n_channels):
    cube = band_cube(shape=shape, axis=np.linspace(600, 1800, n_channels))

    fine = nd.super_resolve(cube, scale=2, method="hyrisr", model=tiny_hyrisr(2))

    assert fine.shape == (2 * shape[0], 2 * shape[1], n_channels)
    assert np.isfinite(fine.intensity).all()


def test_as_published_shifts_and_says_so():
    cube = band_cube()

    fine = nd.super_resolve(cube, method="bicubic", as_published=True)

    expected = upsample(cube.intensity, 2, "bicubic", as_published=True)
    np.testing.assert_array_equal(fine.intensity, expected)
    assert any("shifted" in note for note in fine.provenance[-1].notes)


@pytest.mark.parametrize(
    ("bad", "text"),
    [
        ({"scale": 5}, "scale is 5; it must be one of: 2, 3, 4"),
        ({"phase": 2}, "at scale 2 it counts from 0 to 1"),
        ({"phase": -1}, "phase is -1"),
        ({"method": "magic"}, "must be one of: auto"),
        ({"as_published": True}, "as_published belongs to nearest"),
        ({"tile": 2}, "tile is 2"),
    ],
)
def test_wrong_settings_are_named(bad, text):
    with pytest.raises(ParameterError, match=text):
        nd.super_resolve(band_cube(), **bad)


def test_wrong_cubes_and_weights_are_refused(tiny_hyrisr, tiny_resunet):
    intensity = band_cube().intensity.copy()
    intensity[1, 2, 3] = np.nan
    with pytest.raises(CubeError, match="y=1, x=2"):
        nd.super_resolve(nd.RamanCube(intensity, MODEL_AXIS))
    with pytest.raises(CheckpointError, match="a 3x network is needed"):
        nd.super_resolve(band_cube(), scale=3, method="hyrisr", model=tiny_hyrisr(2))
    with pytest.raises(CheckpointError):
        nd.super_resolve(band_cube(), method="hyrisr", model=tiny_resunet)


def test_cancel_acts_within_one_tile(tiny_hyrisr):
    cancel = threading.Event()
    tiles = []

    def on_report(fraction, text):
        if "tile" in text:
            tiles.append(text)
            cancel.set()

    with pytest.raises(Cancelled):
        nd.super_resolve(
            band_cube(shape=(30, 30)),
            method="hyrisr",
            model=tiny_hyrisr(2),
            tile=16,
            progress=nd.Progress(on_report, cancel),
        )

    assert len(tiles) == 1
