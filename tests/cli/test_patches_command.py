"""``napari-deeper patches``, as a user types it."""

from __future__ import annotations

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_deeper import RamanCube, read_cubes, read_patches, suggest_patches, write
from napari_deeper.cli.commands import app


@pytest.fixture
def maps(tmp_path):
    axis = np.linspace(600, 1800, 30)
    made = []
    for i in range(2):
        rng = np.random.default_rng(i)
        cube = RamanCube(rng.random((24, 32, 1)) * rng.random(30) + 1, axis)
        (tmp_path / str(i)).mkdir()
        made.append(write(cube, tmp_path / str(i) / "map.npz"))
    return made


def run(*arguments):
    return CliRunner().invoke(app, ["patches", *map(str, arguments)])


def test_it_writes_what_the_function_suggests(tmp_path, maps):
    out = tmp_path / "set.json"
    done = run(
        *maps, "--size", 8, "--suggest", 6, "--tissue", "bone", "--tissue", "skin", "--out", out
    )
    assert done.exit_code == 0, done.output
    assert "6 patches (3 train, 1 validation, 2 test)" in done.output
    found = read_patches(out)
    cubes = read_cubes(found)
    assert list(cubes) == ["map", "map 2"]
    tissues = {"map": "bone", "map 2": "skin"}
    expected = suggest_patches(cubes, size=8, suggest=6, tissues=tissues)
    assert found.patches == expected.patches.patches
    assert "skin" in done.output


def test_notes_errors_and_usage(tmp_path, maps):
    out = tmp_path / "set.json"
    done = run(maps[0], "--out", out)
    assert done.exit_code == 1
    assert "no patch of 64 x 64 fits" in done.output
    assert not out.exists()
    done = run(maps[0], "--size", 8, "--suggest", 99, "--out", out)
    assert "12 of 99 patches fit" in done.output
    done = run(maps[0], "--size", 8, "--out", out)
    assert done.exit_code == 1
    assert "already exists" in done.output
    assert run(maps[0], "--size", 8, "--out", out, "--force", "--quiet").output == ""
    three = ["--tissue", "a"] * 3
    assert run(*maps, "--size", 8, *three, "--out", tmp_path / "b.json").exit_code == 2
    plain = tmp_path / "plain.npy"
    np.save(plain, np.ones((24, 32, 5)))
    done = run(plain, "--size", 8, "--out", tmp_path / "c.json")
    assert done.exit_code == 1
    assert "napari-deeper convert plain.npy OUT.zarr" in done.output
