"""The Annotate dock: patches of tissue, with roles, to fine-tune a network on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QLabel, QVBoxLayout

from napari_deeper.io.patches import write_patches
from napari_deeper.plugin.annotation import Annotation
from napari_deeper.plugin.canvas import current_cube
from napari_deeper.plugin.finetune_data import Drawn
from napari_deeper.plugin.jobs import JobRunner, Pieces
from napari_deeper.plugin.layers import add_cube, cube_from_layer, is_cube
from napari_deeper.plugin.patch_drawings import Brush, ground_of_layer, on_scale
from napari_deeper.plugin.patch_labels import patches_of_labels
from napari_deeper.plugin.widgets.annotate_canvas import CanvasSide
from napari_deeper.plugin.widgets.annotate_files import (
    Opened,
    ask_what_to_load,
    ask_where_to_save,
    describe_layers,
    file_of,
    open_patches,
    renamed,
)
from napari_deeper.plugin.widgets.annotate_form import AnnotateForm, PatchButtons
from napari_deeper.plugin.widgets.annotate_tables import CubeTable, PatchTable
from napari_deeper.plugin.widgets.dock_page import DockPage
from napari_deeper.plugin.widgets.form import Remembered
from napari_deeper.plugin.widgets.run_bar import Message
from napari_deeper.plugin.widgets.wording import in_words
from napari_deeper.plugin.widgets.workspace import tabify_beside_ours
from napari_deeper.processing.patch_grid import propose_size
from napari_deeper.processing.patch_suggestion import Suggestion, suggest_patches
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import DeeperError
from napari_deeper.spectra.patches import ROLES, Patch, PatchSet

if TYPE_CHECKING:
    import napari

NO_CUBE = "Open a Raman cube of tissue: File > Open."
HINT = "Draw rectangles over the cubes, let patches be suggested, or paint labels."


class AnnotateWidget(DockPage):
    """Draw, suggest, edit, save and load patches; `value` is the set that they make."""

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self._jobs = JobRunner(self, lambda *_: None, self._on_end, self.refresh)
        self._then: Callable[[Any], Pieces | None] = (
            _nothing  # what to do with the result of the job
        )
        self._remembered = Remembered("annotate")
        self._settling, self._following = self._timer(self._settle), self._timer(self._follow)
        self.annotation = Annotation(self._viewer, self._settling.start)
        self._files: dict[Any, Path] = {}  # of cube layers that were written with a set
        self._meant: Any = None  # the cube that was active last
        self._told: list[str] = []
        self.cube_table = CubeTable()
        self.cube_table.setFixedHeight(104)
        self.form = AnnotateForm()
        self.form.restore(self._remembered.load())
        self.message = Message(HINT, 76)
        self.counts = QLabel()
        self.table = PatchTable()
        self.canvas = CanvasSide(self._viewer, self.annotation, self.form, self.table)
        self.buttons = PatchButtons()
        self._lay_out()
        self._connect()
        self._follow()
        self._settling.start()  # what was drawn while no dock was open
        QTimer.singleShot(0, self._settle_in)

    def _timer(self, slot: Callable[[], None]) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(0)
        timer.timeout.connect(slot)
        return timer

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 4, 6, 4)
        column.addWidget(self.cube_table)
        column.addWidget(self.form)
        column.addWidget(self.message)
        column.addWidget(self.table, stretch=1)
        column.addWidget(self.counts)
        column.addWidget(self.buttons)
        self.setMinimumWidth(300)

    def _connect(self) -> None:
        form, table = self.form, self.table
        form.changed.connect(self._on_form)
        form.draw.toggled.connect(lambda on: self.canvas.draw(on, self.cube_table.ticked()))
        form.spread.toggled.connect(lambda on: self.canvas.spread(on, self.cube_table.ticked()))
        form.fit.clicked.connect(self.fit_size)
        form.suggest.clicked.connect(self.suggest)
        form.from_labels.clicked.connect(self.add_from_labels)
        self.cube_table.changed.connect(self.refresh)
        table.role_given.connect(lambda rows, role: self.change(rows, role=role))
        table.tissue_given.connect(lambda rows, text: self.change(rows, tissue=text))
        table.rows_selected.connect(self.canvas.select)
        table.delete_asked.connect(self.remove)
        table.place_asked.connect(self.canvas.show_place)
        buttons = self.buttons
        buttons.delete.clicked.connect(lambda: self.remove(table.selected_rows()))
        buttons.clear.clicked.connect(lambda: self.remove(range(len(self.patches()))))
        buttons.go_to.clicked.connect(lambda: self.canvas.show_selected())
        buttons.save.clicked.connect(self._on_save)
        buttons.load.clicked.connect(self._on_load)
        self.listen_to_layers(self._on_layers, active=self._on_active)

    def _settle_in(self) -> None:
        tabify_beside_ours(self)

    def release(self) -> None:
        """Let go of the viewer; the patches stay on their layer, and are found there again."""
        super().release()
        self._jobs.stop()
        self._settling.stop()
        self._following.stop()
        self.canvas.release()
        self.annotation.release()

    # ---- the set ------------------------------------------------------------------------------------------------

    def patches(self) -> list[Patch]:
        """Return the patches, in the order of the table."""
        return self.annotation.patches()

    def value(self) -> PatchSet:
        """Return the set that the dock shows, with the cubes that its patches lie on.

        Raises
        ------
        DeeperError
            If a cube layer was changed in shape, or a patch does not fit the scale.
        """
        patches = self.patches()
        files = {layer.name: file for layer, file in self._files.items()}
        known = describe_layers(self.annotation.used(), files)
        wanted = self.form.value()
        return PatchSet(tuple(known), tuple(patches), wanted.size, wanted.scale)

    def cubes(self) -> dict[str, RamanCube]:
        """Return the cubes that the patches lie on, by name, as `write_patches` takes them."""
        return {layer.name: cube_from_layer(layer) for layer in self.annotation.used()}

    def drawn(self, whole: bool = True) -> Drawn:
        """Return the set without the sha256 of its cubes; with the cubes themselves where `whole`."""
        layers = self.annotation.used()
        wanted = self.form.value()
        overview = self.annotation.overview().replace(size=wanted.size, scale=wanted.scale)
        files = {layer.name: self._files.get(layer) or file_of(layer) for layer in layers}
        return Drawn(overview, self.cubes() if whole else {}, files)

    def set_patches(self, patches: Sequence[Patch]) -> None:
        """Show these patches in place of those that are there."""
        self.annotation.show(patches)
        self.refresh()

    def change(self, rows: Collection[int], **changes: Any) -> None:
        """Give the patches of these rows another role or tissue."""
        patches = self.patches()
        self.set_patches([p.replace(**changes) if i in rows else p for i, p in enumerate(patches)])

    def remove(self, rows: Collection[int]) -> None:
        """Remove the patches of these rows."""
        self._told = []
        self.set_patches([p for i, p in enumerate(self.patches()) if i not in rows])

    # ---- in step with the viewer --------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Show what the layers, the patches and the form now say."""
        self.canvas.follow_shapes()
        patches = self.patches()
        overview = self.annotation.overview()
        overlaps = overview.overlaps()
        self.table.show_patches(patches, {i for o in overlaps for i in (o.first, o.second)})
        counts = overview.counts()
        self.counts.setText(" · ".join(f"{counts[role]} {role}" for role in ROLES))
        self._say([*self._told, *overview.warnings(), *self._missing(counts)])
        busy, ready = self._jobs.running, bool(self.cube_table.ticked())
        for widget in (self.form.draw, self.form.fit, self.form.spread):
            widget.setEnabled(ready)
        self.form.suggest.setEnabled(ready and not busy)
        self.form.from_labels.setEnabled(ready and self.form.labels.count() > 0)
        self.buttons.enable(has_patches=bool(patches), busy=busy)

    def _missing(self, counts: dict[str, int]) -> list[str]:
        if not self.annotation.cubes():
            return [NO_CUBE]
        missing = [role for role in ROLES if not counts[role]]
        if not any(counts.values()) or not missing:
            return []
        return [f"No {' and no '.join(missing)} patch yet."]

    def _say(self, sentences: Sequence[str]) -> None:
        self.message.set_text("\n".join(sentences))

    def _on_layers(self, *_: object) -> None:
        self._following.start()

    def _follow(self) -> None:
        self._told = self.annotation.follow() or self._told
        cubes = self.annotation.cubes()
        self._files = {layer: file for layer, file in self._files.items() if layer in cubes}
        self.cube_table.refill(cubes)
        labels = [la for la in self._viewer.layers if type(la).__name__ == "Labels"]
        self.form.set_labels([la for la in labels if la.editable])
        if self._meant not in cubes:
            self._meant = current_cube(self._viewer)
        self.refresh()

    def _on_active(self, *_: object) -> None:
        active = self._viewer.layers.selection.active
        if is_cube(active):
            self._meant = active
        if active is not self.annotation.marks.layer():
            self.form.draw.setChecked(False)

    def _settle(self) -> None:
        self._told = self.annotation.settle([la.name for la in self._open_to_new()], self._brush())
        self.refresh()

    def _open_to_new(self) -> list[Any]:
        """Return the ticked cubes that are in sight, or all where a map made from them is shown instead."""
        ticked = self.cube_table.ticked()
        return [layer for layer in ticked if layer.visible] or ticked

    def _brush(self) -> Brush:
        wanted = self.form.value()
        meant = self._meant.name if self._meant is not None else ""
        role = self.form.role.currentText()
        return Brush(wanted.size, wanted.scale, role, self.cube_table.tissues(), meant)

    def _on_form(self) -> None:
        self._remembered.save(**self.form.to_json())
        scale = self.form.chosen_scale
        patches = [on_scale(patch, scale) for patch in self.patches()]
        kept = list(dict.fromkeys(p for p in patches if p is not None))
        if kept != self.patches():
            self._told = [f"The patches were moved to the grid of scale {scale}."]
            self.set_patches(kept)

    # ---- what the buttons do ------------------------------------------------------------------------------------

    def fit_size(self) -> None:
        """Take the largest size of which four patches fit on every ticked cube."""
        scale = self.form.chosen_scale
        shapes = [ground_of_layer(layer).shape for layer in self.cube_table.ticked()]
        size = propose_size(shapes, scale)
        self._told = [f"Patches of {size} x {size} pixels: four and more fit on every ticked cube."]
        if size:
            self.form.set_size(size)
        else:
            self._told = ["A ticked cube is too small for four patches. Untick it."]
        self.refresh()

    def add_from_labels(self) -> None:
        """Add the patches that lie mostly in one label of the chosen Labels layer."""
        layer = self.form.labels.currentData()
        patches, told = self.patches(), []
        if layer is None:
            return
        for cube in self.cube_table.ticked():
            new, notes = patches_of_labels(layer, ground_of_layer(cube), patches, self._brush())
            patches += new
            told += notes
        self._told = told
        self.set_patches(patches)

    def suggest(self) -> None:
        """Add suggested patches on the ticked cubes, off the GUI thread."""
        try:
            cubes = {layer.name: cube_from_layer(layer) for layer in self.cube_table.ticked()}
        except DeeperError as error:
            self._show_told(str(error))
            return
        params, tissues = self.form.value(), self.cube_table.tissues()
        keep = [patch for patch in self.patches() if patch.cube in cubes]
        others = [patch for patch in self.patches() if patch.cube not in cubes]

        def show(found: Suggestion) -> Pieces:
            there = self.annotation.cubes()
            if (
                there and found.patches.patches
            ):  # napari takes as long for the layer as for what it shows
                self.annotation.marks.make(there[-1])
                yield
            self._told = list(found.notes)
            self.set_patches([*others, *found.patches.patches])

        self._start(
            lambda progress: suggest_patches(
                cubes, params, tissues=tissues, keep=keep, progress=progress
            ),
            show,
            "Looking for informative patches...",
        )

    def _start(
        self, work: Callable[[Any], Any], then: Callable[[Any], Pieces | None], doing: str
    ) -> None:
        self._then = then
        self._jobs.start(work)
        self._show_told(doing)

    def _on_end(self, result: Any, error: Exception | None) -> Pieces | None:
        if error is not None:
            self._show_told(in_words(error, "Cancelled."))
            return None
        # what is to be done holds whole cubes, which must not be kept for longer
        then, self._then = self._then, _nothing
        pieces = then(result)
        self.refresh()
        return pieces

    def _show_told(self, *sentences: str) -> None:
        self._told = list(sentences)
        self.refresh()

    # ---- files --------------------------------------------------------------------------------------------------

    def without_file(self) -> list[str]:
        """Return the names of the cubes with patches that no file is known of."""
        used = self.annotation.used()
        return [la.name for la in used if la not in self._files and file_of(la) is None]

    def _on_save(self) -> None:
        path = ask_where_to_save(self, self.without_file())
        if path is not None:
            self.save(path)

    def save(self, path: Path) -> None:
        """Write the set, replacing a file that is there, and beside it every cube that has no file."""
        try:
            patches, cubes = self.value(), self.cubes()
        except DeeperError as error:
            self._show_told(str(error))
            return
        before = {cube.name: cube.path for cube in patches.cubes}
        target = path.with_suffix(".json")

        def show(written: PatchSet) -> None:
            layers = {layer.name: layer for layer in self.annotation.cubes()}
            new = [c for c in written.cubes if c.path is not None and c.path != before[c.name]]
            self._files |= {layers[c.name]: c.path for c in new if c.name in layers and c.path}
            self._told = [f"Saved {target}."]
            self._told += [f"Wrote the cube '{c.name}' to {c.path}." for c in new]

        self._start(
            lambda _: write_patches(patches, target, cubes=cubes, overwrite=True), show, "Saving..."
        )

    def _on_load(self) -> None:
        path = ask_what_to_load(self, len(self.patches()))
        if path is not None:
            self.load(path)

    def load(self, path: Path) -> None:
        """Read a set in place of the patches that are shown, and open the cubes that no layer shows yet."""
        try:
            shown = {layer.name: cube_from_layer(layer) for layer in self.annotation.cubes()}
        except DeeperError as error:
            self._show_told(str(error))
            return
        self._start(lambda _: open_patches(path, shown), self._show_opened, "Loading...")

    def _show_opened(self, opened: Opened) -> None:
        names = dict(opened.shown)
        paths = {cube.name: cube.path for cube in opened.patches.cubes}
        for name, cube in opened.read.items():
            layer = add_cube(self._viewer, cube)
            names[name] = layer.name
            path = paths[name]
            if path is not None:
                self._files[layer] = path
        self._follow()
        self.form.set_scale(opened.patches.scale)
        self.form.set_size(opened.patches.size)
        kept = renamed(opened.patches.patches, names)
        n_lost = len(opened.patches.patches) - len(kept)
        self._told = [*opened.problems]
        if n_lost:
            self._told.append(f"{n_lost} patches of such cubes were left out.")
        self.set_patches(kept)


def _nothing(_: Any) -> None:
    """Do nothing with a result."""
