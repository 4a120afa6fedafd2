"""While a job of a dock runs and its results are shown, the window's own thread is soon back at its events.

What counts is the processor time of that thread between two beats of a timer, so that a busy machine fails no test,
less what napari itself takes to make and insert a layer and to paint its window. Bigger cubes, and the clock, are in
`benchmarks/responsiveness.py`.
"""

from __future__ import annotations

import dataclasses
import gc
import runpy
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import Qt, QTimer

import napari_deeper as nd
from napari_deeper.plugin.jobs import JobRunner
from napari_deeper.plugin.layers import add_cube
from napari_deeper.simulate.bands import spectrum
from napari_deeper.simulate.components import COMPONENTS

LEFT = Qt.MouseButton.LeftButton
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
MOST = 0.05  # s
AXIS = np.linspace(600, 1800, 500)


def make_cube(side=64, axis=AXIS, name="cell"):
    rng = np.random.default_rng(0)
    pure = np.array([spectrum(COMPONENTS[n], axis) for n in ("protein", "lipid", "nucleic acid")])
    amounts = rng.dirichlet((1.0, 0.6, 0.4), (side, side)).astype(np.float32)
    values = 100 * amounts @ pure + rng.standard_normal((side, side, axis.size), np.float32)
    return nd.RamanCube(values, axis, (0.5, 0.5), metadata={"name": name})


def named(cube, name, values):
    return dataclasses.replace(cube, intensity=values.astype(np.float32), metadata={"name": name})


@pytest.fixture
def opened(make_napari_viewer, qtbot):
    """Open a dock with a cube of this size, and wait until both have come to rest."""

    def open_dock(title, side=64, prepare=lambda dock: None):
        viewer = make_napari_viewer()
        add_cube(viewer, make_cube(side))
        _, dock = viewer.window.add_plugin_dock_widget("napari-deeper", title)
        prepare(dock)
        qtbot.wait(800)
        return viewer, dock

    return open_dock


def check(heart):
    longest = heart.longest("ours")
    assert longest.ours < MOST, str(longest)


def work(act, running, beating, qtbot):
    """Do something and wait until it and what it shows has ended; the thread must never be away for long."""
    gc.collect()  # what earlier tests left
    with beating() as heart:
        act()
        qtbot.waitUntil(lambda: not running(), timeout=120_000)
        qtbot.wait(100)
    check(heart)


def click(qtbot, button):
    assert button.isEnabled()
    return lambda: qtbot.mouseClick(button, LEFT)


def enhance_form(dock, method, scale=0, comparators=()):
    dock.form.denoise_on.setChecked(bool(method))
    if method:
        dock.form.denoise.set_field("method", method)
    dock.form.super_resolve_on.setChecked(scale > 0)
    if scale:
        dock.form.super_resolve.set_field("scale", scale)
    for name in comparators:
        dock.form.comparators[name].setChecked(True)
    dock.refresh()


def test_the_heart_feels_what_blocks_and_not_what_waits(qtbot, beating):
    def block():
        end = time.thread_time() + 0.1
        while time.thread_time() < end:
            pass

    with beating() as heart:
        qtbot.wait(50)
        QTimer.singleShot(0, block)
        qtbot.wait(50)
    assert heart.longest("ours").ours >= 0.09
    with beating() as heart:
        QTimer.singleShot(0, lambda: time.sleep(0.1))
        qtbot.wait(50)
    assert heart.longest("wall").wall >= 0.09
    check(heart)


def test_results_are_shown_a_piece_in_a_turn(qtbot):
    shown, turns, runners = [], [], []

    def pieces():
        for i in range(5):
            shown.append((i, len(turns)))
            yield

    class Owner(QTimer):
        def __init__(self):
            super().__init__()
            self.timeout.connect(lambda: turns.append(None))
            runners.append(
                JobRunner(self, lambda *_: None, lambda *_: pieces(), lambda: shown.append("end"))
            )

    owner = Owner()
    owner.start(0)
    runners[0].start(lambda _: None)
    assert runners[0].running
    with pytest.raises(RuntimeError, match="running already"):
        runners[0].start(lambda _: None)
    qtbot.waitUntil(lambda: not runners[0].running, timeout=60_000)
    assert [what for what, _ in shown[:-1]] == list(range(5))
    assert shown[-1] == "end"
    assert len({turn for _, turn in shown[:-1]}) == 5
    owner.stop()


def test_torch_is_loaded_by_a_worker_with_the_window_alive():
    code = """
import sys, threading
from napari_deeper.plugin.slow_imports import let_go_while_torch_loads
let_go_while_torch_loads()
before = list(sys.meta_path)
let_go_while_torch_loads()
assert sys.meta_path == before
ended = threading.Event()
def load():
    import torch
    assert float(torch.ones(3).sum()) == 3
    ended.set()
thread = threading.Thread(target=load)
thread.start()
thread.join()
assert ended.is_set() and len(sys.meta_path) == len(before) - 1
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_no_garbage_is_looked_for_while_a_worker_loads_a_library():
    code = """
import gc, sys, threading, weakref
from napari_deeper.plugin.slow_imports import let_go_while_torch_loads, load_for_layers
class Node: pass
node = Node()
node.itself, alive = node, weakref.ref(node)
looked = []
gc.callbacks.append(lambda phase, info: looked.append(info["generation"]) if phase == "start" else None)
let_go_while_torch_loads()
def load():
    load_for_layers()
    import torch
