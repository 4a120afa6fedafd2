"""Where patches lie: on whole pixels, on the grid of the scale, inside the map."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_deeper.processing.patch_grid import (
    Ground,
    check_fits,
    fitting_size,
    propose_size,
    size_for,
    snap,
    tiles,
    windows,
)
from napari_deeper.processing.patch_labels import patches_in_labels
from napari_deeper.spectra.errors import PatchError

MAP = Ground("map", (40, 60), (10.0, -5.0), (0.5, 2.0))


def test_a_drawing_over_a_patch_gives_that_patch_back():
    box = MAP.box((8, 16), 16)
    # the outline runs along the outer edges of the pixels
    assert box == ((10 + 7.5 * 0.5, -5 + 15.5 * 2), (10 + 23.5 * 0.5, -5 + 31.5 * 2))
    assert snap(box, [MAP], 16, 2).corners == ((8, 16),)
    upside_down = (box[1], box[0])
    assert snap(upside_down, [MAP], 16, 2).corners == ((8, 16),)


places = st.floats(-20, 120, allow_nan=False)


@settings(deadline=None, max_examples=150)
@given(places, places, places, places, st.sampled_from([1, 2, 3, 4]), st.integers(4, 20))
def test_whatever_is_drawn_the_patches_fit_the_map(y0, x0, y1, x1, scale, coarse):
    size = min(coarse * scale, 36)
    size -= size % scale
    box = ((y0, x0), (y1, x1))
    if not MAP.shared_area(box):
        with pytest.raises(PatchError, match="outside every cube"):
            snap(box, [MAP], size, scale)
        return
    found = snap(box, [MAP], size, scale)
    covered = np.zeros(MAP.shape, int)
    for y, x in found.corners:
        assert y % scale == 0
        assert x % scale == 0
        assert 0 <= y <= 40 - size
        assert 0 <= x <= 60 - size
        covered[y : y + size, x : x + size] += 1
    assert covered.max() == 1  # side by side, none above another


def test_the_patch_lies_about_the_middle_of_what_was_drawn_and_large_drawings_are_tiled():
    ground = Ground("map", (64, 64), (0.0, 0.0), (1.0, 1.0))
    assert snap(((19.5, 29.5), (20.5, 30.5)), [ground], 16, 1).corners == ((12, 22),)
    assert snap(((20, 30), (20, 30)), [ground], 16, 2).corners == ((12, 22),)  # a click
    # the nearest place of the grid of 4 to the corner (11, 21) that the middle asks for
    assert snap(((18.5, 28.5), (18.5, 28.5)), [ground], 16, 4).corners == ((12, 20),)
    assert len(snap(((0, 0), (23.4, 15)), [ground], 16, 2).corners) == 1
    assert len(snap(((0, 0), (24.1, 15)), [ground], 16, 2).corners) == 2
    found = snap(((-0.5, -0.5), (31.5, 47.5)), [ground], 16, 2).corners
    assert found == ((0, 0), (0, 16), (0, 32), (16, 0), (16, 16), (16, 32))
    # more than the map holds becomes what it holds
    assert len(snap(((-99, -99), (199, 199)), [ground], 24, 2).corners) == 4


def test_the_map_that_is_covered_most_is_meant_and_then_the_one_preferred():
    left = Ground("left", (20, 20), (0.0, 0.0), (1.0, 1.0))
    right = Ground("right", (20, 20), (0.0, 22.0), (1.0, 1.0))
    above = Ground("above", (20, 20), (0.0, 0.0), (1.0, 1.0))
    box = ((5, 10), (12, 30))
    assert snap(box, [left, right], 8, 2).ground is left
    assert snap(((5, 16), (12, 30)), [left, right], 8, 2).ground is right
    assert snap(box, [left, right, above], 8, 2).ground is above  # the topmost
    assert snap(box, [left, right, above], 8, 2, prefer="left").ground is left
    with pytest.raises(PatchError, match="outside every cube that is ticked \\('left', 'right'\\)"):
        snap(((50, 50), (60, 60)), [left, right], 8, 2)
    with pytest.raises(PatchError, match="there is none"):
        snap(box, [], 8, 2)


def test_sizes_are_multiples_of_the_scale_and_a_small_map_gets_a_proposal():
    assert fitting_size(64, 3) == 63
    assert fitting_size(64, 2, (18, 20)) == 18
    assert fitting_size(64, 4, (7, 20)) == 0
    bladder = Ground("bladder", (18, 20), (0.0, 0.0), (300.0, 300.0))
    assert propose_size([(18, 20)], 2) == 8
    with pytest.raises(PatchError, match=r"18 x 20 pixels: no patch of 64 x 64 fits.* size of 8"):
        check_fits(bladder, 64, 2)
    with pytest.raises(PatchError, match="multiple of 3"):
        check_fits(bladder, 16, 3)
    with pytest.raises(PatchError, match="too small"):
        check_fits(Ground("dot", (3, 9), (0, 0), (1, 1)), 8, 2)
    check_fits(bladder, 8, 2)


@settings(deadline=None, max_examples=60)
@given(st.integers(4, 90), st.integers(4, 90), st.integers(1, 4), st.integers(1, 30))
def test_the_size_proposed_is_the_largest_that_does(y, x, scale, n):
    size = size_for(n, [(y, x)], scale, 64)
    room = {s: (y // s) * (x // s) for s in range(2 * scale, 65, scale)}
    assert size == max([s for s, r in room.items() if r >= n], default=0)
    if size:
        assert len(tiles((y, x), size, scale)) == room[size]
        # tiles are among the places that a patch can have at all
        assert set(tiles((y, x), size, scale)) <= set(windows((y, x), size, scale, scale))


def slow_share(labels, value, corner, size):
    y, x = corner
    return float((labels[y : y + size, x : x + size] == value).mean())


def test_patches_of_labels_lie_mostly_in_them_and_not_above_each_other():
    rng = np.random.default_rng(0)
    labels = np.zeros((40, 50), int)
    labels[2:22, 3:24] = 1
    labels[20:38, 26:44] = 7
    labels[rng.random(labels.shape) < 0.1] = 0
    found = patches_in_labels(labels, 8, 2)
    assert {one.label for one in found} == {1, 7}
    covered = np.zeros(labels.shape, int)
    for one in found:
        y, x = one.corner
        covered[y : y + 8, x : x + 8] += 1
        assert one.share == pytest.approx(slow_share(labels, one.label, one.corner, 8))
        assert one.share >= 0.5
    assert covered.max() == 1
    assert [one.share for one in found] == sorted((one.share for one in found), reverse=True)
    # what is taken stays free of further ones
    more = patches_in_labels(labels, 8, 2, taken=[(one.corner, 8) for one in found])
    for one in more:
        assert (
            covered[one.corner[0] : one.corner[0] + 8, one.corner[1] : one.corner[1] + 8].sum() == 0
        )


def test_labels_that_fill_no_patch_are_told():
    labels = np.zeros((20, 20), int)
    with pytest.raises(PatchError, match="Nothing is painted"):
        patches_in_labels(labels, 8, 2)
    labels[4:8, 4:8] = 3
    with pytest.raises(PatchError, match="25 % at the most"):
        patches_in_labels(labels, 8, 2)
