"""Simulated cubes of any size as Zarr stores, made block by block."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_deeper.io.zarr_growing import new_stored
from napari_deeper.io.zarr_rows import tile_size
from napari_deeper.spectra.cube import RamanCube

BANDS = ((785, 12, 40), (1004, 8, 60), (1450, 18, 90), (1660, 22, 50))  # cm-1, cm-1, counts


def axis_of(n_channels: int) -> NDArray[np.float64]:
    """Return (channel,) in cm-1, as uneven as a grating's."""
    return np.linspace(600, 1800, n_channels) + np.linspace(0, 4, n_channels) ** 2


def block_of(rows: slice, columns: slice, axis: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return counts (y, x, channel) of a place: bands whose amounts vary over the map, a ground, and shot noise."""
    y = np.arange(rows.start, rows.stop, dtype=np.float64)[:, None]
    x = np.arange(columns.start, columns.stop, dtype=np.float64)[None, :]
    spectra = np.stack([h * np.exp(-(((axis - at) / w) ** 2)) for at, w, h in BANDS])
    amounts = np.stack(
        [
            (1 + np.sin(y / (40 + 17 * i) + i) * np.cos(x / (55 + 11 * i) - i)) / 2
            for i in range(len(BANDS))
        ],
        axis=-1,
    )
    clean = (amounts @ spectra + 100).astype(np.float32)
    rng = np.random.default_rng((rows.start, columns.start))
    clean += np.sqrt(clean) * rng.standard_normal(clean.shape, np.float32)
    return clean


def make_store(path: Path, n_yx: int, n_channels: int) -> int:
    """Write a cube of (n_yx, n_yx, n_channels) float32 with its levels; return the bytes of its intensities."""
    axis = axis_of(n_channels)
    shape = (n_yx, n_yx, n_channels)
    height, width = (size.stop for size in tile_size(shape))
    with new_stored(path, shape, overwrite=True) as store:
        for top in range(0, n_yx, height):
            rows = slice(top, min(top + height, n_yx))
            for left in range(0, n_yx, width):
                columns = slice(left, min(left + width, n_yx))
                store.put((rows, columns), block_of(rows, columns, axis))
        place = RamanCube(
            np.zeros((1, 1, n_channels)), axis, (0.5, 0.5), metadata={"name": path.stem}
        )
        store.finish(place.header())
    return 4 * n_yx * n_yx * n_channels
