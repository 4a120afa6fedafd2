"""Sums over any run of channels in a time that does not depend on its length, for a band that is dragged."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.processing.band_maps import Image
from napari_deeper.processing.band_window import Weights
from napari_deeper.spectra.axis import Axis, edges

BLOCK = 16  # channels: float32 sums start anew with each block, so that they lose no more digits than 16 terms do


class RunningSums:
    """Sums of all channels below each one, so that a run of channels is the difference of two planes.

    Parameters
    ----------
    planes
        (channel, y, x) intensities; a view in any order of memory.
    factor
        (channel,) what each channel counts, or None for one.
    """

    def __init__(self, planes: NDArray[Any], factor: NDArray[Any] | None = None) -> None:
        n_channels, n_y, n_x = planes.shape
        n_blocks = -(-n_channels // BLOCK)
        self._within = np.empty((n_channels, n_y, n_x), np.float32)
        self._before = np.zeros((n_blocks + 1, n_y, n_x), np.float64)
        self.incomplete = np.zeros((n_y, n_x), bool)
        for block in range(n_blocks):
            channels = slice(block * BLOCK, (block + 1) * BLOCK)
            part = np.array(planes[channels], np.float32, order="C")
            finite = np.isfinite(part)
            if not finite.all():
                self.incomplete |= ~finite.all(axis=0)
                part[~finite] = 0
            if factor is not None:
                part *= factor[channels, None, None].astype(np.float32)
            np.cumsum(part, axis=0, out=self._within[channels])
            total = part.sum(axis=0, dtype=np.float64)
            np.add(self._before[block], total, out=self._before[block + 1])

    @property
    def n_bytes(self) -> int:
        """Memory that the sums take."""
        return self._within.nbytes + self._before.nbytes

    def total(self, channels: slice) -> Image:
        """Return the sum (y, x) over a run of channels; what is not finite counts as 0."""
        (first, start), (last, stop) = (
            divmod(end, BLOCK) for end in (channels.start, channels.stop)
        )
        image = np.zeros(self._before.shape[1:], np.float32)
        if last != first:
            np.subtract(self._before[last], self._before[first], out=image, casting="same_kind")
        if stop:
            image += self._within[channels.stop - 1]
        if start:
            image -= self._within[channels.start - 1]
        return image


class CubeSums:
    """Running sums of one cube's intensities, and of their areas, each made when it is first asked for.

    Parameters
    ----------
    planes
        (channel, y, x) intensities, which must not change.
    wavenumber
        (channel,), cm-1.
    """

    def __init__(self, planes: NDArray[Any], wavenumber: Axis) -> None:
        self._planes, self._wavenumber = planes, wavenumber
        self._cells = np.diff(edges(wavenumber))
        self._even = bool(np.ptp(self._cells) <= 1e-6 * self._cells.mean())
        self._sums: dict[bool, RunningSums] = {}

    @property
    def n_bytes(self) -> int:
        """Memory that the sums take so far."""
        return sum(sums.n_bytes for sums in self._sums.values())

    def prepare(self, measure: str) -> None:
        """Make what a measure needs, if it is not there."""
        for by_cell in {False, self._needs_cells(measure)}:
            if by_cell not in self._sums:
                factor = self._cells if by_cell else None
                self._sums[by_cell] = RunningSums(self._planes, factor)

    def is_ready(self, measure: str) -> bool:
        """Tell whether a measure has what it needs."""
        return False in self._sums and self._needs_cells(measure) in self._sums

    def weigh(self, weights: Weights) -> Image:
        """Return the weighted sum (y, x); pixels that are not finite are summed directly."""
        window, factors = weights.window, weights.band
        by_cell = bool(np.ptp(factors) > 1e-6 * np.abs(factors).mean())
        self.prepare("area" if by_cell else "mean")
        image = self._sums[by_cell].total(window.band)
        if not by_cell:
            image *= np.float32(factors[0])
        plain = self._sums[False]
        for shoulder, factor in ((window.left, weights.left), (window.right, weights.right)):
            if shoulder.start < shoulder.stop:
                image += plain.total(shoulder) * np.float32(factor)
        self._mend(image, weights)
        return image

    def _needs_cells(self, measure: str) -> bool:
        return measure == "area" and not self._even

    def _mend(self, image: Image, weights: Weights) -> None:
        holes = self._sums[False].incomplete
        if holes.any():
            y, x = np.nonzero(holes)
            channels = self._planes[weights.window.span, y, x]
            with np.errstate(invalid="ignore"):
                image[y, x] = weights.over_span.astype(np.float32) @ channels
