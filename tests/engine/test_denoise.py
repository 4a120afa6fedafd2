import threading
from pathlib import Path

import numpy as np
import pytest
from engine_cubes import MODEL_AXIS, band_cube
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import napari_deeper as nd
from napari_deeper.processing import low_rank, metrics, resample, smoothing
from napari_deeper.spectra.errors import (
    AxisError,
    Cancelled,
    CheckpointError,
    CubeError,
    ParameterError,
)

METHODS = ("auto", "resunet", "low-rank", "pca", "savgol", "wavelet")


@pytest.mark.parametrize("method", METHODS)
def test_result_is_float32_and_the_input_is_untouched(method, tiny_resunet):
    cube = band_cube(pixel_size=(0.5, 0.5), excitation_nm=532, metadata={"name": "cell"})
    cube.intensity.flags.writeable = False
    before = cube.intensity.copy()

    result = nd.denoise(cube, method=method, model=tiny_resunet)

    np.testing.assert_array_equal(cube.intensity, before)
    assert result.intensity.dtype == np.float32
    assert result.shape == cube.shape
    assert (result.pixel_size, result.excitation_nm) == (cube.pixel_size, 532)
    assert not np.shares_memory(result.intensity, cube.intensity)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("factor", [37.5, 1e-22, 1e22])
def test_absolute_intensity_survives(method, factor, tiny_resunet):
    cube = band_cube()
    scaled = nd.RamanCube(cube.intensity * np.float32(factor), cube.wavenumber)

    def denoised(cube, precision):
        return nd.denoise(cube, method=method, model=tiny_resunet, precision=precision).intensity

    # bfloat16 rounds what differs in the last bit of float32 to neighbors of its own
    loose, followed_loosely = denoised(cube, "bf16"), denoised(scaled, "bf16") / np.float32(factor)
    apart = np.linalg.norm(followed_loosely - loose) / np.linalg.norm(loose)
    assert apart < 1e-3
    result, followed = denoised(cube, "fp32"), denoised(scaled, "fp32")
    largest = np.abs(result).max()
    np.testing.assert_allclose(
        followed / np.float32(factor), result, rtol=1e-4, atol=1e-5 * largest
    )


@pytest.mark.parametrize("method", METHODS)
def test_band_ratio_between_two_pixels_is_kept(method):
    cube = band_cube(shape=(8, 8), noise=0.0, axis=np.linspace(600, 1800, 500))
    intensity = cube.intensity.copy()
    intensity[0, 1] = 3.5 * intensity[0, 0]
    cube = nd.RamanCube(intensity + 1e-3 * np.sin(np.arange(500) * 2.5), cube.wavenumber)

    result = nd.denoise(cube, method=method).intensity

    peak = int(intensity[0, 0].argmax())
    ratio = result[0, 1, peak - 3 : peak + 4].mean() / result[0, 0, peak - 3 : peak + 4].mean()
    assert ratio == pytest.approx(3.5, rel=0.03)


@pytest.mark.parametrize("method", METHODS)
def test_noise_falls(method):
    clean = band_cube(shape=(12, 12), noise=0.0, axis=np.linspace(600, 1800, 500))
    noisy = clean.intensity + np.random.default_rng(5).normal(0, 0.15, clean.shape)

    result = nd.denoise(nd.RamanCube(noisy, clean.wavenumber), method=method)

    before = metrics.mse(noisy, clean.intensity)
    assert metrics.mse(result.intensity, clean.intensity) < 0.5 * before


def test_classical_methods_are_those_of_processing():
    cube = band_cube()
    unit = np.abs(cube.intensity).max()
    spectra = cube.spectra / unit

    expected = {
        "low-rank": low_rank.shrink(spectra),
        "pca": low_rank.pca(spectra),
        "savgol": smoothing.savgol(spectra),
        "wavelet": smoothing.wavelet(spectra),
    }

    for method, reference in expected.items():
        result = nd.denoise(cube, method=method).spectra
        np.testing.assert_allclose(result, reference * unit, atol=1e-5)


def test_settings_reach_the_methods():
    cube = band_cube()
    unit = np.abs(cube.intensity).max()

    window = nd.denoise(cube, method="savgol", window=9, polyorder=3)
    two = nd.denoise(cube, method="pca", n_components=2)

    expected = smoothing.savgol(cube.spectra / unit, 9, 3) * unit
    np.testing.assert_allclose(window.spectra, expected, atol=1e-5)
    assert np.linalg.matrix_rank(two.spectra - two.spectra.mean(axis=0), tol=1e-3) == 2


