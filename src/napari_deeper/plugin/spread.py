"""Lay cube layers side by side on the canvas, and back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import napari

_GAP = 0.06  # of the largest map


class Spread:
    """Moves layers, and what lies over them, on the canvas alone: the cubes keep their own place.

    Parameters
    ----------
    viewer
        The viewer.
    """

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = viewer
        self._before: dict[Any, NDArray[np.float64]] = {}  # where each cube layer lay

    def lay_out(self, cubes: Sequence[Any]) -> None:
        """Move these cube layers beside each other, in rows; layers made from one go with it."""
        self.restore()
        if not cubes:
            return
        cell = np.max([np.array(la.data.shape[-2:]) * la.scale[-2:] for la in cubes], axis=0)
        cell *= 1 + _GAP
        n_columns = math.ceil(math.sqrt(len(cubes)))
        first = np.array(cubes[0].translate[-2:], dtype=float)
        for i, cube in enumerate(cubes):
            self._before[cube] = np.array(cube.translate[-2:], dtype=float)
            self._move(cube, first + cell * np.array(divmod(i, n_columns)))

    def restore(self) -> None:
        """Put every layer back, also those made from one in the meantime."""
        before, self._before = self._before, {}
        for cube, place in before.items():
            self._move(cube, place)

    def _move(self, cube: Any, place: NDArray[np.float64]) -> None:
        step = place - cube.translate[-2:]
        for layer in list(self._viewer.layers):
            if layer is cube:
                layer.translate = (*layer.translate[:-2], *place)
            elif _made_from(layer, cube):
                layer.translate = (*layer.translate[:-2], *(layer.translate[-2:] + step))


def _made_from(layer: Any, cube: Any) -> bool:
    """Tell whether a layer names the cube layer as its source (a heatmap, a component, a map of trust)."""
    return any(value is cube for value in layer.metadata.values())
