"""Which files are worked on in parts, because memory does not hold them with what a verb needs beside."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_deeper.io.zarr_rows import StoredCube, open_stored
from napari_deeper.spectra.cube import RamanCube

# Cubes larger than this stream; below, one go in memory is quicker.
STREAM_FROM_BYTES = 512 * 2**20
# A sample is so many blocks along each side, of so many pixels a side.
_N_BLOCKS, _BLOCK = 4, 16


def large_store(source: Path, target: Path, growth: int = 1) -> StoredCube | None:
    """Return the source if it is a store of ours and it or its result is large; the result must be a store too.

    Parameters
    ----------
    source, target
        The files.
    growth
        How many times the values of the source the result has.
    """
    if source.suffix.lower() != ".zarr" or target.suffix.lower() != ".zarr":
        return None
    stored = open_stored(source)
    if stored is None or not is_large(stored.shape, growth):
        return None
    return stored


def is_large(shape: tuple[int, int, int], growth: int = 1) -> bool:
    """Tell whether a cube (y, x, channel), or a result ``growth`` times as large, is worked on in parts."""
    return 4 * math.prod(shape) * growth >= STREAM_FROM_BYTES


def sample_of(stored: StoredCube) -> RamanCube:
    """Return blocks of pixels spread over a stored cube, one below the other, as a cube that stands for it."""
    sides = [
        np.linspace(0, max(0, n - _BLOCK), min(_N_BLOCKS, max(1, n // _BLOCK))).astype(int)
        for n in stored.shape[:2]
    ]
    blocks = [
        stored.read((slice(y, y + _BLOCK), slice(x, x + _BLOCK)))
        for y in sides[0]
        for x in sides[1]
    ]
    return RamanCube.from_header(np.concatenate(blocks), stored.header)


def input_of(
    source: Path, target: Path, reading: Mapping[str, Any] | None, growth: int = 1
) -> tuple[StoredCube | None, dict[str, Any]]:
    """Return the source as a large store, or None, and the keywords of `napari_deeper.read` that were given."""
    given = {key: value for key, value in (reading or {}).items() if value is not None}
    if given:
        return None, given
    return large_store(source, target, growth), given
