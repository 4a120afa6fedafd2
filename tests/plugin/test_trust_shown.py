"""Uncertainty and flags of a result, from its layer to the eye."""

from __future__ import annotations

import dataclasses
import gc
import time
import weakref

import numpy as np
import pyqtgraph as pg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from napari.layers import Image, Labels
from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication

from napari_deeper import RamanCube, read, super_resolve
from napari_deeper.plugin.layers import (
    FLAGGED,
    UNCERTAINTY,
    add_cube,
    cube_from_layer,
    layer_tuple,
    read_at,
)
from napari_deeper.plugin.trust_maps import trust_layer
from napari_deeper.plugin.widgets.spectra import SpectraWidget
from napari_deeper.processing.bands import band_mean
from napari_deeper.spectra.errors import CubeError
from napari_deeper.spectra.trust import FLAG_WARNING

FLAGGED_PIXELS = ((2, 2), (4, 5))


def trusted(cube: RamanCube, name: str = "result") -> RamanCube:
    """Return a cube with made-up uncertainties and two flagged pixels."""
    rng = np.random.default_rng(2)
    flagged = np.zeros(cube.shape[:2], bool)
    flagged[tuple(zip(*FLAGGED_PIXELS, strict=True))] = True
    sigma = rng.uniform(2, 6, cube.shape).astype(np.float32)
    metadata = {**cube.metadata, "name": name}
    return dataclasses.replace(cube, uncertainty=sigma, flagged=flagged, metadata=metadata)


@pytest.fixture
def window(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    viewer.window._qt_window.resize(1280, 720)
    dock, spectra = viewer.window.add_plugin_dock_widget("napari-deeper", "Spectra")
    viewer.window._qt_window.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, dock)
    assert isinstance(spectra, SpectraWidget)
    return viewer, spectra


@settings(deadline=None, max_examples=20)
@given(
    shape=st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 6)),
    has=st.tuples(st.booleans(), st.booleans()),
)
def test_a_layer_keeps_uncertainty_and_flags(shape, has):
    rng = np.random.default_rng(0)
    sigma = rng.random(shape, dtype=np.float32) if has[0] else None
    flagged = rng.random(shape[:2]) < 0.5 if has[1] else None
    cube = RamanCube(np.ones(shape), np.arange(shape[2]) + 5, uncertainty=sigma, flagged=flagged)
    data, attributes, _ = layer_tuple(cube)
    layer = Image(data, **attributes)
    back = cube_from_layer(layer)
    for name, key in (("uncertainty", UNCERTAINTY), ("flagged", FLAGGED)):
        wanted = getattr(cube, name)
        if wanted is None:
            assert getattr(back, name) is None
            assert key not in layer.metadata
        else:
            np.testing.assert_array_equal(getattr(back, name), wanted)
            assert np.shares_memory(getattr(back, name), wanted)


def test_a_layer_cut_to_other_pixels_is_refused_in_words(small_cube):
    data, attributes, _ = layer_tuple(trusted(small_cube))
    layer = Image(data[:, :5], **attributes)
    with pytest.raises(CubeError, match=r"5 x 7 pixels, but the uncertainty and flags .* 9 x 7"):
        cube_from_layer(layer)


@pytest.mark.parametrize("suffix", [".npz", ".zarr", ".mat"])
def test_saved_from_napari_and_opened_again(make_napari_viewer, small_cube, tmp_path, suffix):
    viewer = make_napari_viewer()
    cube = trusted(small_cube)
    (saved,) = add_cube(viewer, cube).save(str(tmp_path / f"out{suffix}"), plugin="napari-deeper")
    np.testing.assert_array_equal(read(saved).uncertainty, cube.uncertainty)
    (layer,) = viewer.open(saved, plugin="napari-deeper")
    np.testing.assert_array_equal(cube_from_layer(layer).flagged, cube.flagged)
    assert len(viewer.layers) == 2


def test_the_memory_goes_with_the_layer(window, small_cube, qtbot):
    viewer, spectra = window
    add_cube(viewer, small_cube)
    layer = add_cube(viewer, trusted(small_cube))
    spectra.pin((4.0, -1.0))
    qtbot.mouseClick(spectra.band.trust, Qt.MouseButton.LeftButton)
    held = weakref.ref(layer.metadata[UNCERTAINTY])
    viewer.layers.remove(layer)
    del layer
    qtbot.wait(50)
    gc.collect()
    assert held() is None
    assert [la.name for la in viewer.layers if la.ndim == 2] == ["Spectra markers"]


