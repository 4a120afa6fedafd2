"""Cubes that stay on disk: shown, read, mapped and worked on without being loaded."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import Qt

import napari_deeper as nd
from napari_deeper.engine import large_files
from napari_deeper.engine.heatmap_stored import heatmap_file
from napari_deeper.io import zarr_levels
from napari_deeper.io.zarr_levels import StoredArray
from napari_deeper.plugin.layers import (
    STORE,
    cube_from_layer,
    is_stored,
    read_at,
    stored_image,
    stored_path,
)
from napari_deeper.plugin.reader import get_reader, read_layers
from napari_deeper.plugin.stored_chunks import ChunkCache
from napari_deeper.plugin.stored_image import StoredImage
from napari_deeper.plugin.widgets.heatmap import KEY as HEATMAP
from napari_deeper.spectra.errors import CubeError

PLUGIN = "napari-deeper"


@pytest.fixture
def cube() -> nd.RamanCube:
    """A cube of 150 x 200 pixels: three rows of four columns of chunks, and three levels."""
    rng = np.random.default_rng(8)
    axis = np.linspace(600, 1800, 120) + np.linspace(0, 6, 120) ** 2 / 8
    bands = np.exp(-(((axis - np.array([[1004], [1450]])) / 14) ** 2))
    amounts = rng.uniform(0.2, 1, (150, 200, 2))
    clean = 100 * amounts @ bands + 20
    noisy = clean + rng.normal(0, 4, clean.shape)
    facts = {"name": "map", "intensity_unit": "counts"}
    return nd.RamanCube(noisy, axis, (0.5, 0.5), origin=(3.0, -2.0), metadata=facts)


@pytest.fixture
def store(cube, tmp_path, monkeypatch) -> Path:
    """The cube as a store that is large, since little counts as large."""
    monkeypatch.setattr(zarr_levels, "STORED_FROM_BYTES", 1)
    monkeypatch.setattr(large_files, "STREAM_FROM_BYTES", 1)
    return nd.write(cube, tmp_path / "map.zarr")


@pytest.fixture
def viewer(make_napari_viewer):
    """A shown viewer."""
    shown = make_napari_viewer(show=True)
    shown.window._qt_window.resize(1280, 720)
    return shown


def opened(viewer, store, qtbot):
    """Open a store as a user does, and wait until what is in view has been read."""
    (layer,) = viewer.open(str(store), plugin=PLUGIN)
    settled(layer, qtbot)
    return layer


def settled(layer, qtbot):
    image = stored_image(layer)
    qtbot.waitUntil(lambda: not image.loading and not image.take_news(), timeout=20_000)
    layer.refresh()


def plane_in_view(layer):
    """Return what napari drew last of a layer."""
    return layer._slice.image.view


def dock(viewer, name):
    return viewer.window.add_plugin_dock_widget(PLUGIN, name)[1]


class TestOpening:
    def test_a_small_store_is_read_whole(self, cube, tmp_path):
        path = nd.write(cube, tmp_path / "small.zarr")
        ((data, attributes, _),) = read_layers(str(path))
        assert isinstance(data, np.ndarray)
        assert STORE not in attributes["metadata"]

    def test_only_the_coarsest_level_is_read(self, store, monkeypatch):
        read = []
        chunk = StoredArray.chunk
        monkeypatch.setattr(
            StoredArray, "chunk", lambda self, i: (read.append(self.folder.name), chunk(self, i))[1]
        )
        reader = get_reader(str(store))
        assert reader is not None
        ((data, attributes, kind),) = reader(str(store))
        assert set(read) == {"2"}
        assert kind == "image"
        assert [level.shape for level in data] == [(120, 150, 200), (120, 75, 100), (120, 38, 50)]
        assert attributes["metadata"][STORE] == str(store)
        low, high = attributes["contrast_limits"]
        assert 0 < low < high < 200

    def test_the_layer_lies_where_the_cube_would(self, store, cube, viewer, qtbot):
        layer = opened(viewer, store, qtbot)
        assert is_stored(layer)
        assert stored_path(layer) == store
        assert layer.multiscale
        np.testing.assert_allclose(layer.scale[-2:], cube.pixel_size)
        np.testing.assert_allclose(layer.translate[-2:], cube.origin)
        assert "on disk" in viewer.canvas.overlays.text.text

    def test_what_is_in_view_is_the_plane_of_its_level(self, store, cube, viewer, qtbot):
        layer = opened(viewer, store, qtbot)
        for channel in (3, 70, 119):
            viewer.dims.set_current_step(0, channel)
            settled(layer, qtbot)
            level = layer.data_level
            whole = zarr_levels.open_levels(store).levels[level]
            expected = whole.read((slice(channel, channel + 1), *map(_all, whole.shape[1:])))[0]
            (top, left), (bottom, right) = layer.corner_pixels[:, 1:]
            shown = plane_in_view(layer)
            np.testing.assert_array_equal(shown, expected[top : bottom + 1, left : right + 1])

    def test_slicing_waits_for_no_disk(self, store, viewer, qtbot, monkeypatch):
        layer = opened(viewer, store, qtbot)
        image = stored_image(layer)
        image.close()  # as if nothing had been read
        gate, by = threading.Event(), set()
        chunk = StoredArray.chunk

        def slow(self, index):
            by.add(threading.current_thread() is threading.main_thread())
            gate.wait(20)
            return chunk(self, index)

        monkeypatch.setattr(StoredArray, "chunk", slow)
        viewer.dims.set_current_step(0, 50)
        coarse = plane_in_view(layer).copy()
        assert np.isfinite(coarse).all()  # the coarsest level, enlarged
        assert len(np.unique(coarse)) <= 38 * 50
        gate.set()
        settled(layer, qtbot)
        assert by == {False}
        assert len(np.unique(plane_in_view(layer))) > 38 * 50

    def test_threads_end_with_the_layer(self, store, viewer, qtbot):
        layer = opened(viewer, store, qtbot)
        viewer.dims.set_current_step(0, 80)
        viewer.layers.remove(layer)
        qtbot.waitUntil(
            lambda: not any("store" in t.name for t in threading.enumerate()), timeout=10_000
        )

    def test_a_lost_chunk_is_told_once_and_stops_nothing(self, store, viewer, qtbot, monkeypatch):
        told = []
        monkeypatch.setattr("napari_deeper.plugin.stored_refresh.show_warning", told.append)
        for lost in (store / "0" / "c" / "0", store / "1" / "c" / "0"):
            for path in sorted(lost.rglob("*")):
                if path.is_file():
                    path.unlink()
        layer = opened(viewer, store, qtbot)
        viewer.dims.set_current_step(0, 5)
        qtbot.waitUntil(lambda: bool(told), timeout=10_000)
        settled(layer, qtbot)
        assert "missing" in told[0]
        assert np.isfinite(plane_in_view(layer)).all()

    def test_the_cube_is_not_loaded_by_what_works_in_memory(self, store, viewer, qtbot):
        layer = opened(viewer, store, qtbot)
        with pytest.raises(CubeError, match=r"'map' stays on disk.*Plugins > DeepeR > Crop"):
            cube_from_layer(layer)


def _all(n: int) -> slice:
    return slice(0, n)


@pytest.mark.parametrize(
    "key",
    [
        (5, slice(1, 70), slice(9, 100)),
        (slice(0, 120), 40, slice(0, 100)),
        (slice(10, 100), slice(30, 75), 99),
        (-1, slice(None), slice(None)),
    ],
)
def test_a_plane_of_any_axis_becomes_that_of_the_store(store, qtbot, key):
    image = StoredImage(zarr_levels.open_levels(store))
    level = image.levels[1]
    coarse = level[key].copy()
    qtbot.waitUntil(lambda: not image.loading, timeout=10_000)
    exact = level[key]
    expected = np.asarray(level)[key]
    np.testing.assert_array_equal(exact, expected)
    assert coarse.shape == expected.shape


def test_a_whole_level_that_is_too_large_is_refused(store, monkeypatch):
    monkeypatch.setattr("napari_deeper.plugin.stored_image._LARGEST", 1000)
    level = StoredImage(zarr_levels.open_levels(store)).levels[0]
    assert np.asarray(level[0:2, 0:10, 0:10]).shape == (2, 10, 10)
    with pytest.raises(CubeError, match="stays on disk"):
        np.asarray(level)


def test_the_cache_holds_no_more_than_it_may(store):
    level = zarr_levels.open_levels(store).levels[0]
    size = level.chunk((0, 0, 0)).nbytes
    cache = ChunkCache(n_bytes=2 * size)
    for index in ((0, 0, 0), (1, 0, 0), (2, 0, 0)):
        cache.get(level, index)
    assert cache.peek(level, (0, 0, 0)) is None
    assert cache.peek(level, (2, 0, 0)) is not None


class TestSpectra:
    def test_a_place_reads_as_in_memory(self, store, cube, viewer, qtbot):
        layer = opened(viewer, store, qtbot)
        memory = viewer.add_image(
            np.moveaxis(cube.intensity, 2, 0), scale=layer.scale, translate=layer.translate
        )
        memory.metadata.update(layer.metadata)
        for place, radius in (((3.0, -2.0), 0.0), ((35.2, 30.1), 0.0), ((34.9, 29.9), 3.0)):
            ours, theirs = read_at(layer, place, radius), read_at(memory, place, radius)
            np.testing.assert_allclose(ours.intensity, theirs.intensity, rtol=1e-5)
        assert read_at(layer, (1000.0, 0.0), 0.0) is None

    def test_uncertainty_and_flags_come_from_the_store(
        self, cube, tmp_path, viewer, qtbot, monkeypatch
    ):
        monkeypatch.setattr(zarr_levels, "STORED_FROM_BYTES", 1)
        flagged = np.zeros((150, 200), bool)
        flagged[100, 130] = True
        sure = nd.RamanCube.from_header(
            cube.intensity, cube.header(), uncertainty=np.sqrt(cube.intensity**2), flagged=flagged
        )
        layer = opened(viewer, nd.write(sure, tmp_path / "sure.zarr"), qtbot)
        reading = read_at(layer, (3.0 + 100 * 0.5, -2.0 + 130 * 0.5), 0.0)
        np.testing.assert_allclose(reading.uncertainty, sure.uncertainty[100, 130])
        assert reading.flagged
        assert not read_at(layer, (3.0, -2.0), 0.0).flagged

    def test_a_click_shows_the_spectrum(self, store, cube, viewer, qtbot):
        spectra = dock(viewer, "Spectra")
        opened(viewer, store, qtbot)
        spectra.pin((3.0 + 20 * 0.5, -2.0 + 30 * 0.5))
        qtbot.waitUntil(lambda: spectra.curves() != [], timeout=10_000)
        np.testing.assert_allclose(spectra.curves()[0].intensity, cube.intensity[20, 30])
        spectra.move_pin(0, 40)  # into other chunks
        qtbot.waitUntil(lambda: spectra.curves() != [], timeout=10_000)
        np.testing.assert_allclose(spectra.curves()[0].intensity, cube.intensity[20, 70])

    def test_a_slow_disk_is_not_waited_for(self, store, cube, viewer, qtbot, monkeypatch):
        spectra = dock(viewer, "Spectra")
        layer = opened(viewer, store, qtbot)
        stored_image(layer).close()
        gate, chunk = threading.Event(), StoredArray.chunk
        monkeypatch.setattr(
            StoredArray, "chunk", lambda self, index: (gate.wait(20), chunk(self, index))[1]
        )
        spectra.pin((3.0, -2.0))  # returns although nothing can be read
        assert spectra.plot.legend_names() == []
        gate.set()
        qtbot.waitUntil(lambda: spectra.plot.legend_names() == ["map"], timeout=10_000)

    def test_a_spectrum_that_cannot_be_read_is_told(self, store, viewer, qtbot):
        spectra = dock(viewer, "Spectra")
        (store / "0" / "c" / "0" / "0" / "0").unlink()
        opened(viewer, store, qtbot)
        spectra.pin((3.0, -2.0))
        qtbot.waitUntil(lambda: "missing" in spectra.panel.status.text(), timeout=10_000)


class TestHeatmaps:
    def test_it_is_coarse_first_and_then_that_of_the_verb(self, store, cube, viewer, qtbot):
        spectra = dock(viewer, "Spectra")
        layer = opened(viewer, store, qtbot)
        spectra.plot.set_band(1440, 1460)
        spectra.band.heatmap.setChecked(True)
        (shown,) = [la for la in viewer.layers if HEATMAP in la.metadata]
        assert shown.metadata[HEATMAP] is layer
        assert np.isfinite(np.asarray(shown.data[-1])).all()
        qtbot.waitUntil(lambda: not spectra._heatmaps.refining, timeout=30_000)
        expected = nd.heatmap(cube, band="1440-1460").image
        np.testing.assert_allclose(shown.data[0], expected, rtol=1e-5)
        assert "exact" in spectra.panel.status.text()
        assert shown.ndim == 2

    def test_it_can_be_stopped(self, store, viewer, qtbot, monkeypatch):
        monkeypatch.setattr("napari_deeper.engine.heatmap_stored.SIDE", 64)
        gate, chunk = threading.Event(), StoredArray.chunk
        spectra = dock(viewer, "Spectra")
        opened(viewer, store, qtbot)
        monkeypatch.setattr(
            StoredArray, "chunk", lambda self, index: (gate.wait(20), chunk(self, index))[1]
        )
        spectra.band.heatmap.setChecked(True)
        assert spectra._heatmaps.refining
        spectra._heatmaps.stop_button.click()
        gate.set()
        qtbot.waitUntil(lambda: not spectra._heatmaps.refining, timeout=30_000)
        assert "coarse" in spectra.panel.status.text()
        spectra._heatmaps.update()
        assert not spectra._heatmaps.refining

    def test_another_band_takes_its_place(self, store, cube, viewer, qtbot):
        spectra = dock(viewer, "Spectra")
        opened(viewer, store, qtbot)
        spectra.band.heatmap.setChecked(True)
        spectra.plot.set_band(990, 1020)
        spectra._heatmaps.update()
        qtbot.waitUntil(lambda: not spectra._heatmaps.refining, timeout=30_000)
        (shown,) = [la for la in viewer.layers if HEATMAP in la.metadata]
        expected = nd.heatmap(cube, band="990-1020").image
        np.testing.assert_allclose(shown.data[0], expected, rtol=1e-5)


@pytest.mark.parametrize(
    "settings",
    [
        {"band": "1450"},
        {"band": "1450", "measure": "area", "baseline": True},
        {"band": "990-1018", "measure": "position"},
        {"band": "1450", "over": "1004"},
    ],
)
def test_a_heatmap_of_a_file_is_that_of_the_cube(store, cube, settings):
    ours, theirs = heatmap_file(store, **settings), nd.heatmap(cube, **settings)
    np.testing.assert_allclose(ours.image, theirs.image, rtol=1e-4, atol=1e-3)
    assert repr(ours) == repr(theirs)
    assert ours.notes == theirs.notes


def test_the_window_stays_free(store, viewer, qtbot, beating):
    spectra = dock(viewer, "Spectra")
    layer = opened(viewer, store, qtbot)
    spectra.pin((3.0, -2.0))
    spectra.band.heatmap.setChecked(
        True
    )  # napari draws the letters of the first color bar for long
    qtbot.waitUntil(lambda: not spectra._heatmaps.refining, timeout=30_000)
    (heatmap,) = [la for la in viewer.layers if HEATMAP in la.metadata]
    qtbot.wait(200)
    with beating() as heart:
        for channel in range(0, 120, 8):
            viewer.dims.set_current_step(0, channel)
            spectra.pin((3.0 + channel / 2, -2.0 + channel / 2))
            qtbot.wait(20)
        spectra.plot.set_band(990, 1020)
        qtbot.waitUntil(lambda: "990-1020" in heatmap.name, timeout=30_000)
        qtbot.waitUntil(lambda: not spectra._heatmaps.refining, timeout=30_000)
    settled(layer, qtbot)
    longest = heart.longest("ours")
    assert longest.ours < 0.05, str(longest)


class TestWork:
    def test_crop_gives_a_part_in_memory(self, store, cube, viewer, qtbot):
        opened(viewer, store, qtbot)
        crop = dock(viewer, "Crop")
        crop.show_rectangle(((10, 70), (100, 500)))  # beyond the cube, to its end
        crop.run()
        qtbot.waitUntil(lambda: not crop.running, timeout=10_000)
        part = cube_from_layer(viewer.layers[-1])
        np.testing.assert_array_equal(part.intensity, cube.intensity[10:70, 100:200])
        assert part.origin == (3.0 + 10 * 0.5, -2.0 + 100 * 0.5)

    def test_crop_takes_what_is_in_view(self, store, viewer, qtbot):
        layer = opened(viewer, store, qtbot)
        crop = dock(viewer, "Crop")
        viewer.scene.camera.zoom *= 8
        crop.use_view()
        (top, bottom), (left, right) = crop.rectangle()
        n_y, n_x = layer.data.shape[-2:]
        assert 0 < top < bottom < n_y
        assert 0 < left < right < n_x

    def test_enhance_goes_from_file_to_file(self, store, viewer, qtbot):
        layer = opened(viewer, store, qtbot)
        enhance = dock(viewer, "Enhance")
        enhance.form.super_resolve_on.setChecked(False)
        enhance.form.denoise.set_field("method", "pca")
        qtbot.waitUntil(lambda: enhance.target.line.text().endswith("map-denoised.zarr"))
        assert "on disk" in enhance.fit.text()
        enhance.run()
        qtbot.waitUntil(lambda: not enhance.running, timeout=60_000)
        assert enhance.failure == ""
        made = viewer.layers[-1]
        assert stored_path(made) == store.with_name("map-denoised.zarr")
        assert made.name == "map-denoised"
        assert made.metadata["napari_deeper"]["provenance"][-1]["verb"] == "denoise"
        assert is_stored(layer)

    def test_prepare_goes_from_file_to_file(self, store, cube, viewer, qtbot):
        opened(viewer, store, qtbot)
        prepare = dock(viewer, "Prepare")
        prepare.show_recipe(nd.Recipe((nd.Bin(2, 2),)))
        qtbot.waitUntil(lambda: prepare.foot.run_button.isEnabled())
        prepare.run()
        qtbot.waitUntil(lambda: not prepare.running, timeout=60_000)
        assert prepare.failure == ""
        made = nd.read(store.with_name("map-prepared.zarr"))
        np.testing.assert_array_equal(
            made.intensity, nd.prepare(cube, nd.Recipe((nd.Bin(2, 2),))).intensity
        )
        assert stored_path(viewer.layers[-1]) == store.with_name("map-prepared.zarr")

    def test_a_stopped_prepare_goes_on(self, store, viewer, qtbot):
        opened(viewer, store, qtbot)
        prepare = dock(viewer, "Prepare")
        prepare.show_recipe(nd.Recipe((nd.Bin(2, 2),)))
        qtbot.waitUntil(lambda: prepare.foot.run_button.isEnabled())
        prepare.run()
        qtbot.mouseClick(prepare.foot.cancel_button, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: not prepare.running, timeout=60_000)
        assert prepare.failure == "Cancelled. Run goes on where it was."
        prepare.run()
        qtbot.waitUntil(lambda: not prepare.running, timeout=60_000)
        assert prepare.failure == "" and store.with_name("map-prepared.zarr").is_dir()

    def test_a_prepared_store_is_shown_on_its_own_scale(self, store, viewer, qtbot):
        source = opened(viewer, store, qtbot)
        viewer.dims.set_current_step(0, 3)
        prepare = dock(viewer, "Prepare")
        prepare.show_recipe(nd.Recipe((nd.Normalize("cube-maximum"),)))
        qtbot.waitUntil(lambda: prepare.foot.run_button.isEnabled())
        prepare.run()
        qtbot.waitUntil(lambda: not prepare.running, timeout=60_000)
        made = viewer.layers[-1]
        assert made is not source
        assert 0 < made.contrast_limits[1] <= 1 < source.contrast_limits[1]
        assert viewer.dims.current_step[0] == 3

    def test_components_are_found_in_the_file(self, store, cube, viewer, qtbot):
        layer = opened(viewer, store, qtbot)
        components = dock(viewer, "Components")
        qtbot.waitUntil(lambda: components.output.line.text().endswith("map-components"))
        components.run()
        qtbot.waitUntil(lambda: not components.running, timeout=120_000)
        assert components.failure == ""
        ((source, found),) = components.session.results
        assert source is layer
        assert found.abundances.shape[:2] == cube.shape[:2]
        assert store.with_name("map-components").is_dir()
        qtbot.waitUntil(lambda: components.output.line.text().endswith("map-components-2"))

    @pytest.mark.parametrize("name", ["Compare", "Evaluate", "Annotate", "Fine-tune", "Figure"])
    def test_other_docks_open_beside_it(self, store, viewer, qtbot, name):
        opened(viewer, store, qtbot)
        dock(viewer, name)
        qtbot.wait(50)
