"""Which recipe is shown: a preset, the user's own steps, or a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
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

from napari_deeper.engine.recipe import PRESETS, Recipe, read_recipe, write_recipe
from napari_deeper.plugin.widgets.form import Remembered
from napari_deeper.plugin.widgets.prepare_steps import (
    Row,
    StepList,
    recipe_of,
    rows_from_json,
    rows_of,
    rows_to_json,
)
from napari_deeper.spectra.errors import DeeperError

OWN = "Own steps"
FIRST = "raw-for-enhance"  # the preset that a new user starts from
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


class RecipeKeeper:
    """Which steps are shown, where they came from, and what is remembered of them.

    Parameters
    ----------
    box, steps
        What the user works with.
    tell
        Called with a sentence for the user.
    """

    def __init__(self, box: RecipeBox, steps: StepList, tell: Callable[[str], None]) -> None:
        self._box, self._steps, self._tell = box, steps, tell
        self._own: list[Row] = []  # the steps of the user, while a preset is shown
        self._name, self._path = "own", ""
        self._filling = False
        self._remembered = Remembered("prepare")
        box.preset.connect(self.choose_preset)
        box.open.triggered.connect(self._on_open)
        box.save.triggered.connect(self._on_save)
        box.save_as.triggered.connect(self._on_save_as)
        steps.changed.connect(self._on_steps)

    def recipe(self, stop: int | None = None) -> Recipe:
        """Return the steps that are switched on, of those before row `stop` if that is given.

        Raises
        ------
        DeeperError
            In words, where a value is not allowed.
        """
        return recipe_of(self._steps.rows()[:stop], self._name)

    def show_recipe(self, recipe: Recipe) -> None:
        """Show the steps of a recipe as the user's own."""
        self._name = recipe.name
        self._box.name_own(self._name)
        self._steps.set_rows(rows_of(recipe))

    def choose_preset(self, name: str) -> None:
        """Show a preset, or with no name the user's own steps again."""
        self._filling = True
        try:
            self._box.show_preset(name)
            self._steps.set_rows(rows_of(PRESETS[name]) if name else self._own)
        finally:
            self._filling = False

    def open_recipe(self, path: Path) -> None:
        """Show the recipe of a file; a failure is told, and changes nothing."""
        try:
            recipe = read_recipe(path)
        except DeeperError as error:
            self._tell(str(error))
            return
        self._path = str(path)
        self.show_recipe(recipe)
        self._tell(f"Opened {path.name}: {recipe.name}.")

    def save_recipe(self, path: Path) -> None:
        """Write the steps that are switched on; a failure is told."""
        path = path.with_suffix(".json")
        rows = self._steps.rows()
        try:
            # whoever chose the file was asked whether it may be replaced
            write_recipe(recipe_of(rows, path.stem), path, overwrite=True)
        except DeeperError as error:
            self._tell(str(error))
            return
        self._path, self._name = str(path), path.stem
        self._own = rows
        self._box.name_own(self._name)
        self._box.show_preset("")
        self.remember()
        n_off = sum(not row.on for row in rows)
        off = f" {n_off} switched off: not in the file." if n_off else ""
        self._tell(f"Saved {path.name}.{off}")

    def restore(self) -> None:
        """Show what was remembered; a new user starts from a preset."""
        kept = self._remembered.load()
        self._own = rows_from_json(kept.get("own"))
        self._name = str(kept.get("name", "own"))
        self._box.name_own(self._name)
        preset = str(kept.get("preset", "" if self._own else FIRST))
        self.choose_preset(preset if preset in PRESETS else "")

    def remember(self) -> None:
        """Keep what is shown for the next session."""
        self._remembered.save(
            own=rows_to_json(self._own), name=self._name, preset=self._box.chosen()
        )

    def _on_steps(self) -> None:
        if not self._filling:
            self._own = self._steps.rows()
            self._box.show_preset("")

    def _on_open(self) -> None:
        path = ask_source(self._box)
        if path:
            self.open_recipe(Path(path))

    def _on_save(self) -> None:
        if self._path and not self._box.chosen():
            self.save_recipe(Path(self._path))
        else:
            self._on_save_as()

    def _on_save_as(self) -> None:
        path = ask_target(self._box, self._path or "recipe.json")
        if path:
            self.save_recipe(Path(path))


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
