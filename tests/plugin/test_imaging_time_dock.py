"""Imaging times in the window: the planner's dock, and the corner of the canvas."""

from __future__ import annotations

import dataclasses

import pytest
from qtpy.QtCore import Qt

import napari_deeper as nd
from napari_deeper.plugin.layers import add_cube
from napari_deeper.plugin.widgets.imaging_time import ImagingTimeWidget


def timed(cube, name, seconds):
    return dataclasses.replace(cube, metadata={"name": name, "dwell_time_s": seconds})


@pytest.fixture
def window(make_napari_viewer):
    viewer = make_napari_viewer()
    _, dock = viewer.window.add_plugin_dock_widget("napari-deeper", "Imaging time")
    assert isinstance(dock, ImagingTimeWidget)
    return viewer, dock


def test_the_defaults_are_the_published_figures(window):
    _, dock = window
    assert "68:16" in dock.full.text()
    assert "00:26" in dock.fast.text()
    assert "160 × faster" in dock.gain.text()
    assert "one of 16 pixels is measured" in dock.notes.text()
    assert not dock.take.isEnabled()


def test_a_change_is_shown_at_once_and_remembered(window, make_napari_viewer):
    _, dock = window
    dock.form.set_field("scale", 2)
    dock.form.set_field("pixel_size_um", 0.5)
    assert "01:42" in dock.fast.text()
    assert "1 µm apart, field 32 × 32 µm" in dock.fast.text()
    other = ImagingTimeWidget(make_napari_viewer())
    assert other.form.value().scale == 2
    other.close()


def test_what_cannot_be_planned_is_said(window):
    _, dock = window
    dock.form.set_field("n_y", 2)
    assert "leave none to measure" in dock.full.text()
    assert dock.gain.text() == ""


def test_the_current_cube_fills_the_form(window, small_cube, qtbot):
    viewer, dock = window
    add_cube(viewer, timed(small_cube, "fast", 0.2))
    qtbot.mouseClick(dock.take, Qt.MouseButton.LeftButton)
    params = dock.form.value()
    assert (params.n_y, params.n_x, params.pixel_size_um) == (9, 7, 0.5)
    assert (params.dwell_s, params.fast_dwell_s) == (1.0, 0.2)  # shorter: the fast one
    add_cube(viewer, timed(small_cube, "slow", 3.0))
    viewer.layers.selection.active = viewer.layers["slow"]
    qtbot.mouseClick(dock.take, Qt.MouseButton.LeftButton)
    assert (dock.form.value().dwell_s, dock.form.value().fast_dwell_s) == (3.0, 0.2)


def corner(viewer):
    return viewer.canvas.overlays.text.text


def test_the_corner_tells_the_imaging_time_and_a_speed_up_only_against_a_cube(window, small_cube):
    viewer, _ = window
    fast = timed(small_cube, "fast", 0.1)
    add_cube(viewer, fast)
    assert "imaging time 00:06 min:s" in corner(viewer)
    assert "faster" not in corner(viewer)
    add_cube(viewer, nd.super_resolve(fast, scale=2, method="bilinear"))
    assert corner(viewer).endswith("imaging time 00:06 min:s, 4x faster than at 0.1 s")
    add_cube(viewer, timed(small_cube, "slow", 1.0))
    assert corner(viewer).endswith("imaging time 01:03 min:s")
    viewer.layers.selection.active = viewer.layers[1]
    assert corner(viewer).endswith("imaging time 00:06 min:s, 40x faster than at 1 s")


def test_the_corner_makes_no_time_up(window, small_cube):
    viewer, _ = window
    add_cube(viewer, small_cube)
    assert "imaging time" not in corner(viewer)
