"""Go over a stored cube tile by tile, again and again, and keep what each part of a pass gave."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.engine.work_folder import WorkFolder
from napari_deeper.io.zarr_rows import StoredCube, Tile, pixels_of, tiles_of
from napari_deeper.processing.threads import in_threads
from napari_deeper.spectra.progress import Progress

Arrays = dict[str, NDArray[Any]]
Pixels = NDArray[np.intp]
Treat = Callable[[Tile], Arrays]
Join = Callable[[Arrays, Arrays], Arrays]

# So much of a cube is done again at most when a run that was stopped goes on.
PART_BYTES = 128 * 2**20


def parts_of(tiles: Sequence[Tile], n_channels: int) -> list[list[Tile]]:
    """Return tiles in order, as many together as `PART_BYTES` hold, the first being as large as any."""
    rows, columns = tiles[0]
    n_values = (rows.stop - rows.start) * (columns.stop - columns.start) * n_channels
    n_together = max(1, PART_BYTES // (4 * n_values))
    return [list(tiles[i : i + n_together]) for i in range(0, len(tiles), n_together)]


@dataclass(frozen=True)
class Parts:
    """What was made of parts of a cube, by name.

    Parameters
    ----------
    work
        The folder that they are kept in; None keeps nothing.
    prefix
        Of the names of this cube, where several share the folder.
    """

    work: WorkFolder | None = None
    prefix: str = ""

    def has(self, name: str) -> bool:
        """Tell whether a part was kept."""
        return self.work is not None and self.work.has(self._file(name))

    def load(self, name: str) -> Arrays:
        """Return a part that was kept."""
        assert self.work is not None
        return self.work.arrays(self._file(name))

    def save(self, name: str, arrays: Arrays) -> None:
        """Keep a part."""
        if self.work is not None:
            self.work.save_arrays(self._file(name), **arrays)

    def _file(self, name: str) -> str:
        return f"{self.prefix}{name}.npz"


class TilePasses:
    """Passes over a stored cube; memory holds a few tiles at a time.

    Parameters
    ----------
    stored
        The cube.
    parts
        Where those that are finished are kept.
    progress
        Gets reports, and may cancel between tiles.
    """

    def __init__(self, stored: StoredCube, parts: Parts, progress: Progress) -> None:
        self.stored = stored
        self._kept = parts
        self._rest = progress
        self._parts = parts_of(tiles_of(stored.shape), stored.shape[2])

    def pixels(self, tiles: Iterable[Tile]) -> Pixels:
        """Return the pixels of some tiles, counted along the rows of the map, tile after tile."""
        return np.concatenate([pixels_of(tile, self.stored.shape[1]) for tile in tiles])

    def spectra(self, tile: Tile) -> NDArray[np.float32]:
        """Return the spectra (pixel, channel) of a tile."""
        block = self.stored.read(tile)
        return block.reshape(-1, block.shape[2])

    def run(
        self,
        name: str,
        treat: Treat,
        join: Join,
        label: str,
        share: float,
    ) -> Iterator[tuple[Pixels, Arrays]]:
        """Yield the pixels of each part of the cube and what became of it, in the order of the map.

        Parameters
        ----------
        name
            Of the pass. What was kept under it is taken as it is, so it tells all that the outcome depends on.
        treat
            Makes arrays of a tile, in any thread.
        join
            Makes one of those of two neighbors.
        label
            What is done, for the user.
        share
            Part of what is left of the progress that this pass takes.
        """
        progress, self._rest = self._rest.part(0.0, share), self._rest.part(share, 1.0)
        names = [f"{name}-{i}" for i in range(len(self._parts))]
        todo = [part for part, n in zip(self._parts, names, strict=True) if not self._kept.has(n)]
        n_todo, n_tiles = (sum(map(len, parts)) for parts in (todo, self._parts))
        made = self._make(todo, treat, join, progress.part(1 - n_todo / n_tiles, 1.0), label)
        for part, own in zip(self._parts, names, strict=True):
            if self._kept.has(own):
                found = self._kept.load(own)
            else:
                found = next(made)
                self._kept.save(own, found)
            yield self.pixels(part), found
        progress.update(1.0, label)

    def _make(
        self,
        parts: list[list[Tile]],
        treat: Treat,
        join: Join,
        progress: Progress,
        label: str,
    ) -> Iterator[Arrays]:
        tiles = [tile for part in parts for tile in part]

        def one(number: int) -> Arrays:
            return treat(tiles[number])

        results = _in_order(in_threads(one, range(len(tiles)), progress, label))
        for part in parts:
            found = next(results)
            for other in itertools.islice(results, len(part) - 1):
                found = join(found, other)
            yield found


def _in_order(done: Iterable[tuple[int, Arrays]]) -> Iterator[Arrays]:
    """Yield results by their numbers, however they come, so that sums of them are always the same."""
    early: dict[int, Arrays] = {}
    following = 0
    for number, arrays in done:
        early[number] = arrays
        while following in early:
            yield early.pop(following)
            following += 1


def end_to_end(first: Arrays, second: Arrays) -> Arrays:
    """Return the rows of both, one after the other."""
    return {name: np.concatenate([first[name], second[name]]) for name in first}
