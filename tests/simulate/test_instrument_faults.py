"""The faults of a simulated spectrometer: each does what it says, and none is there by default."""

import dataclasses

import numpy as np
import pytest

from napari_deeper.simulate.instrument import Instrument, expected_electrons, measure, saturated
from napari_deeper.simulate.pairs import pair, random_instrument, sampling_pair
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import ParameterError

SECONDS = 0.5


@pytest.fixture
def flat():
    return RamanCube(np.full((12, 10, 64), 2.0), np.linspace(600, 1800, 64), (0.5, 0.25))


@pytest.fixture
def point(flat):
    intensity = np.zeros((31, 41, 3))
    intensity[15, 20] = 1
    return RamanCube(intensity, [600, 700, 800], (0.5, 0.25))


def test_by_default_there_is_none(flat):
    np.testing.assert_allclose(expected_electrons(flat, SECONDS, Instrument()), 80.0)
    made = measure(flat, SECONDS, np.random.default_rng(0))
    np.testing.assert_array_equal(made.wavenumber, flat.wavenumber)
    assert not saturated(made).any()
    assert set(made.provenance[-1].params) == {
        "dwell_time_s", "rate", "read_noise", "gain", "fluorescence", "cosmic_rays"
    }  # fmt: skip


def test_the_counts_are_those_of_a_poisson_and_a_normal_draw(flat):
    # What was published with a seed stays as it was.
    rng = np.random.default_rng(5)
    electrons = rng.poisson(np.full(flat.shape, 80.0)) + rng.normal(0, 3.0, flat.shape)
    made = measure(flat, SECONDS, np.random.default_rng(5))
    np.testing.assert_array_equal(made.intensity, np.rint(electrons))


def test_fluorescence_bleaches_row_by_row_and_during_the_dwell(flat):
    dark = dataclasses.replace(flat, intensity=np.zeros(flat.shape))
    steady, fading = (
        expected_electrons(
            dark, SECONDS, Instrument(fluorescence=100, bleaching=b, field_bleaching=f)
        )
        for b, f in ((0, 0), (0.3, 0.01))
    )
    left = (fading / steady)[..., 0]
    order = left.ravel()
    np.testing.assert_allclose(order[1:] / order[:-1], np.exp(-0.01 * SECONDS))
    times = np.linspace(0, SECONDS, 10001)
    assert order[0] == pytest.approx(np.exp(-0.3 * times).mean(), rel=1e-3)
    # The sample itself does not bleach.
    signal = expected_electrons(flat, SECONDS, Instrument(bleaching=0.3, field_bleaching=0.01))
    np.testing.assert_allclose(signal, 80.0)


def test_fluorescence_follows_the_sample_as_far_as_asked(flat):
    intensity = np.ones(flat.shape)
    intensity[:, :5] = 3
    cube = dataclasses.replace(flat, intensity=intensity)
    plain = expected_electrons(cube, 1.0, Instrument())
    for contrast, ratio in ((0.0, 1.0), (0.5, 1.25 / 0.75), (1.0, 3.0)):
        with_it = Instrument(fluorescence=500, fluorescence_contrast=contrast)
        glow = expected_electrons(cube, 1.0, with_it) - plain
        assert glow.mean(axis=(0, 1))[0] == pytest.approx(500)
        assert glow[0, 0, 0] / glow[0, 9, 0] == pytest.approx(ratio)


def test_fringes_have_their_depth_and_period():
    cube = RamanCube(np.ones((1, 1, 500)), np.linspace(600, 1800, 500))
    ripple = expected_electrons(cube, 1.0, Instrument(etaloning=0.05, etalon_period=25))[0, 0] / 80
    assert 0.04 < ripple.max() - 1 < 0.051
    assert (
        17 <= np.argmax(np.abs(np.fft.rfft(ripple - 1))) <= 20
    )  # 500 / 25, widening along the axis


def test_fixed_patterns_belong_to_the_chip(flat):
    def mean(**kwargs):
        return expected_electrons(flat, SECONDS, Instrument(**kwargs))

    pattern = mean(fixed_pattern=0.02)
    assert (pattern == pattern[:1, :1]).all()
    assert (pattern[0, 0] / 80).std() == pytest.approx(0.02, rel=0.3)
    np.testing.assert_array_equal(pattern, mean(fixed_pattern=0.02))
    assert np.abs(pattern - mean(fixed_pattern=0.02, chip=1)).max() > 1
    offset = mean(dark_pattern=4.0)[0, 0] - 80
    assert offset.std() == pytest.approx(4.0, rel=0.3)
    counts = measure(
        flat, SECONDS, np.random.default_rng(0), Instrument(dark_pattern=4.0)
    ).intensity
    assert np.corrcoef(counts.mean((0, 1)), offset)[0, 1] > 0.9
    # An offset is no light: the noise is still that of 80 electrons.
    assert counts.var(axis=(0, 1)).mean() == pytest.approx(80 + 9 + 1 / 12, rel=0.05)


