"""Compare all methods on one simulated cell and, where they are present, on measured maps.

Run as ``python benchmarks/denoise_comparators.py [--quick]``; prints Markdown. Every figure is an
*excess MSE* (the error that is left when the noise of the reference itself is not counted) as a
part of a plain reference: the noisy map for denoising, aligned bilinear interpolation for
super-resolution.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import napari_deeper as nd
from napari_deeper.processing import metrics
from napari_deeper.processing.interpolation import skip_sample
from napari_deeper.simulate import cells
from napari_deeper.spectra.errors import DeeperError

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
DENOISE = ("auto", "resunet", "low-rank", "pca", "savgol", "wavelet")
SUPER_RESOLVE = ("auto", "hyrisr", "nearest", "bicubic")


def references(quick: bool) -> Iterator[tuple[str, nd.RamanCube]]:
    """Yield maps to start from: noiseless if simulated, with little noise if measured."""
    size = (24, 24) if quick else (64, 64)
    simulated = cells.cell(size, rng=np.random.default_rng(2026)).cube
    yield "simulated cell", nd.RamanCube(100 * simulated.intensity, simulated.wavenumber)
    if quick:
        return
    for path in sorted(DATA.glob("thp1/*.mat")):
        yield "THP-1 cell", nd.read(path)
    for path in sorted(DATA.glob("bladder/*.csv.xz")):
        yield "bladder", read_bladder(path)


def read_bladder(path: Path) -> nd.RamanCube:
    """Read a table with wavenumbers as its header and x, y, label as its last columns."""
    header = np.loadtxt(path, str, delimiter=",", max_rows=1)
    n_channels = header.size - 3
    table = np.loadtxt(path, delimiter=",", skiprows=1, usecols=range(n_channels))
    axis = header[:n_channels].astype(float)
    return nd.RamanCube(table.reshape(18, 20, n_channels), axis)


def with_noise(cube: nd.RamanCube, kind: str, level: float, seed: int = 0) -> nd.RamanCube:
    """Add white or shot noise of ``level`` times the 95th percentile of the pixels' maxima."""
    rng = np.random.default_rng(seed)
    sigma = level * float(np.percentile(cube.intensity.max(axis=2), 95))
    if kind == "white":
        noise = rng.normal(0, sigma, cube.shape)
    else:
        signal = np.maximum(cube.intensity.astype(float), 0)
        per_photon = sigma**2 / signal.mean()
        noise = per_photon * rng.poisson(signal / per_photon) - signal
    return nd.RamanCube(cube.intensity + noise, cube.wavenumber)


def table(title: str, first: str, columns: tuple[str, ...], rows: list[list[str]]) -> str:
    lines = [f"### {title}", "", f"| {first} | " + " | ".join(columns) + " |"]
    lines.append("|---" * (len(columns) + 1) + "|")
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([*lines, ""])


def compare_denoising(quick: bool) -> str:
    rows = []
    levels = (0.2,) if quick else (0.1, 0.2, 0.4)
    for name, truth in references(quick):
        for kind in ("white", "shot"):
            for level in levels:
                noisy = with_noise(truth, kind, level)
                before = metrics.excess_mse(noisy.intensity, truth.intensity)
                row = [f"{name}, {kind} {level:g}"]
                for method in DENOISE:
                    clean = nd.denoise(noisy, method=method).intensity
                    row.append(f"{metrics.excess_mse(clean, truth.intensity) / before:.4f}")
                rows.append(row)
    return table("Denoising: excess MSE over that of the noisy map", "map, noise", DENOISE, rows)


def compare_super_resolution(quick: bool) -> str:
    rows = []
    for name, truth in references(quick):
        for level in (0.0, 0.1):
            source = with_noise(truth, "white", level) if level else truth
            for scale in (2,) if quick else (2, 3, 4):
                row = [f"{name}, {scale}x, " + (f"white {level:g}" if level else "as it is")]
                rows.append(row + super_resolution_row(truth, source, scale))
    title = "Super-resolution: excess MSE over that of aligned bilinear interpolation"
    columns = (*SUPER_RESOLVE, "auto denoise, bilinear", "auto denoise, auto")
    return table(title, "map", columns, rows)


def super_resolution_row(truth: nd.RamanCube, source: nd.RamanCube, scale: int) -> list[str]:
    n_y, n_x = (n // scale * scale for n in truth.shape[:2])
    target = truth.intensity[:n_y, :n_x]
    low = nd.RamanCube(skip_sample(source.intensity[:n_y, :n_x], scale, 1), source.wavenumber)

    def error(cube: nd.RamanCube, method: str) -> float:
        fine = nd.super_resolve(cube, scale=scale, method=method)
        return metrics.excess_mse(fine.intensity, target)

    plain, clean = error(low, "bilinear"), nd.denoise(low)
    runs = [(low, method) for method in SUPER_RESOLVE] + [(clean, "bilinear"), (clean, "auto")]
    return [f"{error(cube, method) / plain:.3f}" for cube, method in runs]


def compare_speed(quick: bool) -> str:
    size = (16, 16) if quick else (64, 64)
    truth = cells.cell(size, rng=np.random.default_rng(1)).cube
    noisy = with_noise(truth, "shot", 0.2)
    rows = []
    for verb, run, methods in (
        ("denoise", nd.denoise, DENOISE),
        ("super-resolve 2x", nd.super_resolve, (*SUPER_RESOLVE, "bilinear")),
    ):
        for method in methods:
            start = time.perf_counter()
            run(noisy, method=method)
            rows.append([f"{verb}, {method}", f"{time.perf_counter() - start:.2f}"])
    return table(f"Seconds for {size[0]} x {size[1]} x 500", "step", ("s",), rows)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small, simulated only, untimed")
    quick = parser.parse_args(arguments).quick
    try:
        print(compare_denoising(quick))
        print(compare_super_resolution(quick))
        if not quick:
            print(compare_speed(quick))
    except DeeperError as error:
        raise SystemExit(f"The comparison stopped: {error}") from error


if __name__ == "__main__":
    main()
