"""``napari-deeper unmix``: what the functions find, as files."""

from __future__ import annotations

import csv
import dataclasses

import numpy as np
import pytest
from typer.testing import CliRunner

import napari_deeper as nd
from napari_deeper.cli import app
from napari_deeper.engine import large_files, unmix_files
from napari_deeper.engine.work_folder import work_path
from napari_deeper.io.endmembers import read_endmembers


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture
def paths(tmp_path, small_cube):
    other = dataclasses.replace(
        small_cube, intensity=small_cube.intensity[:4] * 2, metadata={"name": "an/other"}
    )
    return nd.write(small_cube, tmp_path / "in.npz"), nd.write(other, tmp_path / "other.npz")


def test_it_writes_what_the_function_finds(paths, tmp_path, small_cube):
    done = run("unmix", paths[0], "--n-endmembers", 3, "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    expected = nd.unmix(small_cube, 3)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "abundances.npz", "composite.png", "endmembers.csv", "summary.csv"
    ]  # fmt: skip
    back = read_endmembers(tmp_path / "out" / "endmembers.csv")
    np.testing.assert_array_equal(back.spectra, expected.endmembers.spectra)
    with np.load(tmp_path / "out" / "abundances.npz") as maps:
        np.testing.assert_array_equal(maps["abundances"], expected.abundances)
        np.testing.assert_array_equal(maps["classes"], expected.classes)
        assert list(maps["names"]) == list(back.names)
        np.testing.assert_array_equal(maps["pixel_size"], [0.5, 0.5])
    with (tmp_path / "out" / "summary.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["component"] for row in rows] == list(back.names)
    np.testing.assert_allclose([float(r["class_share"]) for r in rows], expected.shares, rtol=1e-4)
    for note in expected.notes:
        assert note in done.stdout
    assert "of the pixels" in done.stdout


def test_given_endmembers_and_other_cubes(paths, tmp_path, small_cube):
    first = run("unmix", paths[0], "--n-endmembers", 2, "--out", tmp_path / "a", "--quiet")
    assert (first.exit_code, first.stdout) == (0, "")
    table = tmp_path / "a" / "endmembers.csv"
    done = run(
        "unmix", paths[0], "--use", table, "--apply-to", paths[1], "--apply-to", paths[1],
        "--out", tmp_path / "b",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    names = sorted(p.name for p in (tmp_path / "b").glob("*.npz"))
    assert names == ["abundances an_other 2.npz", "abundances an_other.npz", "abundances.npz"]
    with np.load(tmp_path / "b" / "abundances an_other.npz") as maps:
        expected = nd.abundances(nd.read(paths[1]), read_endmembers(table))
        np.testing.assert_array_equal(maps["abundances"], expected)


def test_nothing_is_overwritten_unless_forced(paths, tmp_path):
    out = tmp_path / "out"
    assert run("unmix", paths[0], "--n-endmembers", 2, "--out", out).exit_code == 0
    again = run("unmix", paths[0], "--n-endmembers", 2, "--out", out)
    assert again.exit_code == 1
    assert "already exists" in again.output
    assert run("unmix", paths[0], "--n-endmembers", 3, "--out", out, "--force").exit_code == 0
    assert len(read_endmembers(out / "endmembers.csv")) == 3
    (out / "mine.txt").write_text("keep")
    third = run("unmix", paths[0], "--out", out, "--force")
    assert third.exit_code == 1
    assert "holds other files" in third.output


def test_errors_are_one_line(paths, tmp_path):
    for flags, said in [
        (["--use", tmp_path / "absent.csv"], "no file"),
        (["--references", tmp_path / "absent.csv"], "no file"),
        (["--n-endmembers", 29, "--apply-to", tmp_path / "no.npz"], "no.npz"),
    ]:
        done = run("unmix", paths[0], "--out", tmp_path / "out", *flags)
        assert done.exit_code == 1
        assert said in done.output
        assert "Traceback" not in done.output
    assert run("unmix", paths[0]).exit_code == 2
    assert run("unmix", paths[0], "--out", tmp_path / "o", "--method", "magic").exit_code == 2
    assert not (tmp_path / "out").exists()


def test_large_stores_stream_and_a_cancelled_run_goes_on(small_cube, tmp_path, monkeypatch):
    monkeypatch.setattr(large_files, "STREAM_FROM_BYTES", 0)
    half = dataclasses.replace(
        small_cube, intensity=small_cube.intensity[:4] * 2, metadata={"name": "half"}
    )
    stores = [nd.write(small_cube, tmp_path / "in.zarr"), nd.write(half, tmp_path / "half.zarr")]
    out = tmp_path / "out"
    flags = ("--n-endmembers", 3, "--apply-to", stores[1], "--out", out)
    solve = unmix_files.unmix_stored

    def stopped(cube, *arguments):
        if cube.shape[0] == 4:
            raise KeyboardInterrupt
        return solve(cube, *arguments)

    monkeypatch.setattr(unmix_files, "unmix_stored", stopped)
    done = run("unmix", stores[0], *flags)
    assert done.exit_code == 130
    assert "run it again to go on" in done.stderr
    assert not out.exists()
    assert work_path(out).is_dir()
    monkeypatch.setattr(unmix_files, "unmix_stored", solve)
    done = run("unmix", stores[0], *flags)
    assert done.exit_code == 0, done.output
    assert not work_path(out).exists()
    first = nd.unmix(small_cube, 3)
    for cube, file in ((small_cube, "abundances.npz"), (half, "abundances half.npz")):
        with np.load(out / file) as maps:
            expected = nd.abundances(cube, first.endmembers)
            np.testing.assert_allclose(maps["abundances"], expected, rtol=1e-4, atol=1e-5)
