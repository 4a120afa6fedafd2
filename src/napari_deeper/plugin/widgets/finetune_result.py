"""The page of the Fine-tune dock that shows what became of a job."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_deeper.plugin.finetune_view import ESTIMATED, verdict
from napari_deeper.plugin.widgets.result_columns import best_of, columns
from napari_deeper.plugin.widgets.result_table import ResultTable
from napari_deeper.plugin.widgets.run_bar import Message

MEANS, EACH = "Means over the test patches", "Each test patch"
TUNED = "fine-tuned"


@dataclass(frozen=True)
class MethodRow:
    """Means of one method; `beaten` tells on how many patches the tuned weights have the higher PSNR."""

    method: str
    psnr: float
    ssim: float
    mse: float
    beaten: str


@dataclass(frozen=True)
class PatchRow:
    """One method on one test patch."""

    patch: str
    method: str
    psnr: float
    ssim: float
    mse: float
    tissue: str


class ResultPage(QWidget):
    """Verdict, table of the test patches, and what to do next.

    `report_asked` wants the folder opened; `use_asked` wants the model in Enhance.
    """

    report_asked = Signal()
    use_asked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.facts: Mapping[str, Any] | None = None
        self.message = Message("What became of a job is shown here.", 130)
        self.level = QComboBox()
        self.level.addItems([MEANS, EACH])
        self.table = ResultTable()
        self.use = QPushButton("&Use in Enhance")
        self.use.setToolTip("Choose this model as the weights of the Enhance dock")
        self.report = QPushButton("&Open report")
        self.report.setToolTip("Report in Markdown, tables in CSV, and the figure")
        self.copy = QPushButton("&Copy table")
        self.copy.setToolTip("Copy the table to the clipboard, for a spreadsheet")
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 4, 6, 4)
        column.addWidget(self.message)
        column.addWidget(self.level)
        column.addWidget(self.table, stretch=1)
        row = QHBoxLayout()
        for button in (self.use, self.copy, self.report):
            row.addWidget(button)
        column.addLayout(row)
        self.level.currentIndexChanged.connect(self._fill)
        self.copy.clicked.connect(self.table.copy)
        self.report.clicked.connect(self.report_asked)
        self.use.clicked.connect(self.use_asked)
        self.show_result(None)

    def show_result(self, facts: Mapping[str, Any] | None, from_scratch: bool = False) -> None:
        """Show the facts of a finished job, or that there are none."""
        if facts is not None and facts is self.facts:
            return
        self.facts = facts
        # What was estimated is in the verdict.
        notes = [] if facts is None else [n for n in facts["notes"] if not n.startswith(ESTIMATED)]
        told = [] if facts is None else [verdict(facts, from_scratch), *notes]
        self.message.set_text("\n".join(told))
        for widget in (self.use, self.report):
            widget.setEnabled(facts is not None)
        has_scores = bool(facts and facts["scores"])
        self.copy.setEnabled(has_scores)
        self.level.setEnabled(has_scores)
        self._fill()

    def _fill(self, *_: object) -> None:
        scores = self.facts["scores"] if self.facts is not None else ()
        rows: Sequence[Any] = means(scores)
        best: Callable[[str, Any], float | None] = lambda name, _: best_of(name, rows)  # noqa: E731
        if self.level.currentText() == EACH:
            rows, best = each(scores), lambda name, row: None
        self.table.show_rows(rows, columns(rows) if rows else [], best=best)


def means(scores: Sequence[Mapping[str, Any]]) -> list[MethodRow]:
    """Return the means of each method, in the order of the report."""
    by_method: dict[str, list[Mapping[str, Any]]] = {}
    for score in scores:
        by_method.setdefault(str(score["method"]), []).append(score)
    tuned = [_number(s["psnr"]) for s in by_method.get(TUNED, ())]
    rows = []
    for method, its in by_method.items():
        n_won = sum(a > _number(s["psnr"]) for a, s in zip(tuned, its, strict=False))
        beaten = "" if method == TUNED else f"{n_won} of {len(its)}"
        rows.append(
            MethodRow(method, _mean(its, "psnr"), _mean(its, "ssim"), _mean(its, "mse"), beaten)
        )
    return rows


def each(scores: Sequence[Mapping[str, Any]]) -> list[PatchRow]:
    """Return every method on every patch, patch by patch."""
    patches = list(dict.fromkeys(s["patch"] for s in scores))
    scores = sorted(scores, key=lambda s: patches.index(s["patch"]))
    return [
        PatchRow(
            str(s["patch"]), str(s["method"]), _number(s["psnr"]), _number(s["ssim"]),
            _number(s["mse"]), str(s["tissue"]),
        )
        for s in scores
    ]  # fmt: skip


def _mean(scores: Sequence[Mapping[str, Any]], name: str) -> float:
    return float(np.mean([_number(s[name]) for s in scores]))


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)
