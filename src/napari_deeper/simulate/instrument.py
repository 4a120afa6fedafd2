"""The spectrometer: from a clean cube to counts, with the noise of a real camera."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from napari_deeper.simulate.bands import Array
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import ParameterError
from napari_deeper.spectra.provenance import Step


@dataclass(frozen=True)
class Instrument:
    """A camera and the light that reaches it.

    Parameters
    ----------
    rate
        Photoelectrons per second and channel at an intensity of 1.
    read_noise
        Standard deviation, electrons.
    gain
        Electrons per count.
    fluorescence
        Smooth background at the first channel, photoelectrons per second; it decays along the axis.
    cosmic_rays
        Chance of a spike in a spectrum, per second.
    """

    rate: float = 80.0
    read_noise: float = 3.0
    gain: float = 1.0
    fluorescence: float = 0.0
    cosmic_rays: float = 0.0


def expected_electrons(cube: RamanCube, dwell_time_s: float, instrument: Instrument) -> Array:
    """Return the mean photoelectrons (y, x, channel) of a measurement."""
    place = np.linspace(0, 1, cube.shape[2])
    light = instrument.rate * np.maximum(cube.intensity.astype(float), 0)
    return np.asarray(dwell_time_s * (light + instrument.fluorescence * np.exp(-1.2 * place)))


def measure(
    cube: RamanCube,
    dwell_time_s: float,
    rng: np.random.Generator,
    instrument: Instrument | None = None,
) -> RamanCube:
    """Measure a clean cube: shot noise, read noise, cosmic rays, whole counts.

    The constant offset of the camera is subtracted, so counts may be negative.

    Parameters
    ----------
    cube
        Clean, for example ``cell(...).cube``.
    dwell_time_s
        Time spent on each pixel, seconds.

    Raises
    ------
    ParameterError
        If the time is not positive.
    """
    if not dwell_time_s > 0:
        raise ParameterError(f"The dwell time is {dwell_time_s} s; it must be more than 0.")
    instrument = instrument or Instrument()
    electrons = rng.poisson(expected_electrons(cube, dwell_time_s, instrument)).astype(float)
    electrons += rng.normal(0, instrument.read_noise, electrons.shape)
    electrons += _cosmic_rays(cube.shape, instrument.cosmic_rays * dwell_time_s, rng)
    counts = np.rint(electrons / instrument.gain)
    step = Step("measure (simulated)", {"dwell_time_s": dwell_time_s, **asdict(instrument)})
    metadata = {
        **cube.metadata,
        "name": f"{cube.name}, {dwell_time_s:g} s",
        "dwell_time_s": dwell_time_s,
        "intensity_unit": "counts",
    }
    return cube.derive(counts, step, metadata=metadata)


def skip_sample(cube: RamanCube, scale: int, phase: int = 1) -> RamanCube:
    """Keep every scale-th pixel of a cube, the first at the phase: a faster scan of the same.

    Parameters
    ----------
    scale
        Fine pixels per measured pixel along each side.
    phase
        Which fine pixel of each cell is kept, from 0 to scale - 1.

    Raises
    ------
    ParameterError
        If the phase lies outside the cell or the cube has no such pixel.
    """
    if not 0 <= phase < scale or min(cube.shape[:2]) <= phase:
        raise ParameterError(
            f"The phase is {phase}; it must be from 0 to {scale - 1} and lie within the "
            f"{cube.shape[0]} x {cube.shape[1]} pixels."
        )
    # Without a pixel size, lengths count measured pixels, and these are now larger.
    unit = 1.0 if cube.pixel_size else float(scale)
    origin = tuple((o + phase * d) / unit for o, d in zip(cube.origin, cube.spacing, strict=True))
    size = (cube.pixel_size[0] * scale, cube.pixel_size[1] * scale) if cube.pixel_size else None
    step = Step("skip-sample", {"scale": scale, "phase": phase})
    low = cube.intensity[phase::scale, phase::scale]
    return cube.derive(low, step, pixel_size=size, origin=origin)


def _cosmic_rays(shape: tuple[int, int, int], chance: float, rng: np.random.Generator) -> Array:
    spikes = np.zeros(shape)
    struck = np.argwhere(rng.random(shape[:2]) < chance)
    channels = rng.integers(shape[2], size=len(struck))
    spikes[struck[:, 0], struck[:, 1], channels] = rng.uniform(500, 20000, len(struck))
    return spikes
