"""The place of a known band, to a fraction of a channel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_deeper.processing.calibration import band_position

AXIS = np.linspace(900, 1100, 81)  # 2.5 cm-1 apart


@given(st.floats(995, 1012), st.floats(4, 12), st.floats(-0.5, 0.5))
def test_a_gaussian_band_is_found_to_a_tenth_of_a_channel(place, width, slope):
    spectrum = 100 * np.exp(-4 * np.log(2) * ((AXIS - place) / width) ** 2)
    spectrum += 50 + slope * (AXIS - 900)
    found = band_position(spectrum, AXIS, 1003.5 - 20, 1003.5 + 20)
    assert found == pytest.approx(place, abs=0.25)


def test_noise_and_slopes_are_no_band():
    rng = np.random.default_rng(0)
    for _ in range(50):
        spectrum = rng.normal(0, 1, AXIS.size) + rng.uniform(-1, 1) * (AXIS - 1000)
        assert band_position(spectrum, AXIS, 985, 1022) is None


def test_too_few_channels_hold_no_band():
    assert band_position(np.ones(81), AXIS, 1000, 1004) is None
    assert band_position(np.ones(81), AXIS, 2000, 2040) is None
