"""Chunks of a store that were read last, in memory of a bounded size, and spectra out of them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.io.zarr_levels import Index, StoredArray, StoredLevels

CACHE_BYTES = (
    384 * 2**20
)  # a plane of 1600 x 1600 pixels, with the 31 channels that lie in its chunks too
_AT_ONCE = 4  # chunks of a spectrum
Pixels = tuple[NDArray[np.intp], NDArray[np.intp]]
Averages = tuple[NDArray[np.float32], NDArray[np.float32] | None, bool]


class ChunkCache:
    """The chunks of one store that were used last; safe to use in many threads."""

    def __init__(self, n_bytes: int = CACHE_BYTES) -> None:
        self._n_bytes = n_bytes
        self._held = 0
        self._lock = threading.Lock()
        self._chunks: OrderedDict[tuple[str, Index], NDArray[Any]] = OrderedDict()

    def peek(self, array: StoredArray, index: Index) -> NDArray[Any] | None:
        """Return a chunk if it is here."""
        key = (array.folder.name, index)
        with self._lock:
            found = self._chunks.get(key)
            if found is not None:
                self._chunks.move_to_end(key)
            return found

    def get(self, array: StoredArray, index: Index) -> NDArray[Any]:
        """Return a chunk, from the disk where it is not here.

        Raises
        ------
        FileError
            If it is missing or damaged.
        """
        found = self.peek(array, index)
        if found is not None:
            return found
        chunk = array.chunk(index)
        with self._lock:
            before = self._chunks.pop((array.folder.name, index), None)
            self._chunks[array.folder.name, index] = chunk
            self._held += chunk.nbytes - (0 if before is None else before.nbytes)
            while self._held > self._n_bytes and len(self._chunks) > 1:
                self._held -= self._chunks.popitem(last=False)[1].nbytes
        return chunk

    def clear(self) -> None:
        """Let go of all."""
        with self._lock:
            self._chunks.clear()
            self._held = 0


def averages(
    stored: StoredLevels, cache: ChunkCache, pixels: Pixels, is_wanted: Callable[[], bool]
) -> Averages | None:
    """Return the mean spectrum (channel,) of pixels, its mean uncertainty, and whether one is flagged.

    None once `is_wanted` says no: asked before each column of chunks.

    Raises
    ------
    FileError
        If a chunk is missing or damaged.
    """
    trust = stored.trust
    wanted = [stored.levels[0], *(a for n, a in trust.items() if n == "uncertainty")]
    means: list[NDArray[np.float32]] = []
    with ThreadPoolExecutor(_AT_ONCE) as pool:  # a disk answers several as soon as one
        for array in wanted:
            total = np.zeros(array.shape[0])
            for place, inside in _columns(array, pixels):
                if not is_wanted():
                    return None
                indices = [(i, *place) for i in range(-(-array.shape[0] // array.chunks[0]))]
                chunks = pool.map(partial(cache.get, array), indices)
                for index, chunk in zip(indices, chunks, strict=True):
                    channels = array.place(index)[0]
                    part = chunk[: channels.stop - channels.start, *inside]
                    total[channels] += part.sum(axis=1, dtype=np.float64)
            means.append(np.asarray(total / len(pixels[0]), np.float32))
    flagged = False
    if "flagged" in trust:
        array = trust["flagged"]
        flagged = any(
            cache.get(array, index)[inside].any() for index, inside in _columns(array, pixels)
        )
    return means[0], means[1] if len(means) > 1 else None, flagged


def _columns(array: StoredArray, pixels: Pixels) -> list[tuple[tuple[int, int], Pixels]]:
    """Return the columns of chunks that pixels lie in, each with the pixels' rows and columns within."""
    height, width = array.chunks[-2:]
    y, x = pixels
    found = []
    for row, column in sorted(set(zip((y // height).tolist(), (x // width).tolist(), strict=True))):
        inside = (y // height == row) & (x // width == column)
        found.append(((row, column), (y[inside] - row * height, x[inside] - column * width)))
    return found
