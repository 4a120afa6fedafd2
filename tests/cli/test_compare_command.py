"""napari-deeper compare: the report, and what it refuses."""

from __future__ import annotations

import csv
import dataclasses

import numpy as np
import pytest
from typer.testing import CliRunner

import napari_deeper as nd
from napari_deeper.cli import app
from napari_deeper.engine.compare_report import FILES


def run(*arguments):
    return CliRunner().invoke(app, ["compare", *(str(a) for a in arguments)])


@pytest.fixture
def files(tmp_path, small_cube):
    noisy = dataclasses.replace(
        small_cube,
        intensity=small_cube.intensity + np.random.default_rng(1).normal(0, 9, small_cube.shape),
    )
    return (
        nd.write(small_cube, tmp_path / "target.npz"),
        nd.write(noisy, tmp_path / "noisy.npz"),
        nd.write(nd.denoise(noisy, method="savgol"), tmp_path / "smooth.npz"),
    )


def rows_of(path):
    with path.open() as stream:
        return list(csv.DictReader(stream))


def test_the_report_holds_what_the_function_finds(tmp_path, files, small_cube):
    labels = np.zeros(small_cube.shape[:2], int)
    for i in range(3):
        labels[3 * i : 3 * i + 3, 1:5] = i + 1
    np.savez(tmp_path / "rois.npz", labels=labels)
    out = tmp_path / "report"
    done = run(*files, "--rois", tmp_path / "rois.npz", "--out", out, "--n-endmembers", 3)
    assert done.exit_code == 0, done.output
    assert sorted(p.name for p in out.iterdir()) == sorted(FILES)
    cubes = [nd.read(path) for path in files]
    expected = nd.compare(
        {"noisy": cubes[1], "smooth": cubes[2]},
        cubes[0],
        n_endmembers=3,
        regions=nd.read_regions(tmp_path / "rois.npz", cubes[0]),
    )
    for row, score in zip(rows_of(out / "scores.csv"), expected.scores, strict=True):
        assert row["candidate"] == score.candidate
        assert float(row["mse"]) == pytest.approx(score.mse)
    assert len(rows_of(out / "components.csv")) == 6
    assert len(rows_of(out / "regions.csv")) == 6
    assert len(rows_of(out / "tests.csv")) == len(expected.tests) > 0
    spectra = rows_of(out / "region_spectra.csv")
    assert len(spectra) == 120
    assert sum(name.startswith("sd of") for name in spectra[0]) == 9
    with np.load(out / "differences.npz", allow_pickle=False) as maps:
        assert maps["names"].tolist() == ["noisy", "smooth"]
        np.testing.assert_allclose(maps["difference_1"], expected.differences[1].difference)
    text = (out / "report.md").read_text()
    for part in ("# Comparison with small", "| smooth |", "## Components", "## Tests over regions"):
        assert part in text
    for note in expected.notes:
        assert note in text
        assert note in done.output
    again = run(*files, "--out", out)
    assert again.exit_code == 1
    assert run(*files, "--out", out, "--force", "--quiet").output == ""


def test_without_a_target(tmp_path, files):
    done = run(*files, "--no-target", "--out", tmp_path / "report")
    assert done.exit_code == 0, done.output
    assert "no error can be stated" in done.output
    assert sorted(p.name for p in (tmp_path / "report").iterdir()) == [
        "bands.csv", "report.md", "scores.csv",
    ]  # fmt: skip
    assert [row["candidate"] for row in rows_of(tmp_path / "report" / "scores.csv")] == [
        "target", "noisy", "smooth",
    ]  # fmt: skip
    assert "## Bands" in (tmp_path / "report" / "report.md").read_text()


def test_endmembers_of_a_file_take_the_place_of_a_search(tmp_path, files, small_cube):
    rows = [f"{w},{np.exp(-(((w - 1004) / 14) ** 2))},{np.exp(-(((w - 1450) / 14) ** 2))}"
            for w in small_cube.wavenumber]  # fmt: skip
    (tmp_path / "pure.csv").write_text("cm-1,ring,lipid\n" + "\n".join(rows))
    done = run(*files, "--use", tmp_path / "pure.csv", "--out", tmp_path / "report")
    assert done.exit_code == 0, done.output
    parts = rows_of(tmp_path / "report" / "components.csv")
    assert [row["component"] for row in parts] == ["ring", "lipid"] * 2


def test_files_of_one_name_stay_apart(tmp_path, files):
    (tmp_path / "other").mkdir()
    other = nd.write(nd.read(files[1]), tmp_path / "other" / "noisy.npz")
    run(files[0], files[1], other, "--out", tmp_path / "report")
    names = [row["candidate"] for row in rows_of(tmp_path / "report" / "scores.csv")]
    assert names == ["noisy", "noisy (2)"]


def test_wrong_use_is_told_in_a_line(tmp_path, files):
    alone = run(files[0], "--out", tmp_path / "report")
    assert alone.exit_code == 2
    assert "at least one CANDIDATE" in " ".join(alone.output.replace("│", " ").split())
    away = nd.write(dataclasses.replace(nd.read(files[1]), origin=(99, 99)), tmp_path / "away.npz")
    done = run(files[0], away, "--out", tmp_path / "report")
    assert done.exit_code == 1
    assert "does not overlap" in done.output
    assert not (tmp_path / "report").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    assert "holds other files" in run(*files, "--out", tmp_path / "mine").output
