"""The two tables of the Annotate dock: the cubes, and the patches on them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from qtpy.QtCore import QModelIndex, Qt, Signal
from qtpy.QtGui import QColor, QContextMenuEvent, QKeyEvent
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHeaderView,
    QMenu,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from napari_deeper.plugin.layers import KEY as CUBE
from napari_deeper.plugin.patch_layers import COLORS
from napari_deeper.spectra.patches import ROLES, Patch

ROW_HEIGHT = 22
_ITEM = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
_MADE_FROM_ANOTHER = ("denoise", "super-resolve")


class CubeTable(QTableWidget):
    """The cube layers: ticked ones take new patches; each can say which tissue it shows."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__(0, 2)
        self.setHorizontalHeaderLabels(["Cube", "Tissue"])
        self.setToolTip(
            "Ticked: rectangles, labels and suggestions become patches of this cube. "
            "Double-click to say which tissue it shows."
        )
        _plain(self)
        header = self.horizontalHeader()
        if header is not None:
            header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
            header.resizeSection(1, 90)
        self._layers: list[Any] = []
        # what the user said of each layer: whether it is ticked, and its tissue
        self._said: dict[Any, tuple[bool, str]] = {}
        self.itemChanged.connect(self._on_item)

    def refill(self, layers: Sequence[Any]) -> None:
        """List these cube layers; those seen before keep what was said of them."""
        self._layers = list(layers)
        self._said = {la: self._said.get(la) or _first_guess(la) for la in self._layers}
        self.blockSignals(True)
        self.setRowCount(len(self._layers))
        for row, layer in enumerate(self._layers):
            ticked, tissue = self._said[layer]
            name = QTableWidgetItem(layer.name)
            name.setToolTip(layer.name)
            name.setFlags(_ITEM | Qt.ItemFlag.ItemIsUserCheckable)
            name.setCheckState(Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked)
            self.setItem(row, 0, name)
            self.setItem(row, 1, QTableWidgetItem(tissue))
        self.blockSignals(False)

    def ticked(self) -> list[Any]:
        """Return the layers that take new patches, bottom first."""
        return [layer for layer in self._layers if self._said[layer][0]]

    def tissues(self) -> dict[str, str]:
        """Return the tissue of each layer by its name."""
        return {layer.name: self._said[layer][1] for layer in self._layers}

    def say(self, layer: Any, *, ticked: bool | None = None, tissue: str | None = None) -> None:
        """Tick a layer or not, and say which tissue it shows."""
        was_ticked, was_tissue = self._said[layer]
        now = was_ticked if ticked is None else ticked
        self._said[layer] = (now, was_tissue if tissue is None else tissue)
        self.refill(self._layers)

    def _on_item(self, item: QTableWidgetItem) -> None:
        layer = self._layers[item.row()]
        ticked, tissue = self._said[layer]
        if item.column() == 0:
            ticked = item.checkState() == Qt.CheckState.Checked
        else:
            tissue = item.text().strip()
        self._said[layer] = (ticked, tissue)
        self.changed.emit()


def _first_guess(layer: Any) -> tuple[bool, str]:
    header = layer.metadata[CUBE]
    verbs = {step.get("verb") for step in header.get("provenance", ())}
    # a result lies over what it was made from: a patch drawn there means the measurement
    ticked = not verbs.intersection(_MADE_FROM_ANOTHER)
    return ticked, str(header.get("metadata", {}).get("tissue", ""))


