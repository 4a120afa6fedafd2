"""Time heatmaps and spectra: ``python benchmarks/heatmaps.py [--quick] [--no-window]``; prints Markdown.

What a step of a dragged band costs, by running sums too, in one run; the same step in the real window,
all included; and from a click on the canvas to the spectra of five cubes.
The window is drawn where the program runs: without a graphics card, drawing is most of the time.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from napari_deeper.processing.band_maps import BandSpec, band_map
from napari_deeper.processing.bands import channels_in_band

BANDS = ((1444.0, 1456.0), (1425.0, 1475.0), (1250.0, 1700.0), (600.0, 1800.0))
MEASURES = (("mean", False), ("area", True), ("height", True), ("position", True), ("width", True))
BASELINE = {False: "", True: ", above baseline"}


def milliseconds(step: Callable[[], object], n_repeats: int) -> tuple[float, float]:
    """Return the median and the 95th percentile."""
    taken = []
    step()
    for _ in range(n_repeats):
        start = time.perf_counter()
        step()
        taken.append(1e3 * (time.perf_counter() - start))
    return two(taken)


def two(values: list[float]) -> tuple[float, float]:
    middle, most = np.percentile(values, (50, 95))
    return float(middle), float(most)


def shown(pair: tuple[float, float]) -> str:
    return f"{pair[0]:.2f} | {pair[1]:.2f}"


def running_sums(intensity: np.ndarray) -> np.ndarray:
    """Return the sums (channel + 1, y, x) of all channels below each one, in double precision."""
    n_y, n_x, n_channels = intensity.shape
    sums = np.zeros((n_channels + 1, n_y, n_x))
    np.cumsum(np.moveaxis(intensity, 2, 0), axis=0, out=sums[1:])
    return sums


def time_sums(n_yx: int, n_channels: int, n_repeats: int) -> None:
    from timed_cubes import make_cube

    cube = make_cube(n_yx, n_channels)
    intensity, axis = cube.intensity, cube.wavenumber
    start = time.perf_counter()
    sums = running_sums(intensity)
    made = time.perf_counter() - start
    print(
        f"\nThe mean of a band, {n_yx} x {n_yx} x {n_channels}, ms. Running sums are made in {made:.2f} s"
    )
    print(
        f"and take {sums.nbytes / 1e6:.0f} MB beside the cube's {intensity.nbytes / 1e6:.0f} MB.\n"
    )
    print(
        "| band, cm-1 | numpy's mean p50 | p95 | weighted sum p50 | p95 | running sums p50 | p95 |"
    )
    print("|---|---|---|---|---|---|---|")
    for low, high in BANDS:
        chosen = channels_in_band(axis, low, high)

        def from_sums(chosen: slice = chosen, sums: np.ndarray = sums) -> np.ndarray:
            total = sums[chosen.stop] - sums[chosen.start]
            return (total / (chosen.stop - chosen.start)).astype(np.float32)

        plain = milliseconds(partial(intensity[..., chosen].mean, axis=2), n_repeats)
        weighted = milliseconds(partial(band_map, intensity, axis, BandSpec(low, high)), n_repeats)
        pairs = (plain, weighted, milliseconds(from_sums, n_repeats))
        print(f"| {low:.0f}-{high:.0f} | {' | '.join(shown(pair) for pair in pairs)} |")
    print("\nEvery measure, computed anew for each step, ms.\n")
    print("| measure | band, cm-1 | p50 | p95 |\n|---|---|---|---|")
    for measure, baseline in MEASURES:
        for low, high in BANDS[:2]:
            spec = BandSpec(low, high, measure, baseline=baseline)
            pair = milliseconds(partial(band_map, intensity, axis, spec), n_repeats)
            print(f"| {measure}{BASELINE[baseline]} | {low:.0f}-{high:.0f} | {shown(pair)} |")


def in_window(rows: list[tuple[float, float]]) -> str:
    """Return p50 and p95 of the time, and of the time of the window's own thread, ms."""
    return " | ".join(shown(two([1e3 * row[i] for row in rows])) for i in (0, 1))


def time_drag(n_yx: int, n_channels: int, n_steps: int) -> None:
    from timed_cubes import make_cube
    from window_timing import Painted, Window, drawn, settle

    window = Window([make_cube(n_yx, n_channels)])
    spectra = window.spectra
    painted = Painted(spectra, window.main)
    spectra.pin((1.0, 1.0))
    spectra.band.heatmap.setChecked(True)
    print(f"\nOne step of a dragged band, {n_yx} x {n_yx} x {n_channels}, in the window, ms.\n")
    print("| measure | until | p50 | p95 | own thread p50 | p95 |\n|---|---|---|---|---|---|")
    for measure, baseline in MEASURES[:3]:
        spectra.band.set_measure(measure, baseline=baseline)
        settle(0.5)
        lows = np.linspace(900, 1500, n_steps)
        steps = [drawn(partial(spectra.plot.set_band, low, low + 30), painted) for low in lows]
        for i, end in ((0, "the layer has it"), (2, "the screen shows it")):
            times = in_window([step[i] for step in steps])
            print(f"| {measure}{BASELINE[baseline]} | {end} | {times} |")
    painted.release()
    window.close()


def time_click(n_yx: int, n_channels: int, n_clicks: int) -> None:
    from timed_cubes import make_cube
    from window_timing import Painted, Window, drawn, settle

    rng = np.random.default_rng(0)
    print("\nFrom the release of the button to the spectra of five cubes of ", end="")
    print(f"{n_yx} x {n_yx} x {n_channels}, ms.\n")
    print("| window | until | p50 | p95 | own thread p50 | p95 |\n|---|---|---|---|---|---|")
    for size in ((1600, 1000), (1280, 720)):
        window = Window([make_cube(n_yx, n_channels, seed) for seed in range(5)], size)
        painted = Painted(window.spectra, window.main)
        window.press((1.0, 1.0))()
        settle(0.5)
        clicks = []
        for place in rng.uniform(0, 0.5 * (n_yx - 1), (n_clicks, 2)):
            release = window.press(tuple(place))
            settle(0.08)  # a hand holds the button for about as long
            clicks.append(drawn(release, painted))
        ends = ("spectra read and set", "plot painted", "the screen shows them")
        for i, end in enumerate(ends):
            print(
                f"| {size[0]} x {size[1]} | {end} | {in_window([click[i] for click in clicks])} |"
            )
        painted.release()
        window.close()


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small cubes, a few times")
    parser.add_argument("--no-window", action="store_true", help="the sums only")
    given = parser.parse_args(arguments)
    quick = given.quick
    time_sums(*((32, 60, 3) if quick else (256, 500, 30)))
    if not given.no_window:
        time_drag(*((32, 60, 3) if quick else (256, 500, 100)))
        time_click(*((16, 60, 3) if quick else (64, 500, 200)))


if __name__ == "__main__":
    main()
