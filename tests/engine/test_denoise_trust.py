import numpy as np
import pytest
from engine_cubes import band_cube

import napari_deeper as nd
from napari_deeper.engine import trust

AXIS = np.linspace(600, 1800, 240)


def discs(size=(24, 26), noise=0.2, seed=0):
    """Return a clean map of discs of four components, and the same with noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: size[0], : size[1]]
    centers = rng.uniform(0, 1, (4, 2)) * size
    places = np.stack([np.hypot(y - cy, x - cx) < 6 for cy, cx in centers], axis=-1)
    parts = np.exp(-((AXIS - rng.uniform(700, 1700, (4, 1))) ** 2) / 2 / 30**2)
    clean = (0.3 + places @ parts).astype(np.float32)
    return clean, clean + rng.normal(0, noise, clean.shape).astype(np.float32)


@pytest.mark.parametrize("kind", ["white", "shot"])
def test_two_thirds_of_the_errors_lie_within_one_sigma(kind):
    clean, noisy = discs()
    if kind == "shot":
        noisy = np.random.default_rng(1).poisson(clean * 20) / 20

    result = nd.denoise(nd.RamanCube(noisy, AXIS))

    error = np.abs(result.intensity - clean)
    assert 0.6 < np.mean(error < result.uncertainty) < 0.93
    assert np.mean(error < 3 * result.uncertainty) > 0.97


@pytest.mark.parametrize("size", [(1, 1), (1, 30), (6, 7)])
def test_small_maps_have_an_uncertainty_too(size):
    clean, noisy = discs(size)

    result = nd.denoise(nd.RamanCube(noisy, AXIS))

    error = np.abs(result.intensity - clean)
    assert 0.4 < np.mean(error < result.uncertainty) < 0.99
    assert result.flagged.shape == size


@pytest.mark.parametrize("size", [(8, 8), (24, 24)])
def test_noise_stays_flat(size):
    rng = np.random.default_rng(3)
    noisy = 5 + rng.normal(size=(*size, 240))

    result = nd.denoise(nd.RamanCube(noisy, AXIS))

    features = np.abs(result.intensity - result.intensity.mean(axis=2, keepdims=True))
    assert np.mean((features > 3 * result.uncertainty).any(axis=2)) <= 0.01
    assert result.provenance[-1].params["n_bands_restored"] == 0


def test_a_narrow_band_of_one_pixel_survives():
    clean, noisy = discs()
    band = np.exp(-((AXIS - 1100) ** 2) / 2 / (14 / 2.355) ** 2)
    noisy[5, 20] += 2.0 * band

    result = nd.denoise(nd.RamanCube(noisy, AXIS))

    height = (result.intensity[5, 20] - clean[5, 20])[band.argmax()]
    assert height > 0.8 * 2.0
    step = result.provenance[-1]
    assert step.params["n_bands_restored"] >= 1
    assert any("given back" in note for note in step.notes)


@pytest.mark.parametrize("height", [3, 3000])
def test_a_cosmic_ray_is_flagged_and_not_kept(height):
    clean, noisy = discs()
    noisy[4, 7, 50] += height

    result = nd.denoise(nd.RamanCube(noisy, AXIS))

    assert result.flagged[4, 7]
    assert abs(result.intensity[4, 7, 50] - clean[4, 7, 50]) < 0.5
    step = result.provenance[-1]
    assert step.params["n_pixels_spiked"] == 1
    assert step.params["n_pixels_flagged"] == result.flagged.sum() < 8
    assert any("flagged" in note and "cosmic ray" in note for note in step.notes)


def test_trust_has_the_scale_of_the_map_and_skips_flat_pixels():
    _, noisy = discs()
    noisy[2, 3] = 0
    once = nd.denoise(nd.RamanCube(noisy, AXIS))
    again = nd.denoise(nd.RamanCube(1000 * noisy, AXIS))

    np.testing.assert_allclose(again.uncertainty, 1000 * once.uncertainty, rtol=1e-2)
    assert (once.uncertainty[2, 3] == 0).all() and not once.flagged[2, 3]


def test_uncertainty_is_left_out_where_memory_is_short(monkeypatch):
    monkeypatch.setattr(trust, "MAX_BYTES", 1000)

    result = nd.denoise(nd.RamanCube(discs()[1], AXIS))

    assert result.uncertainty is None
    assert result.flagged is not None
    assert any("uncertainty was left out" in note for note in result.provenance[-1].notes)


def test_a_map_without_noise_is_not_checked():
    intensity = np.repeat(np.linspace(0, 1, 40), 240).reshape(5, 8, 240)
    intensity = intensity * np.linspace(1, 2, 240)

    result = nd.denoise(nd.RamanCube(intensity, AXIS))

    np.testing.assert_allclose(result.intensity, intensity, atol=0.02)


@pytest.mark.parametrize("method", ["low-rank", "pca", "savgol", "wavelet"])
def test_other_methods_claim_nothing(method):
    result = nd.denoise(band_cube(), method=method)

    assert result.uncertainty is None and result.flagged is None
