"""``napari-deeper prepare`` on files and folders, and ``info --fit``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import napari_deeper as nd
from napari_deeper.cli import app
from napari_deeper.simulate.cells import cell
from napari_deeper.simulate.instrument import Instrument, measure


def run(*arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(app, [str(a) for a in arguments])
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> Path:
    instrument = Instrument(fluorescence=150, cosmic_rays=0.05)
    cube = measure(cell((12, 12)).cube, 1.0, np.random.default_rng(1), instrument)
    return nd.write(cube, tmp_path_factory.mktemp("raw") / "raw.npz")


def test_a_preset_is_run_and_told(raw, tmp_path):
    told = run("prepare", raw, tmp_path / "a.npz", "--preset", "raw-for-enhance")
    assert "despike > crop > baseline" in told and "The baseline (arpls) took" in told
    made = nd.read(tmp_path / "a.npz")
    np.testing.assert_array_equal(
        made.intensity, nd.prepare(nd.read(raw), "raw-for-enhance").intensity
    )
    assert "already exists" in run("prepare", raw, tmp_path / "a.npz", "--despike", code=1)


def test_steps_by_flags_are_a_recipe(raw, tmp_path):
    flags = "--despike --bad-pixels --crop 700-1700 --recalibrate 1660 --baseline asls"
    flags += " --resample 300 --smooth 7 --normalize area"
    run("prepare", raw, tmp_path / "a.npz", *flags.split(), "--quiet")
    made = nd.read(tmp_path / "a.npz")
    verbs = [step.verb for step in made.provenance[-8:]]
    assert verbs == [
        "despike",
        "bad-pixels",
        "crop",
        "recalibrate",
        "baseline",
        "resample",
        "smooth",
        "normalize",
    ]
    assert made.shape[2] == 300


def test_a_recipe_file_is_run_and_its_errors_are_told(raw, tmp_path):
    recipe = nd.write_recipe(nd.Recipe((nd.Crop(800.0, 1200.0),)), tmp_path / "r.json")
    run("prepare", raw, tmp_path / "a.zarr", "--recipe", recipe)
    assert nd.read(tmp_path / "a.zarr").wavenumber[-1] <= 1200
    recipe.write_text(recipe.read_text().replace("1200.0", '"far"'))
    told = run("prepare", raw, tmp_path / "b.npz", "--recipe", recipe, code=1)
    assert "Step 1 (crop): high is 'far'; it must be a number." in told


def test_show_lists_cosmic_rays_and_writes_nothing(raw):
    before = sorted(raw.parent.iterdir())
    told = run("prepare", raw, "--show")
    assert "cosmic rays in" in told and "height" in told
    assert sorted(raw.parent.iterdir()) == before


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["out.npz"], "Say what to do"),
        (["--despike"], "Say where to write"),
        (["out.npz", "--despike", "--preset", "despike"], "one of the three"),
        (["out.npz", "--crop", "wide"], "is not understood"),
    ],
)
def test_wrong_usage_is_told(raw, flags, told):
    assert told in " ".join(run("prepare", raw, *flags, code=2).replace("│", " ").split())


def test_a_folder_goes_on_after_a_failure_and_can_be_run_again(raw, tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for name in ("a.npz", "b.npz"):
        (folder / name).write_bytes(raw.read_bytes())
    (folder / "c.mat").write_text("broken")
    (folder / "notes.txt").write_text("no cube")
    first = run("prepare", folder, out, "--preset", "despike", code=1)
    assert "2 done, 0 skipped, 1 failed" in first and "c.mat" in first
    assert "no cube  notes.txt" in first
    made = (out / "a.npz").stat().st_mtime_ns
    (folder / "c.mat").unlink()
    assert "0 done, 2 skipped, 0 failed" in run("prepare", folder, out, "--preset", "despike")
    assert (out / "a.npz").stat().st_mtime_ns == made
    (out / "b.npz").unlink()
    assert "1 done, 1 skipped, 0 failed" in run("prepare", folder, out, "--preset", "despike")
    other = run("prepare", folder, out, "--crop", "700-900", code=1)
    assert "made in another way" in other and "2 failed" in other
    assert (out / "a.npz").stat().st_mtime_ns == made
    assert "2 done" in run("prepare", folder, out, "--crop", "700-900", "--force")
    nd.write(nd.read(out / "a.npz"), folder / "a.npz", overwrite=True)
    changed = run("prepare", folder, out, "--crop", "700-900", code=1)
    assert "0 done, 1 skipped, 1 failed" in changed


def test_folders_that_will_not_do_are_told(raw, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "holds no cube" in run(
        "prepare", tmp_path / "empty", tmp_path / "o", "--despike", code=1
    )
    same = run("prepare", raw.parent, raw.parent, "--despike", code=1)
    assert "inputs are never changed" in same


def test_an_axis_that_is_given_is_used_for_every_file(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    np.save(folder / "a.npy", np.random.default_rng(0).normal(10, 1, (3, 4, 50)).astype("f4"))
    np.savetxt(tmp_path / "axis.txt", np.linspace(600, 1800, 50))
    flags = ("--crop", "700-900", "--wavenumbers", tmp_path / "axis.txt")
    assert "1 done" in run("prepare", folder, tmp_path / "out", *flags)
    assert "1 skipped" in run("prepare", folder, tmp_path / "out", *flags)
    assert nd.read(tmp_path / "out" / "a.npz").wavenumber[0] >= 700


def test_the_documented_recipe_is_one():
    text = (Path(__file__).parents[2] / "docs" / "preparing.md").read_text(encoding="utf-8")
    block = text.split("```json")[1].split("```")[0]
    steps = nd.Recipe.from_json(json.loads(block)).steps
    assert steps == (nd.Despike(), nd.Crop(600.0, 1800.0), nd.Baseline("arpls"))


def test_info_says_what_does_not_fit(raw):
    told = run("info", raw, "--fit")
    assert "A baseline is present" in told and "suggested recipe: despike > baseline" in told
    facts = json.loads(run("info", raw, "--fit", "--json"))
    assert {f["name"] for f in facts["fit"]["findings"]} == {"cosmic-rays", "baseline"}
    assert nd.Recipe.from_json(facts["fit"]["recipe"]).steps[0] == nd.Despike()