def test_a_reading_averages_the_uncertainty_and_keeps_any_flag(small_cube):
    cube = trusted(small_cube)
    data, attributes, _ = layer_tuple(cube)
    layer = Image(data, **attributes)
    y, x = 3.0 + 0.5 * 2, -2.0 + 0.5 * 3
    alone = read_at(layer, (y, x), 0)
    np.testing.assert_array_equal(alone.uncertainty, cube.uncertainty[2, 3])
    assert not alone.flagged
    wide = read_at(layer, (y, x), 0.5)
    plus = [(2, 3), (1, 3), (3, 3), (2, 2), (2, 4)]
    expected = np.mean([cube.uncertainty[p] for p in plus], axis=0)
    np.testing.assert_allclose(wide.uncertainty, expected, rtol=1e-6)
    assert wide.flagged
    data, attributes, _ = layer_tuple(small_cube)
    plain = read_at(Image(data, **attributes), (y, x), 0.5)
    assert plain.uncertainty is None
    assert not plain.flagged


def test_one_sigma_is_shaded_around_the_curve(window, small_cube):
    viewer, spectra = window
    cube = trusted(small_cube)
    add_cube(viewer, small_cube)
    add_cube(viewer, cube)
    spectra.pin((3.0 + 0.5 * 4, -2.0 + 0.5 * 2))
    ((x, low, high),) = spectra.plot.shaded()  # the input knows none
    np.testing.assert_array_equal(x, cube.wavenumber)
    middle, sigma = cube.intensity[4, 2], cube.uncertainty[4, 2]
    np.testing.assert_array_equal(low, middle - sigma)
    np.testing.assert_array_equal(high, middle + sigma)
    assert spectra.plot.legend.names()[0] == "shaded: ± 1 sigma"
    spectra.panel.scaling.setCurrentText("maximum = 1")
    ((_, _, high),) = spectra.plot.shaded()
    np.testing.assert_allclose(high, (middle + sigma) / middle.max(), rtol=1e-5)


def test_the_shade_is_painted_between_its_borders(window, qtbot):
    viewer, spectra = window
    axis = np.linspace(600, 1800, 100)
    flat = RamanCube(
        np.full((3, 3, 100), 50.0), axis, uncertainty=np.linspace(1, 9, 900).reshape(3, 3, 100)
    )
    add_cube(viewer, flat)
    spectra.pin((1.0, 1.0))
    qtbot.wait(100)
    view = spectra.plot._plot
    box = view.getPlotItem().vb
    box.setRange(yRange=(40, 60), padding=0)
    spectra.panel.uncertainty.setChecked(True)
    qtbot.wait(100)
    shown = view.grab().toImage()
    spectra.panel.uncertainty.setChecked(False)
    qtbot.wait(100)
    bare = view.grab().toImage()
    sigma = float(np.interp(1000, axis, flat.uncertainty[1, 1]))
    for offset, tinted in [(0.8, True), (-0.8, True), (1.3, False), (-1.3, False)]:
        point = view.mapFromScene(box.mapViewToScene(pg.Point(1000, 50 + offset * sigma)))
        changed = shown.pixelColor(point) != bare.pixelColor(point)
        assert changed == tinted, offset


def test_the_shade_can_be_switched_off_and_is_remembered(window, small_cube, qtbot):
    viewer, spectra = window
    add_cube(viewer, trusted(small_cube))
    spectra.pin((4.0, -1.0))
    assert spectra.plot.shaded()
    box = spectra.panel.uncertainty
    qtbot.keyClick(box, Qt.Key.Key_Space)
    assert not box.isChecked()
    assert not spectra.plot.shaded()
    assert spectra.plot.legend.names() == ["result"]
    viewer.window.remove_dock_widget(spectra)
    _, again = viewer.window.add_plugin_dock_widget("napari-deeper", "Spectra")
    assert not again.panel.uncertainty.isChecked()


def test_a_copy_holds_the_uncertainty(window, small_cube):
    viewer, spectra = window
    cube = trusted(small_cube)
    add_cube(viewer, cube)
    spectra.pin((4.0, -1.0))
    spectra.copy_spectra()
    head, *rows = QGuiApplication.clipboard().text().splitlines()
    assert '"one sigma of result' in head
    table = np.array([[float(cell) for cell in row.split("\t")] for row in rows])
    np.testing.assert_allclose(table[:, 2], cube.uncertainty[2, 2], rtol=1e-5)


def test_a_flagged_pixel_is_told_where_it_is_pinned(window, small_cube, qtbot):
    viewer, spectra = window
    add_cube(viewer, trusted(small_cube))
    spectra.pin((3.0 + 0.5 * 2, -2.0 + 0.5 * 2))
    assert FLAG_WARNING in spectra.panel.status.text()
    assert "result" in spectra.panel.status.toolTip()
    qtbot.keyClick(spectra, Qt.Key.Key_Right)
    assert FLAG_WARNING not in spectra.panel.status.text()


@pytest.mark.parametrize("by", ["mouse", "keyboard"])
def test_trust_becomes_two_layers_over_the_result(window, small_cube, qtbot, by):
    viewer, spectra = window
    cube = trusted(super_resolve(small_cube, scale=2, method="bilinear"))
    add_cube(viewer, small_cube)
    result = add_cube(viewer, cube)
    spectra.pin((4.0, -1.0))
    if by == "mouse":
        qtbot.mouseClick(spectra.band.trust, Qt.MouseButton.LeftButton)
    else:
        qtbot.keyClick(spectra.band.trust, Qt.Key.Key_Space)
    image = trust_layer(viewer, result, UNCERTAINTY)
    labels = trust_layer(viewer, result, FLAGGED)
    assert image.name == "1440-1460 cm-1, result · uncertainty"
    assert labels.name == "result · flagged"
    assert isinstance(labels, Labels)
    low, high = spectra.plot.band()
    sigma = band_mean(cube.uncertainty, cube.wavenumber, low, high)
    np.testing.assert_allclose(image.data, sigma, rtol=1e-6)
    np.testing.assert_array_equal(labels.data.astype(bool), cube.flagged)
    for layer in (image, labels):
        np.testing.assert_array_equal(layer.scale, result.scale[1:])
        np.testing.assert_array_equal(layer.translate, result.translate[1:])
    assert viewer.layers.selection.active is result
    assert viewer.layers[-1].name == "Spectra markers"
    assert "2 flagged pixels" in spectra.panel.status.text()
    # once there they follow the band, and are not made twice
    spectra.plot.set_band(990, 1020)
    expected = band_mean(cube.uncertainty, cube.wavenumber, 990, 1020)
    np.testing.assert_allclose(image.data, expected, rtol=1e-6)
    n_layers = len(viewer.layers)
    qtbot.mouseClick(spectra.band.trust, Qt.MouseButton.LeftButton)
    assert len(viewer.layers) == n_layers
    viewer.layers.remove(result)
    assert image not in viewer.layers
    assert labels not in viewer.layers


def test_the_uncertainty_of_a_band_is_never_below_the_error_of_its_mean(small_cube):
    # errors that all go together are the worst case that one sigma per channel allows
    rng = np.random.default_rng(5)
    cube = trusted(small_cube)
    sigma = cube.uncertainty[3, 3, 70:75]
    together = rng.normal(size=20_000)[:, None] * sigma
    apart = rng.normal(size=(20_000, 5)) * sigma
    told = sigma.mean()
    assert together.mean(axis=1).std() == pytest.approx(told, rel=0.03)
    assert apart.mean(axis=1).std() < told


def test_a_layer_without_trust_says_why_it_has_none(window, small_cube):
    viewer, spectra = window
    assert not spectra.band.trust.isEnabled()
    add_cube(viewer, small_cube)
    assert not spectra.band.trust.isEnabled()
    assert "no uncertainty" in spectra.band.trust.toolTip()
    add_cube(viewer, trusted(small_cube))
    assert spectra.band.trust.isEnabled()


def test_shading_five_layers_costs_next_to_nothing(window, qtbot):
    viewer, spectra = window
    rng = np.random.default_rng(1)
    axis = np.linspace(600, 1800, 500)
    for i in range(5):
        cube = RamanCube(rng.normal(100, 5, (6, 7, 500)), axis, (0.5, 0.5))
        add_cube(viewer, trusted(cube, f"layer {i}"))

    def drawn() -> float:
        # the time of this thread, which other programs do not add to
        start = time.thread_time()
        spectra.refresh()
        spectra.plot.grab()
        return time.thread_time() - start

    spectra.pin((1.0, 1.0))
    costs = {}
    for shown in (False, True):
        spectra.panel.uncertainty.setChecked(shown)
        drawn()
        costs[shown] = np.median([drawn() for _ in range(10)])
    assert costs[True] - costs[False] < 0.016
