"""The sample cubes: as their README says, and made again bit for bit."""

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_deeper.io.read import read
from napari_deeper.simulate.cells import cell

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "sample_data"
NAMES = ("simulated_cell_0.1s.npz", "simulated_cell_1s.npz")


def test_the_script_makes_them_again(tmp_path):
    script = ROOT / "scripts" / "make_sample_data.py"
    subprocess.run([sys.executable, script, tmp_path], check=True, capture_output=True)
    for name in NAMES:
        again, shipped = read(tmp_path / name), read(FOLDER / name)
        np.testing.assert_array_equal(again.intensity, shipped.intensity)
        assert again.header() == shipped.header()


@pytest.mark.parametrize("name", NAMES)
def test_the_readme_gives_size_and_sha256(name):
    content = (FOLDER / name).read_bytes()
    row = re.search(rf"`{re.escape(name)}`.*\|.*", (FOLDER / "README.md").read_text()).group()
    assert hashlib.sha256(content).hexdigest() in row
    assert f"{len(content):,} bytes" in row
    assert len(content) < 1.5e6


def test_both_show_the_same_cell():
    truth = cell((48, 48), 0.5, np.random.default_rng(7)).cube
    short, long = (read(FOLDER / name) for name in NAMES)
    assert short.shape == long.shape == truth.shape
    np.testing.assert_array_equal(short.wavenumber, truth.wavenumber)
    for cube, seconds in ((short, 0.1), (long, 1.0)):
        error = cube.intensity - 80 * seconds * truth.intensity
        noise = np.sqrt(80 * seconds * truth.intensity + 9 + 1 / 12)
        assert (error / noise).std() == pytest.approx(1, abs=0.02)
