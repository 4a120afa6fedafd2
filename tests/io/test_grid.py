"""Points of a stage become a grid, whatever their order; what is no grid is refused in words."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_deeper.io.grid import grid_points
from napari_deeper.spectra.errors import FileError

SHARED = Path(__file__).parents[2].parent / "shared" / "data"


def full_grid(n_y: int, n_x: int, dy: float = 1.5, dx: float = 0.5) -> tuple[Any, Any, Any]:
    """Places and spectra, row by row, whose intensity tells where they belong."""
    row, column = (index.ravel() for index in np.mgrid[:n_y, :n_x])
    spectra = np.stack([row, column, 100 * row + column], axis=1).astype(np.float32)
    return -70.0 + dx * column, 12.0 + dy * row, spectra


@settings(deadline=None, max_examples=80)
@given(data=st.data())
def test_any_order_gaps_and_jitter(data: st.DataObject) -> None:
    # of 2 x 2 with jitter three may be left, which nothing tells from scattered points
    n_y, n_x = data.draw(st.integers(3, 9)), data.draw(st.integers(3, 9))
    dy, dx = data.draw(st.floats(1e-2, 1e3)), data.draw(st.floats(1e-2, 1e3))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    x, y, spectra = full_grid(n_y, n_x, dy, dx)
    inner = (spectra[:, 0] > 0) & (spectra[:, 1] > 0)
    kept = ~inner | (rng.random(x.size) > data.draw(st.floats(0, 0.6)))
    jitter = data.draw(st.floats(0, 0.05))
    x, y = (
        x + dx * rng.uniform(-jitter, jitter, x.size),
        y + dy * rng.uniform(-jitter, jitter, x.size),
    )
    order = rng.permutation(np.flatnonzero(kept))
    gridded = grid_points(x[order], y[order], spectra[order])
    expected = np.where(kept[:, None], spectra, np.nan).reshape(n_y, n_x, 3)
    np.testing.assert_array_equal(gridded.intensity, expected)
    assert gridded.pixel_size == pytest.approx((dy, dx), rel=0.11)
    assert gridded.origin[0] == pytest.approx(12, abs=0.15 * dy)
    assert gridded.origin[1] == pytest.approx(-70, abs=0.15 * dx)
    assert bool(gridded.notes) == (not kept.all())


def test_a_serpentine_with_falling_rows() -> None:
    x, y, spectra = full_grid(4, 5)
    order = np.arange(20).reshape(4, 5)[::-1].copy()
    order[1::2] = order[1::2, ::-1]
    gridded = grid_points(x[order.ravel()], y[order.ravel()], spectra[order.ravel()])
    np.testing.assert_array_equal(gridded.intensity, spectra.reshape(4, 5, 3))
    assert (gridded.pixel_size, gridded.origin) == ((1.5, 0.5), (12, -70))
    assert gridded.notes == ()


def test_an_incomplete_last_line_is_nan_and_said() -> None:
    x, y, spectra = full_grid(4, 5)
    gridded = grid_points(x[:17], y[:17], spectra[:17])
    assert gridded.intensity.shape == (4, 5, 3)
    assert np.isnan(gridded.intensity[3, 2:]).all()
    assert not np.isnan(gridded.intensity[3, :2]).any()
    assert gridded.notes == ("3 of 20 pixels were not measured; they are NaN.",)


def test_an_empty_row_between() -> None:
    x, y, spectra = full_grid(6, 5)
    kept = spectra[:, 0] != 3
    gridded = grid_points(x[kept], y[kept], spectra[kept])
    assert gridded.intensity.shape == (6, 5, 3)
    assert np.isnan(gridded.intensity[3]).all()


def test_points_near_a_grid_are_gridded_and_said() -> None:
    rng = np.random.default_rng(2)
    x, y, spectra = full_grid(8, 9)
    gridded = grid_points(x + rng.uniform(-0.1, 0.1, 72), y, spectra)
    np.testing.assert_array_equal(gridded.intensity, spectra.reshape(8, 9, 3))
    assert "% of a step off an even grid" in gridded.notes[0]


@pytest.mark.parametrize("angle", [0.0, 30.0, 90.0, 135.0, -60.0])
def test_a_line_in_any_direction_is_one_row(angle: float) -> None:
    along = 0.7 * np.arange(12)
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    x, y, spectra = 5 + c * along, 3 + s * along, np.arange(24.0).reshape(12, 2)
    gridded = grid_points(x, y, spectra)
    forward = angle != 135.0 and angle != -90.0
    np.testing.assert_allclose(gridded.intensity[0], spectra if forward else spectra[::-1])
    assert gridded.pixel_size == pytest.approx((0.7, 0.7))
    first = 0 if forward else -1
    assert gridded.origin == pytest.approx((y[first], x[first]))
    assert ("straight line" in gridded.notes[0]) == (angle != 0)


def test_one_point() -> None:
    gridded = grid_points([2], [3], [[1, 2, 3]])
    assert gridded.intensity.shape == (1, 1, 3)
    assert (gridded.pixel_size, gridded.origin) == (None, (3, 2))


def test_places_measured_twice_are_averaged() -> None:
    x, y, spectra = full_grid(3, 4)
    again = np.append(np.arange(12), 5)
    spectra = np.vstack([spectra, spectra[5] + 10])
    gridded = grid_points(x[again], y[again], spectra)
    np.testing.assert_array_equal(gridded.intensity[1, 1], spectra[5] + 5)
    assert gridded.notes == ("1 places were measured more than once; their spectra were averaged.",)


def test_stray_points_are_left_out_with_a_note() -> None:
    x, y, spectra = full_grid(7, 9)
    x[60:] = [-69.87, -68.21, -67.03]
    gridded = grid_points(x, y, spectra)
    expected = np.where(np.arange(63)[:, None] < 60, spectra, np.nan).reshape(7, 9, 3)
    np.testing.assert_array_equal(gridded.intensity, expected)
    assert "3 of 63 points share no row or column" in gridded.notes[0]
    x[50:] += np.random.default_rng(0).uniform(0, 0.4, 13)
    with pytest.raises(FileError, match="scattered"):
        grid_points(x, y, spectra)


def test_a_measured_map_that_was_stopped() -> None:
    """LabSpec gave the 18 points of the last line places of their own; the other 19 lines are whole."""
    path = SHARED / "formats" / "horiba" / "labspec_map_incomplete_grid.txt"
    if not path.exists():
        pytest.skip(f"measured data is not here: {path}")
    table = np.loadtxt(path, skiprows=1, encoding="latin-1")
    gridded = grid_points(table[:, 0], table[:, 1], table[:, 2:])
    assert gridded.intensity.shape == (20, 19, 616)
    assert gridded.pixel_size == pytest.approx((5.2555, 5.0717), abs=1e-3)
    assert "18 of 398 points" in gridded.notes[0]
    k = 137
    row = round((table[k, 1] - gridded.origin[0]) / gridded.pixel_size[0])
    column = round((table[k, 0] - gridded.origin[1]) / gridded.pixel_size[1])
    np.testing.assert_allclose(gridded.intensity[row, column], table[k, 2:], rtol=1e-6)


def rotated(degrees: float) -> tuple[Any, Any, Any]:
    x, y, spectra = full_grid(7, 9, 1.0, 1.5)
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return c * x - s * y, s * x + c * y, spectra


def scattered(n: int) -> tuple[Any, Any, Any]:
    x, y = np.random.default_rng(n).uniform(0, 100, (2, n))
    return x, y, np.zeros((n, 3))


@pytest.mark.parametrize(
    ("points", "text"),
    [
        (rotated(25), r"rotated by 25\.0 degrees"),
        (rotated(-12), r"rotated by -12\.0 degrees"),
        (scattered(5), "scattered"),
        (scattered(50), "no even steps in y and x"),
        (scattered(3000), "scattered"),
        ((np.full(9, 2.0), np.full(9, 3.0), np.zeros((9, 2))), "one place.*time series"),
        (([0, 1, 2], [0, 1, np.nan], np.zeros((3, 2))), "point 3 is not a number"),
        (([0, 1], [0, 1], np.zeros((3, 2))), "each spectrum needs one place"),
        (([], [], np.zeros((0, 2))), "no spectra"),
        (([0, 1, 1e9, 7], [0, 1e9, 1, 3], np.zeros((4, 2))), "scattered"),
        (([0, 1, 300, 7], [0, 400, 1, 3], np.zeros((4, 2))), "scattered"),
    ],
)
def test_what_is_no_grid_is_refused_at_once(points: tuple[Any, Any, Any], text: str) -> None:
    began = time.perf_counter()
    with pytest.raises(FileError, match=text):
        grid_points(*points)
    assert time.perf_counter() - began < 10


@pytest.mark.parametrize("n", [4, 5, 6, 8, 12, 20])
def test_scattered_points_seldom_pass(n: int) -> None:
    rng = np.random.default_rng(n)
    passed = 0
    for _ in range(100):
        x, y = rng.uniform(0, 1, (2, n))
        try:
            grid_points(x, y, np.zeros((n, 1)))
        except FileError:
            continue
        passed += 1
    assert passed <= 5


def test_a_large_map_is_bounded_in_time() -> None:
    x, y, spectra = full_grid(300, 400)
    gridded = grid_points(x, y, spectra)
    np.testing.assert_array_equal(gridded.intensity, spectra.reshape(300, 400, 3))
