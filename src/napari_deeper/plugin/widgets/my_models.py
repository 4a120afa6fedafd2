"""The user's own models: listed, renamed, shared, added and removed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QHBoxLayout,
    QMessageBox,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_deeper.models import user_models
from napari_deeper.models.user_models import UserModel
from napari_deeper.plugin.widgets.run_bar import Message
from napari_deeper.spectra.errors import DeeperError

COLUMNS = ("Name", "For", "On validation")
_TASKS = {
    "resunet": "denoise",
    "eigenimage": "{}x, auto",
    "hyrisr": "{}x, hyrisr",
}
_FILTER = "Models (*.safetensors)"


class ModelsPage(QWidget):
    """A row for each model; the name is edited in place. Emits `changed` when the list has changed."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.ask_target: Callable[[QWidget, str], str] = _ask_target
        self.ask_source: Callable[[QWidget], str] = _ask_source
        self.ask_sure: Callable[[QWidget, str], bool] = _ask_sure
        self._models: list[UserModel] = []
        self._filling = False
        self.table = QTableWidget()
        self.table.setColumnCount(len(COLUMNS))
        self.table.setHorizontalHeaderLabels(list(COLUMNS))
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        headers: list[Any] = [self.table.verticalHeader(), self.table.horizontalHeader()]
        headers[0].setVisible(False)
        headers[1].setStretchLastSection(True)
        self.message = Message("Models that you make, or add, can be chosen in Enhance.", 84)
        self.rename = _button("Re&name", "Edit the name of the chosen model (or double-click it)")
        self.share = _button("S&hare...", "Save the chosen model as one file, its card in it")
        self.add = _button("&Add...", "Take up a model that somebody shared")
        self.remove = _button("Re&move", "Remove the chosen model for good")
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 4, 6, 4)
        column.addWidget(self.table, stretch=1)
        column.addWidget(self.message)
        row = QHBoxLayout()
        for button in (self.rename, self.share, self.add, self.remove):
            row.addWidget(button)
        column.addLayout(row)
        self.table.itemChanged.connect(self._on_edited)
        self.table.itemSelectionChanged.connect(self._on_selected)
        self.rename.clicked.connect(self._on_rename)
        self.share.clicked.connect(self._on_share)
        self.add.clicked.connect(self._on_add)
        self.remove.clicked.connect(self._on_remove)
        self.refill()

    def refill(self) -> None:
        """List the models that there are now; the chosen one stays chosen."""
        chosen = self.chosen()
        self._models = user_models.list_models()
        self._filling = True
        self.table.setRowCount(len(self._models))
        for row, model in enumerate(self._models):
            for column, text in enumerate((model.name, _task(model), _advice(model))):
                self.table.setItem(row, column, _item(text, str(model.path), editable=column == 0))
        self._filling = False
        self.table.resizeColumnsToContents()
        self.table.setColumnWidth(0, min(self.table.columnWidth(0), 220))
        names = [model.name for model in self._models]
        if chosen in names:
            self.table.selectRow(names.index(chosen))
        self._on_selected()

    def names(self) -> list[str]:
        """Return the names that are listed."""
        return [model.name for model in self._models]

    def chosen(self) -> str:
        """Return the name of the chosen model, or nothing."""
        rows = {index.row() for index in self.table.selectedIndexes()}
        return self._models[rows.pop()].name if rows else ""

    def _on_selected(self) -> None:
        chosen = bool(self.chosen())
        for button in (self.rename, self.share, self.remove):
            button.setEnabled(chosen)
        if chosen:
            model = next(m for m in self._models if m.name == self.chosen())
            self.message.set_text(about(model))

    def _on_rename(self) -> None:
        self.table.setFocus(Qt.FocusReason.OtherFocusReason)
        item = self.table.item(self.names().index(self.chosen()), 0)
        self.table.editItem(item)

    def _on_edited(self, item: QTableWidgetItem) -> None:
        if self._filling or item.column():
            return
        old, new = self._models[item.row()].name, item.text().strip()
        if new == old:
            return
        self._do(lambda: user_models.rename_model(old, new), f"'{old}' is now '{new}'.")

    def _on_share(self) -> None:
        name = self.chosen()
        path = self.ask_target(self, f"{name}{user_models.SUFFIX}")
        if path:
            self._do(lambda: user_models.export_model(name, path, overwrite=True), f"Saved {path}.")

    def _on_add(self) -> None:
        path = self.ask_source(self)
        if path:
            name = user_models.free_name(Path(path).stem) if _is_free(Path(path).stem) else ""
            self._do(lambda: user_models.add_model(path, name), f"Added {Path(path).name}.")

    def _on_remove(self) -> None:
        name = self.chosen()
        if self.ask_sure(self, f"Remove the model '{name}' for good? Its file is deleted."):
            self._do(lambda: user_models.remove_model(name), f"Removed '{name}'.")

    def _do(self, work: Callable[[], object], told: str) -> None:
        try:
            work()
        except DeeperError as error:
            told = str(error)
        self.changed.emit()
        self.refill()
        self.message.set_text(told)


def about(model: UserModel) -> str:
    """Return what the card of a model says, in a few lines."""
    card = model.card
    lines = [f"{model.name}: {_task(model)}."]
    if "recommended" in card:
        started = card.get("started_from") or "an untrained network"
        lines.append(f"On validation {_advice(model)} than {started}, which it started from.")
    test = (card.get("figures") or {}).get("test") or {}
    means = [f"{name} {each['psnr']:.2f}" for name, each in test.items() if each.get("psnr")]
    if means:
        lines.append(f"PSNR on the test patches (dB): {', '.join(means)}.")
    return "\n".join(lines)


def _task(model: UserModel) -> str:
    if model.kind == "eigenimage" and not model.scale:
        return "denoise, auto"
    return _TASKS.get(model.kind, model.kind).format(model.scale or "")


def _advice(model: UserModel) -> str:
    if "recommended" not in model.card:
        return "unknown"
    figures = model.card.get("figures") or {}
    estimated = figures.get("estimated")
    if estimated:
        told = "better" if model.recommended else "not clearly better"
        return f"{told} (estimated)"
    found = figures.get("validation") or {}
    before, after = found.get("psnr_before"), found.get("psnr_after")
    gain = f" ({after - before:+.2f} dB)" if before is not None and after is not None else ""
    return f"{'better' if model.recommended else 'no better'}{gain}"


def _is_free(name: str) -> bool:
    try:
        user_models.check_name(name)
    except DeeperError:
        return False
    return True


def _item(text: str, tooltip: str, *, editable: bool) -> QTableWidgetItem:
    item = QTableWidgetItem(text)
    item.setToolTip(tooltip)
    if not editable:
        item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEditable)
    return item


def _button(text: str, tooltip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tooltip)
    return button


def _ask_target(parent: QWidget, name: str) -> str:
    return QFileDialog.getSaveFileName(parent, "Share model", name, _FILTER)[0]


def _ask_source(parent: QWidget) -> str:
    return QFileDialog.getOpenFileName(parent, "Add model", "", _FILTER)[0]


def _ask_sure(parent: QWidget, text: str) -> bool:
    answer = QMessageBox.question(parent, "Remove model", text)
    return answer == QMessageBox.StandardButton.Yes
