"""The solvers of abundances against slow and obvious ones, and by the conditions of an optimum."""

import importlib.util
import itertools

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from scipy.optimize import nnls

from napari_deeper.processing.abundances import SOLVERS, kkt_residual, unmix
from napari_deeper.spectra.errors import CubeError, ParameterError


def problem(n_endmembers, noise, seed, likeness=0.0, n_pixels=40, n_channels=30):
    """Bright and dark mixtures of positive endmembers; they differ by ``1 - likeness`` of themselves."""
    rng = np.random.default_rng(seed)
    shared, own = rng.random(n_channels), rng.random((n_endmembers, n_channels))
    endmembers = likeness * shared + (1 - likeness) * own
    amounts = rng.dirichlet(np.full(n_endmembers, 0.4), n_pixels) * rng.uniform(
        0.2, 3, (n_pixels, 1)
    )
    return amounts @ endmembers + rng.normal(0, noise, (n_pixels, n_channels)), endmembers


def by_every_subset(spectrum, endmembers):
    """Fully constrained: the best of all sets of endmembers whose amounts come out positive."""
    best, least = None, np.inf
    n = len(endmembers)
    for size in range(1, n + 1):
        for chosen in itertools.combinations(range(n), size):
            e = endmembers[list(chosen)]
            # Lagrange: [E E', 1; 1', 0] [a; multiplier] = [E s; 1]
            system = np.block(
                [[e @ e.T, np.ones((size, 1))], [np.ones((1, size)), np.zeros((1, 1))]]
            )
            amounts = np.linalg.solve(system, np.append(e @ spectrum, 1))[:-1]
            misfit = np.linalg.norm(amounts @ e - spectrum)
            if (amounts >= 0).all() and misfit < least:
                best, least = np.zeros(n), misfit
                best[list(chosen)] = amounts
    return best


random_problems = given(
    n_endmembers=st.integers(1, 6),
    noise=st.sampled_from([0.0, 0.01, 0.3, 5.0]),
    likeness=st.sampled_from([0.0, 0.9, 0.999, 0.99999]),
    scale=st.sampled_from([1e-5, 1.0, 1e5]),
    seed=st.integers(0, 10_000),
)


@settings(deadline=None, max_examples=60)
@random_problems
def test_abundances_meet_the_conditions_of_an_optimum(n_endmembers, noise, likeness, scale, seed):
    spectra, endmembers = problem(n_endmembers, noise, seed, likeness)
    for solver in ("nnls", "fcls"):
        found = unmix(scale * spectra, scale * endmembers, solver)
        assert kkt_residual(scale * spectra, scale * endmembers, found, solver).max() < 1e-6
        assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)


@settings(deadline=None, max_examples=15)
@given(
    n_endmembers=st.integers(1, 5),
    noise=st.sampled_from([0.0, 0.05, 2.0]),
    likeness=st.sampled_from([0.0, 0.9]),
    seed=st.integers(0, 10_000),
)
def test_fully_constrained_is_the_best_of_all_subsets(n_endmembers, noise, likeness, seed):
    spectra, endmembers = problem(n_endmembers, noise, seed, likeness, n_pixels=8)
    expected = np.stack([by_every_subset(s, endmembers) for s in spectra])
    np.testing.assert_allclose(unmix(spectra, endmembers, "fcls"), expected, atol=2e-5)


@pytest.mark.parametrize("likeness", [0.0, 0.999])
def test_the_misfit_is_that_of_scipy_where_endmembers_are_alike(likeness):
    spectra, endmembers = problem(6, 0.1, 1, likeness)
    found = unmix(spectra, endmembers).astype(float) @ endmembers
    expected = np.array([nnls(endmembers.T, s)[1] for s in spectra])
    np.testing.assert_allclose(np.linalg.norm(found - spectra, axis=1), expected, rtol=1e-6)


def test_unconstrained_is_plain_least_squares():
    spectra, endmembers = problem(4, 0.3, 2)
    expected = np.linalg.lstsq(endmembers.T, spectra.T, rcond=None)[0].T
    found = unmix(spectra, endmembers, "ucls")
    assert (found < 0).any()
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(unmix(spectra, endmembers, "pysptools-ucls"), expected, atol=1e-5)
    assert kkt_residual(spectra, endmembers, found, "ucls").max() < 1e-6


