import time

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from scipy.optimize import nnls

from napari_deeper.processing.abundances import conditioning, unmix
from napari_deeper.spectra.errors import CubeError, ParameterError


def mixtures(n_pixels, n_endmembers, n_channels, noise, seed):
    rng = np.random.default_rng(seed)
    endmembers = rng.random((n_endmembers, n_channels)) + 0.5 * rng.random(n_channels)
    amounts = rng.dirichlet(np.full(n_endmembers, 0.4), n_pixels)
    spectra = amounts @ endmembers + rng.normal(0, noise, (n_pixels, n_channels))
    return spectra, endmembers, amounts


def one_by_one(spectra, endmembers):
    return np.stack([nnls(endmembers.T, s)[0] for s in spectra])


@settings(deadline=None, max_examples=25)
@given(
    n_endmembers=st.integers(1, 7),
    noise=st.sampled_from([0.0, 0.01, 0.3, 5.0]),
    seed=st.integers(0, 1000),
    scale=st.sampled_from([1e-6, 1.0, 1e6]),
)
def test_abundances_solve_the_bounded_least_squares(n_endmembers, noise, seed, scale):
    spectra, endmembers, _ = mixtures(40, n_endmembers, 30, noise, seed)
    found = unmix(scale * spectra, endmembers).astype(float)

    # Karush, Kuhn, Tucker: not negative; no slope where in use; no downhill where not
    assert (found >= 0).all()
    slope = (found @ endmembers - scale * spectra) @ endmembers.T
    sizes = np.linalg.norm(scale * spectra, axis=1)[:, None] * np.linalg.norm(endmembers, axis=1)
    relative = slope / sizes
    assert np.abs(relative[found > 0]).max(initial=0) < 1e-6
    assert (-relative).max() < 1e-6

    expected = one_by_one(scale * spectra, endmembers)
    np.testing.assert_allclose(found, expected, atol=1e-5 * expected.max() + 1e-30)


def test_the_amounts_come_back_from_a_cube():
    spectra, endmembers, amounts = mixtures(24, 4, 50, 0.0, 3)
    found = unmix(spectra.reshape(4, 6, 50).astype(np.float32), endmembers.astype(np.float32))
    assert found.shape == (4, 6, 4)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.reshape(24, 4), amounts, atol=2e-5)


def test_what_no_endmember_explains_is_zero():
    endmembers = np.eye(3, 8)
    assert (unmix(-np.ones((2, 8)), endmembers) == 0).all()
    assert (unmix(np.zeros((2, 8)), endmembers) == 0).all()


def test_a_large_map_is_quick():
    spectra, endmembers, _ = mixtures(128 * 128, 5, 100, 0.3, 1)
    start = time.process_time()
    found = unmix(spectra, endmembers)
    taken = time.process_time() - start
    start = time.process_time()
    expected = one_by_one(spectra[::16], endmembers)
    slow = 16 * (time.process_time() - start)
    np.testing.assert_allclose(found[::16], expected, atol=1e-5)
    assert taken < slow


def test_pysptools_agrees_where_no_bound_is_met_and_only_there():
    spectra, endmembers, _ = mixtures(60, 4, 40, 0.02, 5)
    exact, other = unmix(spectra, endmembers), unmix(spectra, endmembers, "pysptools-nnls")
    inside = (exact > 0).all(axis=1)
    assert 5 < inside.sum() < 55
    np.testing.assert_allclose(other[inside], exact[inside], atol=1e-4)

    def left(found):
        return np.linalg.norm(spectra - found.astype(float) @ endmembers, axis=1)

    assert (left(exact) <= left(other) * (1 + 1e-5)).all()


@pytest.mark.parametrize(
    ("spectra", "endmembers", "error", "text"),
    [
        (np.ones((2, 3)), np.ones((4, 3)), ParameterError, "more endmembers than channels"),
        (np.ones((2, 5)), np.ones((2, 5)), CubeError, "not independent"),
        (np.ones((2, 5)), np.eye(2, 5) * [[1], [0]], CubeError, "not independent"),
        (np.full((2, 5), np.nan), np.eye(2, 5), CubeError, "spectra hold NaN"),
        (np.ones((2, 5)), np.full((2, 5), np.inf), CubeError, "endmembers hold NaN"),
        (np.ones((2, 5)), np.eye(2, 6), ParameterError, "number of channels"),
        (np.ones((2, 5)), np.ones(5), ParameterError, "endmember, channel"),
    ],
)
def test_what_cannot_be_unmixed_says_so(spectra, endmembers, error, text):
    with pytest.raises(error, match=text):
        unmix(spectra, endmembers)


def test_an_unknown_solver_says_so():
    with pytest.raises(ParameterError, match="Unknown solver"):
        unmix(np.ones((2, 5)), np.eye(2, 5), "magic")


def test_conditioning_is_that_of_the_directions():
    assert conditioning(np.diag([1.0, 1000.0])) == pytest.approx(1)
    assert conditioning(np.array([[1.0, 0], [5, 0]])) == pytest.approx(0, abs=1e-12)
    assert conditioning(np.zeros((2, 3))) == 0
