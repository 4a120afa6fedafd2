"""Random spectra and maps: seeded, scaled, and of every kind that they promise."""

import numpy as np
import pytest

from napari_deeper.simulate.random_images import random_image
from napari_deeper.simulate.random_maps import blur, random_cube, random_map, smooth_field
from napari_deeper.simulate.random_spectra import (
    random_components,
    random_mixtures,
    random_noise,
    smooth_backgrounds,
)

AXIS = np.linspace(600, 1800, 120)


@pytest.mark.parametrize("make", [random_components, random_mixtures, smooth_backgrounds])
def test_spectra_are_seeded_and_of_mean_square_one(make):
    one, two = (make(20, AXIS, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert one.shape == (20, 120)
    np.testing.assert_allclose((one**2).mean(axis=1), 1, rtol=1e-5)
    assert np.abs(np.corrcoef(one)[np.triu_indices(20, 1)]).mean() < 0.9


def test_components_are_positive():
    assert (random_components(50, AXIS, np.random.default_rng(0)) >= 0).all()


def test_noise_has_variance_one_and_some_of_it_is_correlated():
    noise = random_noise((3000, 200), np.random.default_rng(1))
    assert noise.std() == pytest.approx(1, abs=0.01)
    neighbours = (noise[:, 1:] * noise[:, :-1]).mean(axis=1)
    correlated = neighbours > 0.25
    assert 0.15 < correlated.mean() < 0.45
    assert abs(np.median(neighbours[~correlated])) < 0.1


def test_maps_and_cubes():
    rng = np.random.default_rng(0)
    maps = [random_map((20, 24), rng) for _ in range(40)]
    assert all(field.shape == (20, 24) and (field >= 0).all() for field in maps)
    assert sum(field.max() > 0 for field in maps) > 30
    one, two = (random_cube((12, 12), AXIS, np.random.default_rng(2)) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert ((one - one.mean((0, 1))) ** 2).mean() == pytest.approx(1)


def test_smooth_fields_are_of_the_length_asked_for():
    rng = np.random.default_rng(0)

    def neighbour_correlation(shortest, longest):
        fields = [smooth_field((40, 40), rng, shortest, longest) for _ in range(20)]
        return np.mean([np.corrcoef(f[:, 1:].ravel(), f[:, :-1].ravel())[0, 1] for f in fields])

    assert neighbour_correlation(0.05, 0.06) < 0.1
    assert neighbour_correlation(3.0, 3.1) > 0.9


def test_blur_keeps_the_sum_and_has_its_width():
    point = np.zeros((41, 41))
    point[20, 20] = 1
    seen = blur(point, 2.0)
    assert seen.sum() == pytest.approx(1, abs=1e-6)
    y = np.arange(41) - 20
    assert (seen.sum(axis=1) * y**2).sum() == pytest.approx(4.0, rel=0.02)


def test_images_are_seeded_standard_and_from_smooth_to_rough():
    one, two = (random_image((17, 24), np.random.default_rng(8)) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    alike = []
    for seed in range(60):
        image = random_image((24, 17), np.random.default_rng(seed))
        assert image.shape == (24, 17)
        assert abs(image.mean()) < 1e-9
        square = (image**2).mean()
        assert square == pytest.approx(1, abs=1e-6) or square == 0
        alike.append((image[:, 1:] * image[:, :-1]).mean())
    assert np.quantile(alike, 0.95) > 0.9
    assert np.quantile(alike, 0.05) < 0.2
