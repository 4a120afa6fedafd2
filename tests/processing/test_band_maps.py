"""Measures of a band, against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_deeper.processing.band_maps import MEASURES, BandSpec, band_map
from napari_deeper.spectra.errors import AxisError


def plain_measure(spectrum, axis, low, high, measure, baseline, n_shoulder):
    """Measure one spectrum, in double precision and one channel at a time."""
    spectrum = [float(value) for value in spectrum]
    inside = [k for k in range(axis.size) if low <= axis[k] <= high]
    if not inside:
        inside = [int(np.argmin(abs(axis - (low + high) / 2)))]
    line = dict.fromkeys(inside, 0.0)
    if baseline or measure in ("height", "position", "width"):
        left = range(max(0, inside[0] - n_shoulder), inside[0])
        right = range(inside[-1] + 1, min(axis.size, inside[-1] + 1 + n_shoulder))
        at = [np.mean([axis[k] for k in side]) for side in (left, right)]
        level = [np.mean([spectrum[k] for k in side]) for side in (left, right)]
        line = {k: float(np.interp(axis[k], at, level)) for k in inside}
    above = {k: spectrum[k] - line[k] for k in inside}
    if measure == "mean":
        return sum(above.values()) / len(inside)
    if measure == "sum":
        return sum(above.values())
    if measure == "area":
        return sum(above[k] * cell_width(axis, k) for k in inside)
    height = max(above.values())
    if measure == "height":
        return height
    return plain_half(above, axis, height, measure)


def cell_width(axis, k):
    if axis.size == 1:
        return 1.0
    before = axis[k] - axis[k - 1] if k > 0 else axis[1] - axis[0]
    after = axis[k + 1] - axis[k] if k + 1 < axis.size else axis[-1] - axis[-2]
    return (before + after) / 2


def plain_half(above, axis, height, measure):
    """Find both half heights on a grid a thousand times as fine, and the center of mass between them."""
    inside = sorted(above)
    top = max(inside, key=lambda k: above[k])
    fine = np.unique(
        np.concatenate([np.linspace(axis[a], axis[a + 1], 1001) for a in inside[:-1]] or [[0.0]])
    )
    rise = np.interp(fine, axis[inside], [above[k] for k in inside]) - height / 2
    left = [v for v, r in zip(fine, rise, strict=True) if v < axis[top] and r <= 0]
    right = [v for v, r in zip(fine, rise, strict=True) if v > axis[top] and r <= 0]
    if not left or not right or height <= 0:
        return np.nan
    start, end = left[-1], right[0]
    if measure == "width":
        return end - start
    between = (fine >= start) & (fine <= end)
    v, r = fine[between], rise[between]
    return np.trapezoid(v * r, v) / np.trapezoid(r, v)


@st.composite
def cases(draw):
    n_channels = draw(st.integers(8, 50))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    axis = 600 + np.cumsum(rng.uniform(0.3, 6, n_channels))
    first = draw(st.integers(2, n_channels - 4))
    last = draw(st.integers(first, n_channels - 3))
    intensity = rng.normal(40, 9, (2, 3, n_channels)).astype(np.float32)
    return intensity, axis, float(axis[first]), float(axis[last]), draw(st.integers(1, 4))


@pytest.mark.parametrize("baseline", [False, True])
@pytest.mark.parametrize("measure", MEASURES)
@given(case=cases())
@settings(deadline=None, max_examples=25)
def test_every_measure_is_what_plain_loops_give(case, measure, baseline):
    intensity, axis, low, high, n_shoulder = case
    spec = BandSpec(low, high, measure, None, baseline, n_shoulder, least_snr=0.0)
    found = band_map(intensity, axis, spec)
    assert found.dtype == np.float32
    expected = [
        [plain_measure(s, axis, low, high, measure, baseline, n_shoulder) for s in row]
        for row in intensity
    ]
    loose = measure in ("position", "width")
    np.testing.assert_allclose(found, expected, rtol=2e-4 if not loose else 1e-4, atol=0.02)


def test_a_small_band_on_a_high_ground_keeps_its_digits():
    axis = np.linspace(600, 1800, 500)
    band = 5 * np.exp(-(((axis - 1450) / 8) ** 2))
    cube = np.broadcast_to(60_000 + band, (4, 4, 500))
    spec = BandSpec(1430, 1470, "mean", baseline=True)
    found = band_map(cube.astype(np.float32), axis, spec)
    np.testing.assert_allclose(found, band_map(cube, axis, spec), atol=0.01)


def gaussian(axis, center, fwhm, height, ground):
    sigma = fwhm / 2.3548200450309493
    return ground + height * np.exp(-((axis - center) ** 2) / (2 * sigma**2))


@pytest.mark.parametrize("center", [1003.2, 1004.0, 1004.9])
def test_position_and_width_lie_between_the_channels(center):
    axis = np.linspace(900, 1100, 101) + np.linspace(0, 4, 101) ** 2 / 4
    slope = 0.05 * (axis - 900)
    spectrum = gaussian(axis, center, 12.0, 80.0, 100.0) + slope
    cube = np.broadcast_to(spectrum.astype(np.float32), (1, 1, axis.size))
    position, width, height = (
        float(band_map(cube, axis, BandSpec(980, 1028, measure))[0, 0])
        for measure in ("position", "width", "height")
    )
    assert position == pytest.approx(center, abs=0.1)
    assert width == pytest.approx(12.0, abs=0.3)
    assert height == pytest.approx(80.0, abs=2.0)


def test_noise_alone_has_no_peak_and_a_strong_band_has_one():
    rng = np.random.default_rng(5)
    axis = np.linspace(600, 1800, 500)
    flat = rng.normal(100, 5, (40, 40, 500)).astype(np.float32)
    spec = BandSpec(980, 1028, "position")
    assert np.isnan(band_map(flat, axis, spec)).mean() > 0.99
    peaked = flat + gaussian(axis, 1004, 12, 60, 0).astype(np.float32)
    found = band_map(peaked, axis, spec)
    assert np.isfinite(found).mean() > 0.95
    assert np.nanmedian(found) == pytest.approx(1004, abs=0.3)
    assert np.nanstd(found) < 1.5


def test_a_stated_uncertainty_counts_where_it_is_more_than_the_noise():
    axis = np.linspace(600, 1800, 500)
    smooth = np.broadcast_to(
        gaussian(axis, 1004, 12, 20, 100).astype(np.float32), (1, 2, axis.size)
    )
    uncertainty = np.ones(smooth.shape, np.float32) * np.array([1, 15])[None, :, None]
    found = band_map(smooth, axis, BandSpec(980, 1028, "position"), uncertainty)
    assert np.isfinite(found).tolist() == [[True, False]]


def test_a_ratio_is_missing_where_its_denominator_is_not_clearly_positive():
    rng = np.random.default_rng(6)
    axis = np.linspace(600, 1800, 500)
    cube = rng.normal(0, 1, (2, 30, 500))
    cube += gaussian(axis, 1450, 20, 30, 0)
    cube[1] += gaussian(axis, 1004, 20, 60, 0)
    spec = BandSpec(1440, 1460, "mean", over=(994, 1014))
    ratio = band_map(cube.astype(np.float32), axis, spec)
    assert np.isnan(ratio[0]).all()
    np.testing.assert_allclose(ratio[1], 0.5, atol=0.06)
    line = BandSpec(1425, 1475, "height", over=(980, 1028))
    assert np.isnan(band_map(-cube.astype(np.float32), axis, line)).mean() > 0.9


def test_missing_intensities_stay_missing_and_touch_no_other_band():
    axis = np.linspace(600, 1800, 120)
    cube = np.random.default_rng(7).normal(50, 1, (3, 3, 120)).astype(np.float32)
    cube[1, 1, np.abs(axis - 1450).argmin()] = np.nan
    for measure in MEASURES:
        spec = BandSpec(1430, 1470, measure, least_snr=0)
        assert np.isnan(band_map(cube, axis, spec)[1, 1]), measure
    for measure in ("mean", "sum", "area", "height"):
        assert np.isfinite(band_map(cube, axis, BandSpec(980, 1028, measure))).all()


@pytest.mark.parametrize(
    ("low", "high", "baseline", "text"),
    [
        (2000, 2100, False, "2000-2100 cm-1 lies outside"),
        (600, 640, True, "reaches the end of the axis"),
        (1700, 1900, True, "reaches the end of the axis"),
    ],
)
def test_a_band_that_the_axis_does_not_hold_says_so(low, high, baseline, text):
    axis = np.linspace(600, 1800, 120)
    cube = np.ones((2, 2, 120), np.float32)
    with pytest.raises(AxisError, match=text):
        band_map(cube, axis, BandSpec(low, high, "mean", baseline=baseline))


def test_one_channel_is_a_band_and_a_cube_of_one_channel_has_one():
    axis = np.linspace(600, 1800, 13)
    cube = np.arange(13, dtype=np.float32).reshape(1, 1, 13)
    between = BandSpec(1010, 1020, "mean")
    assert band_map(cube, axis, between)[0, 0] == 4
    assert np.isnan(band_map(cube, axis, BandSpec(1010, 1020, "width"))[0, 0])
    lone = band_map(cube[..., :1], axis[:1], BandSpec(595, 605, "area"))
    assert lone[0, 0] == 0
