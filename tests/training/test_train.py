"""`train`: recipes followed, files made with whole cards, and what it refuses."""

from __future__ import annotations

import csv
import dataclasses
import json
import threading
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.io import savemat

import napari_deeper as nd
from napari_deeper.models import checkpoint
from napari_deeper.models.compact import CompactHyRISRConfig
from napari_deeper.models.resunet import ResUNetConfig
from napari_deeper.spectra.errors import (
    CheckpointError,
    FileError,
    ParameterError,
    TrainingError,
)
from napari_deeper.training import (
    denoise,
    eigen_super_resolve,
    evaluate,
    recipes,
    super_resolve,
    tasks,
)
from napari_deeper.training.config import command_line
from napari_deeper.training.loop import Schedule, fit
from napari_deeper.training.recipes import PUBLISHED, SHIPPED, Recipe, chain, plan
from napari_deeper.training.state import load_state

TINY = partial(CompactHyRISRConfig, n_features=8, n_groups=1, n_blocks=1, reduction=2, window=3)
QUICK = {"precision": "32", "accelerator": "cpu"}


def small(recipe: Recipe) -> Recipe:
    return dataclasses.replace(recipe, n_steps=2, n=256 if recipe.task.startswith("eigen") else 1)


@pytest.fixture
def quick(monkeypatch):
    """Two steps of a tiny network for each recipe of the real table, and figures at no cost."""
    table = tuple(small(r) for r in SHIPPED if r.scale in (None, 2, 3))
    monkeypatch.setitem(recipes._TABLES, "shipped", table)
    tiny = ResUNetConfig(widths=(4, 6, 8), num_convs=1, linear_head=False)
    monkeypatch.setattr(denoise, "CONFIG", tiny)
    monkeypatch.setattr(tasks, "CompactHyRISRConfig", TINY)
    for name in ("denoise_figures", "eigenimage_figures", "super_resolve_figures"):
        monkeypatch.setattr(evaluate, name, lambda *args: {"ratio": 0.5, "unknown": float("nan")})
    monkeypatch.setattr(eigen_super_resolve, "figures", evaluate.eigenimage_figures)
    return {recipe.name: recipe for recipe in table}


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.rglob("*.safetensors"))}


def test_one_call_makes_every_file(tmp_path, quick):
    texts: list[str] = []
    watch = nd.Progress(lambda fraction, text: texts.append(text))
    made = nd.train("all", tmp_path, progress=watch, **QUICK)
    assert not made.stopped
    names = [path.name for path in made.files]
    assert names == [
        f"{recipe.name}.safetensors" for recipe in quick.values() if not recipe.is_step
    ]
    assert {p.stem for p in (tmp_path / "steps").glob("*.safetensors")} == {
        "hyrisr_2x_first",
        "hyrisr_3x_first",
    }
    assert not list(tmp_path.glob("*.pt*")) and not list(tmp_path.rglob("*.part"))
    assert "resunet: step 2 of 2, loss" in texts[1] and "steps/s" in texts[1]
    for path in made.files:
        got = checkpoint.load(path)
        card = got.card
        assert card["hardware"].startswith("CPU") and card["hardware"].endswith("float32")
        assert card["versions"]["torch"] == torch.__version__
        assert card["figures"] == {"simulated, held out": {"ratio": 0.5, "unknown": None}}
        assert card["minutes"] >= 0 and card["data"].startswith("simulated")
        assert (tmp_path / f"{got.name}.csv").is_file()
    card = json.loads((tmp_path / "hyrisr_3x.json").read_text())
    assert (card["seed"], card["steps"], card["samples"]) == (1, 6, 6)
    assert card["started_from"] == "hyrisr_3x_first"
    assert [run["name"] for run in card["recipes"]] == [
        "hyrisr_2x_first",
        "hyrisr_3x_first",
        "hyrisr_3x",
    ]
    assert [run["loudest"] for run in card["recipes"]] == [1.0, 1.0, 0.5]
    words = "train super-resolve --scale 3 --accelerator cpu --precision 32 --out FOLDER"
    assert card["command"] == f"napari-deeper {words}"

    before = contents(tmp_path)
    again = nd.train("all", tmp_path, **QUICK)
    assert again.files == made.files and contents(tmp_path) == before
    assert again.notes == ("Everything was made before.",)


