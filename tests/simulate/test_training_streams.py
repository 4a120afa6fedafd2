"""What shipped weights were trained on can be drawn again: these numbers must not change."""

import numpy as np
import pytest

from napari_deeper.simulate.domain import random_training_spectra
from napari_deeper.simulate.random_images import random_image
from napari_deeper.simulate.random_maps import random_cube, random_map
from napari_deeper.simulate.random_measurements import random_measurement
from napari_deeper.simulate.random_spectra import (
    random_components,
    random_mixtures,
    random_noise,
)

AXIS = np.linspace(600, 1800, 120)
CLEAN = np.abs(np.sin(AXIS))[None].repeat(5, axis=0)


@pytest.mark.parametrize(
    ("draw", "fourth", "fifth_last", "total"),
    [
        (lambda r: random_components(5, AXIS, r), 0.0131282, 0.1302169, 231.79338),
        (lambda r: random_mixtures(5, AXIS, r), 0.0890924, 0.9997015, 289.45334),
        (lambda r: random_noise((5, 120), r), -0.5103071, 0.0323267, 459.58055),
        (lambda r: random_cube((6, 7), AXIS, r), 0.0, 0.0186992, 1271.77808),
        (lambda r: random_map((9, 8), r), 0.0248401, 3.4789770, 66.218032),
        (lambda r: random_image((9, 8), r), -0.4444473, 0.0488736, 57.091895),
        (lambda r: random_training_spectra(5, AXIS, r), 0.6584026, 0.4808468, 453.11432),
        (lambda r: random_measurement(CLEAN, r)[0], 0.9364576, 0.5375769, 406.84439),
    ],
)
def test_the_same_seed_gives_the_numbers_of_the_recipe(draw, fourth, fifth_last, total):
    made = draw(np.random.default_rng(11)).ravel()
    assert made[3] == pytest.approx(fourth, abs=2e-6)
    assert made[-5] == pytest.approx(fifth_last, abs=2e-6)
    assert np.abs(made).sum() == pytest.approx(total, rel=1e-5)
