"""The Components dock: take a cube apart into endmembers and their maps, and edit the endmembers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.utils.theme import get_theme
from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QColorDialog,
    QFileDialog,
    QFormLayout,
    QLabel,
    QScrollArea,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from napari_deeper.engine.references import BAND_TABLES, match_references
from napari_deeper.io.endmembers import read_endmembers, write_endmembers
from napari_deeper.plugin.component_layers import ComponentLayers
from napari_deeper.plugin.component_session import Session, search, solve
from napari_deeper.plugin.jobs import JobRunner
from napari_deeper.plugin.layers import cube_from_layer, cube_layers, wavenumbers
from napari_deeper.plugin.picked_spectra import (
    pinned_place,
    pixel_spectrum,
    region_layer,
    region_spectrum,
)
from napari_deeper.plugin.widgets.components_form import ComponentsForm
from napari_deeper.plugin.widgets.components_result import ComponentsResult
from napari_deeper.plugin.widgets.dock_page import DockPage
from napari_deeper.plugin.widgets.form import Remembered
from napari_deeper.plugin.widgets.layer_box import LayerBox
from napari_deeper.plugin.widgets.run_bar import RunBar
from napari_deeper.plugin.widgets.wording import describe_cube, in_words
from napari_deeper.plugin.widgets.workspace import tabify_beside
from napari_deeper.processing import endmember_edits as edits
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.endmembers import Endmembers
from napari_deeper.spectra.errors import DeeperError, FileError
from napari_deeper.spectra.progress import Progress

if TYPE_CHECKING:
    import napari

FILES = "Spectra (*.csv *.txt *.npz)"


class ComponentsWidget(DockPage):
    """Search or load endmembers, look at their maps, edit them; all maps follow every edit."""

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self.failure = ""  # why the last run changed nothing
        self.session = Session()
        self.layers = ComponentLayers(self._viewer)
        self._jobs = JobRunner(self, self._on_progress, self._on_end)
        self._remembered = Remembered("components")
        self._refresh_timer = QTimer(self)
        self._refresh_timer.setSingleShot(True)
        self._refresh_timer.setInterval(0)
        self._refresh_timer.timeout.connect(self.refresh)
        self.target = LayerBox(self._viewer)
        self.target.setToolTip(
            "The cube on which endmembers are looked for: the one with the least noise"
        )
        self.fit = QLabel()
        self.fit.setWordWrap(True)
        self.form = ComponentsForm()
        self.form.restore(self._remembered.load())
        self._solver = self.form.solver()
        self.foot = RunBar(
            run="Look for endmembers on this cube, and make their maps; the cube stays as it is",
            cancel="Stop within one block of pixels",
            placeholder="Endmembers are looked for on the chosen cube; with Every cube they are applied to all.",
            height=56,
        )
        self.result = ComponentsResult()
        self._lay_out()
        self._connect()
        self._set_theme()
        self.target.follow_active()
        self.refresh()
        QTimer.singleShot(0, self._settle)

    # ---- layout and connections -------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(6, 4, 6, 0)
        boxes = QFormLayout()
        boxes.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        boxes.addRow("Cube", self.target)
        column.addLayout(boxes)
        column.addWidget(self.fit)
        column.addWidget(self.form)
        column.addStretch()
        scroll = QScrollArea()
        scroll.setWidget(inner)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setMinimumHeight(110)
        lower = QWidget()
        stack = QVBoxLayout(lower)
        stack.setContentsMargins(0, 0, 0, 0)
        stack.addWidget(self.foot)
        stack.addWidget(self.result, stretch=1)
        parts = QSplitter(Qt.Orientation.Vertical)
        parts.addWidget(scroll)
        parts.addWidget(lower)
        parts.setChildrenCollapsible(False)
        parts.setSizes([230, 420])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(parts)
        self.setMinimumWidth(300)

    def _connect(self) -> None:
        self.target.activated.connect(self._changed)
        self.form.changed.connect(self._on_form)
        self.form.shown_changed.connect(self._on_shown)
        self.form.every.clicked.connect(self._on_every)
        self.foot.run_button.clicked.connect(self.run)
        self.foot.cancel_button.clicked.connect(self._jobs.cancel)
        table, result = self.result.table, self.result
        table.renamed.connect(self.rename)
        table.color_asked.connect(self._ask_color)
        table.drawn_changed.connect(self._on_drawn)
        table.remove_asked.connect(self.remove)
        table.itemSelectionChanged.connect(self._changed)
        for button, slot in (
            (result.merge, self.merge), (result.remove, self.remove), (result.pixel, self.add_pixel),
            (result.region, self.add_region), (result.load, self._ask_load),
            (result.save, self._ask_save), (result.undo, self.undo),
        ):  # fmt: skip
            button.clicked.connect(slot)
        result.match_tables.triggered.connect(lambda: self.match())
        result.match_file.triggered.connect(self._ask_references)
        layers = self._viewer.layers
        self.listen(
            (layers.events.inserted, self._changed),
            (layers.events.removed, self._changed),
            (layers.events.renamed, self._changed),
            (layers.selection.events.active, self._on_active),
            (self._viewer.events.theme, self._set_theme),
        )

    def _settle(self) -> None:
        tabify_beside(self, "Enhance")

    def release(self) -> None:
        """Stop the run and let go of the viewer's events."""
        super().release()
        self._jobs.stop()
        self._refresh_timer.stop()

    def _set_theme(self, *_: object) -> None:
        theme = get_theme(self._viewer.theme)
        self.result.plot.set_theme(theme.background.as_hex(), theme.text.as_hex())

    # ---- what is shown ------------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        return self._jobs.running

    @property
    def endmembers(self) -> Endmembers | None:
        """The endmembers that are shown."""
        return self.session.endmembers

    def refresh(self) -> None:
        """List the cubes, and allow what can be done."""
        self._drop_gone()
        self.target.refill()
        possible = True
        try:
            self.fit.setText(describe_cube(cube_from_layer(self.target.layer())))
            self.form.value()
        except DeeperError as error:
            self.fit.setText(str(error))
            possible = False
        running = self._jobs.running
        self.foot.run_button.setEnabled(possible and not running)
        self.foot.cancel_button.setEnabled(running)
        self.result.enable(
            some=self.endmembers is not None,
            free=not running,
            target=possible,
            undo=bool(self.session.before),
        )

    def _show(self, *, add: bool) -> None:
        s = self.session
        self.result.show_endmembers(s.endmembers, s.shares(), s.drawn, s.matches)
        self.layers.update(s.results, s.drawn, self.form.kinds(), add=add)
        self.refresh()

    def _changed(self, *_: object) -> None:
        self._refresh_timer.start()

    def _on_active(self, *_: object) -> None:
        self.target.follow_active()
        self._changed()

    def _drop_gone(self) -> None:
        # maps of a cube that is gone would show what nobody can check any more
        s = self.session
        left = [result for result in s.results if result[0] in self._viewer.layers]
        if len(left) < len(s.results):
            s.results = left
            self.layers.update(left, s.drawn, self.form.kinds(), add=False)

    def _on_shown(self) -> None:
        self._remember()
        s = self.session
        if s.results:
            self.layers.update(s.results, s.drawn, self.form.kinds())

    def _on_form(self) -> None:
        self._changed()
        solver = self.form.solver()
        if solver != self._solver and self.endmembers is not None and not self.running:
            self._solve(self.endmembers)
        self._solver = solver

    def _on_drawn(self) -> None:
        self.session.drawn = self.result.table.drawn()
        self._show(add=False)

    def _on_every(self) -> None:
        self._remember()
        if self.endmembers is not None and not self.running:
            self._solve(self.endmembers)

    def _remember(self) -> None:
        try:
            self._remembered.save(**self.form.to_json())
        except DeeperError:
            return

    # ---- runs ---------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Look for endmembers with what the dock shows."""
        try:
            cubes, params = self._cubes(), self.form.value()
        except DeeperError as error:
            self._fail(error)
            return
        self._remember()
        self._start(lambda progress: search(cubes, params, progress))

    def _cubes(self, shown: bool = False) -> list[tuple[Any, RamanCube]]:
        """Return layers with their cubes: the target's first, or those that are shown; then what Every cube adds.

        Raises
        ------
        DeeperError
            If the target is no cube.
        """
        layers = [layer for layer, _ in self.session.results] if shown else []
        layers = layers or [self.target.layer()]
        if self.form.every.isChecked():
            layers += [layer for layer in cube_layers(self._viewer.layers) if layer not in layers]
        elif shown:
            layers = layers[:1]
        return [(layer, cube_from_layer(layer)) for layer in layers]

    def _solve(self, endmembers: Endmembers) -> None:
        """Solve for these endmembers; they take the place of those shown once that has worked."""
        try:
            cubes, params = self._cubes(shown=True), self.form.value()
        except DeeperError as error:
            self._fail(error)
            return
        self._start(lambda progress: solve(cubes, endmembers, params, progress))

    def _start(self, work: Callable[[Progress], Any]) -> None:
        if self.running:
            return
        self.failure = ""
        self._jobs.start(work)
        self._on_progress(0.0, "Starting", None)
        self.refresh()

    def _on_progress(self, fraction: float, text: str, seconds: float | None) -> None:
        self.foot.show_progress(fraction, text, seconds)

    def _on_end(self, found: Any, error: Exception | None) -> None:
        if error is not None or found is None:
            self._fail(error or DeeperError("Nothing was found."))
            return
        results, notes = found
        results = [r for r in results if r[0] in self._viewer.layers]
        if not results:
            self._fail(DeeperError("The cube was removed meanwhile."))
            return
        self.session.take(results)
        self._show(add=True)
        self.foot.show_end("\n".join([*self.session.verdict(), *notes]), done=True)

    def _fail(self, error: Exception) -> None:
        self.failure = in_words(error, "Cancelled.")
        self.foot.show_end(self.failure, done=False)
        s = self.session
        self.result.show_endmembers(s.endmembers, s.shares(), s.drawn, s.matches)
        self.refresh()

    # ---- edits --------------------------------------------------------------------------------------------------

    def _try(self, edit: Callable[[], Endmembers], *, solve: bool) -> None:
        """Make an edit; one that changes no spectrum is shown at once, another is solved for first."""
        if self.running:
            return
        try:
            edited = edit()
        except DeeperError as error:
            self._fail(error)
            return
        if solve:
            self._solve(edited)
        else:
            self.session.relabel(edited)
            self._show(add=False)

    def _some(self) -> Endmembers:
        if self.endmembers is None:
            raise DeeperError("There are no endmembers yet.")
        return self.endmembers

    def rename(self, index: int, name: str) -> None:
        """Give an endmember another name."""
        self._try(lambda: edits.rename(self._some(), index, name), solve=False)

    def recolor(self, index: int, color: str) -> None:
        """Give an endmember another color, ``#rrggbb``."""
        self._try(lambda: edits.recolor(self._some(), index, color), solve=False)

    def _ask_color(self, index: int) -> None:
        endmembers = self._some()
        title = f"Color of {endmembers.names[index]}"
        color = QColorDialog.getColor(QColor(endmembers.colors[index]), self, title)
        if color.isValid():
            self.recolor(index, color.name())

    def merge(self) -> None:
        """Make one of the selected endmembers."""
        chosen, totals = self.result.table.chosen(), self.session.totals()
        self._try(lambda: edits.merge(self._some(), chosen, totals), solve=True)

    def remove(self) -> None:
        """Take the selected endmembers out."""
        chosen = self.result.table.chosen()
        self._try(lambda: edits.remove(self._some(), chosen), solve=True)

    def add_pixel(self) -> None:
        """Add the spectrum of the pinned pixel."""

        def edit() -> Endmembers:
            layer, place = self.target.layer(), pinned_place(self._viewer)
            spectrum = pixel_spectrum(layer, place)
            name = f"y {place[0]:.1f}, x {place[1]:.1f}"
            return edits.add(self.endmembers, spectrum, wavenumbers(layer), name)

        self._try(edit, solve=True)

    def add_region(self) -> None:
        """Add the mean spectrum of the drawn region."""

        def edit() -> Endmembers:
            layer, shapes = self.target.layer(), region_layer(self._viewer)
            spectrum, n_pixels = region_spectrum(layer, shapes)
            name = f"{shapes.name} ({n_pixels} px)"
            return edits.add(self.endmembers, spectrum, wavenumbers(layer), name)

        self._try(edit, solve=True)

    def undo(self) -> None:
        """Go back to the endmembers before the last change."""
        if self.session.before and not self.running:
            self._try(self.session.step_back, solve=True)

    # ---- files and references -----------------------------------------------------------------------------------

    def _ask_load(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Load endmembers", "", FILES)
        if path:
            self.load(Path(path))

    def load(self, path: Path) -> None:
        """Use the endmembers of a file in place of those shown."""
        self._try(lambda: read_endmembers(path), solve=True)

    def _ask_save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, "Save endmembers", "endmembers.csv", "CSV (*.csv)"
        )
        if path:
            self.save(Path(path))

    def save(self, path: Path) -> None:
        """Write the endmembers as CSV; the dialog has asked before it replaces a file."""
        try:
            written = write_endmembers(self._some(), path, overwrite=True)
        except FileError as error:
            self._fail(error)
            return
        self.foot.message.set_text(f"Saved {written}.")

    def _ask_references(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Reference spectra", "", FILES)
        if path:
            self.match(Path(path))

    def match(self, path: Path | None = None) -> None:
        """Compare the endmembers with the references of a file, or with the band tables."""
        try:
            references = read_endmembers(path) if path is not None else None
            matches = match_references(self._some(), references)
        except DeeperError as error:
            self._fail(error)
            return
        self.session.take_matches(matches)
        self._show(add=False)
        named = [f"{m.endmember}: {m}." for m in matches]
        source = BAND_TABLES if path is None else path.name
        self.foot.message.set_text("\n".join([f"Compared with {source}.", *named]))
