"""Cubes and random weights for the tests of the engine."""

import numpy as np
import torch

from napari_deeper.spectra.cube import RamanCube

MODEL_AXIS = np.linspace(600, 1800, 100)


def band_cube(shape=(8, 9), axis=None, seed=0, noise=0.02, **fields):
    """Return a cube of three components with bands, noise added."""
    rng = np.random.default_rng(seed)
    axis = MODEL_AXIS if axis is None else axis
    centers = rng.uniform(600, 1800, (3, 5, 1))
    parts = np.exp(-((axis - centers) ** 2) / 2 / 25**2).sum(axis=1)
    abundance = rng.random((*shape, 3))
    intensity = abundance @ parts + rng.normal(0, noise, (*shape, axis.size))
    return RamanCube(intensity, axis, **fields)


def randomize(model, seed=0):
    """Give every weight a random value; some start at zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in model.parameters():
            tensor.add_(0.05 * torch.randn(tensor.shape, generator=generator))
    return model
