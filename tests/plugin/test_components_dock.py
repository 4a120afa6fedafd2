"""The Components dock, driven by real clicks in a real viewer."""

from __future__ import annotations

import dataclasses
import threading

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from napari_deeper import Endmembers, RamanCube, UnmixParams, abundances, unmix
from napari_deeper.io.endmembers import read_endmembers, write_endmembers
from napari_deeper.plugin.component_layers import CLASSES, COMPONENTS, COMPOSITE, RESIDUAL
from napari_deeper.plugin.layers import (
    COMPONENT,
    ENDMEMBERS,
    SOURCE,
    add_cube,
    shown_endmembers,
)
from napari_deeper.plugin.picked_spectra import region_spectrum
from napari_deeper.plugin.widgets.components import ComponentsWidget
from napari_deeper.plugin.widgets.endmember_table import COLOR, DRAWN, MATCH, NAME, SHARE
from napari_deeper.simulate.bands import spectrum
from napari_deeper.simulate.components import COMPONENTS as TABLES

AXIS = np.linspace(600, 1800, 150)
PURE = 100 * np.array([spectrum(TABLES[n], AXIS) for n in ("protein", "lipid", "nucleic acid")])


def mixed_cube(name="cell", shape=(12, 10), axis=AXIS, **changes):
    rng = np.random.default_rng(0)
    amounts = rng.dirichlet((1.0, 0.6, 0.4), shape)
    amounts[0, :3] = np.eye(3)
    pure = 100 * np.array([spectrum(TABLES[n], axis) for n in ("protein", "lipid", "nucleic acid")])
    values = amounts @ pure + rng.normal(0, 0.5, (*shape, axis.size))
    fields = {"pixel_size": (0.5, 0.25), "origin": (3.0, -2.0), "metadata": {"name": name}}
    return RamanCube(values, axis, **(fields | changes))


@pytest.fixture
def window(make_napari_viewer):
    viewer = make_napari_viewer()
    _, dock = viewer.window.add_plugin_dock_widget("napari-deeper", "Components")
    assert isinstance(dock, ComponentsWidget)
    dock.form.number.setValue(3)
    return viewer, dock


@pytest.fixture
def found(window, qtbot):
    """The window after a run on a cell of three components."""
    viewer, dock = window
    source = add_cube(viewer, mixed_cube())
    run(dock, qtbot)
    return viewer, dock, source


def run(dock, qtbot):
    dock.refresh()
    qtbot.mouseClick(dock.foot.run_button, Qt.MouseButton.LeftButton)
    wait(dock, qtbot)


def wait(dock, qtbot):
    qtbot.waitUntil(lambda: not dock.running, timeout=60_000)


def click(dock, button, qtbot):
    dock.refresh()
    assert button.isEnabled()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    wait(dock, qtbot)


def texts(dock, column):
    return [dock.result.table.item(r, column).text() for r in range(dock.result.table.rowCount())]


def test_it_starts_from_the_defaults_and_asks_for_a_cube(make_napari_viewer):
    viewer = make_napari_viewer()
    _, dock = viewer.window.add_plugin_dock_widget("napari-deeper", "Components")
    assert dock.form.value() == UnmixParams()
    assert "Open Sample" in dock.fit.text()
    assert not dock.foot.run_button.isEnabled()
    for button in (dock.result.merge, dock.result.save, dock.result.match, dock.result.undo):
        assert not button.isEnabled()
    dock.form.number.setValue(0)
    assert dock.form.number.text() == "estimate"


def test_run_shows_what_the_function_finds(found):
    viewer, dock, source = found
    assert dock.failure == ""
    expected = unmix(mixed_cube(), 3)
    np.testing.assert_array_equal(dock.endmembers.spectra, expected.endmembers.spectra)
    assert texts(dock, NAME) == list(expected.endmembers.names)
    assert texts(dock, SHARE) == [f"{100 * s:.1f}" for s in expected.shares]
    assert "3 components of cell" in dock.foot.message.text()
    assert len(viewer.layers) == 3
    (picture,) = dock.layers.of(source, COMPOSITE)
    (classes,) = dock.layers.of(source, CLASSES)
    np.testing.assert_array_equal(classes.data, expected.classes)
    assert viewer.layers.index(picture) > viewer.layers.index(classes)
    for layer in (picture, classes):
        np.testing.assert_array_equal(layer.scale, [0.5, 0.25])
        np.testing.assert_array_equal(layer.translate, [3.0, -2.0])
        assert [str(unit) for unit in layer.units] == ["micrometer", "micrometer"]
        assert layer.metadata[SOURCE] is source
    assert shown_endmembers(viewer.layers) is dock.endmembers
    assert viewer.layers.selection.active is source
    wavenumber, _ = dock.result.plot.curve_data(0)
    np.testing.assert_array_equal(wavenumber, AXIS)


