"""Wavenumber axes: checks, conversion and how two axes overlap."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_deeper.spectra.errors import AxisError

Axis = NDArray[np.float64]


def check_wavenumber(values: ArrayLike, n_channels: int, *, unit_is_known: bool = False) -> Axis:
    """Return the axis as float64 in cm-1, strictly increasing, one value per channel.

    Unless the unit is known to be cm-1, an axis that looks like one in nm is refused.

    Raises
    ------
    AxisError
        Naming what is wrong and the first channel where it is.
    """
    try:
        axis = np.array(values, dtype=np.float64)  # a copy: the cube locks its own
    except (TypeError, ValueError) as error:
        raise AxisError(f"The wavenumbers are not numbers: {error}.") from error
    if axis.ndim != 1 or axis.size != n_channels:
        raise AxisError(
            f"There are {n_channels} channels but the wavenumber axis has shape {axis.shape}; "
            "give one wavenumber (cm-1) per channel."
        )
    if not np.isfinite(axis).all():
        first = int(np.flatnonzero(~np.isfinite(axis))[0])
        raise AxisError(f"Wavenumber {first} is {axis[first]}; every channel needs a number.")
    _check_order(axis)
    if not unit_is_known and looks_like_nm(axis):
        raise AxisError(
            f"The axis runs {axis[0]:.1f}-{axis[-1]:.1f} in steps of {np.median(np.diff(axis)):.3f}: "
            "that looks like nm, not cm-1. Convert it with "
            "napari_deeper.wavenumber_from_nm(wavelength, excitation_nm). If it is in cm-1 indeed, say so: "
            "RamanCube(..., metadata={'axis_unit': 'cm-1'})."
        )
    return axis


def _check_order(axis: Axis) -> None:
    steps = np.diff(axis)
    if (steps > 0).all():
        return
    if (steps == 0).any():
        first = int(np.flatnonzero(steps == 0)[0])
        raise AxisError(
            f"Channels {first} and {first + 1} have the same wavenumber, {axis[first]:g} cm-1; "
            "remove or merge one of them."
        )
    if (steps < 0).all():
        raise AxisError(
            "The wavenumbers fall; reverse both: wavenumber[::-1] and intensity[..., ::-1]."
        )
    first = int(np.flatnonzero(steps < 0)[0])
    raise AxisError(
        f"The wavenumbers are not sorted: channel {first} is {axis[first]:g} and channel "
        f"{first + 1} is {axis[first + 1]:g} cm-1. Sort the channels, or open the windows separately."
    )


def looks_like_nm(axis: Axis) -> bool:
    """Tell whether a rising axis is more plausibly a wavelength in nm than a Raman shift in cm-1.

    A spectrometer's window is a few tens to hundreds of nm wide, in steps of a fraction of a nm, at
    350-1100 nm; a Raman shift in steps under 0.5 cm-1 over less than 400 cm-1 there is next to unheard of.
    """
    if axis.size < 16:
        return False
    inside = axis[0] >= 350 and axis[-1] <= 1100
    return bool(inside and axis[-1] - axis[0] < 400 and np.median(np.diff(axis)) < 0.5)


def wavenumber_from_nm(wavelength: ArrayLike, excitation_nm: float) -> Axis:
    """Convert wavelengths in nm to Raman shifts in cm-1 for a laser line in nm."""
    return 1e7 / float(excitation_nm) - 1e7 / np.asarray(wavelength, dtype=np.float64)


def edges(axis: Axis) -> Axis:
    """Return the n + 1 channel borders of an axis with n channels, cm-1."""
    if axis.size == 1:
        return np.array([axis[0] - 0.5, axis[0] + 0.5])
    middle = (axis[1:] + axis[:-1]) / 2
    return np.concatenate(([2 * axis[0] - middle[0]], middle, [2 * axis[-1] - middle[-1]]))


def describe(axis: Axis) -> str:
    """Return the axis in words, for example ``600-1800 cm-1, 500 channels``."""
    plural = "s" if axis.size != 1 else ""
    return f"{axis[0]:.0f}-{axis[-1]:.0f} cm-1, {axis.size} channel{plural}"
