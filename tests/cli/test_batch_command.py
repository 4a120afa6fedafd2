"""``napari-deeper batch`` and ``watch``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import napari_deeper as nd
from napari_deeper.cli import app, batching
from napari_deeper.engine.workflow import Workflow
from napari_deeper.spectra.errors import Cancelled


def run(*arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(app, [str(a) for a in arguments])
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture
def measured(tmp_path, small_cube) -> Path:
    folder = tmp_path / "measured"
    folder.mkdir()
    for name in ("a", "b"):
        nd.write(small_cube, folder / f"{name}.npz")
    (folder / "broken.npz").write_text("nothing")
    return folder


@pytest.fixture
def workflow(tmp_path) -> Path:
    denoise = nd.DenoiseParams(method="savgol")
    recipe = nd.Recipe((nd.Crop(700.0, 1700.0),))
    return nd.write_workflow(Workflow(recipe, denoise), tmp_path / "workflow.json")


def test_batch_tells_each_cube_and_ends_with_what_failed(measured, workflow, tmp_path, small_cube):
    flags = ("batch", workflow, measured, "--out", tmp_path / "out", "--workers", 1)
    first = run(*flags, code=1)
    assert "done     a.npz -> a.zarr" in first and "2 done, 0 skipped, 1 failed" in first
    assert first.index("Failed:\n  broken.npz  ") > first.index("1 failed")
    made = nd.read(tmp_path / "out" / "b.zarr").intensity
    np.testing.assert_array_equal(made, nd.run_workflow(small_cube, workflow).intensity)
    (measured / "broken.npz").unlink()
    assert "0 done, 2 skipped, 0 failed" in run(*flags)
    assert run(*flags, "--quiet") == ""
    assert "2 done" in run(*flags, "--force")
    assert "2 done" in run(*flags, "--format", ".npz")


def test_a_workflow_that_is_wrong_is_told(measured, tmp_path):
    (tmp_path / "w.json").write_text('{"format": "napari-deeper workflow", "version": 1}')
    told = run("batch", tmp_path / "w.json", measured, "--out", tmp_path / "out", code=1)
    assert "w.json: The workflow does nothing" in told
    told = run("batch", "none", measured, "--out", tmp_path / "out", code=1)
    assert "no workflow 'none'. Known: as-deeper" in told
    assert "cannot be read" in run(
        "batch", "none.json", measured, "--out", tmp_path / "out", code=1
    )


@pytest.mark.parametrize("stop", [KeyboardInterrupt, Cancelled])
def test_a_cancel_says_that_results_are_kept(measured, workflow, tmp_path, monkeypatch, stop):
    def cancelled(*_: object, **__: object) -> None:
        raise stop

    monkeypatch.setattr(batching, "batch", cancelled)
    told = run("batch", workflow, measured, "--out", tmp_path / "out", code=130)
    assert told == "Cancelled: what was finished is kept; run it again to go on.\n"


def test_watch_once_makes_what_is_there(measured, workflow, tmp_path):
    flags = ("watch", measured, "--recipe", workflow, "--out", tmp_path / "out", "--poll", 0)
    told = run(*flags, "--once", code=1)
    assert "done     a.npz -> a.zarr" in told and "failed   broken.npz" in told
    (measured / "broken.npz").unlink()
    assert run(*flags, "--once").count("skipped") == 2


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_watch_ends_with_ctrl_c(measured, tmp_path):
    (measured / "broken.npz").unlink()
    out = tmp_path / "out"
    command = [sys.executable, "-m", "napari_deeper.cli", "watch", str(measured)]
    flags = ["--recipe", "despike", "--out", str(out), "--poll", "0.1"]
    with subprocess.Popen([*command, *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as it:
        for _ in range(600):
            if (out / "b.zarr").exists():
                break
            time.sleep(0.1)
        os.kill(it.pid, signal.SIGINT)
        told, errors = it.communicate(timeout=60)
    assert it.returncode == 130 and b"what was finished is kept" in errors
    assert b"done     a.npz -> a.zarr" in told


def test_the_documented_workflow_is_one(tmp_path):
    text = (Path(__file__).parents[2] / "docs" / "batch.md").read_text(encoding="utf-8")
    block = text.split("```json")[1].split("```")[0]
    workflow = Workflow.from_json(json.loads(block))
    assert workflow.prepare is not None and workflow.denoise is not None
    assert workflow.super_resolve == nd.SuperResolveParams(scale=2)
