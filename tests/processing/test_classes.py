import numpy as np
import pytest

from napari_deeper.processing.classes import accuracy, balanced_accuracy, class_map, classify
from napari_deeper.spectra.errors import CubeError, ParameterError


@pytest.fixture(scope="module")
def target():
    """Three stripes of 2, 6 and 12 columns, brighter to the bottom, and no mixtures."""
    axis = np.linspace(0, 1, 40)
    spectra = np.exp(-(((axis - np.array([[0.2], [0.5], [0.8]])) / 0.1) ** 2))
    stripe = np.repeat([0, 1, 2], [2, 6, 12])
    bright = np.linspace(1, 2, 10)[:, None, None]
    return spectra[stripe] * bright


def test_stripes_are_classes(target):
    found = class_map(target, 3)
    assert found.n_classes == 3
    classes = found.classes.reshape(10, 20)
    assert (classes == classes[0]).all()
    assert [len(set(classes[0, a:b])) for a, b in ((0, 2), (2, 8), (8, 20))] == [1, 1, 1]
    assert len(set(classes[0])) == 3
    assert accuracy(classify(target, found.endmembers.spectra), found.classes) == 1


def test_the_class_is_of_the_likeness_or_of_the_light(target):
    # between a dim and a bright endmember, half of each: the light is of the bright one
    dim, bright = target[0, 0], 10 * target[0, 19]
    image = np.stack([dim, bright, 0.6 * dim + 0.4 * bright])[None]
    alike, light = class_map(image, 2), class_map(image, 2, unit_length=True)
    assert alike.classes[2] == alike.classes[0] != alike.classes[1]
    assert light.classes[2] == light.classes[1] != light.classes[0]
    np.testing.assert_allclose(np.linalg.norm(light.endmembers.spectra, axis=1), 1, rtol=1e-5)


def test_fewer_endmembers_where_there_are_no_more(target):
    assert class_map(target, 5).n_classes == 3
    with pytest.raises(CubeError, match="2 independent"):
        class_map(np.ones((4, 4, 10)), 5)
    with pytest.raises(CubeError, match="NaN"):
        class_map(np.full((4, 4, 10), np.nan), 5)
    with pytest.raises(CubeError, match="one pixel or channel"):
        class_map(np.ones((1, 1, 10)), 5)
    with pytest.raises(ParameterError, match="at least 2"):
        class_map(target, 1)


def test_accuracies_of_a_worked_example():
    target = np.array([0, 0, 0, 0, 0, 0, 1, 1, 2, 2])
    found = np.array([0, 0, 0, 0, 0, 1, 1, 0, 3, 2])
    assert accuracy(found, target) == pytest.approx(7 / 10)
    assert balanced_accuracy(found, target) == pytest.approx((5 / 6 + 1 / 2 + 1 / 2) / 3)
    assert accuracy(target, target) == balanced_accuracy(target, target) == 1
    with pytest.raises(ParameterError, match="not one for each"):
        accuracy(target[1:], target)
