import numpy as np
import pytest

from napari_deeper.processing import noise


@pytest.fixture
def bands():
    """Forty spectra of sharp bands, maximum near 1, 400 channels of 3 cm-1."""
    axis = np.linspace(600, 1800, 400)
    rng = np.random.default_rng(0)
    centers = rng.uniform(650, 1750, 8)
    shapes = np.exp(-((axis - centers[:, None]) ** 2) / 2 / 8**2)
    return (rng.random((40, 8)) @ shapes).astype(np.float32)


@pytest.mark.parametrize("sigma", [0.02, 0.1, 1.0])
def test_estimates_find_the_noise_under_sharp_bands(bands, sigma):
    noisy = bands + np.random.default_rng(1).normal(0, sigma, bands.shape).astype(np.float32)

    assert noise.sigma_per_map(noisy) == pytest.approx(sigma, rel=0.15)
    assert noise.sigma_per_pixel(noisy).mean() == pytest.approx(sigma, rel=0.15)
    assert noise.sigma_per_channel(noisy).mean() == pytest.approx(sigma, rel=0.15)


def test_noise_per_pixel_and_channel_follow_where_the_noise_is(bands):
    rng = np.random.default_rng(2)
    sigma = np.ones(bands.shape)
    sigma[20:] *= 3
    sigma[:, 200:] *= 2
    noisy = (bands + 0.1 * sigma * rng.normal(size=bands.shape)).astype(np.float32)

    per_pixel, per_channel = noise.sigma_per_pixel(noisy), noise.sigma_per_channel(noisy)

    assert per_pixel[20:].mean() / per_pixel[:20].mean() == pytest.approx(3, rel=0.1)
    assert per_channel[210:].mean() / per_channel[:190].mean() == pytest.approx(2, rel=0.1)


def test_shapes_and_types():
    cube = np.random.default_rng(0).normal(size=(3, 4, 50)).astype(np.float32)

    assert noise.sigma_per_pixel(cube).shape == (3, 4)
    assert noise.sigma_per_channel(cube).shape == (50,)
    assert noise.snr_per_pixel(cube).shape == (3, 4)
    assert noise.sigma_per_pixel(cube).dtype == np.float32


@pytest.mark.parametrize("n_channels", [1, 2])
def test_too_few_channels_hold_no_estimate(n_channels):
    spectra = np.arange(6, dtype=np.float32)[:, None].repeat(n_channels, axis=1)

    assert not noise.sigma_per_pixel(spectra).any()
    assert not noise.sigma_per_channel(spectra).any()
    assert noise.snr_per_pixel(spectra).shape == (6,)


def test_snr_rises_with_the_band_and_is_low_for_noise():
    rng = np.random.default_rng(3)
    axis = np.arange(500)
    band = np.exp(-((axis - 250) ** 2) / 2 / 6**2)
    noisy = rng.normal(0, 0.1, (3, 500)) + np.array([[0], [1], [5]]) * band

    low, middle, high = noise.snr_per_pixel(noisy.astype(np.float32))

    assert low < 2
    assert middle == pytest.approx(10, rel=0.3)
    assert high == pytest.approx(50, rel=0.3)
