"""Sums over a map, in parts; and the searches on coordinates in single precision."""

from __future__ import annotations

import numpy as np
import pytest

from napari_deeper.processing.moments import moments, no_moments
from napari_deeper.processing.n_findr import largest_simplex
from napari_deeper.processing.reduction import Reduced


@pytest.fixture
def spectra() -> np.ndarray:
    rng = np.random.default_rng(0)
    return 1000 + rng.normal(0, 1, (5000, 12)) * np.arange(1, 13)


def test_sums_are_the_mean_and_the_scatter(spectra):
    sums = moments(spectra)
    np.testing.assert_allclose(sums.mean, spectra.mean(axis=0))
    np.testing.assert_allclose(sums.scatter, np.cov(spectra.T) * 4999, atol=1e-7)
    np.testing.assert_allclose(sums.products, spectra.T @ spectra, rtol=1e-12)
    assert sums.total == pytest.approx(np.mean(np.sum(spectra**2, axis=1)))


def test_parts_are_joined_and_taken_off_again(spectra):
    whole = moments(spectra)
    joined = no_moments(12)
    for start in range(0, 5000, 700):
        joined = joined.joined(moments(spectra[start : start + 700]))
    less = whole.without(moments(spectra[[3, 9, 4000]]))
    left = moments(np.delete(spectra, [3, 9, 4000], axis=0))
    for ours, theirs in ((joined, whole), (less, left)):
        assert ours.n_pixels == theirs.n_pixels
        np.testing.assert_allclose(ours.mean, theirs.mean, rtol=1e-13)
        np.testing.assert_allclose(ours.scatter, theirs.scatter, atol=1e-7)
    assert no_moments(12).joined(no_moments(12)).n_pixels == 0


def test_single_precision_is_summed_up_in_double_if_asked(spectra):
    single = spectra.astype(np.float32)
    exact = moments(single.astype(np.float64))
    double = moments(single, double=True)
    np.testing.assert_allclose(double.scatter, exact.scatter, rtol=1e-12, atol=1e-6)
    assert double.rounding > exact.rounding  # of what was measured, not of the sums


def test_the_largest_simplex_is_found_in_single_precision_too():
    rng = np.random.default_rng(0)
    amounts = rng.dirichlet(np.full(5, 0.6), 20_000).astype(np.float32)
    found = []
    for coordinates in (amounts, amounts.astype(np.float64)):
        everywhere = np.ones(len(amounts), bool)
        ones = np.ones(len(amounts), np.float32)
        view = Reduced(coordinates, everywhere, ones, np.eye(5), np.zeros(5))
        found.append(sorted(largest_simplex(view, range(3)).tolist()))
    assert found[0] == found[1]