def test_a_step_starts_from_the_step_before(tmp_path, quick):
    nd.train("super-resolve", tmp_path, scale=3, **QUICK)
    first = checkpoint.load(tmp_path / "steps" / "hyrisr_2x_first.safetensors").model
    net = super_resolve.new_network(0, TINY(scale=3))
    super_resolve.transfer(first, net)
    batch = partial(super_resolve.make_batch, 1, 3, tasks.WAVENUMBER, loudest=1.0)
    fit(net, batch, super_resolve.loss, Schedule(2, 1e-3, seed=0, bf16=False))
    got = checkpoint.load(tmp_path / "steps" / "hyrisr_3x_first.safetensors").model.state_dict()
    for name, tensor in net.state_dict().items():
        assert torch.equal(got[name], tensor.half().float()), name


def test_slices_make_the_same_file(tmp_path, quick):
    whole = nd.train("super-resolve", tmp_path / "whole", **QUICK)
    slices = []
    while not slices or slices[-1].stopped:
        made = nd.train("super-resolve", tmp_path / "cut", minutes_per_slice=1e-9, **QUICK)
        slices.append(made)
        assert len(slices) < 9
    assert len(slices) == 4 and {s.stopped for s in slices} == {"time", ""}
    assert "hyrisr_2x_first stopped after step 1, at the end of its slice" in slices[0].notes[0]
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")
    assert whole.files[0].read_bytes() == slices[-1].files[0].read_bytes()


def test_cancelling_saves_first(tmp_path, quick):
    cancel = threading.Event()
    watch = nd.Progress(lambda fraction, text: cancel.set(), cancel)
    made = nd.train("denoise", tmp_path, progress=watch, **QUICK)
    assert made.stopped == "cancel" and made.files == ()
    assert load_state(tmp_path / "resunet.state.pt").step == 1
    assert nd.train("denoise", tmp_path, **QUICK).files == (tmp_path / "resunet.safetensors",)


def test_the_seed_makes_another_run_and_the_same_one_the_same(tmp_path, quick):
    for folder, seed in (("a", 0), ("b", 0), ("c", 5)):
        nd.train("denoise", tmp_path / folder, seed=seed, **QUICK)
    a, b, c = (contents(tmp_path / name) for name in "abc")
    assert a == b and a != c
    assert json.loads((tmp_path / "c" / "resunet.json").read_text())["seed"] == 5


def test_own_weights_are_trained_on(tmp_path, quick):
    (first,) = nd.train("denoise", tmp_path / "first", **QUICK).files
    own = {"start_from": str(first), "steps": 1, "rate": 1e-9, "batch_size": 2}
    (path,) = nd.train("denoise", tmp_path / "on", **own, **QUICK).files
    before, after = (checkpoint.load(p).model.state_dict() for p in (first, path))
    for name, tensor in before.items():
        torch.testing.assert_close(after[name], tensor, rtol=1e-2, atol=1e-5)
    card = json.loads(path.with_suffix(".json").read_text())
    assert card["started_from"].startswith("resunet.safetensors (sha256 ")
    assert "--start-from resunet.safetensors" in card["command"]
    with pytest.raises(CheckpointError, match="choose the other --preset"):
        nd.train("super-resolve", tmp_path / "x", start_from=str(first), **QUICK)
    with pytest.raises(CheckpointError, match="no weights file"):
        nd.train("denoise", tmp_path / "x", start_from="gone.safetensors", **QUICK)
    with pytest.raises(CheckpointError, match="--preset"):
        settings = {"preset": "published", "start_from": str(first)}
        nd.train("denoise", tmp_path / "x", **settings, **QUICK)


def rows_in(folder: Path) -> str:
    folder.mkdir()
    clean = np.random.default_rng(0).random((20, 500))
    savemat(folder / "Inputs.mat", {"Inputs": clean + 0.1})
    savemat(folder / "Outputs.mat", {"Outputs": clean})
    return str(folder)


@pytest.mark.parametrize("preset", ["shipped", "published"])
def test_measured_spectra_train_either_preset(tmp_path, quick, monkeypatch, preset):
    small_net = partial(ResUNetConfig, widths=(4, 6, 8), num_convs=1)
    monkeypatch.setattr(tasks, "ResUNetConfig", small_net)
    settings = {"data": rows_in(tmp_path / "mine"), "batch_size": 9, "steps": 4, "preset": preset}
    (path,) = nd.train("denoise", tmp_path / "out", **settings, **QUICK).files
    got = checkpoint.load(path)
    assert got.normalization == ("standard" if preset == "shipped" else "max")
    assert "mine (layout Inputs.mat and Outputs.mat, n_spectra 20" in got.card["data"]
    assert str(tmp_path) not in json.dumps(got.card)
    with next((tmp_path / "out").glob("*.csv")).open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["step"] for row in rows] == ["2", "4"]  # 18 of 20 spectra in batches of 9
    last = got.card["figures"]["mean loss, validation"]
    assert float(rows[-1]["validation"]) == pytest.approx(last, rel=1e-6) and last > 0
    np.testing.assert_allclose(got.wavenumber, np.linspace(600, 1800, 500))


