import numpy as np
import pytest
import pywt
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_deeper.processing import metrics, smoothing


def noisy_bands(n_pixels=30, n_channels=300, sigma=0.1, seed=0):
    rng = np.random.default_rng(seed)
    axis = np.arange(n_channels)
    centers, widths = rng.uniform(20, n_channels - 20, 6), rng.uniform(4, 12, 6)
    shapes = np.exp(-((axis - centers[:, None]) ** 2) / 2 / widths[:, None] ** 2)
    clean = (rng.random((n_pixels, 6)) @ shapes).astype(np.float32)
    return clean, (clean + rng.normal(0, sigma, clean.shape)).astype(np.float32)


def test_savgol_is_a_polynomial_fit_in_each_window():
    _, noisy = noisy_bands(n_pixels=2)
    result = smoothing.savgol(noisy, window=9, polyorder=3)

    for place in (4, 57, 200):
        window = np.arange(-4, 5)
        fit = np.polynomial.Polynomial.fit(window, noisy[1, place + window].astype(float), 3)
        assert result[1, place] == pytest.approx(fit(0), abs=1e-5)


@pytest.mark.parametrize("sigma", [0.02, 0.1, 0.3])
def test_automatic_savgol_is_near_the_best_that_the_truth_would_choose(sigma):
    clean, noisy = noisy_bands(sigma=sigma)
    errors = [
        metrics.mse(smoothing.savgol(noisy, window, order), clean)
        for order in (0, 2, 4)
        for window in range(5, 33, 2)
        if window > order + 1
    ]

    automatic = metrics.mse(smoothing.savgol(noisy), clean)

    assert automatic <= 1.1 * min(errors)


def test_savgol_cuts_a_window_that_is_longer_than_the_spectrum():
    spectra = np.random.default_rng(0).normal(size=(2, 10)).astype(np.float32)

    assert smoothing.savgol(spectra, 51, 3).shape == (2, 10)
    np.testing.assert_array_equal(smoothing.savgol(spectra[:, :3], 9, 3), spectra[:, :3])


def test_wavelet_without_shifts_is_bayes_shrink():
    _, noisy = noisy_bands(n_pixels=1, n_channels=256)
    sigma = 0.1
    coefficients = pywt.wavedec(noisy[0].astype(float), "sym5", mode="symmetric", level=4)
    expected = [coefficients[0]]
    for detail in coefficients[1:]:
        signal = np.sqrt(max(np.mean(detail**2) - sigma**2, 0))
        threshold = sigma**2 / signal if signal > 0 else np.inf
        kept = [np.sign(d) * max(abs(d) - threshold, 0.0) for d in detail]
        expected.append(np.array(kept))

    result = smoothing.wavelet(noisy, sigma=sigma, n_shifts=1)

    reference = pywt.waverec(expected, "sym5", mode="symmetric")
    np.testing.assert_allclose(result[0], reference, atol=1e-5)


@pytest.mark.parametrize("method", [smoothing.savgol, smoothing.wavelet])
@pytest.mark.parametrize("sigma", [0.05, 0.2])
def test_noise_falls_by_more_than_half(method, sigma):
    clean, noisy = noisy_bands(sigma=sigma)

    assert metrics.mse(method(noisy), clean) < 0.5 * metrics.mse(noisy, clean)


def test_a_spectrum_without_noise_survives():
    clean, _ = noisy_bands()

    assert metrics.mse(smoothing.wavelet(clean, sigma=0.0), clean) < 1e-10


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 5), st.integers(1, 70), st.floats(1e-3, 1e3))
def test_shape_kept_and_scale_followed(n_pixels, n_channels, scale):
    rng = np.random.default_rng(n_channels)
    spectra = rng.normal(size=(n_pixels, n_channels)).astype(np.float32)
    scaled = spectra * np.float32(scale)
    for method in (smoothing.savgol, smoothing.wavelet):
        result = method(spectra)
        assert result.shape == spectra.shape
        assert result.dtype == np.float32
        np.testing.assert_allclose(method(scaled) / scale, result, atol=1e-3)