def test_the_point_spread_keeps_the_light_and_has_its_width_in_um(point):
    seen = expected_electrons(point, 1.0, Instrument(rate=1, point_spread=0.6))[..., 0]
    assert seen.sum() == pytest.approx(1)
    for axis, spacing in enumerate(point.pixel_size):
        line = seen.sum(axis=1 - axis)
        place = (np.arange(line.size) - line.size // 2) * spacing
        assert (line * place**2).sum() == pytest.approx(0.36, rel=0.02)


def test_light_is_mirrored_at_the_edge(flat):
    seen = expected_electrons(flat, 1.0, Instrument(rate=1, point_spread=3.0))
    np.testing.assert_allclose(seen, 2.0, rtol=1e-5)


def test_the_axis_is_reported_wrong(flat):
    made = measure(
        flat, 1.0, np.random.default_rng(0), Instrument(axis_shift=-3, axis_stretch=0.01)
    )
    error = made.wavenumber - flat.wavenumber
    assert error.mean() == pytest.approx(-3)
    np.testing.assert_allclose(np.diff(made.wavenumber), 1.01 * np.diff(flat.wavenumber))
    assert made.provenance[-1].params["axis_shift"] == -3


def test_saturation_clips_and_says_where(flat):
    bright = np.full(flat.shape, 2.0)
    bright[3, 4, 10] = 50
    cube = dataclasses.replace(flat, intensity=bright)
    made = measure(cube, 1.0, np.random.default_rng(0), Instrument(full_well=1000, gain=2))
    assert made.intensity.max() == 500
    assert np.argwhere(saturated(made)).tolist() == [[3, 4, 10]]
    assert made.metadata["n_saturated"] == 1


@pytest.mark.parametrize(
    "wrong",
    [{"gain": 0}, {"full_well": 0}, {"rate": -1}, {"read_noise": float("nan")},
     {"axis_stretch": 2}, {"etalon_period": 0}, {"point_spread": -0.1},
     {"fluorescence_contrast": 1.5}],
)  # fmt: skip
def test_an_impossible_instrument_is_refused(wrong):
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        Instrument(**wrong)


def test_a_pair_shows_the_same_field(flat):
    rng = np.random.default_rng(0)
    clean = dataclasses.replace(flat, intensity=5 * rng.random(flat.shape))
    low, high, scale, phase = pair(clean, rng, Instrument(rate=1000, read_noise=0))
    assert (scale, phase) == (1, 0)
    assert (low.metadata["dwell_time_s"], high.metadata["dwell_time_s"]) == (0.1, 1.0)
    errors = [
        (cube.intensity / seconds / 1000 - clean.intensity)
        for cube, seconds in ((low, 0.1), (high, 1.0))
    ]
    assert errors[0].var() / errors[1].var() == pytest.approx(10, rel=0.1)
    assert abs(np.corrcoef(errors[0].ravel(), errors[1].ravel())[0, 1]) < 0.05


@pytest.mark.parametrize(("scale", "phases"), [(2, {1}), (3, {1}), (4, {1, 2})])
def test_a_sampling_pair_knows_its_phase(flat, scale, phases):
    seen = set()
    for seed in range(8):
        rng = np.random.default_rng(seed)
        clean = dataclasses.replace(flat, intensity=5 * rng.random(flat.shape))
        made = sampling_pair(
            clean, scale, rng, instrument=Instrument(rate=1e7, read_noise=0, point_spread=0.2)
        )
        low, high = made.low.intensity / 1e6, made.high.intensity / 1e7
        np.testing.assert_allclose(
            low, high[made.phase :: scale, made.phase :: scale], rtol=0.03, atol=0.01
        )
        # The place of the first pixel tells the phase as well.
        assert made.low.origin[0] == pytest.approx(made.phase * flat.spacing[0])
        assert np.abs(high - clean.intensity).mean() > 0.1  # the spot was there
        seen.add(made.phase)
    assert seen == phases


def test_a_sampling_pair_refuses_an_impossible_phase(flat):
    with pytest.raises(ParameterError, match="phase"):
        sampling_pair(flat, 2, np.random.default_rng(0), phase=2)


def test_random_instruments_measure(flat):
    made = [random_instrument(np.random.default_rng(seed)) for seed in range(30)]
    assert made[0] == random_instrument(np.random.default_rng(0))
    assert len({instrument.fluorescence > 0 for instrument in made}) == 2
    for instrument in made[:5]:
        counts = measure(flat, 0.1, np.random.default_rng(0), instrument).intensity
        assert np.isfinite(counts).all() and counts.std() > 0