def test_each_kind_of_layer_comes_and_goes_with_its_box(found):
    viewer, dock, source = found
    maps = unmix(mixed_cube(), 3).abundances
    for kind in (COMPONENTS, RESIDUAL):
        dock.form.layers[kind].click()
    layers = dock.layers.of(source, COMPONENTS)
    assert [layer.metadata[COMPONENT] for layer in layers] == [0, 1, 2]
    assert [layer.name for layer in layers] == [f"{n}, cell" for n in dock.endmembers.names]
    for i, layer in enumerate(layers):
        np.testing.assert_array_equal(layer.data, maps[..., i])
        # the lowest hides the cube, the others add to it
        assert layer.blending == ("additive" if i else "translucent_no_depth")
        top = layer.colormap.map(np.array([1.0]))[0, :3]
        wanted = [int(dock.endmembers.colors[i][j : j + 2], 16) / 255 for j in (1, 3, 5)]
        np.testing.assert_allclose(top, wanted, atol=1e-6)
    assert len(dock.layers.of(source, RESIDUAL)) == 1
    for box in dock.form.layers.values():
        box.setChecked(False)
    assert list(viewer.layers) == [source]


def test_names_and_colors_are_edited_in_place(found):
    _, dock, source = found
    dock.form.layers[COMPONENTS].setChecked(True)
    before = dock.layers.of(source, COMPONENTS)
    dock.result.table.item(1, NAME).setText("droplets")
    assert dock.endmembers.names[1] == "droplets"
    dock.recolor(1, "#ff0000")
    after = dock.layers.of(source, COMPONENTS)
    assert after == before
    assert after[1].name == "droplets, cell"
    assert after[1].metadata[ENDMEMBERS] is dock.endmembers
    np.testing.assert_allclose(after[1].colormap.map(np.array([1.0]))[0], [1, 0, 0, 1])
    (classes,) = dock.layers.of(source, CLASSES)
    np.testing.assert_allclose(classes.get_color(2), [1, 0, 0, 1])
    dock.result.table.item(1, NAME).setText(dock.endmembers.names[0])
    assert "different names" in dock.failure
    assert texts(dock, NAME)[1] == "droplets"


def test_the_canvas_names_the_map_in_sight(found):
    viewer, _, source = found
    text = viewer.canvas.overlays.text
    assert text.text == f"components\n{source.name}"
    composite, classes = (
        next(la for la in viewer.layers if la.name.startswith(start))
        for start in ("components", "classes")
    )
    composite.visible = False
    assert text.text == f"classes\n{source.name}"
    classes.visible = False
    assert "cm-1 (channel" in text.text
    composite.visible = True
    assert text.text == f"components\n{source.name}"


def test_an_unticked_component_is_left_black_in_the_composite(found):
    _, dock, source = found
    (picture,) = dock.layers.of(source, COMPOSITE)
    before = np.asarray(picture.data).copy()
    for row in range(3):
        dock.result.table.item(row, DRAWN).setCheckState(Qt.CheckState.Unchecked)
    (picture,) = dock.layers.of(source, COMPOSITE)
    assert not np.asarray(picture.data)[..., :3].any()
    assert before[..., :3].any()


def test_merge_remove_and_undo_solve_anew(found, qtbot):
    _, dock, source = found
    first = dock.endmembers
    dock.result.table.selectRow(0)
    dock.refresh()
    assert not dock.result.merge.isEnabled()
    dock.result.table.selectAll()
    dock.refresh()
    assert dock.result.merge.isEnabled() and not dock.result.remove.isEnabled()
    dock.result.table.clearSelection()
    dock.result.table.selectRow(2)
    click(dock, dock.result.remove, qtbot)
    assert dock.endmembers.names == first.names[:2]
    np.testing.assert_array_equal(dock.endmembers.spectra, first.spectra[:2])
    (classes,) = dock.layers.of(source, CLASSES)
    assert set(np.unique(classes.data)) <= {0, 1, 2}
    dock.result.table.selectAll()
    click(dock, dock.result.merge, qtbot)
    assert len(dock.endmembers) == 1
    for expected in (2, 3):
        click(dock, dock.result.undo, qtbot)
        assert len(dock.endmembers) == expected
    assert dock.endmembers is first
    dock.refresh()
    assert not dock.result.undo.isEnabled()


