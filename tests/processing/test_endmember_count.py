import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from scipy.ndimage import gaussian_filter1d

from napari_deeper.processing.endmember_count import MOST, estimate_n_endmembers
from napari_deeper.simulate.cells import cell
from napari_deeper.simulate.instrument import measure
from napari_deeper.spectra.errors import CubeError


def mixtures(n_endmembers, noise, seed, smooth=0.0, n_pixels=400, n_channels=120):
    rng = np.random.default_rng(seed)
    axis = np.linspace(0, 1, n_channels)
    centers = rng.uniform(0.05, 0.95, (n_endmembers, 6, 1))
    endmembers = np.exp(-(((axis - centers) / 0.02) ** 2)).sum(axis=1) + 0.1
    error = rng.normal(0, 1, (n_pixels, n_channels))
    if smooth:
        error = gaussian_filter1d(error, smooth, axis=1)
    amounts = rng.dirichlet(np.ones(n_endmembers), n_pixels)
    return amounts @ endmembers + noise * error / error.std()


@settings(deadline=None, max_examples=30)
@given(
    n=st.integers(1, 6),
    noise=st.sampled_from([0.001, 0.02, 0.05]),
    smooth=st.sampled_from([0.0, 1.5]),
    seed=st.integers(0, 1000),
)
def test_as_many_as_were_mixed_are_counted_in_white_and_in_smooth_noise(n, noise, smooth, seed):
    spectra = mixtures(n, noise, seed, smooth)
    estimate = estimate_n_endmembers(spectra.astype(np.float32))
    assert estimate.n == n
    assert not estimate.outliers.size
    # brightness and unit do not matter
    assert estimate_n_endmembers(1e4 * spectra).n == n


@pytest.mark.parametrize("smooth", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("seed", range(4))
def test_noise_alone_has_no_structure(smooth, seed):
    noise = np.random.default_rng(seed).normal(0, 3, (400, 150))
    noise = gaussian_filter1d(noise, smooth, axis=1) if smooth else noise
    estimate = estimate_n_endmembers(noise)
    assert estimate.n == 1
    assert "no structure" in estimate.explanation


@pytest.mark.parametrize(
    ("spectra", "text"),
    [
        (np.ones((300, 100)), "all pixels share it"),
        (np.full((300, 100), 0.1, np.float32), "all pixels share it"),
        (3 + np.random.default_rng(0).normal(0, 1, (300, 100)), "all pixels share it"),
        (np.ones((1, 100)), "1 pixel of 100 channels cannot tell"),
        (np.random.default_rng(0).random((6, 5)), "6 pixels of 5 channels cannot tell"),
    ],
)
def test_one_spectrum_is_one_endmember(spectra, text):
    estimate = estimate_n_endmembers(spectra)
    assert estimate.n == 1
    assert text in estimate.explanation


def test_a_simulated_cell_holds_what_stands_out_of_its_shot_noise():
    made = cell((24, 24), rng=np.random.default_rng(4))
    noisy = measure(made.cube, 1.0, np.random.default_rng(5))
    estimate = estimate_n_endmembers(noisy.spectra)
    # what the cell would hold without noise, in units of the noise's own edge
    gain = np.vdot(noisy.spectra, made.cube.spectra) / np.vdot(made.cube.spectra, made.cube.spectra)
    clean = np.linalg.svd(gain * made.cube.spectra, compute_uv=False) ** 2 / len(noisy.spectra)
    edge = estimate.noise[0]
    assert (clean > 2 * edge).sum() <= estimate.n <= (clean > 0.2 * edge).sum()
    assert f"{estimate.n} independent spectra stand out of the noise" in estimate.explanation
    assert (estimate.eigenvalues[: estimate.n] > estimate.noise[: estimate.n]).all()
    assert (np.diff(estimate.eigenvalues) <= 0).all()
    assert estimate.noise.shape == estimate.eigenvalues.shape == estimate.of_few_pixels.shape


def test_cosmic_rays_are_told_and_not_counted():
    spectra = mixtures(3, 0.02, 1)
    spectra[[17, 90], [30, 31]] += 25
    spectra[200, 100] += 40
    estimate = estimate_n_endmembers(spectra)
    assert estimate.n == 3
    assert estimate.outliers.tolist() == [17, 90, 200]
    assert estimate.of_few_pixels.sum() == 3
    assert "3 more are one or two pixels' own" in estimate.explanation
    # one pixel alone
    estimate = estimate_n_endmembers(np.delete(spectra, [17, 90], axis=0))
    assert estimate.n == 3
    assert "1 more is one or two pixels' own" in estimate.explanation


def test_no_more_are_proposed_than_maps_can_show():
    rng = np.random.default_rng(0)
    spectra = rng.normal(size=(300, 30)) @ (5 * rng.normal(size=(30, 200)))
    estimate = estimate_n_endmembers(spectra + rng.normal(0, 0.1, spectra.shape))
    assert estimate.n == MOST
    assert "30 independent spectra" in estimate.explanation
    assert "More than 20 are never proposed" in estimate.explanation


def test_what_is_no_map_says_so():
    with pytest.raises(CubeError, match="NaN"):
        estimate_n_endmembers(np.full((20, 20), np.nan))
    with pytest.raises(CubeError, match="all zero"):
        estimate_n_endmembers(np.zeros((20, 20)))
