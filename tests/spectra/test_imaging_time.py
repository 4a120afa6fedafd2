"""Imaging times and the planner: the published figures, the format, and what cannot be."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import napari_deeper as nd
from napari_deeper.engine.super_resolve import super_resolve
from napari_deeper.spectra.errors import ParameterError
from napari_deeper.spectra.imaging_plan import describe_plan
from napari_deeper.spectra.imaging_time import (
    format_duration,
    format_speed_up,
    imaging_time_of,
)


def test_the_published_times_and_speed_ups():
    full = nd.imaging_time(64, 64, 1.0)
    assert str(full) == "68:16"
    for n, text, factor in [(32, "01:42", 40), (16, "00:26", 160)]:
        fast = nd.imaging_time(n, n, 0.1)
        assert str(fast) == text
        assert fast.speed_up(full) == pytest.approx(factor)
    third = nd.plan_imaging(n_y=64, n_x=64, scale=3)
    assert str(third.fast) == "00:44"
    assert third.speed_up == pytest.approx(90)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.1, "100 ms"), (0.5, "00:01"), (25.4, "00:25"), (25.5, "00:26"), (59.5, "01:00"),
        (5999.4, "99:59"), (5999.5, "1:40:00"), (3600 * 27 + 61, "27:01:01"),
    ],
)  # fmt: skip
def test_durations_are_rounded_to_the_nearest_second(seconds, text):
    assert format_duration(seconds) == text


@settings(deadline=None, max_examples=50)
@given(st.floats(0.5, 1e7))
def test_a_duration_says_the_seconds_it_was_made_of(seconds):
    parts = [int(part) for part in format_duration(seconds).split(":")]
    told = sum(part * 60**i for i, part in enumerate(reversed(parts)))
    assert abs(told - seconds) <= 0.5 + 1e-6
    assert all(part < 60 for part in parts[1:])


def test_overheads_are_counted_per_pixel_and_per_line():
    plain = nd.imaging_time(4, 10, 0.5)
    assert plain.seconds == 20
    slow = nd.imaging_time(4, 10, 0.5, pixel_overhead_s=0.1, line_overhead_s=2)
    assert slow.seconds == pytest.approx(20 + 4 + 8)


@pytest.mark.parametrize(
    "wrong",
    [
        dict(n_y=0), dict(n_x=2.5), dict(dwell_s=0), dict(dwell_s=float("nan")),
        dict(pixel_overhead_s=-1), dict(line_overhead_s=float("inf")),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(ParameterError):
        nd.imaging_time(**(dict(n_y=2, n_x=2, dwell_s=1.0) | wrong))


def test_a_result_took_as_long_as_its_measurement(small_cube):
    metadata = {**small_cube.metadata, "dwell_time_s": 0.1}
    measured = dataclasses.replace(small_cube, metadata=metadata)
    time = imaging_time_of(measured)
    assert (time.n_y, time.n_x, time.dwell_s) == (9, 7, 0.1)
    fine = super_resolve(measured, scale=3, method="bilinear")
    assert fine.shape[:2] == (27, 21)
    assert imaging_time_of(fine) == time


@pytest.mark.parametrize("dwell", [None, "1 s", 0, -1, float("nan"), True])
def test_no_time_is_made_up_where_the_dwell_time_is_not_known(small_cube, dwell):
    cube = dataclasses.replace(small_cube, metadata={"dwell_time_s": dwell})
    assert imaging_time_of(cube) is None


def test_the_plan_says_what_the_speed_up_is_bought_with():
    plan = nd.plan_imaging(n_y=64, n_x=64, dwell_s=1, fast_dwell_s=0.1, scale=4)
    told = " ".join(plan.notes)
    assert "one of 16 pixels is measured" in told
    assert "10 times less light" in told
    assert "3.2 to 10 times" in told
    text = describe_plan(plan, 0.5)
    for part in ("68:16", "00:26", "160x", "0.5 um", "2 um", "32 x 32 um"):
        assert part in text, part


def test_a_plan_that_saves_nothing_warns_of_no_estimates():
    plan = nd.plan_imaging(fast_dwell_s=1.0, scale=1)
    assert plan.speed_up == 1
    assert not any("estimate" in note for note in plan.notes)


def test_pixels_that_are_no_multiple_are_compared_on_whole_cells():
    plan = nd.plan_imaging(n_y=64, n_x=65, scale=3)
    assert (plan.full.n_y, plan.full.n_x) == (63, 63)
    assert "63 x 63" in plan.notes[0]
    with pytest.raises(ParameterError, match="leave none"):
        nd.plan_imaging(n_y=1, n_x=64, scale=2)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from((2, 3, 4)), st.floats(0.01, 1))
def test_the_speed_up_is_that_of_light_times_that_of_pixels(n_y, n_x, scale, fast):
    plan = nd.plan_imaging(n_y=n_y * scale, n_x=n_x * scale, scale=scale, fast_dwell_s=fast)
    np.testing.assert_allclose(plan.speed_up, scale**2 / fast, rtol=1e-9)


def test_speed_ups_are_told_with_as_many_digits_as_they_have():
    assert format_speed_up(160.0) == "160x"
    assert format_speed_up(1.25) == "1.2x"
    assert format_speed_up(9.96) == "10x"
    assert format_speed_up(4.0) == "4x"
