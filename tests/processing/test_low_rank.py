import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_deeper.processing import low_rank, metrics, noise, shot_noise, smoothing


def mixture(n_pixels, n_channels, n_parts=4, seed=0):
    rng = np.random.default_rng(seed)
    axis = np.arange(n_channels)
    centers = rng.uniform(0, n_channels, (n_parts, 5, 1))
    spectra = np.exp(-((axis - centers) ** 2) / 2 / (n_channels / 60) ** 2).sum(axis=1)
    return (rng.random((n_pixels, n_parts)) @ spectra).astype(np.float32)


def add_noise(clean, sigma, seed=1):
    noise_ = np.random.default_rng(seed).normal(0, sigma, clean.shape)
    return (clean + noise_).astype(np.float32)


def reference_shrinkage(spectra, sigma):
    """Shrink as the paper writes it: full decomposition, one singular value at a time."""
    mean = spectra.mean(axis=0)
    u, values, v = np.linalg.svd(spectra.astype(float) - mean, full_matrices=False)
    n_rows, n_columns = spectra.shape[0] - 1, spectra.shape[1]
    short, long = min(n_rows, n_columns), max(n_rows, n_columns)
    beta = short / long
    result = np.tile(mean.astype(float), (len(spectra), 1))
    for k, value in enumerate(values):
        y = value / (sigma * np.sqrt(long))
        if y > 1 + np.sqrt(beta):
            shrunk = np.sqrt((y**2 - beta - 1) ** 2 - 4 * beta) / y
            result += shrunk * sigma * np.sqrt(long) * np.outer(u[:, k], v[k])
    return result


@pytest.mark.parametrize(("n_pixels", "n_channels"), [(120, 40), (40, 120), (60, 60), (5, 90)])
def test_shrink_is_the_formula_of_the_paper(n_pixels, n_channels):
    noisy = add_noise(mixture(n_pixels, n_channels), 0.1)

    result = low_rank.shrink(noisy, sigma=0.1)

    np.testing.assert_allclose(result, reference_shrinkage(noisy, 0.1), atol=2e-5)
    assert result.dtype == np.float32


@pytest.mark.parametrize(("n_pixels", "n_channels"), [(120, 40), (40, 120)])
def test_pca_is_the_truncated_decomposition(n_pixels, n_channels):
    noisy = add_noise(mixture(n_pixels, n_channels), 0.1)
    mean = noisy.mean(axis=0)
    u, values, v = np.linalg.svd(noisy - mean, full_matrices=False)

    result = low_rank.pca(noisy, n_components=3)

    np.testing.assert_allclose(result, (u[:, :3] * values[:3]) @ v[:3] + mean, atol=1e-5)


@pytest.mark.parametrize("sigma", [0.05, 0.2])
def test_shrinkage_beats_pca_of_every_rank_and_smoothed_components_beat_it(sigma):
    clean = mixture(400, 300)
    noisy = add_noise(clean, sigma)
    ranks = [metrics.mse(low_rank.pca(noisy, k), clean) for k in range(1, 9)]
    plain = metrics.mse(low_rank.shrink(noisy), clean)

    assert plain < 1.01 * min(ranks)
    assert metrics.mse(low_rank.shrink_smooth(noisy), clean) < plain


def test_components_that_stand_out_are_counted():
    clean = mixture(400, 300, n_parts=5)

    assert low_rank.count_components(add_noise(clean, 0.02)) == 5
    pure_noise = np.random.default_rng(0).normal(size=(400, 300)).astype(np.float32)
    assert low_rank.count_components(pure_noise) == 1


@pytest.mark.parametrize("sigma", [0.0, 0.01, 0.1, 1.0])
def test_noise_level_is_not_fooled_by_sharp_bands(sigma):
    noisy = add_noise(mixture(300, 120), sigma)

    assert low_rank.noise_level(noisy) == pytest.approx(sigma, rel=0.03, abs=1e-4)


