"""The highest peak in a band, above the line between its shoulders: height, position and width."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.processing.band_window import Window, share_of_right
from napari_deeper.spectra.axis import Axis

PEAK = ("height", "position", "width")
_VALUES_AT_ONCE = 2**16  # so that the processor's caches hold what lies between
Values = NDArray[Any]


def measure_peak(
    intensity: NDArray[np.float32],
    wavenumber: Axis,
    window: Window,
    measure: str,
    least_height: NDArray[np.float32] | float = 0.0,
) -> NDArray[np.float32]:
    """Return the height, position or width (y, x) of each pixel's highest peak in a band.

    The position is the center of mass of what rises above half of the height around the highest
    channel, the width is that part's extent (full width at half maximum), both between the channels by
    straight lines. They are NaN where the intensity does not fall to half of the height on both sides
    within the band, or the height is not above ``least_height``.

    Parameters
    ----------
    intensity
        (y, x, channel).
    wavenumber
        (channel,), cm-1.
    window
        The band with both shoulders.
    measure
        ``"height"``, ``"position"`` or ``"width"``.
    least_height
        (y, x), or one for all.
    """
    n_y, n_x = intensity.shape[:2]
    least = np.broadcast_to(np.asarray(least_height, np.float32), (n_y, n_x))
    image = np.empty((n_y, n_x), np.float32)
    for rows in _rows(n_y, n_x * (window.span.stop - window.span.start)):
        with np.errstate(invalid="ignore"):  # infinities give NaN
            if measure == "height":
                image[rows] = _highest(intensity[rows], wavenumber, window)
                continue
            above = above_line(intensity[rows], wavenumber, window)
            found = _half_height(above, wavenumber[window.band], least[rows])
            image[rows] = found[0] if measure == "position" else found[1]
    return image


def above_line(
    intensity: NDArray[np.float32], wavenumber: Axis, window: Window
) -> NDArray[np.float32]:
    """Return a band's intensities (..., channel of the band) above the line between its shoulders."""
    way = share_of_right(wavenumber, window).astype(np.float32)
    left = intensity[..., window.left].mean(axis=-1, keepdims=True)
    right = intensity[..., window.right].mean(axis=-1, keepdims=True)
    above: NDArray[np.float32] = intensity[..., window.band] - left
    above -= (right - left) * way
    return above


def _highest(
    intensity: NDArray[np.float32], wavenumber: Axis, window: Window
) -> NDArray[np.float32]:
    """Return the maximum of `above_line`, plane by plane: three times as fast, for a band that is dragged."""
    planes = np.ascontiguousarray(np.moveaxis(intensity[..., window.span], -1, 0))
    left, band, right = (
        planes[part.start - window.span.start : part.stop - window.span.start]
        for part in (window.left, window.band, window.right)
    )
    start = left.mean(axis=0)
    rise = right.mean(axis=0) - start
    way = share_of_right(wavenumber, window).astype(np.float32)
    highest = band[0] - rise * way[0]
    for plane, share in zip(band[1:], way[1:], strict=True):
        np.maximum(highest, plane - rise * share, out=highest)
    above: NDArray[np.float32] = highest - start
    return above


def _rows(n_rows: int, n_values: int) -> Iterator[slice]:
    step = max(1, _VALUES_AT_ONCE // max(1, n_values))
    return (slice(start, start + step) for start in range(0, n_rows, step))


def _half_height(
    above: NDArray[np.float32], axis: Axis, least: NDArray[np.float32]
) -> tuple[Values, Values]:
    """Return (position, width) of what rises above half of the height, NaN where there is no peak."""
    n_channels = above.shape[-1]
    top = above.argmax(axis=-1)[..., None]
    height = np.take_along_axis(above, top, -1)
    rise = (above - height / 2).astype(np.float64)
    channel = np.arange(n_channels)
    low = rise <= 0
    before = np.where(low & (channel < top), channel, -1).max(axis=-1, keepdims=True)
    after = np.where(low & (channel > top), channel, n_channels).min(axis=-1, keepdims=True)
    is_peak = (height > least[..., None]) & (height > 0) & (before >= 0) & (after < n_channels)
    before, after = np.maximum(before, 0), np.minimum(after, n_channels - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        start = _crossing(rise, axis, before, before + 1)
        end = _crossing(rise, axis, after, after - 1)
        center = _center_of_mass(rise, axis, start, end)
    missing = ~is_peak[..., 0]
    position, width = center, (end - start)[..., 0]
    position[missing], width[missing] = np.nan, np.nan
    return position, width


def _crossing(rise: Values, axis: Axis, low: Values, high: Values) -> Values:
    """Return where the straight line between two neighboring channels crosses zero."""
    high = np.clip(high, 0, rise.shape[-1] - 1)
    f_low, f_high = np.take_along_axis(rise, low, -1), np.take_along_axis(rise, high, -1)
    crossing: Values = axis[low] + (axis[high] - axis[low]) * (-f_low / (f_high - f_low))
    return crossing


def _center_of_mass(rise: Values, axis: Axis, start: Values, end: Values) -> Values:
    """Return the center of mass of what lies between two zeros, as straight lines between the channels."""
    # channels outside move to the nearer zero, where the height is 0: their pieces have no length, and
    # the zeros are corners since a channel lies outside at each side
    x = np.clip(axis, start, end)
    f = np.where((axis > start) & (axis < end), rise, 0.0)
    # from the start on, so that no digits are lost to the wavenumber itself
    x = x - start
    a, b, f_a, f_b = x[..., :-1], x[..., 1:], f[..., :-1], f[..., 1:]
    mass = ((b - a) * (f_a + f_b)).sum(axis=-1) / 2
    moment = ((b - a) * (a * (2 * f_a + f_b) + b * (f_a + 2 * f_b))).sum(axis=-1) / 6
    center: Values = start[..., 0] + moment / mass
    return center
