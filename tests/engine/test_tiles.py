import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_deeper.engine.tiles import cut


def test_an_image_that_fits_stays_whole():
    (tile,) = cut(30, 40, 64, 2)

    assert (tile.y, tile.x) == (slice(0, 30), slice(0, 40))
    assert (tile.weight == 1).all()


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.integers(4, 40),
    st.integers(1, 4),
    st.integers(0, 16),
)
def test_weights_sum_to_one_everywhere(n_y, n_x, size, scale, overlap):
    total = np.zeros((n_y * scale, n_x * scale, 1))
    for tile in cut(n_y, n_x, size, scale, overlap):
        rows, columns = tile.fine(scale)
        total[rows, columns] += tile.weight
        assert tile.y.stop - tile.y.start <= size
        assert tile.x.stop - tile.x.start <= size

    np.testing.assert_allclose(total, 1, atol=1e-5)


@pytest.mark.parametrize("size", [16, 32])
def test_the_edge_inside_the_image_counts_for_nothing(size):
    first = cut(50, 8, size, 2)[0]

    assert first.weight[-1].max() < 1e-3
    assert first.weight[0].min() == 1


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 80), st.integers(1, 80), st.integers(8, 32))
def test_what_each_tile_gets_right_is_put_together_exactly(n_y, n_x, size):
    fine = np.random.default_rng(0).normal(size=(2 * n_y, 2 * n_x, 2))
    together = np.zeros_like(fine)
    for tile in cut(n_y, n_x, size, 2):
        together[tile.fine(2)] += tile.weight * fine[tile.fine(2)]

    np.testing.assert_allclose(together, fine, atol=1e-5)
