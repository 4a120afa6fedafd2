"""The package finds its manifest, weights and samples however it was installed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

CHECK = """
import sys
from pathlib import Path
import napari_deeper
from npe2 import PluginManifest
from napari_deeper.io.sample import simulated_cell
from napari_deeper.models.checkpoint import load, shipped

assert Path(napari_deeper.__file__).is_relative_to(sys.argv[1]), napari_deeper.__file__
manifest = PluginManifest.from_distribution("napari-deeper")
assert manifest.contributions.readers and manifest.contributions.widgets
assert simulated_cell("0.1s").shape == simulated_cell("1s").shape
load(shipped("resunet"))
load(shipped("eigenimage"))
for scale in (2, 3, 4):
    load(shipped("hyrisr", scale), scale)
assert "torch" in sys.modules and "napari" not in sys.modules
"""


def clean_environment(folder: Path) -> Path:
    """Make an environment that has our dependencies and not us; return its interpreter."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    bin_folder = "Scripts" if os.name == "nt" else "bin"
    python = folder / bin_folder / "python"
    ask = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = Path(subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip())
    dependencies = [p for p in sys.path if p.endswith("site-packages")]
    # a path line adds a folder without its own .pth files, so without our editable install
    (site / "dependencies.pth").write_text("\n".join(dependencies))
    return python


def install(python: Path, *what: str) -> None:
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-deps"]
    done = subprocess.run(
        [*command, "--no-build-isolation", "--force-reinstall", *what],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("*.whl"))


@pytest.mark.parametrize("how", ["folder", "editable", "wheel"])
def test_a_clean_install_finds_its_files(tmp_path, wheel, how):
    python = clean_environment(tmp_path / "env")
    install(python, *{"folder": ["."], "editable": ["-e", "."], "wheel": [str(wheel)]}[how])
    home = ROOT / "src" if how == "editable" else tmp_path
    done = subprocess.run(
        [python, "-c", CHECK, str(home)], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr


def test_the_wheel_is_small_and_whole(wheel):
    assert wheel.stat().st_size < 30 * 2**20
    names = zipfile.ZipFile(wheel).namelist()
    for name in (
        "napari_deeper/napari.yaml",
        "napari_deeper/py.typed",
        "napari_deeper/sample_data/README.md",
    ):
        assert name in names
    weights = [n for n in names if n.endswith(".safetensors")]
    assert len(weights) >= 5
    assert {n.replace(".safetensors", ".json") for n in weights} <= set(names)


def test_the_manifest_at_the_top_is_the_packaged_one():
    packaged = ROOT / "src" / "napari_deeper" / "napari.yaml"
    assert (ROOT / "napari.yaml").resolve() == packaged


def test_base_dependencies_hold_no_qt_binding():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    base = {re.split(r"[^\w\[\]-]", line.lower())[0] for line in project["dependencies"]}
    assert {"napari", "torch", "qtpy"} <= base
    assert not [name for name in base if re.fullmatch(r"(pyqt|pyside)\d.*|napari\[.*", name)]
    assert {"all", "formats", "train", "cluster", "dev"} <= set(project["optional-dependencies"])
