"""Cubes to time work on."""

from __future__ import annotations

import numpy as np

import napari_deeper as nd


def make_cube(n_yx: int, n_channels: int, seed: int = 0) -> nd.RamanCube:
    """Return noise on two bands and a ground, on an axis as uneven as a grating's."""
    rng = np.random.default_rng(seed)
    axis = np.linspace(600, 1800, n_channels) + np.linspace(0, 4, n_channels) ** 2
    bands = sum(np.exp(-(((axis - center) / 12) ** 2)) for center in (1004, 1450))
    amount = rng.uniform(0, 40, (n_yx, n_yx, 1))
    noise = rng.standard_normal((n_yx, n_yx, n_channels), np.float32)
    name = {"name": f"cell {seed}", "dwell_time_s": 0.1}
    return nd.RamanCube(100 + amount * bands + 5 * noise, axis, (0.5, 0.5), metadata=name)
