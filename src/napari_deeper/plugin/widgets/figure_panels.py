"""The list of panels: checked ones are in the figure, dragging changes their order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QAbstractItemView, QListWidget, QListWidgetItem

from napari_deeper.engine.figure_parts import MapPanel

_ROLE = Qt.ItemDataRole.UserRole
# key of the layer, its name, the panel, and whether it is in the figure at first
Shown = tuple[str, str, MapPanel, bool]


class PanelList(QListWidget):
    """Panels by the key of their layer; what the user chose and sorted stays while layers change."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
        self.setToolTip(
            "Checked panels are in the figure. Drag to change their order, or Alt+Up and Alt+Down"
        )
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMinimumHeight(70)
        self.setMaximumHeight(150)
        self._choices: dict[str, bool] = {}  # by key, where the user decided
        self._filling = False
        self.itemChanged.connect(self._on_item)
        model = self.model()
        if model is not None:
            model.rowsMoved.connect(lambda *_: self.changed.emit())

    def show_panels(self, panels: Sequence[Shown]) -> None:
        """List these panels; new ones come last, and are checked where they are wanted."""
        keys = [key for key, *_ in panels]
        order = [self._key(row) for row in range(self.count())]
        kept = [key for key in order if key in keys]
        wanted = kept + [key for key in keys if key not in kept]
        self._filling = True
        try:
            if wanted != order:
                self.clear()
                for _ in wanted:
                    self.addItem(self._item())
            for row, key in enumerate(wanted):
                self._fill(self.item(row), panels[keys.index(key)], keys.index(key))
        finally:
            self._filling = False

    def chosen(self) -> list[int]:
        """Return the numbers of the checked panels, as last shown, in the order of the list."""
        rows = [self.item(row) for row in range(self.count())]
        checked = Qt.CheckState.Checked
        return [
            row.data(_ROLE)[1] for row in rows if row is not None and row.checkState() == checked
        ]

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Move the current panel by Alt+Up and Alt+Down."""
        steps = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}
        if event is not None and event.modifiers() & Qt.KeyboardModifier.AltModifier:
            step = steps.get(Qt.Key(event.key()))
            if step is not None:
                self.move_current(step)
                return
        super().keyPressEvent(event)

    def move_current(self, step: int) -> None:
        """Move the current panel up (-1) or down (1)."""
        row = self.currentRow()
        if not (0 <= row < self.count() and 0 <= row + step < self.count()):
            return
        item = self.takeItem(row)
        self.insertItem(row + step, item)
        self.setCurrentRow(row + step)
        self.changed.emit()

    def _item(self) -> QListWidgetItem:
        item = QListWidgetItem()
        flags = item.flags() | Qt.ItemFlag.ItemIsUserCheckable
        item.setFlags(flags & ~Qt.ItemFlag.ItemIsDropEnabled)
        return item

    def _fill(self, item: Any, panel: Shown, number: int) -> None:
        key, name, shown, wanted = panel
        # the cube first: names of heatmaps begin alike, and the list is narrow
        item.setText(f"{shown.title}: {shown.column}" if shown.column else name)
        item.setToolTip(f"Layer {name}\n{shown.title}\n{shown.column or shown.quantity}".strip())
        item.setData(_ROLE, (key, number))
        checked = self._choices.get(key, wanted)
        item.setCheckState(Qt.CheckState.Checked if checked else Qt.CheckState.Unchecked)

    def _key(self, row: int) -> str:
        item = self.item(row)
        return str(item.data(_ROLE)[0]) if item is not None else ""

    def _on_item(self, item: QListWidgetItem) -> None:
        if self._filling:
            return
        self._choices[str(item.data(_ROLE)[0])] = item.checkState() == Qt.CheckState.Checked
        self.changed.emit()
