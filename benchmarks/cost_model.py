"""How time and memory grow: ``python benchmarks/cost_model.py [--quick] [--device cpu]``; prints Markdown.

Each figure is taken in a process of its own, after a small run that loads libraries and weights: seconds, and how much
the largest memory of the process rose. Exponents are slopes of straight lines through logarithms. The floor is what the
same machine needs to move the bytes of input and result once, and to do the networks' products at the rate of its own
large matrix product in float32.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

PIXELS = (32, 64, 128, 192)  # a side, at 500 channels
CHANNELS = (100, 250, 500, 1000)  # at 64 x 64 pixels
SCALES = (2, 3, 4)  # at 64 x 64 x 500
VERBS = (
    "denoise auto", "denoise resunet", "denoise low-rank", "super-resolve auto", "super-resolve hyrisr", "unmix",
)  # fmt: skip
GB = 1e9


@dataclass(frozen=True)
class Case:
    """A verb with its method, and the map: pixels a side, channels."""

    verb: str
    side: int
    n_channels: int
    scale: int = 2
    device: str = "auto"


@dataclass(frozen=True)
class Cost:
    """Seconds, bytes beside the cube, operations of networks, bytes of input and result."""

    seconds: float
    bytes: float
    flops: float
    moved: float


def simulated(case: Case) -> Any:
    """Return a noisy map of five substances in smooth abundances."""
    import napari_deeper as nd

    rng = np.random.default_rng(0)
    axis = np.linspace(600, 1800, case.n_channels)
    y, x = np.mgrid[: case.side, : case.side] / case.side
    places = rng.random((5, 2))
    amounts = np.stack([np.exp(-((y - a) ** 2 + (x - b) ** 2) / 0.05) for a, b in places], axis=2)
    bands = [[(rng.uniform(620, 1780), rng.random()) for _ in range(8)] for _ in range(5)]
    spectra = np.stack(
        [sum(h * np.exp(-(((axis - at) / 10) ** 2)) for at, h in each) for each in bands]
    )
    clean = (amounts @ spectra).astype(np.float32)
    noise = rng.normal(0, 0.1, clean.shape).astype(np.float32)
    return nd.RamanCube(clean + noise, axis, (1.0, 1.0))


def step_of(case: Case) -> Callable[[Any], Any]:
    import napari_deeper as nd

    verb, _, method = case.verb.partition(" ")
    if verb == "unmix":
        return lambda cube: nd.unmix(cube, 5)
    if verb == "denoise":
        return lambda cube: nd.denoise(cube, method=method, device=case.device)
    return lambda cube: nd.super_resolve(cube, method=method, scale=case.scale, device=case.device)


def measure(case: Case) -> Cost:
    """Run a case in this process."""
    cube, step = simulated(case), step_of(case)
    small = simulated(Case(case.verb, 16, case.n_channels, case.scale))
    step(small)  # loads libraries and weights
    before, start = forget_peak(), time.perf_counter()
    step(cube)
    seconds = time.perf_counter() - start
    risen = peak_bytes() - before
    growth = case.scale**2 if "resolve" in case.verb else 1
    moved = 4 * cube.intensity.size * (1 + (0 if case.verb == "unmix" else growth))
    return Cost(seconds, max(0, risen), counted(step, cube, case), moved)


def counted(step: Callable[[Any], Any], cube: Any, case: Case) -> float:
    """Return the operations of the networks, counted on a part of the map and scaled up to it."""
    if "auto" not in case.verb and "resunet" not in case.verb and "hyrisr" not in case.verb:
        return 0.0
    from torch.utils.flop_counter import FlopCounterMode

    side = min(case.side, 32)
    part = simulated(Case(case.verb, side, case.n_channels, case.scale))
    with FlopCounterMode(display=False) as counter:
        step(part)
    return float(counter.get_total_flops()) * (case.side / side) ** 2


def forget_peak() -> float:
    """Set the largest memory of this process to what it has now, and return that; 0 where that cannot be told."""
    if sys.platform != "linux":
        return 0.0
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return peak_bytes()


def peak_bytes() -> float:
    if sys.platform != "linux":
        return 0.0
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * float(status.split("VmHWM:")[1].split()[0])


def in_process(case: Case) -> Cost:
    command = [sys.executable, __file__, "--case", json.dumps(asdict(case))]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def rates() -> tuple[float, float]:
    """Return bytes per second of a copy (read and written), and operations per second of a float32 product."""
    import torch

    a = torch.rand(2048, 2048)
    big = np.ones(2**26, np.float32)
    flops, moved = [], []
    for _ in range(4):
        start = time.perf_counter()
        a @ a
        flops.append(2 * 2048**3 / (time.perf_counter() - start))
        start = time.perf_counter()
        big.copy()
        moved.append(2 * big.nbytes / (time.perf_counter() - start))
    return max(moved), max(flops)


def slope(sizes: Sequence[float], values: Sequence[float]) -> float:
    """Return the exponent of a power law through the points."""
    kept = [(s, v) for s, v in zip(sizes, values, strict=True) if v > 0]
    if len(kept) < 2:
        return float("nan")
    return float(np.polyfit(*np.log(np.array(kept)).T, 1)[0])


def power(exponent: float) -> str:
    return f"{exponent:.2f}" if np.isfinite(exponent) else "-"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two small sizes of two verbs")
    parser.add_argument("--device", default="auto", help="where networks run")
    parser.add_argument("--case", default="", help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.case:
        print(json.dumps(asdict(measure(Case(**json.loads(asked.case))))))
        return
    verbs = ("denoise low-rank", "unmix") if asked.quick else VERBS
    sides = (16, 32) if asked.quick else PIXELS
    channels = (50, 100) if asked.quick else CHANNELS
    middle, n_channels = (16, 50) if asked.quick else (64, 500)
    bandwidth, flops = rates()
    print(
        f"A copy moves {bandwidth / GB:.1f} GB/s, a float32 product does {flops / GB:.0f} GFLOP/s.\n"
    )
    print("| verb | varied | size | s | MB beside the cube | floor: bytes, s | floor: FLOPs, s |")
    print("|---|---|---|---|---|---|---|")
    laws = []
    for verb in verbs:
        series: list[tuple[str, list[Case], list[float]]] = [
            ("pixels", [Case(verb, n, n_channels, device=asked.device) for n in sides], [n * n for n in sides]),
            ("channels", [Case(verb, middle, c, device=asked.device) for c in channels], list(channels)),
        ]  # fmt: skip
        if "resolve" in verb:
            cases = [Case(verb, middle, n_channels, s, asked.device) for s in SCALES]
            series.append(("scale", cases, list(SCALES)))
        for what, cases, sizes in series:
            costs = [in_process(case) for case in cases]
            for size, cost in zip(sizes, costs, strict=True):
                print(
                    f"| {verb} | {what} | {size} | {cost.seconds:.3g} | {cost.bytes / 1e6:.0f} | "
                    f"{cost.moved / bandwidth:.2g} | {cost.flops / flops:.2g} |",
                    flush=True,
                )
            # the smallest of several is mostly what a call costs whatever it is given
            skip = 1 if len(sizes) > 2 else 0
            t = slope(sizes[skip:], [c.seconds for c in costs[skip:]])
            m = slope(sizes[skip:], [c.bytes for c in costs[skip:]])
            laws.append((verb, what, t, m))
    print(
        "\n| verb | varied | time grows with the power | memory with the power |\n|---|---|---|---|"
    )
    for verb, what, t, m in laws:
        print(f"| {verb} | {what} | {power(t)} | {power(m)} |")


if __name__ == "__main__":
    main()
