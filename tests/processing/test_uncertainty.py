import numpy as np
import pytest

from napari_deeper.processing import uncertainty


def test_a_variance_follows_the_signal_and_keeps_its_mean():
    signal = np.array([[1.0, 4.0, 100.0, 400.0]], np.float32)
    even = np.full_like(signal, 1e-6)

    shifted = even.copy()
    uncertainty.follow_signal(shifted, signal)

    assert shifted.mean() == pytest.approx(1e-6, rel=1e-5)
    assert shifted[0, 3] / shifted[0, 2] == pytest.approx(2, rel=0.01)


def test_a_variance_is_left_where_there_is_no_signal():
    even = np.ones((3, 5), np.float32)
    nothing = np.zeros((3, 5), np.float32)
    uncertainty.follow_signal(even, nothing)
    np.testing.assert_allclose(even, 1, rtol=1e-6)
    uncertainty.follow_signal(nothing, even)
    np.testing.assert_array_equal(nothing, 0)


def test_the_root_of_a_shifted_variance_is_a_standard_error():
    rng = np.random.default_rng(0)
    variance, signal = rng.random((2, 40, 7), np.float32)
    error = variance.copy()
    uncertainty.follow_signal(error, signal, root=True)
    uncertainty.follow_signal(variance, signal)
    np.testing.assert_allclose(np.square(error), variance, rtol=1e-5)
