"""The benchmark of the Spectra dock drives a real window."""

from __future__ import annotations

import runpy
from pathlib import Path

from qtpy.QtCore import Qt

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_a_click_is_timed_from_the_button_to_the_screen(
    make_napari_viewer, small_cube, monkeypatch
):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    timing = runpy.run_path(str(BENCHMARKS / "window_timing.py"))
    viewer = make_napari_viewer(show=True)
    window = timing["Window"]([small_cube], (900, 700), viewer)
    painted = timing["Painted"](window.spectra, window.main)
    try:
        taken = timing["drawn"](window.press((5.0, -0.5)), painted)
    finally:
        painted.release()
    assert len(window.spectra.places()) == 1
    assert window.spectra.plot.legend_names() == ["small"]
    handled, plot, screen = (seconds for seconds, _ in taken)
    assert 0 < handled <= plot <= screen
    assert viewer.window._qt_window.dockWidgetArea(window.dock) == (
        Qt.DockWidgetArea.BottomDockWidgetArea
    )
