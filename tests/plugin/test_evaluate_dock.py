"""The Evaluate dock, driven by real clicks in a real viewer."""

from __future__ import annotations

import csv
import dataclasses
import threading

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QApplication

from napari_deeper import EvaluateParams, RamanCube, denoise, evaluate
from napari_deeper.engine.scores import MethodSummary
from napari_deeper.plugin.layers import add_cube
from napari_deeper.plugin.widgets.evaluate import EvaluateWidget
from napari_deeper.plugin.widgets.evaluate_form import ADD_NOISE, BOTH, LEAVE_OUT, PAIR
from napari_deeper.plugin.widgets.result_table import ResultTable
from napari_deeper.plugin.widgets.wording import describe_test


@pytest.fixture
def window(make_napari_viewer):
    viewer = make_napari_viewer()
    _, dock = viewer.window.add_plugin_dock_widget("napari-deeper", "Evaluate")
    assert isinstance(dock, EvaluateWidget)
    dock.form.params.set_field("methods", "low-rank")
    return viewer, dock


def choose(dock, test):
    dock.form.test.setCurrentText(test)
    dock.refresh()


def run(dock, qtbot):
    qtbot.mouseClick(dock.foot.run_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not dock.running, timeout=120_000)


def shown_columns(table):
    return [
        table.horizontalHeaderItem(c).text().replace("\n", " ") for c in range(table.columnCount())
    ]


def test_the_form_starts_from_the_defaults_of_the_params(make_napari_viewer):
    viewer = make_napari_viewer()
    _, dock = viewer.window.add_plugin_dock_widget("napari-deeper", "Evaluate")
    assert dock.form.params.value() == EvaluateParams(scale=2)
    assert dock.form.value() == EvaluateParams(noise="white", scale=1)
    dock.refresh()
    assert "Open Sample" in dock.fit.text()
    assert not dock.foot.run_button.isEnabled()
    assert not dock.save.isEnabled()


def test_each_test_asks_the_engine_for_what_it_says(window):
    _, dock = window
    form = dock.form
    for test, noise, scale in [
        (ADD_NOISE, "white", 1), (LEAVE_OUT, "none", 2), (BOTH, "white", 2)
    ]:  # fmt: skip
        form.test.setCurrentText(test)
        params = form.value()
        assert (params.noise, params.scale) == (noise, scale), test
        assert form.params.field("level").isEnabled() == (noise != "none")
    form.test.setCurrentText(PAIR)
    assert form.value(3).scale == 3
    assert "one of 2 x 2 pixels is kept" in describe_test(
        EvaluateParams(noise="white", scale=2), None
    )


def test_run_fills_the_table_with_what_the_engine_finds(window, small_cube, qtbot):
    viewer, dock = window
    add_cube(viewer, small_cube)
    choose(dock, ADD_NOISE)
    run(dock, qtbot)
    assert dock.failure == ""
    expected = evaluate(small_cube, methods="low-rank", noise="white")
    table = dock.table
    assert table.rowCount() == len(expected.summaries)
    names = shown_columns(table)
    for name in ("Method", "MSE", "PSNR (dB)", "SSIM", "SAD (rad)", "Excess MSE"):
        assert name in names
    found = {table.item(r, 0).text().removesuffix(" ★"): r for r in range(table.rowCount())}
    for summary in expected.summaries:
        item = table.item(found[summary.method], names.index("MSE"))
        assert float(item.plain()) == pytest.approx(summary.mse, rel=1e-3)
    stars = [r for r in range(table.rowCount()) if "★" in table.item(r, names.index("MSE")).text()]
    least = min(s.mse for s in expected.summaries)
    best = {s.method for s in expected.summaries if s.mse == least}
    assert {table.item(r, 0).text() for r in stars} == best
    assert "low-rank" in dock.foot.message.text()
    assert len(viewer.layers) == 1  # nothing was added


def test_a_click_on_a_heading_sorts_by_number(window, small_cube, qtbot):
    viewer, dock = window
    add_cube(viewer, small_cube)
    choose(dock, ADD_NOISE)
    run(dock, qtbot)
    table = dock.table
    column = shown_columns(table).index("PSNR (dB)")
    header = table.horizontalHeader()
    point = header.viewport().rect().center()
    point.setX(header.sectionViewportPosition(column) + 8)
    for _ in range(2):
        qtbot.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=point)
        values = [float(table.item(r, column).plain()) for r in range(table.rowCount())]
        falling = header.sortIndicatorOrder() == Qt.SortOrder.DescendingOrder
        assert values == sorted(values, reverse=falling)


