"""Abundances as colors: limits that maps share, and the composite of all components."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Maps = NDArray[np.float32]
BLACK = "#000000"
# Pixels that are mixed at once: their products take many times the memory of the picture.
_BLOCK = 2**18


def shared_limits(maps: Sequence[Maps], percentile: float = 99.5) -> NDArray[np.float64]:
    """Return the abundance (endmember,) that is shown at full color, the same for all maps.

    Parameters
    ----------
    maps
        (y, x, endmember) each; NaN is passed over.
    percentile
        Of the abundances of all maps, so that a few bright pixels do not decide.
    """
    flat = [m.reshape(-1, m.shape[-1]) for m in maps]
    known = [np.isfinite(each).all(axis=1) for each in flat]
    if not any(each.any() for each in known):
        return np.ones(maps[0].shape[-1])
    limits = np.ones(maps[0].shape[-1])
    for i in range(len(limits)):  # one after the other: maps may have millions of pixels
        pairs = zip(flat, known, strict=True)
        values = np.concatenate([each[some, i] for each, some in pairs]).astype(np.float64)
        # of a component of a few pixels nearly all are zero
        highest = np.percentile(values, percentile)
        limits[i] = highest if highest > 0 else values.max()
    return np.where(limits > 0, limits, 1.0)


def composite(
    abundances: Maps, colors: Sequence[str], limits: NDArray[np.float64], gamma: float = 1.0
) -> NDArray[np.uint8]:
    """Return (y, x, 4): the colors of the components added up, as bright as each pixel holds of them.

    Pixels that were not measured are transparent.

    Parameters
    ----------
    abundances
        (y, x, endmember).
    colors
        ``#rrggbb`` of each; black leaves a component dark.
    limits
        (endmember,), the abundance at which a component has its full color.
    """
    full = np.array([rgb(color) for color in colors])
    flat = abundances.reshape(-1, abundances.shape[-1])
    out = np.zeros((len(flat), 4), np.uint8)
    for start in range(0, len(flat), _BLOCK):
        block = flat[start : start + _BLOCK]
        known = np.isfinite(block).all(axis=1)
        parts = np.clip(block[known] / limits, 0, 1) ** gamma
        mixed = np.clip(parts @ full, 0, 1)
        out[start : start + _BLOCK][known] = np.c_[np.rint(255 * mixed), np.full(len(mixed), 255)]
    return out.reshape(*abundances.shape[:2], 4)


def rgb(color: str) -> tuple[float, float, float]:
    """Return a color ``#rrggbb`` as three numbers from 0 to 1."""
    red, green, blue = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue
