"""``napari-deeper figure``: the same figure as by the function, without a window."""

from __future__ import annotations

import dataclasses

import pytest
from typer.testing import CliRunner

import napari_deeper as nd
from napari_deeper.cli import app


@pytest.fixture
def paths(tmp_path, small_cube):
    made = {}
    for name, seconds in (("fast", 0.1), ("slow", 1.0)):
        metadata = {"name": name, "dwell_time_s": seconds, "intensity_unit": "counts"}
        cube = dataclasses.replace(small_cube, metadata=metadata)
        made[name] = nd.write(cube, tmp_path / f"{name}.npz")
    return made


def figure(*arguments):
    return CliRunner().invoke(app, ["figure", *(str(a) for a in arguments)])


def test_the_command_writes_what_the_function_makes(tmp_path, paths):
    done = figure(
        paths["fast"], "--target", paths["slow"], "--components", "2", "--pins", "1,2 3,4",
        "--pins", "5,6", "--name", "input", "--out", tmp_path / "a.svg", "--also", "png",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "a_data" in done.stdout
    assert "imaging time" in done.stdout
    expected = nd.make_figure(
        {"input": nd.read(paths["fast"])}, target=nd.read(paths["slow"]), components=2,
        pins=[(1, 2), (3, 4), (5, 6)],
    )  # fmt: skip
    nd.write_figure(expected, tmp_path / "b.svg", nd.FigureParams(components=2), data=False)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert (tmp_path / "a.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--pins", "1;2"], 2, "y,x"),
        (["--also", "jpg"], 2, "none of svg"),
        (["--pins", "99,99"], 1, "outside every cube"),
        (["--band", "9999"], 1, "outside the cube"),
        (["--name", "a", "--name", "b"], 2, "2 times for 1"),
        (["--width", "9"], 2, "single, double"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_written(tmp_path, paths, arguments, code, told):
    done = figure(paths["fast"], *arguments, "--out", tmp_path / "a.svg")
    assert done.exit_code == code, done.output
    assert told in " ".join(done.output.replace("│", " ").split())
    assert "Traceback" not in done.output
    assert not (tmp_path / "a.svg").exists()


def test_rows_are_called_by_their_files(tmp_path, small_cube):
    cube = nd.write(small_cube, tmp_path / "noisy.npz")
    nd.write(nd.denoise(small_cube, method="low-rank"), tmp_path / "clean.npz")
    done = figure(
        cube,
        tmp_path / "clean.npz",
        "--target",
        cube,
        "--components",
        2,
        "--out",
        tmp_path / "a.svg",
    )
    assert done.exit_code == 0, done.output
    text = (tmp_path / "a.svg").read_text(encoding="utf-8")
    for name in (">noisy<", ">clean<", ">noisy (2)<"):
        assert name in "".join(text.split("\n")), name
    assert "Compared with 'noisy (2)'" in done.stdout
    twice = figure(cube, cube, "--out", tmp_path / "b.svg")
    assert twice.exit_code == 2
    assert "given twice" in " ".join(twice.output.replace("│", " ").split())


def test_an_existing_figure_is_kept(tmp_path, paths):
    (tmp_path / "a.png").write_text("mine")
    done = figure(paths["fast"], "--out", tmp_path / "a.png")
    assert done.exit_code == 1
    assert (tmp_path / "a.png").read_text() == "mine"
    done = figure(paths["fast"], "--out", tmp_path / "a.png", "--force", "--no-data", "--quiet")
    assert done.exit_code == 0, done.output
    assert done.stdout == ""
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "fast.npz", "slow.npz"]