def test_another_solver_is_applied_to_the_same_endmembers(found, qtbot):
    _, dock, source = found
    dock.form.layers[COMPONENTS].setChecked(True)
    shown = dock.endmembers
    dock.form.params.set_field("solver", "fcls")
    wait(dock, qtbot)
    assert dock.endmembers is shown
    total = sum(np.asarray(layer.data) for layer in dock.layers.of(source, COMPONENTS))
    np.testing.assert_allclose(total, 1, atol=1e-4)
    assert "sum to one" in dock.foot.message.text()


def test_endmembers_from_the_pinned_pixel_and_from_a_region(window, qtbot):
    viewer, dock = window
    cube = mixed_cube()
    source = add_cube(viewer, cube)
    click(dock, dock.result.pixel, qtbot)
    assert "No pixel is pinned" in dock.foot.message.text()
    click(dock, dock.result.region, qtbot)
    assert "No region is drawn" in dock.foot.message.text()
    _, spectra = viewer.window.add_plugin_dock_widget("napari-deeper", "Spectra")
    spectra.pin((3.0, -1.75))  # row 0, column 1: pure lipid
    click(dock, dock.result.pixel, qtbot)
    assert dock.failure == ""
    np.testing.assert_array_equal(dock.endmembers.spectra[0], cube.intensity[0, 1])
    corners = np.array(
        [[3.3, -2.2], [3.3, -1.6], [4.1, -1.6], [4.1, -2.2]]
    )  # rows 1-2, columns 0-1
    shapes = viewer.add_shapes([corners], name="nucleus", units=("um", "um"))
    click(dock, dock.result.region, qtbot)
    assert dock.endmembers.names[1] == "nucleus (4 px)"
    expected = cube.intensity[1:3, 0:2].reshape(-1, 150).mean(axis=0)
    np.testing.assert_allclose(dock.endmembers.spectra[1], expected, rtol=1e-5)
    assert len(dock.layers.of(source, CLASSES)) == 1
    shapes.data = [corners + 500]
    viewer.layers.selection.active = source
    click(dock, dock.result.region, qtbot)
    assert "No measured pixel" in dock.failure
    assert len(dock.endmembers) == 2


def test_an_ellipse_takes_the_pixels_inside_it(make_napari_viewer):
    viewer = make_napari_viewer()
    values = np.arange(81.0).reshape(9, 9, 1) * np.ones(4)
    values[4, 4] = np.nan
    source = add_cube(viewer, RamanCube(values, [600, 700, 800, 900], 0.5))
    box = np.array([[0.9, 0.9], [0.9, 3.1], [3.1, 3.1], [3.1, 0.9]])  # around (2, 2) um, radius 1.1
    shapes = viewer.add_shapes([box], shape_type="ellipse")
    mean, n_pixels = region_spectrum(source, shapes)
    y, x = np.mgrid[:9, :9] * 0.5
    inside = np.hypot(y - 2, x - 2) < 1.1
    inside[4, 4] = False
    assert n_pixels == inside.sum()
    np.testing.assert_allclose(mean, values[inside].mean(axis=0), rtol=1e-6)


def test_endmembers_are_saved_loaded_and_matched(found, qtbot, tmp_path):
    _, dock, source = found
    dock.refresh()
    dock.save(tmp_path / "mine.csv")
    assert "Saved" in dock.foot.message.text()
    np.testing.assert_array_equal(
        read_endmembers(tmp_path / "mine.csv").spectra, dock.endmembers.spectra
    )
    dock.match()
    assert sorted(texts(dock, NAME)) == ["lipid", "nucleic acid", "protein"]
    assert all(float(text.split()[0]) > 0.9 for text in texts(dock, MATCH))
    given = Endmembers(PURE[:2], AXIS, ("bulk", "fat"), ("#123456", "#abcdef"))
    write_endmembers(given, tmp_path / "given.csv")
    dock.load(tmp_path / "given.csv")
    wait(dock, qtbot)
    assert texts(dock, NAME) == ["bulk", "fat"]
    dock.form.layers[COMPONENTS].setChecked(True)
    expected = abundances(mixed_cube(), given)
    for i, layer in enumerate(dock.layers.of(source, COMPONENTS)):
        np.testing.assert_array_equal(layer.data, expected[..., i])
    dock.match(tmp_path / "mine.csv")
    assert "Compared with mine.csv" in dock.foot.message.text()
    dock.save(tmp_path / "mine")  # the dialog could not ask about mine.csv
    assert "already exists" in dock.failure
    dock.load(tmp_path / "absent.csv")
    assert "no file" in dock.failure
    assert texts(dock, NAME) == ["bulk", "fat"]


