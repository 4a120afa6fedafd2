"""The Enhance dock: denoise and super-resolve the current cube."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from napari.layers import Image
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from napari_deeper.engine.denoise import DenoiseParams
from napari_deeper.engine.enhance import (
    DENOISE_COMPARATORS,
    SUPER_RESOLVE_COMPARATORS,
    enhance,
)
from napari_deeper.engine.estimate import plan
from napari_deeper.engine.super_resolve import SuperResolveParams
from napari_deeper.plugin.canvas import current_cube
from napari_deeper.plugin.jobs import JobRunner
from napari_deeper.plugin.layers import add_cube, cube_from_layer
from napari_deeper.plugin.widgets.dock_page import DockPage
from napari_deeper.plugin.widgets.form import ParamsForm, Remembered, restore
from napari_deeper.plugin.widgets.heatmap import KEY as HEATMAP
from napari_deeper.spectra.axis import describe
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import Cancelled, DeeperError
from napari_deeper.spectra.params import options
from napari_deeper.spectra.progress import Progress

if TYPE_CHECKING:
    import napari


class Message(QPlainTextEdit):
    """What a run says: read only, to be selected and copied, of fixed height so that nothing jumps."""

    def __init__(self) -> None:
        super().__init__()
        self.setReadOnly(True)
        self.setFixedHeight(120)
        self.setPlaceholderText("Results are new layers; the input stays as it is.")

    def text(self) -> str:
        """Return what is shown."""
        return self.toPlainText()

    def set_text(self, text: str) -> None:
        """Show another text, from its beginning."""
        if text != self.toPlainText():
            self.setPlainText(text)


class EnhanceWidget(DockPage):
    """Choose a cube, choose what to do, run it off the GUI thread, get new layers."""

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self._source: Any = None
        self._active: Any = None  # the image that was active last
        self._choice: Any = (
            None  # the image to work on: the active one, but after a run still its input
        )
        self.failure = ""  # why the last run ended without results
        self._jobs = JobRunner(self, self._on_progress, self._on_end)
        self._remembered = Remembered("enhance")
        self._refresh_timer = QTimer(self)
        self._refresh_timer.setSingleShot(True)
        self._refresh_timer.setInterval(0)
        self._refresh_timer.timeout.connect(self.refresh)
        self._build()
        self._restore_settings()
        self._connect()
        self.refresh()

    # ---- what it is made of -------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.cube = QComboBox()
        self.cube.setToolTip("The image layer to work on; it is never changed")
        self.cube.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.cube.setMinimumContentsLength(12)
        self.fit = _wrapped_label()
        self.denoise_on = QCheckBox("Denoise")
        self.denoise_on.setToolTip(
            "Turn short-exposure spectra into what a longer exposure would show"
        )
        self.denoise_form = ParamsForm(
            DenoiseParams, ["method"], _advanced(DenoiseParams, {"method", "device"}), self._changed
        )
        self.super_resolve_on = QCheckBox("Super-resolve")
        self.super_resolve_on.setToolTip("Estimate the pixels between the measured ones")
        self.super_resolve_form = ParamsForm(
            SuperResolveParams,
            ["scale", "method", "phase"],
            _advanced(SuperResolveParams, {"scale", "method", "phase", "device"}),
            self._changed,
        )
        self.comparators = {
            name: QCheckBox(name) for name in (*DENOISE_COMPARATORS, *SUPER_RESOLVE_COMPARATORS)
        }
        rule = options(DenoiseParams, "device")
        self.device = QComboBox()
        self.device.addItems([str(choice) for choice in rule["choices"]])
        self.device.setToolTip(str(rule.get("tooltip", "")))
        self.run_button = QPushButton("Run")
        self.run_button.setToolTip("Make new layers; the input stays as it is")
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip("Stop within one batch; nothing is added")
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(True)
        self.message = Message()
        self._lay_out()

    def _lay_out(self) -> None:
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(6, 4, 6, 4)
        column.setSpacing(6)
        column.addLayout(_labeled("Cube", self.cube))
        column.addWidget(self.fit)
        column.addWidget(self.denoise_on)
        column.addWidget(self.denoise_form)
        column.addWidget(self.super_resolve_on)
        column.addWidget(self.super_resolve_form)
        column.addWidget(self._comparator_fold())
        column.addWidget(self._advanced_fold())
        column.addLayout(_labeled("Device", self.device))
        column.addStretch()
        scroll = QScrollArea()
        scroll.setWidget(inner)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scroll, stretch=1)
        # what one acts on and reads stays in sight on a small screen, whatever is unfolded above
        foot = QVBoxLayout()
        foot.setContentsMargins(6, 0, 6, 4)
        buttons = QHBoxLayout()
        buttons.addWidget(self.run_button, stretch=2)
        buttons.addWidget(self.cancel_button, stretch=1)
        foot.addLayout(buttons)
        foot.addWidget(self.bar)
        foot.addWidget(self.message)
        layout.addLayout(foot)
        self.setMinimumWidth(280)

    def _comparator_fold(self) -> QCollapsible:
        box = QWidget()
        grid = QGridLayout(box)
        grid.setContentsMargins(0, 0, 0, 0)
        for column, names in enumerate((DENOISE_COMPARATORS, SUPER_RESOLVE_COMPARATORS)):
            grid.addWidget(QLabel(("Denoise", "Super-resolve")[column]), 0, column)
            for row, name in enumerate(names):
                self.comparators[name].setToolTip(f"Add the result of {name} as one more layer")
                grid.addWidget(self.comparators[name], row + 1, column)
        return _fold("Add comparators beside", box)

    def _advanced_fold(self) -> QCollapsible:
        box = QWidget()
        column = QVBoxLayout(box)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(QLabel("Denoise"))
        column.addWidget(self.denoise_form.advanced)
        column.addWidget(QLabel("Super-resolve"))
        column.addWidget(self.super_resolve_form.advanced)
        return _fold("Advanced", box)

    def _connect(self) -> None:
        self.cube.activated.connect(self._on_cube_chosen)
        self.denoise_on.toggled.connect(self._changed)
        self.super_resolve_on.toggled.connect(self._changed)
        self.device.currentIndexChanged.connect(self._changed)
        self.run_button.clicked.connect(self.run)
        self.cancel_button.clicked.connect(self._jobs.cancel)
        layers = self._viewer.layers
        self.listen(
            (layers.events.inserted, self._changed),
            (layers.events.removed, self._changed),
            (layers.events.renamed, self._changed),
            (layers.selection.events.active, self._on_active),
        )

    def release(self) -> None:
        """Stop the run and let go of the viewer's events."""
        super().release()
        self._jobs.stop()
        self._refresh_timer.stop()

    # ---- state --------------------------------------------------------------------------------------------------

    def params(self) -> tuple[DenoiseParams | None, SuperResolveParams | None]:
        """Return what is asked for; None for a step that is switched off.

        Raises
        ------
        ParameterError
            Where a value is not allowed.
        """
        device = self.device.currentText()
        denoise = super_resolve = None
        if self.denoise_on.isChecked():
            denoise = dataclasses.replace(self.denoise_form.value(), device=device)
        if self.super_resolve_on.isChecked():
            super_resolve = dataclasses.replace(self.super_resolve_form.value(), device=device)
        return denoise, super_resolve

    def chosen_comparators(self) -> tuple[str, ...]:
        """Return the comparators that are ticked and belong to a step that is on."""
        names: tuple[str, ...] = ()
        if self.denoise_on.isChecked():
            names += DENOISE_COMPARATORS
        if self.super_resolve_on.isChecked():
            names += SUPER_RESOLVE_COMPARATORS
        return tuple(name for name in names if self.comparators[name].isChecked())

    def source_layer(self) -> Any:
        """Return the layer chosen in the Cube box, or None."""
        return self.cube.currentData()

    def refresh(self) -> None:
        """Fill the Cube box and say whether, and how, the run can be made."""
        self._fill_cubes()
        self.denoise_form.setEnabled(self.denoise_on.isChecked())
        self.super_resolve_form.setEnabled(self.super_resolve_on.isChecked())
        for name, box in self.comparators.items():
            on = self.denoise_on if name in DENOISE_COMPARATORS else self.super_resolve_on
            box.setEnabled(on.isChecked())
        problem = self._describe_fit()
        running = self._jobs.running
        self.run_button.setEnabled(not problem and not running)
        self.cancel_button.setEnabled(running)

    def _changed(self, *_: object) -> None:
        self._refresh_timer.start()

    def _on_active(self, *_: object) -> None:
        active = self._viewer.layers.selection.active
        # heatmaps and markers take the selection for a moment and give it back: that is no choice of the user's
        if (
            isinstance(active, Image)
            and HEATMAP not in active.metadata
            and active is not self._active
        ):
            self._active = self._choice = active
        self._changed()

    def _fill_cubes(self) -> None:
        images = [layer for layer in self._viewer.layers if isinstance(layer, Image)]
        images = [la for la in images if HEATMAP not in la.metadata]
        wanted = self._choice
        if wanted not in images:
            wanted = current_cube(self._viewer) or (images[-1] if images else None)
        self.cube.blockSignals(True)
        self.cube.clear()
        for layer in images:
            self.cube.addItem(layer.name, layer)
        self.cube.setCurrentIndex(images.index(wanted) if wanted in images else -1)
        self.cube.blockSignals(False)

    def _describe_fit(self) -> bool:
        """Show what fits or does not; return whether the run is impossible."""
        try:
            cube = cube_from_layer(self.source_layer())
            wanted = [params for params in self.params() if params is not None]
            if not wanted:
                raise DeeperError("Tick Denoise, Super-resolve, or both.")
            lines = [describe_cube(cube), *repeated(cube, wanted)]
            lines += dict.fromkeys(line for params in wanted for line in plan(cube, params))
        except DeeperError as error:
            self.fit.setText(str(error))
            return True
        self.fit.setText("\n".join(dict.fromkeys(lines)))
        return False

    def _on_cube_chosen(self, _: int) -> None:
        self._choice = self.source_layer()
        if self._choice is not None:
            self._viewer.layers.selection.active = self._choice
        self._changed()

    def _restore_settings(self) -> None:
        self.denoise_on.setChecked(True)
        record = self._remembered.load()
        restore(self.denoise_form, record.get("denoise"))
        restore(self.super_resolve_form, record.get("super_resolve"))
        self.denoise_on.setChecked(bool(record.get("denoise_on", True)))
        self.super_resolve_on.setChecked(bool(record.get("super_resolve_on", True)))
        self.device.setCurrentText(str(record.get("device", "auto")))
        for name in record.get("comparators", ()):
            if name in self.comparators:
                self.comparators[name].setChecked(True)

    def _remember_settings(self) -> None:
        self._remembered.save(
            denoise=self.denoise_form.value(),
            super_resolve=self.super_resolve_form.value(),
            denoise_on=self.denoise_on.isChecked(),
            super_resolve_on=self.super_resolve_on.isChecked(),
            device=self.device.currentText(),
            comparators=[name for name, box in self.comparators.items() if box.isChecked()],
        )

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        return self._jobs.running

    # ---- the run ------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Start the run with what the dock shows."""
        try:
            self._source = self.source_layer()
            cube = cube_from_layer(self._source)
            denoise, super_resolve = self.params()
        except DeeperError as error:
            self.failure = str(error)
            self.message.set_text(self.failure)
            return
        self._remember_settings()
        comparators = self.chosen_comparators()

        def work(progress: Progress) -> list[RamanCube]:
            return enhance(cube, denoise, super_resolve, comparators, progress)

        self.failure = ""
        self._jobs.start(work)
        self._on_progress(0.0, "Starting", None)
        self.refresh()

    def _on_progress(self, fraction: float, text: str, seconds: float | None) -> None:
        self.bar.setValue(round(1000 * fraction))
        left = "" if seconds is None else f", {_duration(seconds)} left"
        self.bar.setFormat(f"%p %{left}")
        self.message.set_text(text)

    def _on_end(self, results: list[RamanCube] | None, error: Exception | None) -> None:
        self.bar.setValue(0 if error else 1000)
        self.bar.setFormat("" if error else "Done")
        self.failure = "" if error is None else _in_words(error)
        if error is None:
            self._show(results or [])
        else:
            self.message.set_text(self.failure)
        self.refresh()

    def _show(self, results: list[RamanCube]) -> None:
        source = self._source
        # the last one added lies on top: comparators first, then the results in the order they were made
        n_results = sum(params is not None for params in self.params())
        for cube in [*results[n_results:], *results[:n_results]]:
            add_cube(self._viewer, cube, like=source)
        self._active, self._choice = self._viewer.layers.selection.active, source
        n_added = len(results)
        notes = [f"Added {n_added} layer{'s' if n_added > 1 else ''}."]
        notes += [note for cube in results[:n_results] for note in cube.provenance[-1].notes]
        notes += [f"Ran on {device}." for device in devices_used(results)]
        self.message.set_text("\n".join(dict.fromkeys(notes)))


