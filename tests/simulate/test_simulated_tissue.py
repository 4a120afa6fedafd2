"""Simulated tissue: seeded, its truth is its cube, and its parts lie where they should."""

import numpy as np
import pytest

from napari_deeper.simulate.tissue import tissue
from napari_deeper.spectra.errors import ParameterError

AXIS = np.linspace(600, 1800, 60)


@pytest.fixture(scope="module")
def truth():
    return tissue((60, 50), 1.0, np.random.default_rng(4), AXIS)


def test_abundances_times_endmembers_is_the_cube(truth):
    product = np.einsum("yxk,kc->yxc", truth.abundances, truth.endmembers)
    np.testing.assert_allclose(truth.cube.intensity, product, rtol=1e-4, atol=1e-5)
    assert truth.cube.shape == (60, 50, 60)
    assert truth.abundances.min() >= 0
    assert truth.cube.name == "Simulated tissue"


def test_seeds(truth):
    again = tissue((60, 50), 1.0, np.random.default_rng(4), AXIS)
    np.testing.assert_array_equal(again.cube.intensity, truth.cube.intensity)
    other = tissue((60, 50), 1.0, np.random.default_rng(5), AXIS)
    assert other.abundances.shape != truth.abundances.shape or (
        np.abs(other.cube.intensity - truth.cube.intensity).max() > 0.1
    )


def test_cells_lie_in_holes_of_the_matrix():
    shares, protein = [], []
    for seed in range(4):
        made = tissue((60, 60), 1.0, np.random.default_rng(seed), AXIS)
        part = dict(zip(made.names, np.moveaxis(made.abundances, 2, 0), strict=True))
        cells = part["protein"] > 0.4
        protein.append(cells.mean())
        if cells.any():
            shares.append(part["proteoglycan"][cells].mean() / part["proteoglycan"].mean())
    assert np.mean(shares) < 0.35
    assert 0.005 < np.mean(protein) < 0.4


def test_fibers_are_drawn_out():
    # The correlation along the best direction is far above that across it.
    ratios = []
    for seed in range(4):
        made = tissue((64, 64), 0.5, np.random.default_rng(seed), AXIS)
        fibers = made.abundances[..., made.names.index("collagen")]
        power = np.abs(np.fft.fft2(fibers - fibers.mean())) ** 2
        f = np.fft.fftfreq(64)
        tensor = [[(power * a * b).sum() for a in (f[:, None], f)] for b in (f[:, None], f)]
        low, high = np.linalg.eigvalsh(tensor)
        ratios.append(high / low)
    assert np.median(ratios) > 1.5


@pytest.mark.parametrize(("size", "pixel_size"), [((1, 1), 1.0), ((3, 40), 2.0), ((20, 20), 0.25)])
@pytest.mark.parametrize("chemistry", ["default", "held-out"])
def test_any_size_and_pixel_size(size, pixel_size, chemistry):
    made = tissue(size, pixel_size, np.random.default_rng(0), AXIS, chemistry=chemistry)
    assert made.cube.shape == (*size, 60)
    assert np.isfinite(made.cube.intensity).all()
    assert made.cube.intensity.max() > 0


def test_an_unknown_chemistry_is_refused():
    with pytest.raises(ParameterError, match="chemistry"):
        tissue((4, 4), chemistry="plastic")
