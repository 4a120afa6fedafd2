"""Wavenumber axes: order, unit, bands."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_deeper.processing.bands import PRESETS, band_mean, channels_in_band
from napari_deeper.spectra.axis import check_wavenumber, edges, looks_like_nm, wavenumber_from_nm
from napari_deeper.spectra.errors import AxisError


@pytest.mark.parametrize(
    ("axis", "words"),
    [
        ([600, 700, 650], "not sorted: channel 1 is 700"),
        ([600, 600, 700], "Channels 0 and 1 have the same wavenumber"),
        ([700, 650, 600], "reverse both"),
        ([600, np.nan, 700], "Wavenumber 1 is nan"),
        ([600, "x", 700], "not numbers"),
        ([[600, 650, 700]], "shape"),
    ],
)
def test_a_wrong_axis_is_told_with_its_place(axis, words):
    with pytest.raises(AxisError, match=words):
        check_wavenumber(axis, 3)


@pytest.mark.parametrize(("laser", "n"), [(532.0, 500), (532.0, 1024), (785.0, 1015), (633.0, 800)])
def test_nm_given_as_wavenumbers_is_noticed_and_converts(laser, n):
    shift = np.linspace(500, 1800, n)
    nm = 1e7 / (1e7 / laser - shift)
    with pytest.raises(AxisError, match="looks like nm"):
        check_wavenumber(nm, n)
    np.testing.assert_allclose(wavenumber_from_nm(nm, laser), shift, rtol=1e-9)


@pytest.mark.parametrize(
    ("low", "high", "n"), [(600, 1800, 500), (100, 4000, 1600), (750, 850, 40), (602, 1801, 5000)]
)
def test_raman_shifts_are_not_taken_for_nm(low, high, n):
    assert not looks_like_nm(np.linspace(low, high, n))


def test_edges_enclose_each_channel():
    axis = np.array([600.0, 603.0, 609.0])
    np.testing.assert_allclose(edges(axis), [598.5, 601.5, 606.0, 612.0])
    np.testing.assert_allclose(edges(np.array([600.0])), [599.5, 600.5])


@given(
    low=st.floats(590, 1900), width=st.floats(0, 300), n=st.integers(1, 60), seed=st.integers(0, 99)
)
def test_band_mean_is_the_mean_of_the_channels_inside(low, width, n, seed):
    rng = np.random.default_rng(seed)
    axis = 600 + np.cumsum(rng.uniform(1, 30, n))
    cube = rng.normal(size=(2, 3, n)).astype(np.float32)
    high = low + width
    if high < axis[0] or low > axis[-1]:
        with pytest.raises(AxisError, match="lies outside"):
            band_mean(cube, axis, low, high)
        return
    inside = [i for i, w in enumerate(axis) if low <= w <= high]
    inside = inside or [min(range(n), key=lambda i: abs(axis[i] - (low + high) / 2))]
    expected = np.mean([cube[..., i] for i in inside], axis=0)
    np.testing.assert_allclose(band_mean(cube, axis, low, high), expected, atol=1e-5)


def test_the_presets_are_the_published_bands():
    assert [band.center for band in PRESETS] == [795, 1004, 1300, 1440, 1450, 1660]
    axis = np.linspace(600, 1800, 500)
    for band in PRESETS:
        channels = channels_in_band(axis, *band.limits)
        assert band.limits[0] <= axis[channels].mean() <= band.limits[1]
