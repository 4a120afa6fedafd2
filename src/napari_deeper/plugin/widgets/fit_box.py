"""What about a cube does not suit the networks, with what mends it a click away."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_deeper.engine.fit_check import suggested_recipe
from napari_deeper.engine.recipe import Recipe
from napari_deeper.plugin.fit_watch import Findings
from napari_deeper.plugin.widgets.prepare_steps import describe_step


class FitBox(QWidget):
    """Findings in words; emits `prepare` or `open_recipe` with the recipe that is suggested."""

    prepare = Signal(object)
    open_recipe = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.recipe: Recipe | None = None
        self.told = QLabel()
        self.told.setWordWrap(True)
        self.prepare_button = QPushButton("&Prepare as suggested")
        self.open_button = QPushButton("&Open in Prepare")
        self.open_button.setToolTip(
            "Look at the suggested steps, and change them, before they are run"
        )
        row = QHBoxLayout()
        row.addWidget(self.prepare_button)
        row.addWidget(self.open_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.told)
        column.addLayout(row)
        self.prepare_button.clicked.connect(lambda: self.prepare.emit(self.recipe))
        self.open_button.clicked.connect(lambda: self.open_recipe.emit(self.recipe))
        self.show_findings(None)

    def show_findings(self, findings: Findings | None) -> None:
        """Show what was found; nothing with None."""
        self.recipe = suggested_recipe(findings) if findings else None
        # What the network does not cover, Enhance tells of the run that it plans.
        told = [finding.text for finding in findings or () if finding.name != "range"]
        self.told.setText("\n".join(told))
        self.told.setVisible(bool(told))
        self.setVisible(bool(findings))
        for button in (self.prepare_button, self.open_button):
            button.setVisible(self.recipe is not None)
        if self.recipe is not None:
            steps = "\n".join(f"- {describe_step(settings)}" for settings in self.recipe.steps)
            self.prepare_button.setToolTip(
                f"Make a new layer by these steps, and choose it:\n{steps}\nThe input stays as it is (Alt+P)"
            )

    def set_running(self, running: bool) -> None:
        """Allow no run beside another one."""
        self.prepare_button.setEnabled(not running)