def test_noise_level_of_shot_noise_is_its_mean_square():
    clean = mixture(400, 300)
    counts = np.random.default_rng(0).poisson(clean * 2).astype(np.float32)
    expected = np.sqrt((clean * 2).mean())

    assert low_rank.noise_level(counts) == pytest.approx(expected, rel=0.1)
    # what the median would say, for the difference to be seen
    assert noise.sigma_per_map(counts) < 0.8 * expected


def test_one_pixel_is_smoothed_by_wavelets_or_left():
    spectrum = add_noise(mixture(1, 200), 0.1)

    np.testing.assert_allclose(low_rank.shrink(spectrum), spectrum, atol=1e-6)
    expected = smoothing.wavelet(spectrum)
    np.testing.assert_allclose(low_rank.shrink_smooth(spectrum), expected, atol=1e-5)


def test_a_map_without_noise_is_returned():
    clean = mixture(80, 100)

    np.testing.assert_allclose(low_rank.shrink(clean), clean, atol=1e-4)


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 20), st.integers(1, 40))
def test_any_shape_works_and_stays_finite(n_pixels, n_channels):
    spectra = np.random.default_rng(0).normal(size=(n_pixels, n_channels)).astype(np.float32)
    for method in (low_rank.shrink, low_rank.shrink_smooth, low_rank.pca):
        result = method(spectra)
        assert result.shape == spectra.shape
        assert np.isfinite(result).all()


def test_shot_noise_is_told_from_uniform_noise():
    clean = mixture(400, 300) * 20
    shot = np.random.default_rng(0).poisson(clean).astype(np.float32)

    uniform, rising = shot_noise.estimate(add_noise(clean, 2.0)), shot_noise.estimate(shot)

    assert uniform.uniform
    assert uniform.photons == np.inf
    assert not rising.uniform
    assert rising.photons == pytest.approx(clean.mean(), rel=0.25)
    expected = np.sqrt(clean.mean())
    assert (rising.row * rising.column).mean() == pytest.approx(expected, rel=0.15)


def test_allowing_for_shot_noise_beats_taking_it_for_uniform():
    rng = np.random.default_rng(3)
    # a cell on an empty background, a few photons where it is
    bright = np.where(np.arange(900) % 30 < 10, 1.0, 0.02)[:, None]
    clean = (bright * mixture(900, 200) * 3).astype(np.float32)
    shot = rng.poisson(clean).astype(np.float32)

    allowed = shot_noise.estimate(shot).shrink(shot)

    assert metrics.mse(allowed, clean) < 0.7 * metrics.mse(low_rank.shrink_smooth(shot), clean)


@pytest.mark.parametrize(("n_pixels", "n_channels"), [(900, 150), (150, 900)])
@pytest.mark.parametrize("strength", [0.05, 0.5])
def test_scores_are_handed_over_with_noise_of_variance_one(n_pixels, n_channels, strength):
    rng = np.random.default_rng(3)
    truth = rng.standard_normal(n_pixels)
    truth -= truth.mean()
    shape = np.sin(np.arange(n_channels) / 9)
    clean = (strength * np.outer(truth, shape)).astype(np.float32)
    handed = []

    def without_noise(scores):
        # Least squares on the truth: all that a perfect denoiser could keep of them.
        handed.append(scores)
        along = scores @ truth / (truth @ truth)
        return (along[:, None] * truth).astype(np.float32)

    result = low_rank.shrink_smooth(add_noise(clean, 0.3), 0.3, without_noise)

    (scores,) = handed
    left = scores - (scores @ truth / (truth @ truth))[:, None] * truth
    assert scores.shape[1] == n_pixels and scores.dtype == np.float32
    assert left[0].std() == pytest.approx(1, abs=0.1)
    plain = metrics.mse(low_rank.shrink_smooth(add_noise(clean, 0.3), 0.3), clean)
    assert metrics.mse(result, clean) < plain


def test_without_noise_the_scores_are_not_touched():
    clean = mixture(90, 60)

    def never(scores):
        raise AssertionError("nothing to clean")

    np.testing.assert_allclose(low_rank.shrink_smooth(clean, 0.0, never), clean, atol=1e-4)
