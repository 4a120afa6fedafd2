"""The Figure dock in a real viewer: what is on screen is what is in the figure."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QFileDialog, QMessageBox

import napari_deeper as nd
from napari_deeper.engine.heatmap import spec_of
from napari_deeper.plugin.canvas import follow
from napari_deeper.plugin.figure_scene import ScreenParams, collect, to_figure
from napari_deeper.plugin.layers import COMPONENT, ENDMEMBERS, SOURCE, add_cube
from napari_deeper.plugin.widgets.figure import FigureWidget
from napari_deeper.plugin.widgets.heatmap import KEY as HEATMAP
from napari_deeper.plugin.widgets.heatmap import Heatmaps
from napari_deeper.plugin.widgets.markers import Markers


def timed(cube, name, seconds):
    metadata = {"name": name, "dwell_time_s": seconds, "intensity_unit": "counts"}
    return dataclasses.replace(cube, metadata=metadata)


@pytest.fixture
def viewer(make_napari_viewer, small_cube):
    viewer = make_napari_viewer()
    follow(viewer)  # as every dock does: the slider starts at 1450 cm-1
    add_cube(viewer, timed(small_cube, "fast", 0.1))
    add_cube(viewer, timed(small_cube, "slow", 1.0))
    return viewer


@pytest.fixture
def window(viewer, qtbot):
    viewer.window._qt_window.show()
    _, dock = viewer.window.add_plugin_dock_widget("napari-deeper", "Figure")
    assert isinstance(dock, FigureWidget)
    drawn(dock, qtbot)
    return viewer, dock


def drawn(dock, qtbot):
    dock.refresh()
    qtbot.waitUntil(lambda: not dock.drawing, timeout=20_000)


def names(scene):
    return [(p.panel.title, p.panel.column, p.wanted) for p in scene.panels]


# ---- what is collected ------------------------------------------------------------------------------------------


def test_cubes_are_shown_at_the_wavenumber_of_the_slider(viewer):
    fast = viewer.layers["fast"]
    viewer.dims.set_point(0, float(fast.translate[0]))  # the first channel
    panel = collect(viewer).panels[0].panel
    np.testing.assert_array_equal(panel.image, fast.data[0])
    assert panel.column == "600 cm⁻¹"
    assert panel.quantity == "Intensity (counts)"
    assert (panel.spacing, panel.origin, panel.unit) == ((0.5, 0.5), (3.0, -2.0), "um")
    assert panel.imaging == "00:06 (10×)"


def test_a_heatmap_takes_the_place_of_its_cube_and_hidden_layers_are_left_out(viewer):
    fast, slow = viewer.layers
    Heatmaps(viewer).update([fast, slow], spec_of(nd.HeatmapParams(band="1440-1460")))
    slow.visible = False
    assert names(collect(viewer)) == [
        ("fast", "1449 cm⁻¹", False), ("fast", "1440–1460 cm⁻¹", True),
        ("slow", "1440–1460 cm⁻¹", True),
    ]  # fmt: skip
    panels = [p.panel for p in collect(viewer).panels[1:]]
    assert [p.imaging for p in panels] == ["00:06 (10×)", "01:03"]
    assert panels[0].colormap == "inferno"


def test_a_heatmap_is_named_by_what_it_measures(viewer):
    fast = viewer.layers["fast"]
    spec = spec_of(nd.HeatmapParams(band="1440-1460", measure="position"))
    Heatmaps(viewer).update([fast], spec)
    layer = next(la for la in viewer.layers if la.metadata.get(HEATMAP) is fast)
    panel = next(p.panel for p in collect(viewer).panels if p.name == layer.name)
    assert panel.column == "peak position in 1440–1460 cm⁻¹"
    assert panel.quantity == "Peak position (cm⁻¹)"
    assert panel.contrast == ""  # a position does not grow with the dwell time


def test_components_composites_and_classes_are_known_by_their_cube(viewer):
    fast = viewer.layers["fast"]
    found = nd.unmix(nd_cube(fast), n_endmembers=2)
    meta = {SOURCE: fast, ENDMEMBERS: found.endmembers}
    viewer.add_image(
        found.abundances[..., 1], name="abundance", metadata={**meta, COMPONENT: 1}, colormap="cyan"
    )
    colors = np.zeros((9, 7, 4), np.uint8)
    colors[..., 0], colors[..., 3] = 255, 255
    colors[0, 0, 3] = 0
    viewer.add_image(colors, rgb=True, name="mix", metadata={**meta, "shows": "composite"})
    viewer.add_labels(
        np.ones((9, 7), int), name="classes", metadata={**meta, "shows": "classes"},
        colormap={None: "transparent", 1: "red"},
    )  # fmt: skip
    shown = {p.panel.column: p.panel for p in collect(viewer).panels if p.wanted}
    name = found.endmembers.names[1]
    assert {name, "Components", "Classes"} <= set(shown)
    np.testing.assert_array_equal(shown[name].image, found.abundances[..., 1])
    assert shown[name].colormap[-1][:3] == pytest.approx((0, 1, 1))
    mix = shown["Components"]
    assert np.isnan(mix.image[0, 0]).all()
    assert mix.image[1, 1] == pytest.approx((1, 0, 0))
    assert [n for n, _ in mix.colors] == list(found.endmembers.names)
    assert shown["Classes"].image[3, 3] == pytest.approx((1, 0, 0))
    assert {p.title for p in shown.values()} == {"fast", "slow"}


def nd_cube(layer):
    from napari_deeper.plugin.layers import cube_from_layer

    return cube_from_layer(layer)


def test_marked_pixels_give_arrows_and_spectra_of_the_visible_cubes(viewer):
    fast, slow = viewer.layers
    markers = Markers(viewer)
    markers.pin((3.5, -1.0), add=False)
    markers.pin((5.0, 0.0), add=True)
    scene = collect(viewer)
    assert [(m.y, m.x, m.label) for m in scene.marks] == [(3.5, -1.0, "1"), (5.0, 0.0, "2")]
    assert [(r.curve.mark, r.curve.name) for r in scene.reads] == [
        ("1", "fast"), ("1", "slow"), ("2", "fast"), ("2", "slow")
    ]  # fmt: skip
    np.testing.assert_array_equal(scene.reads[0].curve.intensity, fast.data[:, 1, 2])
    figure = to_figure(scene, [0, 1], ScreenParams())
    assert figure.spectra.unit == "counts/s"
    slow.visible = False
    assert {r.curve.name for r in collect(viewer).reads} == {"fast"}
    viewer.layers[-1].visible = False  # the points
    assert collect(viewer).marks == ()


def test_maps_of_one_quantity_get_one_contrast(viewer, small_cube):
    add_cube(viewer, timed(small_cube, "also fast", 0.1))
    viewer.layers["fast"].contrast_limits = (0, 50)
    viewer.layers["also fast"].contrast_limits = (10, 90)
    scene = collect(viewer)
    maps = to_figure(scene, [0, 1, 2], ScreenParams()).maps
    limits = {m.title: m.limits for m in maps}
    assert limits["fast"] == limits["also fast"] == (0, 90)
    assert limits["slow"] != (0, 90)
    apart = to_figure(scene, [0, 1, 2], ScreenParams(same_contrast=False)).maps
    assert {m.title: m.limits for m in apart}["fast"] == (0, 50)
    assert {m.colormap for m in to_figure(scene, [0, 1], ScreenParams(colormap="gray")).maps} == {
        "gray"
    }


def test_other_layers_are_shown_by_their_name_or_said_to_be_left_out(viewer):
    viewer.add_image(np.ones((4, 4)), name="flat")
    viewer.add_image(np.ones((3, 4, 4)), name="stack")
    viewer.add_shapes(name="regions")
    scene = collect(viewer)
    flat = next(p.panel for p in scene.panels if p.name == "flat")
    assert (flat.title, flat.unit, flat.imaging) == ("flat", "pixel", "")
    assert len(scene.left_out) == 1
    assert "'stack'" in scene.left_out[0]


def test_the_last_table_of_compare_becomes_bars(viewer, small_cube):
    noisy = dataclasses.replace(small_cube, intensity=small_cube.intensity + 1)
    table = nd.compare({"noisy": noisy}, small_cube, n_endmembers=0)
    assert collect(viewer).tables == ()

    from qtpy.QtWidgets import QWidget

    dock = QWidget()
    dock.found = table
    viewer.window.add_dock_widget(dock, name="Compare")
    scene = collect(viewer)
    assert [name for name, _ in scene.tables] == ["Compare"]
    bars = to_figure(scene, [0], ScreenParams()).metrics
    assert bars[0].bars[0].value == table.scores[0].mse
    assert to_figure(scene, [0], ScreenParams(measures=False)).metrics == ()


# ---- the dock ---------------------------------------------------------------------------------------------------


def test_an_empty_window_says_what_to_do(make_napari_viewer, qtbot):
    viewer = make_napari_viewer()
    viewer.window._qt_window.show()
    _, dock = viewer.window.add_plugin_dock_widget("napari-deeper", "Figure")
    drawn(dock, qtbot)
    assert "nothing to draw" in dock.page.preview.text()
    assert not dock.page.save.isEnabled()


def test_the_preview_follows_the_layers_and_the_choices(window, qtbot):
    viewer, dock = window
    panels = dock.page.panels
    assert [panels.item(i).text() for i in range(2)] == ["fast: 1449 cm⁻¹", "slow: 1449 cm⁻¹"]
    before = dock.page.preview.image
    assert before is not None
    assert dock.page.save.isEnabled()
    panels.item(0).setCheckState(Qt.CheckState.Unchecked)
    qtbot.waitUntil(lambda: dock.drawing, timeout=2000)
    qtbot.waitUntil(lambda: not dock.drawing, timeout=20_000)
    assert [m.title for m in dock.figure().maps] == ["slow"]
    assert dock.page.preview.image is not before
    viewer.layers["slow"].visible = False
    drawn(dock, qtbot)
    assert [m.title for m in (dock.figure().maps if dock.figure() else ())] == []
    viewer.layers["slow"].visible = True
    drawn(dock, qtbot)
    # what was unchecked stays so
    assert [m.title for m in dock.figure().maps] == ["slow"]


def test_panels_change_places_by_the_keyboard(window, qtbot):
    _, dock = window
    panels = dock.page.panels
    panels.setCurrentRow(1)
    qtbot.keyClick(panels, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    drawn(dock, qtbot)
    assert [m.title for m in dock.figure().maps] == ["slow", "fast"]
    assert panels.currentRow() == 0


def test_the_figure_is_saved_with_its_numbers(window, qtbot, tmp_path, monkeypatch):
    _, dock = window
    dock.page.boxes["pdf"].setChecked(True)
    monkeypatch.setattr(
        QFileDialog, "getSaveFileName", lambda *_, **__: (str(tmp_path / "mine"), "")
    )
    qtbot.mouseClick(dock.page.save, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not dock.saving, timeout=20_000)
    assert sorted(p.name for p in tmp_path.iterdir() if p.stem.startswith("mine")) == [
        "mine.pdf", "mine.svg", "mine_data"
    ]  # fmt: skip
    assert "Saved mine.svg" in dock.page.message.text()
    expected = tmp_path / "again.svg"
    nd.write_figure(dock.figure(), expected, dock.page.params(), data=False)
    assert expected.read_bytes() == (tmp_path / "mine.svg").read_bytes()


@pytest.mark.parametrize("answer", ["Yes", "No"])
def test_existing_files_are_replaced_only_when_asked(window, qtbot, tmp_path, monkeypatch, answer):
    _, dock = window
    (tmp_path / "a.svg").write_text("mine")
    asked = []

    def ask(*arguments):
        asked.append(arguments[2])
        return getattr(QMessageBox.StandardButton, answer)

    monkeypatch.setattr(QMessageBox, "question", ask)
    dock.save_figure(tmp_path / "a.svg")
    qtbot.waitUntil(lambda: not dock.saving, timeout=20_000)
    assert "a.svg" in asked[0]
    assert ((tmp_path / "a.svg").read_text(encoding="utf-8") == "mine") == (answer == "No")


def test_a_folder_that_is_not_there_is_said(window, qtbot, tmp_path):
    _, dock = window
    dock.save_figure(tmp_path / "none" / "a.svg")
    assert "does not exist" in dock.page.message.text()
    for box in dock.page.boxes.values():
        box.setChecked(False)
    qtbot.mouseClick(dock.page.save, Qt.MouseButton.LeftButton)
    assert "at least one format" in dock.page.message.text()


def test_options_are_remembered_once_used(window, qtbot, tmp_path, make_napari_viewer):
    _, dock = window
    dock.page.form.set_field("width", "single")
    dock.page.boxes["png"].setChecked(True)
    dock.save_figure(tmp_path / "a.svg")
    qtbot.waitUntil(lambda: not dock.saving, timeout=20_000)
    other = FigureWidget(make_napari_viewer())
    assert other.page.params().width == "single"
    assert other.page.formats() == ["svg", "png"]
    other.close()


def test_the_preview_is_copied_and_shown_large(window, qtbot):
    _, dock = window
    qtbot.mouseClick(dock.page.copy, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().image().width() == dock.page.preview.image.width()
    qtbot.mouseClick(dock.page.preview, Qt.MouseButton.LeftButton)
    assert dock.page.large.image is dock.page.preview.image


def test_a_closed_dock_lets_go_of_the_viewer(window, qtbot):
    viewer, dock = window
    dock.close()
    viewer.layers["fast"].visible = False
    viewer.layers["fast"].contrast_limits = (0, 1)
    viewer.add_image(np.ones((3, 3)))
    assert not dock._timer.isActive()
