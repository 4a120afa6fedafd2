"""The code blocks of the README run as they stand."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from napari_deeper import RamanCube, read, write
from napari_deeper.cli import app

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.fixture(autouse=True)
def _folder_with_a_cell(tmp_path, monkeypatch, small_cube: RamanCube):
    monkeypatch.chdir(tmp_path)
    write(small_cube, "cell.mat")


def test_the_python_block_runs():
    (block,) = blocks("python")
    exec(compile(block, "README.md", "exec"), {})
    assert read("cell_2x.zarr").shape == (18, 14, 120)


def test_the_commands_run():
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    commands = [shlex.split(line)[1:] for line in lines if line.startswith("napari-deeper ")]
    assert len(commands) >= 4
    for command in commands:
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0, done.output
    assert read("cell_2x.npz").shape == (18, 14, 120)