gc.collect()
looked.clear()
thread = threading.Thread(target=load)
thread.start()
thread.join()
assert "torch" in sys.modules and "pandas" in sys.modules
assert 2 not in looked, looked
assert gc.isenabled() and gc.get_freeze_count() == 0
del node
gc.collect()
assert alive() is None
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("side", "form"),
    [
        (64, {"method": "low-rank"}),
        (32, {"method": "auto"}),
        (32, {"method": "", "scale": 2}),
        (48, {"method": "low-rank", "scale": 2, "comparators": ("savgol", "pca", "bicubic")}),
    ],
)
def test_enhancing(opened, beating, qtbot, side, form):
    viewer, dock = opened("Enhance", side)
    enhance_form(dock, **form)
    work(click(qtbot, dock.foot.run_button), lambda: dock.running, beating, qtbot)
    assert len(viewer.layers) > 1, dock.failure


def test_unmixing_and_editing(opened, beating, qtbot):
    viewer, dock = opened("Components", prepare=lambda dock: dock.form.number.setValue(3))
    work(click(qtbot, dock.foot.run_button), lambda: dock.running, beating, qtbot)
    assert len(viewer.layers) == 3, dock.failure
    work(click(qtbot, dock.foot.run_button), lambda: dock.running, beating, qtbot)
    dock.result.table.selectRow(0)
    dock.refresh()
    work(click(qtbot, dock.result.remove), lambda: dock.running, beating, qtbot)
    assert len(dock.endmembers) == 2


def test_preparing_and_its_preview_and_rays(opened, beating, qtbot):
    viewer, dock = opened("Prepare")

    def busy():
        return dock._timer.isActive() or dock._live.busy or dock.running or dock.finder.running

    work(lambda: dock.steps.setCurrentRow(2), busy, beating, qtbot)
    dock.steps.setCurrentRow(0)
    work(click(qtbot, dock.rays.button), busy, beating, qtbot)
    dock.form.form.set_field("threshold", 7.0)
    work(click(qtbot, dock.foot.run_button), busy, beating, qtbot)
    assert "prepared" in viewer.layers[-1].name, dock.failure


def test_comparing_mapping_and_reporting(opened, beating, qtbot, tmp_path):
    viewer, dock = opened("Compare", 48)
    cube = make_cube(48)
    noise = np.random.default_rng(1).normal(0, 9, cube.shape)
    add_cube(viewer, named(cube, "noisy", cube.intensity + noise))
    add_cube(viewer, nd.denoise(cube, method="savgol"))
    dock.form.params.set_field("n_endmembers", 3)
    qtbot.wait(300)
    work(click(qtbot, dock.foot.run_button), lambda: dock.running, beating, qtbot)
    assert dock.found is not None, dock.failure
    work(click(qtbot, dock.page.differences), lambda: dock.busy, beating, qtbot)
    assert len(viewer.layers) == 5
    folder = tmp_path / "report"
    work(lambda: dock.save_report(folder), lambda: dock.busy, beating, qtbot)
    assert any(folder.iterdir())


def test_evaluating_and_reporting(opened, beating, qtbot, tmp_path):
    _, dock = opened("Evaluate", 24)
    dock.form.params.set_field("methods", "low-rank")
    dock.refresh()
    work(click(qtbot, dock.foot.run_button), lambda: dock.running, beating, qtbot)
    assert dock.evaluation is not None, dock.failure
    folder = tmp_path / "report"
    work(lambda: dock.save_report(folder), lambda: dock._saving.running, beating, qtbot)
    assert any(folder.iterdir())


def test_drawing_and_writing_a_figure(opened, beating, qtbot, tmp_path):
    viewer, dock = opened("Figure")
    viewer.window._qt_window.show()
    qtbot.waitUntil(lambda: not dock.drawing, timeout=60_000)
    work(dock.refresh, lambda: dock.drawing, beating, qtbot)
    path = tmp_path / "figure.png"
    work(lambda: dock.save_figure(path), lambda: dock.saving, beating, qtbot)
    assert any(tmp_path.iterdir())


def test_suggesting_patches(opened, beating, qtbot):
    _, dock = opened("Annotate", prepare=lambda dock: dock.form.set_size(16))
    work(click(qtbot, dock.form.suggest), lambda: dock._jobs.running, beating, qtbot)


def test_dragging_a_band_of_a_heatmap(opened, beating, qtbot):
    viewer, dock = opened("Spectra")
    dock.band.heatmap.setChecked(True)
    qtbot.wait(800)

    def drag():
        for low in np.linspace(900, 1500, 20):
            dock.plot.set_band(low, low + 30)
            qtbot.wait(10)

    work(drag, lambda: False, beating, qtbot)
    assert len(viewer.layers) == 2


def test_watching_a_folder(make_napari_viewer, beating, qtbot, tmp_path):
    viewer = make_napari_viewer()
    _, dock = viewer.window.add_plugin_dock_widget("napari-deeper", "Watch")
    add_cube(viewer, make_cube(24))
    (tmp_path / "in").mkdir()
    for i in range(3):
        nd.write(make_cube(24), tmp_path / "in" / f"{i}.npz")
    workflow = nd.Workflow(denoise=nd.DenoiseParams(method="savgol"))
    dock.choose_workflow(str(nd.write_workflow(workflow, tmp_path / "savgol.json")))
    dock.folder.setText(str(tmp_path / "in"))
    dock.out.setText(str(tmp_path / "out"))
    dock.poll = 0.05
    qtbot.wait(500)
    work(click(qtbot, dock.start_button), lambda: len(viewer.layers) < 4, beating, qtbot)
    work(click(qtbot, dock.stop_button), lambda: dock.running, beating, qtbot)


def test_the_benchmark_of_it_runs(capsys, monkeypatch, make_napari_viewer, qtbot):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.setattr("napari.Viewer", lambda **_: make_napari_viewer())
    runpy.run_path(str(BENCHMARKS / "responsiveness.py"))["main"](["--quick"])
    rows = [r for r in capsys.readouterr().out.splitlines() if r.startswith("| Components")]
    assert len(rows) == 2
