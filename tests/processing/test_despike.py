"""Cosmic rays: how many are found, what is taken for one, and what a repair leaves."""

from __future__ import annotations

import numpy as np
import pytest

from napari_deeper import RamanCube, read
from napari_deeper.processing.despike import find_rays, repair_rays
from napari_deeper.processing.noise import sigma_per_pixel
from napari_deeper.simulate.cells import cell
from napari_deeper.simulate.instrument import Instrument, measure

CHANNEL = np.arange(500)


@pytest.fixture(scope="module")
def measured() -> RamanCube:
    """A simulated cell with fluorescence and without cosmic rays."""
    instrument = Instrument(fluorescence=200, fluorescence_contrast=0.5)
    return measure(cell((40, 40)).cube, 1.0, np.random.default_rng(4), instrument)


def struck(cube: RamanCube, width: int, n: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """Return intensities with rays 30 to 3000 sigma high, and [y, x, first channel] of each."""
    rng = np.random.default_rng(width)
    sigma = sigma_per_pixel(cube.intensity)
    pixels = rng.choice(cube.shape[0] * cube.shape[1], n, replace=False)
    places = np.column_stack([*np.divmod(pixels, cube.shape[1]), rng.integers(5, 490, n)])
    intensity = cube.intensity.copy()
    for y, x, channel in places:
        form = rng.uniform(0.3, 1, width)
        height = sigma[y, x] * np.exp(rng.uniform(np.log(30), np.log(3000)))
        intensity[y, x, channel : channel + width] += height * form / form.max()
    return intensity, places


@pytest.mark.parametrize(("width", "least"), [(1, 0.97), (2, 0.95), (3, 0.9), (4, 0.85)])
def test_rays_are_found(measured, width, least):
    intensity, places = struck(measured, width)
    _, heights = find_rays(intensity, 7, 4)
    found = [heights[y, x, c - 1 : c + width + 1].any() for y, x, c in places]
    assert np.mean(found) >= least
    assert np.count_nonzero(heights) <= 1.15 * len(places)


def test_no_alarm_without_rays(measured):
    assert not find_rays(measured.intensity, 7, 4)[0].any()


def test_simulated_cosmic_rays_are_found_at_a_tenth_of_a_second():
    clean = cell((40, 40)).cube
    with_rays, without = (
        measure(clean, 0.1, np.random.default_rng(1), Instrument(cosmic_rays=rate)).intensity
        for rate in (1.0, 0.0)
    )
    truth = with_rays - without > 400  # both have the same noise up to there
    mask, heights = find_rays(with_rays, 7, 4)
    assert truth.sum() > 100
    assert (mask & truth).sum() >= 0.98 * truth.sum()
    assert np.count_nonzero(heights) == pytest.approx(truth.sum(), rel=0.02)


def test_bands_of_a_single_pixel_are_kept(measured):
    sigma = float(np.median(sigma_per_pixel(measured.intensity)))
    intensity = measured.intensity.copy()
    rng = np.random.default_rng(3)
    for y in range(2, 40, 4):
        for x in range(2, 40, 4):
            width, height = rng.choice([4.0, 5.0, 8.0]), sigma * rng.choice([15, 50, 300])
            band = np.exp(-4 * np.log(2) * ((CHANNEL - rng.uniform(20, 480)) / width) ** 2)
            intensity[y, x] += rng.poisson(height * band)
    assert not find_rays(intensity, 7, 4)[0].any()


def test_a_line_that_neighbors_share_is_kept(measured):
    intensity = measured.intensity.copy()
    intensity[10:13, 10:13, 250] += 500  # as narrow as a ray, in nine pixels
    assert not find_rays(intensity, 7, 4)[0].any()
    alone = find_rays(intensity, 7, 4, compare_neighbors=False)[1]
    assert np.count_nonzero(alone) == 9


def test_a_repair_follows_the_band_below(measured):
    intensity, _ = struck(measured, 2)
    mask, heights = find_rays(intensity, 7, 4)
    sigma = sigma_per_pixel(measured.intensity)
    for from_neighbors in (True, False):
        mended = repair_rays(intensity, mask, from_neighbors=from_neighbors)
        error = np.abs(mended - measured.intensity).max(axis=2) / sigma
        hit = heights.any(axis=2)
        assert np.median(error[hit]) < 5
        assert (mended[~hit] == intensity[~hit]).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 12), (12, 1)])
def test_spectra_and_lines_have_rays_too(shape):
    rng = np.random.default_rng(0)
    intensity = rng.normal(100, 1, (*shape, 200)).astype(np.float32)
    intensity[-1, -1, 50:52] += 80
    mask, _ = find_rays(intensity, 7, 4)
    assert mask[-1, -1, 50:52].all()
    assert mask.any(axis=2).sum() == 1
    assert abs(repair_rays(intensity, mask)[-1, -1, 50] - 100) < 5


def test_pixels_that_were_not_measured_are_left_alone(measured):
    intensity, _ = struck(measured, 1)
    intensity[3:6, 3:6] = np.nan
    mask, _ = find_rays(intensity, 7, 4)
    assert not mask[3:6, 3:6].any()
    mended = repair_rays(intensity, mask)
    np.testing.assert_array_equal(np.isnan(mended), np.isnan(intensity))


def test_the_two_rays_of_the_measured_cell_are_found_and_its_droplets_kept(thp1_path):
    cube = read(thp1_path)
    mask, heights = find_rays(cube.intensity, 7, 4)
    assert {tuple(p) for p in np.argwhere(heights)[:, :2]} == {(28, 29), (39, 15)}
    mended = repair_rays(cube.intensity, mask)
    band = (cube.wavenumber > 1420) & (cube.wavenumber < 1460)
    droplets = np.s_[18:28, 18:28]
    np.testing.assert_array_equal(mended[droplets][..., band], cube.intensity[droplets][..., band])
