"""Evaluate all that is measured or simulated here; prints the tables of docs/evaluation.md.

Run as ``python benchmarks/evaluation.py --out FOLDER``; the whole report goes to the folder. Tables
are printed row by row, so that a run that is stopped has not been for nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from denoise_comparators import DATA, read_bladder

import napari_deeper as nd
from napari_deeper.engine.evaluation_runs import crop_to_cells, sample
from napari_deeper.simulate import cells
from napari_deeper.simulate.instrument import Instrument, expected_electrons, measure

# Looked at for the first time in this evaluation.
CELL_SEEDS = (90210, 90211)
LEVELS = (0.1, 0.2, 0.4)
N_SEEDS = 3


def measured_maps() -> Iterator[nd.RamanCube]:
    for name, path in (
        ("THP-1", next(DATA.glob("thp1/*.mat"), None)),
        ("bladder", next(DATA.glob("bladder/*.csv.xz"), None)),
        ("P_A32_006", DATA / "formats" / "witec" / "P_A32_006_Spec.Data 1.mat"),
    ):
        if path is None or not path.exists():
            print(f"{name} is not here: left out.")
            continue
        cube = read_bladder(path) if name == "bladder" else nd.read(path)
        yield named(cube, name)


def named(cube: nd.RamanCube, name: str) -> nd.RamanCube:
    return nd.RamanCube(cube.intensity, cube.wavenumber, metadata={"name": name})


def simulated_pair(seed: int, size: int = 40) -> tuple[nd.RamanCube, nd.RamanCube]:
    """Return a noiseless cell in expected counts of 0.1 s, and its measurement."""
    rng = np.random.default_rng(seed)
    clean = cells.cell((size, size), rng=rng).cube
    expected = nd.RamanCube(expected_electrons(clean, 0.1, Instrument()), clean.wavenumber)
    noisy = measure(clean, 0.1, rng)
    return named(expected, f"cell {seed}"), named(noisy, f"cell {seed}, 0.1 s")


def evaluations(quick: bool) -> Iterator[Any]:
    if quick:
        clean, noisy = simulated_pair(CELL_SEEDS[0], 16)
        yield nd.evaluate(clean, measured=noisy, noiseless=True, methods="low-rank")
        yield nd.evaluate(clean, scale=2, noiseless=True, methods="bilinear")
        return
    for cube in measured_maps():
        for noise in ("white", "poisson"):
            for level in LEVELS:
                yield nd.evaluate(cube, noise=noise, level=level, n_seeds=N_SEEDS)
        for scale in (2, 3, 4):
            yield nd.evaluate(cube, scale=scale)
    for seed in CELL_SEEDS:
        clean, noisy = simulated_pair(seed)
        yield nd.evaluate(clean, measured=noisy, noiseless=True)
        for scale in (2, 3, 4):
            yield nd.evaluate(clean, scale=scale, noiseless=True)
            coarse = sample(crop_to_cells(noisy, scale), scale, 1)
            yield nd.evaluate(clean, measured=coarse, scale=scale, noiseless=True)


def row(found: Any) -> str:
    ratios = []
    for s in found.summaries:
        if s.role == "method":
            low, high = s.ratio_interval
            ratios.append(f"{s.method} {s.ratio:.3f} [{low:.2f}, {high:.2f}]")
    rivals = [s for s in found.summaries if s.role == "comparator"]
    least = found.summary(found.best_comparator).excess_mse
    others = ", ".join(f"{s.method} {s.excess_mse / least:.2f}" for s in rivals)
    settings = found.summary(found.best_comparator).settings
    best = f"{found.best_comparator} ({settings}), {least:.4g}"
    return f"| {found.map} | {found.case} | {'; '.join(ratios)} | {best} | {others} |"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the report")
    parser.add_argument("--quick", action="store_true", help="small, simulated and classical only")
    args = parser.parse_args(arguments)
    print("| map | case | method / best comparator | best comparator | comparators |")
    print("|---|---|---|---|---|")
    done = []
    for found in evaluations(args.quick):
        print(row(found), flush=True)
        done.append(found)
    nd.write_report(done, args.out, overwrite=True)


if __name__ == "__main__":
    main()
