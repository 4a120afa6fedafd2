"""Make a cube of your own numbers, super-resolve it, save it, and read it back with its history.

Run with ``python examples/from_array_to_file.py``.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

import napari_deeper as nd


def main() -> None:
    wavenumber = np.linspace(600, 1800, 240)  # cm-1
    y, x = np.mgrid[:16, :16]
    droplet = np.exp(-((y - 6) ** 2 + (x - 9) ** 2) / 12)
    lipid = np.exp(-(((wavenumber - 1440) / 12) ** 2)) + 0.6 * np.exp(
        -(((wavenumber - 1300) / 12) ** 2)
    )
    noise = np.random.default_rng(1).normal(0, 0.05, (16, 16, 240))
    intensity = droplet[..., np.newaxis] * lipid + noise  # (y, x, channel)

    cube = nd.RamanCube(intensity, wavenumber, pixel_size=(0.5, 0.5), metadata={"name": "droplet"})
    fine = nd.super_resolve(nd.denoise(cube, method="low-rank"), scale=2, method="bilinear")

    with tempfile.TemporaryDirectory() as folder:
        back = nd.read(nd.write(fine, Path(folder) / "droplet_2x.zarr"))
        print(back)
        for step in back.provenance:
            print("-", step.verb, dict(step.params))


if __name__ == "__main__":
    main()
