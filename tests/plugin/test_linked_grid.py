"""Layers side by side with one cursor, and what is left behind: nothing."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from napari_deeper.plugin.layers import add_cube
from napari_deeper.plugin.linked_grid import KEY, LinkedGrid


@pytest.fixture
def shown(make_napari_viewer, small_cube):
    viewer = make_napari_viewer()
    for name in ("a", "b", "c"):
        add_cube(viewer, dataclasses.replace(small_cube, metadata={"name": name}))
    viewer.add_image(np.zeros((9, 7)), name="heatmap")
    viewer.layers["b"].visible = False
    ends = []
    grid = LinkedGrid(viewer, lambda: ends.append(1))
    yield viewer, grid, ends
    grid.leave()


def state(viewer):
    grid, camera = viewer.canvas.grid, viewer.scene.camera
    text = viewer.canvas.overlays.text
    return (
        [(layer.name, layer.visible, layer.name_overlay.visible) for layer in viewer.layers],
        (grid.enabled, grid.stride, grid.shape, grid.spacing),
        (tuple(camera.center), camera.zoom),
        (viewer.layers.selection.active, text.position, text.visible),
    )


def cells(viewer):
    """Return the names in each cell that holds anything."""
    found = []
    for _, indices in viewer.canvas.grid.iter_viewboxes(viewer.layers):
        names = [viewer.layers[i].name for i in indices if viewer.layers[i].visible]
        if names:
            found.append(names)
    return found


def crosses(viewer):
    """Return the middles of the crosses of each cursor layer."""
    found = []
    for layer in viewer.layers:
        if KEY in layer.metadata:
            starts = np.asarray(layer.data)[:, 0].reshape(-1, 8, 2)
            found.append([tuple(np.round(arms[:4].mean(axis=0), 6)) for arms in starts])
    return found


def test_each_layer_has_a_cell_with_a_cursor_and_no_other_layer_has_one(shown):
    viewer, grid, _ = shown
    before = state(viewer)
    grid.show([viewer.layers["c"], viewer.layers["b"]])
    assert cells(viewer) == [["c", "cursor · c"], ["b", "cursor · b"]]
    assert viewer.layers["c"].name_overlay.visible
    grid.point_at((4.0, -1.0))
    assert crosses(viewer) == [[(4.0, -1.0)], [(4.0, -1.0)]]
    grid.leave()
    assert state(viewer) == before
    grid.leave()
    assert state(viewer) == before


def test_the_cursor_follows_the_pointer_and_the_markers(shown, qtbot):
    viewer, grid, _ = shown
    markers = viewer.add_points([(5.0, 0.0)], metadata={"marks_of": None})
    grid.show([viewer.layers["a"], viewer.layers["c"]])
    assert crosses(viewer) == [[(5.0, 0.0)]] * 2
    for callback in viewer.mouse_move_callbacks:
        callback(viewer, SimpleNamespace(position=(700.0, 3.5, -1.5), modifiers=()))
    qtbot.waitUntil(lambda: crosses(viewer) == [[(5.0, 0.0), (3.5, -1.5)]] * 2)
    assert not markers.visible  # it has no cell of its own
    markers.data = [(5.5, 0.5)]
    qtbot.waitUntil(lambda: crosses(viewer) == [[(5.5, 0.5), (3.5, -1.5)]] * 2)
    grid.leave()
    assert markers.visible
    assert not any(KEY in layer.metadata for layer in viewer.layers)


def test_what_is_added_meanwhile_gets_no_cell_and_is_there_afterwards(shown, qtbot):
    viewer, grid, _ = shown
    grid.show([viewer.layers["a"], viewer.layers["c"]])
    late = viewer.add_image(np.zeros((9, 7)), name="late")
    marks = viewer.add_points([(4.0, -1.0)], name="marks", metadata={"marks_of": None})
    viewer.layers.move(len(viewer.layers) - 1, 0)
    qtbot.waitUntil(lambda: cells(viewer) == [["a", "cursor · a"], ["c", "cursor · c"]])
    assert crosses(viewer) == [[(4.0, -1.0)]] * 2
    marks.data = [(5.0, -1.0)]
    qtbot.waitUntil(lambda: crosses(viewer) == [[(5.0, -1.0)]] * 2)
    grid.leave()
    assert late.visible
    assert marks.visible
    assert [layer.name for layer in viewer.layers] == ["a", "b", "c", "heatmap", "late", "marks"]


def test_it_ends_when_napari_leaves_the_grid_or_too_few_layers_are_left(shown, qtbot):
    viewer, grid, ends = shown
    before = state(viewer)
    grid.show([viewer.layers["a"], viewer.layers["c"]])
    viewer.canvas.grid.enabled = False
    assert ends == [1]
    assert not grid.on
    assert state(viewer) == before
    grid.show([viewer.layers["a"], viewer.layers["b"], viewer.layers["c"]])
    viewer.layers.remove("b")
    qtbot.waitUntil(lambda: len(cells(viewer)) == 2)
    assert cells(viewer) == [["a", "cursor · a"], ["c", "cursor · c"]]
    viewer.layers.remove("a")
    assert ends == [1, 1]
    assert [layer.name for layer in viewer.layers] == ["c", "heatmap"]
    assert not viewer.canvas.grid.enabled


def test_maps_without_a_slider_go_side_by_side_too(shown):
    viewer, grid, _ = shown
    other = viewer.add_image(np.ones((9, 7)), name="other")
    before = state(viewer)
    grid.show([viewer.layers["heatmap"], other])
    assert cells(viewer) == [["heatmap", "cursor · heatmap"], ["other", "cursor · other"]]
    grid.leave()
    assert state(viewer) == before
