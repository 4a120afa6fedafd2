"""Bring endmembers to the axis of the cube that they are to explain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_deeper.processing.resample import covered, resample, same_axis
from napari_deeper.spectra.axis import describe
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.endmembers import Endmembers
from napari_deeper.spectra.errors import AxisError

# Less in common than this part of the shorter of the two axes would rest on a few bands by chance.
_LEAST_SHARE = 0.25


def common_channels(
    endmembers: Endmembers, cube: RamanCube
) -> tuple[NDArray[np.float32], slice, list[str]]:
    """Return endmembers (endmember, channel) on those channels of a cube that they cover.

    Returns
    -------
    spectra
        (endmember, common channel).
    channels
        Which of the cube's channels those are.
    notes
        What was done, one sentence each.

    Raises
    ------
    AxisError
        If they have less than a quarter of the shorter axis in common, or fewer channels than endmembers.
    """
    own, wanted = endmembers.wavenumber, cube.wavenumber
    if same_axis(own, wanted):
        return endmembers.spectra, slice(0, wanted.size), []
    inside = np.flatnonzero(covered(own, wanted))
    least = min(np.ptp(own), np.ptp(wanted)) * _LEAST_SHARE
    spans = np.ptp(wanted[inside]) if inside.size else -1.0
    if spans < least or inside.size < len(endmembers):
        raise AxisError(
            f"The endmembers cover {describe(own)} and '{cube.name}' {describe(wanted)}: too little in "
            "common to tell components apart. Use endmembers of a map measured over the same range."
        )
    channels = slice(int(inside[0]), int(inside[-1]) + 1)
    notes = [
        f"The endmembers ({describe(own)}) were resampled to the axis of '{cube.name}' "
        f"({describe(wanted)})."
    ]
    n_out = wanted.size - inside.size
    if n_out:
        notes.append(
            f"{n_out} of {wanted.size} channels lie outside {own[0]:.0f}-{own[-1]:.0f} cm-1, where the "
            "endmembers say nothing: they were left out."
        )
    return resample(endmembers.spectra, own, wanted[channels]), channels, notes
