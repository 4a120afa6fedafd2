"""The Watch dock, clicked."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt

import napari_deeper as nd
from napari_deeper.plugin.layers import cube_from_layer
from napari_deeper.plugin.widgets.watch import WatchWidget

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def window(make_napari_viewer, tmp_path, small_cube):
    viewer = make_napari_viewer()
    _, dock = viewer.window.add_plugin_dock_widget("napari-deeper", "Watch")
    assert isinstance(dock, WatchWidget)
    (tmp_path / "in").mkdir()
    nd.write(small_cube, tmp_path / "in" / "first.npz")
    dock.folder.setText(str(tmp_path / "in"))
    dock.out.setText(str(tmp_path / "out"))
    dock.poll = 0.05
    yield viewer, dock
    dock.release()


def workflow_file(tmp_path):
    workflow = nd.Workflow(denoise=nd.DenoiseParams(method="savgol"))
    return nd.write_workflow(workflow, tmp_path / "savgol.json")


def test_cubes_become_layers_as_they_come(window, qtbot, tmp_path, small_cube, make_napari_viewer):
    viewer, dock = window
    dock.choose_workflow(str(workflow_file(tmp_path)))
    qtbot.mouseClick(dock.start_button, LEFT)
    assert dock.running and not dock.start_button.isEnabled() and not dock.folder.isEnabled()
    qtbot.waitUntil(lambda: len(viewer.layers) == 1, timeout=20_000)
    assert "first.npz: done" in dock.log.toPlainText()
    nd.write(small_cube, tmp_path / "in" / "second.npz")
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=20_000)
    shown = cube_from_layer(viewer.layers[1]).intensity
    np.testing.assert_array_equal(shown, nd.denoise(small_cube, method="savgol").intensity)
    qtbot.mouseClick(dock.stop_button, LEFT)
    qtbot.waitUntil(lambda: not dock.running, timeout=20_000)
    assert "Stopped" in dock.status.text() and dock.start_button.isEnabled()
    other = WatchWidget(make_napari_viewer())
    assert other.workflow.currentText() == "savgol.json"
    assert other.folder.text() == dock.folder.text()
    other.close()


def test_what_was_made_before_is_told_and_not_shown_again(window, qtbot, tmp_path):
    viewer, dock = window
    workflow = workflow_file(tmp_path)
    nd.batch(workflow, tmp_path / "in", tmp_path / "out", workers=1)
    dock.choose_workflow(str(workflow))
    qtbot.mouseClick(dock.start_button, LEFT)
    qtbot.waitUntil(lambda: "first.npz: skipped" in dock.log.toPlainText(), timeout=20_000)
    assert len(viewer.layers) == 0


def test_what_is_wrong_is_said_in_words(window, qtbot, tmp_path):
    _, dock = window
    dock.choose_workflow(str(tmp_path / "none.json"))
    qtbot.mouseClick(dock.start_button, LEFT)
    assert "none.json cannot be read" in dock.status.text() and not dock.running
    dock.choose_workflow("despike")
    dock.folder.setText(str(tmp_path / "gone"))
    qtbot.mouseClick(dock.start_button, LEFT)
    qtbot.waitUntil(lambda: not dock.running, timeout=20_000)
    assert "does not exist" in dock.status.text() and dock.start_button.isEnabled()
    dock.folder.setText("")
    qtbot.mouseClick(dock.start_button, LEFT)
    assert "Choose a folder" in dock.status.text()


def test_closing_the_dock_ends_the_watch(window, qtbot):
    viewer, dock = window
    qtbot.mouseClick(dock.start_button, LEFT)
    assert dock.running
    viewer.window.remove_dock_widget(dock)
    assert not dock.running
