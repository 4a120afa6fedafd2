"""Write an evaluation as a report: Markdown for people, CSV for programs, a figure for both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from napari_deeper.engine.scores import Evaluation, EvaluationRecord, MethodSummary
from napari_deeper.engine.tables import (
    as_row,
    between,
    cells,
    number,
    percent,
    table_of_tests,
    write_csv,
)
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
        write_csv(temporary / "records.csv", EvaluationRecord, [as_row(r) for r in records])
        tests = [
            {"map": e.map, "case": e.case} | as_row(c) for e in evaluations for c in e.comparisons
        ]
        write_csv(temporary / "tests.csv", Comparison, tests, ("map", "case"))
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
    if any(e.class_sizes for e in evaluations):
        parts.append(
            "- Accuracy: part of the pixels that keep the class they have in the reference. Endmembers "
            "are found on the reference (vertex component analysis) and applied to every result by "
            "non-negative least squares; the largest abundance gives the class. `balanced` counts each "
            "class alike, `at its best` is the setting of a comparator that classifies best, which need "
            "not be the one that comes closest."
        )
    if any(not math.isnan(s.within_sigma) for e in evaluations for s in e.summaries):
        parts.append(
            "- Within 1 sigma: part of the errors that lie within one standard deviation, stated by the "
            "result itself with the reference's noise added in quadrature; 68 % if it is well stated."
        )
    return "\n".join(parts) + "\n"


def _table(e: Evaluation) -> list[str]:
    head = ["method", "role", "excess MSE", "ratio", "PSNR (dB)", "SSIM", "angle (rad)"]
    classed = bool(e.class_sizes)
    stated = any(not math.isnan(s.within_sigma + s.flagged) for s in e.summaries)
    head += ["accuracy (%)", "balanced", "at its best"] if classed else []
    head += ["within 1 sigma (%)", "flagged (%)"] if stated else []
    lines = [cells([*head, "s", "settings"]), "|---" * (len(head) + 2) + "|"]
    for s in e.summaries:
        name = f"**{s.method}** (best comparator)" if s.method == e.best_comparator else s.method
        texts = [name, *_figures(s)]
        texts += _class_figures(s) if classed else []
        texts += [percent(s.within_sigma), percent(s.flagged)] if stated else []
        lines.append(cells([*texts, f"{s.seconds:.2f}", s.settings]))
    if classed:
        sizes = ", ".join(str(size) for size in e.class_sizes)
        lines += ["", f"Classes of the reference: {len(e.class_sizes)}, of {sizes} pixels."]
    return lines


def _figures(s: MethodSummary) -> list[str]:
    return [
        s.role,
        f"{s.excess_mse:.4g} {between(s.excess_mse_interval)}",
        f"{number(s.ratio)} {between(s.ratio_interval)}",
        f"{s.psnr:.2f}",
        number(s.ssim),
        f"{s.spectral_angle:.4f}",
    ]


def _class_figures(s: MethodSummary) -> list[str]:
    low, high = (100 * bound for bound in s.accuracy_interval)
    accuracy = f"{percent(s.accuracy)} {between((low, high))}"
    return [accuracy, percent(s.balanced_accuracy), percent(s.best_accuracy)]


def _tests(e: Evaluation) -> list[str]:
    if not e.comparisons:
        return ["No tests: they need at least three pixels and a comparator."]
    return table_of_tests(e.comparisons)


def _draw(evaluations: Sequence[Evaluation], path: Path) -> None:
    """Draw a row for each evaluation: excess MSE and, where there are classes, accuracy."""
    # imported here: it takes a second, and is needed only when a report is written
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    classed = any(e.class_sizes for e in evaluations)
    height = 0.8 + sum(0.7 + 0.26 * len(e.summaries) for e in evaluations)
    figure = Figure(figsize=(12 if classed else 8, height))
    FigureCanvasAgg(figure)  # without it a figure would look for a display
    heights = [max(1, len(e.summaries)) for e in evaluations] or [1]
    panels = figure.subplots(
        len(heights), 2 if classed else 1, squeeze=False, height_ratios=heights
    )
    for row, e in zip(panels, evaluations, strict=False):
        errors = [(s.excess_mse, s.excess_mse_interval) for s in e.summaries]
        _draw_bars(row[0], e, errors, "excess MSE, 95 % interval")
        row[0].set_title(f"{e.map}: {e.case}", fontsize=9)
        if min(value for value, _ in errors) > 0:
            row[0].set_xscale("log")
        if e.class_sizes:
            hits = [(s.accuracy, s.accuracy_interval) for s in e.summaries]
            _draw_bars(row[1], e, hits, "pixel classification accuracy, 95 % interval")
            row[1].set_xlim(0, 1)
        elif classed:
            row[1].set_axis_off()
    figure.tight_layout()
    figure.savefig(path, format="png")


def _draw_bars(
    axes: Any, e: Evaluation, values: list[tuple[float, tuple[float, float]]], label: str
) -> None:
    names = [s.method for s in e.summaries]
    sizes = [value for value, _ in values]
    low = [max(0.0, value - interval[0]) for value, interval in values]
    high = [max(0.0, interval[1] - value) for value, interval in values]
    colors = [_COLORS[s.role] for s in e.summaries]
    axes.barh(range(len(names)), sizes, xerr=[low, high], color=colors)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel(label, fontsize=8)
