"""From file to file: large stores stream, tile by tile, to the same result as in one go."""

from __future__ import annotations

import dataclasses
import threading
import tracemalloc

import numpy as np
import pytest

import napari_deeper as nd
from napari_deeper import RamanCube, Recipe
from napari_deeper.engine import large_files, prepare_run, prepare_sources, tile_passes
from napari_deeper.io import zarr_growing, zarr_rows, zarr_store
from napari_deeper.simulate.cells import cell
from napari_deeper.simulate.instrument import Instrument, measure
from napari_deeper.spectra.errors import AxisError, Cancelled, ParameterError


@pytest.fixture
def raw() -> RamanCube:
    instrument = Instrument(fluorescence=150, cosmic_rays=0.1)
    cube = measure(cell((22, 25)).cube, 1.0, np.random.default_rng(1), instrument)
    holed = cube.intensity.copy()
    holed[8, 9] = np.nan  # beside a border of tiles
    return dataclasses.replace(cube, intensity=holed)


@pytest.fixture(autouse=True)
def _small_tiles(monkeypatch):
    """Tiles of 8 x 10 pixels, for cubes of any size."""

    for module in (zarr_growing, zarr_rows, zarr_store):
        monkeypatch.setattr(module, "CHUNK", (32, 8, 10))
    monkeypatch.setattr(large_files, "STREAM_FROM_BYTES", 0)


@pytest.mark.parametrize(
    "steps",
    [
        (),
        (nd.Despike(), nd.Crop(650.0, 1700.0), nd.Baseline(), nd.Normalize("cube-maximum")),
        (nd.BadPixels(missing="neighbors"), nd.Despike(repair="interpolate"), nd.Bin(2, 5)),
        (nd.CropMap(3, 5, 17, 0), nd.Flip("both"), nd.Despike(), nd.Flip("x"), nd.Smooth()),
        (nd.Recalibrate("own", 1660.0, 30.0), nd.Resample("network"), nd.Normalize("area")),
    ],
)
def test_streaming_makes_what_one_go_makes(raw, tmp_path, steps):
    source = nd.write(raw, tmp_path / "raw.zarr")
    told = nd.prepare_file(source, tmp_path / "out.zarr", Recipe(steps))
    streamed = nd.read(tmp_path / "out.zarr")
    whole = nd.prepare(nd.read(source), Recipe(steps))
    # the last bits of a baseline depend on which spectra are fitted together
    np.testing.assert_allclose(streamed.intensity, whole.intensity, rtol=1e-4, atol=1e-4)
    for name in ("pixel_size", "origin", "zoom", "metadata", "shape"):
        assert getattr(streamed, name) == getattr(whole, name), name
    np.testing.assert_allclose(streamed.wavenumber, whole.wavenumber)
    for ours, theirs in zip(streamed.provenance, whole.provenance, strict=True):
        assert (ours.verb, ours.notes) == (theirs.verb, theirs.notes)
    made = whole.provenance[len(nd.read(source).provenance) :]
    assert told == tuple(note for step in made for note in step.notes)


def test_a_streamed_store_has_the_levels_of_a_written_one(tmp_path):
    import zarr

    rng = np.random.default_rng(0)
    intensity, named = rng.normal(100, 1, (70, 131, 5)), {"name": "raw"}
    cube = RamanCube(intensity, np.linspace(600, 1800, 5), (0.5, 0.25), metadata=named)
    source = nd.write(cube, tmp_path / "raw.zarr")
    nd.prepare_file(source, tmp_path / "out.zarr", Recipe(()))
    theirs, ours = (
        zarr.open_group(source, mode="r"),
        zarr.open_group(tmp_path / "out.zarr", mode="r"),
    )
    assert ours.attrs["ome"] == theirs.attrs["ome"]
    assert sorted(ours.array_keys()) == sorted(theirs.array_keys()) == ["0", "1", "2"]
    for level in ("0", "1", "2"):
        np.testing.assert_array_equal(ours[level][...], theirs[level][...])


def test_memory_is_bounded_by_tiles(tmp_path, monkeypatch):
    monkeypatch.setattr(prepare_run, "_SAMPLE", 64)
    rng = np.random.default_rng(0)
    cube = RamanCube(rng.normal(100, 1, (80, 80, 250)), np.linspace(600, 1800, 250))
    source = nd.write(cube, tmp_path / "raw.zarr")
    recipe = Recipe((nd.Crop(700.0, 1700.0), nd.Normalize("cube-maximum")))
    nd.prepare_file(source, tmp_path / "warm.zarr", recipe)
    tracemalloc.start()
    nd.prepare_file(source, tmp_path / "out.zarr", recipe)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.4 * cube.intensity.nbytes


