"""The shipped weights: small, complete, and better than what they are given."""

import json

import pytest

from napari_deeper.models import checkpoint
from napari_deeper.spectra.errors import CheckpointError
from napari_deeper.training.eigen_super_resolve import figures as eigenimage_super_resolver_figures
from napari_deeper.training.evaluate import (
    denoise_figures,
    eigenimage_figures,
    super_resolve_figures,
)

MIB = 2**20
NAMES = [("resunet", None), ("eigenimage", None)]
NAMES += [(kind, scale) for kind in ("eigenimage", "hyrisr") for scale in (2, 3, 4)]


def test_they_are_all_there():
    assert "resunet" in checkpoint.available("resunet")
    eigenimages = {"eigenimage", "eigenimage_2x", "eigenimage_3x", "eigenimage_4x"}
    assert set(checkpoint.available("eigenimage")) == eigenimages
    assert set(checkpoint.available("hyrisr")) >= {"hyrisr_2x", "hyrisr_3x", "hyrisr_4x"}


def test_their_sizes_keep_the_wheel_small():
    folder = checkpoint.shipped("resunet").parent
    sizes = [path.stat().st_size for path in folder.glob("*.safetensors")]
    assert max(sizes) <= 8 * MIB
    assert checkpoint.shipped("eigenimage").stat().st_size <= 1.5 * MIB
    assert sum(sizes) <= 24 * MIB


@pytest.mark.parametrize(("kind", "scale"), NAMES)
def test_each_has_a_complete_card(kind, scale):
    path = checkpoint.shipped(kind, scale)
    got = checkpoint.load(path, scale=scale)
    assert (got.kind, got.scale) == (kind, scale)
    assert got.wavenumber.size == (0 if kind == "eigenimage" else 500)
    card = json.loads(path.with_suffix(".json").read_text())
    wanted = {"command", "seed", "steps", "data", "hardware", "minutes", "figures", "license"}
    assert wanted <= card.keys()
    assert card["license"] == "BSD-3-Clause"
    assert "simulated" in card["data"]


def test_an_unknown_one_is_refused_naming_those_that_there_are():
    with pytest.raises(CheckpointError, match=r"hyrisr_5x.*resunet.*hyrisr_2x"):
        checkpoint.shipped("hyrisr", 5)


def test_the_denoiser_beats_its_input_and_savitzky_golay():
    got = checkpoint.load(checkpoint.shipped("resunet"))
    figures = denoise_figures(got.model, got.wavenumber, n=96)
    assert figures["mse_to_input"] < 0.25
    assert figures["share_better_than_input"] > 0.95
    # The filter is the best of 21, chosen for each spectrum by its truth.
    assert figures["mse_to_best_savgol"] < 0.65


def test_the_eigenimage_denoiser_beats_the_best_factor_and_the_best_blur():
    got = checkpoint.load(checkpoint.shipped("eigenimage"))
    figures = eigenimage_figures(got.model, n_batches=6)
    assert figures["mse_to_best_factor"] < 0.6
    # The blur is the best of seven widths, chosen for each image by its truth, and so is its factor.
    assert figures["mse_to_best_blur"] < 0.9
    assert figures["share_better_than_best_blur"] > 0.7


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_super_resolver_beats_aligned_bilinear(scale):
    got = checkpoint.load(checkpoint.shipped("hyrisr", scale))
    figures = super_resolve_figures(got.model, got.wavenumber, scale, n=12)
    assert figures["mse_to_bilinear"] < 0.96
    assert figures["share_better_than_bilinear"] > 0.6


@pytest.mark.parametrize(("scale", "most"), [(2, 0.75), (3, 0.9), (4, 0.93)])
def test_the_eigenimage_super_resolver_beats_plain_interpolation_and_knows_its_errors(scale, most):
    got = checkpoint.load(checkpoint.shipped("eigenimage", scale))
    figures = eigenimage_super_resolver_figures(got.model, n_batches=16)
    assert figures["mse_to_bilinear"] < most
    # The best is chosen for each image by its truth.
    assert figures["mse_to_best_of_bilinear_bicubic_and_nothing"] < 1
    assert figures["share_better_than_bilinear"] > 0.75
    assert 0.6 < figures["share_within_one_sigma"] < 0.85
