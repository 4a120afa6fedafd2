"""Cubes and folders that many tests use."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_deeper import RamanCube

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture
def small_cube() -> RamanCube:
    """A 9 x 7 cube of two bands on a sloping ground, with noise, on a non-uniform axis."""
    rng = np.random.default_rng(3)
    axis = np.linspace(600, 1800, 120) + np.linspace(0, 6, 120) ** 2 / 8
    bands = np.exp(-(((axis - np.array([[1004], [1450]])) / 14) ** 2))
    amounts = rng.uniform(0.2, 1, (9, 7, 2))
    clean = 100 * amounts @ bands + 20
    noisy = clean + rng.normal(0, 4, clean.shape)
    return RamanCube(noisy, axis, (0.5, 0.5), origin=(3.0, -2.0), metadata={"name": "small"})


@pytest.fixture
def thp1_path() -> Path:
    """The measured THP-1 cell; skips where the measured data are absent."""
    found = sorted((SHARED / "thp1").glob("*.mat"))
    if not found:
        pytest.skip("the measured THP-1 cell is not beside this checkout (../shared/data/thp1)")
    return found[0]
