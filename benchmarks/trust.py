"""Measure what `denoise` with ``auto`` loses and what it invents.

Run as ``python benchmarks/trust.py [--quick]``; prints Markdown, row by row.

*No loss*: narrow bands (8-12 cm-1 wide, at any place, 5-10 times as high as the noise is there) are put
into one, three or five neighboring pixels of a map, noise is added, and the height in the result is
compared with the height put in. Measured maps are denoised first and then taken for the truth.

*No invention*: maps of nothing but noise about one level. A spectrum counts where any of its channels
is more than three of its own sigmas off the median of that spectrum.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from measured_maps import measured_map
from numpy.typing import NDArray
from simulated_cells import SEEDS, expose

import napari_deeper as nd
from napari_deeper.simulate.instrument import Instrument

Array = NDArray[np.float64]
Measure = Callable[[Array, np.random.Generator], Array]

AROUND = {
    1: ((0, 0),),
    3: ((0, 0), (0, 1), (1, 0)),
    5: ((0, 0), (0, 1), (1, 0), (1, 1), (0, -1)),
}
LEVEL = 0.1  # of the 95th percentile of the pixels' maxima
PHOTONS = (0.1, 0.5, 2.0, 30.0)


@dataclass(frozen=True, eq=False)
class Case:
    """A truth (y, x, channel), what measures it, and the noise of each intensity."""

    name: str
    truth: Array
    wavenumber: Array
    measure: Measure
    sigma: Array


def white(name: str, cube: nd.RamanCube) -> Case:
    truth = cube.intensity.astype(float)
    sigma = LEVEL * float(np.percentile(truth.max(axis=2), 95))
    return Case(
        f"{name}, white {LEVEL}",
        truth,
        cube.wavenumber,
        lambda clean, rng: clean + rng.normal(0, sigma, clean.shape),
        np.full(truth.shape, sigma),
    )


def poisson(name: str, cube: nd.RamanCube) -> Case:
    """Return the case of shot noise that is as strong as white noise on average."""
    truth = np.maximum(cube.intensity.astype(float), 0)
    unit = (LEVEL * float(np.percentile(truth.max(axis=2), 95))) ** 2 / truth.mean()
    return Case(
        f"{name}, poisson {LEVEL} ({truth.mean() / unit:.1f} photons per channel)",
        truth,
        cube.wavenumber,
        lambda clean, rng: unit * rng.poisson(clean / unit),
        np.sqrt(unit * np.maximum(truth, 0.02 * truth.mean())),
    )


def exposed(seed: int) -> Case:
    clean, read = expose(seed).clean, Instrument().read_noise
    truth = clean.intensity.astype(float)
    return Case(
        f"cell {seed}, 0.1 s",
        truth,
        clean.wavenumber,
        lambda mean, rng: np.rint(rng.poisson(mean) + rng.normal(0, read, mean.shape)),
        np.sqrt(truth + read**2),
    )


def cases() -> Iterator[Case]:
    for name in ("THP-1", "bladder"):
        try:
            clean = nd.denoise(measured_map(name))
        except FileNotFoundError as error:
            print(f"{error} Left out.")
            continue
        yield white(name, clean)
        yield poisson(name, clean)
    for seed in SEEDS:
        yield exposed(seed)


def kept_heights(case: Case, n_pixels: int, n_bands: int, seed: int = 0) -> Array:
    """Return what is left of the height of each band in each pixel, as a part of it."""
    rng = np.random.default_rng(seed)
    n_y, n_x, n_channels = case.truth.shape
    more, places = np.zeros_like(case.truth), []
    for _ in range(n_bands):
        y, x = int(rng.integers(1, n_y - 2)), int(rng.integers(1, n_x - 2))
        channel, times = int(rng.integers(12, n_channels - 12)), rng.uniform(5, 10)
        width = rng.uniform(8, 12) / 2.355
        band = np.exp(-((case.wavenumber - case.wavenumber[channel]) ** 2) / 2 / width**2)
        for dy, dx in AROUND[n_pixels]:
            height = times * case.sigma[y + dy, x + dx, channel]
            more[y + dy, x + dx] += height * band
            places.append((y + dy, x + dx, channel, height))
    noisy = nd.RamanCube(case.measure(case.truth + more, rng), case.wavenumber)
    result = nd.denoise(noisy).intensity
    kept = [(result[y, x, c] - case.truth[y, x, c]) / height for y, x, c, height in places]
    return np.array(kept)


def invented(shape: tuple[int, int, int], photons: float | None, seed: int) -> float:
    """Return the part of the spectra of pure noise with a feature above three sigmas."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(5, 1, shape) if photons is None else rng.poisson(photons, shape)
    result = nd.denoise(nd.RamanCube(noise, np.linspace(600, 1800, shape[2])))
    if result.uncertainty is None:
        return float("nan")
    off = np.abs(result.intensity - np.median(result.intensity, axis=2, keepdims=True))
    return float((off > 3 * result.uncertainty).any(axis=2).mean())


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one simulated cell, one small map")
    quick = parser.parse_args(arguments).quick
    print(
        "| map | pixels | median height kept | 5th percentile | keep 80 % |\n|---|---|---|---|---|"
    )
    for case in [exposed(SEEDS[0])] if quick else cases():
        for n_pixels in (1,) if quick else AROUND:
            n_bands = max(2, case.truth.shape[0] * case.truth.shape[1] // 60)
            kept = kept_heights(case, n_pixels, min(n_bands, 30))
            low, middle = np.quantile(kept, [0.05, 0.5])
            share = np.mean(kept >= 0.8)
            print(
                f"| {case.name} | {n_pixels} | {middle:.2f} | {low:.2f} | {share:.0%} |", flush=True
            )
    print("\n| pure noise | map | spectra with a feature above 3 sigma |\n|---|---|---|")
    sizes = ((8, 8, 120),) if quick else ((8, 8, 500), (24, 24, 120), (40, 40, 500), (64, 64, 500))
    for photons in (None, *PHOTONS):
        for shape in sizes:
            n_maps = 1 if quick else 8 if shape[0] == 8 else 2
            share = np.mean([invented(shape, photons, seed) for seed in range(n_maps)])
            kind = "white" if photons is None else f"poisson, {photons:g} photons"
            size = " x ".join(map(str, shape))
            print(f"| {kind} | {size}, {n_maps} times | {share:.1%} |", flush=True)


if __name__ == "__main__":
    main()
