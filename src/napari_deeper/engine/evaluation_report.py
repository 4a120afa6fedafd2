"""Write an evaluation as a report: Markdown for people, CSV for programs, a figure for both."""

from __future__ import annotations

import csv
import dataclasses
import math
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from napari_deeper.engine.scores import Evaluation, EvaluationRecord, MethodSummary
from napari_deeper.io.write import check_folder, replacing
from napari_deeper.processing.statistics import Comparison

FILES = ("report.md", "records.csv", "tests.csv", "figure.png")

_COLORS = {"input": "#9a9a9a", "method": "#0072b2", "comparator": "#e69f00"}


def write_report(
    evaluations: Sequence[Evaluation], folder: str | PathLike[str], *, overwrite: bool = False
) -> Path:
    """Write ``report.md``, ``records.csv``, ``tests.csv`` and ``figure.png`` into a new folder.

    The folder appears under its name only when all four are complete.

    Parameters
    ----------
    evaluations
        Of any maps and cases.
    folder
        Where to.
    overwrite
        Replace a report that is there; a folder that is none is never replaced.

    Raises
    ------
    FileError
        If the folder cannot be made, or exists.
    """
    path = check_report(folder, overwrite=overwrite)
    empty = path.is_dir() and not any(path.iterdir())
    with replacing(path, overwrite=overwrite or empty) as temporary:
        temporary.mkdir()
        (temporary / "report.md").write_text(to_markdown(evaluations), encoding="utf-8")
        records = [record for e in evaluations for record in e.records]
        _write_csv(temporary / "records.csv", EvaluationRecord, [_row(r) for r in records])
        tests = [
            {"map": e.map, "case": e.case} | _row(c) for e in evaluations for c in e.comparisons
        ]
        _write_csv(temporary / "tests.csv", Comparison, tests, ("map", "case"))
        _draw(evaluations, temporary / "figure.png")
    return path


def check_report(folder: str | PathLike[str], *, overwrite: bool = False) -> Path:
    """Return the path if a report could be written there now; raise `FileError` if not."""
    return check_folder(folder, overwrite=overwrite, ours=_is_report)


def _is_report(path: Path) -> bool:
    return {entry.name for entry in path.iterdir()} <= set(FILES)


def to_markdown(evaluations: Sequence[Evaluation]) -> str:
    """Return the tables of all evaluations, and what to know about them, as Markdown."""
    parts = ["# Evaluation", ""]
    for e in evaluations:
        parts += [f"## {e.map}: {e.case}", "", *_table(e), "", *_tests(e), ""]
    notes = dict.fromkeys(note for e in evaluations for note in e.notes)
    parts += ["## How to read this", "", *(f"- {note}" for note in notes)]
    parts.append(
        "- Intervals in brackets hold 95 % (bootstrap). `ratio` is the excess MSE over that of the best "
        "comparator: below 1 is a win."
    )
    return "\n".join(parts) + "\n"


def _table(e: Evaluation) -> list[str]:
    head = "| method | role | excess MSE | ratio | PSNR (dB) | SSIM | angle (rad) | s | settings |"
    return [head, "|---" * 9 + "|", *(_line(s, e.best_comparator) for s in e.summaries)]


def _line(s: MethodSummary, best: str) -> str:
    name = f"**{s.method}** (best comparator)" if s.method == best else s.method
    cells = [
        name,
        s.role,
        f"{s.excess_mse:.4g} {_between(s.excess_mse_interval)}",
        f"{_number(s.ratio)} {_between(s.ratio_interval)}",
        f"{s.psnr:.2f}",
        _number(s.ssim),
        f"{s.spectral_angle:.4f}",
        f"{s.seconds:.2f}",
        s.settings,
    ]
    return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"


def _tests(e: Evaluation) -> list[str]:
    if not e.comparisons:
        return ["No tests: they need at least three pixels and a comparator."]
    lines = [
        "| test | measure | method | against | difference | statistic | p | n |",
        "|---" * 8 + "|",
    ]
    for c in e.comparisons:
        ahead = "-" if math.isnan(c.difference) else f"{c.difference:.3g}"
        p = (
            "-"
            if math.isnan(c.p_value)
            else f"{c.p_value:.2g}"
            if c.p_value >= 1e-4
            else "< 0.0001"
        )
        row = (
            c.test,
            c.measure,
            c.method,
            c.control or "-",
            ahead,
            f"{c.statistic:.4g}",
            p,
            c.n_samples,
        )
        lines.append("| " + " | ".join(str(cell) for cell in row) + " |")
    return lines


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def _between(interval: tuple[float, float]) -> str:
    return "" if math.isnan(interval[0]) else f"[{interval[0]:.3g}, {interval[1]:.3g}]"


def _row(record: Any) -> dict[str, Any]:
    return {f.name: getattr(record, f.name) for f in dataclasses.fields(record)}


def _write_csv(
    path: Path, kind: type[Any], rows: list[dict[str, Any]], before: tuple[str, ...] = ()
) -> None:
    names = [*before, *(f.name for f in dataclasses.fields(kind))]
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, names)
        writer.writeheader()
        writer.writerows(rows)


def _draw(evaluations: Sequence[Evaluation], path: Path) -> None:
    """Draw one panel of bars for each evaluation: excess MSE with its interval."""
    # imported here: it takes a second, and is needed only when a report is written
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 0.8 + sum(0.7 + 0.26 * len(e.summaries) for e in evaluations)))
    FigureCanvasAgg(figure)  # without it a figure would look for a display
    heights = [max(1, len(e.summaries)) for e in evaluations] or [1]
    panels = figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, e in zip(panels, evaluations, strict=False):
        names = [s.method for s in e.summaries]
        values = [s.excess_mse for s in e.summaries]
        low = [max(0.0, s.excess_mse - s.excess_mse_interval[0]) for s in e.summaries]
        high = [max(0.0, s.excess_mse_interval[1] - s.excess_mse) for s in e.summaries]
        colors = [_COLORS[s.role] for s in e.summaries]
        axes.barh(range(len(names)), values, xerr=[low, high], color=colors)
        axes.set_yticks(range(len(names)), names, fontsize=8)
        axes.invert_yaxis()
        if min(values) > 0:
            axes.set_xscale("log")
        axes.set_title(f"{e.map}: {e.case}", fontsize=9)
        axes.set_xlabel("excess MSE, 95 % interval", fontsize=8)
    figure.tight_layout()
    figure.savefig(path, format="png")
