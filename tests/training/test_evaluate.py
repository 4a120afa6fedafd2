"""The figures: right where the answer is known, and the shipped weights on a measured cell."""

from pathlib import Path

import numpy as np
import pytest
import torch

from napari_deeper.io.read import read
from napari_deeper.models import checkpoint
from napari_deeper.models.compact import CompactHyRISR, CompactHyRISRConfig
from napari_deeper.training.evaluate import (
    best_savgol,
    denoise_figures,
    run_denoiser,
    skip_sampling_figures,
    super_resolve_figures,
)

AXIS = np.linspace(600, 1800, 64)
THP1 = Path(__file__).parents[2].parent / "shared" / "data" / "thp1"
TINY_CUBE = CompactHyRISRConfig(64, 2, n_features=8, n_groups=1, n_blocks=1, reduction=2, window=3)


@pytest.fixture(scope="module")
def thp1():
    if not THP1.is_dir():
        pytest.skip("The measured THP-1 cell is not here (../shared/data/thp1).")
    return read(next(THP1.glob("*.mat")))


def test_a_network_that_changes_nothing_has_a_ratio_of_one():
    figures = denoise_figures(torch.nn.Identity(), AXIS, n=20)
    assert figures["mse_to_input"] == 1
    assert figures["mse_to_best_savgol"] >= 1
    assert figures["share_better_than_input"] == 0


def test_an_untrained_super_resolver_is_aligned_bilinear():
    figures = super_resolve_figures(CompactHyRISR(TINY_CUBE).eval(), AXIS, 2, n=8)
    assert figures["mse_to_bilinear"] == pytest.approx(1, abs=1e-5)
    cube = np.random.default_rng(0).random((9, 8, 64))
    measured = skip_sampling_figures(CompactHyRISR(TINY_CUBE).eval(), cube, "centered", 2)
    assert measured["excess_mse_to_bilinear"] == pytest.approx(1, abs=1e-5)


def test_intensity_comes_back():
    spectra = np.random.default_rng(0).random((3, 64)) * 1000
    np.testing.assert_allclose(
        run_denoiser(torch.nn.Identity(), spectra, "max"), spectra, rtol=1e-5
    )


def test_the_best_filter_is_no_worse_than_none():
    rng = np.random.default_rng(0)
    clean = np.sin(np.linspace(0, 6, 80))[None].repeat(4, 0)
    noisy = clean + np.array([0, 0.01, 0.1, 1])[:, None] * rng.standard_normal(clean.shape)
    before = ((noisy - clean) ** 2).mean(1)
    assert (best_savgol(noisy, clean) <= before).all()
    assert best_savgol(noisy, clean)[3] < 0.2 * before[3]


def test_the_denoiser_beats_savitzky_golay_on_a_measured_cell(thp1):
    got = checkpoint.load(checkpoint.shipped("resunet"))
    clean = np.stack([np.interp(got.wavenumber, thp1.wavenumber, s) for s in thp1.spectra[::8]])
    clean /= np.percentile(clean.max(axis=1), 95)
    noisy = clean + 0.2 * np.random.default_rng(0).standard_normal(clean.shape)
    error = ((run_denoiser(got.model, noisy, got.normalization) - clean) ** 2).mean()
    assert error < 0.1 * ((noisy - clean) ** 2).mean()
    assert error < 0.85 * best_savgol(noisy, clean).mean()


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_super_resolver_beats_aligned_bilinear_on_a_measured_cell(thp1, scale):
    got = checkpoint.load(checkpoint.shipped("hyrisr", scale))
    figures = skip_sampling_figures(got.model, thp1.intensity, got.normalization, scale)
    assert figures["excess_mse_to_bilinear"] < 0.98
