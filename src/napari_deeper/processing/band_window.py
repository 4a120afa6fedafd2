"""A band's channels, the shoulders beside it, and the measures that are weighted sums of them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_deeper.processing.bands import channels_in_band
from napari_deeper.spectra.axis import Axis, describe, edges
from napari_deeper.spectra.errors import AxisError

SUMMED = ("mean", "sum", "area")
NO_CHANNELS = slice(0, 0)


@dataclass(frozen=True)
class Window:
    """Channels of a band and of the shoulder at each side of it; shoulders may be empty."""

    band: slice
    left: slice = field(default_factory=lambda: NO_CHANNELS)
    right: slice = field(default_factory=lambda: NO_CHANNELS)

    @property
    def span(self) -> slice:
        """All of its channels, which follow each other."""
        if self.left == NO_CHANNELS:
            return self.band
        return slice(self.left.start, self.right.stop)


def band_window(wavenumber: Axis, low: float, high: float, n_shoulder: int = 0) -> Window:
    """Return the channels of a band (cm-1) and of up to ``n_shoulder`` channels beside it at each side.

    Raises
    ------
    AxisError
        If the band lies outside the axis, or reaches its end so that a shoulder would be empty.
    """
    band = channels_in_band(wavenumber, low, high)
    if n_shoulder == 0:
        return Window(band)
    left = slice(max(0, band.start - n_shoulder), band.start)
    right = slice(band.stop, min(wavenumber.size, band.stop + n_shoulder))
    if left.start == left.stop or right.start == right.stop:
        raise AxisError(
            f"The band {low:.0f}-{high:.0f} cm-1 reaches the end of the axis ({describe(wavenumber)}), "
            "so there is no channel beside it to draw a baseline from. Make the band narrower, or "
            "measure without a baseline."
        )
    return Window(band, left, right)


@dataclass(frozen=True, eq=False)
class Weights:
    """A measure as a weighted sum: one weight per channel of the band, one for each shoulder's channels."""

    window: Window
    band: NDArray[np.float64]
    left: float = 0.0
    right: float = 0.0

    @property
    def over_span(self) -> NDArray[np.float64]:
        """One weight for each channel of the window's span."""
        n_left = self.window.left.stop - self.window.left.start
        n_right = self.window.right.stop - self.window.right.start
        return np.concatenate([np.full(n_left, self.left), self.band, np.full(n_right, self.right)])


def weights_of(wavenumber: Axis, window: Window, measure: str) -> Weights:
    """Return the weights of a mean, sum or area; above the line between the shoulders, where there are any.

    The area gives each channel the width of its cell, half-way to its neighbors at either side, so
    that the areas of bands that touch add up. The line runs through the mean intensity of each
    shoulder at its mean wavenumber.
    """
    n_channels = window.band.stop - window.band.start
    band = np.ones(n_channels)
    if measure == "mean":
        band /= n_channels
    elif measure == "area":
        band = np.diff(edges(wavenumber))[window.band]
    if window.left == NO_CHANNELS:
        return Weights(window, band)
    to_right = float(band @ share_of_right(wavenumber, window))
    to_left = float(band.sum()) - to_right
    n_left = window.left.stop - window.left.start
    n_right = window.right.stop - window.right.start
    return Weights(window, band, -to_left / n_left, -to_right / n_right)


def share_of_right(wavenumber: Axis, window: Window) -> NDArray[np.float64]:
    """Return how far each channel of the band lies on the way from the left shoulder, 0, to the right, 1."""
    left, right = wavenumber[window.left].mean(), wavenumber[window.right].mean()
    way: NDArray[np.float64] = (wavenumber[window.band] - left) / (right - left)
    return way
