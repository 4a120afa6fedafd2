"""What the Compare dock shows: tables of layers, components and tests, and the spectra of regions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_deeper.engine.compare_scores import CubeComparison
from napari_deeper.engine.compare_tests import Outcome
from napari_deeper.plugin.widgets.curve_legend import CurveLegend
from napari_deeper.plugin.widgets.result_columns import best_of
from napari_deeper.plugin.widgets.result_table import ResultTable
from napari_deeper.plugin.widgets.spectrum_plot import COLORS, Curve, SpectrumPlot

LAYERS, COMPONENTS, REGIONS, TESTS, NOTES = "Layers", "Components", "Regions", "Tests", "Notes"
EVERY_REGION = "all regions"
SCORES = (
    "candidate", "mse", "psnr", "ssim", "spectral_angle", "accuracy", "balanced_accuracy",
    "excess_mse", "within_sigma", "level", "noise", "snr", "n_pixels",
)  # fmt: skip
PARTS = ("candidate", "component", "psnr", "ssim", "correlation", "kept", "mse", "n_class")
TESTED = (
    "method", "control", "p_value", "test", "measure", "difference", "low", "high", "statistic",
    "n_samples",
)  # fmt: skip


class CompareResults(QTabWidget):
    """Tabs with what a comparison found; emits `keep` and `forget` for the runs that are tested over cubes."""

    keep = Signal()
    forget = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.layers, self.components, self.tests = ResultTable(), ResultTable(), ResultTable()
        self.region_box = QComboBox()
        self.region_box.setToolTip(
            "Whose mean spectra are drawn; the shade is ± 1 standard deviation"
        )
        self.plot = SpectrumPlot("", band=False, legend=CurveLegend(entry_width=150, most_rows=3))
        self.plot.set_y_label("Intensity")
        self.series = QLabel()
        self.series.setWordWrap(True)
        self.keep_button = QPushButton("&Keep for tests over cubes")
        self.keep_button.setToolTip(
            "Keep this comparison as one sample; then compare the next cube in the same order of layers. "
            "Three or more kept comparisons are tested"
        )
        self.forget_button = QPushButton("Forget")
        self.forget_button.setToolTip("Forget the kept comparisons")
        self.addTab(self.layers, LAYERS)
        self.addTab(self.components, COMPONENTS)
        self.addTab(self._region_page(), REGIONS)
        self.addTab(self._test_page(), TESTS)
        self.notes = QPlainTextEdit()
        self.notes.setReadOnly(True)
        self.notes.setPlaceholderText(
            "What to know of a comparison, and what to distrust, is told here."
        )
        self.addTab(self.notes, NOTES)
        self._found: CubeComparison | None = None
        self._factors: dict[str, float] = {}
        self._n_pixels: dict[str, int] = {}  # of each region, in the first cube
        self.region_box.currentIndexChanged.connect(self._draw)
        self.keep_button.clicked.connect(self.keep)
        self.forget_button.clicked.connect(self.forget)
        self.plot.set_hint("Choose a Shapes or Labels layer\nas Regions, and run.")

    def _region_page(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 2, 0, 0)
        row = QHBoxLayout()
        row.addWidget(QLabel("Mean ± sd of"))
        row.addWidget(self.region_box, stretch=1)
        column.addLayout(row)
        column.addWidget(self.plot, stretch=1)
        return page

    def _test_page(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 2, 0, 0)
        column.addWidget(self.tests, stretch=1)
        column.addWidget(self.series)
        row = QHBoxLayout()
        row.addWidget(self.keep_button, stretch=2)
        row.addWidget(self.forget_button, stretch=1)
        column.addLayout(row)
        return page

    def show_comparison(self, found: CubeComparison, *, matched: bool) -> None:
        """Show another comparison; `matched` where candidates were given the target's mean intensity."""
        self._found = found
        self._factors = {s.candidate: 1 / s.level if matched else 1.0 for s in found.scores}
        self.plot.set_y_label("Intensity, matched" if matched else "Intensity")
        self.notes.setPlainText("\n".join(f"• {note}" for note in found.notes))
        self.layers.show_rows(
            found.scores,
            _known(SCORES, found.scores),
            best=lambda name, _: best_of(name, found.scores) if found.target else None,
            sort_by="mse" if found.target else "",
        )
        groups: dict[str, list[Any]] = {}
        for row in found.components:
            groups.setdefault(row.component, []).append(row)
        parts = [row for group in groups.values() for row in group]
        self.components.show_rows(
            parts, PARTS, best=lambda name, row: best_of(name, groups[row.component])
        )
        self.region_box.blockSignals(True)
        self.region_box.clear()
        self._n_pixels = {s.region: s.n_pixels for s in reversed(found.spectra)}
        for region, n in reversed(self._n_pixels.items()):
            self.region_box.addItem(f"{region} (n = {n} pixels)", region)
        if len(self._n_pixels) > 1:
            self.region_box.addItem(EVERY_REGION, EVERY_REGION)
        self.region_box.blockSignals(False)
        self._draw()
        self.plot.fit()

    def show_tests(self, over_cubes: Outcome | None, n_kept: int) -> None:
        """Show the tests over kept cubes where there are any, else those over the regions of this one."""
        tests = over_cubes.tests if over_cubes and over_cubes.tests else ()
        if not tests and self._found is not None:
            tests = self._found.tests
        self.tests.show_rows(tests, TESTED if tests else ("method",))
        told = [f"{n_kept} comparison{'s' if n_kept != 1 else ''} kept."] if n_kept else []
        if over_cubes is not None:
            told += over_cubes.notes
        elif not tests:
            told.append(
                "Tests need three regions, or three kept comparisons: pixels are no samples."
            )
        self.series.setText(" ".join(told))
        self.forget_button.setEnabled(n_kept > 0)

    def curves(self) -> list[Curve]:
        """Return what is drawn of the regions: a color for each cube, a style for each region."""
        if self._found is None:
            return []
        cubes = list(dict.fromkeys(s.cube for s in self._found.spectra))
        regions = list(dict.fromkeys(s.region for s in self._found.spectra))
        chosen = self.region_box.currentData()
        curves = []
        for s in self._found.spectra:
            if chosen not in (EVERY_REGION, s.region):
                continue
            factor = np.float32(self._factors.get(s.cube, 1.0))
            place = f", {s.region}" if chosen == EVERY_REGION else ""
            # of a cube of other pixels the region holds another number
            n = f" (n = {s.n_pixels})" if s.n_pixels != self._n_pixels[s.region] else ""
            curves.append(
                Curve(
                    f"{s.cube}{place}{n}", s.wavenumber, s.mean * factor,
                    COLORS[cubes.index(s.cube) % len(COLORS)],
                    regions.index(s.region) if place else 0, None,
                    s.sd * factor if s.n_pixels > 1 else None,
                )
            )  # fmt: skip
        return curves

    def table(self) -> ResultTable | None:
        """Return the table in front, if a table is."""
        tables = {LAYERS: self.layers, COMPONENTS: self.components, TESTS: self.tests}
        return tables.get(self.tabText(self.currentIndex()))

    def _draw(self, *_: object) -> None:
        self.plot.set_curves(self.curves())


def _known(names: Sequence[str], rows: Sequence[Any]) -> list[str]:
    """Return the fields that at least one row knows."""
    return [
        name
        for name in names
        if not all(isinstance(v := getattr(r, name), float) and math.isnan(v) for r in rows)
    ]
