"""What the Fine-tune dock asks for: the data, the network, where to start, and how to train."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFormLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from napari_deeper.models.user_models import check_name
from napari_deeper.plugin.finetune_data import Data, Drawn, LayerAlone, LayerPair, Saved, check_data
from napari_deeper.plugin.layers import cube_from_layer
from napari_deeper.plugin.widgets.form import ParamsForm, restore
from napari_deeper.plugin.widgets.layer_box import LayerBox
from napari_deeper.plugin.widgets.weights_box import WeightsBox
from napari_deeper.spectra.errors import DeeperError, PatchError
from napari_deeper.spectra.params import to_json
from napari_deeper.training.finetune_config import (
    NETWORKS_FOR,
    SCRATCH,
    FinetuneParams,
    check_finetune,
)

PAIR, ALONE = "a pair of layers", "this map alone"
ANNOTATED, A_FILE = "of the Annotate dock", "a file..."
NO_DOCK = "Open Plugins > DeepeR > Annotate and draw patches over your cubes, or choose a file of patches."
SHOWN = ["epochs", "rate", "augmentation", "device", "scratch"]
# Machines and the choices above are no matter of this form.
_ELSEWHERE = ("what", "scale", "network", "start", "devices", "nodes", "strategy")
_KINDS = {
    "eigenimages": "eigenimage",
    "hyrisr": "hyrisr",
    "resunet": "resunet",
    "denoiser": "eigenimage",
}
_FILTER = "Patches (*.json)"


@dataclass(frozen=True, eq=False)
class Asked:
    """A job that can be started."""

    data: Data
    params: FinetuneParams
    name: str
    told: tuple[str, ...]


class FinetuneForm(QWidget):
    """Editor of a job; emits `changed` when the user changes anything.

    Parameters
    ----------
    drawn
        Returns the patches of the Annotate dock, or None where none is open; with their cubes if True is passed.
    low, high
        Where the layers of a pair are chosen.
    """

    changed = Signal()

    def __init__(
        self, drawn: Callable[[bool], Drawn | None], low: LayerBox, high: LayerBox
    ) -> None:
        super().__init__()
        self.ask_file: Callable[[QWidget], str] = _ask_file
        self._drawn = drawn
        self._saved: Saved | None = None
        self._trouble: DeeperError | None = None
        self.low, self.high = low, high
        others = [f.name for f in dataclasses.fields(FinetuneParams)]
        others = [name for name in others if name not in (*_ELSEWHERE, *SHOWN)]
        self.task = ParamsForm(FinetuneParams, ["what", "scale", "network"], [], self._on_task)
        self.params = ParamsForm(FinetuneParams, SHOWN, others, self.changed.emit)
        rate: Any = self.params.field("rate")
        rate.setDecimals(5)
        rate.setSingleStep(1e-4)
        compare: Any = self.params.field("scratch")
        compare.setText("twice the time")
        self.patches = QComboBox()
        self.patches.addItems([ANNOTATED, A_FILE])
        self.patches.setToolTip("The patches to learn from and to be judged on")
        self.learn_from = QComboBox()
        self.learn_from.addItems([PAIR, ALONE])
        self.learn_from.setToolTip(
            "A pair: a noisy and a good measurement of one field. This map alone: from its own noise, and kept only "
            "if that clearly helped"
        )
        self.start = WeightsBox(["eigenimage"], [("scratch: an untrained network", SCRATCH)])
        self.name = QLineEdit()
        self.name.setPlaceholderText("made up from the date")
        self.name.setToolTip("Of the model that is made")
        self._lay_out()
        self.patches.activated.connect(self._on_patches)
        self.learn_from.activated.connect(self._on_task)
        self.start.changed.connect(self._on_task)
        self.name.textEdited.connect(lambda _: self.changed.emit())
        for box in (low, high):
            box.activated.connect(self.changed)
        self._on_task()

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.task)
        rows = _rows(column)
        rows.addRow("Patches", self.patches)
        rows.addRow("Learn from", self.learn_from)
        rows.addRow("Noisy layer", self.low)
        rows.addRow("Good layer", self.high)
        rows.addRow("Start", self.start)
        column.addWidget(self.params)
        fold = QCollapsible("Advanced")
        fold.addWidget(self.params.advanced)
        fold.collapse(animate=False)
        column.addWidget(fold)
        rows = _rows(column)
        rows.addRow("Name", self.name)
        self.low.setToolTip("The noisy map of the field")
        self.high.setToolTip("The map of the same field with a longer exposure")

    def _on_task(self, *_: object) -> None:
        self._suit_networks()
        task = self.task.value()
        denoises = task.what == "denoise"
        # Switched off, not hidden: nothing jumps.
        self.task.field("scale").setEnabled(not denoises)
        self.patches.setEnabled(not denoises)
        self.learn_from.setEnabled(denoises)
        self.low.setEnabled(denoises)
        self.high.setEnabled(denoises and not self.alone)
        self.params.field("scratch").setEnabled(not (denoises and self.alone))
        self.start.set_wanted([_KINDS[task.architecture]], 0 if denoises else task.scale)
        self._tell_defaults()
        self.changed.emit()

    def _suit_networks(self) -> None:
        """Offer the networks of the task alone."""
        known = NETWORKS_FOR[self.task.value().what]
        box: Any = self.task.field("network")
        for row in range(box.count()):
            box.model().item(row).setEnabled(box.itemText(row) in known)
        if self.task.value().network not in known:
            self.task.set_field("network", known[0])

    @property
    def alone(self) -> bool:
        """Whether to denoise is learned from a noisy map alone."""
        return self.learn_from.currentText() == ALONE

    def _tell_defaults(self) -> None:
        """Show what 0 stands for with this network and start."""
        bare = dataclasses.replace(self.settings(), epochs=0, rate=0.0)
        if bare.what == "denoise" and self.alone:
            bare = bare.for_alone()
        # The box for whole numbers has no text for a special value.
        rows: Any = self.params.layout()
        label = rows.labelForField(self.params.field("epochs"))
        label.setText(f"Epochs (0: {bare.n_epochs})")
        rate: Any = self.params.field("rate")
        rate.setSpecialValueText(f"{bare.peak_rate:g} (default)")

    def _on_patches(self, _: int) -> None:
        if self.patches.currentText() == A_FILE:
            chosen = self.ask_file(self)
            if chosen:
                self.open_patches(Path(chosen))
            elif self._saved is None:
                self.patches.setCurrentText(ANNOTATED)
        self.changed.emit()

    def open_patches(self, path: Path) -> None:
        """Take a file of patches."""
        try:
            self._saved, self._trouble = Saved.at(path), None
        except DeeperError as error:
            self._saved, self._trouble = None, error
        else:
            self.task.set_field("scale", self._saved.overview.scale or 2)
        row = self.patches.findText(A_FILE)
        if self.patches.count() > 2:
            self.patches.removeItem(1)
            row -= 1
        self.patches.insertItem(row, path.name)
        self.patches.setItemData(row, str(path), 3)  # 3: the tooltip's role
        self.patches.setCurrentIndex(row)
        self.changed.emit()

    def value(self, *, whole: bool = False) -> Asked:
        """Return what is asked for, checked as far as that is quick; ready to be started where `whole`.

        Raises
        ------
        DeeperError
            In words for the user.
        """
        params = self.settings()
        check_finetune(params)
        name = self.name.text().strip()
        if name:
            check_name(name)
        data = self._data(params, whole)
        return Asked(data, params, name, tuple(check_data(data, params)))

    def settings(self) -> FinetuneParams:
        """Return the settings alone."""
        task = self.task.value()
        return dataclasses.replace(
            self.params.value(), what=task.what, scale=task.scale, network=task.network,
            start=self.start.value(),
            scratch=self.params.value().scratch and not (task.what == "denoise" and self.alone),
        )  # fmt: skip

    def _data(self, params: FinetuneParams, whole: bool) -> Data:
        if params.what == "denoise":
            if self.alone:
                return LayerAlone(cube_from_layer(self.low.layer()))
            layers = self.low.layer(), self.high.layer()
            low = cube_from_layer(layers[0])
            return LayerPair(low, low if layers[0] is layers[1] else cube_from_layer(layers[1]))
        if self.patches.currentText() == ANNOTATED:
            drawn = self._drawn(whole)
            if drawn is None:
                raise PatchError(NO_DOCK)
            return drawn
        if self._saved is None:
            raise self._trouble or PatchError(NO_DOCK)
        return self._saved

    def to_json(self) -> dict[str, Any]:
        """Return the settings that are shown, as JSON types."""
        return to_json(self.settings()) | {"alone": self.alone}

    def restore(self, record: dict[str, Any]) -> None:
        """Show what `to_json` returned; what this version does not know stays as it is."""
        record = {**record, "start": ""}  # weights that are gone would only be in the way
        alone = record.pop("alone", False)
        restore(self.task, record)
        restore(self.params, record)
        self.learn_from.setCurrentText(ALONE if alone else PAIR)
        self._on_task()


def _rows(column: QVBoxLayout) -> QFormLayout:
    rows = QFormLayout()
    rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    column.addLayout(rows)
    return rows


def _ask_file(parent: QWidget) -> str:
    return QFileDialog.getOpenFileName(parent, "Open patches", "", _FILTER)[0]
