"""The Components dock: take a cube apart into endmembers and their maps, and edit the endmembers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QColorDialog, QFileDialog

from napari_deeper.engine.references import BAND_TABLES, match_references
from napari_deeper.io.endmembers import read_endmembers, write_endmembers
from napari_deeper.plugin.layers import wavenumbers
from napari_deeper.plugin.picked_spectra import (
    pinned_place,
    pixel_spectrum,
    region_layer,
    region_spectrum,
)
from napari_deeper.plugin.widgets.components_runs import ComponentsRuns
from napari_deeper.plugin.widgets.workspace import tabify_beside_ours
from napari_deeper.processing import endmember_edits as edits
from napari_deeper.spectra.endmembers import Endmembers
from napari_deeper.spectra.errors import DeeperError, FileError

if TYPE_CHECKING:
    import napari

FILES = "Spectra (*.csv *.txt *.npz)"


class ComponentsWidget(ComponentsRuns):
    """Search or load endmembers, look at their maps, edit them; all maps follow every edit."""

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        table, result = self.result.table, self.result
        table.renamed.connect(self.rename)
        table.color_asked.connect(self._ask_color)
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
        self.target.follow_active()
        self.refresh()
        QTimer.singleShot(0, self._settle)

    def _settle(self) -> None:
        tabify_beside_ours(self)

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
        # maps that an earlier dock has left are brought up to date by solving
        left = not self.session.results and self.target.layer() is not None
        if solve or left:
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
        """Use the endmembers of a file on the target, in place of those shown."""
        if self.running:
            return
        try:
            self._solve(read_endmembers(path), shown=False)
        except FileError as error:
            self._fail(error)

    def _ask_save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, "Save endmembers", "endmembers.csv", "CSV (*.csv)"
        )
        if path:
            self.save(Path(path))

    def save(self, path: Path) -> None:
        """Write the endmembers as CSV."""
        # the dialog has asked before it replaces a file, but not where the suffix is still to be added
        asked = path.suffix.lower() == ".csv"
        try:
            written = write_endmembers(self._some(), path, overwrite=asked)
        except DeeperError as error:
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