def test_provenance_says_what_was_chosen(tiny_resunet):
    cube = band_cube(axis=np.linspace(600, 2200, 150))
    params = nd.DenoiseParams(method="resunet", model=tiny_resunet, batch_size=32)

    step = nd.denoise(cube, params).provenance[-1]

    assert step.verb == "denoise"
    assert step.params["method"] == "resunet"
    assert step.params["batch_size"] == 32
    assert step.params["checkpoint"] == "tiny"
    assert len(step.params["checkpoint_sha256"]) == 64
    assert step.params["device_used"].startswith("CPU")
    assert any("does not cover 1813-2200 cm-1" in note for note in step.notes)


def test_auto_says_why():
    notes = nd.denoise(band_cube(axis=np.linspace(600, 1800, 300))).provenance[-1].notes

    assert any("auto" in note for note in notes)


# ---- any axis
# -------------------------------------------------------------------------------------------------

WIDE = 300 + 3700 * np.linspace(0, 1, 1600) ** 0.95


def test_wide_uneven_axis_meets_the_network_on_its_own_axis(tiny_resunet):
    cube = band_cube(axis=WIDE, noise=0.1)

    result = nd.denoise(cube, method="resunet", model=tiny_resunet)

    # the network on a cube that has its axis already
    moved = resample.resample(cube.intensity, WIDE, MODEL_AXIS)
    on_axis = nd.denoise(nd.RamanCube(moved, MODEL_AXIS), method="resunet", model=tiny_resunet)
    expected = resample.resample(on_axis.intensity, MODEL_AXIS, WIDE)
    inner = (WIDE > 650) & (WIDE < 1750)
    np.testing.assert_allclose(result.intensity[..., inner], expected[..., inner], atol=1e-4)
    np.testing.assert_array_equal(result.wavenumber, WIDE)


def test_channels_outside_the_network_are_wavelet_shrunk_with_no_step(tiny_resunet):
    cube = band_cube(axis=WIDE, noise=0.1)
    result = nd.denoise(cube, method="resunet", model=tiny_resunet).spectra
    wavelet = nd.denoise(cube, method="wavelet").spectra

    outside = (WIDE < 590) | (WIDE > 1810)
    np.testing.assert_allclose(result[:, outside], wavelet[:, outside], atol=1e-5)
    # over the hand-over the result goes from one to the other in small steps
    change = np.abs(result - wavelet)
    inside = np.flatnonzero(~outside)
    edge = inside[0]
    assert change[:, edge : edge + 4].mean() < change[:, edge + 12 : edge + 40].mean()


def test_cube_narrower_than_the_network_works(tiny_resunet):
    cube = band_cube(axis=np.linspace(900, 1500, 80))

    result = nd.denoise(cube, method="resunet", model=tiny_resunet)

    assert np.isfinite(result.intensity).all()


def test_hardly_overlapping_axis_is_refused_with_both_ranges(tiny_resunet):
    cube = band_cube(axis=np.linspace(1700, 3200, 300))

    with pytest.raises(AxisError, match=r"1700-3200 cm-1.*600-1800 cm-1"):
        nd.denoise(cube, method="resunet", model=tiny_resunet)


def test_too_few_channels_for_the_network_are_refused(tiny_resunet):
    with pytest.raises(AxisError, match="Only 20 channels"):
        nd.denoise(band_cube(axis=np.linspace(600, 1800, 20)), method="resunet", model=tiny_resunet)


def test_auto_does_without_a_network_that_does_not_fit():
    cube = band_cube(axis=np.linspace(2700, 3200, 300))

    step = nd.denoise(cube).provenance[-1]

    assert step.params["network_share"] == 0
    assert any("without the spectral network" in note for note in step.notes)


# ---- odd cubes
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@settings(
    deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from([(1, 1), (1, 6), (5, 1), (3, 4)]), st.sampled_from([32, 33, 100, 161]))
def test_any_shape_works(method, tiny_resunet, shape, n_channels):
    cube = band_cube(shape=shape, axis=np.linspace(600, 1800, n_channels))

    result = nd.denoise(cube, method=method, model=tiny_resunet)

    assert result.shape == cube.shape
    assert np.isfinite(result.intensity).all()


