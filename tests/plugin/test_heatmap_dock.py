"""Heatmaps in the Spectra dock: measures, ratios, presets, and what the layers say of themselves."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt

import napari_deeper as nd
from napari_deeper.plugin.layers import KEY, SHOWS, SOURCE, add_cube
from napari_deeper.plugin.widgets.heatmap import KEY as HEATMAP
from napari_deeper.plugin.widgets.heatmap import SLOW_S, Heatmaps
from napari_deeper.processing.band_maps import BandSpec


@pytest.fixture
def window(make_napari_viewer):
    """A shown viewer with the dock."""
    viewer = make_napari_viewer(show=True)
    viewer.window._qt_window.resize(1280, 720)
    dock, spectra = viewer.window.add_plugin_dock_widget("napari-deeper", "Spectra")
    viewer.window._qt_window.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, dock)
    return viewer, spectra


def with_header(cube, intensity=None, **facts):
    values = cube.intensity if intensity is None else intensity
    return nd.RamanCube.from_header(values, cube.header() | {"metadata": facts})


def heatmaps(viewer):
    return [layer for layer in viewer.layers if HEATMAP in layer.metadata]


def choose(qtbot, box, text):
    """Choose an entry of a box with the keyboard, as a user would."""
    box.setFocus()
    index = next(i for i in range(box.count()) if box.itemText(i).startswith(text))
    key = Qt.Key.Key_Down if index > box.currentIndex() else Qt.Key.Key_Up
    for _ in range(abs(index - box.currentIndex())):
        qtbot.keyClick(box, key)
    assert box.currentIndex() == index


@pytest.mark.parametrize(
    ("measure", "unit"),
    [
        ("sum", "counts"),
        ("area", "counts·cm-1"),
        ("height", "counts"),
        ("position", "cm-1"),
        ("width", "cm-1"),
    ],
)
def test_the_heatmap_is_what_the_verb_gives(window, small_cube, qtbot, measure, unit):
    viewer, spectra = window
    cube = with_header(small_cube, name="cell", intensity_unit="counts")
    source = add_cube(viewer, cube)
    spectra.plot.set_band(990, 1020)
    spectra.band.heatmap.setChecked(True)
    choose(qtbot, spectra.band.measure, {"height": "peak height"}.get(measure, "peak " + measure)
           if measure in ("height", "position", "width") else measure)  # fmt: skip
    expected = nd.heatmap(cube, band="990-1020", measure=measure)
    (layer,) = heatmaps(viewer)
    np.testing.assert_array_equal(layer.data, expected.image)
    assert layer.metadata[SOURCE] is source
    assert KEY not in layer.metadata
    shows = layer.metadata[SHOWS]
    assert (shows["measure"], shows["unit"], shows["label"]) == (measure, unit, expected.label)
    assert (shows["low"], shows["high"], shows["over"]) == (990, 1020, None)
    assert layer.name == f"{expected.label} ({unit}), cell"
    assert layer.colormap.name.startswith("viridis" if unit == "cm-1" else "inferno")
    assert layer.colorbar.visible
    assert viewer.canvas.overlays.text.text == f"{expected.label} ({unit})\ncell"
    layer.visible = False
    assert "channel" in viewer.canvas.overlays.text.text


def test_peaks_are_above_the_baseline_and_means_as_the_user_wants(window, small_cube, qtbot):
    viewer, spectra = window
    add_cube(viewer, small_cube)
    spectra.band.heatmap.setChecked(True)
    box = spectra.band.baseline
    qtbot.keyClick(box, Qt.Key.Key_Space)
    (layer,) = heatmaps(viewer)
    expected = nd.heatmap(small_cube, baseline=True)
    np.testing.assert_array_equal(layer.data, expected.image)
    assert "above baseline" in layer.name
    spectra.band.menu.set_shoulder(6)
    wider = nd.heatmap(small_cube, baseline=True, shoulder=6)
    np.testing.assert_array_equal(layer.data, wider.image)
    qtbot.keyClick(box, Qt.Key.Key_Space)
    choose(qtbot, spectra.band.measure, "peak height")
    assert box.isChecked()
    assert not box.isEnabled()
    choose(qtbot, spectra.band.measure, "mean")
    assert not box.isChecked()
    np.testing.assert_array_equal(layer.data, nd.heatmap(small_cube).image)


def test_a_ratio_divides_by_the_second_band(window, small_cube, qtbot):
    viewer, spectra = window
    add_cube(viewer, small_cube)
    spectra.band.heatmap.setChecked(True)
    choose(qtbot, spectra.band.measure, "peak height")
    choose(qtbot, spectra.band.over, "1004 cm-1")
    (layer,) = heatmaps(viewer)
    expected = nd.heatmap(small_cube, band="1450", over="1004", measure="height")
    np.testing.assert_array_equal(layer.data, expected.image)
    assert layer.name == "ratio of peak heights 1440-1460 / 996-1012 cm-1, small"
    assert spectra.plot._over.isVisible()
    spectra.plot.set_over(985, 1025)
    wider = nd.heatmap(small_cube, band="1450", over="985-1025", measure="height")
    qtbot.waitUntil(lambda: "985-1025" in layer.name)
    np.testing.assert_array_equal(layer.data, wider.image)
    assert spectra.band.over.currentText() == "985-1025 cm-1"
    choose(qtbot, spectra.band.measure, "peak position")
    assert not spectra.plot._over.isVisible()
    assert layer.metadata[SHOWS]["over"] is None


def test_no_value_is_gray_and_not_what_lies_below(window, small_cube, qtbot):
    viewer, spectra = window
    flat = np.random.default_rng(0).normal(50, 1, small_cube.shape)
    add_cube(viewer, with_header(small_cube, flat, name="flat"))
    viewer.reset_view()
    spectra.band.heatmap.setChecked(True)
    spectra.band.set_measure("width")
    (layer,) = heatmaps(viewer)
    assert np.isnan(layer.data).mean() > 0.9
    np.testing.assert_allclose(layer.colormap.nan_color, [0x8C / 255] * 3 + [1], atol=0.01)
    y, x = np.argwhere(np.isnan(layer.data))[0]
    assert np.isnan(layer.data[y, x])
    qtbot.wait(100)
    shot = viewer.screenshot(canvas_only=True, flash=False)
    gray = (np.abs(shot[..., :3].astype(int) - 0x8C) <= 2).all(axis=2)
    assert gray.mean() > 0.2


def test_sharing_of_contrast_is_told(window, small_cube):
    viewer, spectra = window
    for i, seconds in enumerate((0.1, 0.1, 1)):
        bright = small_cube.intensity * (1 + i)
        add_cube(viewer, with_header(small_cube, bright, name=f"c{i}", dwell_time_s=seconds))
    spectra.band.every.setChecked(True)
    spectra.band.heatmap.setChecked(True)
    limits = [tuple(layer.contrast_limits) for layer in heatmaps(viewer)]
    assert limits[0] == limits[1] != limits[2]
    assert spectra.panel.status.text() == (
        "One contrast for each dwell time: 2 of 0.1 s, 1 of 1 s."
    )
    assert [layer.colorbar.visible for layer in heatmaps(viewer)] == [False, True, True]
    spectra.band.set_measure("position")
    assert len({tuple(layer.contrast_limits) for layer in heatmaps(viewer)}) == 1
    assert "all heatmaps (3)" in spectra.panel.status.text()


def test_a_band_off_one_axis_names_that_cube_and_the_others_go_on(window, small_cube, qtbot):
    viewer, spectra = window
    add_cube(viewer, small_cube)
    half = nd.RamanCube(small_cube.intensity[..., :60], small_cube.wavenumber[:60], (0.5, 0.5),
                        metadata={"name": "half"})  # fmt: skip
    add_cube(viewer, half)
    spectra.band.every.setChecked(True)
    spectra.plot.set_band(996, 1012)
    spectra.band.heatmap.setChecked(True)
    assert len(heatmaps(viewer)) == 2
    spectra.plot.set_band(1440, 1460)
    said = "half: The band 1440-1460 cm-1 lies outside"
    qtbot.waitUntil(lambda: spectra.panel.status.text().startswith(said))
    whole, cut = heatmaps(viewer)
    np.testing.assert_array_equal(whole.data, nd.heatmap(small_cube).image)
    assert np.isnan(cut.data).all()
    spectra.plot.set_band(996, 1012)
    qtbot.waitUntil(lambda: "996-1012" in cut.name)
    np.testing.assert_array_equal(cut.data, nd.heatmap(half, band="1004").image)
    spectra.band.set_measure("height")
    spectra.plot.set_band(1780, 1805)
    qtbot.waitUntil(lambda: "reaches the end of the axis" in spectra.panel.status.toolTip())


def test_own_presets_are_kept_renamed_and_forgotten(window, small_cube, qtbot, monkeypatch):
    viewer, spectra = window
    add_cube(viewer, small_cube)
    menu = spectra.band.menu
    answers = iter(["my band", "dna", "mine"])
    told = []
    monkeypatch.setattr(
        "qtpy.QtWidgets.QInputDialog.getText", lambda *_, **__: (next(answers), True)
    )
    monkeypatch.setattr("qtpy.QtWidgets.QMessageBox.information", lambda *a: told.append(a[2]))
    assert not menu.keep.isEnabled()
    spectra.plot.set_band(1118, 1142)
    menu.keep.trigger()
    assert spectra.band.preset.currentText() == "1130 cm-1: my band"
    viewer.window.remove_dock_widget(spectra)
    _, again = viewer.window.add_plugin_dock_widget("napari-deeper", "Spectra")
    band = again.band
    choose(qtbot, band.preset, "1130 cm-1: my band")
    assert again.plot.band() == (1118, 1142)
    band.menu.rename.trigger()
    assert told == ["There is a preset 'dna' already. Choose another name."]
    band.menu.rename.trigger()
    assert band.preset.currentText() == "1130 cm-1: mine"
    band.menu.forget.trigger()
    assert band.preset.currentText() == "own band"
    assert band.preset.findText("1130 cm-1: mine") == -1
    assert not band.menu.forget.isEnabled()
    choose(qtbot, band.preset, "1004 cm-1")
    assert not band.menu.rename.isEnabled()


def test_the_measure_is_remembered(window, small_cube, qtbot):
    viewer, spectra = window
    choose(qtbot, spectra.band.measure, "area")
    qtbot.keyClick(spectra.band.baseline, Qt.Key.Key_Space)
    viewer.window.remove_dock_widget(spectra)
    _, again = viewer.window.add_plugin_dock_widget("napari-deeper", "Spectra")
    assert again.band.measure.currentText() == "area"
    assert again.band.baseline.isChecked()
    assert again.panel.uncertainty.isChecked()


def test_what_takes_long_waits_until_the_band_rests(window, small_cube, qtbot, monkeypatch):
    viewer, spectra = window
    add_cube(viewer, small_cube)
    spectra.band.heatmap.setChecked(True)
    spectra.band.set_measure("position")
    (layer,) = heatmaps(viewer)
    monkeypatch.setattr(Heatmaps, "is_quick", lambda *_: False)
    before = layer.data
    spectra.plot.set_band(990, 1020)
    assert layer.data is before
    qtbot.waitUntil(lambda: "990-1020" in layer.name)
    expected = nd.heatmap(small_cube, band="990-1020", measure="position")
    np.testing.assert_array_equal(layer.data, expected.image)


def test_a_slow_measure_is_known_from_its_last_time(make_napari_viewer, small_cube, monkeypatch):
    viewer = make_napari_viewer()
    made = Heatmaps(viewer)
    layer = add_cube(viewer, small_cube)
    clock = iter([0.0, 2 * SLOW_S, 1.0, 1.0 + SLOW_S / 2])
    monkeypatch.setattr(
        "napari_deeper.plugin.widgets.heatmap.time.thread_time", lambda: next(clock)
    )
    spec = BandSpec(990, 1020, "position")
    assert made.is_quick(spec)
    made.update([layer], spec)
    assert not made.is_quick(spec)
    assert made.is_quick(BandSpec(990, 1020, "mean"))
    made.update([layer], spec)
    assert made.is_quick(spec)


def test_the_view_stays_where_the_next_spectrum_fits_it(window, qtbot):
    viewer, spectra = window
    axis = np.linspace(600, 1800, 100)
    levels = np.array([100.0, 90.0, 300.0, 5.0])
    shape = np.sin(axis / 60) + 1
    cube = nd.RamanCube((levels[:, None] * shape)[None], axis)
    add_cube(viewer, cube)
    view = spectra.plot._plot.getPlotItem().getViewBox()
    ranges = []
    for x in range(4):
        spectra.pin((0.0, float(x)))
        ranges.append(view.viewRange()[1])
        low, high = cube.intensity[0, x].min(), cube.intensity[0, x].max()
        assert ranges[-1][0] <= low <= high <= ranges[-1][1]
    assert ranges[0] == ranges[1]
    assert ranges[2][1] > 600
    assert ranges[3][1] < 20
    view.setYRange(-1000, 1000, padding=0)
    spectra.pin((0.0, 2.0))
    assert view.viewRange()[1] == [-1000, 1000]
    qtbot.mouseClick(spectra.panel.fit, Qt.MouseButton.LeftButton)
    assert view.viewRange()[1] == pytest.approx(ranges[2])


def test_a_low_plot_names_its_axes_below_it(window, small_cube, qtbot):
    viewer, spectra = window
    add_cube(viewer, with_header(small_cube, intensity_unit="counts"))
    plot = spectra.plot
    plot.setFixedHeight(400)
    axis = plot._plot.getPlotItem().getAxis("bottom")
    qtbot.waitUntil(lambda: axis.height() > 30)
    assert not plot.axes_note.isVisible()
    plot.setFixedHeight(150)
    qtbot.waitUntil(lambda: plot.axes_note.isVisible() and axis.height() < 25)
    assert "counts" in plot.axes_note.text()
    assert plot.y_label() == "Intensity (counts)"


def test_the_axes_are_drawn_anew_where_the_plot_changes(window, small_cube, qtbot):
    viewer, spectra = window
    add_cube(viewer, small_cube)
    view = spectra.plot._plot
    axis = view.getPlotItem().getAxis("bottom")
    spectra.plot.setFixedHeight(300)
    qtbot.wait(50)
    view.grab()
    before = axis.picture
    spectra.pin((4.0, -1.0))
    view.grab()
    assert axis.picture is before
    for change in (
        lambda: spectra.plot.setFixedHeight(340),
        lambda: spectra.plot.set_axis_range(900, 1100),
        lambda: spectra.plot.set_theme("white", "black"),
    ):
        change()
        qtbot.wait(50)
        view.grab()
        assert axis.picture is not before
        bounds = axis.boundingRect()
        assert axis.picture.height() == round(bounds.height())
        before = axis.picture
