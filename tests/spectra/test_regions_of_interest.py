"""Regions of interest: outlines, ellipses and labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.path import Path as Outline

from napari_deeper import Region
from napari_deeper.spectra.errors import CubeError
from napari_deeper.spectra.regions import region_of_shape, regions_of_labels


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=3, max_size=7),
    st.integers(0, 99),
)
def test_a_polygon_holds_what_an_independent_test_says(corners, seed):
    outline = np.array(corners) + 0.123  # no corner on a place
    y, x = np.random.default_rng(seed).uniform(-10, 10, (2, 50))
    region = Region("a", outline)
    expected = [winding_is_odd(outline, p) for p in zip(y, x, strict=True)]
    assert region.contains(y, x).tolist() == expected


def winding_is_odd(outline, place):
    """Count the edges that a ray along +x meets, one by one."""
    y, x = place
    met = 0
    for i in range(len(outline)):
        (y1, x1), (y2, x2) = outline[i - 1], outline[i]
        if min(y1, y2) <= y < max(y1, y2):
            met += x < x1 + (x2 - x1) * (y - y1) / (y2 - y1)
    return met % 2 == 1


def test_a_convex_polygon_as_matplotlib_has_it():
    corners = np.array([(0.1, 0.2), (4.3, 1.1), (3.2, 5.7)])
    y, x = np.mgrid[-1:6:0.21, -1:7:0.23]
    inside = Outline(corners).contains_points(np.stack([y.ravel(), x.ravel()], axis=1))
    np.testing.assert_array_equal(Region("t", corners).contains(y, x).ravel(), inside)


def test_an_ellipse_covers_its_area_and_a_rectangle_all():
    box = [(0, 0), (0, 8), (4, 8), (4, 0)]
    y, x = np.mgrid[-1:5:0.02, -1:9:0.02]
    area = region_of_shape("e", "ellipse", box).contains(y, x).sum() * 0.02**2
    assert area == pytest.approx(np.pi * 4 * 2, rel=0.01)
    assert region_of_shape("r", "rectangle", box).contains(y, x).sum() * 0.02**2 == pytest.approx(
        32, rel=0.02
    )


def test_labels_become_regions_with_their_place():
    labels = np.zeros((4, 5), int)
    labels[1, 2], labels[3] = 7, 2
    two, seven = regions_of_labels(labels, origin=(10, 20), spacing=(2, 3), names={7: "nucleus"})
    assert (two.name, seven.name) == ("label 2", "nucleus")
    assert seven.contains(12, 26)
    assert seven.contains(12.9, 27.4)
    assert not seven.contains(13.1, 26)
    assert seven.bounds() == ((11, 13), (24.5, 27.5))
    assert two.contains(16, [20, 32, 33.4, 33.6, -100]).tolist() == [True, True, True, False, False]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Region("a"), "outline or a mask"),
        (lambda: Region(" ", np.eye(3)[:, :2]), "name"),
        (lambda: Region("a", np.zeros((2, 2))), "three corners"),
        (lambda: Region("a", np.array([(0, 0), (1, np.nan), (1, 1)])), "NaN"),
        (lambda: Region("a", mask=np.zeros((2, 2), bool)), "empty"),
        (lambda: regions_of_labels(np.zeros((2, 2), int)), "every pixel is 0"),
        (lambda: regions_of_labels(np.ones((2, 2, 2), int)), "whole numbers"),
        (lambda: regions_of_labels(np.ones((2, 2))), "whole numbers"),
    ],
)
def test_what_is_no_region_is_refused(make, text):
    with pytest.raises(CubeError, match=text):
        make()
