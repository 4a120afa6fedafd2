"""The list of steps of a recipe: checked ones are run, dragging changes their order."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_deeper.engine.prepare_run import in_use
from napari_deeper.engine.prepare_settings import Settings
from napari_deeper.engine.recipe import STEPS, Recipe, kind_of
from napari_deeper.spectra.errors import ParameterError
from napari_deeper.spectra.params import make, options, to_json

_ROLE = Qt.ItemDataRole.UserRole
_MOST_TOLD = 2  # settings beside the name of a step
_LIST_HEIGHT = 96
_ARROW_WIDTH = 36


@dataclass(frozen=True)
class Row:
    """A step of the list, and whether it is switched on."""

    settings: Settings
    on: bool = True


class StepList(QListWidget):
    """Steps in their order.

    `changed` when what would be run has changed, `chosen` when another step is the current one.
    """

    changed = Signal()
    chosen = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
        self.setToolTip(
            "The steps, from top to bottom; unchecked ones are left out. Drag to change their order, or "
            "Alt+Up and Alt+Down; Delete removes a step"
        )
        self.setAccessibleName("Steps of the recipe")
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFixedHeight(_LIST_HEIGHT)
        self._filling = False
        self.itemChanged.connect(self._on_item)
        self.currentRowChanged.connect(self._on_current)
        model = self.model()
        if model is not None:
            model.rowsMoved.connect(self._on_moved)

    def rows(self) -> list[Row]:
        """Return the steps as they are listed."""
        found = []
        for number in range(self.count()):
            item = self.item(number)
            if item is not None:
                on = item.checkState() == Qt.CheckState.Checked
                found.append(Row(item.data(_ROLE), on))
        return found

    def set_rows(self, rows: Sequence[Row], current: int = 0) -> None:
        """List these steps, and choose one of them."""
        self._filling = True
        try:
            self.clear()
            for row in rows:
                self.addItem(_item(row))
            self.setCurrentRow(min(current, len(rows) - 1))
        finally:
            self._filling = False
        self.changed.emit()
        self.chosen.emit()

    def current(self) -> Row | None:
        """Return the step that is chosen."""
        rows = self.rows()
        return rows[self.currentRow()] if 0 <= self.currentRow() < len(rows) else None

    def show_settings(self, settings: Settings) -> None:
        """Give the chosen step other settings."""
        item = self.currentItem()
        if item is None or item.data(_ROLE) == settings:
            return
        self._filling = True
        _fill(item, settings)
        self._filling = False
        self.changed.emit()

    def add(self, settings: Settings) -> None:
        """Put a step where one of its kind usually stands, and choose it."""
        rows = self.rows()
        order = list(STEPS)
        rank = order.index(kind_of(settings).name)
        at = 0
        for number, row in enumerate(rows, 1):
            if order.index(kind_of(row.settings).name) <= rank:
                at = number
        rows.insert(at, Row(settings))
        self.set_rows(rows, at)

    def remove_current(self) -> None:
        """Take the chosen step out of the list."""
        rows, number = self.rows(), self.currentRow()
        if 0 <= number < len(rows):
            del rows[number]
            self.set_rows(rows, number)

    def move_current(self, step: int) -> None:
        """Move the chosen step up (-1) or down (1)."""
        rows, number = self.rows(), self.currentRow()
        if 0 <= number < len(rows) and 0 <= number + step < len(rows):
            rows.insert(number + step, rows.pop(number))
            self.set_rows(rows, number + step)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Move the chosen step by Alt+Up and Alt+Down, remove it by Delete."""
        if event is None:
            return
        steps = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}
        key = Qt.Key(event.key())
        if event.modifiers() & Qt.KeyboardModifier.AltModifier and key in steps:
            self.move_current(steps[key])
        elif key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.remove_current()
        else:
            super().keyPressEvent(event)

    def _on_item(self, *_: object) -> None:
        if not self._filling:
            self.changed.emit()

    def _on_current(self, *_: object) -> None:
        if not self._filling:
            self.chosen.emit()

    def _on_moved(self, *_: object) -> None:
        self.changed.emit()
        self.chosen.emit()