def describe_cube(cube: RamanCube) -> str:
    """Return the cube in a line: size, axis, pixel size."""
    y, x, _ = cube.shape
    size = "pixel size unknown"
    if cube.pixel_size:
        dy, dx = cube.pixel_size
        size = f"{dy:g} µm pixels" if dy == dx else f"{dy:g} x {dx:g} µm pixels"
    return f"{y} x {x}, {describe(cube.wavenumber)}, {size}."


def devices_used(cubes: list[RamanCube]) -> list[str]:
    """Return where the networks of these results ran, in words."""
    used = (step.params.get("device_used") for cube in cubes for step in cube.provenance)
    return list(dict.fromkeys(str(device) for device in used if device))


def repeated(cube: RamanCube, wanted: list[Any]) -> list[str]:
    """Return a warning for each step that the cube has already been through."""
    done = {step.verb for step in cube.provenance}
    warnings = []
    if "denoise" in done and any(isinstance(p, DenoiseParams) for p in wanted):
        warnings.append("This cube is a denoised one already.")
    if "super-resolve" in done and any(isinstance(p, SuperResolveParams) for p in wanted):
        warnings.append("This cube is a super-resolved one already.")
    return warnings


def _in_words(error: Exception) -> str:
    if isinstance(error, Cancelled):
        return "Cancelled. Nothing was added."
    if isinstance(error, DeeperError):
        return str(error)
    return f"This should not have happened: {type(error).__name__}: {error}"


def _advanced(params_type: Any, shown: set[str]) -> list[str]:
    return [f.name for f in dataclasses.fields(params_type) if f.name not in shown]


def _wrapped_label() -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    return label


def _labeled(text: str, widget: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.addWidget(QLabel(text))
    row.addWidget(widget, stretch=1)
    return row


def _fold(title: str, widget: QWidget) -> QCollapsible:
    fold = QCollapsible(title)
    fold.addWidget(widget)
    fold.collapse(animate=False)
    return fold


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min"