def test_every_cube_gets_the_endmembers_of_the_target(window, qtbot):
    viewer, dock = window
    other = mixed_cube("wide", (5, 8), np.linspace(550, 1900, 400), pixel_size=(2.0, 2.0))
    far = RamanCube(np.ones((3, 3, 40)), np.linspace(2000, 3000, 40), metadata={"name": "far"})
    second, third = add_cube(viewer, other), add_cube(viewer, far)
    source = add_cube(viewer, mixed_cube())
    dock.form.layers[COMPONENTS].setChecked(True)
    qtbot.waitUntil(lambda: dock.target.layer() is source)
    run(dock, qtbot)
    assert not dock.layers.of(second, COMPONENTS)
    dock.form.every.click()
    wait(dock, qtbot)
    mine, its = dock.layers.of(source, COMPONENTS), dock.layers.of(second, COMPONENTS)
    assert len(its) == 3
    assert not dock.layers.of(third, COMPONENTS)
    said = dock.foot.message.text()
    assert "resampled to the axis of 'wide'" in said
    assert "far is left out" in said
    expected = abundances(other, dock.endmembers)
    for i in range(3):
        np.testing.assert_array_equal(its[i].data, expected[..., i])
        assert its[i].contrast_limits == mine[i].contrast_limits
        np.testing.assert_array_equal(its[i].scale, [2.0, 2.0])
    dock.form.every.click()
    wait(dock, qtbot)
    assert not dock.layers.of(second, COMPONENTS)
    assert dock.layers.of(source, COMPONENTS) == mine


def test_cubes_of_other_dwell_times_keep_their_own_contrast(window, qtbot):
    viewer, dock = window
    long = mixed_cube("1 s", metadata={"name": "1 s", "dwell_time_s": 1.0})
    short = dataclasses.replace(
        long, intensity=long.intensity / 10, metadata={"name": "0.1 s", "dwell_time_s": 0.1}
    )
    second, first = add_cube(viewer, short), add_cube(viewer, long)
    dock.form.layers[COMPONENTS].setChecked(True)
    dock.form.every.setChecked(True)
    qtbot.waitUntil(lambda: dock.target.layer() is first)
    run(dock, qtbot)
    for mine, its in zip(
        dock.layers.of(first, COMPONENTS), dock.layers.of(second, COMPONENTS), strict=True
    ):
        assert its.contrast_limits[1] == pytest.approx(mine.contrast_limits[1] / 10, rel=1e-3)


def test_missing_pixels_are_shown_as_missing(window, qtbot):
    viewer, dock = window
    cube = mixed_cube()
    values = cube.intensity.copy()
    values[4, 5] = np.nan
    source = add_cube(viewer, dataclasses.replace(cube, intensity=values))
    run(dock, qtbot)
    assert dock.layers.of(source, CLASSES)[0].data[4, 5] == 0
    picture = np.asarray(dock.layers.of(source, COMPOSITE)[0].data)
    assert not picture[4, 5].any()
    assert picture[4, 4, 3] == 255
    assert "1 pixel was not measured" in dock.foot.message.text()


def test_the_surroundings_start_out_black(window, qtbot):
    viewer, dock = window
    cube = mixed_cube(shape=(20, 20))
    values = cube.intensity.copy()
    values[8:] = 15 * np.exp(-(((AXIS - 1640) / 60) ** 2))
    add_cube(viewer, dataclasses.replace(cube, intensity=values))
    dock.form.number.setValue(4)
    run(dock, qtbot)
    assert dock.result.table.drawn() == [False, True, True, True]
    dock.form.layers[COMPONENTS].setChecked(True)
    maps = dock.layers.of(viewer.layers[0], COMPONENTS)
    assert [layer.visible for layer in maps] == [False, True, True, True]
    assert [layer.blending == "additive" for layer in maps] == [True, False, True, True]
    assert "left black in the composite" in dock.foot.message.text()


