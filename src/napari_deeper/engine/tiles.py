"""Cut a big image into overlapping tiles whose results blend without a seam."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Weight = NDArray[np.float32]

OVERLAP = 16


@dataclass(frozen=True)
class Tile:
    """A part of an image and what it counts for.

    Parameters
    ----------
    y, x
        Measured pixels of the tile.
    y_weight, x_weight
        (fine y,) and (fine x,), whose products are the weights.
    """

    y: slice
    x: slice
    y_weight: Weight
    x_weight: Weight

    @property
    def weight(self) -> Weight:
        """(fine y, fine x, 1): over all tiles, the weights of each fine pixel sum to 1."""
        return (self.y_weight[:, None] * self.x_weight)[..., None]

    def fine(self, scale: int) -> tuple[slice, slice]:
        """Return the tile's place in an image of ``scale`` times the pixels."""
        return (
            slice(self.y.start * scale, self.y.stop * scale),
            slice(self.x.start * scale, self.x.stop * scale),
        )


def cut(n_y: int, n_x: int, size: int, scale: int, overlap: int = OVERLAP) -> list[Tile]:
    """Cut an image of (n_y, n_x) measured pixels; one that fits in a tile stays whole.

    Parameters
    ----------
    n_y, n_x
        Measured pixels.
    size
        Longest side of a tile in measured pixels.
    scale
        Fine pixels per measured pixel.
    overlap
        Measured pixels that neighboring tiles share at least (at most half a tile).
    """
    rows = _spans(n_y, size, overlap, scale)
    columns = _spans(n_x, size, overlap, scale)
    return [Tile(y, x, wy, wx) for y, wy in rows for x, wx in columns]


def _spans(n: int, size: int, overlap: int, scale: int) -> list[tuple[slice, Weight]]:
    """Return evenly spread intervals of one axis with their fine weights."""
    if n <= size:
        return [(slice(0, n), np.ones(n * scale, np.float32))]
    overlap = min(overlap, size // 2)
    n_tiles = -(-(n - overlap) // (size - overlap))
    starts = np.round(np.linspace(0, n - size, n_tiles)).astype(int)
    ramps = []
    total = np.zeros(n * scale)
    for start in starts:
        ramp = _ramp(size * scale, overlap * scale, start > 0, start < n - size)
        total[start * scale : (start + size) * scale] += ramp
        ramps.append(ramp)
    spans = []
    for start, ramp in zip(starts, ramps, strict=True):
        share = ramp / total[start * scale : (start + size) * scale]
        spans.append((slice(int(start), int(start) + size), share.astype(np.float32)))
    return spans


def _ramp(length: int, overlap: int, from_left: bool, to_right: bool) -> NDArray[np.float64]:
    """Return weights that rise and fall over the middle quarter of the overlap.

    Further out they count for next to nothing: there the network sees the tile's edge.
    """
    place = np.arange(length) + 0.5
    rise = np.clip((place - 3 * overlap / 8) / max(overlap / 4, 1), 1e-6, 1)
    weight = np.ones(length)
    if from_left:
        weight *= rise
    if to_right:
        weight *= rise[::-1]
    return weight
