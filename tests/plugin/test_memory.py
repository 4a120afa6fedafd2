"""What docks have worked on is freed when its layers are removed, while the docks stay open."""

from __future__ import annotations

import gc
import shutil
import weakref

import numpy as np
import psutil
import pytest
from qtpy.QtCore import Qt

import napari_deeper as nd
from napari_deeper.models.checkpoint import shipped
from napari_deeper.plugin.layers import add_cube
from napari_deeper.simulate.bands import spectrum
from napari_deeper.simulate.components import COMPONENTS

LEFT = Qt.MouseButton.LeftButton


def make_cube(side=24, n_channels=150, name="cell"):
    rng = np.random.default_rng(0)
    axis = np.linspace(600, 1800, n_channels)
    pure = np.array([spectrum(COMPONENTS[n], axis) for n in ("protein", "lipid", "nucleic acid")])
    amounts = rng.dirichlet((1.0, 0.6, 0.4), (side, side)).astype(np.float32)
    values = 100 * amounts @ pure.astype(np.float32)
    values += rng.standard_normal(values.shape, np.float32)
    return nd.RamanCube(values, axis, (0.5, 0.5), metadata={"name": name})


def owner(array):
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def watch(viewer):
    """Return weak references to all layers and to what holds the values of cubes."""
    held = [weakref.ref(layer) for layer in viewer.layers]
    for layer in viewer.layers:
        arrays = [layer.data, *layer.metadata.values()]
        # maps of differences are a part of the table that the Compare dock goes on showing
        cubes = [a for a in arrays if isinstance(a, np.ndarray) and a.ndim == 3]
        held += [weakref.ref(owner(array)) for array in cubes]
    return held


def freed(viewer, qtbot):
    """Remove every layer and return what is still there of them."""
    held = watch(viewer)
    viewer.layers.clear()
    qtbot.wait(300)
    gc.collect()
    return [ref() for ref in held if ref() is not None]


def click(qtbot, button):
    assert button.isEnabled()
    qtbot.mouseClick(button, LEFT)


def wait(qtbot, condition):
    qtbot.waitUntil(condition, timeout=120_000)


def enhance(viewer, dock, qtbot):
    dock.form.denoise.set_field("method", "low-rank")
    dock.form.super_resolve_on.setChecked(False)
    dock.form.comparators["savgol"].setChecked(True)
    dock.refresh()
    click(qtbot, dock.foot.run_button)
    wait(qtbot, lambda: not dock.running)


def components(viewer, dock, qtbot):
    dock.form.number.setValue(3)
    dock.refresh()
    click(qtbot, dock.foot.run_button)
    wait(qtbot, lambda: not dock.running)
    dock.result.table.selectRow(0)
    dock.refresh()
    click(qtbot, dock.result.remove)
    wait(qtbot, lambda: not dock.running)


def prepare(viewer, dock, qtbot):
    wait(qtbot, lambda: not dock._live.busy)
    dock.steps.setCurrentRow(0)
    qtbot.wait(100)
    click(qtbot, dock.rays.button)
    wait(qtbot, lambda: not dock.finder.running)
    click(qtbot, dock.foot.run_button)
    wait(qtbot, lambda: not dock.running and not dock._live.busy)


def compare(viewer, dock, qtbot):
    add_cube(viewer, nd.denoise(make_cube(), method="savgol"))
    dock.form.params.set_field("n_endmembers", 3)
    dock.refresh()
    click(qtbot, dock.foot.run_button)
    wait(qtbot, lambda: not dock.running)
    click(qtbot, dock.page.differences)
    wait(qtbot, lambda: not dock.busy)
    click(qtbot, dock.page.side_by_side)
    click(qtbot, dock.results.keep_button)
    dock.page.set_side_by_side(False)


def evaluate(viewer, dock, qtbot):
    dock.form.params.set_field("methods", "low-rank")
    dock.refresh()
    click(qtbot, dock.foot.run_button)
    wait(qtbot, lambda: not dock.running)


def spectra(viewer, dock, qtbot):
    dock.pin((1.0, 1.0))
    dock.pin((2.0, 1.0), add=True)
    dock.band.heatmap.setChecked(True)
    dock.plot.set_band(1000.0, 1030.0)
    qtbot.wait(300)


def figure(viewer, dock, qtbot):
    viewer.window._qt_window.show()
    dock.refresh()
    wait(qtbot, lambda: not dock.drawing)


def annotate(viewer, dock, qtbot):
    dock.form.set_size(8)
    dock.refresh()
    click(qtbot, dock.form.suggest)
    wait(qtbot, lambda: not dock._jobs.running)


def finetune(viewer, dock, qtbot):
    dock.refresh()
    wait(qtbot, lambda: not dock.busy)


@pytest.mark.parametrize(
    ("title", "use"),
    [
        ("Enhance", enhance), ("Components", components), ("Prepare", prepare), ("Compare", compare),
        ("Evaluate", evaluate), ("Spectra", spectra), ("Figure", figure), ("Annotate", annotate),
        ("Fine-tune", finetune),
    ],
)  # fmt: skip
def test_a_dock_keeps_nothing_of_layers_that_are_gone(make_napari_viewer, qtbot, title, use):
    viewer = make_napari_viewer()
    _, dock = viewer.window.add_plugin_dock_widget("napari-deeper", title)
    add_cube(viewer, make_cube())
    qtbot.wait(600)
    use(viewer, dock, qtbot)
    qtbot.wait(300)
    left = freed(viewer, qtbot)
    assert not left


def test_bands_of_cubes_that_are_gone_are_refused_in_words(make_napari_viewer, qtbot):
    viewer = make_napari_viewer()
    _, dock = viewer.window.add_plugin_dock_widget("napari-deeper", "Compare")
    add_cube(viewer, make_cube())
    compare(viewer, dock, qtbot)
    viewer.layers.clear()
    dock.page.difference_of.setCurrentIndex(2)  # a band
    click(qtbot, dock.page.differences)
    assert "are gone" in dock.foot.message.text()
    dock.page.difference_of.setCurrentIndex(0)
    click(qtbot, dock.page.differences)
    wait(qtbot, lambda: not dock.busy)
    assert len(viewer.layers) == 1  # what was found over all channels is still known


def test_shipped_networks_are_kept_by_the_dock_and_own_ones_are_not(
    make_napari_viewer, qtbot, tmp_path
):
    import torch

    def networks():
        gc.collect()
        return {id(o) for o in gc.get_objects() if issubclass(type(o), torch.nn.Module)}

    others = networks()  # of other tests
    own = tmp_path / "own.safetensors"
    for suffix in (".safetensors", ".json"):
        shutil.copy(shipped("resunet").with_suffix(suffix), own.with_suffix(suffix))
    viewer = make_napari_viewer()
    _, dock = viewer.window.add_plugin_dock_widget("napari-deeper", "Enhance")
    add_cube(viewer, make_cube())
    dock.form.denoise.set_field("method", "resunet")
    dock.form.super_resolve_on.setChecked(False)

    def run(dock, model):
        dock.form.denoise_weights.set_value(model)
        dock.refresh()
        click(qtbot, dock.foot.run_button)
        wait(qtbot, lambda: not dock.running)
        assert not dock.failure

    run(dock, str(own))
    assert networks() <= others
    run(dock, "")
    kept = networks() - others
    assert kept
    run(dock, "")
    run(dock, str(own))
    assert networks() - others == kept
    viewer.window.remove_dock_widget(dock)
    del dock
    qtbot.wait(200)
    assert networks() <= others


def test_memory_comes_back_when_layers_are_removed(make_napari_viewer, qtbot):
    viewer = make_napari_viewer()
    docks = [
        viewer.window.add_plugin_dock_widget("napari-deeper", title)[1]
        for title in ("Enhance", "Spectra", "Prepare")
    ]
    n_bytes = 128 * 128 * 1000 * 4

    def resident():
        """Open a cube, denoise it and remove all again; return what is left in memory."""
        source = add_cube(viewer, make_cube(128, 1000))
        docks[1].pin((1.0, 1.0))
        docks[0].form.denoise.set_field("method", "low-rank")
        docks[0].form.super_resolve_on.setChecked(False)
        docks[0].refresh()
        click(qtbot, docks[0].foot.run_button)
        wait(qtbot, lambda: not docks[0].running)
        assert source.data.nbytes == n_bytes and len(viewer.layers) == 3
        del source
        viewer.layers.clear()
        qtbot.wait(1500)
        gc.collect()
        return psutil.Process().memory_info().rss

    first = resident()  # what is loaded once stays
    resident()
    resident()
    # What is kept is kept each time, while the heap of a process of many tests may grow once: over three runs the cube
    # alone would be too much. napari itself leaves some MB for each layer.
    assert resident() - first < 2 * n_bytes
