"""The Annotate dock: drawing on the real canvas, the table, labels, files."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QComboBox, QMessageBox

from napari_deeper import (
    Patch,
    PatchCube,
    PatchSet,
    RamanCube,
    denoise,
    read_cubes,
    read_patches,
    suggest_patches,
    write,
    write_patches,
)
from napari_deeper.plugin.layers import add_cube
from napari_deeper.plugin.widgets import annotate_files
from napari_deeper.plugin.widgets.annotate import AnnotateWidget


def make_cube(name, seed=0, shape=(24, 32), origin=(3.0, -2.0)):
    rng = np.random.default_rng(seed)
    axis = np.linspace(600, 1800, 40)
    bands = np.exp(-(((axis - np.array([[1004.0], [1450.0]])) / 40) ** 2))
    amounts = rng.random((*shape, 2)) ** 3
    noise = rng.normal(0, 0.01, (*shape, 40))
    return RamanCube(
        amounts @ bands + noise, axis, (0.5, 0.5), origin=origin, metadata={"name": name}
    )


@pytest.fixture
def window(make_napari_viewer, request):
    viewer = make_napari_viewer(show=getattr(request, "param", False))
    viewer.window._qt_window.resize(1100, 800)
    add_cube(viewer, make_cube("a"))
    _, dock = viewer.window.add_plugin_dock_widget("napari-deeper", "Annotate")
    assert isinstance(dock, AnnotateWidget)
    dock.form.set_size(8)
    QApplication.processEvents()
    return viewer, dock


def canvas_point(viewer, place) -> QPoint:
    camera = viewer.scene.camera
    native = viewer.window._qt_window._qt_viewer.canvas.native
    offset = (np.asarray(place) - camera.center[1:]) * camera.zoom
    return QPoint(round(native.width() / 2 + offset[1]), round(native.height() / 2 + offset[0]))


def drag(viewer, start, end):
    native = viewer.window._qt_window._qt_viewer.canvas.native
    button, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    points = [canvas_point(viewer, np.add(start, f * np.subtract(end, start))) for f in (0, 0.5, 1)]
    QTest.mousePress(native, button, none, points[0])
    for point in points[1:]:
        QTest.qWait(60)  # the canvas drops moves that follow each other faster
        QTest.mouseMove(native, point)
    QTest.qWait(60)
    QTest.mouseRelease(native, button, none, points[-1])
    QTest.qWait(20)


def box_of(dock, patch):
    return dock.annotation.grounds()[patch.cube].box((patch.y, patch.x), patch.size)


def settled(dock, qtbot):
    qtbot.waitUntil(lambda: not dock._jobs.running, timeout=60_000)


def column(dock, name):
    at = dock.table.COLUMNS.index(name)
    return [dock.table.item(row, at).text() for row in range(dock.table.rowCount())]


def shapes(dock):
    return dock.annotation.marks.layer()


def outline(box):
    (y0, x0), (y1, x1) = box
    return np.array([[y0, x0], [y0, x1], [y1, x1], [y1, x0]])


@pytest.mark.parametrize("window", [True], indirect=True)  # shown, to be drawn on
def test_a_rectangle_drawn_on_the_canvas_becomes_a_patch(window, qtbot):
    viewer, dock = window
    before = viewer.layers[0].data.copy()
    dock.form.role.setCurrentText("test")
    qtbot.mouseClick(dock.form.draw, Qt.MouseButton.LeftButton)
    assert dock.form.draw.isChecked()
    drag(viewer, (5.2, 0.9), (8.4, 5.1))  # 6.4 x 8.4 pixels about y=7.6, x=10
    (patch,) = dock.patches()
    assert patch == Patch("a", 4, 6, 8, "test")
    np.testing.assert_allclose(shapes(dock).data[0], outline(box_of(dock, patch)))
    assert (column(dock, "Role"), column(dock, "y"), column(dock, "x")) == (["test"], ["4"], ["6"])
    assert "1 test" in dock.counts.text()
    assert shapes(dock).text.values.tolist() == ["1\ntest"]
    # drawing goes on until it is switched off, there or in napari
    drag(viewer, (9.0, 6.0), (10.0, 7.0))
    assert len(dock.patches()) == 2
    shapes(dock).mode = "pan_zoom"
    assert not dock.form.draw.isChecked()
    np.testing.assert_array_equal(viewer.layers[0].data, before)


def test_a_large_rectangle_is_tiled_and_one_outside_is_told(window):
    _, dock = window
    layer = dock.annotation.marks.make(dock.annotation.cubes()[0])
    layer.add(outline(dock.annotation.grounds()["a"].box((0, 0), 24)))
    QApplication.processEvents()
    assert len(dock.patches()) == 9
    layer.add(outline(((100, 100), (110, 110))))
    QApplication.processEvents()
    assert len(dock.patches()) == layer.nshapes == 9
    assert "outside every cube" in dock.message.text()
    dock.form.set_size(64)
    layer.add(outline(((4, 0), (6, 2))))
    QApplication.processEvents()
    assert (
        "24 x 32 pixels: no patch of 64 x 64 fits. Choose a patch size of 12" in dock.message.text()
    )
    qt_fit = dock.form.fit
    qt_fit.click()
    assert dock.form.value().size == 12


def test_moving_resizing_and_deleting_shapes_keeps_the_table_in_step(window, qtbot):
    _, dock = window
    dock.set_patches([Patch("a", 0, 0, 8, "test", "bone"), Patch("a", 0, 8, 8)])
    layer = shapes(dock)
    moved = layer.data[0] + (2.6, 1.4)  # 5.2 and 2.8 pixels
    layer.data = [moved, layer.data[1]]
    QApplication.processEvents()
    assert dock.patches() == [Patch("a", 6, 2, 8, "test", "bone"), Patch("a", 0, 8, 8)]
    away = layer.data[0] + 1000
    layer.data = [away, layer.data[1]]
    QApplication.processEvents()
    assert dock.patches()[0] == Patch("a", 6, 2, 8, "test", "bone")
    assert "back where it was" in dock.message.text()
    low, wide = layer.data[1][0], np.array([4.0, 8.0])
    layer.data = [layer.data[0], outline((tuple(low), tuple(low + wide)))]
    QApplication.processEvents()
    assert dock.patches()[1:] == [Patch("a", 0, 8, 8), Patch("a", 0, 16, 8)]
    layer.selected_data = {0, 2}
    assert dock.table.selected_rows() == [0, 2]
    layer.remove_selected()
    QApplication.processEvents()
    assert dock.patches() == [Patch("a", 0, 8, 8)]
    assert dock.table.rowCount() == 1
    # pasting on the spot is no second patch
    layer.selected_data = {0}
    layer._copy_data()
    layer._paste_data()
    qtbot.waitUntil(lambda: layer.nshapes == 1)
    assert dock.patches() == [Patch("a", 0, 8, 8)]
    layer.selected_data = set()
    layer.data = []
    QApplication.processEvents()
    assert dock.patches() == []
    assert dock.table.rowCount() == 0


def test_the_table_edits_role_and_tissue_and_deletes(window, qtbot):
    _, dock = window
    dock.set_patches([Patch("a", 0, 8 * i, 8) for i in range(3)])
    table = dock.table
    table.selectRow(0)
    assert set(shapes(dock).selected_data) == {0}
    table.select([0, 2])
    item = table.item(2, table.COLUMNS.index("Role"))
    table.editItem(item)
    box = table.findChild(QComboBox)
    box.setCurrentText("validation")
    box.activated.emit(1)
    assert [p.role for p in dock.patches()] == ["validation", "train", "validation"]
    table.select([1])
    table.item(1, table.COLUMNS.index("Tissue")).setText(" skin ")
    assert [p.tissue for p in dock.patches()] == ["", "skin", ""]
    colors = shapes(dock).edge_color
    assert np.allclose(colors[0], colors[2])
    assert not np.allclose(colors[0], colors[1])
    shapes(dock).selected_data = {0, 1}
    menu = table.menu()
    next(a for a in menu.actions() if a.text() == "Make test").trigger()
    assert [p.role for p in dock.patches()] == ["test", "test", "validation"]
    assert table.selected_rows() == [0, 1]
    qtbot.keyClick(table, Qt.Key.Key_Delete)
    assert [p.x for p in dock.patches()] == [16]
    assert shapes(dock).nshapes == 1
    qtbot.mouseClick(dock.buttons.clear, Qt.MouseButton.LeftButton)
    assert dock.patches() == []
    assert not dock.buttons.save.isEnabled()


def test_overlaps_of_roles_are_told_and_marked(window):
    _, dock = window
    dock.set_patches([Patch("a", 0, 0, 8), Patch("a", 4, 4, 8, "test"), Patch("a", 16, 16, 8)])
    assert "Patch 1 (train) and patch 2 (test) share 16 pixels of 'a'" in dock.message.text()
    assert column(dock, "#") == ["1 !", "2 !", "3"]
    dock.change([1], role="train")
    assert "share" not in dock.message.text()
    assert "No validation and no test patch yet" in dock.message.text()


def test_suggest_adds_what_the_function_suggests_beside_what_is_drawn(window, qtbot):
    viewer, dock = window
    drawn = Patch("a", 8, 8, 8, "test", "mine")
    dock.set_patches([drawn])
    layer = dock.annotation.cubes()[0]
    dock.cube_table.say(layer, tissue="bone")
    dock.form.suggest_n.setValue(5)
    qtbot.mouseClick(dock.form.suggest, Qt.MouseButton.LeftButton)
    settled(dock, qtbot)
    cubes = dock.cubes()
    expected = suggest_patches(
        cubes, suggest=5, size=8, scale=2, keep=[drawn], tissues={"a": "bone"}
    )
    assert tuple(dock.patches()) == expected.patches.patches
    value = dock.value()
    assert value == expected.patches
    assert len(viewer.layers) == 2


def test_labels_become_patches_with_roles(window, qtbot):
    viewer, dock = window
    labels = np.zeros((24, 32), int)
    labels[0:8, 0:16], labels[16:24, 0:8], labels[8:16, 24:32] = 1, 3, 5
    labels[9:12, 10:12] = 2  # too little of any patch
    layer = viewer.add_labels(labels, scale=(0.5, 0.5), translate=(3.0, -2.0), units=("um", "um"))
    QApplication.processEvents()
    dock.form.role.setCurrentText("validation")
    qtbot.mouseClick(dock.form.from_labels, Qt.MouseButton.LeftButton)
    found = {(p.y, p.x): p.role for p in dock.patches()}
    assert found == {(0, 0): "train", (0, 8): "train", (16, 0): "test", (8, 24): "validation"}
    assert "2 patches in label 1 (train)" in dock.message.text()
    dock.remove(range(4))
    layer.features = {"index": [1, 5], "name": ["test", "skin"]}
    dock.add_from_labels()
    found = {(p.y, p.x): (p.role, p.tissue) for p in dock.patches()}
    assert found[0, 0] == ("test", "")
    assert found[8, 24] == ("validation", "skin")
    # labels that napari makes over a cube have its channels too, and are painted in one of them
    deep = np.zeros((40, 24, 32), int)
    deep[7, 0:8, 16:24] = 1
    viewer.add_labels(
        deep, scale=(1, 0.5, 0.5), translate=(0, 3.0, -2.0), units=("1/cm", "um", "um")
    )
    QApplication.processEvents()
    dock.form.labels.setCurrentIndex(1)
    dock.add_from_labels()
    assert dock.patches()[-1] == Patch("a", 0, 16, 8, "train")


def test_several_cubes_are_laid_side_by_side_and_back(window, qtbot):
    viewer, dock = window
    lower = dock.annotation.cubes()[0]
    upper = add_cube(viewer, make_cube("b", 1))
    QApplication.processEvents()
    placed = {"scale": (0.5, 0.5), "units": ("um", "um"), "metadata": {"shows": upper}}
    early = viewer.add_image(np.ones((24, 32)), translate=(3.0, -2.0), **placed)
    dock.set_patches([Patch("a", 0, 0, 8), Patch("b", 4, 4, 8, "test")])
    assert "share" not in dock.message.text()  # one above the other on the canvas, but other maps
    qtbot.mouseClick(dock.form.spread, Qt.MouseButton.LeftButton)
    assert upper.translate[2] > lower.translate[2] + 16
    np.testing.assert_allclose(early.translate, upper.translate[1:])
    late = viewer.add_image(np.ones((24, 32)), translate=upper.translate[1:], **placed)
    second = dock.patches()[1]
    np.testing.assert_allclose(shapes(dock).data[1], outline(box_of(dock, second)))
    assert dock.value().cubes[1].sha256 == PatchCube.of(make_cube("b", 1)).sha256
    place = dock.annotation.grounds()["b"].box((16, 16), 8)
    shapes(dock).add(outline(place))
    QApplication.processEvents()
    assert dock.patches()[-1] == Patch("b", 16, 16, 8)
    qtbot.mouseClick(dock.form.spread, Qt.MouseButton.LeftButton)
    np.testing.assert_allclose(upper.translate, (600, 3.0, -2.0))
    for made_from_it in (early, late):
        np.testing.assert_allclose(made_from_it.translate, (3.0, -2.0))
    assert dock.patches()[-1] == Patch("b", 16, 16, 8)
    # one above the other again: the cube made active last is meant
    viewer.layers.selection.active = lower
    shapes(dock).add(outline(dock.annotation.grounds()["a"].box((8, 0), 8)))
    QApplication.processEvents()
    assert dock.patches()[-1] == Patch("a", 8, 0, 8)


def test_cubes_that_are_renamed_or_closed_take_their_patches_along(window, qtbot):
    viewer, dock = window
    other = add_cube(viewer, make_cube("b", 1))
    QApplication.processEvents()
    dock.set_patches([Patch("a", 0, 0, 8), Patch("b", 4, 4, 8, "test")])
    other.name = "cartilage"
    QApplication.processEvents()
    assert dock.patches()[1].cube == "cartilage"
    assert column(dock, "Cube") == ["a", "cartilage"]
    viewer.layers.remove(other)
    QApplication.processEvents()
    assert [p.cube for p in dock.patches()] == ["a"]
    assert "went with 'cartilage'" in dock.message.text()
    viewer.layers.remove(shapes(dock))
    QApplication.processEvents()
    assert dock.patches() == []
    dock.set_patches([Patch("a", 0, 0, 8)])
    assert shapes(dock).nshapes == 1
    viewer.layers.clear()
    QApplication.processEvents()
    assert "Open a Raman cube" in dock.message.text()
    assert not dock.form.draw.isEnabled()


def test_results_are_not_ticked_and_a_tick_decides_where_patches_are_made(window, qtbot):
    viewer, dock = window
    add_cube(viewer, denoise(make_cube("a"), method="savgol"))
    QApplication.processEvents()
    assert [layer.name for layer in dock.cube_table.ticked()] == ["a"]
    dock.form.suggest_n.setValue(3)
    dock.suggest()
    settled(dock, qtbot)
    assert {p.cube for p in dock.patches()} == {"a"}
    dock.cube_table.item(0, 0).setCheckState(Qt.CheckState.Unchecked)
    assert not dock.form.suggest.isEnabled()


def test_save_and_load_give_the_same_patches_in_another_window(
    window, make_napari_viewer, qtbot, tmp_path
):
    viewer, dock = window
    filed = write(make_cube("b", 1), tmp_path / "b.npz")
    viewer.open(filed, plugin="napari-deeper")
    QApplication.processEvents()
    patches = [Patch("a", 0, 0, 8, "train", "bone"), Patch("b", 4, 4, 8, "test")]
    dock.set_patches(patches)
    assert dock.without_file() == ["a"]
    dock.save(tmp_path / "set.json")
    settled(dock, qtbot)
    assert "Wrote the cube 'a' to" in dock.message.text()
    assert dock.without_file() == []
    written = read_patches(tmp_path / "set.json")
    assert written == dock.value()
    assert written.cube("b").path == filed
    assert read_cubes(written).keys() == {"a", "b"}
    other = make_napari_viewer()
    _, again = other.window.add_plugin_dock_widget("napari-deeper", "Annotate")
    again.load(tmp_path / "set.json")
    settled(again, qtbot)
    assert again.patches() == patches
    assert [layer.name for layer in again.annotation.cubes()] == ["a", "b"]
    assert again.form.value().size == 8
    again.load(tmp_path / "set.json")  # the cubes are shown: none is opened again
    settled(again, qtbot)
    assert len(again.annotation.cubes()) == 2
    assert again.patches() == patches


def test_a_changed_cube_is_named_on_load_and_its_patches_left_out(window, qtbot, tmp_path):
    viewer, dock = window
    cube, lost = make_cube("b", 1), make_cube("c", 2)
    paths = [write(c, tmp_path / f"{c.name}.npz") for c in (cube, lost)]
    known = [PatchCube.of(c, path=p) for c, p in zip((cube, lost), paths, strict=True)]
    made = PatchSet(tuple(known), (Patch("b", 0, 0, 8), Patch("c", 0, 0, 8)), 8, 2)
    write_patches(made, tmp_path / "set.json")
    write(dataclasses.replace(lost, intensity=lost.intensity + 1), paths[1], overwrite=True)
    dock.load(tmp_path / "set.json")
    settled(dock, qtbot)
    assert dock.patches() == [Patch("b", 0, 0, 8)]
    assert "'c' of the patches has changed" in dock.message.text()
    assert len(viewer.layers) == 3  # the changed cube was not opened
    dock.load(tmp_path / "absent.json")
    settled(dock, qtbot)
    assert "does not exist" in dock.message.text()
    assert dock.patches() == [Patch("b", 0, 0, 8)]


def test_saving_asks_before_it_writes_cubes(window, qtbot, tmp_path, monkeypatch):
    _, dock = window
    dock.set_patches([Patch("a", 0, 0, 8)])
    asked = []

    def answer(with_what):
        def question(_parent, _title, text):
            asked.append(text)
            return with_what

        monkeypatch.setattr(annotate_files.QMessageBox, "question", question)

    monkeypatch.setattr(
        annotate_files.QFileDialog,
        "getSaveFileName",
        lambda *_: (str(tmp_path / "set.json"), ""),
    )
    answer(QMessageBox.StandardButton.No)
    qtbot.mouseClick(dock.buttons.save, Qt.MouseButton.LeftButton)
    assert "No file is known of 'a'" in asked[0]
    assert list(tmp_path.glob("set.json*")) == []
    answer(QMessageBox.StandardButton.Yes)
    qtbot.mouseClick(dock.buttons.save, Qt.MouseButton.LeftButton)
    settled(dock, qtbot)
    assert (tmp_path / "set.json").is_file()


def test_another_scale_moves_the_patches_to_its_grid(window):
    _, dock = window
    dock.set_patches([Patch("a", 2, 10, 8), Patch("a", 12, 20, 8, "test")])
    dock.form.set_scale(3)
    assert dock.patches() == [Patch("a", 0, 9, 6), Patch("a", 12, 18, 6, "test")]
    assert dock.value().scale == 3
    assert dock.form.value().size == 6
    dock.form.set_scale(1)
    assert dock.patches()[0] == Patch("a", 0, 9, 6)


def test_patches_outlive_the_dock_and_nothing_listens_any_more(window, qtbot):
    viewer, dock = window
    dock.set_patches([Patch("a", 0, 0, 8), Patch("a", 8, 8, 8, "test", "bone")])
    patches = dock.patches()
    viewer.window.remove_dock_widget(dock)
    layer = viewer.layers[-1]
    layer.add(outline(((4, 0), (8, 4))))  # nobody makes a patch of it
    QApplication.processEvents()
    assert layer.nshapes == 3
    layer.selected_data = {2}
    layer.remove_selected()
    _, again = viewer.window.add_plugin_dock_widget("napari-deeper", "Annotate")
    QApplication.processEvents()
    assert again.patches() == patches
    assert again.form.value().size == 8  # remembered


def test_the_canvas_goes_to_a_patch(window, qtbot):
    viewer, dock = window
    dock.set_patches([Patch("a", 0, 0, 8), Patch("a", 16, 24, 8)])
    dock.table.selectRow(1)
    qtbot.mouseClick(dock.buttons.go_to, Qt.MouseButton.LeftButton)
    (y0, x0), (y1, x1) = box_of(dock, dock.patches()[1])
    np.testing.assert_allclose(viewer.scene.camera.center[1:], ((y0 + y1) / 2, (x0 + x1) / 2))
    assert set(shapes(dock).selected_data) == {1}
