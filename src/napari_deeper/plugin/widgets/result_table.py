"""The table of an evaluation: whatever columns its summaries have, sortable and to be copied."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication, QKeyEvent, QKeySequence
from qtpy.QtWidgets import QAbstractItemView, QTableWidget, QTableWidgetItem

from napari_deeper.engine.scores import Evaluation

INTERVAL = "_interval"
ROW_HEIGHT, MOST_WIDTH = 22, 170
LAST = ("seconds", "role", "settings")
# Label and tooltip of what is known; a field that is not here is shown under its own name.
KNOWN = {
    "method": ("Method", "What was judged"),
    "role": ("Role", "input, method, or comparator: tuned on the reference itself"),
    "settings": ("Settings", "What a comparator was tuned to, or what auto chose"),
    "excess_mse": ("Excess MSE", "Mean squared error less the reference's own noise; lower is better"),
    "ratio": ("Ratio", "Excess MSE over that of the best comparator: below 1 is a win"),
    "mse": ("MSE", "Mean squared error; lower is better"),
    "psnr": ("PSNR (dB)", "Peak signal-to-noise ratio; higher is better"),
    "ssim": ("SSIM", "Structural similarity, up to 1; higher is better"),
    "spectral_angle": ("SAD (rad)", "Spectral angle distance, mean over pixels; lower is better"),
    "beaten": ("Beaten on", "Test patches on which the tuned weights have the higher PSNR"),
    "patch": ("Patch", "Number, cube and place of the test patch"),
    "tissue": ("Tissue", "As labelled in Annotate"),
    "seconds": ("Time (s)", "Taken by the method; by a comparator for all settings tried"),
    "within_sigma": ("In 1 sigma", "Part of the errors within the stated uncertainty; 0.68 is right"),
}  # fmt: skip
LOWER_IS_BETTER = ("excess_mse", "ratio", "mse", "spectral_angle")
HIGHER_IS_BETTER = ("psnr", "ssim")


class ResultTable(QTableWidget):
    """One row for each method; the best figure of a column is bold and has a star."""

    def __init__(self) -> None:
        super().__init__()
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setToolTip("Click a heading to sort; Ctrl+C copies the selected rows, or all")
        header = self.verticalHeader()
        if header is not None:
            header.setVisible(False)
            header.setDefaultSectionSize(ROW_HEIGHT)

    def show_evaluation(self, evaluation: Evaluation) -> None:
        """Show the summaries of an evaluation, the best ratio first."""
        self.show_rows(evaluation.summaries)
        names = columns(evaluation.summaries)
        self.setSortingEnabled(False)
        self._mark(evaluation, names)
        self.setSortingEnabled(True)
        self.sortItems(names.index("excess_mse") if "excess_mse" in names else 0)
        self._fit_columns()

    def show_rows(self, rows: Sequence[Any], *, starred: bool = True) -> None:
        """Show dataclass instances of one type, a column for each field, in their order.

        Parameters
        ----------
        starred
            Mark the best figure of each column.
        """
        names = columns(rows) if rows else []
        self.setSortingEnabled(False)
        self.clear()
        header = self.horizontalHeader()
        if header is not None:  # else the rows would be sorted as those before were
            header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.setColumnCount(len(names))
        self.setRowCount(len(rows))
        for column, name in enumerate(names):
            label, tooltip = KNOWN.get(name, (name.replace("_", " "), ""))
            heading = QTableWidgetItem(label)
            heading.setToolTip(tooltip)
            self.setHorizontalHeaderItem(column, heading)
            best = best_of(name, rows) if starred else None
            for row, record in enumerate(rows):
                self.setItem(row, column, _Cell(record, name, best))
        self.setSortingEnabled(True)
        self._fit_columns()

    def _fit_columns(self) -> None:
        self.resizeColumnsToContents()
        # settings can be long; the tooltip has them whole
        for column in range(self.columnCount()):
            self.setColumnWidth(column, min(self.columnWidth(column), MOST_WIDTH))

    def _mark(self, evaluation: Evaluation, names: list[str]) -> None:
        for row, summary in enumerate(evaluation.summaries):
            if summary.method == evaluation.best_comparator:
                item = self.item(row, names.index("role"))
                if item is not None:
                    item.setText("best comparator")

    def text(self, rows: Sequence[int] | None = None) -> str:
        """Return the headings and these rows (or all) as tab-separated text, in the order shown."""
        wanted = range(self.rowCount()) if rows is None else rows
        headings = [self.horizontalHeaderItem(c) for c in range(self.columnCount())]
        lines = ["\t".join(heading.text() if heading else "" for heading in headings)]
        for row in wanted:
            cells = [self.item(row, column) for column in range(self.columnCount())]
            lines.append("\t".join(c.plain() if isinstance(c, _Cell) else "" for c in cells))
        return "\n".join(lines) + "\n"

    def copy(self) -> None:
        """Put the selected rows on the clipboard, or all where none is selected."""
        clipboard = QGuiApplication.clipboard()
        rows = sorted({index.row() for index in self.selectedIndexes()})
        if clipboard is not None and self.rowCount():
            clipboard.setText(self.text(rows or None))

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Copy by the usual keys."""
        if event is not None and event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        else:
            super().keyPressEvent(event)


class _Cell(QTableWidgetItem):
    """A figure that is sorted by its value, or a text; NaN comes last."""

    def __init__(self, summary: Any, name: str, best: float | None) -> None:
        self.value = getattr(summary, name)
        text = _shown(self.value)
        self._plain = text
        is_best = best is not None and self.value == best
        super().__init__(f"{text} ★" if is_best else text)
        interval = getattr(summary, name + INTERVAL, None)
        self.setToolTip(text if interval is None else _interval(text, interval))
        if isinstance(self.value, float):
            self.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if is_best:
            font = self.font()
            font.setBold(True)
            self.setFont(font)

    def plain(self) -> str:
        """Return what is shown without the mark of the best."""
        return self.text() if isinstance(self.value, str) else self._plain

    def __lt__(self, other: QTableWidgetItem) -> bool:
        mine, its = self.value, getattr(other, "value", None)
        if isinstance(mine, int | float) and isinstance(its, int | float):
            return (math.inf if math.isnan(mine) else mine) < (math.inf if math.isnan(its) else its)
        return str(mine) < str(its)


def columns(summaries: Sequence[Any]) -> list[str]:
    """Return the fields to show, in their order, texts last; a figure that no method has is left out."""
    fields = [f.name for f in dataclasses.fields(summaries[0]) if not f.name.endswith(INTERVAL)]
    stated = [name for name in fields if not all(_unknown(getattr(s, name)) for s in summaries)]
    first = [name for name in stated if name not in LAST]
    return first + [name for name in LAST if name in stated]


def best_of(name: str, summaries: Sequence[Any]) -> float | None:
    """Return the best figure of a field, or None where none is better than another."""
    figures = [getattr(s, name) for s in summaries]
    known = [f for f in figures if isinstance(f, float) and not math.isnan(f)]
    if len(known) < 2:
        return None
    if name in LOWER_IS_BETTER:
        return min(known)
    return max(known) if name in HIGHER_IS_BETTER or name.endswith("accuracy") else None


def _unknown(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _shown(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return "-" if math.isnan(value) else f"{value:.4g}"


def _interval(text: str, interval: tuple[float, float]) -> str:
    if any(math.isnan(bound) for bound in interval):
        return text
    return f"{text}, 95 % interval {interval[0]:.4g} to {interval[1]:.4g}"
