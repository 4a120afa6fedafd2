"""Fine-tuning on patches: what it gains over the weights it starts from, scratch, and interpolation.

    python benchmarks/finetuning.py simulated --out FOLDER [--exposure 5] [--network eigenimages]
    python benchmarks/finetuning.py bladder --out FOLDER

Simulated: sixteen annotated patches of tissue (13 to train on, 3 for validation) and twelve test patches of
other pieces, all 64 x 64 x 500 and measured with shot and read noise. The figures are against the test
patches as measured, and against their truth, which only a simulation has. Bladder: the measured map, 18 x
20 pixels, in four patches of 8 x 8; weights that are tuned on it are never shipped.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import time
from pathlib import Path

import numpy as np

import napari_deeper as nd
from napari_deeper.engine.finetune_judge import Verdict, judge, methods_for
from napari_deeper.engine.finetune_material import TestItem
from napari_deeper.simulate.instrument import Instrument, expected_electrons, measure
from napari_deeper.simulate.tissue import tissue
from napari_deeper.spectra.patches import Patch, PatchCube, PatchSet

SIDE, PIXEL = 64, 0.5
ROLES = ("train",) * 13 + ("validation",) * 3 + ("test",) * 12
DATA = Path(os.environ.get("NAPARI_DEEPER_DATA", Path(__file__).parents[2] / "shared" / "data"))


def simulated_patch(seed: int, number: int, exposure: float) -> tuple[nd.RamanCube, np.ndarray]:
    """Return one measured piece of tissue, and its truth (y, x, channel)."""
    piece = tissue((SIDE, SIDE), PIXEL, np.random.default_rng([seed, number])).cube
    measured = measure(piece, exposure, np.random.default_rng([seed + 1, number]), Instrument())
    return measured, expected_electrons(piece, exposure, Instrument()).astype(np.float32)


def write_simulated(folder: Path, seed: int, exposure: float) -> tuple[Path, list[np.ndarray]]:
    """Write the patches of a benchmark; return their file, and the truths of the test patches."""
    folder.mkdir(parents=True, exist_ok=True)
    cubes, patches, truths = [], [], []
    for number, role in enumerate(ROLES):
        cube, truth = simulated_patch(seed, number, exposure)
        path = folder / f"{role} {number}.npz"
        nd.write(cube, path, overwrite=True)
        cubes.append(PatchCube.of(cube, f"tissue {number}", path))
        patches.append(Patch(f"tissue {number}", 0, 0, SIDE, role, "simulated"))
        if role == "test":
            truths.append(truth)
    path = folder / "patches.json"
    nd.write_patches(PatchSet(tuple(cubes), tuple(patches), SIDE), path, overwrite=True)
    return path, truths


def run_simulated(out: Path, args: argparse.Namespace) -> None:
    """Tune on simulated tissue, and count on how many test patches that wins."""
    path, truths = write_simulated(out / "data", args.seed, args.exposure)
    start, computed = time.perf_counter(), time.process_time()
    settings = {
        "scale": args.scale,
        "network": args.network,
        "scratch": True,
        "threads": args.threads,
    }
    settings |= {"epochs": args.epochs} if args.epochs else {}
    settings |= {"rate": args.rate} if args.rate else {}
    result = nd.finetune(path, out / "job", overwrite=True, name=args.name, **settings)
    minutes = (time.perf_counter() - start) / 60
    cpu_minutes = (time.process_time() - computed) / 60
    assert result.model is not None
    print(
        f"{minutes:.1f} minutes for tuning, scratch and judging, {cpu_minutes:.1f} of them computing, "
        f"summed over {args.threads or 'all'} threads"
    )
    measured = Verdict(result.scores)
    show("test patches as measured", measured)
    true = against_truth(result, path, truths, out)
    show("test patches, truth", true)
    record = {
        "minutes": minutes, "cpu_minutes": cpu_minutes, "seed": args.seed,
        "exposure": args.exposure, "settings": settings,
        "validation": [result.psnr_before, result.psnr_after],
        "measured": [dataclasses.asdict(s) for s in measured.scores],
        "truth": [dataclasses.asdict(s) for s in true.scores],
    }  # fmt: skip
    (out / "benchmark.json").write_text(json.dumps(record, indent=1))


def against_truth(
    result: nd.FinetuneResult, path: Path, truths: list[np.ndarray], out: Path
) -> Verdict:
    """Judge the same methods against what the noise was added to."""
    patches = nd.read_patches(path)
    cubes = nd.read_cubes(patches)
    params = nd.read_job(out / "job" / "job.json").params
    items = []
    for patch, truth in zip(patches.of_role("test"), truths, strict=True):
        low = np.ascontiguousarray(
            cubes[patch.cube].intensity[1 :: params.scale, 1 :: params.scale]
        )
        cube = nd.RamanCube(low, cubes[patch.cube].wavenumber)
        items.append(TestItem(patch.cube, patch.tissue, cube, truth))
    weights = {
        "fine-tuned": out / "job" / "model.safetensors",
        "pretrained": "",
        "from scratch": out / "job" / "scratch" / "model.safetensors",
    }
    return judge(items, methods_for(params, weights, 1))


def bladder_cube() -> nd.RamanCube:
    """Return the bladder map, a table with wavenumbers as its header and x, y, label as last columns."""
    path = next(DATA.glob("bladder/*.csv.xz"))
    header = np.loadtxt(path, str, delimiter=",", max_rows=1)
    table = np.loadtxt(path, delimiter=",", skiprows=1, usecols=range(header.size - 3))
    return nd.RamanCube(table.reshape(18, 20, -1), header[:-3].astype(float))


def run_bladder(out: Path, args: argparse.Namespace) -> None:
    """Tune on patches of the bladder map: each patch is tested once, by weights that never saw it."""
    cube = bladder_cube()
    out.mkdir(parents=True, exist_ok=True)
    nd.write(cube, out / "bladder.npz", overwrite=True)
    known = PatchCube.of(cube, "bladder", out / "bladder.npz")
    size = args.size
    places = [(y, x) for y in range(0, 18 - size + 1, size) for x in range(0, 20 - size + 1, size)]
    scores = []
    for fold in range(args.folds):
        patches = []
        for number, (y, x) in enumerate(places):
            kind = (number + fold) % args.folds
            role = "test" if kind == 0 else "validation" if kind == 1 else "train"
            patches.append(Patch("bladder", y, x, size, role, "bladder"))
        path = out / f"patches {fold}.json"
        nd.write_patches(PatchSet((known,), tuple(patches), size), path, overwrite=True)
        result = nd.finetune(
            path, out / f"job {fold}", overwrite=True, name=f"{args.name} {fold}", scale=args.scale,
            network=args.network, scratch=True, threads=args.threads, epochs=args.epochs or 200,
        )  # fmt: skip
        assert result.model is not None
        print(
            f"fold {fold}: {result.psnr_before:.2f} -> {result.psnr_after:.2f} dB, {result.notes}"
        )
        scores += list(result.scores)
    show(f"bladder, patches of {size} x {size}", Verdict(tuple(scores)))


def show(title: str, verdict: Verdict) -> None:
    """Print means, and on how many patches the tuned weights win."""
    n = len(verdict.values("fine-tuned", "psnr"))
    print(f"\n{title}: PSNR (dB), SSIM, and on how many of {n} fine-tuned has the higher PSNR")
    for method in verdict.methods:
        psnr, ssim = (verdict.values(method, m).mean() for m in ("psnr", "ssim"))
        print(f"  {method:<14} {psnr:7.2f} {ssim:8.4f} {verdict.n_better(method):4d}", flush=True)


def main() -> None:
    """Run what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("simulated", "bladder"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--network", default="eigenimages")
    parser.add_argument("--scale", type=int, default=2)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--exposure", type=float, default=5.0, help="seconds per pixel")
    parser.add_argument("--epochs", type=int, default=0)
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--size", type=int, default=8, help="of a patch of the bladder map")
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--name", default="benchmark")
    args = parser.parse_args()
    (run_simulated if args.what == "simulated" else run_bladder)(args.out, args)


if __name__ == "__main__":
    main()
