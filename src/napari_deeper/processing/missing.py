"""Which pixels of a map were measured."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_deeper.processing.map_spectra import blocks
from napari_deeper.spectra.errors import CubeError


def usable_pixels(spectra: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return which pixels are finite in every channel; the others are missing.

    Parameters
    ----------
    spectra
        (..., channel).

    Returns
    -------
    NDArray[np.bool_]
        (...,).

    Raises
    ------
    CubeError
        If no pixel is.
    """
    flat = spectra.reshape(-1, spectra.shape[-1])
    usable = np.ones(len(flat), dtype=bool)
    start = 0
    for block in blocks(flat):
        usable[start : start + len(block)] = np.isfinite(block).all(axis=1)
        start += len(block)
    if not usable.any():
        raise CubeError("Every pixel holds NaN or infinity: nothing was measured.")
    return usable.reshape(spectra.shape[:-1])