def test_the_table_is_copied_and_the_report_saved(window, small_cube, qtbot, tmp_path):
    viewer, dock = window
    add_cube(viewer, small_cube)
    choose(dock, LEAVE_OUT)
    dock.form.params.set_field("methods", "bilinear")
    run(dock, qtbot)
    qtbot.mouseClick(dock.copy, Qt.MouseButton.LeftButton)
    lines = QGuiApplication.clipboard().text().splitlines()
    assert lines[0].split("\t")[0] == "Method"
    assert len(lines) == 1 + dock.table.rowCount()
    assert "★" not in "".join(lines)
    dock.table.selectRow(1)
    qtbot.keyClick(dock.table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert len(QGuiApplication.clipboard().text().splitlines()) == 2
    dock.save_report(tmp_path / "report")
    qtbot.waitUntil(lambda: "Saved" in dock.foot.message.text(), timeout=60_000)
    assert (tmp_path / "report" / "report.md").read_text().startswith("# Evaluation")
    assert (tmp_path / "report" / "figure.png").stat().st_size > 1000
    with (tmp_path / "report" / "records.csv").open() as stream:
        assert {row["method"] for row in csv.DictReader(stream)} >= {"bilinear"}
    dock.save_report(tmp_path / "absent" / "report")
    qtbot.waitUntil(lambda: "does not exist" in dock.foot.message.text(), timeout=60_000)


def test_a_pair_takes_a_second_layer(window, small_cube, qtbot):
    viewer, dock = window
    noisy = dataclasses.replace(small_cube, metadata={"name": "short"})
    truth = add_cube(viewer, small_cube)
    choose(dock, PAIR)
    assert "another layer" in dock.fit.text()
    assert not dock.foot.run_button.isEnabled()
    add_cube(viewer, denoise(noisy, method="savgol"))
    viewer.layers.selection.active = truth
    qtbot.waitUntil(lambda: dock.reference.layer() is truth)
    choose(dock, PAIR)
    assert dock.other.layer() is viewer.layers[1]
    assert "run on 'short'" in dock.fit.text()
    # the second box does not change which layer is active
    assert viewer.layers.selection.active is truth


def test_an_error_is_told_in_words_and_the_run_can_be_repeated(window, small_cube, qtbot):
    viewer, dock = window
    add_cube(viewer, small_cube)
    choose(dock, ADD_NOISE)
    dock.form.params.set_field("methods", "magic")
    run(dock, qtbot)
    assert "Unknown method 'magic'" in dock.foot.message.text()
    assert dock.foot.run_button.isEnabled()
    assert not dock.save.isEnabled()


def test_cancel_and_closing_end_the_run(window, small_cube, qtbot):
    viewer, dock = window
    big = RamanCube(np.tile(small_cube.intensity, (8, 8, 1)), small_cube.wavenumber)
    add_cube(viewer, big)
    choose(dock, ADD_NOISE)
    qtbot.mouseClick(dock.foot.run_button, Qt.MouseButton.LeftButton)
    assert not dock.foot.run_button.isEnabled()
    qtbot.mouseClick(dock.foot.cancel_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not dock.running, timeout=60_000)
    assert "Cancelled" in dock.foot.message.text()
    assert dock.evaluation is None
    qtbot.mouseClick(dock.foot.run_button, Qt.MouseButton.LeftButton)
    viewer.window.remove_dock_widget(dock)
    assert not [t for t in threading.enumerate() if t.name == "napari-deeper"]


def test_it_opens_on_a_tab_beside_enhance_and_remembers(make_napari_viewer, small_cube, qtbot):
    viewer = make_napari_viewer()
    enhance, _ = viewer.window.add_plugin_dock_widget("napari-deeper", "Enhance")
    own, dock = viewer.window.add_plugin_dock_widget("napari-deeper", "Evaluate")
    main = viewer.window._qt_window
    qtbot.waitUntil(lambda: enhance in main.tabifiedDockWidgets(own))
    add_cube(viewer, small_cube)
    dock.form.params.set_field("methods", "savgol")
    choose(dock, BOTH)
    run(dock, qtbot)
    viewer.window.remove_dock_widget(dock)
    QApplication.processEvents()
    _, again = viewer.window.add_plugin_dock_widget("napari-deeper", "Evaluate")
    assert again.form.test.currentText() == BOTH
    assert again.form.params.value().methods == "savgol"


def test_columns_that_a_summary_gains_are_shown(qtbot, small_cube):
    found = evaluate(small_cube, methods="savgol", noise="white")
    wider = dataclasses.make_dataclass(
        "Wider",
        [("gained_accuracy", float), ("nowhere_known", float)],
        bases=(MethodSummary,),
        frozen=True,
    )
    summaries = tuple(
        wider(**vars(s), gained_accuracy=0.1 * i, nowhere_known=float("nan"))
        for i, s in enumerate(found.summaries)
    )
    table = ResultTable()
    qtbot.addWidget(table)
    table.show_evaluation(dataclasses.replace(found, summaries=summaries))
    names = shown_columns(table)
    assert "gained accuracy" in names
    assert "nowhere known" not in names
    column = names.index("gained accuracy")
    starred = [r for r in range(table.rowCount()) if "★" in table.item(r, column).text()]
    assert [table.item(r, 0).text() for r in starred] == [summaries[-1].method]
