"""The Fine-tune dock: real clicks, a process that speaks the line protocol, and once the real training."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QApplication

from napari_deeper import Patch, RamanCube, read_cubes, read_patches
from napari_deeper.engine.finetune_job import read_job
from napari_deeper.models.user_models import list_models
from napari_deeper.plugin import finetune_job
from napari_deeper.plugin.finetune_data import LayerAlone
from napari_deeper.plugin.finetune_view import JobView, verdict
from napari_deeper.plugin.layers import add_cube
from napari_deeper.plugin.widgets import finetune, finetune_estimate
from napari_deeper.plugin.widgets.finetune import FinetuneWidget
from napari_deeper.plugin.widgets.finetune_closing import GO_ON, STAY, STOP, ClosingQuestion
from napari_deeper.plugin.widgets.finetune_form import ALONE, ANNOTATED, PAIR
from napari_deeper.plugin.widgets.finetune_result import EACH
from napari_deeper.training.finetune_config import FinetuneParams

# What the real process does, as far as the window can tell, without the seconds that torch takes to load.
CHILD = """
import os, sys, time
from pathlib import Path
import numpy as np
from napari_deeper.training.finetune_events import Control, Reporter
folder, how = Path(sys.argv[1]), os.environ.get("HOW", "")
control, saved, N = Control(folder), folder / "saved", 400
control.clear()
if how == "usage":
    sys.exit("Error: the settings do not go together.")
if how == "estimate":
    print("about 3 min for 400 steps"); sys.exit()
with Reporter(folder) as r:
    if how == "full":
        r.tell("failed", state="failed", message="No space left on device. Make room.")
        print("Traceback: secrets of the machine", file=sys.stderr); sys.exit(1)
    print("2% tune", flush=True)
    r.tell("planned", seconds=240.0, memory_bytes=5_000_000, n_steps=N, n_epochs=40, device="the CPU")
    done = int(saved.read_text()) if saved.exists() else 0
    r.tell("started", state="running", run="tune", step=done, n_steps=N, resumed=done > 0,
           psnr_before=30.0, ssim_before=0.9)
    word = ""
    while done < N and word not in ("stop", "cancel"):
        done += 1
        r.tell("step", run="tune", step=done, n_steps=N, epoch=1, n_epochs=40, loss=1 / done,
               rate=1e-3, seconds_left=7.0)
        if done % 4 == 0:
            r.tell("validated", run="tune", step=done, psnr=30.5, ssim=0.9, best=True, psnr_before=30.0)
            saved.write_text(str(done))
            names = {"nearest": 0, "bilinear": 1, "now": 2, "target": 3}
            np.savez(folder / "preview.npz",
                     **{k: np.full((8, 8), v) + np.arange(8.0) for k, v in names.items()})
            r.tell("preview", run="tune", step=done, path=str(folder / "preview.npz"))
        time.sleep(0.02)
        word = control.word()
        if word == "pause":
            r.tell("paused", state="paused", run="tune", step=done)
            while control.word() == "pause":
                time.sleep(0.02)
            word = control.word()
            r.tell("resumed", state="running", run="tune", step=done)
    if word == "cancel":
        r.tell("stopped", state="stopped", reason="cancel"); sys.exit(130)
    r.tell("judging", state="judging", method="fine-tuned", done=0, n=2)
    better = how != "worse"
    scores = [dict(patch=p, tissue="cartilage", method=m, psnr=v, ssim=0.9, mse=10 ** (-v / 10))
              for m, v in [("fine-tuned", 33.0), ("pretrained", 32.0)] for p in ("one", "two")]
    r.tell("finished", state="finished", model="mine", path="", recommended=better, psnr_before=30.0,
           psnr_after=30.5 if better else 29.0, reason=word, files=[], notes=["A note."], scores=scores)
