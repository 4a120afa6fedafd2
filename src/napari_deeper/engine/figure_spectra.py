"""Bring spectra of different cubes to one scale for a figure."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_deeper.engine.figure_parts import FigureCurve, SpectraPanel
from napari_deeper.spectra.errors import ParameterError

SCALINGS = ("auto", "as measured", "per second", "maximum = 1")


@dataclass(frozen=True, eq=False)
class SpectrumRead:
    """A spectrum in the cube's own intensities, with the cube's dwell time (s) or None, and its unit."""

    curve: FigureCurve
    dwell_s: float | None = None
    unit: str = "arb. units"


def arrange_spectra(
    reads: Sequence[SpectrumRead],
    scaling: str = "auto",
    bands: Sequence[tuple[float, float]] = (),
) -> SpectraPanel | None:
    """Return the panel of these spectra, or None of none.

    Parameters
    ----------
    reads
        In the order of the curves, the first on top.
    scaling
        One of `SCALINGS`. ``auto``: as measured, if all have one dwell time and unit; else per second, if
        the dwell times are known and the unit is one; else each divided by its maximum.
    bands
        (low, high), cm-1, to shade.

    Raises
    ------
    ParameterError
        If they are wanted per second and a dwell time is not known.
    """
    if not reads:
        return None
    how, unit = _resolve(reads, scaling)
    curves = tuple(_scaled(read, how) for read in reads)
    return SpectraPanel(curves, unit, tuple(bands))


def _resolve(reads: Sequence[SpectrumRead], scaling: str) -> tuple[str, str]:
    dwells = {read.dwell_s for read in reads}
    units = {read.unit for read in reads}
    if scaling == "auto":
        scaling = "as measured"
        if len(dwells) > 1 or len(units) > 1:
            scaling = "maximum = 1" if None in dwells or len(units) > 1 else "per second"
    if scaling == "per second" and None in dwells:
        raise ParameterError(
            "Spectra per second need the dwell time of every cube; not all of them tell it."
        )
    unit = units.pop() if len(units) == 1 else "arb. units"
    return scaling, {"per second": f"{unit}/s", "maximum = 1": "of maximum"}.get(scaling, unit)


def _scaled(read: SpectrumRead, how: str) -> FigureCurve:
    curve, size = read.curve, 1.0
    if how == "per second":
        size = read.dwell_s or 1.0
    elif how == "maximum = 1":
        known = np.abs(curve.intensity[np.isfinite(curve.intensity)])
        size = float(known.max()) if known.size and known.max() > 0 else 1.0
    sigma = curve.uncertainty
    return dataclasses.replace(
        curve,
        intensity=curve.intensity / np.float32(size),
        uncertainty=None if sigma is None else sigma / np.float32(size),
    )
