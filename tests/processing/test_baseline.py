"""Baselines: ours against pybaselines spectrum by spectrum, and against slow, obvious references."""

from __future__ import annotations

import numpy as np
import pytest
from pybaselines import Baseline

from napari_deeper.processing import whittaker
from napari_deeper.processing.baseline import baseline, under_parabola

CHANNEL = np.arange(200)


def spectra(n: int, seed: int = 0) -> np.ndarray:
    """Bands on a falling background, of different heights and noise."""
    rng = np.random.default_rng(seed)
    place = rng.uniform(10, 190, (n, 4, 1))
    bands = np.exp(-(((CHANNEL - place) / rng.uniform(2, 6, (n, 4, 1))) ** 2))
    clean = (rng.uniform(5, 60, (n, 4, 1)) * bands).sum(axis=1)
    background = rng.uniform(20, 500, (n, 1)) * np.exp(-CHANNEL / rng.uniform(80, 400, (n, 1)))
    return (clean + background + rng.normal(0, 1, (n, 200))).astype(np.float32)


@pytest.mark.parametrize("n", [5, 400])  # one long system for LAPACK, and side by side
@pytest.mark.parametrize("method", whittaker.METHODS)
@pytest.mark.parametrize("smoothness", [1e3, 1e6])
def test_many_at_once_agree_with_pybaselines_one_by_one(method, n, smoothness):
    given = spectra(n)
    ours = whittaker.baseline(given, method, smoothness, 0.02)
    asymmetry = {"p": 0.02} if method == "asls" else {}
    for spectrum, curve in zip(given[::7], ours[::7], strict=True):
        theirs, _ = getattr(Baseline(), method)(spectrum.astype(float), lam=smoothness, **asymmetry)
        np.testing.assert_allclose(curve, theirs, atol=2e-6 * np.abs(theirs).max())


def test_spectra_settle_as_if_alone():
    given = spectra(300)
    together = whittaker.baseline(given, "arpls", 1e4)
    alone = np.concatenate([whittaker.baseline(s[None], "arpls", 1e4) for s in given[:20]])
    np.testing.assert_allclose(together[:20], alone, rtol=1e-5)


@pytest.mark.parametrize("method", whittaker.METHODS)
def test_flat_spectra_are_their_own_baseline(method):
    given = np.vstack([np.zeros((1, 200)), np.full((1, 200), 7.0), spectra(2)]).astype(np.float32)
    curve = whittaker.baseline(given, method, 1e5)
    np.testing.assert_allclose(curve[:2], given[:2], atol=1e-3)
    assert np.isfinite(curve).all()


def rolled_parabola(spectrum: np.ndarray, size: float) -> np.ndarray:
    """Every parabola with its top at every channel and between, as high as the spectrum lets it."""
    best = np.full(spectrum.size, -np.inf)
    for top in np.arange(-6 * size, 200 + 6 * size, size / 400):
        form = -np.ptp(spectrum) * ((CHANNEL - top) / size) ** 2 / 2
        best = np.maximum(best, form + (spectrum - form).min())
    return best


@pytest.mark.parametrize("size", [40.0, 500.0])
def test_shape_is_a_parabola_rolled_along_below(size):
    for spectrum in spectra(4).astype(float):
        expected = rolled_parabola(spectrum, size)
        found = under_parabola(spectrum[None].astype(np.float32), size)[0]
        inner = slice(
            5, -5
        )  # at the very ends the steepest parabolas count, whose tops are far away
        np.testing.assert_allclose(found[inner], expected[inner], atol=0.002 * np.ptp(spectrum))
        assert (found <= spectrum + 1e-3).all()


def test_shape_does_not_depend_on_the_unit():
    given = spectra(3)
    scaled = under_parabola(given * np.float32(1000), 100) / 1000
    np.testing.assert_allclose(scaled, under_parabola(given, 100), rtol=1e-4)


@pytest.mark.parametrize(
    "method",
    [
        "arpls",
        "asls",
        "airpls",
        "aspls",
        "shape",
        "modpoly",
        "imodpoly",
        "rolling-ball",
        "snip",
        "morphological",
    ],
)
def test_every_method_takes_most_of_a_known_background(method):
    rng = np.random.default_rng(2)
    background = 300 * np.exp(-CHANNEL / 150)
    band = 80 * np.exp(-(((CHANNEL - 100) / 5) ** 2))
    given = (background + band + rng.normal(0, 1, (6, 200))).astype(np.float32)
    curve = baseline(given, method, smoothness=1e5, size=60, order=5, half_window=15)
    assert np.abs(curve - background).mean() < 0.06 * background.mean()
    top = (given - curve)[:, 98:103].mean()
    assert 0.8 * 80 < top < 1.15 * 80
