"""Denoise the simulated cell, and judge each method against the same cell measured ten times longer.

Run with ``python examples/denoise_and_compare.py``.
"""

from __future__ import annotations

import numpy as np

import napari_deeper as nd
from napari_deeper.io.sample import simulated_cell


def main() -> None:
    noisy, long_exposure = simulated_cell("0.1s"), simulated_cell("1s")
    print(noisy)

    # Ten times the light is ten times the counts: compare on one scale.
    scale = np.vdot(noisy.intensity, long_exposure.intensity) / np.vdot(
        long_exposure.intensity, long_exposure.intensity
    )
    target = scale * long_exposure.intensity

    print(f"{'input':10} error {np.sqrt(np.mean((noisy.intensity - target) ** 2)):.4g}")
    for method in ("savgol", "pca", "low-rank"):
        clean = nd.denoise(noisy, method=method)
        error = np.sqrt(np.mean((clean.intensity - target) ** 2))
        print(f"{method:10} error {error:.4g}")


if __name__ == "__main__":
    main()
