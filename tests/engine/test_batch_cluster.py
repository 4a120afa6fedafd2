"""A workflow on real workers of dask: a death, a broken file, a second run."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import napari_deeper as nd
from napari_deeper import DenoiseParams, RamanCube, Recipe, Workflow
from napari_deeper.engine import dask_client
from napari_deeper.spectra.errors import Cancelled, FileError

distributed = pytest.importorskip("distributed")

SAVGOL = Workflow(Recipe((nd.Despike(),)), DenoiseParams(method="savgol"))


@pytest.fixture(scope="module")
def measured(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("measured")
    axis = np.linspace(600, 1800, 60)
    for seed in range(5):
        values = np.random.default_rng(seed).normal(100, 5, (5, 6, 60))
        nd.write(RamanCube(values, axis), folder / f"cube{seed}.npz")
    (folder / "broken.npz").write_bytes(b"nothing of the kind")
    return folder


def outcomes(done) -> dict[str, str]:
    return {file.source.stem: file.outcome for file in done}


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        dashboard_address="127.0.0.1:0",
        memory_limit=0,
        silence_logs=logging.CRITICAL,
    ) as cluster:
        yield cluster


def kill_one_at_work(cluster, killed: list[int]) -> None:
    """Kill a worker while it runs a task; its first takes long, because it imports everything."""
    for _ in range(6000):
        busy = [w for w in cluster.scheduler.workers.values() if w.processing]
        if busy:
            pid = cluster.workers[busy[0].name].pid
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)
            return
        time.sleep(0.005)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_worker_that_dies_costs_nothing(measured, tmp_path, cluster):
    killed: list[int] = []
    murder = threading.Thread(target=kill_one_at_work, args=(cluster, killed))
    murder.start()
    address, out = cluster.scheduler_address, tmp_path / "out"
    done = nd.batch(SAVGOL, measured, out, suffix=".npz", scheduler=address)
    murder.join()
    assert killed
    expected = {f"cube{seed}": "done" for seed in range(5)} | {"broken": "failed"}
    assert outcomes(done) == expected
    assert [file.source.name for file in done] == sorted(p.name for p in measured.iterdir())
    serial = nd.batch(SAVGOL, measured, tmp_path / "serial", suffix=".npz", workers=1)
    assert outcomes(serial) == expected
    for file in serial:
        if file.outcome == "done":
            one, other = nd.read(file.target), nd.read(out / file.target.name)
            np.testing.assert_array_equal(one.intensity, other.intensity)
            assert one.provenance == other.provenance
    again = nd.batch(SAVGOL, measured, out, suffix=".npz", scheduler=address)
    assert outcomes(again) == {k: v.replace("done", "skipped") for k, v in expected.items()}


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_cube_that_kills_every_worker_is_given_up(measured, tmp_path, cluster, monkeypatch):
    monkeypatch.setattr(cluster.scheduler, "allowed_failures", 0)
    killed: list[int] = []
    murder = threading.Thread(target=kill_one_at_work, args=(cluster, killed))
    murder.start()
    (done,) = nd.batch(
        SAVGOL, measured / "cube0.npz", tmp_path, scheduler=cluster.scheduler_address
    )
    murder.join()
    assert done.outcome == "failed" and "the worker that ran it died" in done.text


def test_processes_of_ones_own_and_a_cancel(measured, tmp_path):
    stop = threading.Event()
    with pytest.raises(Cancelled):
        nd.batch(
            SAVGOL,
            measured,
            tmp_path / "out",
            workers=2,
            progress=nd.Progress(cancel=stop),
            on_file=lambda file: stop.set() if file.outcome == "done" else None,
        )
    assert list((tmp_path / "out").glob("*.zarr"))


def test_a_cluster_without_workers_is_waited_for_and_given_up(measured, tmp_path, monkeypatch):
    monkeypatch.setattr(dask_client, "LONGEST_ALONE", 1.0)
    said: list[str] = []
    with (
        distributed.LocalCluster(
            n_workers=0, dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL
        ) as empty,
        pytest.raises(FileError, match="has had no worker for 1 s"),
    ):
        nd.batch(
            SAVGOL,
            measured,
            tmp_path / "out",
            scheduler=empty.scheduler_address,
            progress=nd.Progress(lambda _, text: said.append(text)),
        )
    assert any("waiting for a worker at tcp://" in text for text in said)


def test_what_is_missing_is_told(measured, tmp_path, monkeypatch):
    with pytest.raises(FileError, match="No dask scheduler answers at nowhere"):
        nd.batch(SAVGOL, measured, tmp_path / "out", scheduler="nowhere:1:2")
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(FileError, match=r'pip install "napari-deeper\[cluster\]"'):
        nd.batch(SAVGOL, measured, tmp_path / "out", workers=2)
