"""Wide training data: seeded, scaled, of every kind that they promise, and fast."""

import builtins
import sys
import time

import numpy as np
import pytest

from napari_deeper.simulate import library
from napari_deeper.simulate.domain import random_training_components, random_training_spectra
from napari_deeper.simulate.random_measurements import random_measurement
from napari_deeper.simulate.windows import anywhere, calibrated
from napari_deeper.spectra.errors import AxisError, DeeperError, ParameterError

AXIS = np.linspace(600, 1800, 200)


@pytest.fixture(scope="module")
def clean():
    return random_training_spectra(1500, AXIS, np.random.default_rng(3))


@pytest.mark.parametrize("make", [random_training_spectra, random_training_components])
def test_they_are_seeded_and_of_mean_square_one(make):
    one, two = (make(30, AXIS, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert one.shape == (30, 200)
    assert one.dtype == np.float32
    power = (one.astype(float) ** 2).mean(axis=1)
    assert np.all(np.isclose(power, 1, rtol=1e-4) | (power == 0))
    assert np.isfinite(one).all()


def test_components_of_a_map_are_not_negative():
    assert (random_training_components(40, AXIS, np.random.default_rng(0)) >= 0).all()


def test_the_kinds_are_there(clean):
    peak = clean.max(axis=1)
    assert (clean == 0).all(axis=1).sum() > 0  # empty
    assert (peak > 7).sum() > 20  # one line that rules
    assert (clean.min(axis=1) < -0.2).mean() > 0.05  # dips
    slope = clean[:, -20:].mean(axis=1) - clean[:, :20].mean(axis=1)
    assert (np.abs(slope) > 1.5).mean() > 0.03  # sloping backgrounds
    # Very smooth to very rough: how much of the energy a change of one channel takes.
    change = (np.diff(clean, axis=1) ** 2).mean(axis=1) / np.maximum(clean.var(axis=1), 1e-9)
    assert np.quantile(change, 0.05) < 0.01
    assert np.quantile(change, 0.95) > 0.3


def test_bands_lie_everywhere(clean):
    # No channel is left out, though the band tables of cells have gaps.
    steep = np.abs(np.diff(clean, 2, axis=1)).max(axis=1, keepdims=True)
    where = (np.abs(np.diff(clean, 2, axis=1)) > 0.5 * steep).sum(axis=0)
    assert where.min() > 0.3 * where.mean()


def test_windows():
    rng = np.random.default_rng(0)
    far = anywhere(2000, 500, rng)
    assert far.low.min() >= 100 and far.high.max() <= 3500
    assert far.dispersion.min() < 0.6 and far.dispersion.max() > 5.5
    near = calibrated(AXIS, 2000, rng)
    assert abs((near.low - 600).mean()) < 1
    assert 3 < near.low.std() < 9
    for windows in (near, far):
        np.testing.assert_allclose(windows.channels(windows.low), 0, atol=1e-9)
        np.testing.assert_allclose(windows.channels(windows.high), windows.n_channels - 1)
        steps = np.diff(windows.channels(np.linspace(windows.low, windows.high, 50, axis=1)))
        assert (steps > 0).all()


def test_a_short_axis_is_refused():
    with pytest.raises(AxisError, match="8"):
        random_training_spectra(3, np.arange(5.0), np.random.default_rng(0))


def test_the_noise_is_what_it_is_said_to_be(clean):
    noisy, sigma = random_measurement(clean, np.random.default_rng(1))
    assert noisy.shape == sigma.shape == clean.shape
    assert noisy.dtype == sigma.dtype == np.float32
    error = noisy - clean
    spread = np.sqrt((error**2).sum(axis=1) / (sigma**2).sum(axis=1))
    assert np.median(spread) == pytest.approx(1, abs=0.01)
    assert np.quantile(spread, 0.02) > 0.7
    assert 3 < (spread > 2).sum() < 60  # cosmic rays
    bias = error.mean(axis=1) / (sigma.mean(axis=1) / np.sqrt(clean.shape[1]))
    assert np.abs(np.median(bias)) < 0.2
    # Some spectra are whole counts of less than one photon, and spiky for it.
    steps = [np.unique(np.round(x, 4)).size for x in noisy[:400]]
    assert min(steps) < 10


def test_noise_rises_with_the_light_in_about_half_and_some_is_correlated():
    bright = np.where(np.arange(400) < 200, 1.0, 9.0)[None].repeat(600, axis=0)
    noisy, sigma = random_measurement(bright, np.random.default_rng(2))
    rising = sigma[:, -50:].mean(axis=1) / sigma[:, :50].mean(axis=1) > 1.2
    assert 0.25 < rising.mean() < 0.75
    unit = np.clip((noisy - bright) / sigma, -5, 5)
    alike = (unit[:, 1:] * unit[:, :-1]).mean(axis=1)
    assert 0.1 < (alike > 0.2).mean() < 0.4


def test_noise_is_seeded_and_an_empty_spectrum_gets_some(clean):
    one, two = (random_measurement(clean[:50], np.random.default_rng(4))[0] for _ in range(2))
    np.testing.assert_array_equal(one, two)
    noisy, sigma = random_measurement(np.zeros((40, 64)), np.random.default_rng(0))
    assert np.isfinite(noisy).all() and (sigma > 0).all()
    assert np.abs(noisy).max(axis=1).min() > 0


def test_a_batch_takes_milliseconds():
    random_training_spectra(10, AXIS, np.random.default_rng(0))
    start = time.process_time()
    made = random_training_spectra(400, np.linspace(600, 1800, 500), np.random.default_rng(0))
    random_measurement(made, np.random.default_rng(0))
    # 20,000 a minute would take 1.2 s.
    assert time.process_time() - start < 1.2


def test_a_library_widens_the_pool():
    pytest.importorskip("ramanbiolib", reason="the optional package ramanbiolib is not installed")
    axis, spectra = library.load_library("ramanbiolib")
    assert spectra.shape[1] == axis.size and len(spectra) > 100
    np.testing.assert_allclose((spectra**2).mean(axis=1), 1)
    with_it = random_training_spectra(40, AXIS, np.random.default_rng(0), "ramanbiolib")
    assert np.isfinite(with_it).all()
    assert np.abs(with_it - random_training_spectra(40, AXIS, np.random.default_rng(0))).max() > 0.1


def test_a_missing_or_unknown_library_is_named(monkeypatch):
    with pytest.raises(ParameterError, match="ramanbiolib"):
        random_training_spectra(2, AXIS, np.random.default_rng(0), "spectra-of-mine")
    library._ramanbiolib.cache_clear()
    monkeypatch.setitem(sys.modules, "ramanbiolib", None)
    with pytest.raises(DeeperError, match="not installed"):
        random_training_spectra(2, AXIS, np.random.default_rng(0), "ramanbiolib")


def test_without_a_library_none_is_read(monkeypatch):
    def refuse(name, *args, **kwargs):
        assert not name.startswith("ramanbiolib")
        return real(name, *args, **kwargs)

    real = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", refuse)
    monkeypatch.setattr(library, "_ramanbiolib", None)
    assert random_training_spectra(5, AXIS, np.random.default_rng(0)).shape == (5, 200)
