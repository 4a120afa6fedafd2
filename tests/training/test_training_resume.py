"""A run that was killed, stopped or met trouble: what is kept, and how it goes on."""

from __future__ import annotations

import csv
import errno
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_deeper.models.compact import CompactHyRISRConfig
from napari_deeper.models.resunet import ResUNet, ResUNetConfig
from napari_deeper.spectra.errors import CheckpointError, TrainingError
from napari_deeper.training import denoise, state, super_resolve
from napari_deeper.training.loop import (
    Drawn,
    Keeping,
    Machine,
    Schedule,
    Stopped,
    Watching,
    fit,
    fit_on,
)
from napari_deeper.training.state import State, load_state, save_state

AXIS = np.linspace(600, 1800, 64)
TINY = ResUNetConfig(n_channels=64, widths=(4, 6, 8), num_convs=1, linear_head=False)
N_STEPS = 24
SCHEDULE = Schedule(N_STEPS, 1e-3, seed=2, save_seconds=0, bf16=False)
BATCHES = Drawn(partial(denoise.make_batch, 8, AXIS))

CHILD = f"""
import sys, time
from functools import partial
from pathlib import Path
import numpy as np
from napari_deeper.models.resunet import ResUNetConfig
from napari_deeper.training import denoise
from napari_deeper.training.loop import *

axis = np.linspace(600, 1800, 64)
net = denoise.new_network(1, {TINY!r})
keeping = Keeping(Path(sys.argv[1]) / "state.pt", table=Path(sys.argv[1]) / "log.csv", log_every=3)
done = fit_on(
    Machine(), net, Drawn(partial(denoise.make_batch, 8, axis)), denoise.loss,
    Schedule({N_STEPS}, 1e-3, seed=2, save_seconds=0.2, bf16=False), keeping,
    Watching(lambda step, loss: time.sleep(0.1)),
)
print(done.stopped, done.n_done)
"""


def train_on(folder: Path, n_steps: int = N_STEPS):
    """Train in this process, going on from what is in the folder."""
    net = denoise.new_network(1, TINY)
    keeping = Keeping(folder / "state.pt", table=folder / "log.csv", log_every=3)
    done = fit_on(Machine(), net, BATCHES, denoise.loss, SCHEDULE, keeping)
    return net, done, losses_of(folder)


def losses_of(folder: Path) -> dict[int, str]:
    with (folder / "log.csv").open(newline="") as stream:
        return {int(row["step"]): row["loss"] for row in csv.DictReader(stream)}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    return train_on(tmp_path_factory.mktemp("whole"))


def child(folder: Path) -> subprocess.Popen[str]:
    """Start a run in a process of its own, and wait until it has trained for a while."""
    command = [sys.executable, "-W", "error", "-c", CHILD, str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 200
    while not ((folder / "log.csv").exists() and len(losses_of(folder)) > 2):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)
    return process


def assert_same(folder: Path, uninterrupted) -> None:
    whole, _, wanted = uninterrupted
    net, done, losses = train_on(folder)
    assert done.n_done == N_STEPS and not done.stopped
    assert losses == wanted
    for name, tensor in whole.state_dict().items():
        assert torch.equal(net.state_dict()[name], tensor), name


def test_a_killed_run_goes_on_with_the_same_step_and_loss(tmp_path, uninterrupted):
    process = child(tmp_path)
    process.kill()  # SIGKILL: no chance to tidy up
    process.communicate()
    kept = load_state(tmp_path / "state.pt")
    assert kept is not None and 0 < kept.step < N_STEPS
    assert_same(tmp_path, uninterrupted)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_saves_the_last_step(tmp_path, uninterrupted, number):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    def stop(step, value):
        if step == 12:
            os.kill(os.getpid(), number)

    net = denoise.new_network(1, TINY)
    keeping = Keeping(tmp_path / "state.pt", table=tmp_path / "log.csv", log_every=3)
    slow = replace(SCHEDULE, save_seconds=1000)
    done = fit_on(Machine(), net, BATCHES, denoise.loss, slow, keeping, Watching(stop))
    assert (done.stopped, done.n_done) == ("interrupt", 13)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    assert load_state(tmp_path / "state.pt").step == 13
    assert_same(tmp_path, uninterrupted)


def test_a_stopped_fit_says_so(tmp_path):
    make = partial(denoise.make_batch, 8, AXIS)
    with pytest.raises(Stopped, match="step 2 of 24"):
        fit(
            denoise.new_network(1, TINY),
            make,
            denoise.loss,
            SCHEDULE,
            tmp_path / "state.pt",
            lambda step, value: step == 1 and os.kill(os.getpid(), signal.SIGINT),
        )


def test_a_second_ctrl_c_ends_at_once(tmp_path):
    def stop(step, value):
        if step == 2:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    make = partial(denoise.make_batch, 8, AXIS)
    with pytest.raises(KeyboardInterrupt):
        fit(denoise.new_network(1, TINY), make, denoise.loss, SCHEDULE, None, stop)


