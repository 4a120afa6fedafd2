"""Which recipe is shown: a preset, the user's own steps, or a file."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QWidget,
)

from napari_deeper.engine.recipe import PRESETS

OWN = "Own steps"
_FILTER = "Recipes (*.json)"


class RecipeBox(QWidget):
    """Emits `preset` with its name in `PRESETS`, or with nothing where the user's own steps are wanted back."""

    preset = Signal(str)

    def __init__(self, cube: QWidget) -> None:
        super().__init__()
        self.box = QComboBox()
        self.box.addItem(OWN, "")
        for name, recipe in PRESETS.items():
            self.box.addItem(recipe.name, name)
            role = Qt.ItemDataRole.ToolTipRole
            self.box.setItemData(self.box.count() - 1, f"{name}: {recipe}", role)
        self.box.setToolTip(
            "A preset to start from. Changed steps become your own, which stay here while another is tried"
        )
        self.box.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.box.setMinimumContentsLength(8)
        self.file = QPushButton("&File")
        self.file.setToolTip("Load and save recipes as JSON files (Alt+F)")
        menu = QMenu(self.file)
        menu.setToolTipsVisible(True)
        self.open = _action(menu, "&Open...", "Load a recipe from a JSON file")
        self.save = _action(menu, "&Save", "Write the recipe to the file that it came from")
        self.save_as = _action(menu, "Save &as...", "Write the recipe to another JSON file")
        self.file.setMenu(menu)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Cube", cube)
        row = QHBoxLayout()
        row.addWidget(self.box, stretch=1)
        row.addWidget(self.file)
        form.addRow("Recipe", row)
        form.setContentsMargins(0, 0, 0, 0)
        self.setLayout(form)
        self.box.activated.connect(lambda _: self.preset.emit(str(self.box.currentData())))

    def show_preset(self, name: str) -> None:
        """Say that a preset is shown, or with no name that they are the user's own steps."""
        self.box.setCurrentIndex(max(0, self.box.findData(name)))

    def name_own(self, name: str) -> None:
        """Call the user's own steps by the name of their recipe."""
        self.box.setItemText(0, OWN if name in ("", "own") else f"{OWN}: {name}")

    def chosen(self) -> str:
        """Return the name of the preset, or nothing."""
        return str(self.box.currentData() or "")


def ask_source(parent: QWidget) -> str:
    """Let the user choose a recipe to open."""
    return QFileDialog.getOpenFileName(parent, "Open recipe", "", _FILTER)[0]


def ask_target(parent: QWidget, name: str) -> str:
    """Let the user choose where to save a recipe; an existing file was asked about."""
    return QFileDialog.getSaveFileName(parent, "Save recipe", name, _FILTER)[0]


def _action(menu: QMenu, text: str, tooltip: str) -> Any:
    action: Any = menu.addAction(text)
    action.setToolTip(tooltip)
    return action
