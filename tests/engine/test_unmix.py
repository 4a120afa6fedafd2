"""Unmixing a cube: found or given endmembers, abundances, what is left over."""

from __future__ import annotations

import dataclasses
import threading

import numpy as np
import pytest
from scipy.optimize import nnls

import napari_deeper as nd
from napari_deeper.engine.unmix_settings import METHODS
from napari_deeper.engine.unmixed import classes_of
from napari_deeper.simulate.bands import spectrum
from napari_deeper.simulate.components import COMPONENTS
from napari_deeper.spectra.errors import AxisError, Cancelled, CubeError, ParameterError

AXIS = np.linspace(600, 1800, 150)
PURE = 100 * np.array([spectrum(COMPONENTS[n], AXIS) for n in ("protein", "lipid", "nucleic acid")])


def mixed_cube(noise: float = 0.0, shape: tuple[int, int] = (12, 10)) -> nd.RamanCube:
    """Mixtures whose pure pixels are the first three of the first row."""
    rng = np.random.default_rng(0)
    amounts = rng.dirichlet((1.0, 0.6, 0.4), shape)
    amounts[0, :3] = np.eye(3)
    values = amounts @ PURE + rng.normal(0, noise, (*shape, AXIS.size))
    return nd.RamanCube(
        values, AXIS, (0.5, 0.5), origin=(3.0, -2.0), metadata={"name": "mixed", "lens": 50}
    )


def test_it_unpacks_and_finds_what_was_mixed():
    cube = mixed_cube()
    found = nd.unmix(cube, n_endmembers=3, method="vca", seed=0)
    endmembers, abundances, residual = found
    assert endmembers.shape == (3, 150)
    assert (abundances.shape, abundances.dtype) == ((12, 10, 3), np.float32)
    assert residual.shape == (12, 10)
    assert residual.max() < 1e-3
    nearest = [int(np.abs(PURE - e).mean(axis=1).argmin()) for e in endmembers.spectra]
    assert sorted(nearest) == [0, 1, 2]
    np.testing.assert_allclose(endmembers.spectra, PURE[nearest], atol=0.01)
    assert found.relative_residual < 1e-4
    assert (np.diff(found.shares) <= 0).all()
    assert found.shares.sum() == pytest.approx(1)


def test_abundances_are_the_least_squares_of_each_pixel():
    cube = mixed_cube(noise=3.0, shape=(5, 4))
    endmembers = nd.Endmembers(PURE, AXIS)
    found = nd.unmix_with(cube, endmembers)
    np.testing.assert_array_equal(found.abundances, nd.abundances(cube, PURE))
    for y in range(5):
        for x in range(4):
            expected, left = nnls(PURE.T, cube.intensity[y, x].astype(float))
            np.testing.assert_allclose(found.abundances[y, x], expected, atol=2e-5)
            assert found.residual[y, x] == pytest.approx(left / np.sqrt(150), rel=1e-4)
    assert found.endmembers is endmembers


def test_the_result_knows_its_place_and_its_history():
    found = nd.unmix(mixed_cube(), 3)
    assert found.name == "mixed"
    assert found.header["pixel_size"] == [0.5, 0.5]
    assert found.header["origin"] == [3.0, -2.0]
    step = found.header["provenance"][-1]
    assert step["verb"] == "unmix"
    assert step["params"]["n_endmembers"] == 3
    assert step["params"]["method"] == "vca"


def test_the_same_seed_gives_the_same_and_the_input_stays():
    cube = mixed_cube(noise=2.0)
    before = cube.intensity.copy()
    first, second = nd.unmix(cube, 4, seed=3), nd.unmix(cube, 4, seed=3)
    np.testing.assert_array_equal(first.abundances, second.abundances)
    np.testing.assert_array_equal(first.endmembers.spectra, second.endmembers.spectra)
    np.testing.assert_array_equal(cube.intensity, before)


