"""Raman bands: their profile, and spectra made of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Array32 = NDArray[np.float32]
Index = NDArray[np.int64]
Mask = NDArray[np.bool_]

# Between a natural line and the resolution of the instrument.
_LORENTZ_SHARE = 0.6


@dataclass(frozen=True)
class Band:
    """One band of a component.

    Parameters
    ----------
    position
        Centre, cm-1.
    width
        Full width at half maximum, cm-1.
    height
        Relative to the strongest band of the component.
    assignment
        What vibrates.
    """

    position: float
    width: float
    height: float
    assignment: str = ""


def profile(
    wavenumber: Array, position: ArrayLike, width: ArrayLike, share: ArrayLike = _LORENTZ_SHARE
) -> Array:
    """Return pseudo-Voigt bands of height 1.

    Parameters
    ----------
    wavenumber
        (channel,), cm-1.
    position, width
        (...), centre and full width at half maximum, cm-1.
    share
        (...), Lorentzian share from 0 (Gaussian) to 1.

    Returns
    -------
    bands
        (..., channel).

    References
    ----------
    Wertheim et al., Rev. Sci. Instrum. 1974, 45, 1369, doi 10.1063/1.1686503.
    """
    center, fwhm, mix = (np.asarray(v, dtype=float)[..., None] for v in (position, width, share))
    squared = ((wavenumber - center) / fwhm) ** 2
    gauss = np.exp(-4 * np.log(2) * squared)
    return np.asarray(mix / (1 + 4 * squared) + (1 - mix) * gauss)


def spectrum(bands: tuple[Band, ...], wavenumber: Array) -> Array:
    """Return the spectrum (channel,) of a band table, on any axis."""
    table = np.array([(band.position, band.width, band.height) for band in bands])
    return np.asarray(table[:, 2] @ profile(wavenumber, table[:, 0], table[:, 1]))
