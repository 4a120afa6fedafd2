"""A cube that stays on disk, as napari shows it: levels that answer at once with the best that is in memory.

napari slices on the GUI thread, where a plane of 32-channel chunks would take half a second and more. Its own way
around that (`NAPARI_ASYNC`) is a setting of the whole application that is read when it starts, slices all layers in one
thread, goes through with a request that nobody wants any more, and shows nothing before a plane is complete. So the
levels here answer from memory: chunks read before, and elsewhere the next coarser level, of which the coarsest is
always there. Threads read what is missing, the middle of the view first; `Refresher` then asks napari to look again.
"""

from __future__ import annotations

import operator
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.io.zarr_levels import Index, StoredArray, StoredLevels
from napari_deeper.plugin.stored_chunks import Averages, ChunkCache, Pixels, averages
from napari_deeper.spectra.errors import CubeError

Region = tuple[slice, slice, slice]
_PLANES = 2  # the one in view, and one before it
_READINGS = 8  # places that are waited for at a time; older ones are no longer looked at
_KEPT = 64  # spectra that were asked for last
_LARGEST = 512 * 2**20  # bytes that are read in one piece for whoever asks for an array
THREADS = max(1, min(4, (os.cpu_count() or 1) - 1))  # one core is left to the window


@dataclass(eq=False)
class _Plane:
    """What is in view of a level, filled as chunks come."""

    number: int
    region: Region
    values: NDArray[np.float32]
    missing: deque[Index]


@dataclass(frozen=True, eq=False)
class _Reading:
    """A spectrum that somebody waits for."""

    future: Future[Averages | None]
    pixels: Pixels
    number: int


