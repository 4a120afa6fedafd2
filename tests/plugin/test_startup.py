"""Docks open without what only their runs need, and what starting takes is measured."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

OPEN_ALL = """
import sys
from napari import Viewer
from npe2 import PluginManifest
from qtpy.QtWidgets import QApplication
slow = {"torch", "pytorch_lightning", "scipy.signal", "scipy.stats", "sklearn", "pybaselines", "pysptools", "zarr"}
viewer = Viewer(show=False)
for widget in PluginManifest.from_distribution("napari-deeper").contributions.widgets:
    viewer.window.add_plugin_dock_widget("napari-deeper", widget.display_name)
    QApplication.processEvents()
    assert not slow & sys.modules.keys(), (widget.display_name, slow & sys.modules.keys())
viewer.close()
"""


def test_no_dock_loads_torch_or_another_slow_library_as_it_opens():
    done = subprocess.run(
        [sys.executable, "-c", OPEN_ALL], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_starting_and_opening_are_timed(capsys, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    runpy.run_path(str(BENCHMARKS / "startup.py"))["main"](["--quick"])
    rows = [r.split(" | ") for r in capsys.readouterr().out.splitlines() if r.startswith("| ")]
    loaded = {row[0].removeprefix("| "): row[-1] for row in rows if row[0] != "| what"}
    assert {
        "napari_deeper",
        "with the plugin",
        "without it",
        "Workspace",
        "Enhance",
    } <= loaded.keys()
    assert "torch" not in "".join(loaded.values())
