"""A workflow over many cubes in one process: what is made, skipped, told and kept."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest

import napari_deeper as nd
from napari_deeper import DenoiseParams, Recipe, Workflow
from napari_deeper.engine import workflow_files
from napari_deeper.models import checkpoint
from napari_deeper.spectra.errors import Cancelled, FileError, ParameterError

SAVGOL = Workflow(Recipe((nd.Crop(700.0, 1700.0),)), DenoiseParams(method="savgol"))


@pytest.fixture
def measured(tmp_path, small_cube) -> Path:
    folder = tmp_path / "measured"
    folder.mkdir()
    for name in ("a", "b", "c"):
        nd.write(small_cube, folder / f"{name}.npz")
    return folder


def outcomes(done) -> list[str]:
    return [file.outcome for file in done]


def test_each_cube_is_made_and_one_that_fails_is_told(measured, tmp_path, small_cube):
    (measured / "b.npz").write_bytes(b"broken")
    heard: list[str] = []
    done = nd.batch(
        SAVGOL, measured, tmp_path / "out", workers=1, on_file=lambda f: heard.append(f.source.name)
    )
    assert outcomes(done) == ["done", "failed", "done"]
    assert "b.npz" in done[1].text and heard == ["a.npz", "b.npz", "c.npz"]
    expected = nd.run_workflow(small_cube, SAVGOL).intensity
    np.testing.assert_array_equal(nd.read(tmp_path / "out" / "c.zarr").intensity, expected)


def test_what_is_made_is_skipped_until_input_workflow_or_reading_change(measured, tmp_path):
    out = tmp_path / "out"
    nd.batch(SAVGOL, measured, out, workers=1)
    assert outcomes(nd.batch(SAVGOL, measured, out, workers=1)) == ["skipped"] * 3
    changed = nd.batch(SAVGOL, measured, out, workers=1, reading={"pixel_size": 2.0})
    assert outcomes(changed) == ["failed"] * 3 and "made in another way" in changed[0].text
    assert outcomes(nd.batch("despike", measured, out, workers=1)) == ["failed"] * 3
    forced = nd.batch("despike", measured, out, workers=1, overwrite=True)
    assert outcomes(forced) == ["done"] * 3
    assert outcomes(nd.batch("despike", measured, out, workers=1)) == ["skipped"] * 3
    # prepare of folders keeps the same book, and a name is not what is done
    again = nd.prepare_folder(measured, out, Recipe((nd.Despike(),), "mine"), suffix=".zarr")
    assert outcomes(again) == ["skipped"] * 3


def test_weights_that_were_tuned_anew_are_another_way(measured, tmp_path):
    shipped = checkpoint.shipped("eigenimage")
    weights = tmp_path / "own.safetensors"
    weights.write_bytes(shipped.read_bytes())
    weights.with_suffix(".json").write_bytes(shipped.with_suffix(".json").read_bytes())
    workflow = Workflow(denoise=DenoiseParams(model=str(weights)))
    source = measured / "a.npz"
    assert outcomes(nd.batch(workflow, source, tmp_path / "out", workers=1)) == ["done"]
    weights.write_bytes(weights.read_bytes() + b" ")
    (changed,) = nd.batch(workflow, source, tmp_path / "out", workers=1)
    assert changed.outcome == "failed" and "another way" in changed.text


def test_networks_are_loaded_once_for_all_cubes(measured, tmp_path, monkeypatch):
    loads: list[Path] = []
    read = checkpoint._read
    monkeypatch.setattr(checkpoint, "_read", lambda path: loads.append(path) or read(path))
    done = nd.batch(Workflow(denoise=DenoiseParams()), measured, tmp_path / "out", workers=1)
    assert outcomes(done) == ["done"] * 3
    assert loads and len(loads) == len(set(loads))
    nd.denoise(nd.read(measured / "a.npz"))
    assert len(loads) > len(set(loads))  # and outside of a batch nothing is kept


def test_results_of_several_folders_lie_apart(measured, tmp_path, small_cube):
    other = tmp_path / "tuesday"
    other.mkdir()
    nd.write(small_cube, other / "a.npz")
    store = nd.write(small_cube, tmp_path / "alone.zarr")
    done = nd.batch("despike", [measured, other, store], tmp_path / "out", workers=1)
    assert outcomes(done) == ["done"] * 5
    made = {p.relative_to(tmp_path / "out").as_posix() for p in tmp_path.glob("out/**/*.zarr")}
    assert made == {
        "measured/a.zarr",
        "measured/b.zarr",
        "measured/c.zarr",
        "tuesday/a.zarr",
        "alone.zarr",
    }
    nd.write(small_cube, measured / "a.mat")
    twice = nd.batch("despike", measured, tmp_path / "other", workers=1)
    assert outcomes(twice).count("failed") == 1


def test_a_fault_of_one_cube_does_not_stop_the_others(measured, tmp_path, monkeypatch):
    run = workflow_files.run_workflow

    def sometimes(cube, *rest):
        if "b" in cube.metadata["name"]:
            raise ZeroDivisionError("odd")
        return run(cube, *rest)

    monkeypatch.setattr(workflow_files, "run_workflow", sometimes)
    for name in "ac":
        nd.write(
            nd.RamanCube(np.random.default_rng(0).random((3, 3, 50)), np.linspace(600, 1800, 50)),
            measured / f"{name}.npz",
            overwrite=True,
        )
    cube = nd.RamanCube(np.ones((3, 3, 50)), np.linspace(600, 1800, 50), metadata={"name": "b"})
    nd.write(cube, measured / "b.npz", overwrite=True)
    done = nd.batch(SAVGOL, measured, tmp_path / "out", workers=1)
    assert outcomes(done) == ["done", "failed", "done"]
    assert "ZeroDivisionError: odd" in done[1].text and "fault of napari-deeper" in done[1].text


def test_two_runs_at_once_make_each_result_whole(measured, tmp_path):
    out = tmp_path / "out"
    found: list[str] = []

    def go() -> None:
        found.extend(outcomes(nd.batch(SAVGOL, measured, out, workers=1)))

    runs = [threading.Thread(target=go) for _ in range(3)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert len(found) == 9 and set(found) <= {"done", "skipped"}
    assert outcomes(nd.batch(SAVGOL, measured, out, workers=1)) == ["skipped"] * 3
    assert not list(out.glob(".*partial*"))
    book = json.loads((out / "results.json").read_text())
    assert sorted(book["files"]) == ["a.zarr", "b.zarr", "c.zarr"]


def test_a_cancel_keeps_what_is_finished(measured, tmp_path):
    stop = threading.Event()
    with pytest.raises(Cancelled):
        nd.batch(
            SAVGOL,
            measured,
            tmp_path / "out",
            workers=1,
            progress=nd.Progress(cancel=stop),
            on_file=lambda file: stop.set(),
        )
    assert [p.name for p in (tmp_path / "out").glob("*.zarr")] == ["a.zarr"]
    done = nd.batch(SAVGOL, measured, tmp_path / "out", workers=1)
    assert outcomes(done) == ["skipped", "done", "done"]


def test_what_cannot_be_run_is_told(measured, tmp_path):
    with pytest.raises(FileError, match="inputs are never changed"):
        nd.batch("despike", measured, measured)
    with pytest.raises(FileError, match="inputs are never changed"):
        nd.batch("despike", measured / "a.npz", measured)
    with pytest.raises(FileError, match="cubes"):
        nd.batch("despike", [], tmp_path / "out")
    with pytest.raises(ParameterError, match="cannot be written"):
        nd.batch("despike", measured, tmp_path / "out", suffix=".doc")
    with pytest.raises(ParameterError, match="workers is -1"):
        nd.batch("despike", measured, tmp_path / "out", workers=-1)
    with pytest.raises(FileError, match="cannot be read"):
        nd.batch(tmp_path / "none.json", measured, tmp_path / "out")
    (gone,) = nd.batch("despike", tmp_path / "gone.npz", tmp_path / "out")
    assert gone.outcome == "failed" and "does not exist" in gone.text
