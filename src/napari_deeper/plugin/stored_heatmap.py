"""The heatmap of a cube on disk: whole at once from the coarsest level, then exact, tile by tile."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from napari_deeper.engine.heatmap_stored import Tile, measure_tiles
from napari_deeper.io.zarr_store import halved
from napari_deeper.plugin.stored_image import THREADS, StoredImage
from napari_deeper.processing.band_maps import BandSpec, Image, band_map
from napari_deeper.spectra.progress import Progress

_AT_ONCE = 4_000_000  # pixels of a level that are filled without being seen to wait
_DEEPEST = 8  # levels that a tile of 256 pixels has pixels of its own in


class StoredHeatmap:
    """Levels of a heatmap that a worker makes exact while they are shown.

    Parameters
    ----------
    image
        The cube.
    wavenumber
        (channel,), cm-1.
    """

    def __init__(self, image: StoredImage, wavenumber: NDArray[np.float64]) -> None:
        self._image, self._axis = image, wavenumber
        self._lock = threading.Lock()
        self.levels = [np.zeros(level.shape[1:], np.float32) for level in image.stored.levels]
        self.spec: BandSpec | None = None
        self.done = False
        self._coarse: Image = self.levels[-1]

    @property
    def image(self) -> Image:
        """The exact map (y, x) once it is there, else the coarse one."""
        return self.levels[0] if self.done else self._coarse

    def begin(self, spec: BandSpec, in_view: int | None) -> Image:
        """Show what the coarsest level says; of the levels at once only the one in view, where that is known.

        Raises
        ------
        AxisError
            As `band_map` does.
        """
        if spec == self.spec:
            return self.image
        coarse = band_map(np.moveaxis(self._image.coarsest, 0, 2), self._axis, spec)
        with self._lock:
            self.spec, self.done, self._coarse = spec, False, coarse
            for number, level in enumerate(self.levels):
                if number == in_view or (in_view is None and level.size <= _AT_ONCE):
                    self._fill(number)
        return coarse

    def blank(self) -> None:
        """Show nothing."""
        with self._lock:
            self.spec, self.done = None, False
            for level in self.levels:
                level[...] = np.nan

    def refine(self, spec: BandSpec, progress: Progress, near: tuple[float, float]) -> None:
        """Measure every pixel, beginning near a pixel (row, column); stops where another band is shown by now.

        Raises
        ------
        Cancelled
            If the user asked for it.
        FileError
            If chunks are missing or damaged.
        """
        for number in range(len(self.levels)):
            with self._lock:
                if self.spec != spec:
                    return
                self._fill(number)
        for tile, values in measure_tiles(self._image.stored, spec, progress, near, THREADS):
            with self._lock:
                if self.spec != spec:
                    return
                self._put(tile, values)
        with self._lock:
            self.done = self.spec == spec

    def _fill(self, number: int) -> None:
        """Enlarge the coarse map to a level."""
        steps = len(self.levels) - 1 - number
        level = self.levels[number]
        rows, columns = (np.arange(n) >> steps for n in level.shape)
        np.take(self._coarse[rows], columns, axis=1, out=level)

    def _put(self, tile: Tile, values: Image) -> None:
        for number, level in enumerate(self.levels[: _DEEPEST + 1]):
            if number:
                values = halved(values[None])[0]
            y, x = (s.start >> number for s in tile)
            level[y : y + values.shape[0], x : x + values.shape[1]] = values
