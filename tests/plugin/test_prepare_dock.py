"""The Prepare dock, and what Enhance suggests, driven by real clicks in a real viewer."""

from __future__ import annotations

import dataclasses
import json
import threading

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QListWidget

import napari_deeper as nd
from napari_deeper.engine.recipe import PRESETS, STEPS
from napari_deeper.plugin import fit_watch
from napari_deeper.plugin.layers import add_cube, cube_from_layer
from napari_deeper.plugin.ray_finder import points_layer
from napari_deeper.plugin.widgets.enhance import EnhanceWidget
from napari_deeper.plugin.widgets.prepare import PrepareWidget, open_prepare
from napari_deeper.plugin.widgets.prepare_steps import Row
from napari_deeper.plugin.widgets.spectra import SpectraWidget
from napari_deeper.plugin.widgets.workspace import dock_of, open_docks

LEFT = Qt.MouseButton.LeftButton
RAY = (4, 3, 60)  # row, column, channel


@pytest.fixture
def raw_cube() -> nd.RamanCube:
    """A 12 x 10 cube of two bands on a strong, bent background, with a cosmic ray in one pixel."""
    rng = np.random.default_rng(5)
    axis = np.linspace(590, 1810, 200)
    bands = np.exp(-(((axis - np.array([[1004], [1450]])) / 12) ** 2))
    background = 2000 * np.exp(-(axis - 590) / 900)
    clean = 150 * rng.uniform(0.3, 1, (12, 10, 2)) @ bands + background
    noisy = clean + rng.normal(0, 6, clean.shape)
    noisy[RAY] += 900
    metadata = {"name": "raw", "intensity_unit": "counts"}
    return nd.RamanCube(noisy, axis, (0.5, 0.5), origin=(3.0, -2.0), metadata=metadata)


@pytest.fixture
def window(make_napari_viewer):
    viewer = make_napari_viewer()
    _, dock = viewer.window.add_plugin_dock_widget("napari-deeper", "Prepare")
    assert isinstance(dock, PrepareWidget)
    return viewer, dock


def settle(dock, qtbot):
    """Wait until nothing is asked for any more."""
    jobs = (dock._live, dock._jobs, dock.finder)
    qtbot.waitUntil(
        lambda: not (dock._timer.isActive() or jobs[0].busy or jobs[1].running or jobs[2].running),
        timeout=30_000,
    )


def names(dock) -> list[str]:
    return [type(row.settings).__name__ for row in dock.steps.rows()]


def click_check(qtbot, steps: QListWidget, number: int):
    """Click on the check box of a step, which is at its left."""
    rect = steps.visualItemRect(steps.item(number))
    qtbot.mouseClick(steps.viewport(), LEFT, pos=QPoint(rect.left() + 9, rect.center().y()))


def click_step(qtbot, steps: QListWidget, number: int):
    rect = steps.visualItemRect(steps.item(number))
    qtbot.mouseClick(steps.viewport(), LEFT, pos=QPoint(rect.left() + 60, rect.center().y()))


def test_without_a_cube_the_dock_says_what_to_do(window, qtbot):
    viewer, dock = window
    settle(dock, qtbot)
    assert "Open Sample" in dock.caption.text()
    assert not dock.foot.run_button.isEnabled()
    assert not dock.page.all_button.isEnabled()
    viewer.add_image(np.zeros((5, 6, 6), np.float32), name="no cube")
    qtbot.waitUntil(lambda: "no wavenumbers" in dock.caption.text())
    assert not dock.foot.run_button.isEnabled()


def test_presets_come_and_the_own_steps_come_back(window, raw_cube, qtbot):
    viewer, dock = window
    add_cube(viewer, raw_cube)
    assert names(dock) == ["Despike", "Crop", "Baseline"]
    box = dock.page.recipe.box
    for preset, recipe in PRESETS.items():
        box.setCurrentIndex(box.findData(preset))
        box.activated.emit(box.currentIndex())
        assert dock.recipe().steps == recipe.steps
    assert dock.page.recipe.chosen() == "classical"
    dock.steps.add(nd.Bin())
    own = dock.recipe()
    assert dock.page.recipe.chosen() == ""
    dock.recipes.choose_preset("despike")
    dock.recipes.choose_preset("")
    assert dock.recipe() == own


