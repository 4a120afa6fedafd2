"""`finetune`: patches in, a model with its card and a verdict out; and what it refuses."""

from __future__ import annotations

import csv
import dataclasses
import itertools
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import napari_deeper as nd
from napari_deeper.engine import finetune_estimate, finetune_judge
from napari_deeper.engine.finetune_judge import Verdict, judge
from napari_deeper.engine.finetune_material import TestItem
from napari_deeper.engine.finetune_pairs import Pair, from_pairs
from napari_deeper.engine.finetune_start import open_start
from napari_deeper.models import checkpoint, user_models
from napari_deeper.simulate.instrument import Instrument, measure
from napari_deeper.simulate.tissue import tissue
from napari_deeper.spectra.errors import (
    CheckpointError,
    CubeError,
    FileError,
    ParameterError,
    PatchError,
)
from napari_deeper.spectra.patches import Patch, PatchCube, PatchSet
from napari_deeper.training.finetune_config import check_finetune

AXIS = np.linspace(600, 1800, 60)
QUICK = {"epochs": 1, "threads": 1, "precision": "32", "device": "cpu", "preview_seconds": 0}
ROLES = ("train", "validation", "test", "test", "test")


@pytest.fixture(autouse=True)
def models(tmp_path, monkeypatch):
    monkeypatch.setenv(user_models.FOLDER_VARIABLE, str(tmp_path / "models"))
    return tmp_path / "models"


def map_of(seed: int, size: tuple[int, int], exposure: float = 5.0) -> nd.RamanCube:
    piece = tissue(size, 0.5, np.random.default_rng(seed), AXIS).cube
    return measure(piece, exposure, np.random.default_rng(seed + 100), Instrument())


@pytest.fixture(scope="module")
def patches(tmp_path_factory):
    """Five patches of 16 x 16 on one map."""
    folder = tmp_path_factory.mktemp("maps")
    cube = map_of(0, (16, 80))
    nd.write(cube, folder / "map.npz")
    known = PatchCube.of(cube, "map", folder / "map.npz")
    drawn = tuple(Patch("map", 0, 16 * i, 16, role, "cartilage") for i, role in enumerate(ROLES))
    nd.write_patches(PatchSet((known,), drawn, 16), folder / "patches.json")
    return folder / "patches.json"


@pytest.fixture(scope="module")
def tuned(patches, tmp_path_factory):
    """Tune once, from scratch too, with every event."""
    folder = tmp_path_factory.mktemp("out")
    events = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(user_models.FOLDER_VARIABLE, str(folder / "models"))
        result = nd.finetune(
            patches, folder / "job", name="cartilage", on_event=events.append, scratch=True, **QUICK
        )
    return result, events, folder


def test_the_model_is_kept_with_its_card(tuned, patches):
    result, _, folder = tuned
    model = result.model
    assert model.name == "cartilage" and model.path == folder / "models" / "cartilage.safetensors"
    card = model.card
    assert card["kind"] == "eigenimage" and card["scale"] == 2
    assert card["started_from"] == "eigenimage_2x" and len(card["started_from_sha256"]) == 64
    assert card["data"]["counts"] == {"train": 1, "validation": 1, "test": 3}
    (cube,) = card["data"]["patches"]["cubes"]
    assert len(cube["sha256"]) == 64 and "path" not in cube
    assert [p["role"] for p in card["data"]["patches"]["patches"]] == list(ROLES)
    assert card["seed"] == 0 and card["settings"]["epochs"] == 1
    assert card["figures"]["validation"]["psnr_after"] == result.psnr_after
    assert set(card["figures"]["test"]) == {s.method for s in result.scores}
    assert str(patches.parent) not in json.dumps(card)  # files by their names alone


def test_the_model_is_taken_by_its_name_and_gives_what_was_judged(tuned, patches, monkeypatch):
    result, _, folder = tuned
    monkeypatch.setenv(user_models.FOLDER_VARIABLE, str(folder / "models"))
    cube = nd.read_cubes(nd.read_patches(patches))["map"]
    target = cube.intensity[:, 32:48]
    low = nd.RamanCube(np.ascontiguousarray(target[1::2, 1::2]), AXIS)
    fine = nd.super_resolve(low, model="cartilage")
    error = np.mean(np.square(fine.intensity - target)) / target.max() ** 2
    first = next(s for s in result.scores if s.method == "fine-tuned")
    assert first.mse == pytest.approx(error, rel=1e-5)
    assert first.psnr == pytest.approx(-10 * np.log10(error), abs=1e-4)
    assert first.tissue == "cartilage" and "x32" in first.patch