"""


def make_cube(name, seed=0, shape=(32, 32)):
    rng = np.random.default_rng(seed)
    axis = np.linspace(600, 1800, 60)
    bands = np.exp(-(((axis - np.array([[1004.0], [1450.0]])) / 40) ** 2))
    amounts = rng.random((*shape, 2)).cumsum(0).cumsum(1)
    noise = rng.normal(0, 0.01, (*shape, 60))
    return RamanCube(amounts / amounts.max() @ bands + noise, axis, (1, 1), metadata={"name": name})


def patches(roles="tttttvxx", size=8):
    words = {"t": "train", "v": "validation", "x": "test"}
    places = [(y, x) for y in range(0, 32, size) for x in range(0, 32, size)]
    return [Patch("a", y, x, size, words[r]) for (y, x), r in zip(places, roles, strict=False)]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_DEEPER_MODELS", str(tmp_path / "home" / "models"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture
def child(monkeypatch):
    """Start the stand-in in place of the training; what it does can be set."""

    def command(folder, *flags):
        how = ["estimate"] if flags else []
        if how:
            monkeypatch.setenv("HOW", "estimate")
        return [sys.executable, "-c", CHILD, str(folder)]

    monkeypatch.setattr(finetune_job, "command", command)
    return lambda how: monkeypatch.setenv("HOW", how)


@pytest.fixture
def window(make_napari_viewer):
    viewer = make_napari_viewer()
    add_cube(viewer, make_cube("a"))
    _, annotate = viewer.window.add_plugin_dock_widget("napari-deeper", "Annotate")
    dock = open_dock(viewer)
    annotate.form.set_size(8)
    annotate.set_patches(patches())
    dock.refresh()
    yield viewer, annotate, dock
    dock.ask = lambda parent, can_stay: GO_ON
    for pid in pids(finetune_job.jobs_folder()):
        kill(pid)


def open_dock(viewer):
    _, dock = viewer.window.add_plugin_dock_widget("napari-deeper", "Fine-tune")
    assert isinstance(dock, FinetuneWidget)
    dock.ask = lambda parent, can_stay: GO_ON
    return dock


def pids(folder):
    found = [json.loads(path.read_text()) for path in folder.glob("*/status.json")]
    return [record["pid"] for record in found if record["state"] not in ("finished", "stopped")]


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
    except OSError:
        return


def click(qtbot, button):
    assert button.isEnabled()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def wait(qtbot, condition, timeout=60_000):
    qtbot.waitUntil(lambda: bool(condition()), timeout=timeout)


def start(dock, qtbot):
    wait(qtbot, lambda: not dock.busy)
    dock.refresh()
    click(qtbot, dock.start_button)
    wait(qtbot, lambda: dock.watcher is not None and dock.watcher.view.course.psnr)


def said(dock):
    return dock.run.message.text()


def make_model(name, **card):
    card = {"kind": "eigenimage", "scale": 2, "recommended": True} | card
    header = json.dumps({"__metadata__": {"card": json.dumps(card)}}).encode()
    path = Path(os.environ["NAPARI_DEEPER_MODELS"]) / f"{name}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    return path


# ---- before ---------------------------------------------------------------------------------------------------------


def test_what_cannot_be_learned_from_is_refused_in_words(make_napari_viewer):
    viewer = make_napari_viewer()
    add_cube(viewer, make_cube("a"))
    dock = open_dock(viewer)
    assert "Annotate" in dock.message.text()
    _, annotate = viewer.window.add_plugin_dock_widget("napari-deeper", "Annotate")
    for roles, told in [
        ("", "no patches yet"),
        ("vvxx", "no train patch"),
        ("ttxx", "no validation patch"),
    ]:
        annotate.set_patches(patches(roles))
        dock.refresh()
        assert told in dock.message.text()
        assert not dock.start_button.isEnabled()
        assert not dock.estimate_button.isEnabled()
    annotate.set_patches(patches("ttv"))
    dock.refresh()
    assert (
        "3 patches of 8 x 8 pixels on 1 cube: 2 train, 1 validation, 0 test" in dock.message.text()
    )
    assert "No test patch" in dock.message.text()
    assert dock.start_button.isEnabled()
    annotate.set_patches([*patches("ttv"), Patch("a", 4, 4, 8, "test")])
    dock.refresh()
    assert "share 16 pixels" in dock.message.text()
    dock.form.name.setText("../../etc")
    dock.refresh()
    assert not dock.start_button.isEnabled()


def test_the_form_starts_from_the_defaults_and_remembers(window):
    _, _, dock = window
    assert dock.form.settings() == FinetuneParams()
    assert dock.form.params.value().rate == 0
    rate = dock.form.params.field("rate")
    assert rate.text() == "0.001 (default)"
    dock.form.task.set_field("network", "hyrisr")
    assert rate.text() == "0.0003 (default)"
    dock.form.task.set_field("network", "eigenimages")
    dock.form.params.set_field("rate", 0.0003)
    assert dock.form.settings().rate == 0.0003
    dock.form.task.set_field("what", "denoise")
    assert not dock.form.task.field("scale").isEnabled()
    assert not dock.form.patches.isEnabled()
    assert "two layers" in dock.message.text()
    dock.form.params.set_field("rate", 0.0)
    assert rate.text() == "0.001 (default)"
    dock.form.task.set_field("network", "resunet")
    assert rate.text() == "0.0003 (default)"
    dock.form.params.set_field("rate", 0.0003)
    again = dock.form.to_json()
    dock.form.task.set_field("what", "super-resolve")
    dock.form.restore(again)
    assert dock.form.settings().what == "denoise"
    assert dock.form.settings().network == "resunet"
    assert dock.form.settings().rate == 0.0003


def test_to_denoise_one_layer_alone_can_be_learned_from(window, qtbot):
    _, _, dock = window
    wait(qtbot, lambda: not dock.busy)  # it looks for jobs that still run
    assert not dock.form.learn_from.isEnabled()
    dock.form.task.set_field("what", "denoise")
    assert dock.form.high.isEnabled()
    dock.form.learn_from.setCurrentText(ALONE)
    dock.form.learn_from.activated.emit(1)
    assert dock.form.low.isEnabled() and not dock.form.high.isEnabled()
    assert "learned from, by their noise" in dock.message.text()
    assert dock.form.params.field("rate").text() == "0.0001 (default)"
    assert dock.start_button.isEnabled()
    remembered = dock.form.to_json()
    assert remembered["alone"]
    dock.form.learn_from.setCurrentText(PAIR)
    dock.form.restore(remembered)
    assert dock.form.alone
    data = dock.form.value(whole=True).data
    assert isinstance(data, LayerAlone) and data.cube.shape == (32, 32, 60)


def test_start_offers_scratch_and_the_models_that_suit(window):
    make_model("mine", scale=2)
    make_model("other scale", scale=3)
    make_model("denoiser", kind="resunet", scale=None)
    _, _, dock = window
    box = dock.form.start

    def labels():
        box.refill()
        return [box.itemText(i) for i in range(box.count())]

    assert labels() == ["shipped weights", "scratch: an untrained network", "mine", "a file..."]
    box.set_value("mine")
    assert dock.form.settings().start == "mine"
    dock.form.task.set_field("scale", 3)
    assert dock.form.settings().start == ""
    assert "other scale" in labels()
    dock.form.task.set_field("what", "denoise")
    make_model("of images", kind="eigenimage", scale=None)
    assert "of images" in labels() and "denoiser" not in labels() and "mine" not in labels()
    dock.form.task.set_field("network", "resunet")
    assert "denoiser" in labels() and "of images" not in labels()
    dock.form.task.set_field("what", "super-resolve")
    assert dock.form.settings().network == "eigenimages"


def test_a_saved_file_of_patches_is_taken(window, tmp_path, qtbot):
    _, annotate, dock = window
    annotate.save(tmp_path / "set.json")
    wait(qtbot, lambda: (tmp_path / "set.json").exists() and not annotate._jobs.running)
    annotate.set_patches([])
    dock.form.ask_file = lambda parent: str(tmp_path / "set.json")
    dock.form.patches.setCurrentIndex(1)
    dock.form.patches.activated.emit(1)
    assert dock.form.patches.currentText() == "set.json"
    assert "8 patches" in dock.message.text()
    dock.form.patches.setCurrentText(ANNOTATED)
    dock.refresh()
    assert "no patches yet" in dock.message.text()
    (tmp_path / "bad.json").write_text("{}")
    dock.form.open_patches(tmp_path / "bad.json")
    assert "bad.json" in dock.message.text()
    assert not dock.start_button.isEnabled()


def test_the_estimate_comes_from_a_process(window, child, qtbot):
    _, _, dock = window
    wait(qtbot, lambda: not dock.busy)
    click(qtbot, dock.estimate_button)
    assert "Trying a few steps" in dock.message.text()
    assert dock.start_button.isEnabled()  # nobody has to wait for it
    wait(qtbot, lambda: not dock.estimator.running)
    assert "About 3 min for 400 steps." in dock.message.text()
    assert not list(finetune_job.jobs_folder().glob("*/job.json"))


def test_what_it_takes_is_told_by_itself_once_the_settings_rest(
    make_napari_viewer, child, qtbot, monkeypatch
):
    monkeypatch.setattr(finetune_estimate, "REST_MS", 50)
    n_estimates = []
    command = finetune_job.command
    monkeypatch.setattr(
        finetune_job, "command", lambda *args: n_estimates.append(args) or command(*args)
    )
    viewer = make_napari_viewer(show=True)
    add_cube(viewer, make_cube("a"))
    _, annotate = viewer.window.add_plugin_dock_widget("napari-deeper", "Annotate")
    dock = open_dock(viewer)
    annotate.form.set_size(8)
    wait(qtbot, dock.setup.isVisible)
    qtbot.wait(200)
    assert not n_estimates  # there is nothing to estimate
    annotate.set_patches(patches())
    dock.refresh()
    wait(qtbot, lambda: "About 3 min for 400 steps." in dock.message.text())
    assert len(n_estimates) == 1
    dock.refresh()
    assert "About 3 min for 400 steps." in dock.message.text()  # it stays while nothing changes
    dock.form.params.set_field("epochs", 40)
    assert "About 3 min" not in dock.message.text()  # that was of other settings
    wait(qtbot, lambda: "About 3 min for 400 steps." in dock.message.text())
    assert len(n_estimates) == 2
    monkeypatch.setattr(finetune_estimate, "MOST_BYTES", 1000)
    dock.form.params.set_field("epochs", 50)
    assert "waits for a click" in dock.message.text()


# ---- while it runs --------------------------------------------------------------------------------------------------


def test_a_job_holds_what_the_window_showed(window, child, qtbot):
    viewer, _, dock = window
    before = viewer.layers[0].data.copy()
    dock.form.params.set_field("epochs", 40)
    dock.form.name.setText("cartilage")
    start(dock, qtbot)
    job = read_job(dock.watcher.folder / "job.json")
    assert job.params == FinetuneParams(epochs=40)
    assert job.name == "cartilage"
    stored = read_patches(job.patches)
    assert stored.counts() == {"train": 5, "validation": 1, "test": 2}
    np.testing.assert_array_equal(
        np.moveaxis(read_cubes(stored)["a"].intensity, 2, 0), viewer.layers[0].data
    )
    np.testing.assert_array_equal(viewer.layers[0].data, before)
    assert not dock.start_button.isEnabled()


def test_the_run_is_shown_paused_and_stopped(window, child, qtbot):
    _, _, dock = window
    start(dock, qtbot)
    page = dock.run
    wait(qtbot, lambda: page.plot.points("psnr") >= 1 and page.plot.points("loss") >= 4)
    assert page.plot.before() == 30.0
    assert "About 4 min for 400 steps" in said(dock)
    wait(qtbot, lambda: "started from 30.00 dB" in said(dock))
    assert "7 s left" in page.bar.format()
    wait(qtbot, lambda: not page.preview.shown("now").isNull())
    assert page.preview.captions()[0] == "nearest"
    assert "now (step" in page.preview.captions()[2]
    click(qtbot, page.pause)
    wait(qtbot, lambda: "Paused" in said(dock))
    assert page.pause.text() == "&Resume"
    step = dock.watcher.view.step
    qtbot.wait(300)
    assert dock.watcher.view.step == step
    click(qtbot, page.pause)
    wait(qtbot, lambda: dock.watcher.view.step > step)
    wait(qtbot, page.stop.isEnabled)
    click(qtbot, page.stop)
    wait(qtbot, lambda: dock.result.facts is not None)
    assert dock.pages.currentWidget() is dock.result
    assert "Better than" in dock.result.message.text()
    assert "+0.50 dB" in dock.result.message.text()


def test_napari_stays_free_meanwhile(window, child, qtbot):
    """The GUI thread neither works nor waits for long between two beats of a timer."""
    _, _, dock = window
    start(dock, qtbot)
    beats = []
    timer = QTimer()
    timer.setInterval(10)
    timer.timeout.connect(lambda: beats.append((time.perf_counter(), time.thread_time())))
    timer.start()
    qtbot.wait(1500)
    timer.stop()
    wall, own = np.diff(np.array(beats), axis=0).T
    # Own work is the measure: what other processes take away on a busy machine is none of it.
    assert own.max() < 0.1
    assert np.median(wall) < 0.1
    assert dock.watcher.view.step > 10


def test_cancel_saves_and_resume_goes_on(window, child, qtbot):
    _, _, dock = window
    start(dock, qtbot)
    wait(qtbot, dock.run.cancel.isEnabled)
    click(qtbot, dock.run.cancel)
    wait(qtbot, lambda: "Stopped after step" in said(dock))
    step = dock.watcher.view.step
    click(qtbot, dock.run.pause)
    wait(qtbot, lambda: dock.watcher.view.state == "running" and dock.watcher.view.step > step)
    losses = [s for s, _ in dock.watcher.view.course.losses]
    assert losses == sorted(losses)


def test_a_killed_process_is_noticed_and_resumed(window, child, qtbot):
    _, _, dock = window
    start(dock, qtbot)
    dock.watcher.process.kill()
    wait(qtbot, lambda: "was killed" in said(dock))
    assert dock.run.pause.text() == "&Resume"
    saved = int((dock.watcher.folder / "saved").read_text())
    click(qtbot, dock.run.pause)
    wait(qtbot, lambda: dock.watcher.view.state == "running" and dock.watcher.view.step > saved)
    assert [s for s, _ in dock.watcher.view.course.losses][:1] == [1]


@pytest.mark.parametrize(
    ("how", "told"),
    [("full", "No space left on device. Make room."), ("usage", "the settings do not go together")],
)
def test_an_error_of_the_process_is_told_in_its_words(window, child, qtbot, how, told):
    _, _, dock = window
    child(how)
    wait(qtbot, lambda: not dock.busy)
    click(qtbot, dock.start_button)
    wait(qtbot, lambda: told in said(dock))
    assert "Traceback" not in said(dock)
    assert dock.run.pause.isEnabled()  # Resume, once there is room
    if how == "full":
        wait(qtbot, lambda: "secrets" in dock.run.details.toPlainText())


def test_a_job_that_cannot_be_written_leaves_nothing(window, qtbot, monkeypatch):
    _, _, dock = window
    wait(qtbot, lambda: not dock.busy)
    folder = finetune_job.jobs_folder()
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("a file in the way")
    click(qtbot, dock.start_button)
    wait(qtbot, lambda: not dock.busy)
    assert dock.watcher is None
    assert dock.message.text().count("\n") >= 1


# ---- closing --------------------------------------------------------------------------------------------------------


def test_closing_napari_asks_and_can_be_called_off(window, child, qtbot):
    viewer, _, dock = window
    main = viewer.window._qt_window
    start(dock, qtbot)
    asked = []
    dock.ask = lambda parent, can_stay: asked.append(can_stay) or STAY
    assert not main.close()
    assert asked == [True]
    assert dock.watcher.process.poll() is None
    dock.ask = lambda parent, can_stay: STOP
    process, folder = dock.watcher.process, dock.watcher.folder
    assert dock._may_close()
    wait(qtbot, lambda: process.poll() is not None)
    assert json.loads((folder / "status.json").read_text())["state"] == "stopped"


def test_a_job_goes_on_without_its_dock_and_is_found_again(window, child, qtbot):
    viewer, _, dock = window
    start(dock, qtbot)
    asked, folder = [], dock.watcher.folder
    dock.ask = lambda parent, can_stay: asked.append(can_stay) or GO_ON
    viewer.window.remove_dock_widget(dock)
    assert asked == [False]
    assert dock.watcher is None
    again = open_dock(viewer)
    wait(qtbot, lambda: again.watcher is not None and again.watcher.view.course.psnr)
    assert again.watcher.folder == folder
    assert again.pages.currentWidget() is again.run
    step = again.watcher.view.step
    wait(qtbot, lambda: again.watcher.view.step > step)
    wait(qtbot, again.run.stop.isEnabled)
    click(qtbot, again.run.stop)
    wait(qtbot, lambda: again.result.facts is not None)
    viewer.window.remove_dock_widget(again)
    third = open_dock(viewer)
    wait(qtbot, lambda: third.result.facts is not None)
    assert "Better than" in third.result.message.text()
    assert third.run.jobs.count() == 1
    third.ask_sure = lambda parent, text: True
    wait(qtbot, lambda: not third.busy)
    click(qtbot, third.run.remove)
    wait(qtbot, lambda: not third.busy)
    assert not folder.exists()
    assert third.run.jobs.count() == 0


@pytest.mark.parametrize("choice", [GO_ON, STOP, STAY])
def test_the_question_has_an_answer_for_each_button(qtbot, choice):
    question = ClosingQuestion(None, can_stay=True)
    qtbot.addWidget(question)
    question.open()
    qtbot.mouseClick(question.button_of(choice), Qt.MouseButton.LeftButton)
    assert question.choice() == choice


# ---- after ----------------------------------------------------------------------------------------------------------


def test_a_model_that_is_no_better_is_said_to_be_none(window, child, qtbot):
    _, _, dock = window
    child("worse")
    start(dock, qtbot)
    wait(qtbot, dock.run.stop.isEnabled)
    click(qtbot, dock.run.stop)
    wait(qtbot, lambda: dock.result.facts is not None)
    assert "Not better than" in dock.result.message.text()
    assert "A note." in dock.result.message.text()
    table = dock.result.table
    assert [table.item(r, 0).text() for r in range(2)] == ["fine-tuned", "pretrained"]
    assert table.item(0, 1).text() == "33.00 ★"
    assert table.item(1, 4).text() == "2 of 2"
    dock.result.level.setCurrentText(EACH)
    assert table.rowCount() == 4
    opened = []
    dock.open_folder = opened.append
    click(qtbot, dock.result.report)
    assert opened == [dock.watcher.folder]


def test_models_are_renamed_shared_added_and_removed(window, tmp_path, qtbot):
    viewer, _, dock = window
    _, enhance = viewer.window.add_plugin_dock_widget("napari-deeper", "Enhance")
    make_model("mine", recommended=False)
    dock.pages.setCurrentWidget(dock.models)
    page, box = dock.models, enhance.form.super_resolve_weights
    page.table.selectRow(0)
    assert page.table.item(0, 1).text() == "2x, auto"
    assert page.table.item(0, 2).text() == "no better"
    page.table.item(0, 0).setText("cartilage")
    assert [m.name for m in list_models()] == ["cartilage"]
    assert box.findText("cartilage (no better)") > 0
    box.set_value("cartilage")
    assert enhance.form.value().super_resolve.model == "cartilage"
    page.table.item(0, 0).setText("no/such")
    assert page.names() == ["cartilage"]
    assert "cannot be used" in page.message.text()
    page.ask_target = lambda parent, name: str(tmp_path / name)
    click(qtbot, page.share)
    shared = tmp_path / "cartilage.safetensors"
    page.ask_sure = lambda parent, text: True
    click(qtbot, page.remove)
    assert page.names() == []
    page.ask_source = lambda parent: str(shared)
    click(qtbot, page.add)
    click(qtbot, page.add)
    assert sorted(page.names()) == ["cartilage", "cartilage 2"]
    (tmp_path / "junk.safetensors").write_text("junk")
    page.ask_source = lambda parent: str(tmp_path / "junk.safetensors")
    click(qtbot, page.add)
    assert "junk.safetensors is no model" in page.message.text()
    enhance.form.super_resolve.set_field("scale", 3)
    assert enhance.form.value().super_resolve.model == ""  # it was made for another scale


@pytest.mark.parametrize(("better", "said"), [(True, "Better than"), (False, "Not clearly better")])
def test_an_estimate_is_told_as_one(better, said):
    view = JobView()
    planned = {"seconds": 9, "memory_bytes": 1e6, "n_steps": 9, "n_epochs": 3, "device": "the CPU"}
    view.take({"event": "planned", **planned, "alone": True})
    view.take({"event": "started", "run": "tune", "step": 0, "n_steps": 9, "psnr_before": 0.0})
    step = {"run": "tune", "step": 3, "n_steps": 9, "epoch": 1, "n_epochs": 3, "loss": 1.0}
    view.take({"event": "step", **step})
    view.take({"event": "validated", "run": "tune", "step": 3, "psnr": 0.25})
    assert "Estimated gain on the pixels held out so far +0.25 dB" in view.sentence()
    facts = {"psnr_before": 0.0, "psnr_after": 0.3, "recommended": better, "model": "mine"}
    told = verdict(facts | {"estimated": {"ratio": 0.93, "error": 0.02}})
    assert told.startswith(said) and "0.93 +/- 0.02" in told and "dB" not in told


def test_the_view_passes_over_what_it_does_not_know():
    view = JobView()
    view.take({"event": "from the future", "time": 1.0})
    view.take({"event": "failed", "message": "Words.", "time": 1.0})
    assert view.sentence() == "Words."


def test_a_real_job_ends_with_a_model_that_enhance_offers(make_napari_viewer, qtbot, monkeypatch):
    viewer = make_napari_viewer()
    add_cube(viewer, make_cube("a", shape=(32, 32)))
    _, annotate = viewer.window.add_plugin_dock_widget("napari-deeper", "Annotate")
    _, enhance = viewer.window.add_plugin_dock_widget("napari-deeper", "Enhance")
    dock = open_dock(viewer)
    annotate.form.set_size(16)
    annotate.set_patches(patches("ttvx", 16))
    for name, value in (("epochs", 2), ("device", "cpu"), ("threads", 1), ("preview_seconds", 0.1)):
        dock.form.params.set_field(name, value)
    dock.form.name.setText("tiny")
    wait(qtbot, lambda: not dock.busy)
    click(qtbot, dock.start_button)
    wait(qtbot, lambda: dock.watcher is not None and dock.watcher.view.ended, 240_000)
    assert dock.watcher.view.state == "finished", said(dock)
    wait(qtbot, lambda: dock.result.facts is not None)
    assert [m.name for m in list_models()] == ["tiny"]
    assert "target" in dock.watcher.images
    methods = {dock.result.table.item(r, 0).text() for r in range(dock.result.table.rowCount())}
    assert methods == {"fine-tuned", "pretrained", "nearest", "bilinear", "bicubic"}
    click(qtbot, dock.result.use)
    assert enhance.form.value().super_resolve.model == "tiny"
    QApplication.processEvents()
    assert "torch" not in finetune.__dict__


def test_the_window_stays_free_while_a_job_is_estimated_and_runs(window, child, qtbot, beating):
    _, _, dock = window
    wait(qtbot, lambda: not dock.busy and not dock.estimator.running)
    with beating() as heart:
        click(qtbot, dock.estimate_button)
        wait(qtbot, lambda: not dock.estimator.running)
        child("")  # no estimate any more
        start(dock, qtbot)
        qtbot.wait(500)  # it speaks of its steps and shows previews
        dock.wish("stop")
        wait(qtbot, lambda: not dock.working)
    longest = heart.longest("ours")
    assert longest.ours < 0.05, str(longest)
