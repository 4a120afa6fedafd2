"""Lay cube layers side by side on the canvas, and back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

_GAP = 0.06  # of the largest map


class Spread:
    """Moves layers, and what lies over them, on the canvas alone: the cubes keep their own place."""

    def __init__(self) -> None:
        self._before: dict[Any, tuple[float, ...]] = {}

    def lay_out(self, cubes: Sequence[Any], layers: Sequence[Any]) -> None:
        """Move these cube layers beside each other, in rows; layers made from one go with it."""
        self.restore()
        sides = [np.array(la.data.shape[-2:]) * la.scale[-2:] for la in cubes]
        if not sides:
            return
        cell = np.max(sides, axis=0) * (1 + _GAP)
        n_columns = math.ceil(math.sqrt(len(cubes)))
        first = np.asarray(cubes[0].translate[-2:], dtype=float)
        for i, cube in enumerate(cubes):
            place = first + cell * np.array(divmod(i, n_columns))
            step = place - cube.translate[-2:]
            for layer in layers:
                if layer is cube or _made_from(layer, cube):
                    self._move(layer, step)

    def _move(self, layer: Any, step: Any) -> None:
        if layer in self._before:
            return
        self._before[layer] = tuple(float(t) for t in layer.translate)
        moved = np.array(layer.translate, dtype=float)
        moved[-2:] += step
        layer.translate = moved

    def restore(self) -> None:
        """Put every layer back where it was."""
        before, self._before = self._before, {}
        for layer, translate in before.items():
            layer.translate = translate


def _made_from(layer: Any, cube: Any) -> bool:
    """Tell whether a layer names the cube layer as its source (a heatmap, a component, a map of trust)."""
    return any(value is cube for value in layer.metadata.values())
