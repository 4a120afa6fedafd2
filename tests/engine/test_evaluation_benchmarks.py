"""The scripts that measure what docs/evaluation.md states."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return lambda name: runpy.run_path(str(BENCHMARKS / name))


def test_a_stopped_evaluation_resumes_with_the_same_figures(script, tmp_path, capsys):
    evaluation = script("evaluation.py")
    flags = ["--quick", "--out", str(tmp_path / "report")]
    evaluation["main"](flags)
    first = capsys.readouterr().out
    report = (tmp_path / "report" / "report.md").read_text(encoding="utf-8")
    parts = sorted((tmp_path / "report.parts").iterdir())
    assert [p.name for p in parts] == ["cell_0.1-s.json", "cell_2x.json"]
    evaluation["main"]([*flags, "--resume"])
    # seconds are measured, so only kept results give the same report
    assert capsys.readouterr().out == first
    assert (tmp_path / "report" / "report.md").read_text(encoding="utf-8") == report


def test_only_some_cases_run(script, tmp_path, capsys):
    evaluation = script("evaluation.py")
    evaluation["main"](["--list"])
    names = capsys.readouterr().out.splitlines()
    assert len(names) == len(set(names)) == 3 * 9 + 3 * 7
    evaluation["main"](["--quick", "--only", "2x", "--out", str(tmp_path / "report")])
    rows = [r for r in capsys.readouterr().out.splitlines() if r.startswith("| cell")]
    assert [r.split(" | ")[1] for r in rows] == ["2x"]
    with pytest.raises(SystemExit):
        evaluation["main"](["--only", "nothing", "--out", str(tmp_path / "none")])


def test_classification_fills_its_table(script, capsys):
    script("classification.py")["main"](["--quick", "--target", "clean"])
    (row,) = (r for r in capsys.readouterr().out.splitlines() if r.startswith("| 90210"))
    *_, sizes = cells = row.strip("| ").split(" | ")
    assert sum(map(int, sizes.split())) == 16 * 16
    figures = [[float(part) for part in cell.split(" / ")] for cell in cells[5:-1]]
    assert np.shape(figures) == (11, 2)
    assert np.min(figures) > 10
    assert np.max(figures) <= 100
