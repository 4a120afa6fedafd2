"""The simulated spectrometer: noise as it should be, the same field at every dwell time."""

import dataclasses

import numpy as np
import pytest

from napari_deeper.simulate.instrument import Instrument, expected_electrons, measure, skip_sample
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import ParameterError


@pytest.fixture
def flat():
    return RamanCube(np.full((40, 40, 30), 1.5), np.linspace(600, 1800, 30), (0.5, 0.5))


def test_ten_times_the_time_gives_ten_times_the_squared_ratio(flat):
    shot_only = Instrument(rate=200, read_noise=0)

    def squared_ratio(seconds):
        counts = measure(flat, seconds, np.random.default_rng(1), shot_only).intensity
        return counts.mean() ** 2 / counts.var()

    assert squared_ratio(1.0) / squared_ratio(0.1) == pytest.approx(10, rel=0.05)


def test_noise_has_its_parts(flat):
    instrument = Instrument(rate=100, read_noise=4, gain=2)
    counts = measure(flat, 2.0, np.random.default_rng(2), instrument).intensity
    assert counts.mean() == pytest.approx(150, rel=0.01)
    # Electrons: shot noise 300, read noise 16; in counts a quarter of that, and 1/12 of rounding.
    assert counts.var() == pytest.approx(316 / 4 + 1 / 12, rel=0.03)


def test_the_field_is_the_same_at_both_times(flat):
    rng = np.random.default_rng(3)
    clean = dataclasses.replace(flat, intensity=5 * rng.random(flat.shape))
    short = measure(clean, 0.1, np.random.default_rng(1))
    long = measure(clean, 1.0, np.random.default_rng(2))
    assert short.pixel_size == long.pixel_size == clean.pixel_size
    assert np.corrcoef(long.intensity.ravel(), clean.intensity.ravel())[0, 1] > 0.98
    assert np.corrcoef(short.intensity.ravel(), clean.intensity.ravel())[0, 1] > 0.9
    assert long.metadata["dwell_time_s"] == 1.0
    assert long.provenance[-1].params["dwell_time_s"] == 1.0


def test_the_same_generator_gives_the_same_counts(flat):
    one, two = (measure(flat, 0.1, np.random.default_rng(9)).intensity for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert (one == np.rint(one)).all()


def test_fluorescence_and_cosmic_rays_are_there_when_asked_for(flat):
    electrons = expected_electrons(flat, 1.0, Instrument(fluorescence=500))
    assert (np.diff(electrons, axis=2) < 0).all()
    clean = measure(flat, 1.0, np.random.default_rng(5)).intensity
    struck = measure(flat, 1.0, np.random.default_rng(5), Instrument(cosmic_rays=0.1)).intensity
    n_spikes = int((struck - clean > 400).sum())
    assert 100 < n_spikes < 220


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_an_impossible_time_is_refused(flat, seconds):
    with pytest.raises(ParameterError, match="dwell time"):
        measure(flat, seconds, np.random.default_rng(0))


@pytest.mark.parametrize(("scale", "phase"), [(2, 0), (2, 1), (3, 1), (4, 2)])
@pytest.mark.parametrize("pixel_size", [(0.5, 0.25), None])
def test_skip_sampling_keeps_the_place_of_every_pixel(scale, phase, pixel_size):
    rng = np.random.default_rng(0)
    fine = RamanCube(rng.random((13, 17, 4)), [600, 700, 800, 900], pixel_size, origin=(3.0, 5.0))
    low = skip_sample(fine, scale, phase)
    unit = 1 if pixel_size else scale
    for y, x in [(0, 0), (2, 1)]:
        there = (phase + y * scale, phase + x * scale)
        np.testing.assert_array_equal(low.intensity[y, x], fine.intensity[there])
        for axis, (k, i) in enumerate(zip((y, x), there, strict=True)):
            place = fine.origin[axis] + i * fine.spacing[axis]
            assert (low.origin[axis] + k * low.spacing[axis]) * unit == pytest.approx(place)


@pytest.mark.parametrize(("scale", "phase"), [(2, 2), (2, -1), (4, 3)])
def test_a_phase_beyond_the_cell_is_refused(scale, phase):
    cube = RamanCube(np.ones((3, 3, 2)), [600, 700])
    with pytest.raises(ParameterError, match="phase"):
        skip_sample(cube, scale, phase)
