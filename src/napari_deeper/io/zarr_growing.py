"""New cubes as Zarr, tile by tile, for cubes that memory does not hold; what was begun can be gone on with."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.io.contents import TRUST
from napari_deeper.io.ome_zarr import multiscale
from napari_deeper.io.write import replacing
from napari_deeper.io.zarr_rows import Tile
from napari_deeper.io.zarr_store import (
    ATTRIBUTE,
    CHUNK,
    FULL,
    LISTED,
    halved,
    n_levels,
    new_array,
)
from napari_deeper.spectra.cube import RamanCube

# In the attributes of a store that is not complete: how many levels are.
_LEVELS = "complete_levels"


def _ignore(fraction: float) -> None:
    """Report to nobody."""


class GrowingStore:
    """A cube in our layout that is filled tile by tile, in any order.

    Parameters
    ----------
    path
        The folder: a new one, or one that was begun with the same shape.
    shape
        (y, x, channel).
    beside
        Which of ``"uncertainty"`` (y, x, channel) and ``"flagged"`` (y, x) lie beside the intensities.
    """

    def __init__(self, path: Path, shape: tuple[int, int, int], beside: Sequence[str] = ()) -> None:
        import zarr

        n_y, n_x, n_channels = self.shape = shape
        self._group: Any = zarr.open_group(path, mode="a", zarr_format=3)
        self._arrays: dict[str, Any] = {}
        for name in (FULL, *(name for name in TRUST if name in beside)):
            flat = name == "flagged"
            whole = (n_y, n_x) if flat else (n_channels, n_y, n_x)
            if name in self._group:  # how it is to be written is not kept in the store
                array: Any = self._group[name]
                array = array.with_config({"write_empty_chunks": True})
            else:
                array = new_array(self._group, name, whole, bool if flat else np.float32)
            self._arrays[name] = array

    def put(self, tile: Tile, values: NDArray[Any], name: str = FULL) -> None:
        """Write a tile of whole chunks: (y, x, channel), or (y, x) of the flags."""
        if values.ndim == 3:
            self._arrays[name][:, tile[0], tile[1]] = np.moveaxis(values, 2, 0)
        else:
            self._arrays[name][tile] = values

    def count_flags(self) -> int:
        """Count the pixels that are flagged."""
        flags = self._arrays["flagged"]
        return sum(int(flags[y : y + CHUNK[1]].sum()) for y in range(0, flags.shape[0], CHUNK[1]))

    def finish(self, header: dict[str, Any], on_level: Callable[[float], None] = _ignore) -> None:
        """Add the levels and the header, once all tiles are there; ``on_level`` is told the part done."""
        plain = json.loads(json.dumps(header))
        place = RamanCube.from_header(np.zeros((1, 1, self.shape[2])), plain)
        levels = n_levels(self.shape)
        for level in range(int(self._group.attrs.get(_LEVELS, 1)), levels):
            # each level has a quarter of the pixels of the one before
            start, stop = 1 - 4.0 ** (1 - level), 1 - 4.0**-level
            _halve_into(self._group, level, partial(_within, on_level, start, stop))
            self._group.attrs[_LEVELS] = level + 1
        attributes = {
            "ome": multiscale(place, levels),
            ATTRIBUTE: plain | {LISTED: [*self._arrays]},
        }
        self._group.attrs.put(attributes)


@contextmanager
def new_stored(
    path: Path, shape: tuple[int, int, int], *, overwrite: bool
) -> Iterator[GrowingStore]:
    """Write a cube tile by tile; it takes its name once it is complete, and leaves nothing if that fails."""
    with replacing(path, overwrite=overwrite) as temporary:
        yield GrowingStore(temporary, shape)


def _within(told: Callable[[float], None], start: float, stop: float, fraction: float) -> None:
    told(start + (stop - start) * fraction)


def _halve_into(group: Any, level: int, on_part: Callable[[float], None]) -> None:
    """Write a level from the one before, a chunk of it at a time."""
    fine = group[str(level - 1)]
    n_channels, n_y, n_x = fine.shape
    shape = (n_channels, -(-n_y // 2), -(-n_x // 2))
    if str(level) in group:  # begun, and not complete
        del group[str(level)]
    coarse = new_array(group, str(level), shape, np.float32)
    for y in range(0, shape[1], CHUNK[1]):
        on_part(y / shape[1])
        for x in range(0, shape[2], CHUNK[2]):
            rows, columns = slice(2 * y, 2 * (y + CHUNK[1])), slice(2 * x, 2 * (x + CHUNK[2]))
            part = halved(np.asarray(fine[:, rows, columns]))
            coarse[:, y : y + CHUNK[1], x : x + CHUNK[2]] = part
