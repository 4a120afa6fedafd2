"""Even places along one coordinate, found among places in any order and with jitter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

# In steps: what passes for jitter of the stage, and what is still fitted.
JITTER = 0.1
LOOSE = 0.3
# Cells of a grid for each point that was measured, beyond which the points are taken as scattered.
CELLS_PER_POINT = 16
_MOST_STEPS = 20_000
# Chance at which as many scattered points would fit some grid as well.
_CHANCE = 0.02
_SAMPLE = 512


@dataclass(frozen=True)
class Lattice:
    """Places ``start + index * step``.

    Parameters
    ----------
    index
        (point,), counted from 0.
    start, step
        In the unit of the points.
    deviation
        (point,), how far from its place each point is, in steps.
    """

    index: NDArray[np.intp]
    start: float
    step: float
    deviation: Values

    @property
    def size(self) -> int:
        """Number of places from the first to the last."""
        return int(self.index.max()) + 1

    @property
    def worst(self) -> float:
        """The largest distance of a point from its place, in steps."""
        return float(np.abs(self.deviation).max())


def find_lattice(values: Values) -> Lattice | None:
    """Return the coarsest even places near which all values are, or None if there are none."""
    span = float(np.ptp(values))
    if span <= 0:
        return None
    most = min(_MOST_STEPS, CELLS_PER_POINT * values.size)
    sample = values if values.size <= _SAMPLE else values[:: -(-values.size // _SAMPLE)]
    low = float(values.min())
    best: Lattice | None = None
    for first in range(1, most + 1, 64):
        counts = np.arange(first, min(first + 64, most + 1))
        # Values near multiples of span / count have one phase; the length of their mean tells.
        phases = np.exp(2j * np.pi * counts[:, None] * ((sample - low) / span)).mean(axis=1)
        for count, phase in zip(counts, phases, strict=True):
            if abs(phase) < 0.3:
                continue
            found = _fit(values, low, span / count, float(np.angle(phase)) / (2 * np.pi))
            if found is None or not _is_telling(found):
                continue
            if found.worst <= JITTER:
                return found
            if best is None or _spread(found) < _spread(best):
                best = found
    return best


def _spread(lattice: Lattice) -> float:
    return float((lattice.deviation**2).mean())


def _is_telling(lattice: Lattice) -> bool:
    """Tell whether scattered points would seldom fit so well: two always do."""
    free = np.unique(lattice.index + lattice.deviation).size - 2
    return free <= 0 or (lattice.size - 1) ** 2 * (2 * lattice.worst) ** free < _CHANCE


def _fit(values: Values, low: float, step: float, phase: float) -> Lattice | None:
    """Fit start and step by least squares to values whose nearest places are known."""
    index = np.rint((values - low) / step - phase)
    middle = index.mean()
    variance = ((index - middle) ** 2).mean()
    if variance == 0:
        return None
    step = float(((index - middle) * (values - values.mean())).mean() / variance)
    if step <= 0:
        return None
    start = float(values.mean() - step * middle) + step * float(index.min())
    places = (values - start) / step
    index = np.rint(places)
    deviation = places - index
    if index.min() != 0 or np.abs(deviation).max() > LOOSE:
        return None
    return Lattice(index.astype(np.intp), start, step, deviation)
