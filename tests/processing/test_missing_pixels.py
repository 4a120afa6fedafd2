import numpy as np
import pytest

from napari_deeper.processing.missing import usable_pixels
from napari_deeper.spectra.errors import CubeError


def test_a_pixel_with_one_missing_channel_is_missing():
    cube = np.ones((60, 50, 4), np.float32)
    cube[3, 7, 2], cube[59, 49, 0], cube[0, 0, 3] = np.nan, np.inf, -np.inf
    usable = usable_pixels(cube)
    assert usable.shape == (60, 50)
    assert sorted(map(tuple, np.argwhere(~usable).tolist())) == [(0, 0), (3, 7), (59, 49)]
    assert usable_pixels(cube.reshape(-1, 4)).sum() == 2997


@pytest.mark.parametrize("cube", [np.full((2, 3, 4), np.nan), np.zeros((0, 4))])
def test_a_map_without_a_pixel_says_so(cube):
    with pytest.raises(CubeError, match="nothing was measured"):
        usable_pixels(cube)
