"""What holds for every search for endmembers, and what for single ones."""

import itertools

import numpy as np
import pytest

from napari_deeper.processing.abundances import unmix
from napari_deeper.processing.endmember_search import SEARCHES, search
from napari_deeper.processing.n_findr import n_findr
from napari_deeper.processing.nmf import nmf
from napari_deeper.processing.pixel_purity import pixel_purity
from napari_deeper.spectra.errors import CubeError, DeeperError, ParameterError

every_search = pytest.mark.parametrize("method", SEARCHES)


def mixtures(n_endmembers=4, n_pixels=300, noise=0.0, seed=0, purest=1.0):
    """Mixtures at random, after as many pixels of ``purest`` of one endmember each."""
    rng = np.random.default_rng(seed)
    axis = np.linspace(0, 1, 80)
    centers = rng.uniform(0.1, 0.9, (n_endmembers, 3, 1))
    endmembers = np.exp(-(((axis - centers) / 0.05) ** 2)).sum(axis=1) + 0.2
    amounts = 0.8 * rng.dirichlet(np.ones(n_endmembers), n_pixels) + 0.2 / n_endmembers
    corners = purest * np.eye(n_endmembers) + (1 - purest) / n_endmembers
    amounts = np.concatenate([corners, amounts])
    spectra = amounts @ endmembers
    return spectra + rng.normal(0, noise, spectra.shape), endmembers


def angles(found, endmembers):
    """Return the angle (radians) of each true endmember to the found one that is like it."""
    a = found / np.linalg.norm(found, axis=1, keepdims=True)
    b = endmembers / np.linalg.norm(endmembers, axis=1, keepdims=True)
    return np.arccos(np.clip((b @ a.T).max(axis=1), -1, 1))


@every_search
@pytest.mark.parametrize("n", [1, 2, 4, 6])
def test_pure_pixels_are_found(method, n):
    spectra, endmembers = mixtures(n, noise=0.005, seed=n)
    found = search(spectra.astype(np.float32), n, method, seed=1)
    assert found.spectra.shape == (n, 80)
    assert found.spectra.dtype == np.float32
    assert found.pixels.shape == (n,)
    assert found.residual == pytest.approx(0.005, rel=0.1)
    if n > 1:
        assert angles(found.spectra, endmembers).max() < 0.04
        assert sorted(found.pixels) == list(range(n))


@every_search
def test_the_seed_settles_all(method):
    spectra, _ = mixtures(6, noise=0.1, seed=3)
    first, again = (search(spectra, 4, method, seed=5) for _ in range(2))
    np.testing.assert_array_equal(first.spectra, again.spectra)
    np.testing.assert_array_equal(first.pixels, again.pixels)


@every_search
def test_the_map_is_not_changed_nor_its_memory_order_of_consequence(method):
    spectra, _ = mixtures(4, noise=0.01)
    kept = spectra.copy()
    straight = search(spectra, 3, method)
    np.testing.assert_array_equal(spectra, kept)
    other = search(np.asfortranarray(spectra), 3, method)
    np.testing.assert_array_equal(straight.pixels, other.pixels)


@every_search
@pytest.mark.parametrize(
    ("spectra", "n", "error", "text"),
    [
        (np.ones((3, 9)), 4, ParameterError, "3 pixels of 9 channels"),
        (np.ones((9, 3)), 4, ParameterError, "from 1 to 3"),
        (np.ones((9, 3)), 0, ParameterError, "n_endmembers is 0"),
        (np.ones((9, 3)), 1.5, ParameterError, "whole number"),
        (np.ones((9, 5)), 2, CubeError, "2 independent spectra"),
        (np.arange(1, 10)[:, None] * np.ones(5), 2, CubeError, "2 independent spectra"),
        (np.zeros((9, 5)), 1, CubeError, "all zero"),
        (np.full((9, 5), np.nan), 1, CubeError, "NaN"),
        (np.full((9, 5), np.inf), 1, CubeError, "infinity"),
        (np.ones((2, 3, 4)), 1, CubeError, "pixel, channel"),
        (np.ones((0, 4)), 1, ParameterError, "0 pixels"),
    ],
)
def test_what_holds_no_endmembers_says_so(method, spectra, n, error, text):
    with pytest.raises(error, match=text):
        search(spectra, n, method)


