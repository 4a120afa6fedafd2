"""Repeat RamanSPy's example "AI-based denoising" on the measured THP-1 cell.

Run as ``python benchmarks/outside_benchmark.py [FILE]``; prints Markdown.

The recipe, found by repeating its known figures: each spectrum is scaled to 0..1, which is the
target; noise of standard deviation 0.15 is added and the sum scaled to 0..1 once more, which is the
input. Both are compared with the target by the mean squared error and the spectral angle, each
averaged over the 1600 spectra. Savitzky-Golay "(3, 9)" is order 3 in a window of 9.

The example compares the output *as it is*. That is only fair to a network that was trained to undo
the second scaling, which lifts the ground of every noisy spectrum to about one half: no linear
filter of the input can. So outputs are compared scaled to 0..1 again too, and figures with and
without that must never be put side by side.

Scaling by the extremes rewards an output for keeping noise: the target's own noise moves its extremes,
so the ground of a noise-free output comes to lie below the target's. The last column is free of
that: each output spectrum is scaled and shifted to fit its target by least squares.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import napari_deeper as nd
from napari_deeper.processing import metrics, smoothing, tuned
from napari_deeper.spectra.errors import DeeperError

Array = NDArray[np.float64]

SEED = 19
SIGMA = 0.15
METHODS = ("auto", "resunet", "low-rank", "pca", "savgol", "wavelet")
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@dataclass(frozen=True)
class Score:
    """MSE and spectral angle (rad) of the output as it is, scaled to 0..1 again, and fitted."""

    method: str
    mse: float
    angle: float
    mse_rescaled: float
    angle_rescaled: float
    mse_fitted: float


def min_max(spectra: Array) -> Array:
    """Scale each spectrum to 0..1."""
    low = spectra.min(axis=-1, keepdims=True)
    return (spectra - low) / np.ptp(spectra, axis=-1)[..., None]


def make_pair(cube: nd.RamanCube, seed: int = SEED) -> tuple[Array, Array]:
    """Return input and target (pixel, channel), row by row."""
    target = min_max(cube.spectra.astype(np.float64))
    # numpy's old generator, as the known figures were made with
    noise = np.random.RandomState(seed).normal(0, SIGMA, target.shape)
    return min_max(target + noise), target


def fit(output: Array, target: Array) -> Array:
    """Scale and shift each spectrum to come as near to its target as it can."""
    about = output - output.mean(axis=-1, keepdims=True)
    mean = target.mean(axis=-1, keepdims=True)
    power = np.maximum((about**2).sum(axis=-1, keepdims=True), 1e-12)
    return about * ((about * (target - mean)).sum(axis=-1, keepdims=True) / power) + mean


def score(method: str, output: Array, target: Array) -> Score:
    again = min_max(output)
    return Score(
        method,
        metrics.mse(output, target),
        float(metrics.spectral_angle(output, target).mean()),
        metrics.mse(again, target),
        float(metrics.spectral_angle(again, target).mean()),
        metrics.mse(fit(output, target), target),
    )


def ramanspy_benchmark(
    cube: nd.RamanCube, methods: tuple[str, ...] = METHODS, seed: int = SEED
) -> list[Score]:
    """Return the scores of the input, of SG (3, 9), of tuned comparators, and of our methods.

    The comparators are tuned for the rescaled MSE, on the target.
    """
    noisy, target = make_pair(cube, seed)
    source = nd.RamanCube(noisy.reshape(cube.shape), cube.wavenumber)
    found = [score("input", noisy, target)]
    plain = smoothing.savgol(source.spectra, 9, 3).astype(np.float64)
    found.append(score("SG (3, 9)", plain, target))
    for name in tuned.DENOISERS:
        best = tuned.tune(
            name, source.spectra, target.astype(np.float32), lambda s: min_max(s).astype(np.float32)
        )
        row = Score(f"{name}, tuned: {best.settings}", np.nan, np.nan, *_rescaled(best, target))
        found.append(row)
    for method in methods:
        clean = nd.denoise(source, method=method).spectra.astype(np.float64)
        found.append(score(method, clean, target))
    return found


def _rescaled(best: tuned.Tuned, target: Array) -> tuple[float, float, float]:
    angle = float(metrics.spectral_angle(best.intensity, target).mean())
    fitted = fit(best.intensity.astype(np.float64), target)
    return metrics.mse(best.intensity, target), angle, metrics.mse(fitted, target)


def to_markdown(scores: list[Score]) -> str:
    heads = ("method", "MSE", "angle", "MSE, rescaled", "angle, rescaled", "MSE, fitted")
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for s in scores:
        figures = (s.mse, s.angle, s.mse_rescaled, s.angle_rescaled, s.mse_fitted)
        cells = ["-" if np.isnan(f) else f"{f:.5f}" for f in figures]
        lines.append(f"| {s.method} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "file", nargs="?", type=Path, help="the map; default: the shared THP-1 cell"
    )
    path = parser.parse_args(arguments).file or next(DATA.glob("thp1/*.mat"), None)
    if path is None:
        raise SystemExit(f"No map: {DATA}/thp1 holds none. Give its path.")
    try:
        print(to_markdown(ramanspy_benchmark(nd.read(path))))
    except DeeperError as error:
        raise SystemExit(f"The benchmark stopped: {error}") from error


if __name__ == "__main__":
    main()