def test_removing_cubes_takes_their_maps_and_no_more(found, qtbot):
    viewer, dock, source = found
    other = add_cube(viewer, mixed_cube("second"))
    dock.form.every.click()
    wait(dock, qtbot)
    viewer.layers.remove(source)
    qtbot.waitUntil(lambda: not dock.layers.of(source, CLASSES))
    assert {layer.metadata.get(SOURCE, other) for layer in viewer.layers} == {other}
    assert dock.layers.of(other, CLASSES)
    viewer.layers.remove(other)
    qtbot.waitUntil(lambda: not len(viewer.layers))
    assert len(dock.endmembers) == 3  # still there, for other cubes
    dock.refresh()
    assert dock.result.save.isEnabled()


def test_errors_are_told_and_leave_what_was_there(found, qtbot):
    viewer, dock, _ = found
    shown = dock.endmembers
    viewer.layers.selection.active = add_cube(viewer, mixed_cube("dot", (1, 3)))
    qtbot.waitUntil(lambda: dock.target.layer().name == "dot")
    dock.form.number.setValue(9)
    run(dock, qtbot)
    assert "3 pixels of 150 channels" in dock.foot.message.text()
    assert dock.endmembers is shown
    assert dock.foot.run_button.isEnabled()


def test_cancel_and_closing_end_the_run(window, qtbot):
    viewer, dock = window
    big = RamanCube(np.tile(mixed_cube().intensity, (12, 12, 1)), AXIS)
    add_cube(viewer, big)
    dock.refresh()
    qtbot.mouseClick(dock.foot.run_button, Qt.MouseButton.LeftButton)
    assert not dock.foot.run_button.isEnabled()
    qtbot.mouseClick(dock.foot.cancel_button, Qt.MouseButton.LeftButton)
    wait(dock, qtbot)
    assert "Cancelled" in dock.foot.message.text()
    assert dock.endmembers is None
    qtbot.mouseClick(dock.foot.run_button, Qt.MouseButton.LeftButton)
    viewer.window.remove_dock_widget(dock)
    assert not [t for t in threading.enumerate() if t.name == "napari-deeper"]


def test_it_opens_on_a_tab_beside_enhance_and_remembers(make_napari_viewer, qtbot):
    viewer = make_napari_viewer()
    enhance, enhance_dock = viewer.window.add_plugin_dock_widget("napari-deeper", "Enhance")
    own, dock = viewer.window.add_plugin_dock_widget("napari-deeper", "Components")
    main = viewer.window._qt_window
    qtbot.waitUntil(lambda: enhance in main.tabifiedDockWidgets(own))
    add_cube(viewer, mixed_cube())
    dock.form.number.setValue(2)
    dock.form.params.set_field("method", "n-findr")
    dock.form.layers[RESIDUAL].setChecked(True)
    run(dock, qtbot)
    viewer.window.remove_dock_widget(dock)
    QApplication.processEvents()
    _, again = viewer.window.add_plugin_dock_widget("napari-deeper", "Components")
    expected = UnmixParams(n_endmembers=2, method="n-findr")
    assert again.form.value() == expected
    assert RESIDUAL in again.form.kinds()
    # it goes on with the endmembers whose maps are there
    assert texts(again, NAME) == ["Component 1", "Component 2"]
    assert texts(again, SHARE) == ["-", "-"]
    before = again.layers.of(viewer.layers[0], CLASSES)
    again.recolor(0, "#00ff00")
    wait(again, qtbot)
    assert again.layers.of(viewer.layers[0], CLASSES) == before
    np.testing.assert_allclose(before[0].get_color(1), [0, 1, 0, 1])
    assert "-" not in texts(again, SHARE)
    # component maps are no cubes that a run could start from
    assert enhance_dock is not None
    assert [again.target.itemText(i) for i in range(again.target.count())] == ["cell"]


def test_a_click_on_the_color_asks_for_another(found, qtbot, monkeypatch):
    from qtpy.QtGui import QColor
    from qtpy.QtWidgets import QColorDialog

    _, dock, _ = found
    monkeypatch.setattr(QColorDialog, "getColor", lambda *_: QColor("#00ff00"))
    table = dock.result.table
    place = table.visualItemRect(table.item(1, COLOR)).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert dock.endmembers.colors[1] == "#00ff00"