@every_search
@pytest.mark.parametrize("value", [0.1, 1e-8, 3e7])
def test_identical_float32_spectra_have_one_endmember(method, value):
    spectra = np.tile(np.linspace(value, 2 * value, 40, dtype=np.float32), (60, 1))
    found = search(spectra, 1, method)
    np.testing.assert_allclose(found.spectra[0], spectra[0], rtol=1e-4)
    with pytest.raises(CubeError, match="independent spectra"):
        search(spectra, 3, method)


@every_search
def test_negative_intensities_are_found_or_refused(method):
    spectra, _ = mixtures(3, noise=0.01)
    if method == "nmf":
        with pytest.raises(CubeError, match="nowhere negative"):
            search(-spectra, 3, method)
    else:
        assert sorted(search(-spectra, 3, method).pixels) == [0, 1, 2]
    # noise about zero, as it is left where a background was taken off
    about_zero = search(spectra - 0.2, 3, method)
    assert np.isfinite(about_zero.spectra).all()


@every_search
def test_pixels_without_light_are_no_endmembers(method):
    spectra, _ = mixtures(3, noise=0.001)
    dark = np.random.default_rng(0).normal(0, 1e-4, (50, 80))
    assert search(np.concatenate([spectra, dark]), 3, method).pixels.max() < len(spectra)


@every_search
@pytest.mark.parametrize("noise", [0.003, 0.2])
def test_the_unit_of_intensity_does_not_matter(method, noise):
    spectra, _ = mixtures(4, noise=noise, seed=5)
    expected = search(spectra, 3, method)
    for unit in (1e-9, 1e9):
        found = search(unit * spectra, 3, method)
        np.testing.assert_array_equal(found.pixels, expected.pixels)
        np.testing.assert_allclose(
            found.spectra, unit * expected.spectra, rtol=1e-3, atol=1e-3 * unit
        )


def test_an_unknown_search_names_the_known_ones():
    with pytest.raises(ParameterError, match=r"'magic'.*vca, vca-once, n-findr, ppi, nmf"):
        search(np.eye(3), 2, "magic")


def area(points):
    """The area of a triangle of (3, 2) corners, but for a factor."""
    return abs(np.linalg.det(np.column_stack([points, np.ones(3)])))


@pytest.mark.parametrize("seed", range(4))
def test_n_findr_finds_the_largest_triangle_of_all(seed):
    rng = np.random.default_rng(seed)
    # so noisy that the map is seen about its mean, in two dimensions
    spectra = rng.normal(size=(24, 2)) @ rng.normal(size=(2, 30)) + rng.normal(0, 0.5, (24, 30))
    about = spectra - spectra.mean(axis=0)
    seen = about @ np.linalg.svd(about)[2][:2].T
    largest = max(itertools.combinations(range(24), 3), key=lambda p: area(seen[list(p)]))
    assert sorted(n_findr(spectra, 3).pixels) == list(largest)


def test_clear_corners_need_few_skewers():
    spectra, _ = mixtures(4, noise=0.001)
    assert sorted(pixel_purity(spectra, 4, n_skewers=200).pixels) == [0, 1, 2, 3]


def test_searches_that_draw_nothing_say_so():
    with pytest.raises(ParameterError, match="n_skewers is 0"):
        pixel_purity(np.eye(3), 2, n_skewers=0)
    with pytest.raises(ParameterError, match="n_starts is 0"):
        n_findr(np.eye(3), 2, n_starts=0)


def test_factors_are_positive_explain_more_than_corners_and_are_as_bright_as_pixels():
    # no pixel is purer than 0.6: there are no corners to be found
    spectra, endmembers = mixtures(3, noise=0.02, purest=0.4, seed=7)
    corners, factors = search(spectra, 3, "vca"), nmf(spectra, 3)
    assert (factors.spectra >= 0).all()
    assert factors.residual <= corners.residual
    assert (angles(factors.spectra, endmembers) < angles(corners.spectra, endmembers) + 1e-3).all()
    amounts = unmix(spectra, factors.spectra)
    for index, pixel in enumerate(factors.pixels):
        here = np.linalg.norm(spectra[pixel])
        assert np.linalg.norm(factors.spectra[index]) == pytest.approx(here, rel=0.2)
        assert 0.5 < amounts[pixel, index] < 1.2


def test_every_refusal_is_one_of_ours():
    rng = np.random.default_rng(1)
    for method, shape, n in itertools.product(
        SEARCHES, [(1, 5), (2, 2), (5, 1), (4, 4)], (1, 2, 3)
    ):
        try:
            found = search(rng.normal(size=shape), n, method)
        except DeeperError:
            continue
        assert found.spectra.shape == (n, shape[1])
