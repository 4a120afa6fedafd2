"""Kriging against a dense Gaussian process, and what it says of its own errors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_deeper.processing import kriging
from napari_deeper.processing.interpolation import upsample
from napari_deeper.processing.kriging import Prior, krige, krige_images, predict, weigh_priors


def points(n_y, n_x, scale=1, phase=0):
    return np.array(
        [((y - phase) / scale, (x - phase) / scale) for y in range(n_y) for x in range(n_x)]
    )


def matern(prior, a, b):
    """Return the covariance of every two points, one at a time."""
    out = np.empty((len(a), len(b)))
    for i, p in enumerate(a):
        for j, q in enumerate(b):
            r = np.sqrt((p[0] - q[0]) ** 2 + (p[1] - q[1]) ** 2)
            if prior.nu == 0.5:
                out[i, j] = np.exp(-r / prior.length)
            else:
                s = np.sqrt(3) * r / prior.length
                out[i, j] = (1 + s) * np.exp(-s)
            out[i, j] += prior.texture * (r < 1e-9)
    return prior.variance * out


def dense_kriging(image, prior, scale, phase):
    """Solve the whole ordinary-kriging system, with its multiplier, for every fine pixel."""
    n_y, n_x = image.shape
    seen, wanted = points(n_y, n_x), points(n_y * scale, n_x * scale, scale, phase)
    n = len(seen)
    system = np.ones((n + 1, n + 1))
    system[:n, :n] = matern(prior, seen, seen) + np.eye(n)
    system[n, n] = 0
    right = np.ones((n + 1, len(wanted)))
    right[:n] = matern(prior, seen, wanted)
    solved = np.linalg.solve(system, right)
    mean = solved[:n].T @ image.ravel()
    variance = prior.variance * (1 + prior.texture) - (solved * right).sum(axis=0)
    shape = n_y * scale, n_x * scale
    return mean.reshape(shape), variance.reshape(shape)


def draw(prior, side, rng, n=1):
    """Draw fine fields (n, side, side) with distances in fine pixels."""
    at = points(side, side)
    r = np.sqrt(((at[:, None] - at) ** 2).sum(axis=2)) / prior.length
    s = np.sqrt(3) * r
    covariance = prior.variance * (np.exp(-r) if prior.nu == 0.5 else (1 + s) * np.exp(-s))
    root = np.linalg.cholesky(covariance + 1e-9 * prior.variance * np.eye(side**2))
    return (rng.standard_normal((n, side**2)) @ root.T).reshape(n, side, side)


@pytest.mark.parametrize("shape", [(5, 7), (1, 6), (9, 3)])
@pytest.mark.parametrize(("scale", "phase"), [(2, 1), (3, 0), (4, 2)])
@pytest.mark.parametrize("prior", [Prior(0.5, 1.1, 8.0, 0.2), Prior(1.5, 2.4, 64.0, 0.001)])
def test_it_solves_what_a_dense_gaussian_process_solves(shape, scale, phase, prior):
    image = np.random.default_rng(1).normal(3, 2, shape)

    mean, variance = predict(image, [prior], np.ones(1), scale, phase)

    expected, spread = dense_kriging(image, prior, scale, phase)
    np.testing.assert_allclose(mean, expected, atol=1e-8)
    np.testing.assert_allclose(variance, spread, atol=1e-8)


def test_several_priors_are_averaged_and_their_disagreement_counts():
    image = np.random.default_rng(2).normal(0, 3, (6, 6))
    priors, weights = (
        [Prior(0.5, 0.75, 4.0, 0.2), Prior(1.5, 3.6, 32.0, 0.05)],
        np.array([0.3, 0.7]),
    )

    mean, variance = predict(image, priors, weights, 2, 1)

    each = [dense_kriging(image, prior, 2, 1) for prior in priors]
    expected = 0.3 * each[0][0] + 0.7 * each[1][0]
    between = 0.3 * (each[0][0] - expected) ** 2 + 0.7 * (each[1][0] - expected) ** 2
    np.testing.assert_allclose(mean, expected, atol=1e-8)
    np.testing.assert_allclose(variance, 0.3 * each[0][1] + 0.7 * each[1][1] + between, atol=1e-8)


def test_a_large_image_is_kriged_in_parts_without_a_seam(monkeypatch):
    image = np.random.default_rng(0).normal(size=(25, 12))
    prior = [Prior(0.5, 1.6, 4.0, 0.05)]
    whole = predict(image, prior, np.ones(1), 2, 0)

    monkeypatch.setattr(kriging, "_STRIP", 30)
    parts = predict(image, prior, np.ones(1), 2, 0)

    np.testing.assert_allclose(parts, whole, atol=1e-12)
    # Far from the window's edge the dense solution is the same but for what lies beyond it.
    dense = dense_kriging(image, prior[0], 2, 0)[0]
    assert np.abs(whole[0] - dense).mean() < 0.02


def test_the_image_tells_rough_from_smooth():
    rng = np.random.default_rng(5)
    smooth = draw(Prior(1.5, 5.0, 900.0, 0.0), 14, rng)[0]
    rough = rng.normal(0, 30, (14, 14))

    def mean_length(image):
        priors, weights = weigh_priors(image + rng.standard_normal(image.shape))
        assert weights.sum() == pytest.approx(1)
        return sum(w * p.length for p, w in zip(priors, weights, strict=True))

    assert mean_length(smooth) > 2.5 * mean_length(rough)


def test_errors_are_as_large_as_it_says_and_smaller_than_bilinear():
    rng = np.random.default_rng(7)
    truth = draw(Prior(1.5, 4.0, 16.0, 0.0), 24, rng, 6)
    low = (truth + rng.standard_normal(truth.shape))[:, 1::2, 1::2].astype(np.float32)

    mean, variance = krige_images(low, 2, 1, np.ones(6))

    error = np.abs(mean - truth)
    assert 0.6 < (error < np.sqrt(variance)).mean() < 0.76
    plain = np.moveaxis(upsample(np.moveaxis(low, 0, 2), 2, "bilinear", 1), 2, 0)
    assert (error**2).mean() < 0.85 * ((plain - truth) ** 2).mean()


def test_a_map_of_smooth_abundances_beats_bilinear_under_noise():
    rng = np.random.default_rng(3)
    axis = np.linspace(0, 1, 60)
    basis = np.exp(-((axis - rng.uniform(0, 1, (3, 1))) ** 2) / 2 / 0.04**2)
    maps = draw(Prior(1.5, 5.0, 1.0, 0.0), 24, rng, 3) + 4
    truth = np.moveaxis(maps, 0, 2) @ basis
    low = (truth + rng.normal(0, 0.3, truth.shape))[1::3, 1::3].astype(np.float32)

    fine, variance = krige(low, 3, 1, with_variance=True)

    plain = upsample(low, 3, "bilinear", 1)
    assert fine.shape == variance.shape == truth.shape
    assert ((fine - truth) ** 2).mean() < 0.5 * ((plain - truth) ** 2).mean()
    assert krige(low, 3, 1)[1] is None


@settings(deadline=None, max_examples=15)
@given(
    st.integers(1, 6), st.integers(1, 11), st.sampled_from([1, 2, 30]), st.sampled_from((2, 3, 4))
)
def test_any_shape_and_no_noise(n_y, n_x, n_channels, scale):
    rng = np.random.default_rng(0)
    low = (5 + np.round(rng.random((n_y, n_x, n_channels)), 2)).astype(np.float32)

    fine, variance = krige(low, scale, scale - 1, with_variance=True)

    assert fine.shape == variance.shape == (n_y * scale, n_x * scale, n_channels)
    assert np.isfinite(fine).all() and (variance >= 0).all()
    flat = krige(np.full_like(low, 3), scale)[0]
    np.testing.assert_allclose(flat, 3, rtol=1e-5)
