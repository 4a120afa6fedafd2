import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_deeper.processing import resample


def bands(axis, width=8.0):
    centers, heights = np.array([700, 1004, 1450, 1660]), np.array([0.3, 1.0, 0.6, 0.8])
    shapes = np.exp(-((axis[:, None] - centers) ** 2) / 2 / width**2)
    return (shapes @ heights).astype(np.float32)


# A spectrometer's axis: steps fall as the wavenumber rises.
UNEVEN = 300 + 3700 * np.linspace(0, 1, 1600) ** 0.9
MODEL = np.linspace(600, 1800, 500)


@pytest.mark.parametrize("source", [UNEVEN, np.linspace(500, 1900, 450), MODEL])
def test_bands_survive_a_move_to_another_axis(source):
    moved = resample.resample(bands(source)[None], source, MODEL)

    np.testing.assert_allclose(moved[0], bands(MODEL), atol=0.01)
    assert moved.dtype == np.float32


def test_there_and_back_keeps_the_bands():
    inside = resample.covered(MODEL, UNEVEN)
    there = resample.resample(bands(UNEVEN)[None], UNEVEN, MODEL)
    back = resample.resample(there, MODEL, UNEVEN)

    np.testing.assert_allclose(back[0][inside], bands(UNEVEN)[inside], atol=0.01)


def test_a_coarser_axis_averages_what_its_channels_cover():
    source, target = np.arange(0, 1000, 1.0), np.arange(10, 990, 20.0)
    spectrum = np.random.default_rng(0).normal(size=source.size).astype(np.float32)

    moved = resample.resample(spectrum[None], source, target)[0]

    # each target channel covers 20 source channels, the two at its ends by half
    for k in (3, 20, 45):
        middle = int(target[k])
        part = spectrum[middle - 10 : middle + 11].astype(float)
        part[[0, -1]] /= 2
        assert moved[k] == pytest.approx(part.sum() / 20, abs=1e-5)
    assert moved.std() == pytest.approx(1 / np.sqrt(20), rel=0.35)


def test_area_is_preserved_by_averaging():
    source, target = np.linspace(600, 1800, 1200), np.linspace(600, 1800, 100)
    spectrum = bands(source, width=15.0)

    moved = resample.resample(spectrum[None], source, target)[0]

    assert np.trapezoid(moved, target) == pytest.approx(np.trapezoid(spectrum, source), rel=1e-3)


def test_beyond_the_ends_the_last_channel_is_repeated():
    source, target = np.linspace(800, 1000, 50), np.linspace(700, 1100, 101)
    spectrum = np.linspace(1, 2, 50, dtype=np.float32)

    moved = resample.resample(spectrum[None], source, target)[0]

    np.testing.assert_allclose(moved[:20], 1, atol=0.02)
    np.testing.assert_allclose(moved[-20:], 2, atol=0.02)
    covered = resample.covered(source, target)
    assert target[covered].min() >= 797
    assert target[covered].max() <= 1003


def test_same_axis_is_a_copy():
    spectra = np.random.default_rng(0).normal(size=(2, 3, 500)).astype(np.float32)
    moved = resample.resample(spectra, MODEL, MODEL.copy())

    np.testing.assert_array_equal(moved, spectra)
    assert not np.shares_memory(moved, spectra)
    assert not resample.same_axis(MODEL, MODEL + 1)
    assert not resample.same_axis(MODEL, MODEL[:-1])


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 30),
    st.integers(1, 30),
    st.floats(0.3, 30),
    st.floats(0.3, 30),
    st.floats(-300, 300),
)
def test_a_constant_stays_constant_on_any_axes(n_source, n_target, step, other_step, offset):
    source = 1000 + step * np.arange(n_source)
    target = 1000 + offset + other_step * np.arange(n_target)
    constant = np.full((2, 1, n_source), 3, np.float32)

    moved = resample.resample(constant, source, target)

    assert moved.shape == (2, 1, n_target)
    np.testing.assert_allclose(moved, 3, rtol=1e-4)
