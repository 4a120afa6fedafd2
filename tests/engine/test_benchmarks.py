import runpy
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "denoise_comparators.py"


def test_the_comparison_runs_and_fills_its_tables(capsys):
    runpy.run_path(str(SCRIPT))["main"](["--quick"])

    printed = capsys.readouterr().out
    rows = [line for line in printed.splitlines() if line.startswith("| simulated cell")]
    assert len(rows) == 4
    for row in rows:
        assert all(float(figure) < 5 for figure in row.strip("| ").split(" | ")[1:])
