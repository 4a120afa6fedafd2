"""What does not suit the networks is named, with the step that mends it; what is well is left in peace."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import numpy as np
import pytest

import napari_deeper as nd
from napari_deeper import RamanCube, check_fit, suggested_recipe
from napari_deeper.engine.recipe import kind_of
from napari_deeper.simulate.cells import cell
from napari_deeper.simulate.instrument import Instrument, measure

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture(scope="module")
def clean() -> RamanCube:
    return cell((32, 32)).cube


def measured(clean: RamanCube, dwell: float = 1.0, **faults: float) -> RamanCube:
    return measure(clean, dwell, np.random.default_rng(2), Instrument(**faults))


def names(cube: RamanCube) -> set[str]:
    return {finding.name for finding in check_fit(cube)}


def test_a_raw_cube_is_named_and_mended(clean):
    raw = measured(clean, fluorescence=400, cosmic_rays=0.02, fluorescence_contrast=0.5)
    findings = check_fit(raw)
    assert {f.name for f in findings} == {"cosmic-rays", "baseline"}
    recipe = suggested_recipe(findings)
    assert recipe is not None and str(recipe) == "despike > baseline"
    assert check_fit(nd.prepare(raw, recipe)) == ()


@pytest.mark.parametrize("dwell", [0.1, 1.0])
def test_a_prepared_cube_has_nothing_to_mend(clean, dwell):
    cube = measured(clean, dwell)
    assert check_fit(cube) == ()
    assert suggested_recipe(()) is None
    assert names(nd.prepare(cube, nd.Recipe((nd.Normalize(),)))) == set()


def test_a_large_raw_cube_takes_no_time():
    raw = measured(cell((64, 64)).cube, fluorescence=400, cosmic_rays=0.02)
    check_fit(raw)
    taken = []
    for _ in range(3):
        start = time.process_time()
        assert names(raw) == {"cosmic-rays", "baseline"}
        taken.append(time.process_time() - start)
    assert min(taken) < 0.5


def test_ranges_are_compared(clean):
    cube = measured(clean)
    part = nd.prepare(cube, nd.Recipe((nd.Crop(600.0, 1300.0),)))
    (finding,) = check_fit(part)
    assert (
        finding.name == "range" and finding.mends is None and "of what it expects" in finding.text
    )
    shifted = dataclasses.replace(cube, wavenumber=cube.wavenumber + 2000)
    assert [f.text for f in check_fit(shifted) if "share 0%" in f.text]


def test_missing_and_saturated_pixels_are_named_and_filled(clean):
    cube = measured(clean, full_well=110.0)
    assert names(cube) == {"saturation"}
    holed = cube.intensity.copy()
    holed[3, 4] = np.nan
    findings = check_fit(dataclasses.replace(cube, intensity=holed))
    recipe = suggested_recipe(findings)
    assert recipe is not None and len(recipe.steps) == 1
    (mend,) = recipe.steps
    assert isinstance(mend, nd.BadPixels) and mend.missing == mend.saturated == "neighbors"
    nothing = dataclasses.replace(cube, intensity=np.full(cube.shape, np.nan))
    assert names(nothing) == {"missing"}


@pytest.mark.parametrize("method", ["maximum", "snv"])
def test_spectra_scaled_one_by_one_are_named(clean, method):
    done = nd.prepare(measured(clean), nd.Recipe((nd.Normalize(method),)))
    assert "scale" in names(done)


def test_noise_far_from_training_is_named(clean):
    rng = np.random.default_rng(0)
    buried = clean.intensity + rng.normal(0, 60 * clean.intensity.std(), clean.shape)
    assert "noise" in names(dataclasses.replace(clean, intensity=buried))
    assert "noise" in names(clean)  # no noise at all


def test_the_measured_cell_has_no_baseline_left(thp1_path):
    cube = nd.read(thp1_path)
    assert names(cube) == {"range", "cosmic-rays"}


def test_a_raw_witec_map_is_named_and_mended():
    path = SHARED / "formats" / "witec" / "P_A32_006_Spec.Data 1.mat"
    if not path.is_file():
        pytest.skip("the measured WITec map is not beside this checkout (../shared/data/formats)")
    cube = nd.read(path)
    findings = check_fit(cube)
    assert {"range", "baseline"} <= {f.name for f in findings}
    recipe = suggested_recipe(findings)
    assert recipe is not None
    assert [kind_of(s).name for s in recipe.steps][-2:] == ["crop", "baseline"]
    assert not {"range", "baseline"} & names(nd.prepare(cube, recipe))


def test_settings_and_names_of_weights_will_do(clean):
    cube = measured(clean)
    assert check_fit(cube, nd.DenoiseParams()) == check_fit(cube, "") == ()
