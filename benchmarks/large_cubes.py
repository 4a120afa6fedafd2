"""A cube larger than memory in the real window: opening, scrolling, spectra by click, heatmaps, and what they take.

    python benchmarks/large_cubes.py [--quick] [--size 3200] [--channels 500] [--folder FOLDER] [--store STORE]

The store is simulated block by block in FOLDER (20 GB for the default size) and removed at the end; --store takes one
that is there, and leaves it. Without a screen: xvfb-run -s '-screen 0 1920x1080x24 +extension GLX'.
"""

from __future__ import annotations

import argparse
import gc
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
from heartbeat import Heartbeat, beating
from large_stores import block_of, make_store
from qtpy.QtWidgets import QApplication
from window_timing import Window, settle

import napari_deeper as nd
from napari_deeper.io import zarr_levels
from napari_deeper.io.zarr_levels import open_levels
from napari_deeper.plugin.layers import add_cube, stored_image

N_CLICKS = 60


def told(heart: Heartbeat) -> list[str]:
    """Return the gaps between beats, ms: on the clock, of the window's own thread, and of it what is not napari's."""
    cells = []
    for kind in ("wall", "own", "ours"):
        times = 1e3 * np.array([getattr(gap, kind) for gap in heart.gaps])
        cells.append(f"{times.max():.0f}, {np.percentile(times, 95):.0f}")
    return cells


def head() -> None:
    """Print the head of a table of gaps."""
    row("while", "clock: longest, p95", "own thread", "of it not napari's")
    row(*["---"] * 4)


def row(*cells: str) -> None:
    """Print a row of a table."""
    print("| " + " | ".join(cells) + " |", flush=True)


def wait(still: Callable[[], bool], longest: float = 600.0) -> float:
    """Let the window work while something lasts; return the seconds."""
    start = time.perf_counter()
    while still() and time.perf_counter() < start + longest:
        settle(0.005)
    return time.perf_counter() - start


def memory() -> float:
    """Return what the process holds, MB."""
    return float(psutil.Process().memory_info().rss) / 1e6


def measure_opening(window: Window, store: Path) -> None:
    """Open the store as File > Open does."""
    gc.collect()
    before, start = memory(), time.perf_counter()
    (layer,) = window.viewer.open(str(store), plugin="napari-deeper")
    QApplication.processEvents()
    first = time.perf_counter() - start
    image = stored_image(layer)
    assert image is not None
    last = time.perf_counter()
    while time.perf_counter() < last + 0.5:  # a level that napari chooses later is loaded later
        settle(0.005)
        if image.loading:
            last = time.perf_counter()
    row("from File > Open to the first image, s", f"{first:.2f}")
    row("until all in view is exact, s", f"{last - start:.2f}")
    row("memory before, and what opening adds, MB", f"{before:.0f} + {memory() - before:.0f}")


def measure_clicks(window: Window, n_clicks: int) -> None:
    """Pin places all over the map, and once more with their files in the system's memory but not in ours."""
    image = stored_image(window.viewer.layers[0])
    assert image is not None
    for name in (
        "a click to its spectrum, places never read",
        "the same, their files read once before",
    ):
        held, shown = click_all_over(window, n_clicks)
        row(f"{name}, ms: median, p95", percentiles(shown[1:]))
        row("the window is held by it, ms: median, p95", percentiles(held[1:]))
        image.close()
        wait(lambda: image.loading)


def percentiles(seconds: list[float]) -> str:
    """Return the median and the 95th percentile in ms."""
    middle, most = 1e3 * np.percentile(seconds, (50, 95))
    return f"{middle:.0f}, {most:.0f}"


def click_all_over(window: Window, n_clicks: int) -> tuple[list[float], list[float]]:
    """Return seconds that each click holds the window, and until its curve is in the plot."""
    spectra, layer = window.spectra, window.viewer.layers[0]
    rng = np.random.default_rng(1)
    far = np.array(layer.data.shape[-2:]) * layer.scale[-2:] - layer.scale[-2:]
    held, shown = [], []
    for _ in range(n_clicks):
        y, x = rng.uniform(0, far)
        start = time.perf_counter()
        spectra.pin((float(y), float(x)))
        held.append(time.perf_counter() - start)
        while not spectra.plot.legend_names() and time.perf_counter() < start + 10:
            QApplication.processEvents()
        shown.append(time.perf_counter() - start)
        settle(0.02)
    return held, shown


def scroll(window: Window, channels: range, pause: float) -> None:
    """Move the slider through channels."""
    for channel in channels:
        window.viewer.dims.set_current_step(0, channel)
        settle(pause)


