"""Bring spectra to a common scale."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_deeper.spectra.axis import Axis, edges

Spectra = NDArray[np.float32]
Factors = NDArray[np.float64]

# What the intensities are afterwards.
UNITS = {
    "cube-maximum": "fraction of the cube's maximum",
    "maximum": "fraction of the spectrum's maximum",
    "area": "1/cm-1",
    "vector": "fraction of the spectrum's norm",
    "snv": "standard deviations",
    "band": "fraction of the band's mean",
}


def offset_and_scale(
    spectra: Spectra, wavenumber: Axis, method: str, band: NDArray[np.bool_] | None = None
) -> tuple[Factors, Factors]:
    """Return what to take off each spectrum (pixel, 1), and what to divide it by then (pixel, 1).

    Parameters
    ----------
    spectra
        (pixel, channel), finite.
    wavenumber
        (channel,) in cm-1.
    method
        ``"maximum"``, ``"area"`` (of absolute intensities, over the true axis), ``"vector"``, ``"snv"`` or
        ``"band"``.
    band
        (channel,): which channels make the band.

    References
    ----------
    Barnes et al. 1989, doi 10.1366/0003702894202201 (SNV).
    """
    values = spectra.astype(np.float64)
    offset = np.zeros((len(values), 1))
    if method == "maximum":
        scale = values.max(axis=1)
    elif method == "area":
        scale = np.abs(values) @ np.diff(edges(wavenumber))
    elif method == "vector":
        scale = np.sqrt(np.einsum("pc,pc->p", values, values))
    elif method == "snv":
        offset = values.mean(axis=1, keepdims=True)
        scale = values.std(axis=1, ddof=1) if values.shape[1] > 1 else np.zeros(len(values))
    else:
        scale = values[:, band].mean(axis=1)
    return offset, scale[:, None]