def test_epochs_decide_the_steps_on_measured_data(tmp_path, quick, monkeypatch):
    monkeypatch.setattr(tasks, "ResUNetConfig", partial(ResUNetConfig, widths=(4, 6, 8)))
    settings = {"data": rows_in(tmp_path / "mine"), "batch_size": 4, "preset": "published"}
    made = nd.train("denoise", tmp_path / "o", minutes_per_slice=1e-9, **settings, **QUICK)
    assert made.stopped == "time"
    run = load_state(tmp_path / "o" / "resunet_published.state.pt").run
    assert run["n_steps"] == 500 * 5  # 18 of 20 spectra in batches of 4


def test_measured_cubes_train_a_super_resolver(tmp_path, quick):
    folder = tmp_path / "pairs"
    for side in ("low", "high"):
        for i in range(3):
            (folder / side).mkdir(parents=True, exist_ok=True)
            cube = np.random.default_rng(i).random((34, 33, 60)) + 1
            nd.write(nd.RamanCube(cube, np.linspace(500, 1900, 60)), folder / side / f"{i}.npz")
    settings = {"data": str(folder), "batch_size": 1, "steps": 1}
    (path,) = nd.train("super-resolve", tmp_path / "out", **settings, **QUICK).files
    got = checkpoint.load(path, 2)
    np.testing.assert_allclose(got.wavenumber, np.linspace(500, 1900, 500))
    assert "n_images 3, n_training 2, n_validation 1" in got.card["data"]
    cube = nd.RamanCube(np.random.default_rng(0).random((6, 6, 60)) + 1, np.linspace(500, 1900, 60))
    fine = nd.super_resolve(cube, method="hyrisr", model=str(path))
    assert fine.shape == (12, 12, 60)


@pytest.mark.parametrize(
    ("task", "settings", "text"),
    [
        ("polish", {}, "one of: denoise, eigenimage, eigen-super-resolve, super-resolve, all"),
        ("all", {"steps": 3}, "steps cannot be set"),
        ("eigenimage", {"data": "."}, "simulated images"),
        ("eigenimage", {"preset": "published"}, "there is: denoise, super-resolve"),
        ("denoise", {"scale": 5}, "one of: 2, 3, 4"),
        ("denoise", {"precision": "16"}, "one of: auto, bf16, 32"),
        ("denoise", {"nonsense": 1}, "Unknown setting"),
    ],
)
def test_wrong_settings_are_refused(tmp_path, task, settings, text):
    with pytest.raises(ParameterError, match=text):
        nd.train(task, tmp_path / "out", **settings)
    assert not (tmp_path / "out").exists()


def test_what_is_in_the_folder_is_not_replaced(tmp_path, quick):
    nd.train("denoise", tmp_path, **QUICK)
    before = contents(tmp_path)
    with pytest.raises(FileError, match="not made by this run"):
        nd.train("denoise", tmp_path, seed=1, **QUICK)
    assert contents(tmp_path) == before
    nd.train("denoise", tmp_path, seed=1, overwrite=True, **QUICK)
    assert contents(tmp_path) != before
    with pytest.raises(FileError, match="cannot be made"):
        nd.train("denoise", tmp_path / "resunet.json" / "out", **QUICK)


def test_the_state_of_other_settings_is_refused(tmp_path, quick):
    nd.train("denoise", tmp_path, minutes_per_slice=1e-9, **QUICK)
    with pytest.raises(CheckpointError, match="seed is 0 there and 3 here"):
        nd.train("denoise", tmp_path, seed=3, **QUICK)
    with pytest.raises(CheckpointError, match="data is None there and 'mine' here"):
        nd.train("denoise", tmp_path, data=rows_in(tmp_path / "mine"), steps=2, **QUICK)
    assert nd.train("denoise", tmp_path, seed=3, overwrite=True, **QUICK).files