class StoredImage:
    """Reads a store in threads, which end when there is nothing to read.

    Parameters
    ----------
    stored
        The cube.
    """

    def __init__(self, stored: StoredLevels) -> None:
        self.stored = stored
        self.problem = ""  # what could not be read, in words for the user
        last = stored.levels[-1]
        self._coarsest = last.read(tuple(slice(0, n) for n in last.shape))
        self._cache = ChunkCache()
        self._lock = threading.Lock()
        self._planes: list[_Plane] = []  # the newest first
        self._readings: deque[_Reading] = deque()
        self._asked: dict[tuple[bytes, bytes], Future[Averages | None]] = {}
        self._n_asked = 0
        self._n_threads = 0
        self._news = False

    @property
    def coarsest(self) -> NDArray[np.float32]:
        """(channel, y, x) of the coarsest level, which is kept in memory."""
        return self._coarsest

    @property
    def levels(self) -> list[LevelArray]:
        """What napari gets as the data of a layer."""
        return [LevelArray(self, number) for number in range(len(self.stored.levels))]

    @property
    def loading(self) -> bool:
        """Whether something is being read."""
        return self._n_threads > 0

    def take_news(self) -> bool:
        """Tell whether planes that were asked for have changed since this was asked last."""
        with self._lock:
            news, self._news = self._news, False
            return news

    def close(self) -> None:
        """Read nothing more and let go of what was read; what is asked for later is read again."""
        with self._lock:
            self._planes.clear()
            self._n_asked += _READINGS
            self._asked.clear()
        self._cache.clear()

    # ---- planes -------------------------------------------------------------------------------------------------

    def plane(self, number: int, region: Region) -> NDArray[np.float32]:
        """Return a region of a level as far as it is in memory, and have the rest read."""
        with self._lock:
            for plane in self._planes:
                if (plane.number, plane.region) == (number, region):
                    self._planes.remove(plane)
                    self._planes.insert(0, plane)
                    return plane.values
        values, missing = self._best(number, region)
        if number == len(self.stored.levels) - 1:
            return values
        plane = _Plane(number, region, values, deque(_from_the_middle(missing)))
        with self._lock:
            self._planes = [plane, *self._planes[: _PLANES - 1]]
        self._start()
        return values

    def exact(self, number: int, region: Region) -> NDArray[np.float32]:
        """Return a region of a level as it is in the store.

        Raises
        ------
        CubeError
            If it is too large to be read in one piece.
        FileError
            If chunks are missing or damaged.
        """
        if number == len(self.stored.levels) - 1:
            return self._coarsest[region]
        n_bytes = 4 * int(np.prod([s.stop - s.start for s in region], dtype=np.int64))
        if n_bytes > _LARGEST:
            raise CubeError(on_disk(self.stored.path.stem, self.stored.n_bytes))
        return self.stored.levels[number].read(region)

    def _best(self, number: int, region: Region) -> tuple[NDArray[np.float32], list[Index]]:
        """Return a region of a level out of what is in memory, and the chunks of the level that are not."""
        if number == len(self.stored.levels) - 1:
            return self._coarsest[region].copy(), []
        channels, *place = region
        rows, columns = (slice(s.start // 2, -(-s.stop // 2)) for s in place)
        small, _ = self._best(number + 1, (channels, rows, columns))
        large = small.repeat(2, axis=2).repeat(2, axis=1)
        inner = (slice(s.start % 2, s.start % 2 + s.stop - s.start) for s in place)
        values = np.ascontiguousarray(large[:, *inner])
        array = self.stored.levels[number]
        missing = []
        for index in array.overlapping(region):
            chunk = self._cache.peek(array, index)
            if chunk is None:
                missing.append(index)
            else:
                array.paste(values, region, index, chunk)
        return values, missing

    # ---- spectra ------------------------------------------------------------------------------------------------

    def ask(self, pixels: Pixels) -> Future[Averages | None]:
        """Return the mean spectrum of pixels, which comes when it is read; asking again asks for the same.

        Where many others are asked for before it is, it is cancelled or None.
        """
        key = (pixels[0].tobytes(), pixels[1].tobytes())
        with self._lock:
            known = self._asked.pop(key, None)
            if known is None or _is_void(known):
                known = Future()
                self._n_asked += 1
                self._readings.append(_Reading(known, pixels, self._n_asked))
            self._asked[key] = known
            while len(self._asked) > _KEPT:
                del self._asked[next(iter(self._asked))]
        self._start()
        return known

    def _read(self, reading: _Reading) -> None:
        def is_wanted() -> bool:
            return self._n_asked - reading.number < _READINGS

        if not is_wanted():
            reading.future.cancel()
        if not reading.future.set_running_or_notify_cancel():
            return
        try:
            found = averages(self.stored, self._cache, reading.pixels, is_wanted)
        except Exception as error:
            reading.future.set_exception(error)
        else:
            reading.future.set_result(found)

    # ---- threads ------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        with self._lock:
            n_wanted = len(self._readings) + sum(len(plane.missing) for plane in self._planes)
            n_new = min(n_wanted, THREADS - self._n_threads)
            self._n_threads += max(0, n_new)
        for _ in range(n_new):
            threading.Thread(target=self._work, name="napari-deeper store", daemon=True).start()

    def _work(self) -> None:
        while True:
            with self._lock:
                work = self._next()
                if work is None:
                    self._n_threads -= 1
                    return
            try:
                work()
            except Exception as error:  # a thread that ended here would be missed
                self.problem = str(error)

    def _next(self) -> Callable[[], None] | None:
        """Return what is wanted most: spectra, then the plane in view."""
        if self._readings:
            reading = self._readings.pop()
            return lambda: self._read(reading)
        for plane in self._planes:
            if plane.missing:
                index = plane.missing.popleft()
                return lambda: self._fill(plane, index)
        return None

    def _fill(self, plane: _Plane, index: Index) -> None:
        array = self.stored.levels[plane.number]
        array.paste(plane.values, plane.region, index, self._cache.get(array, index))
        self._news = True


class LevelArray:
    """One level, or a part of it, as an array that napari can slice."""

    def __init__(self, image: StoredImage, number: int, region: Region | None = None) -> None:
        array = image.stored.levels[number]
        self.image, self.number = image, number
        self._region: Region = region or _whole(array)
        self.shape: tuple[int, ...] = tuple(s.stop - s.start for s in self._region)
        self.chunks, self.dtype, self.ndim = array.chunks, np.dtype(np.float32), 3
        self.size = int(np.prod(self.shape, dtype=np.int64))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> LevelArray | NDArray[np.float32]:
        """Return a plane as far as it is in memory, or a part to be sliced further."""
        keys = key if isinstance(key, tuple) else (key,)
        if len(keys) > 3 or any(k is Ellipsis for k in keys):
            keys = _expanded(keys)
        region, is_one = [], []
        for k, whole in zip((*keys, *[slice(None)] * (3 - len(keys))), self._region, strict=True):
            start, stop, one = _bounds(k, whole.stop - whole.start)
            region.append(slice(whole.start + start, whole.start + stop))
            is_one.append(one)
        wanted: Region = (region[0], region[1], region[2])
        if not any(is_one):
            return LevelArray(self.image, self.number, wanted)
        values = self.image.plane(self.number, wanted)
        return values[tuple(0 if one else slice(None) for one in is_one)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return one channel as far as it is in memory, since napari asks so too; more of them from the store."""
        read = self.image.plane if self.shape[0] == 1 else self.image.exact
        return np.asarray(read(self.number, self._region), dtype)


def on_disk(name: str, n_bytes: int) -> str:
    """Return what is said where a cube on disk cannot be worked on as a whole, and what to do."""
    return (
        f"'{name}' stays on disk ({in_gb(n_bytes)}), and this works on cubes in memory. Crop a part of it into memory: "
        "Plugins > DeepeR > Crop."
    )


def in_gb(n_bytes: int) -> str:
    """Return a size in words."""
    return f"{n_bytes / 1e9:.3g} GB" if n_bytes >= 1e8 else f"{n_bytes / 1e6:.3g} MB"


def _whole(array: StoredArray) -> Region:
    channel, y, x = array.shape
    return slice(0, channel), slice(0, y), slice(0, x)


def _expanded(keys: tuple[Any, ...]) -> tuple[Any, ...]:
    at = next((i for i, k in enumerate(keys) if k is Ellipsis), None)
    if at is None or len(keys) > 4:
        raise IndexError("a level has three axes")
    return (*keys[:at], *[slice(None)] * (4 - len(keys)), *keys[at + 1 :])


def _bounds(key: Any, n: int) -> tuple[int, int, bool]:
    """Return start and stop of an index along one axis, and whether it takes the axis away."""
    if isinstance(key, slice):
        start, stop, step = key.indices(n)
        if step != 1:
            raise IndexError("a cube on disk is sliced in steps of 1")
        return start, max(start, stop), False
    at = operator.index(key)
    at += n if at < 0 else 0
    if not 0 <= at < n:
        raise IndexError(f"index {key} is outside an axis of {n}")
    return at, at + 1, True


def _is_void(asked: Future[Averages | None]) -> bool:
    """Tell whether a reading ended with nothing, so that it must be asked for anew."""
    if asked.cancelled():
        return True
    return asked.done() and (asked.exception() is not None or asked.result() is None)


def _from_the_middle(indices: list[Index]) -> list[Index]:
    if not indices:
        return []
    middle = np.mean(indices, axis=0)
    return sorted(indices, key=lambda index: float(np.abs(np.asarray(index) - middle).sum()))