class StepBox(QWidget):
    """The list of steps with its buttons."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = StepList()
        self.add = QPushButton("&Add step")
        self.add.setToolTip("Add a step where one of its kind usually stands (Alt+A)")
        self.menu = QMenu(self.add)
        self.menu.setToolTipsVisible(True)
        for kind in STEPS.values():
            action: Any = self.menu.addAction(kind.label)
            action.setToolTip(kind.tooltip)
            action.triggered.connect(lambda _=False, kind=kind: self.steps.add(kind.settings()))
        self.add.setMenu(self.menu)
        self.up = _button("\u25b2", "Move the chosen step up (Alt+Up)", "Move step up")
        self.down = _button("\u25bc", "Move the chosen step down (Alt+Down)", "Move step down")
        self.remove = _button("Remove", "Take the chosen step out (Delete)", "Remove step")
        for arrow in (self.up, self.down):
            arrow.setFixedWidth(_ARROW_WIDTH)
        buttons = QHBoxLayout()
        buttons.addWidget(self.add, stretch=3)
        buttons.addWidget(self.up)
        buttons.addWidget(self.down)
        buttons.addWidget(self.remove, stretch=2)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.steps)
        column.addLayout(buttons)
        self.up.clicked.connect(lambda: self.steps.move_current(-1))
        self.down.clicked.connect(lambda: self.steps.move_current(1))
        self.remove.clicked.connect(self.steps.remove_current)
        self.steps.chosen.connect(self._on_chosen)
        self._on_chosen()

    def _on_chosen(self) -> None:
        number, last = self.steps.currentRow(), self.steps.count() - 1
        self.remove.setEnabled(number >= 0)
        self.up.setEnabled(number > 0)
        self.down.setEnabled(0 <= number < last)


def rows_of(recipe: Recipe) -> list[Row]:
    """Return the steps of a recipe, all switched on."""
    return [Row(settings) for settings in recipe.steps]


def recipe_of(rows: Sequence[Row], name: str) -> Recipe:
    """Return the steps that are switched on."""
    return Recipe(tuple(row.settings for row in rows if row.on), name)


def rows_to_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return all steps, also those that are switched off, as JSON types."""
    return [
        {"step": kind_of(row.settings).name, "on": row.on, "settings": to_json(row.settings)}
        for row in rows
    ]


def rows_from_json(record: Any) -> list[Row]:
    """Read steps back; what this version does not know is left out."""
    rows = []
    for kept in record if isinstance(record, list) else []:
        try:
            kind = STEPS[str(kept["step"])]
            settings = make(kind.settings, None, dict(kept["settings"]))
        except (KeyError, TypeError, ValueError, ParameterError):
            continue
        rows.append(Row(settings, bool(kept.get("on", True))))
    return rows


def describe_step(settings: Settings) -> str:
    """Return a step in a few words: its name and the settings that say most."""
    told = []
    for name, value in in_use(settings).items():
        rule = options(type(settings), name)
        if isinstance(value, bool) or value in ("", 0, 0.0):
            continue
        unit = f" {rule['unit']}" if "unit" in rule else ""
        told.append(f"{value:g}{unit}" if isinstance(value, int | float) else str(value))
    label = kind_of(settings).label
    return f"{label}: {', '.join(told[:_MOST_TOLD])}" if told else label


def _tooltip(settings: Settings) -> str:
    lines = [kind_of(settings).tooltip]
    used = in_use(settings)
    for field in dataclasses.fields(settings):
        if field.name in used:
            rule = options(type(settings), field.name)
            unit = f" {rule['unit']}" if "unit" in rule else ""
            lines.append(f"{rule.get('label', field.name)}: {used[field.name]}{unit}")
    return "\n".join(lines)


def _item(row: Row) -> QListWidgetItem:
    item = QListWidgetItem()
    flags = item.flags() | Qt.ItemFlag.ItemIsUserCheckable
    item.setFlags(flags & ~Qt.ItemFlag.ItemIsDropEnabled)
    item.setCheckState(Qt.CheckState.Checked if row.on else Qt.CheckState.Unchecked)
    _fill(item, row.settings)
    return item


def _fill(item: QListWidgetItem, settings: Settings) -> None:
    item.setText(describe_step(settings))
    item.setToolTip(_tooltip(settings))
    item.setData(_ROLE, settings)


def _button(text: str, tooltip: str, name: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tooltip)
    button.setAccessibleName(name)
    return button
