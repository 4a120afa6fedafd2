"""Simulated cells: the same seed gives the same cell, and its truth is its cube."""

import numpy as np
import pytest

from napari_deeper.simulate.bands import Band, profile, spectrum
from napari_deeper.simulate.cells import cell, default_wavenumber
from napari_deeper.simulate.components import COMPONENTS, endmembers


@pytest.fixture(scope="module")
def truth():
    return cell((40, 36), 0.5, np.random.default_rng(4))


def test_abundances_times_endmembers_is_the_cube(truth):
    product = np.einsum("yxk,kc->yxc", truth.abundances, truth.endmembers)
    np.testing.assert_allclose(truth.cube.intensity, product, rtol=1e-4, atol=1e-5)
    assert truth.abundances.shape == (40, 36, len(truth.names))
    assert truth.cube.shape == (40, 36, 500)
    assert truth.cube.pixel_size == (0.5, 0.5)


def test_the_same_seed_gives_the_same_cell_and_another_does_not(truth):
    again = cell((40, 36), 0.5, np.random.default_rng(4))
    np.testing.assert_array_equal(again.cube.intensity, truth.cube.intensity)
    other = cell((40, 36), 0.5, np.random.default_rng(5))
    assert np.abs(other.cube.intensity - truth.cube.intensity).max() > 0.1


def test_everything_is_physical(truth):
    assert (truth.abundances >= 0).all()
    assert np.isfinite(truth.cube.intensity).all()
    np.testing.assert_allclose((truth.endmembers**2).mean(axis=1), 1, rtol=1e-5)


def test_parts_lie_where_they_should():
    truth = cell((40, 36), 0.5, np.random.default_rng(4), neighbors=False)
    part = dict(zip(truth.names, np.moveaxis(truth.abundances, 2, 0), strict=True))
    corner, middle = (slice(0, 3), slice(0, 3)), (slice(15, 25), slice(13, 23))
    for name in ("protein", "nucleic acid", "lipid", "membrane"):
        assert part[name][corner].max() < 0.02
    assert part["protein"][middle].mean() > 0.3
    assert part["nucleic acid"].max() > 0.4
    for name in ("water", "substrate"):
        assert part[name][corner].mean() > part[name][middle].mean()
    # Droplets are small: a few pixels hold much of the lipid.
    lipid = np.sort(part["lipid"].ravel())[::-1]
    assert lipid[0] > 0.5
    assert lipid[:30].sum() > 0.4 * lipid.sum()


def test_the_reticulum_lies_about_the_nucleus():
    made = [cell((64, 64), 0.5, np.random.default_rng(i), neighbors=False) for i in range(4)]
    near, far = [], []
    for truth in made:
        dna = truth.abundances[..., truth.names.index("nucleic acid")]
        membrane = truth.abundances[..., truth.names.index("membrane")]
        protein = truth.abundances[..., truth.names.index("protein")]
        y, x = np.nonzero(dna > 0.35)
        away = np.hypot(*(np.mgrid[:64, :64] - np.array([y.mean(), x.mean()])[:, None, None]))
        radius = np.sqrt(y.size / np.pi)
        cytoplasm = (protein > 0.5) & (dna < 0.25)
        near.append(membrane[cytoplasm & (away < radius + 4)].mean())
        far.append(membrane[cytoplasm & (away > radius + 7)].mean())
    assert np.mean(near) > 1.3 * np.mean(far)


def test_droplets_are_as_small_as_a_pixel():
    truth = cell((64, 64), 0.5, np.random.default_rng(3), neighbors=False)
    lipid = truth.abundances[..., truth.names.index("lipid")]
    core = np.pad(lipid, 1)
    around = [core[1 + a : 65 + a, 1 + b : 65 + b] for a, b in ((0, 1), (1, 0), (0, -1), (-1, 0))]
    single = (lipid > 0.3) & (np.max(around, axis=0) < 0.75 * lipid)
    assert single.sum() >= 2


def test_neighbors_reach_into_the_field():
    rim = np.ones((48, 48), dtype=bool)
    rim[3:-3, 3:-3] = False

    def protein_at_the_rim(seed, neighbors):
        truth = cell((48, 48), 0.5, np.random.default_rng(seed), neighbors=neighbors)
        return truth.abundances[..., truth.names.index("protein")][rim].mean()

    alone = [protein_at_the_rim(i, False) for i in range(5)]
    beside = [protein_at_the_rim(i, True) for i in range(5)]
    assert np.mean(beside) > np.mean(alone) + 0.02


def test_a_large_field_holds_many_cells():
    truth = cell((60, 60), 2.0, np.random.default_rng(0), default_wavenumber(20))
    dna = truth.abundances[..., truth.names.index("nucleic acid")]
    assert 0.05 < (dna > 0.3).mean() < 0.5
    assert (dna[:, :15] > 0.3).any() and (dna[:, -15:] > 0.3).any()


def test_the_structures_add_up_to_no_more_than_one_cell_anywhere():
    truth = cell((64, 64), 0.5, np.random.default_rng(0))
    water = truth.abundances[..., truth.names.index("water")]
    assert water.min() >= 0.099 and water.max() <= 0.201


@pytest.mark.parametrize(("size", "pixel_size"), [((1, 1), 0.5), ((5, 30), 1.0), ((24, 24), 0.125)])
def test_any_size_and_pixel_size(size, pixel_size):
    made = cell(size, pixel_size, np.random.default_rng(0), default_wavenumber(20))
    assert made.cube.shape == (*size, 20)
    assert np.isfinite(made.cube.intensity).all()


def test_a_coarser_grid_shows_the_same_mean():
    # Not the same random cell, but the same amounts of it.
    fine = [cell((40, 40), 0.5, np.random.default_rng(i)).abundances.mean((0, 1)) for i in range(6)]
    coarse = [
        cell((20, 20), 1.0, np.random.default_rng(i)).abundances.mean((0, 1)) for i in range(6)
    ]
    np.testing.assert_allclose(np.mean(fine, 0), np.mean(coarse, 0), rtol=0.35, atol=0.01)


def test_the_default_axis_is_that_of_a_grating():
    axis = default_wavenumber()
    assert axis.size == 500
    np.testing.assert_allclose(axis[[0, -1]], [600, 1800])
    assert (np.diff(axis, 2) < 0).all()
    wavelength = 1 / (1 / 532 - axis * 1e-7)
    np.testing.assert_allclose(np.diff(wavelength), np.diff(wavelength)[0], rtol=1e-6)


def test_band_profile_has_its_height_and_width():
    axis = np.linspace(900, 1100, 2001)
    for share in (0.0, 0.6, 1.0):
        band = profile(axis, 1000, 12, share)
        assert band.max() == pytest.approx(1)
        above = axis[band >= 0.5 - 1e-9]
        assert above[-1] - above[0] == pytest.approx(12, abs=0.2)


def test_strongest_bands_are_those_of_the_table():
    axis = np.linspace(600, 1800, 1201)
    for name, position in [("nucleic acid", 785), ("protein", 1660), ("lipid", 1440)]:
        peak = axis[np.argmax(endmembers((name,), axis)[0])]
        assert abs(peak - position) <= 8, name
    assert spectrum((Band(1000, 10, 2.0),), np.array([1000.0]))[0] == pytest.approx(2)


def test_tables_are_sorted_and_sound():
    for name, table in COMPONENTS.items():
        positions = [band.position for band in table]
        assert positions == sorted(positions), name
        assert max(band.height for band in table) <= 1
        assert all(band.width > 0 and band.assignment for band in table)
