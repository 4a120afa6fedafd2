"""The verb compare: figures, places, axes, gaps, and what it says of them."""

from __future__ import annotations

import dataclasses
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import napari_deeper as nd
from napari_deeper.engine.compare_field import common_field, sample_like
from napari_deeper.processing import metrics
from napari_deeper.processing.abundances import unmix
from napari_deeper.processing.classes import class_map, classify
from napari_deeper.processing.resample import resample
from napari_deeper.simulate.instrument import skip_sample
from napari_deeper.spectra.errors import AxisError, Cancelled, CubeError, ParameterError
from napari_deeper.spectra.provenance import Step

AXIS = np.linspace(600, 1800, 60)


def make(seed=0, shape=(12, 13), noise=0.0, name="truth", **fields):
    rng = np.random.default_rng(4)
    bands = np.exp(-(((AXIS - np.array([[1004], [1450], [700]])) / 40) ** 2))
    y, x = np.mgrid[: shape[0], : shape[1]] / 12
    amounts = np.stack([y + 0.2, np.cos(3 * x) + 1.2, (x - y) ** 2], axis=-1)
    values = 100 * amounts @ bands + 20 + rng.uniform(0, 1, (*shape, 1))
    values = values + np.random.default_rng(seed).normal(0, 1, values.shape) * noise
    given = {"pixel_size": (0.5, 0.5), "origin": (2.0, -3.0), "metadata": {"name": name}}
    return nd.RamanCube(values, AXIS, **(given | fields))


@pytest.fixture(scope="module")
def truth():
    return make()


@pytest.fixture(scope="module")
def noisy():
    return make(1, noise=9, name="noisy")


def square(name, y, x, size=2.0):
    return nd.Region(name, np.array([(y, x), (y, x + size), (y + size, x + size), (y + size, x)]))


def test_the_figures_are_those_of_the_definitions(truth, noisy):
    found = nd.compare({"a": noisy}, truth, n_endmembers=3)
    row, a, b = found.row("a"), noisy.intensity, truth.intensity
    span = float(b.max())
    assert row.mse == pytest.approx(metrics.mse(a, b), rel=1e-6)
    assert row.psnr == pytest.approx(metrics.psnr(a, b, span), rel=1e-6)
    assert row.ssim == pytest.approx(metrics.ssim(a, b, span), rel=1e-5)
    assert row.spectral_angle == pytest.approx(metrics.spectral_angle(a, b).mean(), rel=1e-6)
    assert row.excess_mse == pytest.approx(metrics.excess_mse(a, b), rel=1e-3)
    classes = class_map(b, 3)
    hits = classify(a.reshape(-1, 60), classes.endmembers.spectra) == classes.classes
    assert row.accuracy == pytest.approx(hits.mean())
    assert (row.n_pixels, found.data_range) == (156, span)
    assert found.endmembers is not None
    for i, component in enumerate(found.components):
        ours, its = (unmix(v, found.endmembers.spectra)[..., i] for v in (a, b))
        assert component.mse == pytest.approx(metrics.mse(ours, its), rel=1e-4)
        assert component.psnr == pytest.approx(metrics.psnr(ours, its, float(its.max())), rel=1e-4)
        similar = metrics.ssim(ours[..., None], its[..., None], float(its.max()))
        assert component.ssim == pytest.approx(similar, rel=1e-3)
        assert component.correlation == pytest.approx(
            np.corrcoef(ours.ravel(), its.ravel())[0, 1], 1e-4
        )
    difference = found.differences[0]
    np.testing.assert_allclose(difference.difference, (a - b).mean(axis=2), atol=1e-3)
    np.testing.assert_allclose(difference.rms**2, np.square(a - b).mean(axis=2), rtol=1e-3)


def test_gaps_are_left_out_of_every_figure(truth, noisy):
    values = noisy.intensity.copy()
    values[4, 5, 7] = np.nan
    values[0, 0] = np.inf
    gappy = dataclasses.replace(noisy, intensity=values)
    found = nd.compare({"a": gappy, "b": noisy}, truth, n_endmembers=3)
    whole = np.isfinite(values).all(axis=2)
    for row in found.scores:
        assert row.n_pixels == 154
        assert row.mse == pytest.approx(metrics.mse(noisy.intensity[whole], truth.intensity[whole]))
        assert np.isfinite([row.ssim, row.accuracy, row.spectral_angle]).all()
    assert any("2 of 156 pixels are left out" in note for note in found.notes)
    assert np.isnan(found.differences[1].difference[4, 5])


def test_the_map_of_similarity_averages_to_the_similarity(truth, noisy):
    a, b = noisy.intensity, truth.intensity
    every = np.ones(a.shape[:2], bool)
    similar = metrics.ssim_map(a, b, 100.0, every)
    assert np.nanmean(similar) == pytest.approx(metrics.ssim(a, b, 100.0), rel=1e-5)
    assert np.isnan(similar[:3]).all()
    every[6, 6] = False
    holed = a.copy()
    holed[6, 6] = np.nan
    gaps = metrics.ssim_map(holed, b, 100.0, every)
    assert np.isnan(gaps[3:10, 3:10]).all()
    known = np.isfinite(gaps)
    np.testing.assert_allclose(gaps[known], similar[known])


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 5), st.integers(1, 5), st.floats(0.3, 3), st.floats(0.3, 3),
    st.floats(-2, 2), st.integers(0, 9),
)  # fmt: skip
def test_sampling_is_that_of_the_nearest_center(n_cube, n_target, step, other, shift, seed):
    rng = np.random.default_rng(seed)
    cube = nd.RamanCube(rng.random((n_cube, 1, 2)), [1.0, 2.0], (step, 1.0), origin=(shift, 0))
    target = nd.RamanCube(rng.random((n_target, 1, 2)), [1.0, 2.0], (other, 1.0))
    centers = shift + step * np.arange(n_cube)
    covered = [
        i for i in range(n_target)
        if centers[0] - step / 2 <= other * i <= centers[-1] + step / 2
    ]  # fmt: skip
    if not covered:
        with pytest.raises(CubeError, match="does not overlap"):
            common_field(target, {"a": cube})
        return
    field = common_field(target, {"a": cube})
    sampled = field.sampled("a")[:, 0]
    if sampled.shape[0] != len(covered):  # a center on the very edge may fall to either side
        edges = np.array([centers[0] - step / 2, centers[-1] + step / 2])
        assert np.abs(other * np.array(covered)[:, None] - edges).min() < 1e-3
        return
    for i, got in zip(covered, sampled, strict=True):
        apart = np.abs(centers - other * i)
        near = np.flatnonzero(apart < apart.min() + 1e-3)
        assert any((got == cube.intensity[k, 0]).all() for k in near)


def test_a_coarser_cube_is_compared_by_place(truth):
    few = skip_sample(truth, 2, 1)
    found = nd.compare({"few": few}, truth, n_endmembers=0)
    assert found.row("few").n_pixels == 156
    expected = np.empty((12, 13, 60), np.float32)
    for y in range(12):
        for x in range(13):  # the last column lies on the very edge of the coarse one before it
            expected[y, x] = truth.intensity[2 * (y // 2) + 1, 2 * min(x // 2, 5) + 1]
    assert found.row("few").mse == pytest.approx(metrics.mse(expected, truth.intensity), rel=1e-6)
    assert any("(1 x 1 um pixels) is compared by place" in note for note in found.notes)
    smooth = nd.compare({"few": few}, truth, n_endmembers=0, interpolation="bilinear")
    assert smooth.row("few").mse < found.row("few").mse
    ramp = dataclasses.replace(
        truth, intensity=np.arange(12.0)[:, None, None] + np.zeros(truth.shape)
    )
    along = sample_like(skip_sample(ramp, 2, 1), ramp, bilinear=True)
    np.testing.assert_allclose(along[1:, 0, 0], np.arange(1, 12), rtol=1e-5)
    assert along[0, 0, 0] == 1  # beyond the outermost center it is repeated


def test_all_candidates_are_judged_on_the_pixels_that_all_have(truth, noisy):
    part = dataclasses.replace(
        noisy, intensity=noisy.intensity[3:, :-4], origin=(3.5, -3.0), metadata={"name": "part"}
    )
    found = nd.compare({"part": part, "whole": noisy}, truth, n_endmembers=0)
    a, b = found.scores
    assert a.n_pixels == b.n_pixels == 9 * 9
    assert (
        a.mse
        == b.mse
        == pytest.approx(metrics.mse(noisy.intensity[3:, :-4], truth.intensity[3:, :-4]))
    )
    assert found.differences[0].origin == (3.5, -3.0)
    assert any("81 of the target's 156 pixels" in note for note in found.notes)


def test_other_wavenumbers_are_resampled_over_the_common_range(truth, noisy):
    axis = np.linspace(700, 1900, 90)
    moved = dataclasses.replace(
        noisy, intensity=resample(noisy.intensity, AXIS, axis), wavenumber=axis
    )
    found = nd.compare({"moved": moved}, truth, n_endmembers=0)
    assert found.wavenumber is not None
    assert found.wavenumber[0] >= 690
    expected = resample(moved.intensity, axis, found.wavenumber)
    own = truth.intensity[..., np.isin(AXIS, found.wavenumber)]
    assert found.row("moved").mse == pytest.approx(metrics.mse(expected, own), rel=1e-5)
    assert any("Resampled to the target's wavenumbers: 'moved'" in note for note in found.notes)
    assert any("no more is in every cube" in note for note in found.notes)
    far = dataclasses.replace(noisy, wavenumber=AXIS + 2000)
    with pytest.raises(AxisError, match="no wavenumber that all cubes have"):
        nd.compare({"far": far}, truth)


def test_a_candidate_equal_to_the_target_is_said(truth):
    found = nd.compare({"copy": truth}, truth, n_endmembers=3)
    row = found.row("copy")
    assert (row.mse, row.psnr, row.accuracy) == (0, np.inf, 1)
    assert row.ssim == pytest.approx(1)
    assert any("PSNR infinite" in note for note in found.notes)
    assert any("One candidate" in note for note in found.notes)


def test_scale_is_matched_or_the_difference_told(truth, noisy):
    short = dataclasses.replace(noisy, intensity=noisy.intensity / 10)
    plain = nd.compare({"short": short}, truth, n_endmembers=0)
    assert plain.row("short").level == pytest.approx(0.1, rel=0.01)
    assert any("times the target's: most of its error" in note for note in plain.notes)
    same = nd.compare({"short": short}, truth, n_endmembers=0, match_scale=True)
    factor = truth.intensity.mean() / short.intensity.mean()
    assert same.row("short").mse == pytest.approx(
        metrics.mse(short.intensity * factor, truth.intensity), rel=1e-4
    )
    assert any("multiplied 'short' by" in n for n in same.notes)
    below = dataclasses.replace(noisy, intensity=-noisy.intensity)
    with pytest.raises(CubeError, match="'below' cannot be matched"):
        nd.compare({"below": below}, truth, match_scale=True)


def test_what_was_made_from_the_target_is_told(truth, noisy):
    target = dataclasses.replace(noisy, provenance=(Step("read", {"path": "a.npz"}),))
    made = nd.denoise(target, method="savgol")
    other = dataclasses.replace(truth, provenance=(Step("read", {"path": "b.npz"}),))
    found = nd.compare({"made": made, "other": other}, target, n_endmembers=0)
    (note,) = [n for n in found.notes if "Made from the target itself" in n]
    assert "'made'" in note
    assert "'other'" not in note
    back = nd.compare({"target": target}, made, n_endmembers=0)
    assert any("The target is itself a result (denoise)" in n for n in back.notes)


def test_cubes_without_a_pixel_size(truth, noisy):
    bare = dataclasses.replace(noisy, pixel_size=None, origin=(0, 0))
    found = nd.compare({"bare": bare}, truth, n_endmembers=0)
    assert found.row("bare").mse == pytest.approx(metrics.mse(noisy.intensity, truth.intensity))
    assert any("taken to show the same field, pixel for pixel" in n for n in found.notes)
    small = dataclasses.replace(bare, intensity=bare.intensity[:4])
    with pytest.raises(CubeError, match="'small' is in pixel and the target 'truth' in um"):
        nd.compare({"small": small}, truth)


def test_a_target_elsewhere_is_refused_and_a_moved_one_told(truth, noisy):
    away = dataclasses.replace(noisy, origin=(200.0, 0.0))
    with pytest.raises(CubeError, match=r"'away' does not overlap the target.*y from 199\.8"):
        nd.compare({"away": away}, truth)
    rolled = dataclasses.replace(noisy, intensity=np.roll(noisy.intensity, 2, axis=0))
    found = nd.compare({"rolled": rolled}, truth, n_endmembers=0)
    assert any("fits the target better when moved" in n for n in found.notes)


def test_given_endmembers_take_the_place_of_those_found(truth, noisy):
    fine = np.linspace(590, 1810, 200)
    spectra = np.exp(-(((fine - np.array([[1004], [1450]])) / 40) ** 2))
    given_ = nd.Endmembers(spectra, fine, names=("protein", "lipid"))
    found = nd.compare({"a": noisy}, truth, endmembers=given_)
    assert [c.component for c in found.components] == ["protein", "lipid"]
    assert any("endmembers were resampled" in n for n in found.notes)
    narrow = nd.Endmembers(spectra[:, 50:100], fine[50:100])
    with pytest.raises(AxisError, match="The endmembers cover"):
        nd.compare({"a": noisy}, truth, endmembers=narrow)


def test_regions_give_spectra_scores_and_tests(truth, noisy):
    regions = [square(f"r{i}", 2 + (i % 2) * 3, -3 + (i // 2) * 2, 1.9) for i in range(6)]
    better = nd.denoise(noisy, method="savgol")
    found = nd.compare({"noisy": noisy, "smooth": better}, truth, regions=regions, n_endmembers=0)
    assert len(found.spectra) == 3 * 6
    assert {s.cube for s in found.spectra} == {"truth", "noisy", "smooth"}
    one = found.region_scores[0]
    pixels = np.zeros((12, 13), bool)
    pixels[0:4, 0:4] = True
    assert (one.region, one.n_pixels) == ("r0", 16)
    assert one.mse == pytest.approx(
        metrics.mse(noisy.intensity[pixels], truth.intensity[pixels]), 1e-5
    )
    tests = {t.test for t in found.tests}
    assert {"ANOVA", "Dunnett", "paired ANOVA", "Tukey"} <= tests
    assert {t.n_samples for t in found.tests} == {6}
    assert any("n = 6 regions" in n for n in found.notes)
    few = nd.compare({"noisy": noisy, "smooth": better}, truth, regions=regions[:2], n_endmembers=0)
    assert few.tests == ()
    assert any("there are 2 regions" in n for n in few.notes)
    inside = nd.compare(
        {"noisy": noisy}, truth, regions=regions[:1], within="regions", n_endmembers=0
    )
    assert inside.scores[0].n_pixels == 16
    assert inside.scores[0].mse == pytest.approx(one.mse)
    with pytest.raises(CubeError, match="lies outside"):
        nd.compare({"noisy": noisy}, truth, regions=[square("far", 50, 50)])
    with pytest.raises(CubeError, match="nothing to compare in"):
        nd.compare({"noisy": noisy}, truth, within="regions")
    with pytest.raises(ParameterError, match="control 'x'"):
        nd.compare({"noisy": noisy}, truth, regions=regions, control="x")


def test_cubes_are_the_samples_of_tests_over_cubes(truth):
    each = []
    for seed in range(6):
        noisy = make(seed, noise=9, name="noisy")
        made = {"noisy": noisy, "smooth": nd.denoise(noisy, method="savgol")}
        each.append(nd.compare(made, truth, n_endmembers=0))
    found = nd.compare_over_cubes(each)
    assert {t.n_samples for t in found.tests} == {6}
    dunnett = next(t for t in found.tests if t.test == "Dunnett")
    differences = [c.row("smooth").mse - c.row("noisy").mse for c in each]
    assert dunnett.difference == pytest.approx(np.mean(differences))
    assert {t.measure for t in found.tests if t.test == "Wilcoxon"} == {"psnr", "ssim"}
    assert nd.compare_over_cubes(each[:2]).tests == ()
    assert "Wilcoxon" not in {t.test for t in nd.compare_over_cubes(each[:4]).tests}
    with pytest.raises(ParameterError, match="same names"):
        nd.compare_over_cubes([*each, nd.compare({"other": truth}, truth, n_endmembers=0)])
    with pytest.raises(ParameterError, match="no error to test"):
        nd.compare_over_cubes([nd.compare({"a": truth})])


def test_without_a_target_no_error_is_stated(noisy):
    values = noisy.intensity.copy()
    values[0, 0] = np.nan
    gappy = dataclasses.replace(noisy, intensity=values, pixel_size=None)
    found = nd.compare({"noisy": noisy, "gappy": gappy}, regions=[square("r", 2, -3)][:0])
    row = found.row("noisy")
    assert np.isnan([row.mse, row.psnr, row.ssim, row.accuracy]).all()
    assert row.noise == pytest.approx(9, rel=0.2)
    assert row.snr > 1
    assert found.row("gappy").n_pixels == 155
    assert "no error can be stated" in found.notes[0]
    band = next(b for b in found.bands if b.cube == "noisy" and b.band.startswith("1004"))
    assert band.n_pixels == 156
    spectra = nd.compare({"noisy": noisy}, regions=[square("r", 2, -3)]).spectra
    assert [(s.cube, s.region) for s in spectra] == [("noisy", "r")]


def test_bad_input_is_refused_before_any_work(truth, noisy):
    with pytest.raises(CubeError, match="no candidate"):
        nd.compare({}, truth)
    with pytest.raises(CubeError, match="needs another one"):
        nd.compare({"truth": noisy}, truth)
    with pytest.raises(CubeError, match="Two regions are called 'r'"):
        nd.compare({"a": noisy}, truth, regions=[square("r", 2, -3), square("r", 4, -3)])
    with pytest.raises(ParameterError, match="interpolation"):
        nd.compare({"a": noisy}, truth, interpolation="magic")
    nothing = dataclasses.replace(noisy, intensity=np.full(noisy.shape, np.nan))
    with pytest.raises(CubeError, match="No pixel is left"):
        nd.compare({"a": nothing}, truth)
    with pytest.raises(CubeError, match="Every pixel of 'a'"):
        nd.compare({"a": nothing})
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        nd.compare({"a": noisy}, truth, progress=nd.Progress(cancel=cancel))


def test_small_and_dark_cubes_have_what_figures_they_can(truth):
    line = dataclasses.replace(truth, intensity=truth.intensity[:2])
    found = nd.compare({"a": line}, line)
    assert np.isnan(found.scores[0].ssim)
    dark = dataclasses.replace(truth, intensity=-truth.intensity)
    row = nd.compare({"a": truth}, dark, n_endmembers=0).scores[0]
    assert np.isnan([row.psnr, row.ssim]).all()
    assert row.mse > 0


def test_a_difference_of_a_band(truth, noisy):
    found = nd.difference_map(noisy, truth, 1440, 1460, name="n")
    taken = (AXIS >= 1440) & (AXIS <= 1460)
    expected = (noisy.intensity - truth.intensity)[..., taken].mean(axis=2)
    np.testing.assert_allclose(found.difference, expected, atol=1e-4)
    assert found.candidate == "n"
    with pytest.raises(AxisError):
        nd.difference_map(noisy, truth, 2800, 2900)


def test_inputs_are_not_changed(truth, noisy):
    before = [c.intensity.copy() for c in (truth, noisy)]
    nd.compare({"a": noisy}, truth, match_scale=True, interpolation="bilinear")
    for cube, old in zip((truth, noisy), before, strict=True):
        np.testing.assert_array_equal(cube.intensity, old)


def test_a_measured_cell_and_every_second_pixel_of_it(thp1_path):
    target = nd.read(thp1_path)
    few = skip_sample(target, 2, 1)
    low = nd.denoise(target, method="low-rank")
    found = nd.compare({"few": few, "low": low}, target, n_endmembers=4, interpolation="bilinear")
    assert {s.n_pixels for s in found.scores} == {1600}
    # where a pixel was kept it lies on itself, to the rounding of places in um
    np.testing.assert_allclose(found.differences[0].rms[1::2, 1::2], 0, atol=0.05)
    assert found.differences[0].rms[::2, ::2].min() > 1
    assert found.row("low").mse < found.row("few").mse
    assert found.target_noise == pytest.approx(5.6, abs=0.5)
    (note,) = [n for n in found.notes if "Made from the target itself" in n]
    assert "'few'" in note
    assert "'low'" in note
