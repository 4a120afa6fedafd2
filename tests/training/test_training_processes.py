"""Two processes that train together, and a machine that has next to nothing installed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_deeper.models.resunet import ResUNetConfig
from napari_deeper.training import denoise
from napari_deeper.training.loop import Drawn, Place, Schedule, rate_at
from napari_deeper.training.state import load_state

AXIS = np.linspace(600, 1800, 64)
TINY = ResUNetConfig(n_channels=64, widths=(4, 6, 8), num_convs=1, linear_head=False)
SCHEDULE = Schedule(4, 1e-3, seed=2, bf16=False)
ROOT = Path(__file__).parents[2]

PROCESS = f"""
import sys
from functools import partial
from pathlib import Path
import numpy as np, torch
from napari_deeper.models.resunet import ResUNetConfig
from napari_deeper.training import denoise
from napari_deeper.training.loop import *

folder = Path(sys.argv[1])
torch.set_num_threads(1)
net = denoise.new_network(1, {TINY!r})
steps = []
done = fit_on(
    Machine(devices=2, strategy="ddp"), net,
    Drawn(partial(denoise.make_batch, 4, np.linspace(600, 1800, 64))), denoise.loss, {SCHEDULE!r},
    Keeping(folder / "state.pt"), Watching(lambda step, loss: steps.append(step)),
)
assert done.n_ranks == 2 and done.n_done == 4, done
assert steps == ([0, 1, 2, 3] if done.is_first else []), steps
torch.save(net.state_dict(), folder / f"net{{0 if done.is_first else 1}}.pt")
"""


@pytest.mark.skipif(
    not (torch.distributed.is_available() and torch.distributed.is_gloo_available()),
    reason="torch is built without gloo here",
)
def test_two_processes_train_one_network(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # As torchrun sets it.
    shared = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
    shared |= {"MASTER_PORT": str(port), "GROUP_RANK": "0", "TORCHELASTIC_RUN_ID": "none"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", PROCESS, str(tmp_path)],
            env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in (0, 1)
    ]
    for process in processes:
        out, _ = process.communicate(timeout=200)
        assert process.returncode == 0, out
    first, second = (torch.load(tmp_path / f"net{i}.pt", weights_only=True) for i in (0, 1))
    expected = mean_of_two_ranks().state_dict()
    for name, tensor in expected.items():
        assert torch.equal(first[name], second[name]), name
        torch.testing.assert_close(first[name], tensor, rtol=1e-4, atol=1e-6)
    assert load_state(tmp_path / "state.pt").run == {"n_ranks": 2}


def mean_of_two_ranks() -> torch.nn.Module:
    """Train without any framework on the mean gradient of the batches of two ranks."""
    net = denoise.new_network(1, TINY).train()
    batch_at = Drawn(partial(denoise.make_batch, 4, AXIS))
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for step in range(SCHEDULE.n_steps):
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, SCHEDULE)
        optimizer.zero_grad()
        for rank in (0, 1):
            (denoise.loss(net, batch_at(Place(2, step, rank, 2))) / 2).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
    return net


# What a machine with torch, numpy, scipy, safetensors and pytorch-lightning alone has not.
BARE = """
import sys

ABSENT = {
    "napari", "qtpy", "superqt", "magicgui", "vispy", "npe2", "pyqtgraph", "PyQt6", "PySide6", "skimage",
    "pooch", "zarr", "dask", "pywt", "pysptools", "h5py", "typer", "click", "tensorboard", "ramanbiolib",
}

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ABSENT:
            tried.add(name)
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

tried = set()
sys.meta_path.insert(0, Absent())
from napari_deeper.training.__main__ import main
flags = ["--steps", "2", "--batch-size", "2", "--threads", "1", "--minutes-per-slice", "5"]
code = main(["denoise", "--out", sys.argv[1], "--small-checkpoints", *flags])
assert not ABSENT & {name.partition(".")[0] for name in sys.modules}
ours = {name for name in tried if name.partition(".")[0] not in {"tensorboard"}}
assert not ours, ours
sys.exit(code)
"""


def test_training_runs_on_a_bare_machine(tmp_path):
    command = [sys.executable, "-W", "error", "-c", BARE, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "Wrote" in done.stdout and "No TensorBoard logs: pip install tensorboard" in done.stdout
    assert (tmp_path / "resunet.safetensors").is_file()


def test_without_lightning_the_error_says_what_to_install(tmp_path):
    code = (
        "import sys; sys.modules['pytorch_lightning'] = None\n"
        "from napari_deeper.training.__main__ import main\n"
        f"sys.exit(main(['denoise', '--out', {str(tmp_path / 'out')!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "pip install 'napari-deeper[train]'" in done.stderr
    assert done.stderr.count("\n") == 1 and not (tmp_path / "out").exists()
