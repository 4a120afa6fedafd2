import numpy as np
import pytest

from napari_deeper.processing import uncertainty


def test_a_variance_follows_the_signal_and_keeps_its_mean():
    signal = np.array([[1.0, 4.0, 100.0, 400.0]], np.float32)
    even = np.full_like(signal, 1e-6)

    shifted = uncertainty.follow_signal(even, signal)

    assert shifted.mean() == pytest.approx(1e-6, rel=1e-5)
    assert shifted[0, 3] / shifted[0, 2] == pytest.approx(2, rel=0.01)


def test_a_variance_is_left_where_there_is_no_signal():
    even = np.ones((3, 5), np.float32)
    np.testing.assert_allclose(uncertainty.follow_signal(even, 0 * even), even, rtol=1e-6)
    np.testing.assert_array_equal(uncertainty.follow_signal(0 * even, even), 0)
