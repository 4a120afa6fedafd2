import json
import runpy
from pathlib import Path

import numpy as np
import pytest

import napari_deeper as nd

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.parametrize(
    ("script", "first", "n_rows"),
    [
        ("trust", "| cell", 1),
        ("speed", "| denoise", 6),
        ("preparing", "| baseline, ", 7),
        ("streaming", "| denoise, ", 3),
        ("cost_model", "| unmix | pixels", 3),
    ],
)
def test_a_quick_run_fills_its_table(script, first, n_rows, capsys, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    runpy.run_path(str(BENCHMARKS / f"{script}.py"))["main"](["--quick"])

    rows = [r for r in capsys.readouterr().out.splitlines() if r.startswith(first)]
    assert len(rows) == n_rows
    assert "nan" not in "".join(rows)


def test_networks_are_timed_both_ways(capsys, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    runpy.run_path(str(BENCHMARKS / "throughput.py"))["main"](["--quick", "--device", "cpu"])

    rows = [r.split(" | ") for r in capsys.readouterr().out.splitlines() if r.startswith("| ")]
    ours = {(row[0], row[1]): row for row in rows if row[1].startswith("ours")}
    assert len(ours) == 3 * 2
    for (_, way), row in ours.items():
        assert float(row[4]) < (1e-5 if way.endswith("fp32") else 1e-2)
    assert sum("noise" in row[0] or "0.1 s" in row[0] for row in rows) == 2 * 2
    assert "nan" not in str(rows)


def test_heatmaps_are_timed_by_every_measure(capsys, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    runpy.run_path(str(BENCHMARKS / "heatmaps.py"))["main"](["--quick", "--no-window"])
    rows = [r for r in capsys.readouterr().out.splitlines() if r.startswith("| ")]
    assert sum(row.startswith(("| mean", "| area", "| height")) for row in rows) == 6
    assert "nan" not in "".join(rows)


def test_unmixing_is_measured_and_kept(capsys, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    script = runpy.run_path(str(BENCHMARKS / "unmixing.py"))
    script["main"](["--quick", "--out", str(tmp_path / "figures.json")])

    assert capsys.readouterr().out.count("\n| simulated cell") == 5
    kept = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    speed = {each["step"]: each for each in kept["speed"]}
    assert {"nnls", "fcls", "pysptools-nnls", "vca", "n-findr", "ppi", "nmf"} <= speed.keys()
    # speed itself is not a test's business: other work may run here
    assert speed["nnls"]["kkt_residual"] < 1e-6 > speed["fcls"]["kkt_residual"]
    assert speed["pysptools-nnls"]["kkt_residual"] > 1e-6
    assert {each["method"] for each in kept["stability"]} >= {"vca", "n-findr", "nmf"}
    assert list(tmp_path.iterdir()) == [tmp_path / "figures.json"]


def test_unmixing_of_stores_is_set_against_memory(capsys, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    runpy.run_path(str(BENCHMARKS / "unmixing_stored.py"))["main"](["--quick"])
    rows = [r.split("|") for r in capsys.readouterr().out.splitlines() if r.startswith("| vca")]
    assert [row[2].strip() for row in rows] == ["tile by tile", "in one go"]
    assert max(float(row[6]) for row in rows[1:]) < 1e-4


def test_the_evaluation_runs_and_fills_its_report(capsys, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    script = runpy.run_path(str(BENCHMARKS / "evaluation.py"))
    script["main"](["--quick", "--out", str(tmp_path / "report")])

    rows = [r for r in capsys.readouterr().out.splitlines() if r.startswith("| cell")]
    assert [row.split(" | ")[1] for row in rows] == ["measured", "2x"]
    assert (tmp_path / "report" / "report.md").exists()


def test_the_outside_benchmark_repeats_the_known_figures(thp1_path):
    script = runpy.run_path(str(BENCHMARKS / "outside_benchmark.py"))
    raw, plain = script["ramanspy_benchmark"](nd.read(thp1_path), methods=())[:2]
    assert (raw.mse, raw.angle) == pytest.approx((0.03364, 0.4074), abs=6e-5)
    assert (plain.mse, plain.angle) == pytest.approx((0.02763, 0.3711), abs=6e-5)
    # the input spans 0..1 already, the smoothed one no more
    assert (raw.mse_rescaled, raw.angle_rescaled) == pytest.approx((raw.mse, raw.angle))
    assert plain.mse_rescaled < 0.6 * plain.mse


def test_the_outside_benchmark_scales_each_spectrum(small_cube):
    script = runpy.run_path(str(BENCHMARKS / "outside_benchmark.py"))
    noisy, target = script["make_pair"](small_cube)
    for spectra in (noisy, target):
        np.testing.assert_allclose(spectra.min(axis=1), 0)
        np.testing.assert_allclose(spectra.max(axis=1), 1)
    scores = script["ramanspy_benchmark"](small_cube, methods=("savgol",))
    assert script["to_markdown"](scores).count("\n") == len(scores) + 1
