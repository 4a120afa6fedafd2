"""A tuned comparator is the best of its grid, and the grid holds what it should."""

from __future__ import annotations

import numpy as np
import pytest

from napari_deeper.processing import low_rank, smoothing
from napari_deeper.processing.metrics import mse
from napari_deeper.processing.tuned import DENOISERS, candidates, tune, tune_each


@pytest.fixture(scope="module")
def pair():
    rng = np.random.default_rng(1)
    axis = np.arange(80)
    bands = np.exp(-(((axis - np.array([[20], [50], [65]])) / 4.0) ** 2))
    clean = (rng.uniform(0, 1, (60, 3)) @ bands).astype(np.float32)
    return clean + rng.normal(0, 0.2, clean.shape).astype(np.float32), clean


@pytest.mark.parametrize("method", DENOISERS)
def test_the_best_of_the_grid_is_returned(pair, method):
    noisy, clean = pair
    best = tune(method, noisy, clean)
    errors = dict(best.errors)
    assert len(errors) == len(best.errors) > 5
    assert best.error == min(errors.values()) == errors[best.settings]
    assert best.error == pytest.approx(mse(best.intensity, clean))
    assert len(set(errors.values())) > 1


@pytest.mark.parametrize(
    ("method", "run"),
    [
        ("savgol", lambda s, t: [smoothing.savgol(s, w, o) for w in (5, 9, 15) for o in (0, 2)]),
        ("wavelet", lambda s, t: [smoothing.wavelet(s)]),
        ("pca", lambda s, t: [low_rank.pca(s, k) for k in (1, 2, 3, 4, 8)]),
        ("low-rank", lambda s, t: [low_rank.shrink(s)]),
    ],
)
def test_no_setting_of_the_product_beats_it(pair, method, run):
    noisy, clean = pair
    best = tune(method, noisy, clean).error
    assert all(best <= mse(other, clean) * (1 + 1e-6) for other in run(noisy, clean))


def test_best_rank_is_the_true_one(pair):
    noisy, clean = pair
    assert tune("pca", noisy, clean).settings in ("2 components", "3 components")


def test_what_comes_after_is_part_of_the_choice(pair):
    noisy, clean = pair
    # only the even pixels count, whatever the others are
    best = tune("savgol", noisy, clean[::2], lambda spectra: spectra[::2])
    assert best.intensity.shape == clean[::2].shape
    assert best.error == pytest.approx(mse(best.intensity, clean[::2]))


@pytest.mark.parametrize("method", DENOISERS)
def test_several_ends_share_one_grid(pair, method):
    noisy, clean = pair
    ends = {"plain": lambda s: s, "brighter": lambda s: s * np.float32(1.1)}
    found = tune_each(method, noisy, clean, ends)
    for name, end in ends.items():
        alone = tune(method, noisy, clean, end)
        assert found[name].errors == alone.errors
        assert found[name].settings == alone.settings
        np.testing.assert_array_equal(found[name].intensity, alone.intensity)
        assert np.isnan(found[name].best_score)


@pytest.mark.parametrize("method", DENOISERS)
def test_the_best_score_is_that_of_the_grid_and_not_of_the_closest(pair, method):
    noisy, clean = pair

    def roughness(spectra):
        return float(np.abs(np.diff(spectra, axis=1)).mean())

    found = tune_each(method, noisy, clean, {"": lambda s: s}, roughness)[""]
    scores = {settings: roughness(spectra) for settings, spectra in candidates(method, noisy)}
    assert found.best_score == max(scores.values()) == scores[found.best_score_settings]
    assert found.error == tune(method, noisy, clean).error
    assert found.best_score_settings != found.settings


@pytest.mark.parametrize("method", DENOISERS)
@pytest.mark.parametrize("shape", [(1, 40), (2, 9), (30, 8)])
def test_odd_shapes_have_a_best(method, shape):
    target = np.random.default_rng(3).random(shape).astype(np.float32)
    best = tune(method, target + np.float32(0.1), target)
    assert best.intensity.shape == shape
    assert np.isfinite(best.intensity).all()


def test_one_decomposition_gives_what_many_give(pair):
    noisy, _ = pair
    for rank, clean in zip((1, 3), low_rank.pca_of_ranks(noisy, (1, 3)), strict=True):
        np.testing.assert_array_equal(clean, low_rank.pca(noisy, rank))
    for sigma, clean in zip((0.1, 0.3), low_rank.shrink_for_levels(noisy, (0.1, 0.3)), strict=True):
        np.testing.assert_array_equal(clean, low_rank.shrink(noisy, sigma))
