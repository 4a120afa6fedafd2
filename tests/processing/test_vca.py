import numpy as np
import pytest

from napari_deeper.processing.vca import find_endmembers, snr_decibels, vca
from napari_deeper.spectra.errors import CubeError, ParameterError


def simplex(n_endmembers=4, n_pixels=300, noise=0.0, seed=0):
    """Mixtures, none purer than 0.8, after one pure pixel of each endmember."""
    rng = np.random.default_rng(seed)
    axis = np.linspace(0, 1, 80)
    centers = rng.uniform(0.1, 0.9, (n_endmembers, 3, 1))
    endmembers = np.exp(-(((axis - centers) / 0.05) ** 2)).sum(axis=1) + 0.2
    amounts = 0.8 * rng.dirichlet(np.ones(n_endmembers), n_pixels) + 0.2 / n_endmembers
    amounts = np.concatenate([np.eye(n_endmembers), amounts])
    spectra = amounts @ endmembers
    return spectra + rng.normal(0, noise, spectra.shape), endmembers


@pytest.mark.parametrize("seed", range(5))
def test_pure_pixels_are_found_exactly_without_noise(seed):
    spectra, endmembers = simplex()
    found = vca(spectra, 4, seed)
    assert sorted(found.pixels) == [0, 1, 2, 3]
    np.testing.assert_allclose(found.spectra, endmembers[found.pixels], atol=1e-5)
    assert found.residual < 1e-6


@pytest.mark.parametrize("seed", range(5))
def test_brightness_does_not_hide_the_pure_pixels(seed):
    spectra, _ = simplex()
    bright = spectra * np.random.default_rng(seed).uniform(0.3, 3, (len(spectra), 1))
    assert sorted(vca(bright, 4, seed).pixels) == [0, 1, 2, 3]


@pytest.mark.parametrize(("noise", "projective"), [(0.01, True), (0.2, False)])
def test_both_branches_of_the_snr_rule_give_less_noisy_endmembers(noise, projective):
    spectra, endmembers = simplex(noise=noise, seed=2)
    assert (snr_decibels(spectra, 4) > 15 + 10 * np.log10(4)) == projective
    # where pixels are this noisy, none is found for certain: the best of many is
    found = find_endmembers(spectra, 4)
    clean, _ = simplex(noise=0.0, seed=2)
    truth = clean[found.pixels]
    before = np.mean((spectra[found.pixels] - truth) ** 2)
    assert np.mean((found.spectra - truth) ** 2) < 0.3 * before
    if projective:
        assert sorted(found.pixels) == [0, 1, 2, 3]
        np.testing.assert_allclose(found.spectra, endmembers[found.pixels], atol=0.03)


def test_the_snr_is_that_of_the_signal():
    spectra, _ = simplex(n_pixels=4000, noise=0.1, seed=1)
    clean, _ = simplex(n_pixels=4000, noise=0.0, seed=1)
    expected = 10 * np.log10(np.mean(clean**2) / 0.1**2)
    assert snr_decibels(spectra, 4) == pytest.approx(expected, abs=0.2)
    assert snr_decibels(clean, 4) == np.inf


def test_the_best_of_many_draws_explains_most_and_is_stable():
    # three of six corners: which ones depends on the draw
    spectra, _ = simplex(6, noise=0.02, seed=6)
    single = [vca(spectra, 3, seed).residual for seed in range(8)]
    best = find_endmembers(spectra, 3, seed=0, n_draws=8)
    assert best.residual == min(single) < max(single)
    again = find_endmembers(spectra, 3, seed=0, n_draws=8)
    np.testing.assert_array_equal(again.spectra, best.spectra)


def test_one_endmember_and_dark_pixels():
    spectra, _ = simplex(noise=0.001)
    dark = np.concatenate([spectra, np.random.default_rng(0).normal(0, 1e-4, (50, 80))])
    assert vca(dark, 4).pixels.max() < len(spectra)
    assert vca(spectra, 1).spectra.shape == (1, 80)


@pytest.mark.parametrize(
    ("spectra", "n", "error", "text"),
    [
        (np.ones((3, 9)), 4, ParameterError, "3 pixels of 9 channels"),
        (np.ones((9, 3)), 4, ParameterError, "from 1 to 3"),
        (np.ones((9, 3)), 0, ParameterError, "n_endmembers is 0"),
        (np.ones((9, 5)), 2, CubeError, "2 independent spectra"),
        (np.zeros((9, 5)), 1, CubeError, "all zero"),
        (np.full((9, 5), np.nan), 1, CubeError, "NaN"),
        (np.ones((2, 3, 4)), 1, CubeError, "pixel, channel"),
    ],
)
def test_what_holds_no_endmembers_says_so(spectra, n, error, text):
    for search in (vca, find_endmembers):
        with pytest.raises(error, match=text):
            search(spectra, n)
    if text == "NaN":
        with pytest.raises(ParameterError, match="n_draws"):
            find_endmembers(np.eye(3), 2, n_draws=0)
