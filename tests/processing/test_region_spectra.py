"""Mean and spread of the spectra of a region."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import napari_deeper as nd
from napari_deeper.processing.regions import notes_of, region_spectra, region_spectrum
from napari_deeper.spectra.errors import CubeError


def square(name, y, x, size):
    return nd.Region(name, np.array([(y, x), (y, x + size), (y + size, x + size), (y + size, x)]))


def test_mean_and_sd_are_those_of_the_pixels_inside(small_cube):
    # origin (3, -2), pixels of 0.5: rows 2 to 4, columns 1 to 3
    found = region_spectrum(small_cube, square("cell", 3.8, -1.7, 1.5))
    pixels = [small_cube.intensity[y, x] for y in (2, 3, 4) for x in (1, 2, 3)]
    np.testing.assert_allclose(found.mean, np.mean(pixels, axis=0), rtol=1e-5)
    np.testing.assert_allclose(found.sd, np.std(pixels, axis=0, ddof=1), rtol=1e-4)
    assert (found.n_pixels, found.n_missing, found.outside) == (9, 0, 0.0)
    assert notes_of([found]) == []


def test_what_lies_outside_or_is_nan_is_left_out_and_said(small_cube):
    values = small_cube.intensity.copy()
    values[0, 0, 5] = np.nan
    cube = nd.RamanCube(values, small_cube.wavenumber, (0.5, 0.5), origin=(3, -2))
    found = region_spectrum(cube, square("corner", 1.75, -3.25, 2))  # a quarter minus is inside
    assert (found.n_pixels, found.n_missing) == (3, 1)
    assert found.outside == pytest.approx(0.75, abs=0.01)
    outside, missing = notes_of([found])
    assert "'corner' lies partly outside, by up to 75 %" in outside
    assert "'cube' (3)" in outside
    assert "left out of region 'corner', of 'cube' (1)" in missing


def test_a_region_beyond_the_cube_or_between_pixels_is_refused(small_cube):
    with pytest.raises(CubeError, match=r"'far' .* lies outside 'small' .*Move it"):
        region_spectrum(small_cube, square("far", 100, 100, 3))
    with pytest.raises(CubeError, match=r"center of no pixel"):
        region_spectrum(small_cube, square("dot", 3.6, -1.4, 0.1))
    empty = dataclasses.replace(small_cube, intensity=np.full(small_cube.shape, np.nan))
    with pytest.raises(CubeError, match="Every pixel of region 'a'"):
        region_spectrum(empty, square("a", 3.8, -1.7, 1.5))


def test_units_must_agree(small_cube):
    unplaced = dataclasses.replace(small_cube, pixel_size=None)
    with pytest.raises(CubeError, match="is in um and 'small' in pixel"):
        region_spectra(unplaced, [square("a", 3.8, -1.7, 1.5)])


def test_one_pixel_has_no_spread(small_cube):
    found = region_spectrum(small_cube, square("one", 3.3, -1.7, 0.4))
    assert found.n_pixels == 1
    assert np.isnan(found.sd).all()