def measure_scrolling(window: Window, n_channels: int) -> None:
    """Scroll and zoom; print the gaps of the event loop."""
    step = max(1, n_channels // 100)
    image = stored_image(window.viewer.layers[0])
    window.viewer.reset_view()
    settle(0.3)
    with beating() as heart:
        scroll(window, range(0, n_channels, step), 0.05)
    row("through the channels, whole map", *told(heart))
    if image is not None:
        wait(lambda: image.loading)
    with beating() as heart:
        for _ in range(8):
            window.viewer.scene.camera.zoom *= 1.5
            settle(0.2)
    row("zooming in", *told(heart))
    with beating() as heart:
        scroll(window, range(0, n_channels, step), 0.05)
    row("through the channels, zoomed in", *told(heart))
    window.viewer.reset_view()
    settle(0.3)


def measure_heatmap(window: Window) -> None:
    """Tick Heatmap; time to the first and to the exact map."""
    control = window.spectra._heatmaps
    with beating() as heart:
        start = time.perf_counter()
        window.spectra.band.heatmap.setChecked(True)
        QApplication.processEvents()
        first = time.perf_counter() - start
        settle(0.05)
    added = told(heart)
    with beating() as heart:
        wait(lambda: control.refining)
        exact = time.perf_counter() - start
        settle(0.05)
    row("the first heatmap", *added)
    row("while it becomes exact", *told(heart))
    print()
    row("what", "it took")
    row("---", "---")
    row("from Heatmap to the first map, s", f"{first:.2f}")
    if control is not None and exact > first:
        row("until it is exact, s", f"{exact:.1f}")


def measure(store: Path, window: Window, n_clicks: int) -> None:
    """Print what a store does in the window."""
    stored = open_levels(store)
    assert stored is not None
    y, x, n_channels = stored.shape
    print(f"\n{y} x {x} pixels, {n_channels} channels: {stored.n_bytes / 1e9:.3g} GB.\n")
    row("what", "it took")
    row("---", "---")
    before = memory()
    measure_opening(window, store)
    measure_clicks(window, n_clicks)
    print("\nHow long the window was away from its events, ms:\n")
    head()
    measure_scrolling(window, n_channels)
    measure_heatmap(window)
    row("memory added since the window was empty, MB", f"{memory() - before:.0f}")


def measure_reference(window: Window, side: int, n_channels: int) -> None:
    """Print the gaps for a cube in memory that has as many pixels as are shown of the large one."""
    print(f"\nA cube in memory of {side} x {side} pixels in the same window, for comparison:\n")
    axis = np.linspace(600, 1800, n_channels)
    cube = nd.RamanCube(block_of(slice(0, side), slice(0, side), axis), axis, (0.5, 0.5))
    start = time.perf_counter()
    add_cube(window.viewer, cube)
    QApplication.processEvents()
    print(f"The first image of it was there after {time.perf_counter() - start:.2f} s.\n")
    head()
    measure_scrolling(window, n_channels)
    measure_heatmap(window)


def run(store: Path, n_clicks: int, size: tuple[int, int], reference: int) -> None:
    """Measure the store, then a cube in memory, each in a window of its own."""
    window = Window([], size)
    try:
        measure(store, window, n_clicks)
    finally:
        window.close()
    if reference:
        window = Window([], size)
        try:
            measure_reference(window, reference, 100)
        finally:
            window.close()


def main(arguments: list[str] | None = None) -> None:
    """Make a store, measure it, remove it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a small store, few repeats")
    parser.add_argument("--size", type=int, default=3200, help="pixels a side")
    parser.add_argument("--channels", type=int, default=500)
    parser.add_argument("--folder", type=Path, help="where the store is made")
    parser.add_argument("--store", type=Path, help="a store that is there")
    given = parser.parse_args(arguments)
    if given.store is not None:
        run(given.store, N_CLICKS, (1280, 720), 800)
        return
    size, channels = (160, 64) if given.quick else (given.size, given.channels)
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        store = Path(folder) / "large.zarr"
        start = time.perf_counter()
        n_bytes = make_store(store, size, channels)
        print(f"Simulated {n_bytes / 1e9:.3g} GB in {time.perf_counter() - start:.0f} s.")
        if n_bytes < zarr_levels.STORED_FROM_BYTES:  # so that it stays on disk all the same
            zarr_levels.STORED_FROM_BYTES = n_bytes
        run(store, 3 if given.quick else N_CLICKS, (1280, 720), 0 if given.quick else 800)


if __name__ == "__main__":
    main()
