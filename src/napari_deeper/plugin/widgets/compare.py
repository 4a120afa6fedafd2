"""The Compare dock: layers beside their target, in figures, difference maps, regions and side by side."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.utils.theme import get_theme
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QFileDialog

from napari_deeper.engine.compare import compare, difference_map
from napari_deeper.engine.compare_report import write_comparison
from napari_deeper.engine.compare_scores import CubeComparison, DifferenceMap
from napari_deeper.engine.compare_tests import Outcome
from napari_deeper.plugin.canvas import current_cube
from napari_deeper.plugin.component_layers import CLASSES, COMPOSITE, SHOWS
from napari_deeper.plugin.difference_maps import (
    difference_layers,
    shared_limit,
    show_differences,
)
from napari_deeper.plugin.jobs import JobRunner, Pieces
from napari_deeper.plugin.layers import (
    SOURCE,
    channel_at_slider,
    cube_from_layer,
    shown_endmembers,
    wavenumbers,
)
from napari_deeper.plugin.linked_grid import LinkedGrid
from napari_deeper.plugin.regions import regions_from_layer
from napari_deeper.plugin.widgets.compare_form import CompareForm
from napari_deeper.plugin.widgets.compare_page import (
    AT_SLIDER,
    COMPOSITES,
    CUBES,
    DIFFERENCES,
    HEATMAPS,
    ComparePage,
)
from napari_deeper.plugin.widgets.compare_series import Series
from napari_deeper.plugin.widgets.dock_page import DockPage
from napari_deeper.plugin.widgets.form import Remembered
from napari_deeper.plugin.widgets.heatmap import KEY as HEATMAP
from napari_deeper.plugin.widgets.wording import in_words, outcome
from napari_deeper.plugin.widgets.workspace import tabify_beside_ours
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import CubeError, DeeperError
from napari_deeper.spectra.progress import Progress
from napari_deeper.spectra.regions import Region

if TYPE_CHECKING:
    import napari

_SLIDER_HALF_WIDTH = 10.0  # cm-1
GONE = (
    "The layers that were compared are gone, so a band of them cannot be looked at. Choose all channels, or "
    "compare again."
)
Source = tuple[Any, RamanCube]  # a layer and its cube


class CompareWidget(DockPage):
    """Choose a target and layers, run off the GUI thread, read the tables, look at maps side by side."""

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self.failure = ""  # why the last run ended without a table
        self.found: CubeComparison | None = None
        self._compared: dict[str, Source] = {}
        self._target: Source | None = None
        self._matched = False
        self._band_shown = ""  # of the difference maps asked for last; empty for all channels
        self._series = Series()
        self._jobs = JobRunner(self, self._on_progress, self._on_end)
        self._mapping = JobRunner(self, lambda *_: None, self._on_maps, self.refresh)
        self._saving = JobRunner(self, lambda *_: None, self._on_saved)
        self._remembered = Remembered("compare")
        self._refresh_timer = QTimer(self)
        self._refresh_timer.setSingleShot(True)
        self._refresh_timer.setInterval(0)
        self._refresh_timer.timeout.connect(self.refresh)
        self.grid = LinkedGrid(self._viewer, self._on_grid_left)
        self.form = CompareForm(self._viewer)
        self.form.restore(self._remembered.load())
        self.page = ComparePage(self, self.form)
        self.foot, self.results = self.page.foot, self.page.results
        self._connect()
        self._set_theme()
        self.results.show_tests(None, 0)
        self.refresh()
        QTimer.singleShot(0, self._settle)

    def _connect(self) -> None:
        page = self.page
        self.form.changed.connect(self._changed)
        self.foot.run_button.clicked.connect(self.run)
        self.foot.cancel_button.clicked.connect(self._jobs.cancel)
        page.copy.clicked.connect(self.copy)
        page.save.clicked.connect(self._on_save)
        page.differences.clicked.connect(self.show_differences)
        page.side_by_side.toggled.connect(self._on_side_by_side)
        page.cells.currentIndexChanged.connect(self._on_cells)
        self.results.keep.connect(self._on_keep)
        self.results.forget.connect(self._on_forget)
        self.results.currentChanged.connect(self._changed)
        self.listen_to_layers(self._changed, removed=self._on_removed)
        self.listen((self._viewer.events.theme, self._set_theme))

    def _settle(self) -> None:
        tabify_beside_ours(self)

    def release(self) -> None:
        """Stop the run, bring the canvas back, and let go of the viewer's events."""
        super().release()
        self.grid.leave()
        for jobs in (self._jobs, self._mapping, self._saving):
            jobs.stop()
        self._refresh_timer.stop()

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        return self._jobs.running

    @property
    def busy(self) -> bool:
        """Whether maps are computed or a report is written."""
        return self._mapping.running or self._saving.running

    def refresh(self, *_: object) -> None:
        """List the layers, and say whether and how the run can be made."""
        self.form.refill()
        possible = self._describe()
        self.foot.run_button.setEnabled(possible and not self._jobs.running)
        self.foot.cancel_button.setEnabled(self._jobs.running)
        page, found = self.page, self.found
        page.copy.setEnabled(found is not None and self.results.table() is not None)
        page.save.setEnabled(found is not None and not self._saving.running)
        has_target = found is not None and bool(found.target)
        page.differences.setEnabled(has_target and not self._mapping.running)
        page.difference_of.setEnabled(has_target)
        self.results.keep_button.setEnabled(has_target)
        page.side_by_side.setEnabled(self.grid.on or len(self.form.candidates()) > 0)

    def _changed(self, *_: object) -> None:
        self._refresh_timer.start()

    def _on_removed(self, *_: object) -> None:
        # what is gone must not be kept in memory by the dock
        there = self._viewer.layers
        self._compared = {n: source for n, source in self._compared.items() if source[0] in there}
        if self._target is not None and self._target[0] not in there:
            self._target = None
        self._changed()

    def _describe(self) -> bool:
        target, candidates = self.form.target(), self.form.candidates()
        problem = ""
        if target is None and not candidates:
            problem = (
                "Open two Raman cubes of one field: File > Open, or File > Open Sample > DeepeR."
            )
        elif not candidates:
            problem = "Check at least one layer to compare with the target."
        if problem:
            self.page.fit.setText(problem)
            return False
        n = len(candidates)
        layers = f"{n} layer{'s' if n > 1 else ''}"
        if target is None:
            told = f"{layers} described: noise, bands, regions. Without a target no error can be stated."
        else:
            y, x = target.data.shape[-2:]
            told = f"{layers} against '{target.name}' ({y} x {x} pixels), by place on the sample."
        self.page.fit.setText(told)
        return True

    def run(self) -> None:
        """Start the run with what the dock shows."""
        self.failure = ""
        try:
            work = self._work()
        except DeeperError as error:
            self.failure = str(error)
            self.foot.show_end(self.failure, done=False)
            return
        self._remembered.save(**self.form.to_json())
        self._jobs.start(work)
        self._on_progress(0.0, "Starting", None)
        self.refresh()

    def _work(self) -> Callable[[Progress], CubeComparison]:
        """Return the run, with cubes and settings taken from the dock now.

        Raises
        ------
        DeeperError
            In words for the user.
        """
        form, params = self.form, self.form.params.value()
        layer = form.target()
        target = cube_from_layer(layer) if layer is not None else None
        candidates = {each.name: (each, cube_from_layer(each)) for each in form.candidates()}
        cubes = {name: cube for name, (_, cube) in candidates.items()}
        regions: tuple[Region, ...] = ()
        endmembers = None
        if form.region_layer() is not None:
            like = target or next(iter(cubes.values()))
            regions = regions_from_layer(form.region_layer(), like.length_unit)
        else:  # the choice is switched off then
            params = dataclasses.replace(params, within="field")
        if form.uses_shown_endmembers and target is not None:
            endmembers = shown_endmembers(self._viewer.layers)
            if endmembers is None:
                raise CubeError(
                    "No component maps are shown: show some with the Components dock, or let endmembers be "
                    "found on the target."
                )
        self._compared, self._matched = candidates, params.match_scale
        self._target = (layer, target) if target is not None else None

        def work(progress: Progress) -> CubeComparison:
            return compare(
                cubes, target, params, endmembers=endmembers, regions=regions, progress=progress
            )

        return work

    def _on_progress(self, fraction: float, text: str, seconds: float | None) -> None:
        self.foot.show_progress(fraction, text, seconds)

    def _on_end(self, found: CubeComparison | None, error: Exception | None) -> None:
        if error is None and found is not None:
            self.found = found
            self.results.show_comparison(found, matched=self._matched and bool(found.target))
            self._show_tests()
            self.foot.show_end(outcome(found), done=True)
        elif error is not None:
            self.failure = in_words(error, "Cancelled.")
            self.foot.show_end(self.failure, done=False)
        self.refresh()

    # ---- maps ---------------------------------------------------------------------------------------------------

    def show_differences(self) -> None:
        """Show candidate less target as layers, over all channels or a band."""
        found = self.found
        if found is None or not found.target or self._mapping.running:
            return
        band = self._band()
        if band is not None and (self._target is None or not self._compared):
            self.foot.message.set_text(GONE)
            return
        self._band_shown = "" if band is None else f"{band[0]:.0f}-{band[1]:.0f} cm-1"
        cubes = {name: cube for name, (_, cube) in self._compared.items()}
        target = self._target[1] if self._target is not None else None
        settings, matched = self.form.params.value(), self._matched

        def work(progress: Progress) -> list[DifferenceMap]:
            if band is None or target is None:
                return list(found.differences)
            return [
                difference_map(
                    cube, target, *band, name=name, interpolation=settings.interpolation,
                    match_scale=matched,
                )
                for name, cube in cubes.items()
            ]  # fmt: skip

        self._mapping.start(work)
        self.refresh()

    def _band(self) -> tuple[float, float] | None:
        chosen = self.page.difference_of.currentData()
        if chosen != AT_SLIDER:
            return chosen  # type: ignore[no-any-return]
        layer = current_cube(self._viewer)
        if layer is None:
            return None
        middle = float(wavenumbers(layer)[channel_at_slider(layer, self._viewer)])
        return middle - _SLIDER_HALF_WIDTH, middle + _SLIDER_HALF_WIDTH

    def _on_maps(self, maps: list[DifferenceMap] | None, error: Exception | None) -> Pieces | None:
        if error is None and maps and self.found is not None:
            return self._show_maps(maps, self.found.target)
        if error is not None:
            self.foot.message.set_text(in_words(error, ""))
        self.refresh()
        return None

    def _show_maps(self, maps: list[DifferenceMap], target: str) -> Pieces:
        yield from show_differences(self._viewer, maps, target, self._band_shown)
        self.foot.message.set_text(
            f"Δ {maps[0].what}, to ±{shared_limit(maps):.3g}: blue is less than the target, red more, gray "
            "not compared."
        )

    def _cells(self) -> list[Any]:
        """Return the layers that go side by side: the target and the checked layers, or maps of them."""
        target, what = self.form.target(), self.page.cells.currentText()
        cubes = [*([target] if target is not None else []), *self.form.candidates()]
        if what == CUBES:
            return cubes
        if what == DIFFERENCES:
            return difference_layers(self._viewer)
        return [la for cube in cubes for la in self._viewer.layers if _shows(la, what, cube)]

    def _on_side_by_side(self, wanted: bool) -> None:
        cells = self._cells() if wanted else []
        if len(cells) < 2:
            self.grid.leave()
        if not wanted:
            return
        if len(cells) < 2:
            self.page.set_side_by_side(False)
            self.foot.message.set_text(
                "Two layers are needed side by side. Check more layers, or make their maps first: heatmaps with "
                "Spectra, composites with Components, differences here."
            )
            return
        self.grid.show(cells)

    def _on_cells(self, *_: object) -> None:
        if self.grid.on:
            self._on_side_by_side(True)
        self.refresh()

    def _on_grid_left(self) -> None:
        self.page.set_side_by_side(False)

    # ---- tests, table, report -----------------------------------------------------------------------------------

    def _on_keep(self) -> None:
        if self.found is None:
            return
        try:
            self._series.keep(self.found)
        except DeeperError as error:
            self.foot.message.set_text(str(error))
        self._show_tests()

    def _on_forget(self) -> None:
        self._series.clear()
        self._show_tests()

    def _show_tests(self) -> None:
        outcome: Outcome | None = self._series.outcome()
        self.results.show_tests(outcome, len(self._series))

    def copy(self) -> None:
        """Put the table in front on the clipboard."""
        table = self.results.table()
        if table is not None:
            table.copy()

    def _on_save(self) -> None:
        name = f"comparison with {self.found.target}" if self.found else "comparison"
        path, _ = QFileDialog.getSaveFileName(self, "Save report in a new folder", name)
        if path:
            self.save_report(Path(path))

    def save_report(self, folder: Path) -> None:
        """Write the report into a new folder, off the GUI thread."""
        found = self.found
        if found is None or self._saving.running:
            return
        self.foot.message.set_text("Writing the report...")
        self._saving.start(lambda _: write_comparison(found, folder))
        self.refresh()

    def _on_saved(self, folder: Any, error: Exception | None) -> None:
        told = f"Saved the report in {folder}." if error is None else in_words(error, "")
        self.foot.message.set_text(told)
        self.refresh()

    def _set_theme(self, *_: object) -> None:
        theme = get_theme(self._viewer.theme)
        self.results.plot.set_theme(theme.background.as_hex(), theme.text.as_hex())


def _shows(layer: Any, what: str, cube: Any) -> bool:
    """Tell whether a layer is the heatmap, composite or class map of a cube layer."""
    if what == HEATMAPS:
        return layer.metadata.get(HEATMAP) is cube
    kind = COMPOSITE if what == COMPOSITES else CLASSES
    return layer.metadata.get(SOURCE) is cube and layer.metadata.get(SHOWS) == kind