def test_missing_pixels_are_left_out_and_stay_missing():
    cube = mixed_cube(noise=1.0)
    values = cube.intensity.copy()
    values[3, 4, 7] = np.nan
    values[5] = np.inf
    holed = dataclasses.replace(cube, intensity=values)
    found = nd.unmix(holed, 3)
    assert found.missing.sum() == 11
    assert np.isnan(found.abundances[3, 4]).all()
    assert np.isnan(found.residual[5]).all()
    assert (found.classes[found.missing] == 0).all()
    assert (found.classes[~found.missing] > 0).all()
    assert any("11 of 120 pixels hold NaN" in note for note in found.notes)
    kept = nd.RamanCube(values[~found.missing][None], AXIS)
    alone = nd.unmix(kept, 3)
    np.testing.assert_allclose(found.abundances[~found.missing], alone.abundances[0], rtol=1e-5)
    values[:] = np.nan
    with pytest.raises(CubeError, match="Every pixel holds NaN"):
        nd.unmix(dataclasses.replace(cube, intensity=values))


def test_endmembers_of_another_axis_are_resampled_and_that_is_said():
    cube = mixed_cube()
    narrow = np.linspace(700, 1750, 400)
    pure = 100 * np.array([spectrum(COMPONENTS[n], narrow) for n in COMPONENTS][:3])
    found = nd.unmix_with(cube, nd.Endmembers(pure, narrow, tuple(COMPONENTS)[:3]))
    assert any("resampled to the axis of 'mixed'" in note for note in found.notes)
    n_out = int(((narrow[0] - 1.4 > AXIS) | (narrow[-1] + 1.4 < AXIS)).sum())
    assert any(f"{n_out} of 150 channels lie outside 700-1750" in n for n in found.notes)
    truth = nd.abundances(cube, PURE[[2, 0, 1]])
    np.testing.assert_allclose(found.abundances, truth, atol=0.02)
    far = nd.Endmembers(np.ones((1, 50)), np.linspace(1750, 3000, 50))
    with pytest.raises(AxisError, match=r"too little in common"):
        nd.abundances(cube, far)


def test_a_map_of_other_size_and_place_is_unmixed_with_them():
    target = nd.unmix(mixed_cube(), 3)
    small = dataclasses.replace(
        mixed_cube(shape=(4, 7)), pixel_size=(2.0, 1.0), origin=(90.0, 4.0), metadata={"name": "s"}
    )
    applied = nd.unmix_with(small, target.endmembers)
    assert applied.abundances.shape == (4, 7, 3)
    assert applied.header["origin"] == [90.0, 4.0]
    assert applied.residual.max() < 1e-3


def test_cosmic_rays_are_no_endmembers():
    cube = mixed_cube(noise=1.0, shape=(20, 20))
    values = cube.intensity.copy()
    values[5, 6, 70:73] += np.float32([2000, 5000, 1500])
    values[9, 2, 30:32] += np.float32([6000, 6000])
    struck = dataclasses.replace(cube, intensity=values)
    found = nd.unmix(struck, 3)
    assert found.endmembers.spectra.max() < 400
    assert any("2 pixels are one narrow line" in note for note in found.notes)
    plain = nd.unmix(struck, 3, leave_out_spikes=False)
    assert plain.endmembers.spectra.max() > 3000
    assert np.isfinite(found.abundances).all()  # they are measured pixels still


def test_a_narrow_line_that_several_pixels_have_is_a_substance():
    cube = mixed_cube(noise=1.0, shape=(20, 20))
    values = cube.intensity.copy()
    values[4:7, 4:6, 70:73] += np.float32([2000, 5000, 1500])
    found = nd.unmix(dataclasses.replace(cube, intensity=values), 4)
    assert found.endmembers.spectra.max() > 3000
    assert not any("narrow line" in note for note in found.notes)


def test_negative_intensities_are_told():
    cube = mixed_cube()
    lowered = dataclasses.replace(cube, intensity=cube.intensity - 40)
    found = nd.unmix_with(lowered, PURE)
    assert any("of the intensities are negative" in note for note in found.notes)
    assert (found.abundances >= 0).all()
    dark = nd.unmix_with(dataclasses.replace(cube, intensity=-cube.intensity), PURE)
    assert (dark.classes == 0).all()
    assert not dark.shares.any()


@pytest.mark.parametrize(
    ("cube", "n", "error", "text"),
    [
        (mixed_cube(shape=(1, 4)), 5, ParameterError, "4 pixels of 150 channels"),
        (nd.RamanCube(np.random.default_rng(0).random((5, 5, 3)), [1, 2, 3]), 4, ParameterError,
         "25 pixels of 3 channels"),
        (nd.RamanCube(np.ones((5, 5, 20)), np.arange(20) + 600), 2, CubeError,
         "2 independent spectra"),
        (nd.RamanCube(np.zeros((5, 5, 20)), np.arange(20) + 600), 2, CubeError, "all zero"),
        (mixed_cube(), 31, ParameterError, "from 0 to 30"),
    ],
)  # fmt: skip
def test_what_cannot_be_unmixed_says_why(cube, n, error, text):
    with pytest.raises(error, match=text):
        nd.unmix(cube, n)


