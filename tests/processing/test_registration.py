import numpy as np
import pytest

from napari_deeper.processing.registration import find_shift


@pytest.mark.parametrize("move", [(0, 0), (2, -1), (-3, 3)])
def test_a_moved_window_is_found(move):
    field = np.random.default_rng(0).normal(size=(30, 40))
    reference = field[5:25, 5:35]
    image = field[5 + move[0] : 25 + move[0], 5 + move[1] : 35 + move[1]]
    found = find_shift(2 * image + 7, reference)
    assert found.pixels == move
    assert found.correlation == pytest.approx(1)
    assert (found.as_it_is > 0.99) == (move == (0, 0))


def test_uniform_and_tiny_images_stay_where_they_are():
    assert find_shift(np.ones((5, 5)), np.eye(5)) == find_shift(np.eye(5), np.ones((5, 5)))
    assert find_shift(np.ones((5, 5)), np.eye(5)).pixels == (0, 0)
    assert find_shift(np.ones((1, 1)), np.ones((1, 1))).pixels == (0, 0)
