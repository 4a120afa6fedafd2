"""Patches out of painted labels: those that lie mostly in one label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_deeper.processing.patch_grid import Corner, windows
from napari_deeper.spectra.errors import PatchError

LEAST_SHARE = 0.5


@dataclass(frozen=True)
class Labeled:
    """A place for a patch.

    Parameters
    ----------
    label
        The value painted there.
    corner
        (y, x) of its first pixel.
    share
        The part of its pixels that have this value.
    """

    label: int
    corner: Corner
    share: float


def patches_in_labels(
    labels: NDArray[np.integer],
    size: int,
    scale: int = 1,
    *,
    taken: Sequence[tuple[Corner, int]] = (),
    least: float = LEAST_SHARE,
) -> list[Labeled]:
    """Return patches that lie mostly in a label, none above another: the fullest first.

    Parameters
    ----------
    labels
        (y, x) on the pixels of the map; 0 is nothing.
    size, scale
        Of the patches.
    taken
        Corners and sizes of patches that are there already.
    least
        The part of a patch's pixels that must have the value.

    Raises
    ------
    PatchError
        If nothing is painted, or no label fills enough of any patch.
    """
    shape = (labels.shape[0], labels.shape[1])
    values = [int(v) for v in np.unique(labels) if v]
    if not values:
        raise PatchError("Nothing is painted over this map. Paint where the patches should lie.")
    corners = windows(shape, size, scale, scale)
    shares = {v: _shares(labels == v, corners, size) for v in values}
    # fullest first; a tie goes to the first row, then the first column
    order = sorted(
        ((-share, i, v) for v in values for i, share in enumerate(shares[v]) if share >= least),
    )
    found: list[Labeled] = []
    blocked = [(*corner, other) for corner, other in taken]
    for negative, i, value in order:
        corner = corners[i]
        if any(_share_pixels(corner, size, y, x, other) for y, x, other in blocked):
            continue
        blocked.append((*corner, size))
        found.append(Labeled(value, corner, -negative))
    if not found and not taken:
        most = max((float(s.max()) for s in shares.values() if s.size), default=0.0)
        raise PatchError(
            f"No patch of {size} x {size} pixels lies mostly in a label: {100 * most:.0f} % at the most. "
            "Paint larger areas, or choose a smaller patch size."
        )
    return found


def _share_pixels(corner: Corner, size: int, y: int, x: int, other: int) -> bool:
    above = corner[0] < y + other and y < corner[0] + size
    return above and corner[1] < x + other and x < corner[1] + size


def _shares(mask: NDArray[np.bool_], corners: Sequence[Corner], size: int) -> NDArray[np.float64]:
    """Return the part of each window that is in the mask."""
    sums = window_sums(mask[..., None].astype(np.float64), corners, size)
    return np.asarray(sums[:, 0] / size**2)


def window_sums(
    values: NDArray[np.floating], corners: Sequence[Corner], size: int
) -> NDArray[np.float64]:
    """Return the sums (window, k) of values (y, x, k) over square windows, each in constant time."""
    y, x, k = values.shape
    total = np.zeros((y + 1, x + 1, k))
    total[1:, 1:] = values.cumsum(axis=0, dtype=np.float64).cumsum(axis=1)
    at = np.array(list(corners), dtype=int).reshape(-1, 2)
    top, left = at[:, 0], at[:, 1]
    down, right = top + size, left + size
    found = total[down, right] - total[top, right] - total[down, left] + total[top, left]
    return np.asarray(found)
