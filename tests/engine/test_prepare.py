"""Recipes and what they do to a cube, through the public interface."""

from __future__ import annotations

import dataclasses
import json
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import napari_deeper as nd
from napari_deeper import RamanCube, Recipe
from napari_deeper.engine import prepare_run
from napari_deeper.engine.prepare_settings import BASELINES, NORMALIZATIONS
from napari_deeper.engine.recipe import PRESETS, STEPS
from napari_deeper.processing import threads
from napari_deeper.simulate.cells import cell
from napari_deeper.simulate.instrument import Instrument, measure
from napari_deeper.spectra.errors import AxisError, Cancelled, CubeError, FileError, ParameterError
from napari_deeper.spectra.params import options


@pytest.fixture(scope="module")
def raw() -> RamanCube:
    """A raw simulated cell: fluorescence and cosmic rays."""
    instrument = Instrument(fluorescence=150, cosmic_rays=0.05)
    return measure(cell((20, 24)).cube, 1.0, np.random.default_rng(1), instrument)


def cube_of(intensity, wavenumber=None, **fields) -> RamanCube:
    values = np.asarray(intensity, float)
    axis = np.arange(600, 600 + 5 * values.shape[2], 5) if wavenumber is None else wavenumber
    return RamanCube(values, axis, **fields)


# recipes and their files


def test_every_step_survives_json_and_a_file(tmp_path):
    recipe = Recipe(tuple(kind.settings() for kind in STEPS.values()), "all")
    assert Recipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe
    path = nd.write_recipe(recipe, tmp_path / "recipe.json")
    assert nd.read_recipe(path) == recipe
    with pytest.raises(FileError, match="already exists"):
        nd.write_recipe(recipe, path)


@given(st.lists(st.sampled_from(list(STEPS)), max_size=6), st.text(max_size=10))
def test_order_and_name_are_kept(names, name):
    recipe = Recipe(tuple(STEPS[n].settings() for n in names), name)
    back = Recipe.from_json(recipe.to_json())
    assert [type(s) for s in back.steps] == [STEPS[n].settings for n in names]
    assert back.name == name


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ({"step": "crop", "lo": 3}, r"Step 2 \(crop\): unknown key 'lo' \(3\). Known: low, high"),
        ({"step": "crop", "low": "x"}, r"Step 2 \(crop\): low is 'x'; it must be a number"),
        ({"step": "despike", "max_width": 99}, r"Step 2 \(despike\): max_width is 99; it must be"),
        ({"step": "despike", "max_width": 2.5}, "max_width is 2.5; it must be a whole number"),
        ({"step": "baseline", "method": "magic"}, r"\(baseline\): method is 'magic'; .*arpls"),
        ({"step": "polish"}, "Step 2 is 'polish'; known steps: despike"),
        ("crop", "Step 2 is 'crop'; it must be an object"),
    ],
)
def test_errors_name_step_key_and_value(tmp_path, step, told):
    record = {**Recipe((nd.Crop(),)).to_json()}
    record["steps"] = [record["steps"][0], step]
    (tmp_path / "r.json").write_text(json.dumps(record))
    with pytest.raises(ParameterError, match=told):
        nd.read_recipe(tmp_path / "r.json")


def test_other_files_are_no_recipes(tmp_path):
    for text, kind in (
        ("[1]", ParameterError),
        ("{", FileError),
        ('{"format": "x"}', ParameterError),
    ):
        (tmp_path / "r.json").write_text(text)
        with pytest.raises(kind):
            nd.read_recipe(tmp_path / "r.json")
    newer = Recipe().to_json() | {"version": 2}
    with pytest.raises(ParameterError, match="version 2"):
        Recipe.from_json(newer)
    with pytest.raises(ParameterError, match=r"Unknown preset 'x'\. Known: as-deeper"):
        nd.prepare(cube_of(np.ones((1, 1, 9))), "x")


def test_every_setting_has_a_label_and_a_tooltip():
    for kind in STEPS.values():
        for field in dataclasses.fields(kind.settings):
            rule = options(kind.settings, field.name)
            assert rule["label"] and rule["tooltip"], (kind.name, field.name)


# what runs have in common


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_run_and_tell_what_they_did(raw, preset):
    before = raw.intensity.copy()
    done = nd.prepare(raw, preset)
    names = [step.verb for step in done.provenance[len(raw.provenance) :]]
    assert names == [s["step"] for s in PRESETS[preset].to_json()["steps"]]
    assert all(step.notes for step in done.provenance[len(raw.provenance) :])
    assert np.isfinite(done.intensity).all()
    np.testing.assert_array_equal(raw.intensity, before)


def test_as_deeper_is_crop_background_and_one_scale(raw):
    done = nd.prepare(raw, "as-deeper")
    assert done.wavenumber[0] >= 600 and done.wavenumber[-1] <= 1800
    assert done.intensity.max() == pytest.approx(1)
    assert done.intensity.min() >= -1e-3  # nothing of a spectrum lies below the shape


@pytest.mark.parametrize("name", STEPS)
def test_pixels_that_were_not_measured_stay_so(raw, name):
    holed = raw.intensity.copy()
    holed[4, 6] = np.nan
    holed[4, 7, 3] = np.inf
    own = {"recalibrate": nd.Recalibrate("own", 1660.0, 30.0), "flip": nd.Flip("both")}
    step = own.get(name, STEPS[name].settings())
    cube = dataclasses.replace(raw, intensity=holed)
    done = nd.prepare(cube, Recipe((step,)))
    plain = nd.prepare(raw, Recipe((step,)))
    lost = ~np.isfinite(done.intensity).all(axis=2)
    if name == "bin":  # the mean of the others in the bin
        assert not lost.any()
        return
    places = {(15, 17), (15, 16)} if name == "flip" else {(4, 6), (4, 7)}
    assert {tuple(p) for p in np.argwhere(lost)} == places
    if name in ("crop", "baseline", "resample", "crop-map", "flip"):
        np.testing.assert_allclose(
            done.intensity[~lost], plain.intensity[~lost], rtol=1e-4, atol=1e-3
        )


def test_a_map_without_any_measured_pixel_says_so(raw):
    cube = dataclasses.replace(raw, intensity=np.full(raw.shape, np.nan))
    assert np.isnan(nd.prepare(cube, Recipe((nd.Baseline(),))).intensity).all()
    with pytest.raises(CubeError, match=r"Step 1 \(normalize\): Every pixel holds NaN"):
        nd.prepare(cube, Recipe((nd.Normalize(),)))


def test_blocks_and_threads_change_nothing(raw, monkeypatch):
    recipe = Recipe(
        (nd.BadPixels(), nd.Despike(), nd.Baseline(), nd.Resample("spacing"), nd.Normalize("area"))
    )
    whole = nd.prepare(raw, recipe)
    monkeypatch.setattr(prepare_run, "_BLOCK", 24 * 500 * 3)
    monkeypatch.setattr(threads, "n_threads", lambda: 3)
    cut = nd.prepare(raw, recipe)
    np.testing.assert_allclose(cut.intensity, whole.intensity, rtol=1e-4, atol=1e-7)
    assert [s.to_json() for s in cut.provenance[:3]] == [s.to_json() for s in whole.provenance[:3]]
    assert cut.provenance[-4].params["found"] == whole.provenance[-4].params["found"]


def test_a_run_reports_and_can_be_cancelled(raw, monkeypatch):
    monkeypatch.setattr(prepare_run, "_BLOCK", 24 * 500)
    seen: list[float] = []
    stop = threading.Event()

    def report(fraction: float, text: str) -> None:
        seen.append(fraction)
        if fraction > 0.5:
            stop.set()

    with pytest.raises(Cancelled):
        nd.prepare(raw, "raw-for-enhance", progress=nd.Progress(report, stop))
    assert seen == sorted(seen) and 0.5 < seen[-1] < 0.8


# single steps


def test_despike_lists_what_it_repaired(raw):
    table = nd.cosmic_rays(raw)
    assert len(table) > 10 and "cosmic rays in" in table.text()
    done = nd.prepare(raw, "despike")
    found = done.provenance[-1].params["found"]
    assert [f[:2] for f in found] == table.pixels.tolist()
    np.testing.assert_allclose([f[2] for f in found], table.wavenumber, atol=0.01)
    y, x = table.pixels[np.argmax(table.height)]
    assert done.intensity[y, x].max() < raw.intensity[y, x].max()
    with pytest.raises(ParameterError, match="no step 'despike'"):
        nd.cosmic_rays(raw, Recipe((nd.Crop(),)))


def test_crop_says_what_is_not_there(raw):
    done = nd.prepare(raw, Recipe((nd.Crop(1500.0, 2500.0),)))
    assert done.wavenumber[0] >= 1500 and done.shape[2] < raw.shape[2]
    assert "The cube has only" in done.provenance[-1].notes[-1]
    with pytest.raises(AxisError, match=r"Step 1 \(crop\): No range is left"):
        nd.prepare(raw, Recipe((nd.Crop(2000.0, 2500.0),)))


@given(st.floats(-6, 6))
@settings(deadline=None, max_examples=20)
def test_recalibration_finds_the_shift(shift):
    axis = np.arange(950.0, 1060.0, 2.0)
    band = 100 * np.exp(-(((axis - 1003.5) / 5) ** 2)) + 20
    done = nd.prepare(cube_of(band[None, None], axis + shift), Recipe((nd.Recalibrate(),)))
    np.testing.assert_allclose(done.wavenumber, axis, atol=0.1)
    assert done.provenance[-1].params["shift"] == pytest.approx(-shift, abs=0.1)


def test_recalibration_refuses_without_a_band():
    flat = np.random.default_rng(0).normal(10, 1, (4, 4, 80))
    with pytest.raises(AxisError, match="no clear band between"):
        nd.prepare(cube_of(flat, np.arange(900, 1060, 2)), Recipe((nd.Recalibrate(),)))


def test_resampling_to_the_network_invents_nothing(raw):
    part = nd.prepare(raw, Recipe((nd.Crop(900.0, 1500.0), nd.Resample("network"))))
    assert part.wavenumber[0] >= 898 and part.wavenumber[-1] <= 1502
    np.testing.assert_allclose(np.diff(part.wavenumber), 1200 / 499)
    n = nd.prepare(raw, Recipe((nd.Resample("channels", n_channels=100),)))
    assert n.shape[2] == 100 and n.wavenumber[-1] == pytest.approx(raw.wavenumber[-1])
    even = nd.prepare(raw, Recipe((nd.Resample("spacing", spacing=4.0),)))
    np.testing.assert_allclose(np.diff(even.wavenumber), 4.0)


@pytest.mark.parametrize(
    ("method", "of"),
    [
        ("maximum", lambda s, a: s.max(axis=2)),
        ("area", lambda s, a: np.abs(s).sum(axis=2) * 5),
        ("vector", lambda s, a: np.sqrt((s**2).sum(axis=2))),
        ("snv", lambda s, a: s.std(axis=2, ddof=1)),
        ("band", lambda s, a: s[..., (a >= 700) & (a <= 720)].mean(axis=2)),
    ],
)
def test_normalized_spectra_have_one_of_it(method, of):
    given = np.random.default_rng(1).uniform(1, 9, (3, 4, 50))
    given[1, 1] = 0
    done = nd.prepare(cube_of(given), Recipe((nd.Normalize(method, low=700.0, high=720.0),)))
    made = of(done.intensity, done.wavenumber)
    made_good = made[np.isfinite(made)]
    np.testing.assert_allclose(made_good, 1, rtol=1e-5)
    assert made_good.size == 11 and np.isnan(done.intensity[1, 1]).all()
    assert done.metadata["intensity_unit"] and "1 spectra" in done.provenance[-1].notes[-1]


