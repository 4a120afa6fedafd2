"""Maps of a band: intensity, peak, or the ratio of two bands, for every pixel of a cube."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_deeper.processing.band_peaks import PEAK, measure_peak
from napari_deeper.processing.band_window import SUMMED, Weights, Window, band_window, weights_of
from napari_deeper.processing.noise import sigma_per_pixel
from napari_deeper.spectra.axis import Axis

MEASURES = (*SUMMED, *PEAK)
PLACES = ("position", "width")  # in cm-1: a ratio of them says nothing
_AROUND = 24  # channels at each side of a band that its noise is read from as well
Image = NDArray[np.float32]
Limits = tuple[float, float]


@dataclass(frozen=True)
class BandSpec:
    """What to measure of a band.

    Parameters
    ----------
    low, high
        The band, cm-1.
    measure
        One of `MEASURES`.
    over
        (low, high) of the band to divide by, or None.
    baseline
        Whether means, sums and areas count from the line between the band's shoulders; peaks always do.
    n_shoulder
        Channels of each shoulder.
    least_snr
        How many standard deviations of the noise a peak must be high for its position and width, and
        how many the denominator of a ratio must be.
    """

    low: float
    high: float
    measure: str = "mean"
    over: Limits | None = None
    baseline: bool = False
    n_shoulder: int = 3
    least_snr: float = 4.0

    @property
    def from_line(self) -> bool:
        """Whether the measure counts from the line between the shoulders."""
        return self.baseline or self.measure in PEAK


def band_map(
    intensity: NDArray[np.float32],
    wavenumber: Axis,
    spec: BandSpec,
    uncertainty: NDArray[np.float32] | None = None,
) -> Image:
    """Return what a spec asks for, (y, x): NaN where it is not there.

    Parameters
    ----------
    intensity
        (y, x, channel).
    wavenumber
        (channel,), cm-1.
    spec
        What to measure.
    uncertainty
        (y, x, channel), one standard deviation of the error of each intensity, where it is known.

    Raises
    ------
    AxisError
        If a band lies outside the axis, or reaches its end where its shoulder is needed.
    """
    window = window_of(wavenumber, spec, (spec.low, spec.high))
    image = _measure(intensity, wavenumber, spec, window, uncertainty)
    if spec.over is None:
        return image
    return divide(image, denominator(intensity, wavenumber, spec, uncertainty))


def divide(image: Image, below: Image) -> Image:
    """Return the ratio (y, x) of a band to its denominator."""
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(image / below, np.float32)


def denominator(
    intensity: NDArray[np.float32],
    wavenumber: Axis,
    spec: BandSpec,
    uncertainty: NDArray[np.float32] | None = None,
) -> Image:
    """Return what a ratio divides by, (y, x): NaN where it is not clearly positive."""
    assert spec.over is not None
    window = window_of(wavenumber, spec, spec.over)
    image = _measure(intensity, wavenumber, spec, window, uncertainty)
    sigma = band_noise(intensity, window, uncertainty)
    if spec.measure in SUMMED:
        gain = float(np.linalg.norm(weights_of(wavenumber, window, spec.measure).over_span))
    else:
        gain = _height_gain(spec)
    with np.errstate(invalid="ignore"):
        clear = (image > 0) & (image > spec.least_snr * gain * sigma)
    image[~clear] = np.nan
    return image


def window_of(wavenumber: Axis, spec: BandSpec, limits: Limits) -> Window:
    """Return the channels that a spec needs for a band."""
    return band_window(wavenumber, *limits, spec.n_shoulder if spec.from_line else 0)


def channels_of(wavenumber: Axis, spec: BandSpec, limits: Limits, *, with_noise: bool) -> slice:
    """Return the channels that a band is measured from, and those that its noise is read from too."""
    span = window_of(wavenumber, spec, limits).span
    beside = _AROUND if with_noise else 0
    return slice(max(0, span.start - beside), min(wavenumber.size, span.stop + beside))


def _measure(
    intensity: NDArray[np.float32],
    wavenumber: Axis,
    spec: BandSpec,
    window: Window,
    uncertainty: NDArray[np.float32] | None,
) -> Image:
    if spec.measure in SUMMED:
        return weigh(intensity, weights_of(wavenumber, window, spec.measure))
    least: Image | float = 0.0
    if spec.measure in PLACES:
        least = spec.least_snr * _height_gain(spec) * band_noise(intensity, window, uncertainty)
    return measure_peak(intensity, wavenumber, window, spec.measure, least)


def _height_gain(spec: BandSpec) -> float:
    """Return the noise of a height over that of a channel: the line midway between its shoulders has some too."""
    return float(np.sqrt(1 + 0.5 / spec.n_shoulder))


def weigh(intensity: NDArray[np.float32], weights: Weights) -> Image:
    """Return the weighted sum (...) of the channels (..., channel) that the weights are for.

    As one product with a vector it takes 2 ms for 256 x 256 pixels and a third of 500 channels: fast
    enough to follow a band that is dragged, so that no sums need to be kept in memory.
    """
    channels = intensity[..., weights.window.span]
    with np.errstate(invalid="ignore", over="ignore"):
        total: Image = channels @ weights.over_span.astype(np.float32)
    return total


def band_noise(
    intensity: NDArray[np.float32], window: Window, uncertainty: NDArray[np.float32] | None = None
) -> Image:
    """Return the noise (y, x) of one channel in a band: by second differences in and around it.

    Where the cube states its uncertainty, and that is more, it is taken: the errors of a result are
    smooth, so that differences between its channels do not show them.
    """
    start = max(0, window.span.start - _AROUND)
    around = intensity[..., start : window.span.stop + _AROUND]
    # NaN of a pixel stays NaN, which no peak and no denominator is above
    with np.errstate(invalid="ignore"):
        sigma = sigma_per_pixel(around)
        if uncertainty is not None:
            sigma = np.maximum(sigma, uncertainty[..., window.band].mean(axis=-1))
    return sigma