def test_errors_leave_nothing_behind(raw, tmp_path):
    source = nd.write(raw, tmp_path / "raw.zarr")
    for step, kind, told in (
        (nd.Crop(2000.0, 3000.0), AxisError, r"Step 2 \(crop\): No range is left"),
        (nd.CropMap(99), ParameterError, r"Step 2 \(crop-map\): The crop begins at row 99"),
        (nd.Bin(99, 99), ParameterError, r"Step 2 \(bin\): A bin of 99 x 99"),
    ):
        with pytest.raises(kind, match=told):
            nd.prepare_file(source, tmp_path / "out.zarr", Recipe((nd.Despike(), step)))
    assert [p.name for p in tmp_path.iterdir()] == ["raw.zarr"]


@pytest.mark.parametrize("stop_at", [0.1, 0.5, 0.8])
def test_a_run_that_was_stopped_goes_on(raw, tmp_path, monkeypatch, stop_at):
    monkeypatch.setattr(tile_passes, "PART_BYTES", 4 * 500 * 8 * 10)
    source, target = nd.write(raw, tmp_path / "raw.zarr"), tmp_path / "out.zarr"
    steps = (nd.BadPixels(missing="neighbors"), nd.Despike(), nd.Normalize("cube-maximum"))
    recipe = Recipe((*steps, nd.Crop(650.0, 1700.0)))
    begin, reads = prepare_sources.Stored.__init__, []

    def watched(self, stored):
        def read(tile):
            reads.append(tile)
            return stored.read(tile)

        begin(self, dataclasses.replace(stored, read=read))

    monkeypatch.setattr(prepare_sources.Stored, "__init__", watched)
    nd.prepare_file(source, tmp_path / "straight.zarr", recipe)
    n_straight = len(reads)
    reads.clear()

    stop = threading.Event()

    def report(fraction: float, text: str) -> None:
        if fraction > stop_at:
            stop.set()

    with pytest.raises(Cancelled):
        nd.prepare_file(source, target, recipe, progress=nd.Progress(report, stop))
    assert not target.exists() and (tmp_path / ".out.zarr.work").is_dir()
    n_first = len(reads)
    told = nd.prepare_file(source, target, recipe)
    # what was under way when the run was stopped is made again, and one pixel looked at by each step
    assert len(reads) < n_straight + 2 * len(recipe.steps) + 24
    # stopped in the first survey, it has nothing to go on with
    assert len(reads) - n_first < n_straight + (stop_at == 0.1)

    straight, made = nd.read(tmp_path / "straight.zarr"), nd.read(target)
    np.testing.assert_array_equal(made.intensity, straight.intensity)
    assert made.provenance[-4:] == straight.provenance[-4:]
    assert any("cosmic ray" in note for note in told)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.zarr", "raw.zarr", "straight.zarr"]

    # another recipe starts anew
    with pytest.raises(Cancelled):
        nd.prepare_file(source, target, recipe, overwrite=True, progress=nd.Progress(report, stop))
    nd.prepare_file(source, target, Recipe((nd.Crop(650.0, 900.0),)), overwrite=True)
    expected = nd.prepare(raw, Recipe((nd.Crop(650.0, 900.0),))).intensity
    np.testing.assert_array_equal(nd.read(target).intensity, expected)


def test_uncertainty_is_not_lost_by_streaming(raw, tmp_path):
    trusted = dataclasses.replace(raw, uncertainty=np.ones(raw.shape))
    source = nd.write(trusted, tmp_path / "raw.zarr")
    nd.prepare_file(source, tmp_path / "out.zarr", Recipe((nd.Crop(700.0, 900.0),)))
    made = nd.read(tmp_path / "out.zarr")
    assert made.uncertainty is not None and made.uncertainty.shape == made.shape


def test_other_formats_go_through_memory(raw, tmp_path):
    source = nd.write(raw, tmp_path / "raw.npz")
    nd.prepare_file(source, tmp_path / "out.zarr", "despike")
    expected = nd.prepare(raw, "despike").intensity
    np.testing.assert_array_equal(nd.read(tmp_path / "out.zarr").intensity, expected)