def test_one_factor_keeps_pixels_comparable_and_the_uncertainty():
    given = np.random.default_rng(1).uniform(1, 9, (3, 4, 50))
    cube = cube_of(given, uncertainty=0.1 * given, flagged=given[..., 0] > 5)
    done = nd.prepare(cube, Recipe((nd.Normalize("cube-maximum"),)))
    np.testing.assert_allclose(done.intensity, given / given.max(), rtol=1e-5)
    np.testing.assert_allclose(done.uncertainty, 0.1 * given / given.max(), rtol=1e-5)
    np.testing.assert_array_equal(done.flagged, cube.flagged)


def test_trust_goes_along_or_its_loss_is_told():
    given = np.random.default_rng(1).uniform(1, 9, (4, 6, 50))
    cube = cube_of(given, uncertainty=given, flagged=given[..., 0] > 5, pixel_size=(0.5, 1.0))
    kept = nd.prepare(cube, Recipe((nd.Crop(620.0, 700.0), nd.CropMap(1, 2, 2, 3), nd.Flip("x"))))
    np.testing.assert_array_equal(kept.uncertainty, kept.intensity)
    np.testing.assert_array_equal(kept.flagged, cube.flagged[1:3, 2:5][:, ::-1])
    assert kept.origin == (0.5, 2.0)
    lost = nd.prepare(cube, Recipe((nd.Baseline(),)))
    assert lost.uncertainty is None and lost.flagged is None
    assert "uncertainty and the flags of the input" in lost.provenance[-1].notes[-1]


def test_bins_lie_where_their_pixels_lay():
    given = np.arange(5 * 6 * 2, dtype=float).reshape(5, 6, 2)
    given[0, 0] = np.nan
    sized = nd.prepare(
        cube_of(given, pixel_size=(0.5, 1.0), origin=(3, 4)), Recipe((nd.Bin(2, 3),))
    )
    assert sized.shape == (2, 2, 2)
    assert sized.pixel_size == (1.0, 3.0) and sized.origin == (3.25, 5.0)
    np.testing.assert_allclose(sized.intensity[1, 1], given[2:4, 3:6].mean(axis=(0, 1)))
    np.testing.assert_allclose(sized.intensity[0, 0], np.nanmean(given[:2, :3], axis=(0, 1)))
    assert "1 rows and 0 columns" in sized.provenance[-1].notes[1]
    plain = nd.prepare(cube_of(given), Recipe((nd.Bin(2, 2),)))
    assert plain.spacing == (2.0, 2.0) and plain.origin == (0.5, 0.5)
    with pytest.raises(CubeError, match="pixel size is known"):
        nd.prepare(cube_of(given), Recipe((nd.Bin(1, 2),)))


def test_bad_pixels_and_channels_are_found_and_said():
    rng = np.random.default_rng(0)
    band = np.exp(-(((np.arange(60) - 30) / 6) ** 2))
    given = 100 + 400 * rng.uniform(0.5, 1, (8, 8, 1)) * band + rng.normal(0, 2, (8, 8, 60))
    given[..., 10] += 700  # hot
    given[..., 45] = 3  # dead
    given[2, 3, 25:36] = 2000.0  # cut off at the highest count
    given[5, 5] = np.nan
    cube = cube_of(given)
    done = nd.prepare(cube, Recipe((nd.BadPixels(saturated="neighbors"),)))
    step = done.provenance[-1]
    assert step.params["channels_found"] == ["650.0", "825.0"]
    assert (step.params["n_saturated"], step.params["n_missing"], step.params["n_filled"]) == (
        1,
        1,
        1,
    )
    around = np.delete(done.intensity[1:4, 2:5].reshape(9, 60), 4, axis=0)
    np.testing.assert_allclose(done.intensity[2, 3], around.mean(axis=0), rtol=1e-5)
    assert np.isnan(done.intensity[5, 5]).all()
    assert np.abs(done.intensity[0, 0, [10, 45]] - 100).max() < 10
    clean = nd.prepare(cube_of(given[:2, :, 11:40]), Recipe((nd.BadPixels(),)))
    assert clean.provenance[-1].notes == ("No bad channel and no saturated pixel was found.",)