def test_every_kind_of_step_has_a_form_with_units_and_what_applies(window, qtbot):
    _, dock = window
    dock.steps.set_rows([])
    for action, kind in zip(dock.page.box.menu.actions(), STEPS.values(), strict=True):
        assert action.toolTip() == kind.tooltip
        action.trigger()
        assert dock.steps.current() == Row(kind.settings())
        assert dock.form.form.value() == kind.settings()
    assert names(dock) == [kind.settings.__name__ for kind in STEPS.values()]  # where each belongs
    dock.steps.setCurrentRow(names(dock).index("Baseline"))
    form = dock.form.form
    assert form.field("smoothness").isEnabled()
    assert not form.field("size").isEnabled()
    form.set_field("method", "shape")
    assert form.field("size").isEnabled()
    assert not form.field("smoothness").isEnabled()
    assert "Shape size (channels)" in {label.text() for label in form._labels.values()}
    assert dock.steps.current().settings == nd.Baseline("shape")


def test_steps_are_moved_by_keys_buttons_and_dragging_switched_off_and_removed(window, qtbot):
    _, dock = window
    steps, box = dock.steps, dock.page.box
    dock.show()
    click_step(qtbot, steps, 1)
    qtbot.keyClick(steps, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    assert names(dock) == ["Crop", "Despike", "Baseline"]
    assert steps.currentRow() == 0
    assert not box.up.isEnabled()
    qtbot.mouseClick(box.down, LEFT)
    qtbot.mouseClick(box.down, LEFT)
    assert names(dock) == ["Despike", "Baseline", "Crop"]
    # what a drag with the mouse ends in
    model = steps.model()
    assert model.moveRow(steps.rootIndex(), 2, steps.rootIndex(), 0)
    assert [type(s).__name__ for s in dock.recipe().steps] == ["Crop", "Despike", "Baseline"]
    click_check(qtbot, steps, 1)
    assert [type(s).__name__ for s in dock.recipe().steps] == ["Crop", "Baseline"]
    click_step(qtbot, steps, 2)
    qtbot.keyClick(steps, Qt.Key.Key_Delete)
    assert names(dock) == ["Crop", "Despike"]
    qtbot.mouseClick(box.remove, LEFT)
    assert names(dock) == ["Crop"]
    qtbot.mouseClick(box.remove, LEFT)
    assert not box.remove.isEnabled()
    assert dock.form.form is None


def test_the_preview_shows_what_the_engine_finds(window, raw_cube, qtbot):
    viewer, dock = window
    add_cube(viewer, raw_cube)
    settle(dock, qtbot)
    strongest = np.unravel_index(raw_cube.intensity.sum(axis=2).argmax(), (12, 10))
    assert "Strongest pixel" in dock.caption.text()
    assert f"y {strongest[0]}, x {strongest[1]}" in dock.caption.text()
    dock.pinned.pin((3.0 + 0.5 * RAY[0], -2.0 + 0.5 * RAY[1]))
    dock.steps.setCurrentRow(0)
    settle(dock, qtbot)
    np.testing.assert_allclose(dock.plot.marked(), raw_cube.wavenumber[[RAY[2]]])
    assert "1 cosmic ray" in dock.caption.text()
    dock.steps.setCurrentRow(2)
    dock.form.form.set_field("smoothness", 3e4)
    settle(dock, qtbot)
    pixel = RAY[:2]
    stages = nd.Preparation(raw_cube).preview(dock.recipe(), [pixel])
    assert stages[-1].curve is not None
    expected = {
        "before": (stages[-1].before, stages[-2].spectra[0]),
        "baseline": (stages[-1].before, stages[-1].curve[0]),
        "after": (stages[-1].wavenumber, stages[-1].spectra[0]),
    }
    assert dock.plot.legend_names() == list(expected)
    for i, (x, y) in enumerate(expected.values()):
        drawn = dock.plot.curve_data(i)
        np.testing.assert_allclose(drawn[0], x)
        np.testing.assert_allclose(drawn[1], y, rtol=1e-5)
    done = nd.prepare(raw_cube, dock.recipe())
    np.testing.assert_allclose(drawn[1], done.intensity[pixel], rtol=1e-4, atol=0.05)
    assert dock.plot.y_label() == "Intensity (counts)"


def test_the_preview_of_a_step_that_is_off_of_all_steps_and_of_another_scale(
    window, raw_cube, qtbot
):
    viewer, dock = window
    add_cube(viewer, raw_cube)
    dock.show_recipe(nd.Recipe((nd.Crop(700, 1700), nd.Normalize("cube-maximum"))))
    dock.steps.setCurrentRow(1)
    settle(dock, qtbot)
    assert dock.plot.legend_names() == ["before, scaled", "after"]
    assert dock.plot.y_label() == "Intensity (fraction of the cube's maximum)"
    assert np.nanmax(dock.plot.curve_data(0)[1]) <= 1
    dock.page.whole.setChecked(True)
    settle(dock, qtbot)
    assert dock.plot.curve_data(0)[0].size == 200
    dock.page.whole.setChecked(False)
    click_check(qtbot, dock.steps, 1)
    settle(dock, qtbot)
    assert "switched off" in dock.caption.text()
    assert dock.plot.legend_names() == ["before"]


def test_a_click_in_the_spectra_dock_is_followed(window, raw_cube, qtbot):
    viewer, dock = window
    _, spectra = viewer.window.add_plugin_dock_widget("napari-deeper", "Spectra")
    assert isinstance(spectra, SpectraWidget)
    add_cube(viewer, raw_cube)
    spectra.pin((3.0, -2.0))
    settle(dock, qtbot)
    qtbot.waitUntil(lambda: "Pixel y 0, x 0." in dock.caption.text())
    qtbot.keyClick(spectra, Qt.Key.Key_Down)
    qtbot.waitUntil(lambda: "Pixel y 1, x 0." in dock.caption.text())
    qtbot.keyClick(spectra, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: "Strongest" in dock.caption.text())


def test_a_click_on_the_canvas_pins_a_pixel_without_the_spectra_dock(
    make_napari_viewer, raw_cube, qtbot
):
    viewer = make_napari_viewer(show=True)
    viewer.window._qt_window.resize(1280, 720)
    _, dock = viewer.window.add_plugin_dock_widget("napari-deeper", "Prepare")
    add_cube(viewer, raw_cube)
    qtbot.wait(200)  # until the docks have their place
    viewer.reset_view()
    qtbot.wait(50)
    native = viewer.window._qt_window._qt_viewer.canvas.native
    camera = viewer.scene.camera
    for place, control in (
        ((3.0 + 0.5 * 2, -2.0 + 0.5 * 7), False),
        ((3.0 + 0.5 * 8, -2.0 + 0.5 * 2), True),
    ):
        dy, dx = (np.asarray(place) - np.asarray(camera.center[-2:])) * camera.zoom
        point = QPoint(round(native.width() / 2 + dx), round(native.height() / 2 + dy))
        modifiers = Qt.KeyboardModifier
        held = modifiers.ControlModifier if control else modifiers.NoModifier
        qtbot.mouseMove(native, point)
        qtbot.mouseClick(native, LEFT, held, point)
    qtbot.waitUntil(lambda: "Pixels y 2, x 7; y 8, x 2." in dock.caption.text())
    assert dock.plot.legend_names()[0] == "1: before"
    assert any(type(layer).__name__ == "Points" for layer in viewer.layers)


def test_the_dock_goes_on_a_tab_and_behind_another_one_looks_at_nothing(
    make_napari_viewer, raw_cube, qtbot
):
    viewer = make_napari_viewer(show=True)
    window = viewer.window._qt_window
    window.resize(1280, 720)
    other = dock_of(open_docks(viewer)[0])
    add_cube(viewer, raw_cube)
    qtbot.wait(300)
    height = window.height()
    dock = open_prepare(viewer, PRESETS["despike"])
    own = dock_of(dock)
    qtbot.waitUntil(lambda: own in own.parent().tabifiedDockWidgets(other))
    qtbot.wait(150)  # the newest tab comes to the front by itself
    assert window.height() == height
    other.raise_()
    qtbot.waitUntil(lambda: dock._behind)
    settle(dock, qtbot)
    dock.show_recipe(nd.Recipe((nd.Flip(),)))
    dock.refresh()
    assert not dock._live.busy
    own.raise_()
    qtbot.waitUntil(lambda: "changes the map" in dock.caption.text())


def test_unmeasured_pixels_are_shown_as_such(window, raw_cube, qtbot):
    viewer, dock = window
    intensity = raw_cube.intensity.copy()
    intensity[0] = np.nan
    intensity[1, 0, 5], intensity[1, 0, 6] = np.inf, -np.inf
    add_cube(viewer, dataclasses.replace(raw_cube, intensity=intensity))
    dock.recipes.choose_preset("as-deeper")
    dock.steps.setCurrentRow(2)
    settle(dock, qtbot)
    assert dock.plot.legend_names() == ["before, scaled", "after"]
    dock.pinned.pin((3.0, -2.0))
    settle(dock, qtbot)
    assert "Pixel y 0, x 0." in dock.caption.text()
    assert np.isnan(dock.plot.curve_data(1)[1]).all()


def test_what_cannot_be_done_is_said_in_words(window, raw_cube, qtbot):
    viewer, dock = window
    add_cube(viewer, raw_cube)
    dock.show_recipe(nd.Recipe((nd.Crop(100, 200),)))
    settle(dock, qtbot)
    assert "Step 1 (crop)" in dock.caption.text()
    qtbot.mouseClick(dock.foot.run_button, LEFT)
    settle(dock, qtbot)
    assert "No range is left" in dock.foot.message.text()
    assert len(viewer.layers) == 1
    dock.show_recipe(nd.Recipe())
    settle(dock, qtbot)
    assert not dock.foot.run_button.isEnabled()


def test_cosmic_rays_are_listed_before_anything_is_changed(window, raw_cube, qtbot):
    viewer, dock = window
    source = add_cube(viewer, raw_cube)
    dock.show_recipe(nd.Recipe((nd.Crop(600, 1800), nd.Despike())))
    assert dock.rays.isHidden()
    dock.steps.setCurrentRow(1)
    assert not dock.rays.isHidden()
    settle(dock, qtbot)
    before = source.data.copy()
    qtbot.mouseClick(dock.rays.button, LEFT)
    settle(dock, qtbot)
    table = dock.rays.table
    assert table.rowCount() == 1
    cells = [table.item(0, column).data(Qt.ItemDataRole.DisplayRole) for column in range(4)]
    assert cells[:2] == list(RAY[:2])
    assert cells[2] == pytest.approx(raw_cube.wavenumber[RAY[2]], abs=0.06)
    assert cells[3] == pytest.approx(900, rel=0.1)
    points = points_layer(viewer)
    np.testing.assert_allclose(points.data, [[3.0 + 0.5 * RAY[0], -2.0 + 0.5 * RAY[1]]])
    assert viewer.layers.selection.active is source
    table.selectRow(0)
    settle(dock, qtbot)
    assert f"Pixel y {RAY[0]}, x {RAY[1]}." in dock.caption.text()
    assert dock.plot.line() == pytest.approx(cells[2])
    shown = float(viewer.dims.point[0])
    step = np.diff(raw_cube.wavenumber).mean()
    assert shown == pytest.approx(raw_cube.wavenumber[RAY[2]], abs=step)
    np.testing.assert_array_equal(source.data, before)
    dock.form.form.set_field("threshold", 9.0)
    assert "find them again" in dock.rays.told.text()
    qtbot.mouseClick(dock.rays.clear_button, LEFT)
    assert points_layer(viewer) is None
    assert table.rowCount() == 0


def test_run_makes_a_new_layer_and_tells_what_was_found(window, raw_cube, qtbot):
    viewer, dock = window
    source = add_cube(viewer, raw_cube)
    before = source.data.copy()
    settle(dock, qtbot)
    qtbot.mouseClick(dock.foot.run_button, LEFT)
    settle(dock, qtbot)
    ready = cube_from_layer(viewer.layers[-1])
    expected = nd.prepare(raw_cube, "raw-for-enhance")
    np.testing.assert_allclose(ready.intensity, expected.intensity)
    assert viewer.layers[-1].name == "raw, prepared"
    assert [step.verb for step in ready.provenance] == ["despike", "crop", "baseline"]
    told = dock.foot.message.text()
    assert "1 cosmic ray in 1 pixel was repaired" in told
    assert "arpls" in told
    np.testing.assert_array_equal(source.data, before)
    assert dock.cube.layer() is source  # another run starts from the same cube


def test_cancel_adds_nothing(window, raw_cube, qtbot, monkeypatch):
    viewer, dock = window
    add_cube(viewer, raw_cube)
    settle(dock, qtbot)
    go_on = threading.Event()

    def slow(cube, recipe, progress):
        progress.update(0.5, "half")
        assert go_on.wait(20)
        progress.update(0.6, "more")
        return cube

    monkeypatch.setattr("napari_deeper.plugin.prepare_job.prepare_one", slow)
    qtbot.mouseClick(dock.foot.run_button, LEFT)
    assert not dock.foot.run_button.isEnabled()
    qtbot.waitUntil(lambda: dock.foot.bar.value() == 500)
    qtbot.mouseClick(dock.foot.cancel_button, LEFT)
    go_on.set()
    settle(dock, qtbot)
    assert "Cancelled" in dock.foot.message.text()
    assert len(viewer.layers) == 1
    assert dock.foot.run_button.isEnabled()


def test_all_cubes_are_prepared_and_a_bad_one_stops_no_other(window, raw_cube, qtbot):
    viewer, dock = window
    add_cube(viewer, raw_cube)
    far = dataclasses.replace(
        raw_cube, wavenumber=raw_cube.wavenumber + 2000, metadata={"name": "far"}
    )
    add_cube(viewer, far)
    add_cube(viewer, dataclasses.replace(raw_cube, metadata={"name": "third"}))
    settle(dock, qtbot)
    qtbot.mouseClick(dock.page.all_button, LEFT)
    settle(dock, qtbot)
    assert [layer.name for layer in viewer.layers[3:]] == ["raw, prepared", "third, prepared"]
    assert "far: left out. Step 2 (crop)" in dock.foot.message.text()
    qtbot.mouseClick(dock.page.all_button, LEFT)
    settle(dock, qtbot)
    assert "raw, prepared: left out, since it was prepared so already" in dock.foot.message.text()
    assert len(viewer.layers) == 7  # the two inputs once more, not their results


def test_recipes_are_saved_and_loaded_and_bad_files_told(window, qtbot, tmp_path, monkeypatch):
    _, dock = window
    path = tmp_path / "mine.json"
    monkeypatch.setattr(
        "napari_deeper.plugin.widgets.prepare_recipe.ask_target", lambda *_: str(path)
    )
    dock.steps.setCurrentRow(1)
    dock.form.form.set_field("low", 650.0)
    click_check(qtbot, dock.steps, 2)
    dock.page.recipe.save.trigger()  # no file yet: asks for one
    saved = nd.read_recipe(path)
    assert saved == nd.Recipe((nd.Despike(), nd.Crop(650, 1800)), "mine")
    assert "1 switched off" in dock.foot.message.text()
    assert "mine" in dock.page.recipe.box.itemText(0)
    dock.form.form.set_field("low", 660.0)
    dock.page.recipe.save.trigger()
    assert nd.read_recipe(path).steps[1] == nd.Crop(660, 1800)
    dock.recipes.choose_preset("as-deeper")
    monkeypatch.setattr(
        "napari_deeper.plugin.widgets.prepare_recipe.ask_source", lambda *_: str(path)
    )
    dock.page.recipe.open.trigger()
    assert dock.recipe() == nd.read_recipe(path)
    before = dock.recipe()
    path.write_text(json.dumps({"format": "something else"}))
    dock.page.recipe.open.trigger()
    assert "no recipe" in dock.foot.message.text()
    assert dock.recipe() == before


def test_the_last_recipe_is_remembered_with_what_is_off(window, qtbot):
    viewer, dock = window
    dock.steps.setCurrentRow(2)
    dock.form.form.set_field("method", "snip")
    click_check(qtbot, dock.steps, 0)
    rows = dock.steps.rows()
    dock.refresh()
    viewer.window.remove_dock_widget(dock)
    _, again = viewer.window.add_plugin_dock_widget("napari-deeper", "Prepare")
    assert again is not dock
    assert again.steps.rows() == rows
    assert not rows[0].on


def test_enhance_says_what_does_not_suit_and_mends_it_with_one_click(
    make_napari_viewer, raw_cube, qtbot, monkeypatch
):
    looked_at = []
    monkeypatch.setattr(
        fit_watch, "check_fit", lambda cube, model: looked_at.append(cube) or nd.check_fit(cube)
    )
    viewer = make_napari_viewer()
    _, enhance = viewer.window.add_plugin_dock_widget("napari-deeper", "Enhance")
    assert isinstance(enhance, EnhanceWidget)
    source = add_cube(viewer, raw_cube)
    qtbot.waitUntil(lambda: enhance.suits.recipe is not None, timeout=20_000)
    findings = nd.check_fit(raw_cube)
    assert enhance.suits.told.text().split("\n") == [f.text for f in findings if f.name != "range"]
    expected = nd.suggested_recipe(findings)
    assert expected is not None and enhance.suits.recipe == expected
    assert "Subtract the baseline" in enhance.suits.prepare_button.toolTip()
    qtbot.mouseClick(enhance.suits.prepare_button, LEFT)
    assert not enhance.foot.run_button.isEnabled()
    qtbot.waitUntil(lambda: not enhance.running, timeout=30_000)
    layer = viewer.layers[-1]
    np.testing.assert_allclose(
        cube_from_layer(layer).intensity, nd.prepare(raw_cube, expected).intensity
    )
    assert viewer.layers.selection.active is layer
    assert "Run works on it now" in enhance.foot.message.text()
    qtbot.waitUntil(lambda: enhance.cube.layer() is layer)
    qtbot.waitUntil(lambda: len(looked_at) == 2, timeout=20_000)
    qtbot.waitUntil(lambda: not enhance.suits.told.text().startswith("Cosmic"), timeout=20_000)
    viewer.layers.selection.active = source
    qtbot.waitUntil(lambda: enhance.suits.recipe == expected, timeout=20_000)
    assert len(looked_at) == 2  # what is known is not looked for again


def test_enhance_opens_its_suggestion_in_the_prepare_dock(make_napari_viewer, raw_cube, qtbot):
    viewer = make_napari_viewer()
    _, enhance = viewer.window.add_plugin_dock_widget("napari-deeper", "Enhance")
    add_cube(viewer, raw_cube)
    qtbot.waitUntil(lambda: enhance.suits.recipe is not None, timeout=20_000)
    qtbot.mouseClick(enhance.suits.open_button, LEFT)
    qtbot.waitUntil(lambda: not enhance.running)
    docks = [d for d in viewer.window.dock_widgets.values() if isinstance(d, PrepareWidget)]
    assert len(docks) == 1
    assert docks[0].recipe() == enhance.suits.recipe
    enhance.form.denoise.set_field("method", "savgol")  # no network, nothing to suit
    enhance.refresh()
    assert enhance.suits.recipe is None


def test_looking_for_rays_can_be_cancelled(window, raw_cube, qtbot):
    viewer, dock = window
    many = dataclasses.replace(raw_cube, intensity=np.tile(raw_cube.intensity, (12, 12, 1)))
    add_cube(viewer, many)
    settle(dock, qtbot)
    dock.steps.setCurrentRow(0)
    settle(dock, qtbot)
    qtbot.mouseClick(dock.rays.button, LEFT)
    assert dock.rays.clear_button.text() == "Cancel"
    qtbot.mouseClick(dock.rays.clear_button, LEFT)
    settle(dock, qtbot)
    assert dock.rays.told.text() == "Cancelled."
    assert points_layer(viewer) is None and dock.rays.table.rowCount() == 0
    assert dock.rays.clear_button.text() == "Clear" and not dock.rays.clear_button.isEnabled()
    qtbot.mouseClick(dock.rays.button, LEFT)
    settle(dock, qtbot)
    assert points_layer(viewer) is not None and dock.rays.clear_button.isEnabled()
