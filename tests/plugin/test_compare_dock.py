"""The Compare dock, driven by real clicks in a real viewer."""

from __future__ import annotations

import dataclasses
import threading

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QApplication

import napari_deeper as nd
from napari_deeper.plugin.difference_maps import difference_layers
from napari_deeper.plugin.layers import ENDMEMBERS, add_cube
from napari_deeper.plugin.widgets.compare import CompareWidget
from napari_deeper.plugin.widgets.compare_form import AS_SHOWN
from napari_deeper.plugin.widgets.compare_results import COMPONENTS, LAYERS, REGIONS, TESTS


def named(cube, name, values=None):
    intensity = cube.intensity if values is None else values
    return dataclasses.replace(cube, intensity=intensity, metadata={"name": name})


def noisy(cube, seed=1, sigma=9):
    return cube.intensity + np.random.default_rng(seed).normal(0, sigma, cube.shape)


@pytest.fixture
def window(make_napari_viewer, small_cube):
    viewer = make_napari_viewer()
    _, dock = viewer.window.add_plugin_dock_widget("napari-deeper", "Compare")
    assert isinstance(dock, CompareWidget)
    dock.form.params.set_field("n_endmembers", 3)
    add_cube(viewer, small_cube)
    short = named(small_cube, "noisy", noisy(small_cube))
    add_cube(viewer, short)
    add_cube(viewer, named(nd.denoise(short, method="savgol"), "smooth"))
    dock.refresh()
    return viewer, dock


def run(dock, qtbot):
    qtbot.mouseClick(dock.foot.run_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not dock.running, timeout=60_000)


def click(button, qtbot):
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def headings(table):
    return [
        table.horizontalHeaderItem(c).text().replace("\n", " ") for c in range(table.columnCount())
    ]


def rectangles(viewer, n=3):
    """Draw n rectangles of 1.5 x 1.5 um onto the small cube (y 3 to 7, x -2 to 1)."""
    corners = [
        np.array([(y, x), (y, x + 1.4), (y + 1.2, x + 1.4), (y + 1.2, x)])
        for y, x in [(2.8 + 1.4 * (i // 2), -2.2 + 1.6 * (i % 2)) for i in range(n)]
    ]
    return viewer.add_shapes(corners, shape_type="rectangle", name="ROIs", units=("um", "um"))


def test_it_says_what_is_missing(make_napari_viewer, small_cube, qtbot):
    viewer = make_napari_viewer()
    _, dock = viewer.window.add_plugin_dock_widget("napari-deeper", "Compare")
    assert "Open two Raman cubes" in dock.page.fit.text()
    assert not dock.foot.run_button.isEnabled()
    add_cube(viewer, small_cube)
    qtbot.waitUntil(lambda: "Check at least one layer" in dock.page.fit.text())
    assert not dock.foot.run_button.isEnabled()
    for button in (dock.page.save, dock.page.copy, dock.page.differences, dock.page.side_by_side):
        assert not button.isEnabled()


def test_run_fills_the_tables_with_what_the_engine_finds(window, small_cube, qtbot):
    viewer, dock = window
    assert dock.form.target() is viewer.layers["small"]
    run(dock, qtbot)
    assert dock.failure == ""
    cubes = {n: nd.RamanCube(np.moveaxis(viewer.layers[n].data, 0, 2), small_cube.wavenumber,
                             (0.5, 0.5), origin=(3.0, -2.0)) for n in ("noisy", "smooth")}  # fmt: skip
    expected = nd.compare(cubes, small_cube, n_endmembers=3)
    table = dock.results.layers
    column = headings(table).index("MSE")
    shown = {table.item(r, 0).text(): float(table.item(r, column).plain()) for r in range(2)}
    assert shown == pytest.approx({s.candidate: s.mse for s in expected.scores}, rel=1e-4)
    assert "★" in table.item(0, column).text()  # sorted by it
    assert "★" not in table.item(1, column).text()
    parts = dock.results.components
    assert parts.rowCount() == 6
    assert {parts.item(r, 1).text() for r in range(6)} == set(expected.endmembers.names)
    stars = [r for r in range(6) if "★" in parts.item(r, 2).text()]
    assert len(stars) == 3  # one for each component
    assert "Closest by MSE" in dock.foot.message.text()
    assert "own noise is estimated" in dock.results.notes.toPlainText()
    assert len(viewer.layers) == 3  # nothing was added


def test_tables_are_copied_with_all_digits_and_the_report_saved(window, qtbot, tmp_path):
    _, dock = window
    run(dock, qtbot)
    click(dock.page.copy, qtbot)
    lines = QGuiApplication.clipboard().text().splitlines()
    assert lines[0].startswith("Layer\tMSE\tPSNR (dB)\tSSIM")
    assert len(lines) == 3
    value = float(lines[1].split("\t")[1])
    assert value == pytest.approx(dock.found.row(lines[1].split("\t")[0]).mse, rel=1e-5)
    dock.results.setCurrentIndex([COMPONENTS, LAYERS].index(COMPONENTS) + 1)
    click(dock.page.copy, qtbot)
    assert len(QGuiApplication.clipboard().text().splitlines()) == 7
    dock.save_report(tmp_path / "report")
    qtbot.waitUntil(lambda: "Saved" in dock.foot.message.text(), timeout=30_000)
    assert (tmp_path / "report" / "report.md").read_text().startswith("# Comparison with small")
    dock.save_report(tmp_path / "absent" / "report")
    qtbot.waitUntil(lambda: "does not exist" in dock.foot.message.text(), timeout=30_000)


def test_the_name_stays_in_sight_and_sorts(window, qtbot):
    _, dock = window
    run(dock, qtbot)
    table = dock.results.layers
    frozen = table._frozen
    assert frozen.isVisibleTo(table)
    assert frozen.width() == table.columnWidth(0)
    bar = table.horizontalScrollBar()
    bar.setValue(bar.maximum())
    point = frozen.visualRect(frozen.model().index(0, 0)).center()
    assert frozen.indexAt(point).data() == table.item(0, 0).text()
    header = frozen.horizontalHeader()
    for rising in (True, False):
        qtbot.mouseClick(
            header.viewport(), Qt.MouseButton.LeftButton, pos=header.viewport().rect().center()
        )
        names = [table.item(r, 0).text() for r in range(2)]
        assert names == sorted(names, reverse=not rising)


def test_unchecked_layers_are_left_out_and_stay_so(window, qtbot, small_cube):
    viewer, dock = window
    item = dock.form.list.item(0)
    assert item.text() == "noisy"
    item.setCheckState(Qt.CheckState.Unchecked)
    add_cube(viewer, named(small_cube, "late", noisy(small_cube, 2)))
    qtbot.waitUntil(lambda: dock.form.list.count() == 3)
    assert [layer.name for layer in dock.form.candidates()] == ["smooth", "late"]
    run(dock, qtbot)
    assert [s.candidate for s in dock.found.scores] == ["smooth", "late"]


def test_without_a_target_layers_are_described(window, qtbot):
    _, dock = window
    dock.form.choose_target(None)
    dock.refresh()
    assert "no error can be stated" in dock.page.fit.text()
    run(dock, qtbot)
    assert dock.failure == ""
    assert "MSE" not in headings(dock.results.layers)
    assert {"Noise", "SNR"} <= set(headings(dock.results.layers))
    assert dock.results.layers.rowCount() == 3
    assert not dock.page.differences.isEnabled()


def test_differences_become_layers_with_shared_limits(window, qtbot):
    viewer, dock = window
    run(dock, qtbot)
    active = viewer.layers.selection.active
    click(dock.page.differences, qtbot)
    qtbot.waitUntil(lambda: not dock.busy, timeout=30_000)
    maps = difference_layers(viewer)
    assert [m.name for m in maps] == ["Δ noisy", "Δ smooth"]
    np.testing.assert_array_equal(maps[0].data, dock.found.differences[0].difference)
    low, high = maps[0].contrast_limits
    assert low == -high
    assert all(m.contrast_limits == [low, high] for m in maps)
    middle = maps[0].colormap.map(np.array([0.5]))[0, :3]
    assert np.ptp(middle) < 0.02  # zero has no hue
    assert viewer.layers.selection.active is active
    assert tuple(maps[0].translate) == (3.0, -2.0)
    dock.page.difference_of.setCurrentIndex(dock.page.difference_of.count() - 2)  # 1450 cm-1
    click(dock.page.differences, qtbot)
    qtbot.waitUntil(lambda: not dock.busy, timeout=30_000)
    assert difference_layers(viewer) == maps  # brought up to date, not added
    assert maps[0].name == "Δ noisy, 1440-1460 cm-1"
    taken = slice(*np.searchsorted(dock.found.wavenumber, (1440, 1460)))
    expected = (viewer.layers["noisy"].data - viewer.layers["small"].data)[taken].mean(axis=0)
    np.testing.assert_allclose(maps[0].data, expected, atol=1e-3)


def test_regions_are_drawn_scored_and_tested(window, qtbot):
    viewer, dock = window
    shapes = rectangles(viewer)
    qtbot.waitUntil(lambda: dock.form.region_box.count() == 2)
    dock.form.choose_regions(shapes)
    run(dock, qtbot)
    assert dock.failure == ""
    dock.results.setCurrentIndex(2)
    assert dock.results.tabText(2) == REGIONS
    curves = dock.results.curves()
    assert [c.name.split(" (")[0] for c in curves] == ["small", "noisy", "smooth"]
    np.testing.assert_allclose(curves[0].uncertainty, dock.found.spectra[0].sd)
    assert len(dock.results.plot.shaded()) == 3
    dock.results.region_box.setCurrentText("all regions")
    assert len(dock.results.plot.legend_names()) == 9
    table = dock.results.tests
    assert table.rowCount() == len(dock.found.tests) > 0
    assert {table.item(r, headings(table).index("n")).text() for r in range(table.rowCount())} == {
        "3"
    }
    dock.form.params.set_field("within", "regions")
    run(dock, qtbot)
    assert dock.found.scores[0].n_pixels == sum(s.n_pixels for s in dock.found.spectra[::3])
    dock.form.choose_regions(None)
    run(dock, qtbot)
    assert dock.found.scores[0].n_pixels == 63
    dock.form.choose_regions(shapes)
    shapes.data = [shapes.data[0] + 100]
    run(dock, qtbot)
    assert "lies outside" in dock.failure


def test_labels_painted_on_one_channel_are_regions_too(window, qtbot):
    viewer, dock = window
    painted = np.zeros((120, 9, 7), np.uint8)
    painted[40, 2:5, 1:4] = 3
    source = viewer.layers["small"]
    labels = viewer.add_labels(painted, scale=source.scale, translate=source.translate)
    dock.form.choose_regions(labels)
    run(dock, qtbot)
    assert {(s.region, s.n_pixels) for s in dock.found.spectra} == {("label 3", 9)}
    labels.features = {"index": [0, 3], "component": ["none", "lipid"]}
    run(dock, qtbot)
    assert {s.region for s in dock.found.spectra} == {"lipid"}
    labels.data = np.zeros_like(painted)
    run(dock, qtbot)
    assert "every pixel is 0" in dock.failure
    assert dock.found is not None  # the last table stays


def test_kept_comparisons_are_tested_as_samples(window, small_cube, qtbot):
    viewer, dock = window
    dock.form.params.set_field("n_endmembers", 0)
    dock.results.setCurrentIndex(3)
    assert dock.results.tabText(3) == TESTS
    for seed in (1, 2, 3):
        values = noisy(small_cube, seed)
        viewer.layers["noisy"].data = np.moveaxis(values, 2, 0)
        smooth = nd.denoise(named(small_cube, "x", values), method="savgol")
        viewer.layers["smooth"].data = np.moveaxis(smooth.intensity, 2, 0)
        run(dock, qtbot)
        click(dock.results.keep_button, qtbot)
        click(dock.results.keep_button, qtbot)
        assert "kept already" in dock.foot.message.text()
    table = dock.results.tests
    assert table.rowCount() > 0
    assert {table.item(r, headings(table).index("n")).text() for r in range(table.rowCount())} == {
        "3"
    }
    assert "3 comparisons kept" in dock.results.series.text()
    click(dock.results.forget_button, qtbot)
    assert dock.results.tests.rowCount() == 0


def test_the_endmembers_shown_are_taken(window, qtbot, small_cube):
    viewer, dock = window
    dock.form.source_box.setCurrentText(AS_SHOWN)
    run(dock, qtbot)
    assert "No component maps are shown" in dock.failure
    spectra = np.exp(-(((small_cube.wavenumber - np.array([[1004], [1450]])) / 14) ** 2))
    given = nd.Endmembers(spectra, small_cube.wavenumber, names=("ring", "lipid"))
    viewer.add_image(np.ones((9, 7)), metadata={ENDMEMBERS: given})
    run(dock, qtbot)
    assert dock.failure == ""
    assert {c.component for c in dock.found.components} == {"ring", "lipid"}


def test_a_target_elsewhere_is_told_in_words(window, small_cube, qtbot):
    viewer, dock = window
    away = dataclasses.replace(small_cube, origin=(500, 500), metadata={"name": "away"})
    add_cube(viewer, away)
    dock.refresh()
    run(dock, qtbot)
    assert "'away' does not overlap" in dock.failure
    assert dock.failure in dock.foot.message.text()
    assert dock.foot.run_button.isEnabled()


def test_cancel_closing_and_a_layer_removed_meanwhile(window, small_cube, qtbot):
    viewer, dock = window
    click(dock.foot.run_button, qtbot)
    viewer.layers.remove("smooth")
    qtbot.waitUntil(lambda: not dock.running, timeout=60_000)
    assert [s.candidate for s in dock.found.scores] == ["noisy", "smooth"]
    click(dock.page.differences, qtbot)
    qtbot.waitUntil(lambda: not dock.busy, timeout=30_000)
    assert [m.name for m in difference_layers(viewer)] == ["Δ noisy", "Δ smooth"]
    big = named(small_cube, "big", np.tile(noisy(small_cube), (12, 12, 1)))
    add_cube(viewer, big)
    add_cube(viewer, named(big, "other", noisy(big)))
    dock.form.choose_target(viewer.layers["big"])
    dock.refresh()
    click(dock.foot.run_button, qtbot)
    click(dock.foot.cancel_button, qtbot)
    qtbot.waitUntil(lambda: not dock.running, timeout=60_000)
    assert "Cancelled" in dock.foot.message.text()
    click(dock.foot.run_button, qtbot)
    viewer.window.remove_dock_widget(dock)
    assert not [t for t in threading.enumerate() if t.name == "napari-deeper"]


def test_settings_are_remembered(window, qtbot):
    viewer, dock = window
    dock.form.params.set_field("match_scale", True)
    dock.form.params.set_field("control", "noisy")
    run(dock, qtbot)
    viewer.window.remove_dock_widget(dock)
    QApplication.processEvents()
    _, again = viewer.window.add_plugin_dock_widget("napari-deeper", "Compare")
    params = again.form.params.value()
    assert (params.n_endmembers, params.match_scale, params.control) == (3, True, "")


def test_side_by_side_shows_what_is_asked_for_and_goes_back(window, qtbot):
    viewer, dock = window
    before = [(layer.name, layer.visible) for layer in viewer.layers]
    click(dock.page.side_by_side, qtbot)
    shown = [layer.name for layer in viewer.layers if layer.visible]
    assert shown == [
        "small",
        "cursor · small",
        "noisy",
        "cursor · noisy",
        "smooth",
        "cursor · smooth",
    ]
    dock.page.cells.setCurrentText("heatmaps")  # there are none
    assert not dock.page.side_by_side.isChecked()
    assert "make their maps first" in dock.foot.message.text()
    assert [(layer.name, layer.visible) for layer in viewer.layers] == before
    run(dock, qtbot)
    click(dock.page.differences, qtbot)
    qtbot.waitUntil(lambda: not dock.busy, timeout=30_000)
    dock.page.cells.setCurrentText("differences")
    click(dock.page.side_by_side, qtbot)
    shown = [layer.name for layer in viewer.layers if layer.visible]
    assert shown == ["Δ noisy", "cursor · Δ noisy", "Δ smooth", "cursor · Δ smooth"]
    viewer.canvas.grid.enabled = False  # by napari's own button
    assert not dock.page.side_by_side.isChecked()
    click(dock.page.side_by_side, qtbot)
    viewer.window.remove_dock_widget(dock)
    QApplication.processEvents()
    assert not viewer.canvas.grid.enabled
    assert [layer.name for layer in viewer.layers][:3] == ["small", "noisy", "smooth"]