@pytest.mark.parametrize("method", METHODS)
def test_five_thousand_channels(method, tiny_resunet):
    cube = band_cube(shape=(2, 3), axis=np.linspace(100, 4100, 5000))

    assert nd.denoise(cube, method=method, model=tiny_resunet).shape == (2, 3, 5000)


@pytest.mark.parametrize("method", METHODS)
def test_spectra_that_do_not_vary_are_left_as_they_are(method, tiny_resunet):
    cube = band_cube()
    intensity = cube.intensity.copy()
    intensity[0, 0], intensity[2, 3] = 0.0, 1.25
    cube = nd.RamanCube(intensity, cube.wavenumber)

    result = nd.denoise(cube, method=method, model=tiny_resunet)

    np.testing.assert_array_equal(result.intensity[0, 0], 0)
    np.testing.assert_array_equal(result.intensity[2, 3], np.float32(1.25))
    assert any("2 spectra do not vary" in note for note in result.provenance[-1].notes)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinity_are_refused_with_their_place(value):
    intensity = band_cube().intensity.copy()
    intensity[3, 4, 5] = value

    with pytest.raises(CubeError, match="y=3, x=4"):
        nd.denoise(nd.RamanCube(intensity, MODEL_AXIS))


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_a_cube_without_signal_is_refused(value):
    with pytest.raises(CubeError, match="no signal"):
        nd.denoise(nd.RamanCube(np.full((3, 3, 100), value), MODEL_AXIS))


def test_one_channel_is_refused_with_the_reason():
    with pytest.raises(CubeError, match="1 channel; denoising compares"):
        nd.denoise(nd.RamanCube(np.ones((3, 3, 1)), [1450.0]))


# ---- space
# --------------------------------------------------------------------------------------------------


def smooth_map(size=(24, 30), noise=0.3, seed=0):
    """Return a clean map of discs and the same with noise."""
    rng = np.random.default_rng(seed)
    axis = np.linspace(600, 1800, 120)
    y, x = np.mgrid[: size[0], : size[1]]
    centers = rng.uniform(0, 1, (4, 2)) * size
    discs = np.stack([np.hypot(y - cy, x - cx) < 6 for cy, cx in centers], axis=-1)
    parts = np.exp(-((axis - rng.uniform(700, 1700, (4, 1))) ** 2) / 2 / 30**2)
    clean = (0.2 + discs @ parts).astype(np.float32)
    noisy = clean + rng.normal(0, noise, clean.shape).astype(np.float32)
    return clean, nd.RamanCube(noisy, axis)


def test_auto_gains_from_where_the_pixels_lie():
    clean, cube = smooth_map()
    order = np.random.default_rng(1).permutation(clean.shape[0] * clean.shape[1])
    shuffled = nd.RamanCube(cube.spectra[order].reshape(cube.shape), cube.wavenumber)

    in_place = metrics.mse(nd.denoise(cube).intensity, clean)
    result = nd.denoise(shuffled).spectra
    elsewhere = metrics.mse(result, clean.reshape(result.shape)[order])

    assert in_place < 0.7 * elsewhere


@pytest.mark.parametrize("turn", [np.flipud, np.fliplr, lambda a: np.swapaxes(a, 0, 1)])
def test_a_turned_map_gives_about_the_turned_result(turn):
    clean, cube = smooth_map()
    straight = nd.denoise(cube).intensity
    turned = nd.denoise(nd.RamanCube(np.ascontiguousarray(turn(cube.intensity)), cube.wavenumber))

    error = metrics.mse(straight, clean)
    assert metrics.mse(turned.intensity, turn(clean)) == pytest.approx(error, rel=0.25)


def test_flat_pixels_leave_their_neighbors_as_good_as_they_are():
    clean, cube = smooth_map()
    whole = nd.denoise(cube).intensity
    holes = np.random.default_rng(2).random(clean.shape[:2]) < 0.1
    intensity = cube.intensity.copy()
    intensity[holes] = 0

    step = nd.denoise(nd.RamanCube(intensity, cube.wavenumber))

    assert (step.intensity[holes] == 0).all()
    assert step.provenance[-1].params["eigenimage_checkpoint"] == "eigenimage"
    error = metrics.mse(step.intensity[~holes], clean[~holes])
    assert error < 1.5 * metrics.mse(whole[~holes], clean[~holes])


@pytest.mark.parametrize("size", [(1, 40), (40, 1), (11, 30), (1, 1)])
def test_maps_with_little_space_do_without_it(size):
    _, cube = smooth_map(size)

    step = nd.denoise(cube).provenance[-1]

    assert "eigenimage_checkpoint" not in step.params
    assert any("at least 12 x 12" in note for note in step.notes)