def test_a_full_disk_at_the_end_loses_nothing(tmp_path, quick, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save", full)
        with pytest.raises(FileError, match=r"No space left.*state is kept in .*resunet.state.pt"):
            nd.train("denoise", tmp_path, **QUICK)
    nd.train("denoise", tmp_path / "other", **QUICK)
    nd.train("denoise", tmp_path, **QUICK)
    assert contents(tmp_path)["resunet.safetensors"] == next(
        iter(contents(tmp_path / "other").values())
    )


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_named(tmp_path, quick):
    with pytest.raises(TrainingError, match="no GPU"):
        nd.train("denoise", tmp_path, accelerator="gpu")


def test_threads_are_given_back(tmp_path, quick):
    before = torch.get_num_threads()
    nd.train("denoise", tmp_path, threads=before + 1, **QUICK)
    assert torch.get_num_threads() == before
    card = json.loads((tmp_path / "resunet.json").read_text())
    assert card["hardware"] == f"CPU, {before + 1} thread(s), float32"


def test_tensorboard_gets_the_losses(tmp_path, quick):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    nd.train("denoise", tmp_path, **QUICK)
    events = EventAccumulator(str(tmp_path / "tensorboard" / "resunet")).Reload()
    (row,) = (tmp_path / "resunet.csv").read_text().splitlines()[1:]
    (found,) = events.Scalars("loss")
    assert found.step == 2 and found.value == pytest.approx(float(row.split(",")[1]), rel=1e-6)


@pytest.mark.parametrize("name", checkpoint.available(""))
def test_the_table_is_what_the_shipped_cards_record(name):
    card = json.loads(checkpoint.shipped(name).with_suffix(".json").read_text())
    table = {recipe.name: recipe for recipe in SHIPPED}
    runs = chain(table, name)
    if "recipes" not in card:  # from before this table: the steps of this scale alone
        runs = [run for run in runs if run.scale == card["scale"]]
    assert sum(run.n_steps for run in runs) == card["steps"]
    assert runs[-1].seed == card["seed"]
    assert card["command"].startswith(f"napari-deeper train {runs[-1].task} ")
    if "recipes" in card:
        assert [run["n_steps"] for run in card["recipes"]] == [run.n_steps for run in runs]
        assert [run["rate"] for run in card["recipes"]] == [run.rate for run in runs]


def test_the_plan_is_in_order_and_whole():
    ordered = plan("all")
    names = [recipe.name for recipe in ordered]
    assert len(names) == len(set(names)) == len(SHIPPED)
    for i, recipe in enumerate(ordered):
        assert recipe.start_from is None or recipe.start_from in names[:i]
        assert recipe.network in tasks.TASKS
    assert [r.name for r in plan("super-resolve", 4)] == [
        "hyrisr_2x_first",
        "hyrisr_4x_first",
        "hyrisr_4x",
    ]
    with pytest.raises(ParameterError, match="which cannot be"):
        chain({"a": dataclasses.replace(SHIPPED[0], name="a", start_from="a")}, "a")


def test_the_published_preset_is_the_published_one():
    denoiser, *others = PUBLISHED
    net = tasks.TASKS[denoiser.network].new_network(denoiser, 500)
    assert sum(p.numel() for p in net.parameters()) == 2_081_767
    assert (denoiser.n, denoiser.n_epochs, denoiser.rate) == (256, 500, 5e-4)
    assert denoiser.shares == (0.9, 0.1) and denoiser.curve == "torch-one-cycle"
    for recipe in others:
        with torch.device("meta"):
            net = tasks.TASKS[recipe.network].new_network(recipe, 500)
        n = sum(p.numel() for p in net.parameters())
        assert n == {2: 147_150_870, 4: 156_152_870}.get(recipe.scale, n)
        assert (recipe.n, recipe.n_epochs, recipe.rate) == (2, 600, 1e-5)
        assert recipe.curve == "constant" and recipe.shares == (0.85, 0.10, 0.05)
        assert recipe.options["phases"] == ((1, 2) if recipe.scale == 4 else (1,))
        assert recipe.clip == 0


@pytest.mark.parametrize("recipe", PUBLISHED[:2], ids=lambda recipe: recipe.name)
def test_the_published_preset_has_simulated_batches_too(recipe):
    batch_at = tasks.TASKS[recipe.network].batches(dataclasses.replace(recipe, n=1))
    given, target = batch_at(SimpleNamespace(rng=lambda: np.random.default_rng(0)))
    assert float(target.max()) == pytest.approx(1)
    assert given.shape[1] == target.shape[1] == (1 if recipe.scale is None else 500)


def test_the_command_holds_what_matters_and_no_path():
    params = nd.TrainParams(
        data="/home/me/pairs", minutes_per_slice=5, small_checkpoints=True, rate=1e-4, devices=4
    )
    assert command_line("denoise", params) == (
        "napari-deeper train denoise --data pairs --rate 0.0001 --devices 4 --out FOLDER"
    )
