"""Make a cube that memory does not hold of overlapping windows, whose results blend without a seam.

Each finished window is kept on disk until all parts of the output that it reaches into are written. So a run that was
stopped, or killed, goes on with the window that it was at.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.engine.tiles import Tile as Window
from napari_deeper.engine.work_folder import WorkFolder
from napari_deeper.io.zarr_growing import GrowingStore
from napari_deeper.io.zarr_rows import Tile, tile_size
from napari_deeper.spectra.progress import Progress


@dataclass(frozen=True)
class Made:
    """What became of one window.

    Parameters
    ----------
    arrays
        By the names of the store: (fine y, fine x, channel), or (fine y, fine x) of flags.
    facts
        What the whole's history should know of it, as JSON types.
    """

    arrays: Mapping[str, NDArray[Any]]
    facts: Mapping[str, Any]


MakesWindow = Callable[[Window, Progress], Made]
# Runs a function for each of some numbers, and yields what it returns as the runs end.
Pool = Callable[[Callable[[int], int], Sequence[int]], Iterable[int]]


@dataclass(frozen=True)
class Mosaic:
    """Windows, and the store that they make up.

    Parameters
    ----------
    windows
        All combinations of some spans of rows and some of columns, row by row, as `tiles.cut` gives
        them; their weights sum to 1 in each pixel.
    scale
        Fine pixels of the store per pixel of the windows.
    store
        The output.
    names
        Of its arrays.
    work
        Keeps finished windows.
    """

    windows: Sequence[Window]
    scale: int
    store: GrowingStore
    names: Sequence[str]
    work: WorkFolder

    def make(
        self, one: MakesWindow, progress: Progress, label: str, pool: Pool | None = None
    ) -> list[dict[str, Any]]:
        """Make every window that is not yet made, write the store, and return the facts of all.

        Parameters
        ----------
        one
            Makes a window; asked for each once, over all runs.
        label
            What is done, for the user.
        pool
            Runs it in other processes; None runs one after the other in this.
        """
        n = len(self.windows)
        open_numbers = []
        for number in range(n):
            if self._is_made(number):
                self._write_around(number)
            else:
                open_numbers.append(number)
        n_made = n - len(open_numbers)
        made: Iterable[int] = self._one_by_one(one, open_numbers, progress, label)
        if pool is not None:
            made = pool(
                partial(_make_there, self.work, self.windows, self.names, one), open_numbers
            )
        for n_now, number in enumerate(made, n_made + 1):
            if pool is not None:
                progress.update(n_now / n, f"{label}, {n_now} of {n} windows done")
            self._write_around(number)
        return [self.work.facts(_facts(i)) for i in range(n)]

    def _one_by_one(
        self, one: MakesWindow, numbers: Sequence[int], progress: Progress, label: str
    ) -> Iterator[int]:
        n = len(self.windows)
        for number in numbers:
            part = progress.part(number / n, (number + 1) / n)
            text = f"{label}, window {number + 1} of {n}"
            part.update(0.0, text)
            made = one(self.windows[number], _saying(text, part))
            _keep(self.work, number, self.names, made)
            yield number

    def _is_made(self, number: int) -> bool:
        return self.work.has(_facts(number))

    def _is_held(self, number: int) -> bool:
        """Tell whether a window was made and may be needed yet."""
        return self._is_made(number) and self.work.has(_array(number, self.names[-1]))

    def _write_around(self, number: int) -> None:
        """Write what a window completes, and let go of the windows that nothing more needs."""
        for other in sorted(self._neighbors(number)):
            if self._is_held(other) and all(self._is_made(i) for i in self._neighbors(other)):
                self._let_go(other)

    def _let_go(self, number: int) -> None:
        """Write the tiles that a window reaches into, and remove it; all that reach into them are made."""
        for tile in self._tiles_of(number):
            below = self._covering(tile)
            if all(self._is_held(i) for i in below):  # else it was written before one of them went
                self._write(tile, below)
        # what tells that a window is held goes first
        for name in reversed(self.names):
            self.work.forget(_array(number, name))

    def _neighbors(self, number: int) -> set[int]:
        """Return the windows that reach into the same tiles, the window itself among them."""
        return {i for tile in self._tiles_of(number) for i in self._covering(tile)}

    def _write(self, tile: Tile, below: Sequence[int]) -> None:
        rows, columns = tile
        shape = (rows.stop - rows.start, columns.stop - columns.start)
        for name in self.names:
            flat = name == "flagged"
            whole = np.zeros(shape if flat else (*shape, self.store.shape[2]), np.float32)
            for number in below:
                window = self.windows[number]
                top, left = (s.start * self.scale for s in (window.y, window.x))
                y = slice(max(rows.start, top), min(rows.stop, window.y.stop * self.scale))
                x = slice(max(columns.start, left), min(columns.stop, window.x.stop * self.scale))
                inner = (slice(y.start - top, y.stop - top), slice(x.start - left, x.stop - left))
                weight = window.y_weight[inner[0], None] * window.x_weight[inner[1]]
                part = np.asarray(self.work.array(_array(number, name))[inner], np.float32)
                place = (
                    slice(y.start - rows.start, y.stop - rows.start),
                    slice(x.start - columns.start, x.stop - columns.start),
                )
                whole[place] += part * (weight if flat else weight[..., None])
            # a pixel is flagged if the windows that it counts for most flag it
            self.store.put(tile, whole > 0.5 if flat else whole, name)

    def _tiles_of(self, number: int) -> list[Tile]:
        """Return the tiles of the store that a window reaches into."""
        window, size = self.windows[number], tile_size(self.store.shape)
        spans = []
        for s, step, n in zip((window.y, window.x), size, self.store.shape, strict=False):
            first = s.start * self.scale // step.stop * step.stop
            starts = range(first, s.stop * self.scale, step.stop)
            spans.append([slice(start, min(start + step.stop, n)) for start in starts])
        return [(rows, columns) for rows in spans[0] for columns in spans[1]]

    def _covering(self, tile: Tile) -> list[int]:
        """Return the windows that reach into a tile."""
        n_columns = self._n_columns
        rows = self._meeting([w.y for w in self.windows[::n_columns]], tile[0])
        columns = self._meeting([w.x for w in self.windows[:n_columns]], tile[1])
        return [row * n_columns + column for row in rows for column in columns]

    @property
    def _n_columns(self) -> int:
        first = self.windows[0].y
        return sum(1 for _ in itertools.takewhile(lambda w: w.y == first, self.windows))

    def _meeting(self, spans: Sequence[slice], tile: slice) -> list[int]:
        return [
            i
            for i, span in enumerate(spans)
            if span.start * self.scale < tile.stop and tile.start < span.stop * self.scale
        ]


def _make_there(
    work: WorkFolder,
    windows: Sequence[Window],
    names: Sequence[str],
    one: MakesWindow,
    number: int,
) -> int:
    """Make a window, in whatever process, and keep it."""
    _keep(work, number, names, one(windows[number], Progress()))
    return number


def _keep(work: WorkFolder, number: int, names: Sequence[str], made: Made) -> None:
    for name in names:
        work.save_array(_array(number, name), made.arrays[name])
    # these come last: they say that the window is complete
    work.save_facts(_facts(number), dict(made.facts))


def _saying(text: str, progress: Progress) -> Progress:
    """Return a progress that says this, whatever it is told."""

    def report(fraction: float, _: str) -> None:
        progress.update(fraction, text)

    return Progress(report, progress.cancel)


def _facts(number: int) -> str:
    return f"window-{number:06d}.json"


def _array(number: int, name: str) -> str:
    return f"window-{number:06d}-{name}.npy"
