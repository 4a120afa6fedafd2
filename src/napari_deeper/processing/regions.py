"""Mean and spread of the spectra of a region."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_deeper.spectra.axis import Axis
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import CubeError
from napari_deeper.spectra.regions import Region

Flags = NDArray[np.bool_]

# To tell how much of a region lies outside, so many places along its longer side are enough.
_MOST_PLACES = 400


@dataclass(frozen=True, eq=False)
class RegionSpectrum:
    """The spectra of a region of one cube.

    Parameters
    ----------
    cube, region
        Their names.
    wavenumber
        (channel,), cm-1.
    mean, sd
        (channel,) mean over the pixels, and their standard deviation (n - 1; NaN for one pixel): how
        much the pixels differ, not how sure the mean is.
    n_pixels
        Pixels counted: those with their center in the region and without NaN.
    n_missing
        Pixels in the region left out for NaN.
    outside
        Part of the region's area that lies outside the cube.
    """

    cube: str
    region: str
    wavenumber: Axis
    mean: NDArray[np.float32]
    sd: NDArray[np.float32]
    n_pixels: int
    n_missing: int
    outside: float


def notes_of(spectra: Sequence[RegionSpectrum]) -> list[str]:
    """Return what was left out of the spectra of regions, in sentences: a region's cubes together."""
    notes = []
    for region in dict.fromkeys(s.region for s in spectra):
        own = [s for s in spectra if s.region == region]
        cut = [s for s in own if s.outside > 0]
        if cut:
            most = max(1, round(100 * max(s.outside for s in cut)))
            names = ", ".join(f"'{s.cube}' ({s.n_pixels})" for s in cut)
            notes.append(
                f"Region '{region}' lies partly outside, by up to {most} % of its area: only the pixels "
                f"inside count, of {names}."
            )
        missing = [s for s in own if s.n_missing]
        if missing:
            names = ", ".join(f"'{s.cube}' ({s.n_missing})" for s in missing)
            notes.append(
                f"Pixels with NaN or infinity are left out of region '{region}', of {names}."
            )
    return notes


def pixel_places(cube: RamanCube) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return y (y,) and x (x,) of the pixel centers, in the cube's length unit."""
    y, x = (
        start + step * np.arange(n, dtype=np.float64)
        for start, step, n in zip(cube.origin, cube.spacing, cube.shape[:2], strict=True)
    )
    return y, x


def region_mask(cube: RamanCube, region: Region) -> Flags:
    """Return (y, x), True for the pixels of a cube whose center lies in a region.

    Raises
    ------
    CubeError
        If none does, saying where both lie, or the two measure in different units.
    """
    if region.unit != cube.length_unit:
        raise CubeError(
            f"Region '{region.name}' is in {region.unit} and '{cube.name}' in {cube.length_unit}. Give "
            "the cube its pixel size when it is opened."
        )
    y, x = pixel_places(cube)
    mask = region.contains(y[:, None], x[None, :])
    if mask.any():
        return mask
    (y_low, y_high), (x_low, x_high) = region.bounds()
    unit = region.unit
    field = _field(cube)
    apart = y_high < field[0] or y_low > field[1] or x_high < field[2] or x_low > field[3]
    if not apart and outside_part(cube, region) < 1:
        raise CubeError(
            f"Region '{region.name}' holds the center of no pixel of '{cube.name}', whose pixels are "
            f"{cube.spacing[0]:g} x {cube.spacing[1]:g} {unit}. Draw it larger."
        )
    raise CubeError(
        f"Region '{region.name}' (y {y_low:.4g} to {y_high:.4g}, x {x_low:.4g} to {x_high:.4g} {unit}) "
        f"lies outside '{cube.name}' (y {field[0]:.4g} to {field[1]:.4g}, x {field[2]:.4g} to "
        f"{field[3]:.4g} {unit}). Move it onto the cube."
    )


def outside_part(cube: RamanCube, region: Region) -> float:
    """Return the part of a region's area that lies outside a cube, 0 to 1."""
    (y_low, y_high), (x_low, x_high) = region.bounds()
    low_y, high_y, low_x, high_x = _field(cube)
    if y_low >= low_y and y_high <= high_y and x_low >= low_x and x_high <= high_x:
        return 0.0
    # the centers of a grid over the region: fine enough for a share in percent
    y = y_low + (np.arange(_MOST_PLACES) + 0.5) * (y_high - y_low) / _MOST_PLACES
    x = x_low + (np.arange(_MOST_PLACES) + 0.5) * (x_high - x_low) / _MOST_PLACES
    inside = region.contains(y[:, None], x[None, :])
    there = ((y >= low_y) & (y <= high_y))[:, None] & ((x >= low_x) & (x <= high_x))
    return 1 - float((inside & there).sum() / max(1, inside.sum()))


def region_spectrum(cube: RamanCube, region: Region) -> RegionSpectrum:
    """Return the mean spectrum of a region of a cube, and how its pixels spread about it.

    A region partly outside counts with what is inside.

    Raises
    ------
    CubeError
        If the region lies outside the cube, holds no pixel's center, or only pixels with NaN.
    """
    spectra = cube.intensity[region_mask(cube, region)]
    whole = np.isfinite(spectra).all(axis=1)
    n_pixels = int(whole.sum())
    if not n_pixels:
        raise CubeError(
            f"Every pixel of region '{region.name}' in '{cube.name}' holds NaN or infinity."
        )
    values = spectra[whole].astype(np.float64)
    spread = values.std(axis=0, ddof=1) if n_pixels > 1 else np.full(values.shape[1], np.nan)
    return RegionSpectrum(
        cube.name, region.name, cube.wavenumber, values.mean(axis=0).astype(np.float32),
        spread.astype(np.float32), n_pixels, len(spectra) - n_pixels, outside_part(cube, region),
    )  # fmt: skip


def region_spectra(cube: RamanCube, regions: Sequence[Region]) -> tuple[RegionSpectrum, ...]:
    """Return `region_spectrum` of each region."""
    return tuple(region_spectrum(cube, region) for region in regions)


def _field(cube: RamanCube) -> tuple[float, float, float, float]:
    """Return where the cube's pixels begin and end: y low, y high, x low, x high."""
    ends: list[float] = []
    for start, step, n in zip(cube.origin, cube.spacing, cube.shape[:2], strict=True):
        ends += [start - 0.5 * step, start + (n - 0.5) * step]
    return ends[0], ends[1], ends[2], ends[3]
