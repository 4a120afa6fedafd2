"""Time how napari starts and docks open: ``python benchmarks/startup.py [--quick]``; prints Markdown.

Each figure is of a fresh process. napari is started with the plugin and without it in turn: without it, the
distribution is hidden from those that look for plugins. A dock is opened from the menu's own call in a window that has
been drawn, until it is drawn itself; which slow libraries it loads is told.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from npe2 import PluginManifest

PLUGIN = "napari-deeper"
SLOW = (
    "torch", "pytorch_lightning", "scipy.signal", "scipy.stats", "scipy.ndimage", "scipy.sparse", "scipy.optimize",
    "sklearn", "pybaselines", "pysptools", "pandas", "matplotlib", "pywt", "zarr", "h5py", "dask", "distributed",
    "pyqtgraph",
)  # fmt: skip
ENTRIES = ("napari_deeper", "plugin.reader", "plugin.writer", "plugin.sample_data")

IMPORT = """
import sys, time
before, start, own = set(sys.modules), time.perf_counter(), time.thread_time()
import {module}
tell(time.perf_counter() - start, time.thread_time() - own, before)
"""
WINDOW = """
import sys, time
from napari import Viewer
from qtpy.QtWidgets import QApplication

def settle(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        QApplication.processEvents()
        time.sleep(0.002)

viewer = Viewer()
QApplication.processEvents()
QApplication.processEvents()
"""
START = WINDOW + "tell(time.time() - STARTED, time.thread_time(), set(sys.modules))\n"
HIDE = """
from importlib import metadata
every, folder = metadata.distributions, PLUGIN.replace("-", "_") + "-"  # by its folder, which costs nothing
metadata.distributions = lambda **about: (d for d in every(**about) if folder not in str(d._path))
"""
DOCK = (
    WINDOW
    + """
settle(1.0)
before, start, own = set(sys.modules), time.perf_counter(), time.thread_time()
viewer.window.add_plugin_dock_widget(PLUGIN, {name!r})
for _ in range(3):  # the workspace opens the others in the turn after
    QApplication.processEvents()
tell(time.perf_counter() - start, time.thread_time() - own, before)
"""
)
TELL = """
import json, os, sys
def tell(seconds, own, before):
    from npe2 import PluginManager
    has = PLUGIN in PluginManager.instance()
    new = [name for name in SLOW if name in sys.modules and name not in before]
    print("TOLD" + json.dumps([seconds, own, new, has]), flush=True)
    os._exit(0)  # what comes after is not measured
"""


@dataclass(frozen=True)
class Run:
    """Seconds, processor seconds of the main thread, slow libraries loaded, and whether the plugin was there."""

    seconds: float
    own: float
    loaded: list[str]
    there: bool


def measure(code: str) -> Run:
    """Run code in a fresh process, and return what it tells."""
    head = f"PLUGIN, SLOW = {PLUGIN!r}, {SLOW!r}\n"
    with tempfile.TemporaryDirectory() as folder:
        # neither the user's settings nor what they leave for the next start
        settings = str(Path(folder) / "settings.yaml")
        started = f"STARTED = {time.time()!r}\n"
        done = subprocess.run(
            [sys.executable, "-c", head + started + TELL + code],
            capture_output=True, text=True, check=False, env={**os.environ, "NAPARI_CONFIG": settings},
        )  # fmt: skip
    told = [line for line in done.stdout.splitlines() if line.startswith("TOLD")]
    if not told:
        raise RuntimeError(done.stderr)
    return Run(*json.loads(told[0].removeprefix("TOLD")))


def in_turn(codes: dict[str, str], n_times: int) -> dict[str, list[Run]]:
    """Measure each of several codes so often, one after the other, so that what else runs meets all of them."""
    found: dict[str, list[Run]] = {name: [] for name in codes}
    for _ in range(n_times):
        for name, code in codes.items():
            found[name].append(measure(code))
    return found


def show(title: str, found: dict[str, list[Run]]) -> None:
    print(f"\n{title}\n")
    print("| what | median, s | least | most | processor, s | slow libraries loaded |")
    print("|---|---|---|---|---|---|")
    for name, runs in found.items():
        seconds = [run.seconds for run in runs]
        times = (median(seconds), min(seconds), max(seconds), median(run.own for run in runs))
        loaded = ", ".join(runs[0].loaded) or "none"
        print(f"| {name} | {' | '.join(f'{t:.3f}' for t in times)} | {loaded} |", flush=True)


def time_start(n_times: int) -> None:
    found = in_turn({"with the plugin": START, "without it": HIDE + START}, n_times)
    both = list(zip(found["with the plugin"], found["without it"], strict=True))
    assert all(one.there and not other.there for one, other in both)
    show("napari, from the start of the process to the window drawn.", found)
    for what, apart in (
        ("s", [one.seconds - other.seconds for one, other in both]),
        ("processor s", [one.own - other.own for one, other in both]),
    ):
        quarters = np.percentile(apart, (50, 25, 75))
        print(f"\nWith less without, in each pair, {what}: median {quarters[0]:+.3f}", end="")
        print(f" (quartiles {quarters[1]:+.3f} and {quarters[2]:+.3f}).")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="once, three docks")
    quick = parser.parse_args(arguments).quick
    manifest = PluginManifest.from_distribution(PLUGIN)
    names = [widget.display_name for widget in manifest.contributions.widgets or []]
    modules = {n: n if n == "napari_deeper" else f"napari_deeper.{n}" for n in ENTRIES}
    entries = {n: IMPORT.format(module=module) for n, module in modules.items()}
    docks = {name: DOCK.format(name=name) for name in (names[:3] if quick else names)}
    show("Importing, without napari.", in_turn(entries, 1 if quick else 7))
    time_start(1 if quick else 11)
    show("First opening of a dock, until it is drawn.", in_turn(docks, 1 if quick else 3))


if __name__ == "__main__":
    main()
