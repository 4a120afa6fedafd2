"""Measure the unmixing of a stored cube tile by tile: memory, seconds of each pass, likeness to one go in memory.

Run as ``python benchmarks/unmixing_stored.py [--quick] [--gigabytes G] [--channels C]``; prints Markdown.

The store is made tile by tile: the amounts of five substances in a simulated cell, repeated with another brightness in
each tile, white noise, and four cosmic rays. Each run has a process of its own, so that its peak of memory is its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import napari_deeper as nd
from napari_deeper.engine import large_files
from napari_deeper.engine.unmix_settings import UnmixParams
from napari_deeper.io.zarr_growing import new_stored
from napari_deeper.io.zarr_rows import tiles_of
from napari_deeper.simulate.cells import cell

N_ENDMEMBERS = 5
TILE = 64
SNR = 20.0
RAY = 2000.0  # times the highest intensity: strong enough to stand out of millions of pixels


def make_store(path: Path, gigabytes: float, n_channels: int) -> tuple[int, int, int]:
    """Write a square store of so many bytes; return its shape."""
    made = cell((TILE, TILE), rng=np.random.default_rng(7))
    most = np.argsort(-made.abundances.sum(axis=(0, 1)))[:N_ENDMEMBERS]
    picked = np.linspace(0, made.cube.shape[2] - 1, n_channels).astype(int)
    pure = made.abundances[..., most] @ made.endmembers[most][:, picked]
    side = max(TILE, int(np.sqrt(gigabytes * 1e9 / 4 / n_channels)))
    shape = (side, side, n_channels)
    rng, sigma = np.random.default_rng(0), float(pure.std()) / SNR
    header = nd.RamanCube(pure[:1, :1], made.cube.wavenumber[picked]).header()
    header["metadata"] = {"name": "large", "axis_unit": "cm-1"}
    rays = [tuple(place) for place in rng.integers(0, side // TILE, (4, 2)).tolist()]
    with new_stored(path, shape, overwrite=False) as store:
        for rows, columns in tiles_of(shape):
            block = pure[: rows.stop - rows.start, : columns.stop - columns.start]
            block = block * np.float32(rng.uniform(0.5, 1.5))
            block += sigma * rng.standard_normal(block.shape, dtype=np.float32)
            for number, ray in enumerate(rays, 1):
                if ray == (rows.start // TILE, columns.start // TILE):
                    block[3, number, number * n_channels // 6] += RAY * pure.max()
            store.put((rows, columns), block)
        store.finish(header)
    return shape


def run_one(source: Path, out: Path, params: UnmixParams, streams: bool) -> None:
    """Unmix in this process; write the maps to a file, and print the figures as JSON."""
    large_files.STREAM_FROM_BYTES = 0 if streams else 2**60
    passes: dict[str, Any] = {}
    last: list[Any] = ["Starting", np.array([time.perf_counter(), time.process_time()])]

    def report(_: float, text: str) -> None:
        now = np.array([time.perf_counter(), time.process_time()])
        passes[last[0]] = passes.get(last[0], 0.0) + now - last[1]
        last[:] = [text, now]

    start = time.perf_counter()
    target = out.with_suffix("")
    found = nd.unmix_file(source, target, params, progress=nd.Progress(report))
    report(1.0, "done")
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    np.savez(out, endmembers=found.endmembers.spectra, abundances=found.abundances)
    taken = {text: each.round(1).tolist() for text, each in passes.items()}
    facts = {"seconds": seconds, "peak": peak, "passes": taken, "notes": found.notes}
    print(json.dumps(facts | {"torch": "torch" in sys.modules}))


def measured(source: Path, out: Path, method: str, n: int, streams: bool) -> dict[str, Any]:
    """Return the figures of a run in a process of its own."""
    command = [sys.executable, __file__, "--one", str(source), str(out), method, str(n)]
    done = subprocess.run(
        [*command, str(int(streams))], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def compare(ours: Path, theirs: Path) -> tuple[float, float]:
    """Return the largest differences of endmembers and abundances, as parts of the largest of each."""
    with np.load(ours) as a, np.load(theirs) as b:
        pairs = [(a[name], b[name]) for name in ("endmembers", "abundances")]
        first, second = (float(np.abs(x - y).max() / np.abs(y).max()) for x, y in pairs)
    return first, second


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a small store")
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--channels", type=int, default=500)
    parser.add_argument("--folder", type=Path, help="where the store is made, and removed again")
    parser.add_argument("--methods", default="vca", help="separated by commas")
    parser.add_argument("--estimate", action="store_true", help="estimate the number too")
    parser.add_argument("--alone", action="store_true", help="no run in memory to compare with")
    parser.add_argument("--one", nargs=5, help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    if args.one:
        source, out, method, n, streams = args.one
        params = UnmixParams(int(n), method)
        run_one(Path(source), Path(out), params, bool(int(streams)))
        return
    gigabytes = 0.02 if args.quick else args.gigabytes
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        source = Path(folder, "large.zarr")
        shape = make_store(source, gigabytes, args.channels)
        size = 4 * np.prod(shape, dtype=float)
        print(f"{shape[0]} x {shape[1]} pixels of {shape[2]} channels, {size / 1e9:.2f} GB\n")
        print("| search | how | s | s per GB | peak, GB | endmembers differ | abundances differ |")
        print("|---|---|---|---|---|---|---|")
        for method in args.methods.split(","):
            n = 0 if args.estimate else N_ENDMEMBERS
            outs = [Path(folder, f"{method}-{kind}.npz") for kind in ("tiles", "whole")]
            runs = [measured(source, outs[0], method, n, True)]
            if not args.alone:
                runs.append(measured(source, outs[1], method, n, False))
                differ = [f"{each:.1g}" for each in compare(*outs)]
            for run, how in zip(runs, ("tile by tile", "in one go"), strict=False):
                row = [f"{run['seconds']:.1f}", f"{run['seconds'] / size * 1e9:.1f}"]
                row += [f"{run['peak'] / 1e9:.2f}"]
                row += differ if how == "in one go" else ["", ""]
                print(f"| {method} | {how} | {' | '.join(row)} |", flush=True)
            print(f"\n{method}: {json.dumps(runs[0]['passes'])}; torch: {runs[0]['torch']}")
            print("\n".join(runs[0]["notes"]), flush=True)


if __name__ == "__main__":
    main()