def test_test_patches_are_judged_next_to_every_comparator(tuned):
    result, _, folder = tuned
    methods = {"fine-tuned", "pretrained", "from scratch", "nearest", "bilinear", "bicubic"}
    assert {s.method for s in result.scores} == methods and len(result.scores) == 18
    with (folder / "job" / "test_patches.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [float(row["psnr"]) for row in rows] == [s.psnr for s in result.scores]
    text = (folder / "job" / "report.md").read_text()
    assert "| **fine-tuned** |" in text and "Wilcoxon | psnr | bilinear" in text
    assert (folder / "job" / "tests.csv").read_text().count(
        "Tukey"
    ) == 15  # five others, three measures
    assert (folder / "job" / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_the_events_tell_the_whole_course(tuned):
    result, events, _ = tuned
    kinds = [e["event"] for e in events]
    assert kinds[0] == "planned" and kinds[-1] == "finished"
    assert [e["run"] for e in events if e["event"] == "started"] == ["tune", "scratch"]
    planned = events[0]
    assert planned["seconds"] > 0 and planned["memory_bytes"] > 10**6 and planned["n_test"] == 3
    assert next(e["method"] for e in events if e["event"] == "judging") == "fine-tuned"
    assert events[-1]["model"] == "cartilage" and events[-1]["recommended"] == result.recommended
    assert all(json.loads(json.dumps(e, allow_nan=False)) for e in events)


def test_the_same_call_again_finds_everything_made(tuned, patches, monkeypatch):
    result, _, folder = tuned
    monkeypatch.setenv(user_models.FOLDER_VARIABLE, str(folder / "models"))
    again = nd.finetune(patches, folder / "job", name="cartilage", scratch=True, **QUICK)
    assert again.notes[-1] == "Everything was made before." and again.scores == result.scores
    assert [m.name for m in nd.list_models()] == ["cartilage"]
    with pytest.raises(FileError, match="result of another job"):
        nd.finetune(patches, folder / "job", name="cartilage", seed=3, scratch=True, **QUICK)


def test_a_fixed_seed_repeats_the_model(patches, tmp_path):
    made = [
        nd.finetune(patches, tmp_path / name, seed=seed, **QUICK).model
        for name, seed in (("a", 5), ("b", 5), ("c", 6))
    ]
    first, second, other = (model.card["sha256"] for model in made)
    assert first == second != other


def test_a_model_that_is_no_better_is_not_recommended(patches, tmp_path):
    result = nd.finetune(patches, tmp_path / "job", rate=0.1, blend=1.0, **QUICK)
    assert not result.recommended and result.psnr_after < result.psnr_before
    assert any("keep to those" in note for note in result.notes)
    assert (
        not result.model.recommended
        and "Keep to the weights" in (tmp_path / "job/report.md").read_text()
    )
    low = nd.RamanCube(map_of(1, (8, 8)).intensity, AXIS)
    assert not nd.list_models()[0].recommended
    used = nd.super_resolve(low, model=nd.list_models()[0].name)
    assert any("keep to those" in note for note in used.provenance[-1].notes)
    # nobody gets it without asking for it
    assert nd.super_resolve(low).provenance[-1].params["checkpoint"] == "eigenimage_2x"


def test_the_papers_network_is_tuned_too(patches, tmp_path):
    result = nd.finetune(patches, tmp_path / "job", network="hyrisr", side=8, **QUICK)
    assert result.model.kind == "hyrisr" and result.model.scale == 2
    assert {s.method for s in result.scores} >= {"fine-tuned", "pretrained", "auto", "bilinear"}
    cube = nd.RamanCube(map_of(1, (8, 8)).intensity, AXIS)
    fine = nd.super_resolve(cube, method="hyrisr", model=result.model.name)
    assert fine.shape == (16, 16, 60)


def test_a_cancelled_job_goes_on(patches, tmp_path):
    progress = nd.Progress()
    progress.cancel.set()
    first = nd.finetune(patches, tmp_path / "job", progress=progress, **QUICK | {"epochs": 3})
    assert first.stopped == "cancel" and first.model is None and nd.list_models() == []
    assert (tmp_path / "job" / "state.pt").is_file()
    events = []
    second = nd.finetune(patches, tmp_path / "job", on_event=events.append, **QUICK | {"epochs": 3})
    assert second.model is not None and second.stopped == ""
    assert next(e for e in events if e["event"] == "started")["resumed"]
    assert not (tmp_path / "job" / "state.pt").exists()  # nothing needs it any more


def test_without_test_patches_it_says_so(patches, tmp_path):
    known = nd.read_patches(patches)
    few = known.replace(patches=known.patches[:2])
    nd.write_patches(few, tmp_path / "few.json")
    result = nd.finetune(tmp_path / "few.json", tmp_path / "job", **QUICK)
    assert result.scores == () and any("no test patches" in note for note in result.notes)
    assert not (tmp_path / "job" / "figure.png").exists()


def test_roles_that_are_missing_are_named(patches, tmp_path):
    known = nd.read_patches(patches)
    for role, kept in (("train", known.patches[1:]), ("validation", known.patches[:1])):
        nd.write_patches(known.replace(patches=kept), tmp_path / f"{role}.json")
        with pytest.raises(PatchError, match=f"no {role} patch"):
            nd.finetune(tmp_path / f"{role}.json", tmp_path / "job", **QUICK)
    with pytest.raises(PatchError):  # 16 pixels are no multiple of 3
        nd.finetune(patches, tmp_path / "job", scale=3, **QUICK)


def test_settings_that_do_not_go_together_are_refused(patches, tmp_path):
    with pytest.raises(ParameterError, match="start is 'scratch' already"):
        nd.finetune(patches, tmp_path, start="scratch", scratch=True)
    with pytest.raises(ParameterError, match="cannot be frozen"):
        nd.finetune(patches, tmp_path, start="scratch", freeze="first layers")
    for what, network in (("denoise", "hyrisr"), ("super-resolve", "resunet")):
        with pytest.raises(ParameterError, match=f"To {what} there are .* not {network}"):
            check_finetune(nd.FinetuneParams(what=what, network=network))
    with pytest.raises(ParameterError, match="file of patches"):
        nd.FinetuneJob(tmp_path, nd.FinetuneParams())
    with pytest.raises(ParameterError, match="pairs of files"):
        nd.finetune(patches, tmp_path, what="denoise")
    with pytest.raises(CheckpointError, match="holds a hyrisr network"):
        nd.finetune(patches, tmp_path / "x", start=str(checkpoint.shipped("hyrisr", 2)), **QUICK)
    with pytest.raises(FileError, match="come with napari-deeper"):
        nd.finetune(patches, tmp_path / "x", name="hyrisr_2x", **QUICK)
    failed = json.loads((tmp_path / "x" / "status.json").read_text())
    assert failed["state"] == "failed" and "holds a hyrisr" in failed["message"]


def test_a_job_file_comes_back_as_it_was(patches, tmp_path):
    params = nd.FinetuneParams(scale=3, rate=0.002, epochs=7, freeze="first layers")
    job = nd.FinetuneJob(tmp_path / "out", params, patches=patches, name="mine")
    path = nd.write_job(job, tmp_path / "job.json")
    back = nd.read_job(path)
    assert back.params == params and back.name == "mine"
    assert back.patches.samefile(patches) and back.folder.resolve() == (tmp_path / "out").resolve()
    # whole numbers are no mistake where a setting is a float, and paths are relative to the file
    record = json.loads(path.read_text())
    record["params"]["rate"] = 0
    path.write_text(json.dumps(record))
    assert nd.read_job(path).params.rate == 0.0


@pytest.mark.parametrize(
    ("change", "message"),
    [({"format": "x"}, "no job of fine-tuning"), ({"version": 9}, "version 9"),
     ({"pairs": [{"low": "a"}]}, "incomplete"),
     ({"params": {"epoch": 3}}, "Unknown setting 'epoch'"),
     ({"params": {"scale": 5}}, "scale is 5")],
)  # fmt: skip
def test_a_wrong_job_file_is_refused(patches, tmp_path, change, message):
    path = nd.write_job(nd.FinetuneJob(tmp_path, nd.FinetuneParams(), patches=patches))
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises((FileError, ParameterError), match=message):
        nd.read_job(path)


def test_the_denoiser_of_spectra_learns_from_pairs(tmp_path):
    piece = tissue((8, 30), 0.5, np.random.default_rng(0), AXIS).cube
    for name, exposure, seed in (("fast", 1.0, 1), ("slow", 50.0, 2)):
        nd.write(
            measure(piece, exposure, np.random.default_rng(seed), Instrument()),
            tmp_path / f"{name}.npz",
        )
    pair = (tmp_path / "fast.npz", tmp_path / "slow.npz")
    result = nd.finetune(
        [pair], tmp_path / "job", what="denoise", network="resunet", batch_size=32, **QUICK
    )
    assert result.model.kind == "resunet" and result.model.scale is None
    methods = {"fine-tuned", "pretrained", "auto", "low-rank", "savgol", "wavelet", "as measured"}
    assert {s.method for s in result.scores} == methods
    worst = min(result.scores, key=lambda s: s.psnr)
    assert worst.method == "as measured"
    clean = nd.denoise(nd.read(pair[0]), method="resunet", model=result.model.name)
    assert clean.provenance[-1].params["checkpoint"] == result.model.name


def test_pairs_that_do_not_lie_over_each_other_are_refused():
    start = open_start(nd.FinetuneParams(what="denoise", network="resunet"))
    good = map_of(0, (20, 20), 50.0)
    moved = dataclasses.replace(good, intensity=np.roll(good.intensity, 2, axis=1))
    params = nd.FinetuneParams(what="denoise", network="resunet")
    with pytest.raises(CubeError, match=r"shifted against each other by 0 and -?2 pixels"):
        from_pairs([Pair(moved, good)], params, start)
    other = map_of(9, (20, 20), 50.0)
    noise = dataclasses.replace(
        other, intensity=np.random.default_rng(0).random(other.shape, np.float32)
    )
    with pytest.raises(CubeError, match=r"nothing in common|shifted"):
        from_pairs([Pair(noise, good)], params, start)
    short = nd.RamanCube(good.intensity[..., :50], AXIS[:50])
    with pytest.raises(CubeError, match="differ in size or axis"):
        from_pairs([Pair(short, good)], params, start)
    with pytest.raises(ParameterError, match="no train pair"):
        from_pairs([Pair(good, good, "validation")], params, start)


def test_the_parts_of_a_split_field_share_no_pixel():
    start = open_start(nd.FinetuneParams(what="denoise", network="resunet"))
    low, high = map_of(0, (6, 40), 5.0), map_of(0, (6, 40), 50.0)
    made = from_pairs(
        [Pair(low, high)], nd.FinetuneParams(what="denoise", network="resunet"), start
    )
    n_test = sum(item.target.shape[0] * item.target.shape[1] for item in made.test)
    n = [sum(len(a) for a, _ in part) for part in (made.subject.train, made.subject.validation)]
    assert n == [168, 36] and n_test == 36


def test_an_untrained_start_differs_by_its_seed():
    nets = [open_start(nd.FinetuneParams(start="scratch", seed=seed)).model for seed in (0, 0, 1)]
    heads = [net.state_dict()["head.weight"] for net in nets]
    assert torch.equal(heads[0], heads[1]) and not torch.equal(heads[0], heads[2])
    assert all(p.requires_grad for p in nets[0].parameters())


def test_the_verdict_counts_patch_by_patch():
    rng = np.random.default_rng(0)
    items = [
        TestItem(f"p{i}", "", nd.RamanCube(rng.random((4, 4, 9), np.float32), np.arange(9.0) + 600),
                 rng.random((8, 8, 9), np.float32))
        for i in range(4)
    ]  # fmt: skip
    targets = {id(item.low): item.target for item in items}
    runs = {
        "fine-tuned": lambda cube: targets[id(cube)] + np.float32(0.01),
        "near": lambda cube: targets[id(cube)] + np.float32(0.1),
        "perfect": lambda cube: targets[id(cube)],
    }
    verdict = judge(items, runs)
    assert (verdict.n_better("near"), verdict.n_better("perfect")) == (4, 0)
    top = items[0].target.max()
    assert verdict.values("fine-tuned", "mse")[0] == pytest.approx(1e-4 / top**2, rel=1e-4)
    assert verdict.values("perfect", "ssim") == pytest.approx(np.ones(4))
    # perfect has no finite PSNR, so what is tested is the rest
    assert {c.measure for c in verdict.comparisons} == {"ssim", "mse"}
    assert judge([], runs) == Verdict()
    scaled = judge(items[:1], {"fine-tuned": lambda cube: 7 * targets[id(cube)]}, matched=True)
    assert scaled.scores[0].psnr > 100 and scaled.comparisons == ()
    assert finetune_judge.MEASURES == ("psnr", "ssim", "mse")


def test_an_estimate_is_near_what_it_takes(patches, tmp_path, monkeypatch):
    job = nd.FinetuneJob(tmp_path, nd.FinetuneParams(**QUICK | {"epochs": 4}), patches=patches)
    found = nd.estimate_job(job)
    assert found.n_epochs == 4 and found.n_steps == 4
    assert 0 < found.seconds < 60 and 1e6 < found.memory_bytes < 1e9
    assert "4 steps (4 epochs) on CPU" in str(found)
    ticks = itertools.count()  # a clock by which everything takes a second
    clock = SimpleNamespace(perf_counter=lambda: float(next(ticks)))
    monkeypatch.setattr(finetune_estimate, "time", clock)
    assert nd.estimate_job(job).seconds == 4 + 4  # steps and validations
    both = dataclasses.replace(job, params=dataclasses.replace(job.params, scratch=True))
    assert nd.estimate_job(both).seconds == 2 * (4 + 4)
    assert not any(tmp_path.iterdir())  # nothing is written
