"""Unmixing from files: large stores stream, tile by tile, to what one go finds; what was stopped goes on."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

import napari_deeper as nd
from napari_deeper.engine import large_files, tile_passes
from napari_deeper.engine.stored_spectra import measured
from napari_deeper.engine.unmix_settings import METHODS
from napari_deeper.engine.work_folder import work_path
from napari_deeper.io import zarr_growing, zarr_rows, zarr_store
from napari_deeper.processing import threads
from napari_deeper.processing.endmember_count import estimate_n_endmembers
from napari_deeper.simulate.bands import spectrum
from napari_deeper.simulate.components import COMPONENTS
from napari_deeper.spectra.errors import AxisError, Cancelled, CubeError, FileError, ParameterError

AXIS = np.linspace(600, 1800, 150)
PURE = 100 * np.array([spectrum(COMPONENTS[n], AXIS) for n in ("protein", "lipid", "nucleic acid")])


@pytest.fixture(autouse=True)
def _small_tiles(monkeypatch):
    """Tiles of 8 x 10 pixels, two to a part, for cubes of any size."""
    for module in (zarr_growing, zarr_rows, zarr_store):
        monkeypatch.setattr(module, "CHUNK", (32, 8, 10))
    monkeypatch.setattr(large_files, "STREAM_FROM_BYTES", 0)
    monkeypatch.setattr(tile_passes, "PART_BYTES", 2 * 80 * 150 * 4)


@pytest.fixture
def cube() -> nd.RamanCube:
    """Noisy mixtures; a pixel and a whole tile without values, and two pixels that are cosmic rays."""
    rng = np.random.default_rng(0)
    amounts = rng.dirichlet((1.0, 0.6, 0.4), (22, 25)) * rng.uniform(0.5, 1.5, (22, 25, 1))
    amounts[3, 4:7] = np.eye(3)
    values = amounts @ PURE + rng.normal(0, 1.0, (22, 25, AXIS.size))
    values[5, 6, 70:73] += [2000, 5000, 1500]
    values[19, 21, 30:32] += [6000, 6000]
    values[8, 9, 3] = values[16:, :10] = np.nan
    return nd.RamanCube(values, AXIS, (0.5, 0.5), origin=(3, -2), metadata={"name": "mixed"})


@pytest.fixture
def store(cube, tmp_path):
    return nd.write(cube, tmp_path / "mixed.zarr")


@pytest.fixture
def reads(monkeypatch) -> list[object]:
    """The tiles that are read of a store, as they are read; single pixels do not count."""
    seen: list[object] = []
    opened = large_files.open_stored

    def counted(path):
        stored = opened(path)

        def read(tile):
            if tile[0].stop - tile[0].start > 1:
                seen.append(tile)
            return stored.read(tile)

        return dataclasses.replace(stored, read=read)

    monkeypatch.setattr(large_files, "open_stored", counted)
    return seen


def assert_same(ours: nd.Unmixed, theirs: nd.Unmixed, rtol: float = 1e-4) -> None:
    scale = np.abs(theirs.endmembers.spectra).max()
    np.testing.assert_allclose(
        ours.endmembers.spectra, theirs.endmembers.spectra, rtol=rtol, atol=1e-5 * scale
    )
    np.testing.assert_allclose(ours.abundances, theirs.abundances, rtol=rtol, atol=1e-5)
    np.testing.assert_allclose(ours.residual, theirs.residual, rtol=rtol)
    assert ours.notes == theirs.notes
    assert ours.relative_residual == pytest.approx(theirs.relative_residual, rel=1e-6)
    assert ours.header == theirs.header
    assert ours.endmembers.names == theirs.endmembers.names
    assert ours.endmembers.source == theirs.endmembers.source


@pytest.mark.parametrize("method", METHODS)
def test_streaming_finds_what_one_go_finds(cube, store, method):
    whole = nd.unmix(nd.read(store), 3, method=method)
    streamed = nd.unmix_file(store, params=3, method=method)
    assert_same(streamed, whole)
    assert any("2 pixels are one narrow line" in note for note in streamed.notes) == (
        method != "nmf" or any("narrow line" in note for note in whole.notes)
    )
    assert any("61 of 550 pixels hold NaN" in note for note in streamed.notes)


def test_the_number_is_estimated_alike(cube, store):
    whole = nd.unmix(nd.read(store), n_endmembers="estimate")
    streamed = nd.unmix_file(store, n_endmembers="estimate")
    assert_same(streamed, whole)
    assert streamed.notes[0].startswith("Estimated: 3 components. ")


def test_the_estimate_is_the_same_in_all_its_parts(cube, store):
    stored = zarr_rows.open_stored(store)
    passes = tile_passes.TilePasses(stored, tile_passes.Parts(), nd.Progress())
    ours = estimate_n_endmembers(measured(passes))
    theirs = estimate_n_endmembers(cube.spectra[np.isfinite(cube.spectra).all(axis=1)])
    assert (ours.n, ours.explanation) == (theirs.n, theirs.explanation)
    np.testing.assert_array_equal(ours.outliers, theirs.outliers)
    assert ours.outliers.size == 2
    np.testing.assert_allclose(ours.eigenvalues, theirs.eigenvalues, rtol=1e-4)


@pytest.mark.parametrize("solver", ["nnls", "fcls", "ucls"])
def test_given_endmembers_of_another_axis(cube, store, solver):
    narrow = np.linspace(700, 1750, 400)
    pure = 100 * np.array([spectrum(COMPONENTS[n], narrow) for n in COMPONENTS][:3])
    given = nd.Endmembers(pure, narrow, ("a", "b", "c"))
    streamed = nd.unmix_file(store, endmembers=given, solver=solver)
    assert_same(streamed, nd.unmix_with(nd.read(store), given, solver=solver), rtol=1e-3)
    assert any("resampled to the axis of 'mixed'" in note for note in streamed.notes)
    array = nd.unmix_file(store, endmembers=PURE)
    assert_same(array, nd.unmix_with(nd.read(store), PURE))


def test_a_store_of_the_first_layout_streams_too(cube, tmp_path):
    import json

    import zarr

    header = json.loads(json.dumps(cube.header()))
    group = zarr.create_group(tmp_path / "old.zarr", attributes={"napari_deeper": header})
    group.create_array("intensity", data=cube.intensity)
    old = tmp_path / "old.zarr"
    assert_same(nd.unmix_file(old, params=3), nd.unmix(nd.read(old), 3))


def test_small_cubes_and_other_files_go_in_one(cube, store, tmp_path, reads, monkeypatch):
    other = nd.write(cube, tmp_path / "mixed.npz")
    assert_same(nd.unmix_file(other, params=3), nd.unmix(nd.read(other), 3))
    nd.unmix_file(store, params=3, reading={"pixel_size": 2.0})
    monkeypatch.setattr(large_files, "STREAM_FROM_BYTES", 512 * 2**20)
    nd.unmix_file(store, params=3)
    assert not reads


def test_the_folder_is_that_of_one_go(cube, store, tmp_path):
    from napari_deeper.engine.unmix_report import write_unmixed

    nd.unmix_file(store, tmp_path / "ours", 3)
    write_unmixed([nd.unmix(nd.read(store), 3)], tmp_path / "theirs")
    for name in ("endmembers.csv", "summary.csv"):
        ours, theirs = ((tmp_path / d / name).read_text() for d in ("ours", "theirs"))
        assert ours.split("\n")[0] == theirs.split("\n")[0]
    with np.load(tmp_path / "ours" / "abundances.npz") as ours:
        assert ours["abundances"].shape == (22, 25, 3)
    assert not work_path(tmp_path / "ours").exists()
    with pytest.raises(FileError, match="already exists"):
        nd.unmix_file(store, tmp_path / "ours", 3)
    nd.unmix_file(store, tmp_path / "ours", 4, overwrite=True)


@pytest.mark.parametrize("at", [0.1, 0.5, 0.9])
def test_a_run_that_was_cancelled_goes_on(cube, store, tmp_path, reads, at, monkeypatch):
    monkeypatch.setattr(threads, "_MOST_THREADS", 1)  # none is read ahead
    plain = nd.unmix_file(store, params=3)
    n_reads = len(reads)
    reads.clear()
    cancel = threading.Event()

    def report(fraction: float, _: str) -> None:
        if fraction >= at:
            cancel.set()

    with pytest.raises(Cancelled):
        nd.unmix_file(store, tmp_path / "out", 3, progress=nd.Progress(report, cancel))
    assert not (tmp_path / "out").exists()
    assert 0 < len(reads) <= n_reads
    seen: list[float] = []
    resumed = nd.unmix_file(
        store, tmp_path / "out", 3, progress=nd.Progress(lambda f, _: seen.append(f))
    )
    assert_same(resumed, plain, rtol=1e-6)
    # one part of two tiles is made again at most
    assert n_reads <= len(reads) <= n_reads + 2
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_a_changed_cube_is_begun_anew(cube, store, tmp_path, reads):
    stop = nd.Progress()

    def report(fraction: float, _: str) -> None:
        if fraction > 0.9:
            stop.cancel.set()

    with pytest.raises(Cancelled):
        nd.unmix_file(store, tmp_path / "out", 3, progress=nd.Progress(report, stop.cancel))
    other = dataclasses.replace(cube, intensity=cube.intensity * 2)
    nd.write(other, store, overwrite=True)
    assert_same(nd.unmix_file(store, tmp_path / "out", 3), nd.unmix(nd.read(store), 3))


_KILLED = """
import sys
import napari_deeper as nd
from napari_deeper.engine import large_files, tile_passes
from napari_deeper.io import zarr_growing, zarr_rows, zarr_store
for module in (zarr_growing, zarr_rows, zarr_store):
    module.CHUNK = (32, 8, 10)
