"""A table of results: one row for each record, sortable, to be copied, with a first column that stays in sight."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QFontMetrics, QGuiApplication, QKeyEvent, QKeySequence
from qtpy.QtWidgets import QAbstractItemView, QTableWidget, QTableWidgetItem

from napari_deeper.engine.scores import Evaluation
from napari_deeper.plugin.widgets.frozen_column import FrozenColumn
from napari_deeper.plugin.widgets.result_columns import INTERVAL, KNOWN, best_of, columns
from napari_deeper.spectra.naming import without_common_start

# Where what counts comes after three digits.
DECIMALS = {"psnr": 2, "ssim": 4}
ROW_HEIGHT, MOST_WIDTH, NAME_WIDTH, PADDING = 22, 110, 104, 14


class ResultTable(QTableWidget):
    """One row for each record; the best figure of a column is bold and has a star.

    Headings take two lines and figures three digits, so that more columns are in sight; the first column
    stays while the others are scrolled. What is copied has all digits.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setWordWrap(False)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setToolTip("Click a heading to sort; Ctrl+C copies the selected rows, or all")
        header = self.verticalHeader()
        if header is not None:
            header.setVisible(False)
            header.setDefaultSectionSize(ROW_HEIGHT)
        self._frozen = FrozenColumn(self)

    def show_rows(
        self,
        rows: Sequence[Any],
        names: Sequence[str],
        *,
        best: Callable[[str, Any], float | None] = lambda name, row: None,
        sort_by: str = "",
    ) -> None:
        """Show records (dataclasses).

        Parameters
        ----------
        rows
            The records.
        names
            Fields to show, in their order; the first names the row.
        best
            Called as ``best(name, row)``: the best figure of that field for rows like this one, or None.
        sort_by
            Field to sort by at first; else as given.
        """
        self.setSortingEnabled(False)
        self.clear()
        self.setColumnCount(len(names))
        self.setRowCount(len(rows))
        for column, name in enumerate(names):
            label, tooltip = KNOWN.get(name, (name.replace("_", " "), ""))
            heading = QTableWidgetItem(label.replace(" ", "\n", 1))
            heading.setToolTip(f"{label}: {tooltip}" if tooltip else label)
            self.setHorizontalHeaderItem(column, heading)
            for row, record in enumerate(rows):
                self.setItem(row, column, _Cell(record, name, best(name, record)))
        self._shorten_names()
        header = self.horizontalHeader()
        if header is not None:
            header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)
        if sort_by in names:
            self.sortItems(list(names).index(sort_by))
        for column in range(self.columnCount()):
            # names and settings can be long; the tooltip has them whole
            most = MOST_WIDTH if column else NAME_WIDTH
            self.setColumnWidth(column, min(self._needed(column), most))
        self._frozen.place()

    def _shorten_names(self) -> None:
        """Leave out a long start that the names of all rows share; tooltip and copy have them whole."""
        cells = [cell for row in range(self.rowCount()) if (cell := self.item(row, 0)) is not None]
        texts = without_common_start([cell.text() for cell in cells])
        for cell, text in zip(cells, texts, strict=True):
            cell.setText(text)

    def _needed(self, column: int) -> int:
        """Return the width that a column needs; Qt's own measure leaves more free than there is to give."""
        bold = self.font()
        bold.setBold(True)
        measure = QFontMetrics(bold)
        cells = [self.item(row, column) for row in range(self.rowCount())]
        heading = self.horizontalHeaderItem(column)
        lines = [cell.text() for cell in cells if cell is not None]
        lines += heading.text().split("\n") if heading is not None else []
        return max((measure.horizontalAdvance(line) for line in lines), default=0) + PADDING

    def show_evaluation(self, evaluation: Evaluation) -> None:
        """Show the summaries of an evaluation, the least excess MSE first."""
        summaries = evaluation.summaries
        names = columns(summaries)
        self.show_rows(
            summaries, names, best=lambda name, _: best_of(name, summaries), sort_by="excess_mse"
        )
        role = names.index("role")
        for row in range(self.rowCount()):
            item, method = self.item(row, role), self.item(row, 0)
            is_best = method is not None and method.text() == evaluation.best_comparator
            if isinstance(item, _Cell) and is_best:
                item.value = "best comparator"
                item.setText(item.value)

    def text(self, rows: Sequence[int] | None = None) -> str:
        """Return the headings and these rows (or all) as tab-separated text, in the order shown."""
        wanted = range(self.rowCount()) if rows is None else rows
        headings = [self.horizontalHeaderItem(c) for c in range(self.columnCount())]
        names = [heading.text().replace("\n", " ") if heading else "" for heading in headings]
        lines = ["\t".join(names)]
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
        text = _shown(self.value, name)
        is_best = best is not None and self.value == best
        super().__init__(f"{text} ★" if is_best else text)
        whole = _whole(self.value)
        interval = getattr(summary, name + INTERVAL, None)
        self.setToolTip(whole if interval is None else _interval(whole, interval))
        if isinstance(self.value, float):
            self.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if is_best:
            font = self.font()
            font.setBold(True)
            self.setFont(font)

    def plain(self) -> str:
        """Return the text, or the figure with all its digits."""
        return self.value if isinstance(self.value, str) else _whole(self.value)

    def __lt__(self, other: QTableWidgetItem) -> bool:
        mine, its = self.value, getattr(other, "value", None)
        if isinstance(mine, int | float) and isinstance(its, int | float):
            return (math.inf if math.isnan(mine) else mine) < (math.inf if math.isnan(its) else its)
        return str(mine) < str(its)


def _shown(value: Any, name: str = "") -> str:
    if not isinstance(value, float):
        return str(value)
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if math.isnan(value):
        return "-"
    if name in DECIMALS:
        return f"{value:.{DECIMALS[name]}f}"
    return f"{value:.0f}" if 1000 <= abs(value) < 1e5 else f"{value:.3g}"


def _whole(value: Any) -> str:
    if not isinstance(value, float) or not math.isfinite(value):
        return _shown(value)
    return f"{value:.6g}"


def _interval(text: str, interval: tuple[float, float]) -> str:
    if any(math.isnan(bound) for bound in interval):
        return text
    return f"{text}, 95 % interval {interval[0]:.4g} to {interval[1]:.4g}"
