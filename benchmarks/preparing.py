"""Time preparing, and count cosmic rays: ``python benchmarks/preparing.py [--quick]``; prints Markdown.

Baselines against pybaselines spectrum by spectrum in the same run, both with one thread and with two (a pool of
threads over the spectra); steps and a whole recipe on a raw cube of 64 x 64 x 500; cosmic rays that were put into
maps without any, how many of them are found, and what is found where there is none.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from pybaselines import Baseline as Pybaselines

import napari_deeper as nd
from napari_deeper.processing import threads, whittaker
from napari_deeper.processing.despike import find_rays
from napari_deeper.processing.noise import sigma_per_pixel
from napari_deeper.simulate.cells import cell
from napari_deeper.simulate.instrument import Instrument, measure
from napari_deeper.simulate.tissue import tissue

METHODS = ("arpls", "asls", "airpls")
BINS = ((5, 10), (10, 20), (20, 50), (50, np.inf))


def seconds(run: Callable[[], object], n_repeats: int) -> tuple[float, float]:
    """Return the least wall time and the least processor time."""
    wall, cpu = [], []
    for _ in range(n_repeats):
        start, busy = time.perf_counter(), time.process_time()
        run()
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - busy)
    return min(wall), min(cpu)


def one_by_one(spectra: np.ndarray, method: str) -> np.ndarray:
    fitter = Pybaselines(np.arange(spectra.shape[1], dtype=float), check_finite=False)
    extra = {"p": 0.01} if method == "asls" else {}
    given = spectra.astype(float)
    return np.array([getattr(fitter, method)(s, lam=1e5, **extra)[0] for s in given])


def in_two(run: Callable[[np.ndarray], np.ndarray], spectra: np.ndarray) -> np.ndarray:
    with ThreadPoolExecutor(2) as pool:
        return np.concatenate(list(pool.map(run, np.array_split(spectra, 4))))


def baselines(spectra: np.ndarray, n_repeats: int) -> None:
    print(
        "| baseline | threads | pybaselines, s (processor s) | ours | ratio (processor) | largest difference |"
    )
    print("|---|---|---|---|---|---|")
    for method in METHODS:

        def theirs(s: np.ndarray, method: str = method) -> np.ndarray:
            return one_by_one(s, method)

        def ours(s: np.ndarray, method: str = method) -> np.ndarray:
            return whittaker.baseline(s, method, 1e5)

        reference, made = theirs(spectra), ours(spectra)
        apart = np.abs(made - reference).max() / np.abs(reference).max()
        for n_threads in (1, 2):
            pair = []
            for run in (theirs, ours):
                todo = (
                    (lambda r=run: r(spectra))
                    if n_threads == 1
                    else (lambda r=run: in_two(r, spectra))
                )
                pair.append(seconds(todo, n_repeats))
            (a, a_cpu), (b, b_cpu) = pair
            print(
                f"| {method} | {n_threads} | {a:.2f} ({a_cpu:.2f}) | {b:.2f} ({b_cpu:.2f}) "
                f"| {a / b:.1f} ({a_cpu / b_cpu:.1f}) | {apart:.0e} |"
            )


def steps(cube: nd.RamanCube, n_repeats: int) -> None:
    print(f"\n{threads.n_threads()} threads, {' x '.join(str(n) for n in cube.shape)}:\n")
    print("| steps | s | processor s |\n|---|---|---|")
    even = nd.Resample("spacing", spacing=2.0)
    for name, recipe in (
        ("despike", (nd.Despike(),)),
        ("bad pixels", (nd.BadPixels(),)),
        *((f"baseline, {m}", (nd.Baseline(m),)) for m in ("arpls", "asls", "airpls", "shape")),
        *((f"baseline, {m}", (nd.Baseline(m),)) for m in ("snip", "imodpoly", "morphological")),
        ("resample", (even,)),
        ("despike, arPLS, resample", (nd.Despike(), nd.Baseline("arpls"), even)),
        ("as DeepeR", (nd.Crop(), nd.Baseline("shape"), nd.Normalize())),
    ):
        wall, cpu = seconds(lambda r=recipe: nd.prepare(cube, nd.Recipe(r)), n_repeats)
        print(f"| {name} | {wall:.2f} | {cpu:.2f} |")
    wall, cpu = seconds(lambda: nd.check_fit(cube), n_repeats)
    print(f"| check of the fit | {wall:.2f} | {cpu:.2f} |")
    seen = nd.Preparation(cube)
    seen.preview("for-network", [(1, 1)])
    wall, cpu = seconds(lambda: seen.preview("for-network", [(9, 9), (3, 7)]), 5 * n_repeats)
    print(f"| preview of two pixels, after the first | {wall:.3f} | {cpu:.3f} |")


def rays(size: int, n_rays: int) -> None:
    print("\n| map | false | " + " | ".join(f"{a}-{b:g} sigma" for a, b in BINS), end=" | ")
    print(" | ".join(f"{w} wide" for w in (1, 2, 3, 4)), "|")
    print("|---" * (2 + len(BINS) + 4) + "|")
    maps = {
        "cell, 1 s": (cell((size, size)).cube, 1.0, Instrument()),
        "cell, 0.1 s": (cell((size, size)).cube, 0.1, Instrument()),
        "cell, fluorescence": (
            cell((size, size)).cube, 1.0, Instrument(fluorescence=400, fluorescence_contrast=0.5)
        ),
        "cell, held-out substances": (cell((size, size), chemistry="held-out").cube, 1.0, Instrument()),
        "tissue, 1 s": (tissue((size, size)).cube, 1.0, Instrument(fluorescence=100)),
    }  # fmt: skip
    p = nd.Despike()
    for name, (clean, dwell, instrument) in maps.items():
        cube = measure(clean, dwell, np.random.default_rng(5), instrument)
        false = np.count_nonzero(find_rays(cube.intensity, p.threshold, p.max_width)[1])
        struck, places, heights = strike(cube, n_rays)
        found_at = find_rays(struck, p.threshold, p.max_width)[1]
        found = np.array([found_at[y, x, c - 1 : c + w + 1].any() for y, x, c, w in places])
        cells = []
        for low, high in BINS:
            chosen = (heights >= low) & (heights < high)
            cells.append(f"{found[chosen].mean():.0%}" if chosen.any() else "")
        for width in (1, 2, 3, 4):
            chosen = (places[:, 3] == width) & (heights >= 20)
            cells.append(f"{found[chosen].mean():.0%}" if chosen.any() else "")
        print(f"| {name} | {false} | {' | '.join(cells)} |")


def strike(cube: nd.RamanCube, n_rays: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return intensities with rays, [y, x, channel, width] of each, and their heights in sigma."""
    rng = np.random.default_rng(6)
    sigma = sigma_per_pixel(cube.intensity)
    n_y, n_x, n_channels = cube.shape
    pixels = rng.choice(n_y * n_x, n_rays, replace=False)
    channels, widths = rng.integers(5, n_channels - 10, n_rays), rng.integers(1, 5, n_rays)
    places = np.column_stack([*np.divmod(pixels, n_x), channels, widths])
    heights = np.exp(rng.uniform(np.log(5), np.log(2000), n_rays))
    intensity = cube.intensity.copy()
    for (y, x, c, w), height in zip(places, heights, strict=True):
        form = rng.uniform(0.3, 1, w)
        intensity[y, x, c : c + w] += height * sigma[y, x] * form / form.max()
    return intensity, places, heights


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args(arguments).quick
    size, n_repeats = (12, 1) if quick else (64, 3)
    instrument = Instrument(fluorescence=400, cosmic_rays=0.02, fluorescence_contrast=0.5)
    raw = measure(cell((size, size)).cube, 1.0, np.random.default_rng(0), instrument)
    baselines(raw.spectra, n_repeats)
    steps(raw, n_repeats)
    rays(size, 40 if quick else 600)


if __name__ == "__main__":
    main()
