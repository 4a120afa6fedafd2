"""How long the window is away while jobs run: ``python benchmarks/responsiveness.py [--quick]``; prints Markdown.

Real clicks in docks of a real window. The clock has in it what waits for the processor and, without a graphics card,
for the drawing of the window; the thread's own time has not. A gap in which napari added a layer is told apart.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

LEFT = Qt.MouseButton.LeftButton
Job = tuple[str, Callable[[], object], Callable[[], bool]]


def click(button: Any) -> Callable[[], None]:
    return lambda: QTest.mouseClick(button, LEFT)


def enhance_jobs(dock: Any) -> Iterator[Job]:
    def choose(method: str, scale: int) -> None:
        dock.form.denoise_on.setChecked(bool(method))
        dock.form.super_resolve_on.setChecked(scale > 0)
        if method:
            dock.form.denoise.set_field("method", method)
        dock.refresh()

    for name, method, scale in (("low-rank", "low-rank", 0), ("auto", "auto", 0), ("2x", "", 2)):
        choose(method, scale)
        yield f"Enhance, {name}", click(dock.foot.run_button), lambda: dock.running


def components_jobs(dock: Any) -> Iterator[Job]:
    yield "Components", click(dock.foot.run_button), lambda: dock.running
    yield "Components again", click(dock.foot.run_button), lambda: dock.running


def prepare_jobs(dock: Any) -> Iterator[Job]:
    yield "Prepare, preview", lambda: dock.steps.setCurrentRow(2), lambda: dock._live.busy
    yield "Prepare, run", click(dock.foot.run_button), lambda: dock.running
    dock.steps.setCurrentRow(0)
    yield "Find cosmic rays", click(dock.rays.button), lambda: dock.finder.running


def wait(running: Callable[[], bool]) -> None:
    from window_timing import settle

    while running():
        settle(0.01)
    settle(0.5)


def measure(title: str, jobs: Callable[[Any], Iterator[Job]], side: int, n_channels: int) -> None:
    import napari
    from heartbeat import beating
    from timed_cubes import make_cube
    from window_timing import settle

    from napari_deeper.plugin.layers import add_cube

    viewer = napari.Viewer(show_welcome_screen=False)
    viewer.window._qt_window.resize(1600, 1000)
    add_cube(viewer, make_cube(side, n_channels))
    _, dock = viewer.window.add_plugin_dock_widget("napari-deeper", title)
    settle(2.0)
    for name, act, running in jobs(dock):
        start = time.perf_counter()
        with beating() as heart:
            act()
            wait(running)
        adding = [gap for gap in heart.gaps if gap.own - gap.ours > 0.045]
        others = [gap for gap in heart.gaps if gap not in adding]
        seconds = time.perf_counter() - start - 0.5
        figures = [
            max(gap.ours for gap in heart.gaps), max(gap.own for gap in others), max(gap.wall for gap in others),
            max((gap.own for gap in adding), default=0.0),
        ]  # fmt: skip
        shown = " | ".join(f"{1e3 * figure:.0f}" for figure in figures)
        print(f"| {name} | {seconds:.1f} | {shown} |", flush=True)
    viewer.close()
    settle(0.1)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small cube, the Components dock")
    quick = parser.parse_args(arguments).quick
    side, n_channels = (16, 100) if quick else (64, 500)
    print(f"Longest gaps between beats of a timer of 5 ms, {side} x {side} x {n_channels}, ms.\n")
    print(
        "| job | it took, s | own, less napari's | own, no layer added | clock, no layer added | own, a layer added |"
    )
    print("|---|---|---|---|---|---|")
    docks = {"Components": components_jobs}
    if not quick:
        docks |= {"Enhance": enhance_jobs, "Prepare": prepare_jobs}
    for title, jobs in docks.items():
        measure(title, jobs, side, n_channels)


if __name__ == "__main__":
    main()
