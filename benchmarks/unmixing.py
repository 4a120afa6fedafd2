"""Measure unmixing: its speed, how stable the searches are, and what they find in a measured cell.

Run as ``python benchmarks/unmixing.py [--quick] [--out FILE]``; prints Markdown, and writes all figures
to the file as JSON.

The map of the speed is 512 x 512 pixels of 500 channels: the amounts of five substances in a simulated
cell, repeated, with white noise. pysptools solves pixel by pixel, so it gets every eighth pixel, and
the rates of pixels are compared.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import resource
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import search_stability as measured
from numpy.typing import NDArray

from napari_deeper.processing.abundances import SOLVERS, kkt_residual, unmix
from napari_deeper.processing.endmember_count import estimate_n_endmembers
from napari_deeper.processing.endmember_search import SEARCHES, search
from napari_deeper.simulate.cells import cell
from napari_deeper.spectra.errors import ParameterError

N_ENDMEMBERS = 5
TILE = 64
SNR = 20.0
TIMES_PYSPTOOLS, EXACT, VCA_SECONDS = 5.0, 1e-6, 2.0
Spectra = NDArray[np.float32]


@dataclass(frozen=True)
class Speed:
    """One step on the large map, or on so many of its pixels; the processor's seconds count all cores."""

    step: str
    n_pixels: int
    seconds: float
    processor_seconds: float
    pixels_per_second: float
    kkt_residual: float | None = None


def large_map(size: int) -> tuple[Spectra, Spectra]:
    """Return (pixel, channel) spectra and the (endmember, channel) that they were mixed of."""
    made = cell((TILE, TILE), rng=np.random.default_rng(7))
    most = np.argsort(-made.abundances.sum(axis=(0, 1)))[:N_ENDMEMBERS]
    n_tiles = -(-size // TILE)
    amounts = np.tile(made.abundances[..., most], (n_tiles, n_tiles, 1))[:size, :size]
    endmembers = made.endmembers[most]
    spectra = amounts.reshape(-1, N_ENDMEMBERS) @ endmembers
    rng, sigma = np.random.default_rng(0), float(spectra.std()) / SNR
    for row in range(0, len(spectra), TILE * TILE):
        block = spectra[row : row + TILE * TILE]
        block += sigma * rng.standard_normal(block.shape, dtype=np.float32)
    return spectra, endmembers


def timed(step: Callable[[], Any], n_repeats: int) -> tuple[float, float, Any]:
    """Return the least of several times, by the clock and of the processor, and what came out."""
    taken, result = [], None
    for _ in range(n_repeats):
        start, started = time.perf_counter(), time.process_time()
        result = step()
        taken.append((time.perf_counter() - start, time.process_time() - started))
    return *min(taken), result


def solver_speeds(spectra: Spectra, endmembers: Spectra, n_repeats: int) -> Iterable[Speed]:
    for solver in SOLVERS:
        # one pixel after another; the unconstrained one is a single product
        few = solver in ("pysptools-nnls", "pysptools-fcls")
        part = spectra[::8] if few else spectra
        try:
            seconds, worked, found = timed(partial(unmix, part, endmembers, solver), n_repeats)
        except ParameterError as missing:
            print(f"{solver} left out: {missing}\n")
            continue
        off = float(kkt_residual(part, endmembers, found, solver.removeprefix("pysptools-")).max())  # type: ignore[arg-type]
        yield Speed(solver, len(part), seconds, worked, len(part) / seconds, off)


def search_speeds(spectra: Spectra, n_repeats: int) -> Iterable[Speed]:
    steps: dict[str, Callable[[], Any]] = {
        name: partial(search, spectra, N_ENDMEMBERS, name) for name in SEARCHES
    }
    steps["estimate of the number"] = partial(estimate_n_endmembers, spectra)
    for name, step in steps.items():
        seconds, worked, _ = timed(step, n_repeats)
        yield Speed(name, len(spectra), seconds, worked, len(spectra) / seconds)


def speeds(size: int, n_repeats: int) -> list[Speed]:
    spectra, endmembers = large_map(size)
    gigabytes = spectra.nbytes / 1e9
    found = [
        *solver_speeds(spectra, endmembers, n_repeats),
        *search_speeds(spectra, n_repeats),
    ]
    print(
        f"{size} x {size} pixels, {spectra.shape[1]} channels ({gigabytes:.2f} GB), {N_ENDMEMBERS} "
        f"endmembers, {os.cpu_count()} cores; the whole process took at most "
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB\n"
    )
    print_table(Speed, found)
    return found


def judge(found: list[Speed]) -> dict[str, Any]:
    """Set the figures against what is asked of them."""
    by = {each.step: each for each in found}
    ratio = by["nnls"].pixels_per_second / by["pysptools-nnls"].pixels_per_second
    exact = max(by["nnls"].kkt_residual or 0.0, by["fcls"].kkt_residual or 0.0)
    lines = {
        f"NNLS, times the rate of pysptools' (at least {TIMES_PYSPTOOLS:g})": (
            ratio,
            ratio >= TIMES_PYSPTOOLS,
        ),
        f"largest KKT residual of NNLS and FCLS (below {EXACT:g})": (exact, exact < EXACT),
    }
    for name in ("vca-once", "vca"):
        seconds = by[name].seconds
        lines[f"{name}, s (within {VCA_SECONDS:g})"] = (seconds, seconds <= VCA_SECONDS)
    print("\n| asked | measured | met |\n|---|---|---|")
    for name, (value, met) in lines.items():
        print(f"| {name} | {value:.3g} | {'yes' if met else 'no'} |")
    return {name: {"value": value, "met": bool(met)} for name, (value, met) in lines.items()}


def print_table(kind: type, rows: Iterable[Any]) -> list[Any]:
    """Print rows as they come, and return them."""
    names = [field.name for field in dataclasses.fields(kind)]
    print("| " + " | ".join(name.replace("_", " ") for name in names) + " |")
    print("|---" * len(names) + "|")
    kept = []
    for row in rows:
        cells = (getattr(row, name) for name in names)
        print("| " + " | ".join(_text(cell) for cell in cells) + " |", flush=True)
        kept.append(row)
    return kept


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3g}" if isinstance(value, float) else f"{value}"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a small map and one small cell")
    parser.add_argument("--out", type=Path, help="write the figures there, as JSON")
    args = parser.parse_args(arguments)
    found: dict[str, Any] = {"speed": speeds(64 if args.quick else 512, 1 if args.quick else 3)}
    found["asked"] = judge(found["speed"])
    print("\nOver pairs of seeds: angles in degrees, agreement as a part of the pixels.\n")
    seeds = 3 if args.quick else 20
    found["stability"] = print_table(measured.Stability, measured.stabilities(seeds, args.quick))
    if not args.quick:
        print("\nTHP-1: correlation of abundances with the bands, within the cell.\n")
        found["THP-1"] = print_table(measured.KnownParts, measured.known_parts_of_thp1())
    if args.out:
        plain = json.dumps(found, default=dataclasses.asdict, indent=1)
        temporary = args.out.with_name(args.out.name + ".part")
        temporary.write_text(plain + "\n", encoding="utf-8")
        temporary.replace(args.out)


if __name__ == "__main__":
    main()