def test_amounts_that_sum_to_one_need_no_light_and_no_endmember_of_like_brightness():
    endmembers = np.diag([1.0, 100.0])
    found = unmix(np.array([[0.0, 0.0], [0.5, 50.0], [-9.0, 500.0]]), endmembers, "fcls")
    # nearest to nothing is next to all of the dark one
    np.testing.assert_allclose(found, [[1 / 1.0001, 1e-4 / 1.0001], [0.5, 0.5], [0, 1]], atol=1e-6)


@pytest.mark.parametrize("solver", ["nnls", "fcls", "ucls"])
def test_what_is_not_the_optimum_is_told(solver):
    spectra, endmembers = problem(4, 0.2, 3)
    found = unmix(spectra, endmembers, solver).astype(float)
    moved = found.copy()
    moved[:, 0] += 1e-3
    assert kkt_residual(spectra, endmembers, moved, solver).min() > 1e-5
    if solver != "ucls":
        below = found.copy()
        below[0, np.argmin(found[0])] = -1e-3
        assert kkt_residual(spectra, endmembers, below, solver)[0] > 1e-5
        # nothing of an endmember that would help
        without = np.zeros_like(found)
        without[:, 0] = 1
        assert kkt_residual(spectra, endmembers, without, solver).max() > 1e-3
    if solver == "fcls":
        assert kkt_residual(spectra, endmembers, 0.999 * found, solver).min() > 0.9e-3


def test_pysptools_is_not_exact_where_a_bound_is_met():
    spectra, endmembers = problem(4, 0.3, 4)
    other = unmix(spectra, endmembers, "pysptools-nnls")
    met = (other == 0).any(axis=1)
    assert kkt_residual(spectra, endmembers, other)[met].max() > 1e-3


@pytest.mark.skipif(importlib.util.find_spec("cvxopt") is not None, reason="cvxopt is installed")
def test_the_fcls_of_pysptools_names_what_is_missing():
    with pytest.raises(ParameterError, match="pip install cvxopt"):
        unmix(np.ones((2, 5)), np.eye(2, 5), "pysptools-fcls")


@pytest.mark.skipif(importlib.util.find_spec("cvxopt") is None, reason="cvxopt is not installed")
def test_the_fcls_of_pysptools_agrees():
    spectra, endmembers = problem(4, 0.1, 5)
    other = unmix(spectra, endmembers, "pysptools-fcls")
    np.testing.assert_allclose(other, unmix(spectra, endmembers, "fcls"), atol=1e-3)


@pytest.mark.parametrize("solver", ["nnls", "fcls", "ucls", "pysptools-nnls", "pysptools-ucls"])
def test_every_solver_keeps_shape_and_refuses_what_is_missing(solver):
    spectra, endmembers = problem(3, 0.1, 6)
    assert solver in SOLVERS
    found = unmix(spectra.reshape(5, 8, -1).astype(np.float32), endmembers, solver)
    assert found.shape == (5, 8, 3)
    assert kkt_residual(spectra.reshape(5, 8, -1), endmembers, found).shape == (5, 8)
    spectra[7, 3] = np.nan
    with pytest.raises(CubeError, match="spectra hold NaN"):
        unmix(spectra, endmembers, solver)


def test_more_endmembers_than_bits_of_a_number():
    rng = np.random.default_rng(0)
    endmembers = rng.random((70, 90)) + 3 * np.eye(70, 90)
    spectra = rng.dirichlet(np.full(70, 0.1), 6) @ endmembers + rng.normal(0, 0.1, (6, 90))
    for solver in ("nnls", "fcls"):
        found = unmix(spectra, endmembers, solver)
        assert kkt_residual(spectra, endmembers, found, solver).max() < 1e-6


def test_an_unknown_problem_has_no_conditions():
    with pytest.raises(ParameterError, match="Unknown solver 'magic'"):
        kkt_residual(np.ones((2, 5)), np.eye(2, 5), np.ones((2, 2)), "magic")
