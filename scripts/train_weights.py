"""Make the shipped weights: ``python scripts/train_weights.py denoise --steps 4000 --out DIR``."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch

from napari_deeper.training.loop import Schedule
from napari_deeper.training.weights import (
    make_denoiser,
    make_eigenimage_denoiser,
    make_super_resolver,
)

# Measured on one core that computes bfloat16; only --minutes uses it.
STEPS_PER_MINUTE = {"denoise": 150, "eigenimage": 600, "super-resolve": 100}


def main() -> None:
    args = parse()
    torch.set_num_threads(args.threads)
    n_steps = args.steps or max(1, int(args.minutes * STEPS_PER_MINUTE[args.task]))
    schedule = Schedule(n_steps, args.rate, args.seed)
    command = describe(args, n_steps)
    start, losses = time.monotonic(), []

    def report(step: int, value: float) -> None:
        losses.append(value)
        if (step + 1) % 50 == 0:
            recent = sum(losses[-50:]) / len(losses[-50:])
            passed = time.monotonic() - start
            print(f"step {step + 1}/{n_steps}  loss {recent:.4f}  {passed:.0f} s", flush=True)

    if args.task == "denoise":
        path = make_denoiser(args.out, schedule, command, report, args.start_from)
    elif args.task == "eigenimage":
        path = make_eigenimage_denoiser(args.out, schedule, command, report, args.start_from)
    else:
        path = make_super_resolver(
            args.out, args.scale, schedule, command, report, args.start_from, args.loudest
        )
    print(path)


def describe(args: argparse.Namespace, n_steps: int) -> str:
    """Return the command that makes the same weights anywhere."""
    words = ["python scripts/train_weights.py", args.task]
    if args.task == "super-resolve":
        words.append(f"--scale {args.scale} --loudest {args.loudest:g}")
    words.append(f"--steps {n_steps} --rate {args.rate:g} --seed {args.seed}")
    if args.start_from:
        words.append(f"--start-from {args.start_from.name}")
    return " ".join([*words, "--out FOLDER"])


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", choices=["denoise", "eigenimage", "super-resolve"])
    parser.add_argument("--scale", type=int, choices=[2, 3, 4], default=2)
    parser.add_argument("--steps", type=int, help="batches; the same number gives the same weights")
    parser.add_argument(
        "--minutes", type=float, default=10.0, help="about how long, without --steps"
    )
    parser.add_argument("--rate", type=float, default=1e-3, help="highest learning rate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--loudest", type=float, default=1.0, help="noisiest cube (in its std)")
    parser.add_argument("--start-from", type=Path, help="weights of this or another scale")
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
