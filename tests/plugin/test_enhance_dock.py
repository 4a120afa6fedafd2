"""The Enhance dock, driven by real clicks in a real viewer."""

from __future__ import annotations

import dataclasses
import gc
import threading
import weakref

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget

from napari_deeper import DenoiseParams, RamanCube, SuperResolveParams, denoise, super_resolve
from napari_deeper.plugin.layers import FLAGGED, add_cube, cube_from_layer
from napari_deeper.plugin.trust_maps import trust_layer
from napari_deeper.plugin.widgets import enhance as enhance_module
from napari_deeper.plugin.widgets.enhance import EnhanceWidget
from napari_deeper.plugin.widgets.workspace import open_docks


def deeper_threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "napari-deeper"]


@pytest.fixture
def window(make_napari_viewer):
    viewer = make_napari_viewer()
    _, enhance = viewer.window.add_plugin_dock_widget("napari-deeper", "Enhance")
    assert isinstance(enhance, EnhanceWidget)
    return viewer, enhance


@pytest.fixture
def big_cube(small_cube) -> RamanCube:
    """Enough spectra for the network to be busy with for a while."""
    return RamanCube(np.tile(small_cube.intensity, (40, 20, 1)), small_cube.wavenumber)


def choose(enhance, *, denoise=None, super_resolve=None, scale=2):
    enhance.form.denoise_on.setChecked(denoise is not None)
    enhance.form.super_resolve_on.setChecked(super_resolve is not None)
    if denoise:
        enhance.form.denoise.set_field("method", denoise)
    if super_resolve:
        enhance.form.super_resolve.set_field("method", super_resolve)
        enhance.form.super_resolve.set_field("scale", scale)
    enhance.refresh()


def run(enhance, qtbot):
    qtbot.mouseClick(enhance.foot.run_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not enhance.running, timeout=60_000)


def test_the_form_starts_from_the_defaults_of_the_params(window):
    _, enhance = window
    assert enhance.form.denoise.value() == DenoiseParams()
    assert enhance.form.super_resolve.value() == SuperResolveParams()


def test_without_a_cube_the_dock_says_what_to_do(window):
    _, enhance = window
    enhance.refresh()
    assert "Open Sample" in enhance.fit.text()
    assert not enhance.foot.run_button.isEnabled()


@pytest.mark.parametrize(
    ("data", "rgb", "words"),
    [
        (np.zeros((6, 6, 3), np.uint8), True, "RGB"),
        (np.zeros((5, 6, 6), np.float32), False, "no wavenumbers"),
    ],
)
def test_a_layer_that_is_no_cube_is_told(window, qtbot, data, rgb, words):
    viewer, enhance = window
    viewer.add_image(data, rgb=rgb, name="wrong")
    qtbot.waitUntil(lambda: words in enhance.fit.text())
    assert not enhance.foot.run_button.isEnabled()


def test_nothing_ticked_is_told(window, small_cube):
    viewer, enhance = window
    add_cube(viewer, small_cube)
    choose(enhance)
    assert "Tick Denoise" in enhance.fit.text()
    assert not enhance.foot.run_button.isEnabled()


def test_run_adds_named_layers_and_leaves_the_input_alone(window, small_cube, qtbot):
    viewer, enhance = window
    source = add_cube(viewer, small_cube)
    before = source.data.copy()
    choose(enhance, denoise="low-rank", super_resolve="bilinear", scale=3)
    enhance.form.comparators["savgol"].setChecked(True)
    enhance.form.comparators["nearest"].setChecked(True)
    run(enhance, qtbot)
    names = [layer.name for layer in viewer.layers]
    assert names[0] == "small"
    assert len(names) == 5
    assert len(set(names)) == 5
    for word in ("low-rank", "bilinear", "savgol", "nearest", "3x"):
        assert any(word in name for name in names[1:])
    np.testing.assert_array_equal(source.data, before)
    top = cube_from_layer(viewer.layers[-1])
    expected = super_resolve(denoise(small_cube, method="low-rank"), scale=3, method="bilinear")
    np.testing.assert_allclose(top.intensity, expected.intensity, rtol=1e-5, atol=1e-3)
    assert [step.verb for step in top.provenance] == ["denoise", "super-resolve"]
    assert viewer.layers[-1].contrast_limits == source.contrast_limits
    assert enhance.cube.layer() is source  # another run starts from the same cube
    viewer.layers.selection.active = viewer.layers[1]
    qtbot.waitUntil(lambda: enhance.cube.layer() is viewer.layers[1])
    assert "already" in enhance.fit.text()
    assert enhance.foot.message.text()


def test_the_settings_are_remembered(window, small_cube, qtbot):
    viewer, enhance = window
    add_cube(viewer, small_cube)
    choose(enhance, denoise="savgol")
    enhance.form.precision.setCurrentText("fp32")
    assert enhance.form.value().denoise.precision == "fp32"
    run(enhance, qtbot)
    viewer.window.remove_dock_widget(enhance)
    _, again = viewer.window.add_plugin_dock_widget("napari-deeper", "Enhance")
    assert again.form.denoise.value().method == "savgol"
    assert again.form.precision.currentText() == "fp32"
    assert not again.form.super_resolve_on.isChecked()


def test_cancel_adds_nothing(window, big_cube, qtbot):
    viewer, enhance = window
    add_cube(viewer, big_cube)
    choose(enhance, denoise="resunet")
    qtbot.mouseClick(enhance.foot.run_button, Qt.MouseButton.LeftButton)
    assert not enhance.foot.run_button.isEnabled()
    qtbot.waitUntil(lambda: enhance.foot.bar.value() > 0, timeout=60_000)
    qtbot.mouseClick(enhance.foot.cancel_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not enhance.running, timeout=30_000)
    assert "Cancelled" in enhance.foot.message.text()
    assert len(viewer.layers) == 1
    assert enhance.foot.run_button.isEnabled()
    qtbot.waitUntil(lambda: not deeper_threads(), timeout=10_000)  # it tells before it ends


def test_a_cube_of_nan_is_refused_with_its_place(window, small_cube, qtbot):
    viewer, enhance = window
    intensity = small_cube.intensity.copy()
    intensity[4, 5, 60] = np.nan
    add_cube(viewer, RamanCube(intensity, small_cube.wavenumber))
    choose(enhance, denoise="low-rank")
    run(enhance, qtbot)
    assert "y=4, x=5" in enhance.foot.message.text()
    assert len(viewer.layers) == 1


@pytest.mark.parametrize("what", ["dock", "layer"])
def test_closing_the_dock_or_removing_the_layer_during_a_run(window, big_cube, qtbot, what):
    viewer, enhance = window
    layer = add_cube(viewer, big_cube)
    choose(enhance, denoise="resunet")
    qtbot.mouseClick(enhance.foot.run_button, Qt.MouseButton.LeftButton)
    assert deeper_threads()
    if what == "dock":
        viewer.window.remove_dock_widget(enhance)
        assert not deeper_threads()
        assert len(viewer.layers) == 1
        return
    viewer.layers.remove(layer)
    qtbot.waitUntil(lambda: enhance.foot.bar.value() > 0, timeout=60_000)
    qtbot.mouseClick(enhance.foot.cancel_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not enhance.running, timeout=30_000)


def test_closing_the_viewer_during_a_run_leaves_no_thread(window, big_cube, qtbot):
    viewer, enhance = window
    add_cube(viewer, big_cube)
    choose(enhance, denoise="resunet")
    qtbot.mouseClick(enhance.foot.run_button, Qt.MouseButton.LeftButton)
    assert deeper_threads()
    viewer.close()
    del enhance, viewer
    qtbot.waitUntil(lambda: not deeper_threads(), timeout=30_000)


def test_the_workspace_opens_its_docks_once_with_enhance_in_front(make_napari_viewer, qtbot):
    viewer = make_napari_viewer()
    viewer.window._qt_window.show()
    viewer.window.add_plugin_dock_widget("napari-deeper", "Workspace")
    docks = viewer.window._wrapped_dock_widgets
    qtbot.waitUntil(lambda: not any("Workspace" in name for name in docks))
    names = ["Compare", "Components", "Enhance", "Spectra"]
    assert sorted(name.split(" ")[0] for name in docks) == names
    first = open_docks(viewer)
    assert open_docks(viewer) == first
    assert sorted(name.split(" ")[0] for name in docks) == names
    main = viewer.window._qt_window
    right = [d for d in main.findChildren(QDockWidget) if d.windowTitle().startswith("Enhance")]
    behind = {dock.windowTitle().split(" ")[0] for dock in main.tabifiedDockWidgets(right[0])}
    assert {"Components", "Compare"} <= behind
    qtbot.waitUntil(lambda: not right[0].visibleRegion().isEmpty())
    qtbot.wait(100)  # those behind it have had their say
    assert not right[0].visibleRegion().isEmpty()


def with_trust(results: list[RamanCube]) -> list[RamanCube]:
    """Return results with made-up uncertainty and three flagged pixels in the first."""
    first, *rest = results
    flagged = np.zeros(first.shape[:2], bool)
    flagged[2, 1:4] = True
    sigma = np.full(first.shape, 2.5, np.float32)
    return [dataclasses.replace(first, uncertainty=sigma, flagged=flagged), *rest]


def test_the_end_of_a_run_tells_of_trust_and_offers_the_flags(
    window, small_cube, qtbot, monkeypatch
):
    viewer, enhance = window
    run_plainly = enhance_module.enhance
    monkeypatch.setattr(enhance_module, "enhance", lambda *a: with_trust(run_plainly(*a)))
    add_cube(viewer, small_cube)
    choose(enhance, denoise="low-rank")
    assert not enhance.flags_button.isEnabled()
    run(enhance, qtbot)
    told = enhance.foot.message.text()
    assert "3 of 63 pixels are flagged" in told
    assert "Median uncertainty (one sigma): 2.5," in told
    qtbot.mouseClick(enhance.flags_button, Qt.MouseButton.LeftButton)
    result = viewer.layers[1]
    labels = trust_layer(viewer, result, FLAGGED)
    assert labels.data.sum() == 3
    np.testing.assert_array_equal(labels.scale, result.scale[1:])
    viewer.layers.remove(result)
    assert labels not in viewer.layers
    assert not enhance.flags_button.isEnabled()


def test_results_without_flags_offer_nothing(window, small_cube, qtbot):
    viewer, enhance = window
    add_cube(viewer, small_cube)
    choose(enhance, denoise="savgol")
    run(enhance, qtbot)
    assert viewer.layers[1].metadata.get(FLAGGED) is None
    assert "flagged" not in enhance.foot.message.text()
    assert not enhance.flags_button.isEnabled()


def test_the_dock_keeps_no_layer_that_is_gone(window, small_cube, qtbot):
    viewer, enhance = window
    held = weakref.ref(add_cube(viewer, small_cube))
    choose(enhance, denoise="savgol")
    run(enhance, qtbot)
    viewer.layers.clear()
    enhance.refresh()
    qtbot.wait(50)
    gc.collect()
    assert held() is None
