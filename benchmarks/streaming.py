"""Cubes made in windows against the same made whole: ``python benchmarks/streaming.py [--quick]``; prints Markdown.

A simulated piece of tissue whose truth is known is written to a store, denoised and super-resolved in windows, and once
more in one go. Errors are norms of the difference over the norm of the truth; a seam is how much larger the steps
between neighboring rows of the difference between both are where windows meet than elsewhere.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import napari_deeper as nd
from napari_deeper.engine import large_files, window_run
from napari_deeper.engine.tiles import cut
from napari_deeper.processing.interpolation import skip_sample
from napari_deeper.simulate.instrument import Instrument, measure
from napari_deeper.simulate.tissue import tissue

DWELL = 0.5  # seconds per pixel
SEED = 20261127


def relative(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))


def seams(difference: np.ndarray, side: int, scale: int, overlap: int) -> float:
    """Return the largest mean step across a row in which windows meet, over the median step of any row."""
    steps = np.abs(np.diff(difference, axis=0)).mean(axis=(1, 2))
    n_y = difference.shape[0] // scale
    met = np.zeros(len(steps), bool)
    for window in cut(n_y, n_y, side, scale, overlap):
        for edge in (window.y.start, window.y.stop):
            if 0 < edge < n_y:
                met[max(0, (edge - overlap) * scale) : (edge + overlap) * scale] = True
    typical = float(np.median(steps))
    return float(steps[met].max()) / typical if met.any() and typical > 0 else float("nan")


def compare(
    name: str,
    noisy: nd.RamanCube,
    truth: np.ndarray,
    in_file: Callable[..., tuple[str, ...]],
    in_one_go: Callable[..., nd.RamanCube],
    folder: Path,
    scale: int,
    overlap: int,
    **settings: Any,
) -> None:
    target = folder / "out.zarr"
    start = time.perf_counter()
    in_file(folder / "in.zarr", target, overwrite=True, **settings)
    middle = time.perf_counter()
    whole = in_one_go(noisy, **settings).intensity
    end = time.perf_counter()
    parts = nd.read(target).intensity
    side = window_run.window_side(noisy.shape[2], scale)
    ratio = (middle - start) / (end - middle)
    apart = relative(parts, whole)
    seam = seams(parts - whole, side, scale, overlap)
    # the last bits have no seams worth a figure
    told = f"{seam:.2f}" if apart > 1e-5 and np.isfinite(seam) else "-"
    print(
        f"| {name} | {relative(parts, truth):.4f} | {relative(whole, truth):.4f} | {apart:.1e} | {told} "
        f"| {ratio:.2f} |",
        flush=True,
    )


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small map of few channels")
    quick = parser.parse_args(arguments).quick
    n, n_channels = (48, 60) if quick else (320, 500)
    axis = np.linspace(600, 1800, n_channels)
    made = tissue((n, n), rng=np.random.default_rng(SEED), wavenumber=axis)
    truth = made.cube.intensity * DWELL * Instrument().rate
    noisy = measure(made.cube, DWELL, np.random.default_rng(SEED + 1))
    large_files.STREAM_FROM_BYTES = 0
    if quick:
        window_run.MOST_VALUES = window_run.MOST_FINE_VALUES = 32 * 32 * n_channels
    print(f"{n} x {n} x {n_channels}, error as measured {relative(noisy.intensity, truth):.4f}\n")
    print(
        "| method | error in windows | error whole | windows against whole | seam | time in windows / whole |"
    )
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        nd.write(noisy, folder / "in.zarr")
        for method in ("auto", "low-rank", "wavelet"):
            compare(
                f"denoise, {method}",
                noisy,
                truth,
                nd.denoise_file,
                nd.denoise,
                folder,
                1,
                32,
                method=method,
            )
        low = skip_sample(noisy.intensity, 2, 1)
        fine_truth = truth[: 2 * low.shape[0], : 2 * low.shape[1]]
        coarse = nd.RamanCube(low, axis)
        nd.write(coarse, folder / "in.zarr", overwrite=True)
        for method in ("auto", "hyrisr", "bilinear"):
            compare(
                f"super-resolve 2x, {method}", coarse, fine_truth, nd.super_resolve_file, nd.super_resolve,
                folder, 2, 16, method=method,
            )  # fmt: skip


if __name__ == "__main__":
    main()
