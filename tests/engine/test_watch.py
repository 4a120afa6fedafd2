"""Watching a folder: half-written files are waited for, finished ones are made; no test sleeps."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import napari_deeper as nd
from napari_deeper import DenoiseParams, Workflow
from napari_deeper.engine.batch_task import BatchFile
from napari_deeper.engine.watch import Watcher
from napari_deeper.spectra.errors import Cancelled, FileError, ParameterError

A, B = Path("a.npz"), Path("b.npz")
SAVGOL = Workflow(denoise=DenoiseParams(method="savgol"))


class Scene:
    """A folder, a clock and a maker that do what the test says."""

    def __init__(self) -> None:
        self.files: dict[Path, int] = {}  # bytes
        self.broken: set[Path] = set()  # cannot be read
        self.failing: set[Path] = set()  # can be read, but not made
        self.now = 0.0
        self.calls: list[tuple[str, bool]] = []
        self.watcher = Watcher(
            lambda: sorted(self.files),
            self.stamp,
            self.make,
            lambda path: path not in self.broken,
            clock=lambda: self.now,
            patience=60.0,
        )

    def stamp(self, path: Path) -> tuple[int, int, int]:
        if self.files[path] < 0:
            raise FileNotFoundError(path)
        return 1, self.files[path], 0

    def make(self, path: Path, again: bool) -> BatchFile:
        self.calls.append((path.name, again))
        bad = path in self.broken | self.failing
        return BatchFile(path, path, "failed" if bad else "done", "")

    def look(self, after: float = 2.0) -> list[tuple[str, str]]:
        self.now += after
        return [(file.source.name, file.outcome) for file in self.watcher.look()]


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_file_that_grows_is_waited_for_and_then_made_once(scene):
    for size in (10, 20, 30):
        scene.files[A] = size
        assert scene.look() == [] and scene.watcher.waiting == (A,)
    assert scene.look() == [("a.npz", "done")]
    assert scene.look(1000) == [] and scene.watcher.waiting == ()
    assert scene.calls == [("a.npz", False)]


def test_a_file_that_cannot_be_read_is_tried_again_until_it_can(scene):
    scene.files, scene.broken = {A: 10, B: 10}, {A}
    assert scene.look() == []
    assert scene.look() == [("b.npz", "done")]  # one that waits does not hold up the next
    assert scene.look() == []
    scene.broken.clear()
    assert scene.look() == [("a.npz", "done")]


def test_a_file_that_stays_broken_is_told_after_the_patience(scene):
    scene.files, scene.broken = {A: 10}, {A}
    scene.look()
    assert scene.look(59.0) == []
    scene.files[A] = 11  # the rest begins anew
    assert scene.look(5.0) == []
    assert scene.look(59.0) == []
    assert scene.look(1.0) == [("a.npz", "failed")]
    n_calls = len(scene.calls)
    assert scene.look(1000.0) == [] and len(scene.calls) == n_calls


def test_a_cube_that_can_be_read_but_not_made_is_told_at_once(scene):
    scene.files, scene.failing = {A: 10}, {A}
    scene.look()
    assert scene.look() == [("a.npz", "failed")]
    assert scene.look() == [] and len(scene.calls) == 1


def test_an_empty_file_is_not_even_tried_before_the_patience(scene):
    scene.files, scene.broken = {A: 0}, {A}
    assert scene.look() == scene.look() == scene.look(50.0) == []
    assert scene.calls == []
    assert scene.look(60.0) == [("a.npz", "failed")]


def test_a_file_that_is_written_again_replaces_its_result(scene):
    scene.files[A] = 10
    scene.look()
    assert scene.look() == [("a.npz", "done")]
    scene.files[A] = 20
    assert scene.look() == []
    assert scene.look() == [("a.npz", "done")]
    assert scene.calls == [("a.npz", False), ("a.npz", True)]


def test_a_file_that_goes_away_is_forgotten(scene):
    scene.files[A] = 10
    scene.look()
    scene.files[A] = -1  # between listing and looking
    assert scene.look() == []
    scene.files[A] = 10
    assert scene.look() == []
    assert scene.look() == [("a.npz", "done")]
    del scene.files[A]
    assert scene.look() == []


@pytest.fixture
def measured(tmp_path, small_cube) -> Path:
    folder = tmp_path / "measured"
    folder.mkdir()
    nd.write(small_cube, folder / "a.npz")
    nd.write(small_cube, folder / "b.zarr")
    return folder


def test_what_is_there_and_what_comes_is_made(measured, tmp_path, small_cube):
    whole = nd.write(small_cube, tmp_path / "c.npz").read_bytes()
    late, n_waits = measured / "c.npz", 0

    def report(fraction: float, text: str) -> None:
        nonlocal n_waits
        n_waits += text == "Waiting for c.npz"
        if n_waits == 1:
            late.write_bytes(whole[:2000])
        if n_waits == 5:
            late.write_bytes(whole)

    late.write_bytes(whole[:1000])
    progress = nd.Progress(report)
    watch = nd.watch_folder(measured, SAVGOL, tmp_path / "out", poll=0, progress=progress)
    files = [next(watch) for _ in range(3)]
    assert [f.source.name for f in files] == ["a.npz", "b.zarr", "c.npz"]
    assert {f.outcome for f in files} == {"done"} and n_waits >= 5
    expected = nd.denoise(small_cube, method="savgol").intensity
    for file in files:
        np.testing.assert_array_equal(nd.read(file.target).intensity, expected)
    progress.cancel.set()
    with pytest.raises(Cancelled):
        next(watch)


def test_once_makes_what_rests_and_ends(measured, tmp_path, small_cube):
    (measured / "c.npz").write_bytes(b"broken")
    out = tmp_path / "out"

    def watch() -> list[str]:
        return [f.outcome for f in nd.watch_folder(measured, SAVGOL, out, poll=0, once=True)]

    assert watch() == ["done", "done", "failed"]
    assert watch() == ["skipped", "skipped", "failed"]
    (measured / "c.npz").unlink()
    nd.write(small_cube, measured / "a.npz", overwrite=True)
    changed = nd.RamanCube(small_cube.intensity + 1, small_cube.wavenumber)
    nd.write(changed, measured / "a.npz", overwrite=True)
    assert watch() == ["failed", "skipped"]  # made by another run: that is not replaced


def test_a_cube_that_changes_while_it_is_watched_is_made_again(measured, tmp_path, small_cube):
    watch = nd.watch_folder(measured, SAVGOL, tmp_path / "out", poll=0)
    assert next(watch).outcome == next(watch).outcome == "done"
    more = nd.RamanCube(np.tile(small_cube.intensity, (2, 1, 1)), small_cube.wavenumber)
    nd.write(more, measured / "a.npz", overwrite=True)
    file = next(watch)
    assert file.outcome == "done" and nd.read(file.target).shape[0] == 18


def test_two_inputs_of_one_name_do_not_replace_each_other(measured, tmp_path):
    shutil.copy(measured / "a.npz", measured / "b.npz")
    watch = nd.watch_folder(measured, SAVGOL, tmp_path / "out", poll=0, once=True, overwrite=True)
    files = {f.source.name: f.outcome for f in watch}
    assert files == {"a.npz": "done", "b.npz": "done", "b.zarr": "failed"}


def test_a_folder_that_goes_away_is_waited_for(measured, tmp_path):
    said: list[str] = []
    away = tmp_path / "away"

    def report(fraction: float, text: str) -> None:
        said.append(text)
        if "does not exist" in text:
            away.rename(measured)

    watch = nd.watch_folder(
        measured, SAVGOL, tmp_path / "out", poll=0, progress=nd.Progress(report)
    )
    measured.rename(away)
    assert next(watch).outcome == "done" and any("does not exist" in text for text in said)


def test_what_cannot_be_watched_is_told_at_once(measured, tmp_path):
    with pytest.raises(FileError, match="does not exist"):
        nd.watch_folder(tmp_path / "none", SAVGOL, tmp_path / "out")
    with pytest.raises(FileError, match="inputs are never changed"):
        nd.watch_folder(measured, SAVGOL, measured)
    with pytest.raises(ParameterError, match="poll is -1"):
        nd.watch_folder(measured, SAVGOL, tmp_path / "out", poll=-1)
    with pytest.raises(ParameterError, match="cannot be written"):
        nd.watch_folder(measured, SAVGOL, tmp_path / "out", suffix=".npy")
