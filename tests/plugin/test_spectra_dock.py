"""The Spectra dock, driven by real clicks on the real canvas."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QGuiApplication, QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_deeper import RamanCube, super_resolve
from napari_deeper.plugin.layers import add_cube
from napari_deeper.plugin.widgets.heatmap import KEY as HEATMAP
from napari_deeper.plugin.widgets.spectra import SpectraWidget


@pytest.fixture
def window(make_napari_viewer):
    """A shown viewer with the dock, and a function that clicks on a place in world units."""
    viewer = make_napari_viewer(show=True)
    viewer.window._qt_window.resize(1280, 720)
    dock, spectra = viewer.window.add_plugin_dock_widget("napari-deeper", "Spectra")
    viewer.window._qt_window.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, dock)
    assert isinstance(spectra, SpectraWidget)
    return viewer, spectra


def canvas_point(viewer, place) -> QPoint:
    """Return where on the canvas a place (y, x) in world units is drawn."""
    camera = viewer.scene.camera
    native = viewer.window._qt_window._qt_viewer.canvas.native
    dy, dx = (np.asarray(place) - np.asarray(camera.center[-2:])) * camera.zoom
    return QPoint(round(native.width() / 2 + dx), round(native.height() / 2 + dy))


def click(qtbot, viewer, place, modifier=Qt.KeyboardModifier.NoModifier):
    native = viewer.window._qt_window._qt_viewer.canvas.native
    point = canvas_point(viewer, place)
    qtbot.mouseMove(native, point)
    qtbot.mouseClick(native, Qt.MouseButton.LeftButton, modifier, point)


def move(native, point: QPoint, modifier: Qt.KeyboardModifier) -> None:
    """Move the pointer with a key held, which qtbot.mouseMove cannot."""
    event = QMouseEvent(
        QMouseEvent.Type.MouseMove,
        QPointF(point),
        QPointF(native.mapToGlobal(point)),
        Qt.MouseButton.NoButton,
        Qt.MouseButton.NoButton,
        modifier,
    )
    QTest.qWait(60)  # the canvas drops moves that follow each other faster
    QApplication.sendEvent(native, event)


def add(viewer, qtbot, cube: RamanCube):
    layer = add_cube(viewer, cube)
    viewer.reset_view()
    qtbot.wait(50)
    return layer


def test_the_empty_dock_teaches(window, small_cube, qtbot):
    viewer, spectra = window
    assert "Open Sample" in spectra.plot.hint()
    assert not spectra.panel.copy.isEnabled()
    add(viewer, qtbot, small_cube)
    assert "Click a pixel" in spectra.plot.hint()


def test_a_click_shows_the_spectrum_of_that_pixel_in_every_layer(window, small_cube, qtbot):
    viewer, spectra = window
    high = super_resolve(small_cube, scale=2, method="bilinear")
    add(viewer, qtbot, small_cube)
    add(viewer, qtbot, high)
    click(qtbot, viewer, (3.0 + 0.5 * 4, -2.0 + 0.5 * 2))
    curves = spectra.curves()
    assert [curve.name for curve in curves] == [
        layer.name for layer in viewer.layers if layer.ndim == 3
    ]
    np.testing.assert_array_equal(curves[0].intensity, small_cube.intensity[4, 2])
    np.testing.assert_array_equal(curves[0].wavenumber, small_cube.wavenumber)
    np.testing.assert_allclose(curves[1].intensity, high.intensity[9, 5], rtol=1e-6)
    assert len({curve.color for curve in curves}) == 2
    assert spectra.plot.legend_names() == [curve.name for curve in curves]


def test_control_click_adds_a_marker_and_escape_clears(window, small_cube, qtbot):
    viewer, spectra = window
    add(viewer, qtbot, small_cube)
    click(qtbot, viewer, (4.0, -1.0))
    click(qtbot, viewer, (5.5, 0.0), Qt.KeyboardModifier.ControlModifier)
    assert len(spectra.places()) == 2
    assert len(viewer.layers["Spectra markers"].data) == 2
    click(qtbot, viewer, (6.0, 0.5))
    assert len(spectra.places()) == 2
    qtbot.keyClick(spectra, Qt.Key.Key_Escape)
    assert spectra.places() == []
    assert "Spectra markers" not in viewer.layers


def test_arrow_keys_move_the_pin_by_one_pixel(window, small_cube, qtbot):
    viewer, spectra = window
    add(viewer, qtbot, small_cube)
    spectra.pin((5.0, -1.0))
    qtbot.keyClick(spectra, Qt.Key.Key_Down)
    qtbot.keyClick(spectra, Qt.Key.Key_Right)
    np.testing.assert_array_equal(spectra.curves()[0].intensity, small_cube.intensity[5, 3])


def test_shift_and_move_browses(window, small_cube, qtbot):
    viewer, spectra = window
    add(viewer, qtbot, small_cube)
    native = viewer.window._qt_window._qt_viewer.canvas.native
    for place, pixel in [((6.0, 0.5), (6, 5)), ((3.5, -1.5), (1, 1))]:
        move(native, canvas_point(viewer, place), Qt.KeyboardModifier.ShiftModifier)
        qtbot.waitUntil(lambda: len(spectra.plot.legend_names()) == 1)
        np.testing.assert_array_equal(spectra.curves()[0].intensity, small_cube.intensity[pixel])
    move(native, canvas_point(viewer, (6.0, 0.5)), Qt.KeyboardModifier.NoModifier)
    qtbot.waitUntil(lambda: spectra.plot.legend_names() == [])


def test_a_drag_pans_and_pins_nothing(window, small_cube, qtbot):
    viewer, spectra = window
    add(viewer, qtbot, small_cube)
    native = viewer.window._qt_window._qt_viewer.canvas.native
    start = canvas_point(viewer, (4.0, -1.0))
    center = viewer.scene.camera.center
    qtbot.mousePress(native, Qt.MouseButton.LeftButton, pos=start)
    for step in range(1, 6):
        qtbot.mouseMove(native, start + QPoint(12 * step, 8 * step))
        qtbot.wait(20)
    qtbot.mouseRelease(native, Qt.MouseButton.LeftButton, pos=start + QPoint(60, 40))
    assert spectra.places() == []
    assert viewer.scene.camera.center != center


def test_the_heatmap_follows_the_band(window, small_cube, qtbot):
    viewer, spectra = window
    layer = add(viewer, qtbot, small_cube)
    spectra.band.heatmap.setChecked(True)
    (heatmap,) = [la for la in viewer.layers if HEATMAP in la.metadata]
    for low, high in [(1430.0, 1460.0), (990.0, 1020.0)]:
        spectra.plot.set_band(low, high)
        axis = small_cube.wavenumber
        inside = (axis >= low) & (axis <= high)
        qtbot.waitUntil(lambda text=f"{low:.0f}-{high:.0f} cm-1": text in heatmap.name)
        np.testing.assert_allclose(
            heatmap.data, small_cube.intensity[..., inside].mean(2), rtol=1e-5
        )
    np.testing.assert_array_equal(heatmap.scale, layer.scale[1:])
    np.testing.assert_array_equal(heatmap.translate, layer.translate[1:])
    assert viewer.layers.selection.active is layer
    spectra.band.heatmap.setChecked(False)
    assert heatmap not in viewer.layers


def test_presets_move_the_band_and_a_band_off_the_axis_is_told(window, small_cube, qtbot):
    viewer, spectra = window
    add(viewer, qtbot, small_cube)
    spectra.band.preset.setCurrentIndex(spectra.band.preset.findText("1004 cm-1: phenylalanine"))
    spectra.band.preset.activated.emit(spectra.band.preset.currentIndex())
    assert spectra.plot.band() == (996.0, 1012.0)
    spectra.band.heatmap.setChecked(True)
    spectra.plot.set_band(2800, 2900)
    qtbot.waitUntil(lambda: "2800-2900 cm-1 lies outside" in spectra.panel.status.text())


def test_heatmaps_of_every_cube_share_their_contrast(window, small_cube, qtbot):
    viewer, spectra = window
    add(viewer, qtbot, small_cube)
    add(viewer, qtbot, super_resolve(small_cube, scale=2, method="nearest"))
    spectra.band.every.setChecked(True)
    spectra.band.heatmap.setChecked(True)
    heatmaps = [la for la in viewer.layers if HEATMAP in la.metadata]
    assert len(heatmaps) == 2
    assert heatmaps[0].contrast_limits == heatmaps[1].contrast_limits


def test_normalizing_changes_the_view_and_not_the_copy(window, small_cube, qtbot, tmp_path):
    viewer, spectra = window
    add(viewer, qtbot, small_cube)
    spectra.pin((4.0, -1.0))
    spectra.panel.scaling.setCurrentText("maximum = 1")
    assert spectra.plot.curve_data(0)[1].max() == pytest.approx(1)
    spectra.copy_spectra()
    rows = QGuiApplication.clipboard().text().splitlines()
    assert len(rows) == 1 + small_cube.shape[2]
    assert float(rows[1].split("\t")[1]) == pytest.approx(small_cube.intensity[2, 2, 0], rel=1e-5)
    spectra.save_spectra(tmp_path / "out.csv")
    table = np.genfromtxt(tmp_path / "out.csv", delimiter=",", skip_header=1)
    np.testing.assert_allclose(table[:, 0], small_cube.wavenumber, atol=1e-4)
    np.testing.assert_allclose(table[:, 1], small_cube.intensity[2, 2], rtol=1e-5)
    spectra.save_spectra(tmp_path / "absent" / "out.csv")
    assert "absent" in spectra.panel.status.text()


def test_per_second_needs_every_dwell_time(window, small_cube, qtbot):
    viewer, spectra = window
    timed = RamanCube.from_header(
        small_cube.intensity,
        small_cube.header() | {"metadata": {"dwell_time_s": 0.1, "intensity_unit": "counts"}},
    )
    add(viewer, qtbot, timed)
    spectra.pin((4.0, -1.0))
    spectra.panel.scaling.setCurrentText("per second")
    np.testing.assert_allclose(
        spectra.plot.curve_data(0)[1], 10 * small_cube.intensity[2, 2], rtol=1e-5
    )
    assert spectra.plot.y_label() == "Intensity (counts/s)"
    add(viewer, qtbot, small_cube)
    spectra.refresh()
    np.testing.assert_array_equal(spectra.plot.curve_data(0)[1], small_cube.intensity[2, 2])
    assert "dwell time is not known" in spectra.panel.status.text()


def test_the_radius_averages(window, small_cube, qtbot):
    viewer, spectra = window
    add(viewer, qtbot, small_cube)
    spectra.pin((5.0, -0.5))
    spectra.panel.radius.setValue(0.5)
    plus = [(4, 3), (3, 3), (5, 3), (4, 2), (4, 4)]
    expected = np.mean([small_cube.intensity[p] for p in plus], axis=0)
    np.testing.assert_allclose(spectra.curves()[0].intensity, expected, rtol=1e-5)


def test_a_closed_dock_lets_go_of_the_viewer(window, small_cube, qtbot):
    viewer, spectra = window
    layer = add(viewer, qtbot, small_cube)
    n_callbacks = len(viewer.mouse_drag_callbacks)
    viewer.window.remove_dock_widget(spectra)
    assert len(viewer.mouse_drag_callbacks) == n_callbacks - 1
    viewer.layers.remove(layer)
    viewer.theme = "light"


def test_the_canvas_tells_the_true_wavenumber(window, small_cube, qtbot):
    viewer, _ = window
    add(viewer, qtbot, small_cube)
    text = viewer.canvas.overlays.text
    nearest = small_cube.wavenumber[np.abs(small_cube.wavenumber - 1450).argmin()]
    assert f"{nearest:.1f} cm-1" in text.text
    viewer.dims.set_current_step(0, 17)
    assert text.text == f"{small_cube.wavenumber[17]:.1f} cm-1 (channel 18 of 120)\nsmall"
    assert viewer.canvas.overlays.scale_bar.visible


def test_heatmaps_go_with_their_cubes(window, small_cube, qtbot):
    viewer, spectra = window
    add(viewer, qtbot, small_cube)
    other = add(viewer, qtbot, super_resolve(small_cube, scale=2, method="nearest"))
    spectra.band.every.setChecked(True)
    spectra.band.heatmap.setChecked(True)
    viewer.layers.remove(other)
    assert len([la for la in viewer.layers if HEATMAP in la.metadata]) == 1
    spectra.pin((4.0, -1.0))
    viewer.layers.clear()
    assert len(viewer.layers) == 0
    assert not spectra.band.heatmap.isChecked()
    assert spectra.curves() == []


def test_long_names_are_shortened_in_their_middle_and_told_in_full(window, small_cube, qtbot):
    viewer, spectra = window
    layer = add(viewer, qtbot, small_cube)
    layer.name = "a cell with a very long name from the instrument, which goes on and on for ever"
    add(viewer, qtbot, small_cube).name = f"{layer.name} · denoised (savgol)"
    spectra.pin((4.0, -1.0))
    spectra.pin((5.0, -1.0), add=True)
    qtbot.wait(50)
    legend = spectra.plot.legend
    shown = legend.shown()
    assert [name[:2] for name in shown] == ["1:", "1:", "2:", "2:"]
    assert "…" in shown[0]
    assert shown[1].endswith("denoised (savgol)")
    assert len(shown[1]) < len(legend.names()[1])
    assert legend.full_text(1) == f"1: {layer.name} · denoised (savgol)"


def test_a_legend_of_many_curves_stays_two_rows_above_the_plot(window, small_cube, qtbot):
    viewer, spectra = window
    add(viewer, qtbot, small_cube)
    spectra.pin((4.0, -1.0))
    low = spectra.plot.legend.height()
    for i in range(24):
        spectra.pin((3.5 + 0.1 * i, -1.0), add=True)
    qtbot.wait(50)
    legend = spectra.plot.legend
    assert legend.height() == 2 * low
    assert legend.geometry().bottom() <= spectra.plot.geometry().top()
    n_named = len(legend.shown()) - 1
    assert legend.shown()[-1] == f"and {25 - n_named} more"
    assert legend.full_text(n_named).splitlines() == legend.names()[n_named:]


def test_a_click_outside_every_cube_says_so(window, small_cube, qtbot):
    viewer, spectra = window
    add(viewer, qtbot, small_cube)
    click(qtbot, viewer, (2.0, -1.0))
    assert "outside every cube" in spectra.panel.status.text()
    assert spectra.places() == []