class PatchTable(QTableWidget):
    """One row for each patch; role and tissue are edited in place, or by a menu for all selected rows."""

    role_given = Signal(list, str)
    tissue_given = Signal(list, str)
    rows_selected = Signal(list)
    delete_asked = Signal(list)
    place_asked = Signal(int)

    COLUMNS = ("#", "Role", "Cube", "Tissue", "y", "x", "Size")

    def __init__(self) -> None:
        super().__init__(0, len(self.COLUMNS))
        self.setHorizontalHeaderLabels(list(self.COLUMNS))
        self.setToolTip(
            "y, x: first row and column, size: pixels a side. Double-click a role or tissue to change it, or "
            "right-click for all selected rows; Delete removes them; double-click a number to go there."
        )
        _plain(self)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setItemDelegateForColumn(1, _RoleDelegate(self))
        header = self.horizontalHeader()
        if header is not None:
            header.setSectionResizeMode(2, QHeaderView.ResizeMode.Stretch)
            for column, width in zip((0, 1, 3, 4, 5, 6), (34, 96, 70, 34, 34, 36), strict=True):
                header.resizeSection(column, width)
        self.itemChanged.connect(self._on_item)
        self.itemSelectionChanged.connect(lambda: self.rows_selected.emit(self.selected_rows()))
        self.cellDoubleClicked.connect(self._on_double_click)

    def show_patches(self, patches: Sequence[Patch], overlapping: Collection[int]) -> None:
        """Show these patches; those that share pixels with another role are marked."""
        selected = self.selected_rows() if self.rowCount() == len(patches) else []
        self.blockSignals(True)
        self.setRowCount(len(patches))
        for row, patch in enumerate(patches):
            number = f"{row + 1} !" if row in overlapping else f"{row + 1}"
            texts = (number, patch.role, patch.cube, patch.tissue, patch.y, patch.x, patch.size)
            for column, text in enumerate(texts):
                self.setItem(row, column, _cell(str(text), self.COLUMNS[column], patch))
        self.blockSignals(False)
        self.select(selected)

    def selected_rows(self) -> list[int]:
        """Return the selected rows, the first first."""
        return sorted({index.row() for index in self.selectedIndexes()})

    def select(self, rows: Collection[int]) -> None:
        """Select these rows, silently."""
        self.blockSignals(True)
        self.clearSelection()
        mode = self.selectionMode()
        self.setSelectionMode(QAbstractItemView.SelectionMode.MultiSelection)
        for row in rows:
            self.selectRow(row)
        self.setSelectionMode(mode)
        if rows:
            item = self.item(min(rows), 0)
            if item is not None:
                self.scrollToItem(item)
        self.blockSignals(False)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Delete removes the selected patches."""
        keys = (Qt.Key.Key_Delete, Qt.Key.Key_Backspace)
        if event is not None and event.key() in keys and self.selected_rows():
            self.delete_asked.emit(self.selected_rows())
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent | None) -> None:
        """Offer what can be done with the selected rows."""
        if event is not None and self.selected_rows():
            self.menu().exec(event.globalPos())

    def menu(self) -> QMenu:
        """Return what can be done with the selected rows."""
        rows = self.selected_rows()
        menu = QMenu(self)
        for role in ROLES:
            action = menu.addAction(f"Make {role}")
            if action is not None:
                action.triggered.connect(
                    lambda _=False, role=role: self.role_given.emit(rows, role)
                )
        menu.addSeparator()
        delete = menu.addAction("Delete")
        if delete is not None:
            delete.triggered.connect(lambda: self.delete_asked.emit(rows))
        return menu

    def _on_item(self, item: QTableWidgetItem) -> None:
        rows = self.selected_rows()
        rows = rows if item.row() in rows else [item.row()]
        if item.column() == self.COLUMNS.index("Role"):
            self.role_given.emit(rows, item.text())
        elif item.column() == self.COLUMNS.index("Tissue"):
            self.tissue_given.emit(rows, item.text())

    def _on_double_click(self, row: int, column: int) -> None:
        if self.COLUMNS[column] not in ("Role", "Tissue"):
            self.place_asked.emit(row)


def _cell(text: str, column: str, patch: Patch) -> QTableWidgetItem:
    item = QTableWidgetItem(text)
    editable = column in ("Role", "Tissue")
    item.setFlags(_ITEM | Qt.ItemFlag.ItemIsEditable if editable else _ITEM)
    item.setToolTip(patch.cube if column == "Cube" else "")
    if column == "#":
        if text.endswith("!"):
            item.setToolTip("Shares pixels with a patch of another role")
        item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    elif column == "Role":
        item.setData(Qt.ItemDataRole.DecorationRole, QColor(COLORS[patch.role]))
    elif column in ("y", "x", "Size"):
        item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    return item


class _RoleDelegate(QStyledItemDelegate):
    """Edits a role by choosing it."""

    def createEditor(  # noqa: N802
        self, parent: QWidget | None, option: QStyleOptionViewItem, index: QModelIndex
    ) -> QWidget:
        box = QComboBox(parent)
        box.addItems(list(ROLES))
        box.activated.connect(lambda _: self._commit(box))
        return box

    def _commit(self, box: QComboBox) -> None:
        self.commitData.emit(box)
        self.closeEditor.emit(box, QStyledItemDelegate.EndEditHint.NoHint)

    def setEditorData(self, editor: QWidget | None, index: QModelIndex) -> None:  # noqa: N802
        if isinstance(editor, QComboBox):
            editor.setCurrentText(str(index.data()))
            editor.showPopup()


def _plain(table: QTableWidget) -> None:
    header = table.verticalHeader()
    if header is not None:
        header.setVisible(False)
        header.setDefaultSectionSize(ROW_HEIGHT)
