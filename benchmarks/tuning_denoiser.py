"""Tuning the denoiser of `auto`: from pairs, and from a noisy map alone.

    python benchmarks/tuning_denoiser.py alone --out FOLDER [--cases CASE ...]
    python benchmarks/tuning_denoiser.py pairs --out FOLDER

Cases are ``tissue SEED SECONDS``, ``cell SEED SECONDS`` (simulated, with their truth), and ``THP-1``,
``bladder`` and ``P_A32_006`` with white noise added, in parts of the 95th percentile of the maxima of the
spectra: the map as it was measured stands for the truth.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from measured_maps import measured_map
from simulated_cells import expose

import napari_deeper as nd
from napari_deeper.simulate.instrument import Instrument, expected_electrons, measure
from napari_deeper.simulate.tissue import tissue

CASES = (
    *(f"tissue {seed} {t}" for seed, t in ((101, 1), (2026, 5), (11, 0.2), (7, 1), (3, 0.2))),
    *(f"cell {seed} 0.1" for seed in (90210, 90211, 90212)),
    *(f"THP-1 {noise}" for noise in (0.1, 0.2, 0.4)),
    *(f"{name} {noise}" for name in ("bladder", "P_A32_006") for noise in (0.05, 0.1, 0.2)),
)
PAIR_SEEDS = (101, 2026, 11, 7)


def simulated_tissue(seed: int, seconds: float, side: int = 64) -> tuple[nd.RamanCube, np.ndarray]:
    """Return a piece of tissue as it is measured, and its truth."""
    piece = tissue((side, side), 0.5, np.random.default_rng([seed, 0])).cube
    noisy = measure(piece, seconds, np.random.default_rng([seed + 1, 0]), Instrument())
    return noisy, expected_electrons(piece, seconds, Instrument()).astype(np.float32)


def case(name: str) -> tuple[nd.RamanCube, np.ndarray]:
    """Return the noisy map of a case, and its truth."""
    kind, *numbers = name.split()
    if kind == "tissue":
        return simulated_tissue(int(numbers[0]), float(numbers[1]))
    if kind == "cell":
        pair = expose(int(numbers[0]), 48, float(numbers[1]))
        return pair.noisy, pair.clean.intensity
    cube = measured_map(kind)
    level = float(numbers[0]) * np.percentile(cube.intensity.max(axis=2), 95)
    noise = level * np.random.default_rng(0).standard_normal(cube.shape)
    return nd.RamanCube(cube.intensity + noise.astype(np.float32), cube.wavenumber), cube.intensity


def error(cube: nd.RamanCube, truth: np.ndarray, model: str = "") -> float:
    """Return the squared error of `auto`."""
    found = nd.denoise(cube, method="auto", model=model, device="cpu").intensity
    return float(np.mean(np.square(found - truth, dtype=np.float64)))


def run_alone(out: Path, names: list[str]) -> None:
    """Tune on each case alone; print the true and the estimated ratio of the squared errors, and the verdict."""
    for name in names:
        cube, truth = case(name)
        folder = out / name.replace(" ", "_")
        folder.mkdir(parents=True, exist_ok=True)
        path = nd.write(cube, folder / "noisy.npz", overwrite=True)
        try:
            result = nd.finetune([path], folder / "job", what="denoise", overwrite=True, threads=1)
        except nd.DeeperError as trouble:
            print(f"{name}: refused: {trouble}", flush=True)
            continue
        assert result.model is not None
        model = str(folder / "job" / "model.safetensors")
        found = result.model.card["figures"]["estimated"]
        ratio = error(cube, truth, model) / error(cube, truth)
        print(
            f"{name}: auto {ratio:.3f}, estimated {found['ratio']:.3f} +/- {found['error']:.3f}, "
            f"{'kept' if result.recommended else 'keep to shipped'}, best step {result.model.card['best_step']} of "
            f"{result.model.card['steps']}",
            flush=True,
        )


def run_pairs(out: Path, settings: dict[str, object]) -> None:
    """Tune on pairs of 0.2 s and 20 s; print the PSNR of the test blocks, and on how many the tuned weights win."""
    for seed in PAIR_SEEDS:
        piece = tissue((96, 64), 0.5, np.random.default_rng([seed, 0])).cube
        folder = out / f"pair {seed}"
        folder.mkdir(parents=True, exist_ok=True)
        low, high = (
            nd.write(measure(piece, t, np.random.default_rng([seed, n]), Instrument()),
                     folder / f"{t}.npz", overwrite=True)
            for n, t in enumerate((0.2, 20), 1)
        )  # fmt: skip
        result = nd.finetune(
            [(low, high)], folder / "job", what="denoise", overwrite=True, threads=1, **settings
        )
        means = {
            m: np.array([s.psnr for s in result.scores if s.method == m])
            for m in dict.fromkeys(s.method for s in result.scores)
        }
        wins = int((means["fine-tuned"] > means["pretrained"]).sum())
        print(
            f"pair {seed}: validation {result.psnr_before:.2f} -> {result.psnr_after:.2f}, "
            f"{'kept' if result.recommended else 'not kept'}; "
            + ", ".join(f"{m} {v.mean():.2f}" for m, v in means.items())
            + f"; wins {wins} of {len(means['pretrained'])}",
            flush=True,
        )


def main() -> None:
    """Read the flags."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("alone", "pairs"))
    parser.add_argument("--cases", nargs="*", default=[])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--settings", default="{}", help="JSON, to tune on pairs")
    args = parser.parse_args()
    if args.what == "alone":
        run_alone(args.out, args.cases or list(CASES))
    else:
        run_pairs(args.out, json.loads(args.settings))


if __name__ == "__main__":
    main()
