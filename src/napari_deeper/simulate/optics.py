"""What the optics and the chip do to light before any noise: the same at every exposure."""

from __future__ import annotations

import numpy as np

from napari_deeper.simulate.bands import Array
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.provenance import Step


def spread_points(cube: RamanCube, sigma: float) -> RamanCube:
    """Blur a clean cube by the spot of the laser, edges mirrored.

    Parameters
    ----------
    sigma
        Standard deviation of the spot, in um (in measured pixels where the pixel size is unknown).
        0 leaves the cube as it is.
    """
    if sigma == 0:
        return cube
    down, across = (
        _mixing(n, sigma / d) for n, d in zip(cube.shape[:2], cube.spacing, strict=True)
    )
    seen = np.einsum("ab,bxc->axc", down, cube.intensity, optimize=True)
    seen = np.einsum("ab,ybc->yac", across, seen, optimize=True)
    return cube.derive(seen, Step("point spread (simulated)", {"sigma": sigma}))


def _mixing(n: int, sigma: float) -> Array:
    """Return the matrix (n, n) of a Gaussian blur along a line of n pixels with mirrored ends."""
    reach = int(np.ceil(4 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    mirrored = np.pad(np.arange(n), reach, mode="symmetric")
    matrix = np.zeros((n, n))
    for offset, weight in enumerate(kernel):
        np.add.at(matrix, (np.arange(n), mirrored[offset : offset + n]), weight)
    return matrix


def fringes(n_channels: int, depth: float, period: float) -> Array:
    """Return the factor (channel,) of interference in a thin chip; its period is in channels."""
    place = np.linspace(0, 1, n_channels)
    # The chip absorbs less of longer waves, so the fringes grow along the axis and widen a little.
    turns = n_channels / period * (place - 0.1 * place**2)
    return np.asarray(1 + depth * (0.4 + 0.6 * place) * np.sin(2 * np.pi * turns))


def chip_pattern(n_channels: int, chip: int) -> tuple[Array, Array]:
    """Return two patterns (channel,) of variance 1 that belong to a chip: sensitivity and offset."""
    sensitivity, offset = np.random.default_rng([chip, n_channels]).standard_normal((2, n_channels))
    return sensitivity, offset


def bleached(shape: tuple[int, int], dwell_time_s: float, at_spot: float, in_field: float) -> Array:
    """Return the share (y, x) of the fluorescence that is left while each pixel is measured.

    Parameters
    ----------
    shape
        (y, x); scanned row by row.
    dwell_time_s
        Per pixel, seconds.
    at_spot, in_field
        Rates of decay, 1/s: of the spot under the laser, during its own dwell; and of the whole
        field, since the scan began.
    """
    began = dwell_time_s * np.arange(shape[0] * shape[1]).reshape(shape)
    exposure = at_spot * dwell_time_s
    during = -np.expm1(-exposure) / exposure if exposure > 0 else 1.0
    return np.asarray(np.exp(-in_field * began) * during)


def miscalibrated(wavenumber: Array, shift: float, stretch: float) -> Array:
    """Return the axis (channel,) that a spectrometer reports for the true one.

    Parameters
    ----------
    wavenumber
        (channel,), true Raman shift, cm-1.
    shift
        Error at the middle, cm-1.
    stretch
        Error of the step, as a share.
    """
    middle = 0.5 * (wavenumber[0] + wavenumber[-1])
    return np.asarray(wavenumber + shift + stretch * (wavenumber - middle))
