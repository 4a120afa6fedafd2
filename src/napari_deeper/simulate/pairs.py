"""Pairs to train on and to judge by: one field seen fast and seen well."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from napari_deeper.simulate.instrument import Instrument, measure, skip_sample
from napari_deeper.simulate.optics import spread_points
from napari_deeper.spectra.cube import RamanCube


class Pair(NamedTuple):
    """The same field twice.

    Parameters
    ----------
    low
        Measured fast: noisy, and at the lower resolution if the scale is above 1.
    high
        Measured well.
    scale
        Pixels of high per pixel of low, along each side.
    phase
        Index in high of the first pixel of low, along both sides.
    """

    low: RamanCube
    high: RamanCube
    scale: int
    phase: int


def pair(
    cube: RamanCube,
    rng: np.random.Generator,
    instrument: Instrument | None = None,
    dwell_times_s: tuple[float, float] = (0.1, 1.0),
) -> Pair:
    """Measure the same field at two exposures, with the same instrument and independent noise.

    Parameters
    ----------
    cube
        Clean.
    dwell_times_s
        Of the fast and of the good measurement, seconds.
    """
    fast, slow = rng.spawn(2)
    low = measure(cube, dwell_times_s[0], fast, instrument)
    return Pair(low, measure(cube, dwell_times_s[1], slow, instrument), 1, 0)


def sampling_pair(
    cube: RamanCube,
    scale: int,
    rng: np.random.Generator,
    phase: int | None = None,
    instrument: Instrument | None = None,
    dwell_times_s: tuple[float, float] = (0.1, 1.0),
) -> Pair:
    """Measure every scale-th pixel fast, and all of them well.

    The laser spot is the same in both: what lies between the pixels of the fast scan is not seen.

    Parameters
    ----------
    cube
        Clean, at the high resolution.
    scale
        2, 3 or 4, or any other whole number.
    phase
        Of the first pixel of the fast scan; None is 1, or 1 or 2 at random for 4, as in Horgan et
        al. 2021, doi 10.1021/acs.analchem.1c02178.
    dwell_times_s
        Of the fast and of the good measurement, seconds.

    Raises
    ------
    ParameterError
        If the phase lies outside 0 to scale - 1 or outside the cube.
    """
    fast, slow = rng.spawn(2)
    if phase is None:
        phase = int(rng.integers(1, 3)) if scale == 4 else min(1, scale - 1)
    instrument = instrument or Instrument()
    seen = spread_points(cube, instrument.point_spread)
    sharp = replace(instrument, point_spread=0.0)
    low = measure(skip_sample(seen, scale, phase), dwell_times_s[0], fast, sharp)
    return Pair(low, measure(seen, dwell_times_s[1], slow, sharp), scale, phase)


def random_instrument(rng: np.random.Generator) -> Instrument:
    """Return an instrument with a random choice of faults, each of a size that is often met."""

    def sometimes(chance: float, low: float, high: float) -> float:
        size = float(np.exp(rng.uniform(np.log(low), np.log(high))))
        return size if rng.random() < chance else 0.0

    rate = float(np.exp(rng.uniform(np.log(20), np.log(2000))))
    return Instrument(
        rate=rate,
        read_noise=float(rng.uniform(0.5, 8)),
        gain=float(np.exp(rng.uniform(np.log(0.3), np.log(4)))),
        fluorescence=rate * sometimes(0.6, 0.1, 20),
        cosmic_rays=sometimes(0.3, 0.001, 0.02),
        fluorescence_contrast=float(rng.uniform(0, 1)),
        bleaching=sometimes(0.4, 0.01, 1.0),
        field_bleaching=sometimes(0.4, 1e-4, 1e-2),
        etaloning=sometimes(0.3, 0.003, 0.05),
        etalon_period=float(np.exp(rng.uniform(np.log(10), np.log(80)))),
        fixed_pattern=sometimes(0.5, 0.001, 0.01),
        dark_pattern=sometimes(0.4, 0.2, 3.0),
        chip=int(rng.integers(2**31)),
        point_spread=sometimes(0.3, 0.1, 0.4),
        axis_shift=float(rng.normal(0, 2)),
        axis_stretch=float(rng.normal(0, 0.002)),
    )
