"""Which channels of a cube a network covers, and how its result is handed over to the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_deeper.processing import resample
from napari_deeper.spectra.axis import Axis, describe
from napari_deeper.spectra.errors import AxisError

MIN_OVERLAP = 0.25
MIN_CHANNELS = 32
N_HANDOVER = 8


@dataclass(frozen=True)
class Coverage:
    """What a network says about each channel of a cube.

    Parameters
    ----------
    weight
        (channel,): 1 where the network's result is taken, 0 outside its range, and a ramp over the
        eight channels in between, so that no step shows.
    gaps
        The ranges of the cube that lie outside, in words.
    """

    weight: NDArray[np.float32]
    gaps: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether the network covers every channel."""
        return not self.gaps


def cover(wavenumber: Axis, model_axis: Axis, name: str) -> Coverage:
    """Compare the axis of a cube with that of a network.

    Parameters
    ----------
    wavenumber, model_axis
        cm-1.
    name
        The network, for the error's text.

    Raises
    ------
    AxisError
        If they share less than a quarter of the network's range, or fewer than 32 of the cube's
        channels.
    """
    inside = resample.covered(model_axis, wavenumber)
    shared = min(wavenumber[-1], model_axis[-1]) - max(wavenumber[0], model_axis[0])
    part = max(0.0, shared / (model_axis[-1] - model_axis[0]))
    if part < MIN_OVERLAP:
        raise AxisError(
            f"The cube covers {describe(wavenumber)}, the network '{name}' "
            f"{describe(model_axis)}: they share {part:.0%} of the network's range and need "
            f"{MIN_OVERLAP:.0%}. Use a method without a network, or weights for this range."
        )
    if inside.sum() < MIN_CHANNELS:
        raise AxisError(
            f"Only {inside.sum()} channels of the cube ({describe(wavenumber)}) lie in the range of "
            f"the network '{name}' ({describe(model_axis)}); it needs {MIN_CHANNELS}. Use a method "
            "without a network."
        )
    return Coverage(_ramp(inside), tuple(_ranges(wavenumber, ~inside)))


def _ramp(inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    if inside.all():
        return np.ones(inside.size, np.float32)
    channel = np.arange(inside.size)
    first, last = channel[inside][[0, -1]]
    low = channel - (first - 1) if first > 0 else np.full_like(channel, inside.size)
    high = (last + 1) - channel if last < inside.size - 1 else np.full_like(channel, inside.size)
    distance = np.minimum(low, high)
    return np.clip(distance / (N_HANDOVER + 1), 0, 1).astype(np.float32)


def _ranges(wavenumber: Axis, chosen: NDArray[np.bool_]) -> list[str]:
    starts = np.flatnonzero(chosen & ~np.r_[False, chosen[:-1]])
    stops = np.flatnonzero(chosen & ~np.r_[chosen[1:], False])
    return [
        f"{wavenumber[a]:.0f}-{wavenumber[b]:.0f} cm-1" if a != b else f"{wavenumber[a]:.0f} cm-1"
        for a, b in zip(starts, stops, strict=True)
    ]
