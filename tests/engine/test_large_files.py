"""Cubes that stay on disk: made in windows, to what one go makes, within bounded memory, stopped and gone on with."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from typer.testing import CliRunner

import napari_deeper as nd
from napari_deeper import RamanCube
from napari_deeper.cli import app
from napari_deeper.engine import large_files, window_run
from napari_deeper.engine.enhance_files import enhance_file
from napari_deeper.engine.mosaic import Mosaic
from napari_deeper.io import zarr_growing, zarr_rows, zarr_store
from napari_deeper.simulate.instrument import measure
from napari_deeper.simulate.tissue import tissue
from napari_deeper.spectra.errors import Cancelled, CubeError, FileError, ParameterError

SIDE = 32


@pytest.fixture(scope="module")
def noisy() -> RamanCube:
    axis = np.linspace(600, 1800, 120)
    made = tissue((70, 52), rng=np.random.default_rng(3), wavenumber=axis)
    return measure(made.cube, 0.5, np.random.default_rng(1))


@pytest.fixture(autouse=True)
def _small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows of 32 x 32 pixels and chunks of 16 x 20, for cubes of any size."""
    for module in (zarr_growing, zarr_rows, zarr_store):
        monkeypatch.setattr(module, "CHUNK", (32, 16, 20))
    monkeypatch.setattr(large_files, "STREAM_FROM_BYTES", 0)
    monkeypatch.setattr(window_run, "window_side", lambda n_channels, scale: SIDE)


def relative(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))


@pytest.mark.parametrize(
    "settings",
    [
        {"method": "low-rank"},
        {"method": "pca"},
        {"method": "pca", "n_components": 3},
        {"method": "savgol", "window": 7},
        {"method": "wavelet"},
    ],
)
def test_denoising_in_windows_makes_what_one_go_makes(noisy, tmp_path, settings):
    source = nd.write(noisy, tmp_path / "in.zarr")
    told = nd.denoise_file(source, tmp_path / "out.zarr", **settings)
    ours, theirs = nd.read(tmp_path / "out.zarr"), nd.denoise(noisy, **settings)
    assert relative(ours.intensity, theirs.intensity) < 1e-5
    assert ours.provenance[-1].notes == told
    assert "read from disk in 6 blocks" in told[0]
    for name in ("pixel_size", "origin", "zoom", "metadata", "shape"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert [step.verb for step in ours.provenance] == [step.verb for step in theirs.provenance]
    assert ours.provenance[-1].params["chosen"] == theirs.provenance[-1].params["chosen"]
    assert [p.name for p in sorted(tmp_path.iterdir())] == ["in.zarr", "out.zarr"]


@pytest.mark.parametrize("method", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("scale", [2, 3])
def test_interpolating_in_windows_makes_what_one_go_makes(noisy, tmp_path, method, scale):
    source = nd.write(noisy, tmp_path / "in.zarr")
    nd.super_resolve_file(source, tmp_path / "out.zarr", method=method, scale=scale)
    ours = nd.read(tmp_path / "out.zarr")
    theirs = nd.super_resolve(noisy, method=method, scale=scale)
    assert relative(ours.intensity, theirs.intensity) < 1e-6
    assert (ours.pixel_size, ours.origin, ours.zoom) == (
        theirs.pixel_size,
        theirs.origin,
        theirs.zoom,
    )


def test_auto_in_windows_is_near_one_go_and_shows_no_seams(noisy, tmp_path):
    source = nd.write(noisy, tmp_path / "in.zarr")
    told = nd.denoise_file(source, tmp_path / "out.zarr")
    ours, theirs = nd.read(tmp_path / "out.zarr"), nd.denoise(noisy)
    assert "overlapping windows" in told[0]
    noise = relative(noisy.intensity, theirs.intensity)
    assert relative(ours.intensity, theirs.intensity) < 0.5 * noise
    assert ours.uncertainty is not None and (ours.uncertainty > 0).all()
    assert ours.flagged is not None
    assert ours.provenance[-1].params["n_pixels_flagged"] == int(ours.flagged.sum())
    # steps between neighbors, where windows meet and elsewhere, are alike
    steps = np.abs(np.diff(ours.intensity - theirs.intensity, axis=0)).mean(axis=(1, 2))
    assert steps.max() < 3 * np.median(steps)


def test_super_resolution_in_windows_is_near_one_go(noisy, tmp_path):
    source = nd.write(noisy, tmp_path / "in.zarr")
    told = nd.super_resolve_file(source, tmp_path / "out.zarr", scale=2)
    ours, theirs = nd.read(tmp_path / "out.zarr"), nd.super_resolve(noisy, scale=2)
    assert ours.shape == theirs.shape
    plain = nd.super_resolve(noisy, scale=2, method="bilinear")
    apart = relative(plain.intensity, theirs.intensity)
    assert relative(ours.intensity, theirs.intensity) < 0.5 * apart
    assert ours.uncertainty is not None
    assert any("window by window" in note for note in told)


def test_what_does_not_vary_stays_as_it_is(noisy, tmp_path):
    holed = noisy.intensity.copy()
    holed[:36] = 0
    source = nd.write(dataclasses.replace(noisy, intensity=holed), tmp_path / "in.zarr")
    told = nd.denoise_file(source, tmp_path / "out.zarr", method="wavelet")
    ours = nd.read(tmp_path / "out.zarr").intensity
    assert not ours[:36].any() and ours[36:].any()
    # what only some windows have to say is not lost
    assert any(
        re.match(r"In \d of \d windows, for example: \d+ spectra do not vary", n) for n in told
    )


@pytest.mark.parametrize(
    ("value", "told"),
    [(np.nan, r"NaN or infinity, for example at y=61, x=7"), (0.0, "Every spectrum is constant")],
)
def test_a_map_without_signal_is_refused(noisy, tmp_path, value, told):
    bad = noisy.intensity.copy() if np.isnan(value) else np.zeros_like(noisy.intensity)
    bad[61, 7] = value
    source = nd.write(dataclasses.replace(noisy, intensity=bad), tmp_path / "in.zarr")
    with pytest.raises(CubeError, match=told):
        nd.denoise_file(source, tmp_path / "out.zarr", method="wavelet")
    # the same input would end so again: nothing is left to go on with
    assert [p.name for p in tmp_path.iterdir()] == ["in.zarr"]


def test_what_cannot_be_done_is_said_before_anything_is_made(noisy, tmp_path):
    source = nd.write(noisy, tmp_path / "in.zarr")
    with pytest.raises(ParameterError, match="as_published zooms the whole image"):
        nd.super_resolve_file(source, tmp_path / "a.zarr", method="bicubic", as_published=True)
    nd.write(noisy, tmp_path / "b.zarr")
    with pytest.raises(FileError, match="already exists"):
        nd.denoise_file(source, tmp_path / "b.zarr", method="wavelet")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b.zarr", "in.zarr"]


def test_a_cancelled_run_goes_on_where_it_was(noisy, tmp_path, monkeypatch):
    source = nd.write(noisy, tmp_path / "in.zarr")
    stop = threading.Event()
    asked: list[int] = []
    make = window_run._make

    def counted(stored, verb, work, window, progress):
        asked.append(window.y.start * 100 + window.x.start)
        return make(stored, verb, work, window, progress)

    monkeypatch.setattr(window_run, "_make", counted)
    progress = nd.Progress(lambda fraction, _: stop.set() if fraction > 0.5 else None, stop)
    with pytest.raises(Cancelled):
        nd.denoise_file(source, tmp_path / "out.zarr", method="low-rank", progress=progress)
    n_before = len(asked)
    assert 0 < n_before < 6 and (tmp_path / ".out.zarr.work").is_dir()
    nd.denoise_file(source, tmp_path / "out.zarr", method="low-rank")
    # the one that was being made when it stopped is made again, no other
    assert len(asked) <= 7 and len(set(asked)) == 6
    whole = nd.denoise(noisy, method="low-rank")
    assert relative(nd.read(tmp_path / "out.zarr").intensity, whole.intensity) < 1e-5
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.zarr", "out.zarr"]


def test_windows_are_shared_among_processes(noisy, tmp_path):
    source = nd.write(noisy, tmp_path / "in.zarr")
    nd.denoise_file(source, tmp_path / "alone.zarr", method="low-rank")
    before = dict(os.environ)
    nd.denoise_file(source, tmp_path / "shared.zarr", method="low-rank", workers=2)
    assert dict(os.environ) == before  # which processes that are started later get
    alone, shared = (nd.read(tmp_path / f"{name}.zarr") for name in ("alone", "shared"))
    # the last bits depend on the threads of a process
    assert relative(shared.intensity, alone.intensity) < 1e-5
    assert shared.provenance[-1].notes == alone.provenance[-1].notes


def test_windows_that_were_made_and_not_yet_written_are_written(noisy, tmp_path, monkeypatch):
    """As a kill leaves them between windows and tiles, or other processes ahead of this one."""
    source = nd.write(noisy, tmp_path / "in.zarr")
    write_around = Mosaic._write_around
    monkeypatch.setattr(Mosaic, "_write_around", lambda *_: None)
    with pytest.raises(FileError):  # an OSError in words
        nd.denoise_file(source, tmp_path / "out.zarr", method="low-rank", progress=_stopping())
    monkeypatch.setattr(Mosaic, "_write_around", write_around)
    nd.denoise_file(source, tmp_path / "out.zarr", method="low-rank")
    whole = nd.denoise(noisy, method="low-rank")
    assert relative(nd.read(tmp_path / "out.zarr").intensity, whole.intensity) < 1e-5


def _stopping() -> nd.Progress:
    """Return a progress that fails when all windows are made."""

    def report(fraction: float, text: str) -> None:
        if "coarser" in text:
            raise OSError(text)

    return nd.Progress(report)


def test_another_task_does_not_go_on_with_what_was_left(noisy, tmp_path):
    source = nd.write(noisy, tmp_path / "in.zarr")
    stop = threading.Event()
    progress = nd.Progress(lambda fraction, _: stop.set() if fraction > 0.5 else None, stop)
    with pytest.raises(Cancelled):
        nd.denoise_file(source, tmp_path / "out.zarr", method="wavelet", progress=progress)
    nd.denoise_file(source, tmp_path / "out.zarr", method="savgol", window=5)
    whole = nd.denoise(noisy, method="savgol", window=5)
    assert relative(nd.read(tmp_path / "out.zarr").intensity, whole.intensity) < 1e-5


_RUN = """
import sys
from pathlib import Path
import napari_deeper as nd
from napari_deeper.engine import large_files, window_run
large_files.STREAM_FROM_BYTES = 0
window_run.window_side = lambda n_channels, scale: 32
folder = Path(sys.argv[1])
nd.denoise_file(folder / "in.zarr", folder / "out.zarr")
"""


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
def test_a_killed_run_goes_on_without_making_finished_windows_again(noisy, tmp_path):
    nd.write(noisy, tmp_path / "in.zarr")
    command = [sys.executable, "-c", _RUN, str(tmp_path)]
    running = subprocess.Popen(command)
    work = tmp_path / ".out.zarr.work"
    deadline = time.monotonic() + 300
    while len(list(work.glob("window-*.json"))) < 2:
        assert running.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert not (tmp_path / "out.zarr").exists()
    finished = {path.name: path.stat().st_mtime_ns for path in work.glob("window-*.json")}
    again = threading.Thread(target=subprocess.run, args=(command,), kwargs={"check": True})
    again.start()
    while again.is_alive():
        for path in work.glob("window-*.json"):
            try:
                stamp = path.stat().st_mtime_ns
            except FileNotFoundError:  # it is done, and the folder goes
                continue
            assert finished.get(path.name, stamp) == stamp
        again.join(0.05)
    whole = nd.denoise(noisy)
    noise = relative(noisy.intensity, whole.intensity)
    assert relative(nd.read(tmp_path / "out.zarr").intensity, whole.intensity) < 0.5 * noise


def test_two_runs_do_not_make_one_output(noisy, tmp_path):
    source = nd.write(noisy, tmp_path / "in.zarr")
    told: list[str] = []

    def second(fraction: float, text: str) -> None:
        if not told:
            try:
                nd.denoise_file(source, tmp_path / "out.zarr", method="wavelet")
            except FileError as error:
                told.append(str(error))

    nd.denoise_file(source, tmp_path / "out.zarr", method="wavelet", progress=nd.Progress(second))
    assert "is being made by another run" in told[0]


_MEMORY = """
import resource, sys
from pathlib import Path
import numpy as np
import napari_deeper as nd
from napari_deeper.engine import large_files, window_run
large_files.STREAM_FROM_BYTES = 0
window_run.MOST_VALUES = 64 * 64 * 200
folder = Path(sys.argv[1])
nd.denoise_file(folder / "small.zarr", folder / "a.zarr", method="low-rank")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
nd.denoise_file(folder / "large.zarr", folder / "b.zarr", method="low-rank")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted in KiB there")
def test_memory_does_not_grow_with_the_map(tmp_path, monkeypatch):
    for module in (zarr_growing, zarr_rows, zarr_store):
        monkeypatch.setattr(module, "CHUNK", (32, 64, 64))
    rng = np.random.default_rng(0)
    axis = np.linspace(600, 1800, 200)
    for name, side in (("small", 70), ("large", 330)):
        map_ = rng.normal(100, 1, (side, side, 200)).astype(np.float32)
        nd.write(RamanCube(map_, axis), tmp_path / f"{name}.zarr")
    done = subprocess.run(
        [sys.executable, "-c", _MEMORY, str(tmp_path)],
        check=True,
        capture_output=True,
        text=True,
    )
    n_bytes = 4 * 330 * 330 * 200
    assert int(done.stdout) * 1024 < 0.5 * n_bytes


def test_a_workflow_goes_from_store_to_store(noisy, tmp_path):
    source = nd.write(noisy, tmp_path / "in.zarr")
    recipe = nd.Recipe((nd.Crop(650.0, 1700.0),))
    workflow = nd.Workflow(
        prepare=recipe,
        denoise=nd.DenoiseParams(method="low-rank"),
        super_resolve=nd.SuperResolveParams(method="bilinear"),
    )
    (made,) = nd.batch(workflow, source, tmp_path / "out", workers=1)
    assert made.outcome == "done", made.text
    ours, theirs = nd.read(made.target), nd.run_workflow(noisy, workflow)
    assert relative(ours.intensity, theirs.intensity) < 1e-5
    assert [s.verb for s in ours.provenance] == [s.verb for s in theirs.provenance]
    assert sorted(p.name for p in made.target.parent.iterdir() if p.is_dir()) == ["in.zarr"]


def test_info_looks_at_a_part_of_a_large_cube(noisy, tmp_path):
    source = nd.write(noisy, tmp_path / "in.zarr")
    told = CliRunner().invoke(app, ["info", str(source)]).output
    assert "70 x 52 pixels" in told
    assert "3072 of 3640 pixels, spread over the map, which stays on disk" in told


def test_enhancing_a_file_super_resolves_what_enhancing_a_cube_does(noisy, tmp_path):
    source = nd.write(noisy, tmp_path / "in.zarr")
    quiet = nd.Progress()
    for method, verbs in (("auto", ["super-resolve"]), ("savgol", ["denoise", "super-resolve"])):
        first, second = nd.DenoiseParams(method=method), nd.SuperResolveParams()
        made = enhance_file(source, tmp_path / f"{method}.zarr", first, second, quiet)
        assert [path.name for path, _ in made] == ["in-denoised.zarr", f"{method}.zarr"]
        done = [step.verb for step in nd.read(made[-1][0]).provenance]
        assert done[-len(verbs) :] == verbs and done.count("denoise") == len(verbs) - 1
        shutil.rmtree(tmp_path / "in-denoised.zarr")
