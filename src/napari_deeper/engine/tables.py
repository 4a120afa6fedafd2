"""Rows of Markdown tables and CSV files, as the reports of evaluations and comparisons have them."""

from __future__ import annotations

import csv
import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari_deeper.processing.statistics import Comparison


def cells(texts: Sequence[str]) -> str:
    """Return a row of a Markdown table."""
    return "| " + " | ".join(text.replace("|", "/") for text in texts) + " |"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table."""
    return [cells(head), "|---" * len(head) + "|", *(cells(row) for row in rows)]


def table_of_tests(tests: Sequence[Comparison]) -> list[str]:
    """Return the lines of a Markdown table of the outcomes of tests."""
    head = ("test", "measure", "method", "against", "difference", "statistic", "p", "n")
    rows = []
    for c in tests:
        ahead = "-" if math.isnan(c.difference) else f"{c.difference:.3g}"
        rows.append(
            (
                c.test, c.measure, c.method, c.control or "-",
                f"{ahead} {between((c.low, c.high))}".strip(), f"{c.statistic:.4g}",
                probability(c.p_value), str(c.n_samples),
            )
        )  # fmt: skip
    return table(head, rows)


def probability(p: float) -> str:
    """Return a p-value in words."""
    if math.isnan(p):
        return "-"
    return f"{p:.2g}" if p >= 1e-4 else "< 0.0001"


def percent(part: float) -> str:
    """Return a part in percent, or a dash."""
    return "-" if math.isnan(part) else f"{100 * part:.1f}"


def number(value: float) -> str:
    """Return a figure with three decimals, or a dash."""
    return "-" if math.isnan(value) else f"{value:.3f}"


def between(interval: tuple[float, float]) -> str:
    """Return an interval in brackets, or nothing."""
    return "" if math.isnan(interval[0]) else f"[{interval[0]:.3g}, {interval[1]:.3g}]"


def as_row(record: Any) -> dict[str, Any]:
    """Return the fields of a record by name."""
    return {f.name: getattr(record, f.name) for f in dataclasses.fields(record)}


def write_csv(
    path: Path, kind: type[Any], rows: list[dict[str, Any]], before: tuple[str, ...] = ()
) -> None:
    """Write records of one dataclass, with columns ``before`` its fields."""
    names = [*before, *(f.name for f in dataclasses.fields(kind))]
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, names)
        writer.writeheader()
        writer.writerows(rows)