def test_a_damaged_state_gives_way_to_the_one_before(tmp_path, uninterrupted):
    train_on(tmp_path)
    path = tmp_path / "state.pt"
    path.write_bytes(path.read_bytes()[:1000])
    kept = load_state(path)
    assert kept is not None and kept.step < N_STEPS
    assert_same(tmp_path, uninterrupted)
    for each in tmp_path.glob("state.pt*"):
        each.write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="damaged"):
        load_state(path)


def test_a_full_disk_keeps_the_last_good_state(tmp_path, monkeypatch):
    real, n_writes = os.fsync, 0

    def full(number):
        nonlocal n_writes
        n_writes += 1
        if n_writes > 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(number)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TrainingError, match=r"step 4 cannot.*No space left.*step 3, is kept"):
        train_on(tmp_path)
    assert load_state(tmp_path / "state.pt").step == 3
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_the_run(tmp_path, bad):
    def loss(net, batch):
        value = denoise.loss(net, batch)
        calls.append(1)
        return value * (bad if len(calls) == 6 else 1.0)

    calls: list[int] = []
    keeping = Keeping(tmp_path / "state.pt")
    with pytest.raises(TrainingError, match=r"loss of step 5 is (nan|inf).*step 5, is kept"):
        fit_on(Machine(), denoise.new_network(1, TINY), BATCHES, loss, SCHEDULE, keeping)
    kept = load_state(tmp_path / "state.pt")
    assert kept.step == 5
    assert all(torch.isfinite(tensor).all() for tensor in kept.net.values())


def test_the_state_of_another_network_or_run_is_refused(tmp_path):
    path = tmp_path / "state.pt"
    one = Schedule(1, bf16=False)
    make = partial(denoise.make_batch, 4, AXIS)
    fit(denoise.new_network(1, TINY), make, denoise.loss, one, path)
    with pytest.raises(CheckpointError, match="another network"):
        other = ResUNet(ResUNetConfig(64, (4, 4, 4), 1, linear_head=False))
        fit(other, make, denoise.loss, Schedule(2, bf16=False), path)
    run = Keeping(tmp_path / "other.pt", run={"seed": 1})
    fit_on(Machine(), denoise.new_network(1, TINY), BATCHES, denoise.loss, one, run)
    with pytest.raises(CheckpointError, match="seed is 1 there and 2 here"):
        again = Keeping(tmp_path / "other.pt", run={"seed": 2})
        fit_on(Machine(), denoise.new_network(1, TINY), BATCHES, denoise.loss, one, again)


def adam_state(net: torch.nn.Module) -> dict:
    """Return the state of an optimizer that has taken a step."""
    optimizer = torch.optim.Adam(net.parameters())
    for parameter in net.parameters():
        parameter.grad = torch.full_like(parameter, 1e-3)
    optimizer.step()
    return optimizer.state_dict()


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_small_state_of_the_largest_shipped_network_fits(tmp_path, scale):
    net = super_resolve.new_network(0, CompactHyRISRConfig(scale=scale))
    made = State(7, net.state_dict(), adam_state(net))
    path = tmp_path / "small.pt"
    save_state(path, made, state.SMALL)
    assert path.stat().st_size <= 16 * 2**20
    got = load_state(path)
    assert got.step == 7
    for name, tensor in net.state_dict().items():
        torch.testing.assert_close(got.net[name], tensor, rtol=0.01, atol=0)
    optimizer = torch.optim.Adam(net.parameters())
    optimizer.load_state_dict(got.optimizer)
    moment = optimizer.state_dict()["state"][0]["exp_avg_sq"]
    assert moment.dtype == torch.float32
    torch.testing.assert_close(moment, made.optimizer["state"][0]["exp_avg_sq"], rtol=0.01, atol=0)
    assert float(optimizer.state_dict()["state"][0]["step"]) == 1


def test_what_does_not_fit_is_rounded_in_order(tmp_path):
    net = denoise.new_network(1, TINY)
    made = State(3, net.state_dict(), adam_state(net))
    path, limit = tmp_path / "state.pt", None
    kept = []
    for _ in range(4):
        save_state(path, made, limit)
        limit = path.stat().st_size - 1  # what was just written does not fit any more
        got = torch.load(path, weights_only=True)
        moment = got["optimizer"] and got["optimizer"]["state"][0]["exp_avg"].dtype
        kept.append((got["net"]["conv1.0.body.0.weight"].dtype, moment))
    exact, small = torch.float32, torch.bfloat16
    assert kept == [(exact, exact), (exact, small), (small, small), (small, None)]
    with pytest.raises(TrainingError, match="without --small-checkpoints"):
        save_state(path, made, limit)


def test_a_run_goes_on_without_the_optimizer(tmp_path):
    net = denoise.new_network(1, TINY)
    save_state(tmp_path / "state.pt", State(4, net.state_dict(), None, {"n_ranks": 1}))
    _, done, losses = train_on(tmp_path)
    assert done.n_done == N_STEPS and min(losses) == 6
