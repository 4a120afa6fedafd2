"""Whether two images of one field lie over each other."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Shift:
    """How one image should be moved to lie over another.

    Parameters
    ----------
    pixels
        (y, x), whole pixels.
    correlation, as_it_is
        Of the images where they overlap, after and before the move; 0 where one is uniform.
    """

    pixels: tuple[int, int]
    correlation: float
    as_it_is: float


def find_shift(
    image: NDArray[np.floating], reference: NDArray[np.floating], reach: int = 3
) -> Shift:
    """Find the move, in whole pixels, after which an image correlates best with another.

    Parameters
    ----------
    image, reference
        (y, x), of one shape.
    reach
        Largest move along each axis; at least half of each axis always stays in view.
    """
    n_y, n_x = reference.shape
    reach_y, reach_x = min(reach, n_y // 2), min(reach, n_x // 2)
    moves = list(product(range(-reach_y, reach_y + 1), range(-reach_x, reach_x + 1)))
    # the smallest move first, so that it wins a tie
    moves.sort(key=lambda move: move[0] ** 2 + move[1] ** 2)
    found = {move: _correlate(image, reference, *move) for move in moves}
    best = max(moves, key=lambda move: found[move])
    return Shift(best, found[best], found[0, 0])


def _correlate(
    image: NDArray[np.floating], reference: NDArray[np.floating], dy: int, dx: int
) -> float:
    n_y, n_x = reference.shape
    a = image[max(0, -dy) : n_y - max(0, dy), max(0, -dx) : n_x - max(0, dx)].astype(np.float64)
    b = reference[max(0, dy) : n_y + min(0, dy), max(0, dx) : n_x + min(0, dx)].astype(np.float64)
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt(np.sum(a**2) * np.sum(b**2)))
    return float(np.sum(a * b)) / size if size > 0 else 0.0