large_files.STREAM_FROM_BYTES, tile_passes.PART_BYTES = 0, 2 * 80 * 150 * 4
assert "torch" not in sys.modules
def report(fraction, text):
    print(f"{fraction} {text}", flush=True)
    if fraction > float(sys.argv[3]):
        input()
nd.unmix_file(sys.argv[1], sys.argv[2], 3, progress=nd.Progress(report))
assert "torch" not in sys.modules
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal here")
def test_a_run_that_was_killed_goes_on(cube, store, tmp_path, reads):
    command = [sys.executable, "-c", _KILLED, str(store), str(tmp_path / "out"), "0.8"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        for line in run.stdout:
            if float(line.split()[0]) > 0.8:
                break
        os.kill(run.pid, signal.SIGKILL)
    assert run.returncode == -signal.SIGKILL
    assert work_path(tmp_path / "out").is_dir()
    resumed = nd.unmix_file(store, tmp_path / "out", 3)
    n_resumed = len(reads)
    reads.clear()
    plain = nd.unmix_file(store, params=3)
    assert_same(resumed, plain)
    assert n_resumed < len(reads) / 2
    assert not work_path(tmp_path / "out").exists()


def test_errors_name_the_file(cube, store, tmp_path):
    with pytest.raises(ParameterError, match=r"^mixed.zarr: n_endmembers is 30"):
        nd.unmix_file(nd.write(_cut(cube, 5), tmp_path / "mixed.zarr", overwrite=True), params=30)
    dark = dataclasses.replace(cube, intensity=np.full_like(cube.intensity, np.nan))
    for given in (None, PURE):
        with pytest.raises(CubeError, match=r"^dark.zarr: Every pixel holds NaN"):
            nd.unmix_file(
                nd.write(dark, tmp_path / "dark.zarr", overwrite=True), params=3, endmembers=given
            )
    flat = dataclasses.replace(cube, intensity=np.zeros_like(cube.intensity))
    with pytest.raises(CubeError, match=r"^flat.zarr: The spectra are all zero"):
        nd.unmix_file(nd.write(flat, tmp_path / "flat.zarr"), params=3)
    nd.write(cube, tmp_path / "far.zarr")
    far = nd.Endmembers(np.ones((1, 50)), np.linspace(1750, 3000, 50))
    with pytest.raises(AxisError, match=r"^far.zarr: The endmembers cover"):
        nd.unmix_file(tmp_path / "far.zarr", endmembers=far)
    with pytest.raises(CubeError, match="not independent"):
        nd.unmix_file(tmp_path / "far.zarr", endmembers=PURE[[0, 0]])
    (tmp_path / "far.zarr" / "0" / "c" / "0" / "0" / "0").unlink()
    with pytest.raises(FileError, match=r"far\.zarr"):
        nd.unmix_file(tmp_path / "far.zarr", params=3)
    with pytest.raises(FileError, match="does not exist"):
        nd.unmix_file(tmp_path / "nothing.zarr", params=3)


def _cut(cube: nd.RamanCube, n_channels: int) -> nd.RamanCube:
    return nd.RamanCube(
        cube.intensity[..., :n_channels], AXIS[:n_channels], metadata={"name": "cut"}
    )


_MEASURED = """
import resource, sys
import napari_deeper as nd
from napari_deeper.engine import large_files
from napari_deeper.io import zarr_rows
zarr_rows.CHUNK = (32, 32, 32)
large_files.STREAM_FROM_BYTES = 0
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
small, large, out, method = sys.argv[1:]
nd.unmix_file(small, out + "-small", 3, method=method)
before = peak()
nd.unmix_file(large, out, 3, method=method)
print(peak() - before)
"""


def _simulated_store(path, side: int, n_channels: int):
    """Write a store of 32 x 32 tiles that are the same but for their brightness."""
    axis = np.linspace(600, 1800, n_channels)
    pure = 100 * np.array([spectrum(COMPONENTS[n], axis) for n in COMPONENTS][:3])
    rng = np.random.default_rng(0)
    block = rng.dirichlet((1.0, 0.6, 0.4), (32, 32)) @ pure + rng.normal(0, 1, (32, 32, n_channels))
    shape = (side, side, n_channels)
    with zarr_growing.new_stored(path, shape, overwrite=False) as store:
        for number, tile in enumerate(zarr_rows.tiles_of(shape)):
            store.put(tile, (block * (1 + number % 7 / 10)).astype(np.float32))
        store.finish(nd.RamanCube(block[:1, :1], axis, metadata={"name": "large"}).header())
    return path


@pytest.mark.skipif(sys.platform == "win32", reason="the peak of memory is not told there")
def test_memory_is_bounded_by_tiles(tmp_path, monkeypatch):
    for module in (zarr_growing, zarr_rows, zarr_store):
        monkeypatch.setattr(module, "CHUNK", (32, 32, 32))
    small = _simulated_store(tmp_path / "small.zarr", 64, 400)
    large = _simulated_store(tmp_path / "large.zarr", 448, 400)
    for method in ("vca", "nmf"):
        command = [sys.executable, "-c", _MEASURED, str(small), str(large), str(tmp_path / method)]
        done = subprocess.run([*command, method], capture_output=True, text=True, check=True)
        growth = int(done.stdout)
        assert growth < 0.3 * 448 * 448 * 400 * 4, method
