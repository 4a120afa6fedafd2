"""From structures drawn on a fine grid to a cube with its truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_deeper.simulate.bands import Array
from napari_deeper.simulate.chemistries import table_of
from napari_deeper.simulate.components import unit_spectra
from napari_deeper.simulate.fields import OVERSAMPLING
from napari_deeper.simulate.random_maps import blur
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.provenance import Step


@dataclass(frozen=True, eq=False)
class SimulatedMap:
    """A clean cube and its truth: ``cube.intensity = abundances @ endmembers``.

    Parameters
    ----------
    cube
        Free of noise; an intensity of 1 is about one mean component.
    names
        Of the components.
    abundances
        (y, x, component), not negative.
    endmembers
        (component, channel), each with mean square 1.
    """

    cube: RamanCube
    names: tuple[str, ...]
    abundances: NDArray[np.float32]
    endmembers: NDArray[np.float32]


def default_wavenumber(n: int = 500, low: float = 600.0, high: float = 1800.0) -> Array:
    """Return the axis of a grating spectrometer at 532 nm: even in wavelength, so not in cm-1."""
    first, last = (1 / (1 / 532.0 - shift * 1e-7) for shift in (low, high))
    return np.asarray(1e7 / 532.0 - 1e7 / np.linspace(first, last, n))


def assemble(
    structures: Mapping[str, Array],
    substances: Mapping[str, str],
    wavenumber: Array | None,
    pixel_size: float,
    focus: float,
    what: str,
) -> SimulatedMap:
    """Look at structures through the focus of a laser, and give each its spectrum.

    Parameters
    ----------
    structures
        Fine maps (4 y, 4 x) of amounts.
    substances
        Of each structure; structures without one are left out.
    wavenumber
        (channel,), cm-1; None is `default_wavenumber`.
    pixel_size, focus
        um; the focus is the standard deviation of the laser spot.
    what
        Name of the kind of map.
    """
    axis = default_wavenumber() if wavenumber is None else np.asarray(wavenumber, dtype=float)
    seen: dict[str, Array] = {}
    for structure, substance in substances.items():
        if structure in structures:
            amount = _see(structures[structure], focus, pixel_size)
            seen[substance] = seen.get(substance, 0) + np.maximum(amount, 0)
    names = tuple(seen)
    abundances = np.stack(list(seen.values()), axis=-1).astype(np.float32)
    spectra = unit_spectra([table_of(name) for name in names], axis).astype(np.float32)
    step = Step("simulate", {"what": what, "size": list(abundances.shape[:2]), "focus": focus})
    cube = RamanCube(
        abundances @ spectra,
        axis,
        (pixel_size, pixel_size),
        excitation_nm=532.0,
        provenance=(step,),
        metadata={"name": f"Simulated {what}", "simulated": True},
    )
    return SimulatedMap(cube, names, abundances, spectra)


def _see(fine: Array, focus: float, pixel_size: float) -> Array:
    """Blur a fine map by the focus and read it at the pixel centres."""
    seen = blur(fine, focus / pixel_size * OVERSAMPLING)
    cells = seen.reshape(
        seen.shape[0] // OVERSAMPLING, OVERSAMPLING, seen.shape[1] // OVERSAMPLING, OVERSAMPLING
    )
    # The centre of a pixel lies between the two middle fine points.
    middle = slice(OVERSAMPLING // 2 - 1, OVERSAMPLING // 2 + 1)
    return np.asarray(cells[:, middle, :, middle].mean(axis=(1, 3)))
