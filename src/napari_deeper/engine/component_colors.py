"""Abundances as colors: limits that maps share, and the composite of all components."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Maps = NDArray[np.float32]
BLACK = "#000000"


def shared_limits(maps: Sequence[Maps], percentile: float = 99.5) -> NDArray[np.float64]:
    """Return the abundance (endmember,) that is shown at full color, the same for all maps.

    Parameters
    ----------
    maps
        (y, x, endmember) each; NaN is passed over.
    percentile
        Of the abundances of all maps, so that a few bright pixels do not decide.
    """
    flat = np.concatenate([m.reshape(-1, m.shape[-1]) for m in maps]).astype(np.float64)
    flat = flat[np.isfinite(flat).all(axis=1)]
    if not len(flat):
        return np.ones(maps[0].shape[-1])
    limits = np.percentile(flat, percentile, axis=0)
    # a component of a few pixels: nearly all are zero
    limits = np.where(limits > 0, limits, flat.max(axis=0))
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
    known = np.isfinite(abundances).all(axis=-1)
    parts = np.clip(np.nan_to_num(abundances) / limits, 0, 1) ** gamma
    mixed = np.clip(parts @ np.array([rgb(color) for color in colors]), 0, 1)
    out = np.zeros((*abundances.shape[:2], 4), np.uint8)
    out[..., :3] = np.rint(255 * mixed)
    out[..., 3] = np.where(known, 255, 0)
    out[~known] = 0
    return out


def rgb(color: str) -> tuple[float, float, float]:
    """Return a color ``#rrggbb`` as three numbers from 0 to 1."""
    red, green, blue = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue
