import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from napari_deeper.processing import metrics


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    target = rng.random((12, 14, 9)).astype(np.float32)
    return (target + rng.normal(0, 0.1, target.shape)).astype(np.float32), target


def test_mse_and_psnr_agree_with_scikit_image(pair):
    result, target = pair

    assert metrics.mse(result, target) == pytest.approx(np.mean((result - target) ** 2))
    expected = peak_signal_noise_ratio(target, result, data_range=2.0)
    assert metrics.psnr(result, target, 2.0) == pytest.approx(expected)
    assert metrics.psnr(target, target, 1.0) == np.inf


def test_psnr_known_value():
    target = np.zeros((2, 2))

    assert metrics.psnr(target + 0.1, target, data_range=1.0) == pytest.approx(20.0)


def test_ssim_over_planes_and_over_the_cube(pair):
    result, target = pair
    planes = [
        structural_similarity(target[..., i], result[..., i], data_range=1.0) for i in range(9)
    ]

    assert metrics.ssim(result, target, 1.0) == pytest.approx(np.mean(planes))
    whole = structural_similarity(target, result, data_range=1.0)
    assert metrics.ssim(result, target, 1.0, over="cube") == pytest.approx(whole)
    assert metrics.ssim(target, target, 1.0) == pytest.approx(1.0)


def test_ssim_of_small_images_uses_a_smaller_window(pair):
    result, target = (a[:4, :4] for a in pair)

    assert 0 < metrics.ssim(result, target, 1.0) < 1
    with pytest.raises(ValueError, match="3 pixels"):
        metrics.ssim(result[:2], target[:2], 1.0)


def test_spectral_angle_known_angles():
    a = np.array([[1.0, 0], [1, 0], [1, 1], [0, 0], [0, 0]])
    b = np.array([[2.0, 0], [0, 3], [1, 0], [1, 0], [0, 0]])

    angles = metrics.spectral_angle(a, b)

    np.testing.assert_allclose(angles, [0, np.pi / 2, np.pi / 4, np.pi / 2, 0], atol=1e-7)


def test_excess_mse_does_not_count_the_noise_of_the_reference():
    rng = np.random.default_rng(1)
    axis = np.arange(400)
    truth = np.exp(-((axis - 200) ** 2) / 2 / 20**2) * rng.random((300, 1))
    measured = truth + rng.normal(0, 0.2, truth.shape)
    wrong = truth + 0.1

    assert metrics.excess_mse(truth, measured) == pytest.approx(0, abs=1e-3)
    assert metrics.excess_mse(wrong, measured) == pytest.approx(0.01, abs=1e-3)


def test_published_variants_are_what_the_published_code_computes(pair):
    result, target = pair
    error = np.mean((result - target) ** 2)

    expected = 10 * np.log10(result.max() / error)
    assert metrics.psnr_as_published(result, target) == pytest.approx(expected, rel=1e-5)
    data_range = float(result.max()) - float(target.max())
    similarity = structural_similarity(target, result, data_range=data_range)
    assert metrics.ssim_as_published(result, target) == pytest.approx(similarity)


def test_shapes_must_agree(pair):
    result, target = pair
    for metric in (metrics.mse, metrics.excess_mse, metrics.spectral_angle):
        with pytest.raises(ValueError, match="shapes differ"):
            metric(result[1:], target)


def test_spectrum_ssim_is_skimages_in_one_dimension():
    from skimage.metrics import structural_similarity

    rng = np.random.default_rng(8)
    a, b = rng.random((2, 3, 4, 30))
    found = metrics.spectrum_ssim(a, b, 1.0)
    assert found.shape == (3, 4)
    by_hand = structural_similarity(b[1, 2], a[1, 2], data_range=1.0, win_size=7)
    # skimage leaves out the windows that reach over the ends, as this does
    assert found[1, 2] == pytest.approx(by_hand, rel=1e-9)
    np.testing.assert_allclose(metrics.spectrum_ssim(a, a, 1.0), 1)
    with pytest.raises(ValueError, match="needs 3"):
        metrics.spectrum_ssim(a[..., :2], b[..., :2], 1.0)
