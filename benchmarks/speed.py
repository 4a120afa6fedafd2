"""Time every method on one simulated cell: ``python benchmarks/speed.py [--quick]``; prints Markdown.

The last column sets each time against that of the ResUNet, one spectrum at a time, in the same run.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial

import torch
from simulated_cells import SEEDS, expose

import napari_deeper as nd
from napari_deeper.engine.denoise_params import METHODS as DENOISERS
from napari_deeper.engine.denoise_params import DenoiseParams
from napari_deeper.engine.enhance import enhance
from napari_deeper.engine.super_resolve_params import METHODS as SUPER_RESOLVERS
from napari_deeper.engine.super_resolve_params import SuperResolveParams

N_REPEATS = 3


def steps(cube: nd.RamanCube) -> dict[str, Callable[[], object]]:
    found: dict[str, Callable[[], object]] = {}
    for method in DENOISERS:
        found[f"denoise, {method}"] = partial(nd.denoise, cube, method=method)
    for method in SUPER_RESOLVERS:
        found[f"super-resolve 2x, {method}"] = partial(nd.super_resolve, cube, method=method)
    for scale in (2, 3, 4):
        both = partial(enhance, cube, DenoiseParams(), SuperResolveParams(scale=scale))
        found[f"both, {scale}x, auto"] = both
    return found


def seconds(step: Callable[[], object], n_repeats: int) -> tuple[float, float]:
    """Return the first time and the least of the next ones."""
    taken = []
    for _ in range(1 + n_repeats):
        start = time.perf_counter()
        step()
        taken.append(time.perf_counter() - start)
    return taken[0], min(taken[1:])


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small cell, once")
    quick = parser.parse_args(arguments).quick
    cube = expose(SEEDS[0], 16 if quick else 64).noisy
    measured = {
        name: seconds(step, 1 if quick else N_REPEATS) for name, step in steps(cube).items()
    }
    unit = measured["denoise, resunet"][1]
    print(f"{' x '.join(map(str, cube.shape))}, {torch.get_num_threads()} threads\n")
    print("| step | first, s | then, s | of the ResUNet |\n|---|---|---|---|")
    for name, (first, then) in measured.items():
        print(f"| {name} | {first:.2f} | {then:.2f} | {then / unit:.2f} |")


if __name__ == "__main__":
    main()
