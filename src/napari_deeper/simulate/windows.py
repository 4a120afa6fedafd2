"""Axes at random: which stretch of the Raman shift a spectrum's channels show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_deeper.simulate.bands import Array, Index
from napari_deeper.spectra.errors import AxisError

_LOWEST, _HIGHEST = 100.0, 3500.0
_FINEST, _COARSEST = 0.5, 6.0  # cm-1 per channel
_SHIFT, _STRETCH = 6.0, 0.006  # of a calibration, standard deviations in cm-1 and as a share


@dataclass(frozen=True, eq=False)
class Windows:
    """Where the channels of n spectra lie.

    The axis of a grating is even in wavelength; over any range that one camera sees, a parabola
    through its ends tells the channel of a Raman shift to a tenth of a channel.

    Parameters
    ----------
    low, high
        (n,), Raman shift of the first and last channel, cm-1.
    bend
        (n,), 0 for an axis even in cm-1, negative for a grating's.
    n_channels
        Of every spectrum.
    """

    low: Array
    high: Array
    bend: Array
    n_channels: int

    @property
    def dispersion(self) -> Array:
        """(n,), mean cm-1 per channel."""
        return np.asarray((self.high - self.low) / (self.n_channels - 1))

    def take(self, index: Index) -> Windows:
        """Return the windows of some spectra, in the order of their index."""
        return Windows(self.low[index], self.high[index], self.bend[index], self.n_channels)

    def channels(self, shift: Array) -> Array:
        """Return the channels (n, ...) of Raman shifts (n, ...); far outside, infinity."""
        ends = [np.reshape(v, (-1, *[1] * (shift.ndim - 1))) for v in (self.low, self.high)]
        place = (shift - ends[0]) / (ends[1] - ends[0])
        bend = self.bend.reshape(ends[0].shape)
        channel = (self.n_channels - 1) * (place + bend * place * (1 - place))
        # Beyond this the parabola may turn back.
        return np.where(np.abs(place - 0.5) < 1.5, channel, np.inf)


def calibrated(wavenumber: Array, n: int, rng: np.random.Generator) -> Windows:
    """Return n windows that differ from an axis by an error of calibration.

    Raises
    ------
    AxisError
        If the axis has fewer than 8 channels.
    """
    axis = np.asarray(wavenumber, dtype=float)
    if axis.ndim != 1 or axis.size < 8:
        raise AxisError(f"The axis has shape {axis.shape}; give at least 8 wavenumbers in cm-1.")
    middle = axis.size // 2
    place = (axis[middle] - axis[0]) / (axis[-1] - axis[0])
    bend = (middle / (axis.size - 1) - place) / (place * (1 - place))
    low = axis[0] + rng.normal(0, _SHIFT, n)
    span = (axis[-1] - axis[0]) * (1 + rng.normal(0, _STRETCH, n))
    return Windows(low, low + span, np.full(n, bend), axis.size)


def anywhere(n: int, n_channels: int, rng: np.random.Generator) -> Windows:
    """Return n windows within 100-3500 cm-1 of any dispersion from 0.5 to 6 cm-1 per channel."""
    dispersion = np.exp(rng.uniform(np.log(_FINEST), np.log(_COARSEST), n))
    span = np.minimum(dispersion * (n_channels - 1), _HIGHEST - _LOWEST)
    low = rng.uniform(_LOWEST, _HIGHEST - span)
    return Windows(low, low + span, rng.uniform(-0.1, 0.05, n), n_channels)


def mixed(wavenumber: Array, n: int, rng: np.random.Generator, share: float = 0.5) -> Windows:
    """Return n windows, a share of them anywhere and the others about the given axis."""
    near, far = calibrated(wavenumber, n, rng), anywhere(n, np.size(wavenumber), rng)
    pick = rng.random(n) < share
    low, high, bend = (
        np.where(pick, getattr(far, k), getattr(near, k)) for k in ("low", "high", "bend")
    )
    return Windows(low, high, bend, near.n_channels)