# preview


def test_a_preview_is_what_the_run_will_make(raw):
    recipe = Recipe(
        (
            nd.Despike(),
            nd.Crop(700.0, 1700.0),
            nd.Baseline(),
            nd.Resample("spacing"),
            nd.Normalize("area"),
        )
    )
    table = nd.cosmic_rays(raw)
    pixels = [tuple(int(i) for i in table.pixels[0]), (0, 0), (19, 23)]
    stages = nd.Preparation(raw).preview(recipe, pixels)
    assert [s.name for s in stages] == [
        "input",
        "despike",
        "crop",
        "baseline",
        "resample",
        "normalize",
    ]
    done = nd.prepare(raw, recipe)
    for row, (y, x) in enumerate(pixels):
        np.testing.assert_allclose(
            stages[-1].spectra[row], done.intensity[y, x], rtol=2e-3, atol=1e-6
        )
    marks = stages[1].marks
    assert marks is not None and marks[0].any() and stages[1].before.size == 500
    curve = stages[3].curve
    assert curve is not None
    np.testing.assert_allclose(stages[2].spectra - curve, stages[3].spectra, atol=1e-3)


def test_a_preview_says_what_it_cannot_show(raw):
    seen = nd.Preparation(raw)
    stages = seen.preview(Recipe((nd.Flip(), nd.Normalize("cube-maximum"))), [(2, 3)])
    np.testing.assert_array_equal(stages[1].spectra, stages[0].spectra)
    assert "not shown here" in stages[1].notes[0]
    with pytest.raises(ParameterError, match=r"Pixel \(99, 0\) lies outside"):
        seen.preview("as-deeper", [(99, 0)])
    assert seen.preview("as-deeper", [])[-1].spectra.shape[0] == 0


# cubes that nobody would measure


def odd(kind: str, shape: tuple[int, int, int]) -> np.ndarray:
    rng = np.random.default_rng(0)
    return {
        "zero": lambda: np.zeros(shape),
        "constant": lambda: np.full(shape, 5.0),
        "unmeasured": lambda: np.full(shape, np.nan),
        "negative": lambda: -rng.uniform(1, 2, shape),
        "huge": lambda: rng.uniform(0, 1e37, shape),
        "tiny": lambda: rng.uniform(0, 1e-35, shape),
        "counts": lambda: rng.integers(0, 9, shape),
    }[kind]()


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 3), (2, 1, 9), (3, 3, 17)])
@pytest.mark.parametrize(
    "kind", ["zero", "constant", "unmeasured", "negative", "huge", "tiny", "counts"]
)
def test_every_step_works_or_says_why_not(kind, shape):
    axis = np.linspace(600, 1800, shape[2]) if shape[2] > 1 else np.array([1000.0])
    cube = RamanCube(odd(kind, shape), axis)
    steps = [kind_of_step.settings() for kind_of_step in STEPS.values()]
    steps += [nd.Baseline(method) for method in BASELINES]
    steps += [nd.Normalize(method, 600.0, 1800.0) for method in NORMALIZATIONS]
    for step in steps:
        for run in (
            lambda s: nd.prepare(cube, Recipe((s,))),
            lambda s: nd.Preparation(cube).preview(Recipe((s,)), [(0, 0)]),
        ):
            try:
                run(step)
            except nd.DeeperError as error:
                assert str(error).startswith("Step 1 (")
    nd.suggested_recipe(nd.check_fit(cube))
