"""What the Annotate dock asks for: size and scale, the role of what is drawn, and where suggestions come from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QGridLayout,
    QLabel,
    QPushButton,
    QSpinBox,
    QWidget,
)

from napari_deeper.processing.patch_suggestion import SuggestParams
from napari_deeper.spectra.params import options
from napari_deeper.spectra.patches import ROLES

SCALES = {1: "1 (denoise)", 2: "2x", 3: "3x", 4: "4x"}
ROLE_TIPS = {
    "train": "The network learns from these",
    "validation": "Training is stopped, and the best network kept, by these",
    "test": "These only judge the result: nothing is learned or chosen by them",
}


class AnnotateForm(QWidget):
    """Editor of what new patches are like; emits `changed` when size, scale or role change."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.patch_size = _spin(options(SuggestParams, "size"), SuggestParams.size, " px")
        self.fit = QPushButton("Fit")
        self.fit.setToolTip("Take the largest size of which four patches fit on every ticked cube")
        self.scale = QComboBox()
        for scale, label in SCALES.items():
            self.scale.addItem(label, scale)
        self.scale.setToolTip(
            "Of the super-resolution to train: corners and sizes are multiples of it, so that a patch samples the "
            "same pixels as the whole map does"
        )
        self.role = QComboBox()
        for role in ROLES:
            self.role.addItem(role)
            self.role.setItemData(
                self.role.count() - 1, ROLE_TIPS[role], 3
            )  # 3: the tooltip's role
        self.role.setToolTip("The role of what you draw next")
        self.draw = QPushButton("&Draw")
        self.draw.setCheckable(True)
        self.draw.setToolTip(
            "Draw rectangles over the ticked cubes; each becomes a patch of the size given, about its middle, and a "
            "large one several side by side (Alt+D)"
        )
        self.spread = QPushButton("Side by &side")
        self.spread.setCheckable(True)
        self.spread.setToolTip("Lay the ticked cubes beside each other on the canvas, and back")
        self.suggest_n = _spin(options(SuggestParams, "suggest"), SuggestParams.suggest, "")
        self.seed = QSpinBox()
        self.seed.setRange(0, 2**31 - 1)
        self.seed.setPrefix("seed ")
        self.seed.setToolTip("Of the choice of roles: the same gives the same")
        self.suggest = QPushButton("S&uggest")
        self.suggest.setToolTip(
            "Add informative patches that differ from each other, none above another; the roles are dealt over cubes "
            "and tissues (Alt+U)"
        )
        self.labels = QComboBox()
        self.labels.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.labels.setMinimumContentsLength(8)
        self.labels.setToolTip(
            "A Labels layer painted over the cubes. Labels 1, 2, 3 mean train, validation, test, others the role "
            "above; a table of features with role, tissue or name goes first"
        )
        self.from_labels = QPushButton("From &labels")
        self.from_labels.setToolTip(
            "Add the patches of which half and more lies in one label (Alt+L)"
        )
        self._lay_out()
        self.patch_size.valueChanged.connect(self.changed)
        # a size that was typed in; while it is typed, nothing changes under the fingers
        self.patch_size.editingFinished.connect(lambda: self.set_size(self.patch_size.value()))
        self.scale.currentIndexChanged.connect(self._on_scale)
        self.role.currentIndexChanged.connect(self.changed)
        self.set_scale(SuggestParams.scale)

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(6)
        grid.setVerticalSpacing(4)
        rows: tuple[tuple[str, QWidget, QWidget], ...] = (
            ("Patch size", self.patch_size, self.fit),
            ("Scale", self.scale, self.spread),
            ("New patch", self.role, self.draw),
            ("Suggest", self.suggest_n, self.suggest),
            ("", self.seed, QWidget()),
            ("Labels", self.labels, self.from_labels),
        )
        for row, (label, left, right) in enumerate(rows):
            grid.addWidget(QLabel(label), row, 0)
            grid.addWidget(left, row, 1)
            grid.addWidget(right, row, 2)
        grid.setColumnStretch(1, 3)
        grid.setColumnStretch(2, 2)

    def set_labels(self, layers: Sequence[Any]) -> None:
        """List these Labels layers; the one chosen stays so."""
        chosen = self.labels.currentData()
        self.labels.blockSignals(True)
        self.labels.clear()
        for layer in layers:
            self.labels.addItem(layer.name, layer)
        if chosen in layers:
            self.labels.setCurrentIndex(list(layers).index(chosen))
        elif layers:
            self.labels.setCurrentIndex(len(layers) - 1)
        self.labels.blockSignals(False)

    def set_scale(self, scale: int) -> None:
        """Show this scale."""
        self.scale.setCurrentIndex(list(SCALES).index(scale))
        self._on_scale()

    def set_size(self, size: int) -> None:
        """Show this patch size, rounded down to a multiple of the scale."""
        self.patch_size.setValue(size // self.chosen_scale * self.chosen_scale)

    def _on_scale(self, *_: object) -> None:
        self.patch_size.setSingleStep(self.chosen_scale)
        self.set_size(self.patch_size.value())
        self.changed.emit()

    @property
    def chosen_scale(self) -> int:
        """The scale that is chosen."""
        return int(self.scale.currentData())

    def value(self) -> SuggestParams:
        """Return what is asked for; a size that is typed in is rounded down to a multiple of the scale."""
        scale = self.chosen_scale
        return SuggestParams(
            suggest=self.suggest_n.value(),
            size=max(self.patch_size.value() // scale * scale, scale),
            scale=scale,
            seed=self.seed.value(),
        )

    def to_json(self) -> dict[str, Any]:
        """Return what is remembered for the next time."""
        return {
            "size": self.patch_size.value(),
            "scale": self.chosen_scale,
            "suggest": self.suggest_n.value(),
            "role": self.role.currentText(),
        }

    def restore(self, record: dict[str, Any]) -> None:
        """Show what was remembered, as far as it can be."""
        if record.get("scale") in SCALES:
            self.set_scale(int(record["scale"]))
        if record.get("role") in ROLES:
            self.role.setCurrentText(str(record["role"]))
        for name, box in (("size", self.patch_size), ("suggest", self.suggest_n)):
            if isinstance(record.get(name), int):
                box.setValue(record[name])


class PatchButtons(QWidget):
    """What is done with the patches that are there."""

    def __init__(self) -> None:
        super().__init__()
        self.go_to = _button("&Go to", "Show the selected patch in the middle (Alt+G)")
        self.delete = _button("Delete", "Remove the selected patches (Delete)")
        self.clear = _button("Clear", "Remove every patch")
        self.save = _button("Sa&ve...", "Save the patches, and which cubes they lie on (Alt+V)")
        self.load = _button("L&oad...", "Load patches and the cubes that they lie on (Alt+O)")
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        for column, button in enumerate((self.go_to, self.delete, self.clear)):
            grid.addWidget(button, 0, 2 * column, 1, 2)
        grid.addWidget(self.save, 1, 0, 1, 3)
        grid.addWidget(self.load, 1, 3, 1, 3)

    def enable(self, *, has_patches: bool, busy: bool) -> None:
        """Switch off what cannot be done now."""
        for button in (self.go_to, self.delete, self.clear):
            button.setEnabled(has_patches)
        self.save.setEnabled(has_patches and not busy)
        self.load.setEnabled(not busy)


def _button(text: str, tooltip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tooltip)
    return button


def _spin(rule: dict[str, Any], value: int, suffix: str) -> QSpinBox:
    box = QSpinBox()
    box.setRange(int(rule["min"]), int(rule["max"]))
    box.setValue(value)
    box.setSuffix(suffix)
    box.setToolTip(str(rule["tooltip"]))
    return box
