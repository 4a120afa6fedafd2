"""``napari-deeper finetune`` and ``models``: a child process that reports by lines, and outlives a kill."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import napari_deeper as nd
from napari_deeper.cli.commands import app
from napari_deeper.models import user_models
from napari_deeper.simulate.instrument import Instrument, measure
from napari_deeper.simulate.tissue import tissue
from napari_deeper.spectra.patches import Patch, PatchCube, PatchSet
from napari_deeper.training.finetune_events import job_status

AXIS = np.linspace(600, 1800, 40)
PARAMS = nd.FinetuneParams(
    epochs=8, batch_size=4, threads=1, precision="32", device="cpu", save_seconds=0, patience=0
)
CLI = [sys.executable, "-W", "error", "-m", "napari_deeper.cli", "finetune"]


@pytest.fixture(autouse=True)
def models(tmp_path, monkeypatch):
    monkeypatch.setenv(user_models.FOLDER_VARIABLE, str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture(scope="module")
def patches(tmp_path_factory):
    folder = tmp_path_factory.mktemp("maps")
    piece = tissue((16, 48), 0.5, np.random.default_rng(0), AXIS).cube
    cube = measure(piece, 5.0, np.random.default_rng(1), Instrument())
    nd.write(cube, folder / "map.npz")
    known = PatchCube.of(cube, "map", folder / "map.npz")
    roles = ("train", "validation", "test")
    drawn = tuple(Patch("map", 0, 16 * i, 16, role) for i, role in enumerate(roles))
    nd.write_patches(PatchSet((known,), drawn, 16), folder / "patches.json")
    return folder / "patches.json"


def job_file(folder: Path, patches: Path, **changes) -> Path:
    from dataclasses import replace

    params = replace(PARAMS, **changes)
    return nd.write_job(nd.FinetuneJob(folder, params, patches=patches, name="mine"))


def lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_child_reports_by_lines_and_a_killed_one_goes_on(patches, tmp_path):
    job = job_file(tmp_path / "job", patches)
    child = subprocess.Popen([*CLI, "--job", str(job), "--json"], stdout=subprocess.PIPE, text=True)
    seen = []
    for line in child.stdout:
        seen.append(json.loads(line))
        if seen[-1]["event"] == "saved" and seen[-1]["step"] >= 3:
            assert job_status(tmp_path / "job")["pid"] == child.pid
            # as another program finds it
            assert nd.list_jobs()[(tmp_path / "job").resolve()]["alive"]
            child.kill()
            break
    child.wait(30)
    child.stdout.close()
    assert not nd.list_jobs()[(tmp_path / "job").resolve()]["alive"]
    assert [e["event"] for e in seen[:2]] == ["planned", "started"]
    done = subprocess.run(
        [*CLI, "--job", str(job), "--json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    events = lines(done.stdout)
    start = next(e for e in events if e["event"] == "started")
    assert start["resumed"] and start["step"] >= 3
    whole = job_file(tmp_path / "whole", patches)
    assert CliRunner().invoke(app, ["finetune", "--job", str(whole), "--quiet"]).exit_code == 0
    kept, uncut = (nd.list_models()[i].card for i in (0, 1))
    assert kept["sha256"] == uncut["sha256"]  # as if it had never been killed
    assert (tmp_path / "job/losses.csv").read_text().splitlines()[-1].split(",")[:3] == (
        (tmp_path / "whole/losses.csv").read_text().splitlines()[-1].split(",")[:3]
    )
    assert events[-1]["event"] == "finished" and events[-1]["model"] == "mine"


@pytest.mark.skipif(os.name != "posix", reason="the signal is another one there")
def test_ctrl_c_saves_and_says_that_it_goes_on(patches, tmp_path):
    job = job_file(tmp_path / "job", patches, epochs=2000)
    child = subprocess.Popen([*CLI, "--job", str(job), "--json"], stdout=subprocess.PIPE, text=True)
    for line in child.stdout:
        if json.loads(line)["event"] == "saved":
            child.send_signal(signal.SIGINT)
            break
    rest = lines(child.stdout.read())
    assert child.wait(60) == 130
    child.stdout.close()
    assert rest[-1]["event"] == "stopped" and rest[-1]["reason"] == "interrupt"
    assert (tmp_path / "job" / "state.pt").is_file() and nd.list_models() == []


def test_nobody_listening_is_no_reason_to_stop(patches, tmp_path):
    job = job_file(tmp_path / "job", patches)
    child = subprocess.Popen(
        [*CLI, "--job", str(job), "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    child.stdout.close()  # as when the window is closed
    error = child.stderr.read()
    child.stderr.close()
    assert child.wait(60) == 0, error
    assert job_status(tmp_path / "job")["state"] == "finished"
    assert [m.name for m in nd.list_models()] == ["mine"]


# What the launchers tell each of two processes: one machine by torchrun, two machines by SLURM's srun.
LAUNCHERS = {
    "torchrun": (
        {"devices": 2, "strategy": "ddp"},
        {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "GROUP_RANK": "0", "TORCHELASTIC_RUN_ID": "none"},
        ("RANK", "LOCAL_RANK"),
    ),
    "slurm": (
        {"devices": 1, "nodes": 2, "strategy": "ddp"},
        {"SLURM_JOB_ID": "4711", "SLURM_JOB_NAME": "tune", "SLURM_NTASKS": "2", "SLURM_LOCALID": "0",
         "SLURM_NTASKS_PER_NODE": "1", "SLURM_JOB_NUM_NODES": "2", "SLURM_NODELIST": "localhost"},
        ("SLURM_PROCID", "SLURM_NODEID"),
    ),
}  # fmt: skip


@pytest.mark.skipif(
    not (torch.distributed.is_available() and torch.distributed.is_gloo_available()),
    reason="torch is built without gloo here",
)
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_two_processes_tune_one_network(patches, tmp_path, launcher):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings, shared, ranks = LAUNCHERS[launcher]
    job = job_file(tmp_path / "job", patches, epochs=2, **settings)
    shared = shared | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    processes = [
        subprocess.Popen(
            [*CLI, "--job", str(job), "--json"],
            env={**os.environ, **shared, **dict.fromkeys(ranks, str(rank))},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for rank in (0, 1)
    ]  # fmt: skip
    said = []
    for process in processes:
        out, error = process.communicate(timeout=200)
        assert process.returncode == 0, error
        said.append(out)
    assert lines(said[0])[-1]["event"] == "finished" and said[1] == ""
    (model,) = nd.list_models()  # the first alone writes
    assert "2 x CPU" in model.card["hardware"]


def test_flags_do_what_a_job_file_does(patches, tmp_path):
    flags = [
        "--epochs",
        "1",
        "--threads",
        "1",
        "--precision",
        "32",
        "--device",
        "cpu",
        "--name",
        "by flags",
    ]
    done = CliRunner().invoke(
        app, ["finetune", str(patches), "--out", str(tmp_path / "out"), *flags]
    )
    assert done.exit_code == 0, done.output
    assert "Validation:" in done.output and "on 1 test patches" in done.output
    assert "The model is named 'by flags'." in done.output
    listed = CliRunner().invoke(app, ["models", "list"])
    assert "by flags: eigenimage 2x" in listed.output and "1 in " in listed.output


def test_an_estimate_trains_nothing(patches, tmp_path):
    job = job_file(tmp_path / "job", patches)
    start = time.monotonic()
    done = CliRunner().invoke(app, ["finetune", "--job", str(job), "--estimate"])
    assert done.exit_code == 0 and "8 steps (8 epochs) on CPU" in done.output
    assert time.monotonic() - start < 60 and not (tmp_path / "job" / "state.pt").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [(["p.json"], "--out FOLDER"), (["--out", "x"], "file of patches"),
     (["--what", "denoise", "--out", "x", "--low", "a"], "1 --low and 0 --high"),
     (["--what", "denoise", "--out", "x", "--map", "a", "--low", "b", "--high", "c"], "without pairs"),
     (["--what", "denoise", "--out", "x", "--map", "a", "--network", "resunet"], "maps alone"),
     (["--job", "j.json", "--epochs", "3"], "--job says everything"),
     (["p.json", "--out", "x", "--scale", "7"], "scale is 7")],
)  # fmt: skip
def test_wrong_usage_is_said_and_exits_with_2(flags, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["finetune", *flags])
    assert done.exit_code == 2
    assert message in " ".join(done.output.replace("│", " ").split())


def test_models_are_renamed_shared_and_removed(patches, tmp_path):
    run = CliRunner().invoke
    job = job_file(tmp_path / "job", patches, epochs=1)
    assert run(app, ["finetune", "--job", str(job), "--quiet"]).exit_code == 0
    assert run(app, ["models", "rename", "mine", "ours"]).exit_code == 0
    assert run(app, ["models", "export", "ours", str(tmp_path / "gift")]).exit_code == 0
    again = run(app, ["models", "export", "ours", str(tmp_path / "gift")])
    assert again.exit_code == 1 and "exists" in again.output
    assert run(app, ["models", "remove", "ours"]).exit_code == 0
    missing = run(app, ["models", "remove", "ours"])
    assert missing.exit_code == 1 and "no model named 'ours'" in missing.output
    assert (
        run(app, ["models", "add", str(tmp_path / "gift.safetensors"), "--name", "ours"]).exit_code
        == 0
    )
    assert [m.name for m in nd.list_models()] == ["ours"]
