"""The spectrometer: from a clean cube to counts, with the noise and the faults of a real one."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from napari_deeper.simulate.bands import Array, Mask
from napari_deeper.simulate.optics import (
    bleached,
    chip_pattern,
    fringes,
    miscalibrated,
    spread_points,
)
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import ParameterError
from napari_deeper.spectra.provenance import Step


@dataclass(frozen=True)
class Instrument:
    """A camera and the light that reaches it. By default it has noise, but no fault.

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
    fluorescence_contrast
        Share of the fluorescence that comes from the sample, in step with its mean intensity, from 0
        to 1.
    bleaching
        Rate at which the fluorescence under the laser decays during a dwell, 1/s.
    field_bleaching
        Rate at which that of the whole field decays during the scan, 1/s.
    etaloning
        Depth of the fringes of a thin chip, as a share of the light.
    etalon_period
        Channels per fringe.
    fixed_pattern
        Standard deviation of the sensitivity from channel to channel, as a share; the same in all pixels.
    dark_pattern
        Standard deviation of an offset from channel to channel, electrons; the same in all pixels.
    chip
        Which chip: a seed of its two patterns.
    point_spread
        Standard deviation of a spot that blurs the map before it is sampled, um.
    axis_shift, axis_stretch
        Error of the reported axis: at its middle, cm-1, and of its step, as a share.
    full_well
        Electrons at which a channel saturates, or None.

    Raises
    ------
    ParameterError
        If a value cannot be.
    """

    rate: float = 80.0
    read_noise: float = 3.0
    gain: float = 1.0
    fluorescence: float = 0.0
    cosmic_rays: float = 0.0
    fluorescence_contrast: float = 0.0
    bleaching: float = 0.0
    field_bleaching: float = 0.0
    etaloning: float = 0.0
    etalon_period: float = 25.0
    fixed_pattern: float = 0.0
    dark_pattern: float = 0.0
    chip: int = 0
    point_spread: float = 0.0
    axis_shift: float = 0.0
    axis_stretch: float = 0.0
    full_well: float | None = None

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value is None or (np.isfinite(value) and (value >= 0 or name.startswith("axis_"))):
                continue
            raise ParameterError(f"The instrument's {name} is {value}; it must not be negative.")
        for name in ("gain", "etalon_period", "full_well"):
            if getattr(self, name) == 0:
                raise ParameterError(f"The instrument's {name} is 0; it must be more than 0.")
        if self.fluorescence_contrast > 1:
            raise ParameterError(
                f"fluorescence_contrast is {self.fluorescence_contrast}; it is a share, at most 1."
            )
        if not -0.5 < self.axis_stretch < 0.5:
            raise ParameterError(f"axis_stretch is {self.axis_stretch}; it is a share, below 0.5.")

    def record(self) -> dict[str, Any]:
        """Return what a history should say: the noise, and those faults that it has."""
        kept = ("rate", "read_noise", "gain", "fluorescence", "cosmic_rays")
        return {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name in kept or getattr(self, field.name) != field.default
        }


def expected_electrons(cube: RamanCube, dwell_time_s: float, instrument: Instrument) -> Array:
    """Return the mean electrons (y, x, channel) of a measurement, as if nothing ever saturated."""
    cube = spread_points(cube, instrument.point_spread)
    n_channels = cube.shape[2]
    place = np.linspace(0, 1, n_channels)
    light = instrument.rate * np.maximum(cube.intensity.astype(float), 0)
    left = bleached(cube.shape[:2], dwell_time_s, instrument.bleaching, instrument.field_bleaching)
    background = instrument.fluorescence * np.exp(-1.2 * place)
    amount = left * _glow(light, instrument.fluorescence_contrast)
    electrons = dwell_time_s * (light + amount[..., None] * background)
    if instrument.etaloning:
        electrons *= fringes(n_channels, instrument.etaloning, instrument.etalon_period)
    sensitivity, offset = chip_pattern(n_channels, instrument.chip)
    electrons *= np.maximum(1 + instrument.fixed_pattern * sensitivity, 0)
    return np.asarray(electrons + instrument.dark_pattern * offset)


def _glow(light: Array, contrast: float) -> Array:
    """Return how strongly each pixel (y, x) fluoresces, 1 on average."""
    amount = light.mean(axis=2)
    mean = float(amount.mean())
    return np.asarray(1 + contrast * (amount / mean - 1)) if mean > 0 else np.ones_like(amount)


def measure(
    cube: RamanCube,
    dwell_time_s: float,
    rng: np.random.Generator,
    instrument: Instrument | None = None,
) -> RamanCube:
    """Measure a clean cube: shot noise, read noise, cosmic rays, saturation, whole counts.

    The constant offset of the camera is subtracted, so counts may be negative. With an axis in
    error, the result reports that axis.

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
    mean = expected_electrons(cube, dwell_time_s, instrument)
    # The offset of the chip is no light, so it has no shot noise.
    offset = instrument.dark_pattern * chip_pattern(cube.shape[2], instrument.chip)[1]
    electrons = rng.poisson(np.maximum(mean - offset, 0)) + offset
    electrons += rng.normal(0, instrument.read_noise, electrons.shape)
    electrons += _cosmic_rays(cube.shape, instrument.cosmic_rays * dwell_time_s, rng)
    metadata = {
        **cube.metadata,
        "name": f"{cube.name}, {dwell_time_s:g} s",
        "dwell_time_s": dwell_time_s,
        "intensity_unit": "counts",
    }
    if instrument.full_well is not None:
        metadata["saturation_counts"] = float(np.rint(instrument.full_well / instrument.gain))
        metadata["n_saturated"] = int((electrons >= instrument.full_well).sum())
        electrons = np.minimum(electrons, instrument.full_well)
    counts = np.rint(electrons / instrument.gain)
    step = Step("measure (simulated)", {"dwell_time_s": dwell_time_s, **instrument.record()})
    axis = miscalibrated(cube.wavenumber, instrument.axis_shift, instrument.axis_stretch)
    return cube.derive(counts, step, metadata=metadata, wavenumber=axis)


def saturated(cube: RamanCube) -> Mask:
    """Return where (y, x, channel) a measured cube holds the most that its camera can count."""
    most = cube.metadata.get("saturation_counts", np.inf)
    return np.asarray(cube.intensity >= np.float32(most))


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