def test_given_endmembers_are_checked():
    cube = mixed_cube()
    with pytest.raises(CubeError, match="not independent"):
        nd.abundances(cube, PURE[[0, 0]])
    with pytest.raises(nd.DeeperError, match=r"20 channels|150 channels"):
        nd.abundances(cube, np.ones((2, 20)))
    with pytest.raises(CubeError, match="NaN"):
        nd.abundances(cube, np.full((1, 150), np.nan))
    with pytest.raises(ParameterError, match="solver"):
        nd.abundances(cube, PURE, solver="magic")
    with pytest.raises(ParameterError, match="Unknown setting 'n'"):
        nd.unmix(cube, n=3)


def test_every_solver_and_search_gives_maps():
    cube = mixed_cube(noise=1.0)
    summed = nd.unmix_with(cube, PURE, solver="fcls")
    np.testing.assert_allclose(summed.abundances.sum(axis=2), 1, atol=1e-5)
    assert any("sum to one" in note for note in summed.notes)
    free = nd.unmix_with(cube, PURE, solver="ucls")
    assert free.abundances.min() < 0
    for method in METHODS:
        found = nd.unmix(cube, 3, method=method)
        assert found.abundances.shape == (12, 10, 3)
        assert method in found.endmembers.source
        assert found.relative_residual < 0.1, method


def test_the_number_is_estimated_and_the_estimate_explained():
    found = nd.unmix(mixed_cube(noise=1.0, shape=(20, 20)), n_endmembers="estimate")
    assert len(found.endmembers) == 3
    assert found.notes[0].startswith("Estimated: 3 components. ")
    assert found.header["provenance"][-1]["params"]["n_endmembers"] == 3


def test_the_backdrop_is_the_dim_component_of_most_pixels():
    cube = mixed_cube(shape=(20, 20))
    values = cube.intensity.copy()
    values[8:] = 0.1 * PURE[0]
    dim = dataclasses.replace(cube, intensity=values)
    found = nd.unmix_with(dim, [0.1 * PURE[0], PURE[1], PURE[2]])
    assert found.backdrop == 0
    assert nd.unmix_with(cube, PURE).backdrop is None


def test_progress_rises_to_one_and_cancel_stops():
    seen: list[float] = []
    nd.unmix(mixed_cube(), 3, progress=nd.Progress(lambda f, _: seen.append(f)))
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        nd.unmix_with(mixed_cube(), PURE, progress=nd.Progress(cancel=cancel))


def test_classes_count_from_one():
    maps = np.float32([[[0, 2], [3, 1]], [[0, 0], [np.nan, np.nan]]])
    np.testing.assert_array_equal(classes_of(maps), [[2, 1], [0, 0]])


def test_the_measured_cell_shows_nucleus_and_droplets(thp1_path):
    cube = nd.read(thp1_path)
    found = nd.unmix(cube, 4)
    axis, e = cube.wavenumber, found.endmembers.spectra

    def band(low, high):
        inside = (axis >= low) & (axis <= high)
        return cube.intensity[..., inside].mean(axis=2).ravel(), e[:, inside].mean(axis=1)

    dna, dna_of = band(775, 795)
    lipid, lipid_of = band(1440, 1460)
    nucleus = int(np.argmax([np.corrcoef(a, dna)[0, 1] for a in found.abundances.reshape(-1, 4).T]))
    droplet = int(lipid_of.argmax())
    assert nucleus != droplet
    assert dna_of[nucleus] == dna_of.max()
    maps = found.abundances.reshape(-1, 4)
    assert np.corrcoef(maps[:, nucleus], dna)[0, 1] > 0.8
    assert np.corrcoef(maps[:, droplet], lipid)[0, 1] > 0.7
    brightest = np.argwhere(found.classes == droplet + 1)
    assert ((brightest >= 18) & (brightest <= 27)).all()  # where the droplets are known to lie