def test_a_huge_map_goes_through_in_strips_with_the_same_result(monkeypatch):
    from napari_deeper.engine import eigenimages

    _, cube = smooth_map((64, 13))
    whole = nd.denoise(cube).intensity
    monkeypatch.setattr(eigenimages, "_STRIP_PIXELS", 20 * 13)

    np.testing.assert_allclose(nd.denoise(cube).intensity, whole, atol=1e-4)


def test_auto_works_without_the_eigenimage_weights(monkeypatch):
    from napari_deeper.engine import auto

    def missing(alive, device, model, precision):
        raise CheckpointError("No weights named eigenimage are shipped.")

    monkeypatch.setattr(auto, "open_cleaner", missing)
    step = nd.denoise(smooth_map()[1]).provenance[-1]

    assert any("No weights named eigenimage" in note for note in step.notes)


def test_cancel_acts_between_eigenimages():
    cancel = threading.Event()
    images = []

    def on_report(fraction, text):
        if "eigenimage" in text:
            images.append(text)
            cancel.set()

    with pytest.raises(Cancelled):
        nd.denoise(smooth_map()[1], progress=nd.Progress(on_report, cancel))

    assert len(images) == 1


# ---- settings
# ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "text"),
    [
        ({"method": "magic"}, "must be one of: auto"),
        ({"window": 8, "method": "savgol"}, "must be odd"),
        ({"window": 3, "method": "savgol"}, "larger than polyorder"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"colour": "red"}, "Unknown setting 'colour'"),
        ({"device": "tpu"}, "must be one of: auto"),
    ],
)
def test_wrong_settings_are_named(bad, text):
    with pytest.raises(ParameterError, match=text):
        nd.denoise(band_cube(), **bad)


def test_missing_and_wrong_weights_are_refused(tiny_hyrisr):
    with pytest.raises(CheckpointError, match=r"no weights file .*nowhere\.pt"):
        nd.denoise(band_cube(), method="resunet", model="/nowhere.pt")
    with pytest.raises(CheckpointError, match="a resunet is needed"):
        nd.denoise(band_cube(), method="resunet", model=tiny_hyrisr(2))
    with pytest.raises(CheckpointError):
        nd.denoise(band_cube(), method="auto", model="/nowhere.pt")


# ---- progress
# ---------------------------------------------------------------------------------------------------


def test_progress_rises_to_one(tiny_resunet):
    seen = []
    progress = nd.Progress(lambda fraction, text: seen.append(fraction))

    nd.denoise(band_cube(), method="resunet", model=tiny_resunet, batch_size=16, progress=progress)

    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert len(seen) >= 72 // 16


def test_cancel_acts_within_one_batch(tiny_resunet):
    cancel = threading.Event()
    batches = []

    def on_report(fraction, text):
        if "spectrum" in text:
            batches.append(text)
            cancel.set()

    with pytest.raises(Cancelled):
        nd.denoise(
            band_cube(),
            method="resunet",
            model=tiny_resunet,
            batch_size=8,
            progress=nd.Progress(on_report, cancel),
        )

    assert len(batches) == 1


# ---- measured
# ---------------------------------------------------------------------------------------------------

DATA = Path(__file__).parents[2].parent / "shared" / "data"


@pytest.mark.parametrize("kind", ["white", "shot"])
def test_auto_is_closest_to_a_measured_cell(kind):
    found = list(DATA.glob("thp1/*.mat"))
    if not found:
        pytest.skip("the measured THP-1 cell is not here (shared/data/thp1)")
    cell = nd.read(found[0])
    rng = np.random.default_rng(0)
    sigma = 0.2 * np.percentile(cell.intensity.max(axis=2), 95)
    noisy = cell.intensity + rng.normal(0, sigma, cell.shape)
    if kind == "shot":
        signal = np.maximum(cell.intensity, 0)
        gain = sigma**2 / signal.mean()
        noisy = cell.intensity - signal + gain * rng.poisson(signal / gain)
    cube = nd.RamanCube(noisy, cell.wavenumber)

    excess = {
        method: metrics.excess_mse(nd.denoise(cube, method=method).intensity, cell.intensity)
        for method in ("auto", "low-rank", "pca", "savgol", "wavelet")
    }

    others = [value for method, value in excess.items() if method != "auto"]
    assert excess["auto"] < min(others)
