"""Plan a measurement: in full, or fast and coarse, to be denoised and super-resolved."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any

from napari_deeper.spectra import params as settings_of
from napari_deeper.spectra.errors import ParameterError
from napari_deeper.spectra.imaging_time import (
    FROM_HOURS,
    ImagingTime,
    format_speed_up,
    imaging_time,
)

PUBLISHED_DWELL_S = 1.0  # of the high-SNR measurement that the published speed-ups refer to
SCALES = (1, 2, 3, 4)


@dataclass(frozen=True)
class PlanParams:
    """Settings of `plan_imaging`."""

    n_y: Annotated[
        int,
        {
            "label": "Pixels along y",
            "tooltip": "Pixels that the finished image shall have along y",
            "min": 1,
            "max": 100_000,
        },
    ] = 64
    n_x: Annotated[
        int,
        {
            "label": "Pixels along x",
            "tooltip": "Pixels that the finished image shall have along x",
            "min": 1,
            "max": 100_000,
        },
    ] = 64
    pixel_size_um: Annotated[
        float,
        {
            "label": "Pixel size (µm)",
            "tooltip": "Of the finished image, µm; 0: not known",
            "step": 0.01,
            "min": 0.0,
            "max": 10_000.0,
        },
    ] = 0.0
    dwell_s: Annotated[
        float,
        {
            "label": "Dwell time (s)",
            "tooltip": "Time per spectrum of a good measurement, s",
            "step": 0.001,
            "min": 0.0001,
            "max": 100_000.0,
        },
    ] = PUBLISHED_DWELL_S
    fast_dwell_s: Annotated[
        float,
        {
            "label": "Fast dwell (s)",
            "tooltip": "Time per spectrum of the noisy measurement that will be denoised, s",
            "step": 0.001,
            "min": 0.0001,
            "max": 100_000.0,
        },
    ] = 0.1
    scale: Annotated[
        int,
        {
            "label": "Scale",
            "tooltip": "Super-resolution: 2, 3, 4 measure one of 4, 9, 16 pixels; 1: measure all",
            "choices": SCALES,
        },
    ] = 4
    pixel_overhead_s: Annotated[
        float,
        {
            "label": "Overhead per pixel (s)",
            "tooltip": "Readout and stage settling for each pixel, s",
            "step": 0.001,
            "min": 0.0,
            "max": 1000.0,
        },
    ] = 0.0
    line_overhead_s: Annotated[
        float,
        {
            "label": "Overhead per line (s)",
            "tooltip": "Way back of the stage after each line, s",
            "step": 0.01,
            "min": 0.0,
            "max": 1000.0,
        },
    ] = 0.0


@dataclass(frozen=True)
class ImagingPlan:
    """A measurement in full, the fast one in its place, and what to know about that.

    Parameters
    ----------
    full
        Every pixel at the full dwell time.
    fast
        What is measured instead.
    notes
        What the speed-up is bought with, one sentence each.
    """

    full: ImagingTime
    fast: ImagingTime
    notes: tuple[str, ...]

    @property
    def speed_up(self) -> float:
        """How many times sooner the fast measurement is there."""
        return self.fast.speed_up(self.full)


def plan_imaging(params: PlanParams | None = None, **settings: Any) -> ImagingPlan:
    """Compare a measurement in full with a fast, coarse one that is denoised and super-resolved.

    Parameters
    ----------
    params
        All settings at once.
    settings
        Single settings by name, for example ``scale=2``; they override ``params``.

    Raises
    ------
    ParameterError
        For a setting out of bounds, or fewer pixels than the scale leaves out.
    """
    p = settings_of.make(PlanParams, params, settings)
    if min(p.n_y, p.n_x) < p.scale:
        raise ParameterError(
            f"{p.n_y} x {p.n_x} pixels at scale {p.scale} leave none to measure. Lower the scale."
        )
    overhead = {"pixel_overhead_s": p.pixel_overhead_s, "line_overhead_s": p.line_overhead_s}
    # whole cells only, so that both images have the same pixels
    n_y, n_x = p.n_y // p.scale, p.n_x // p.scale
    full = imaging_time(n_y * p.scale, n_x * p.scale, p.dwell_s, **overhead)
    fast = imaging_time(n_y, n_x, p.fast_dwell_s, **overhead)
    return ImagingPlan(full, fast, tuple(_notes(p, full, fast)))


def _notes(p: PlanParams, full: ImagingTime, fast: ImagingTime) -> list[str]:
    notes = []
    if (full.n_y, full.n_x) != (p.n_y, p.n_x):
        notes.append(
            f"{p.n_y} x {p.n_x} is no multiple of {p.scale}: {full.n_y} x {full.n_x} pixels are compared."
        )
    gain = p.dwell_s / p.fast_dwell_s
    if gain < 1:
        notes.append("The fast dwell time is longer than the full one.")
    elif gain > 1:
        notes.append(
            f"Each spectrum gets {gain:.3g} times less light: its SNR falls by {math.sqrt(gain):.2g} to "
            f"{gain:.2g} times, and what denoising puts in its place is an estimate."
        )
    if p.scale > 1:
        share = p.scale**2
        notes.append(
            f"Only one of {share} pixels is measured; the other {share - 1} are estimates from their "
            "neighbors. What is smaller than the gap between measured pixels can be missed or invented."
        )
    if len(notes) and (gain > 1 or p.scale > 1):
        notes.append(
            "Measure one sample both ways and compare before relying on it (napari-deeper evaluate)."
        )
    if not p.pixel_overhead_s and not p.line_overhead_s:
        notes.append("Readout and stage movements are not counted; give them as overheads.")
    return notes


def describe_plan(plan: ImagingPlan, pixel_size_um: float = 0.0) -> str:
    """Return the two measurements and the speed-up as lines of text."""
    scale = plan.full.n_y // plan.fast.n_y
    lines = [
        f"In full   {_row(plan.full, pixel_size_um)}",
        f"Fast      {_row(plan.fast, pixel_size_um * scale)}",
        f"Speed-up  {format_speed_up(plan.speed_up)}",
    ]
    return "\n".join(lines)


def _row(time: ImagingTime, pixel_size_um: float) -> str:
    size = ""
    if pixel_size_um:
        field = f"{time.n_y * pixel_size_um:g} x {time.n_x * pixel_size_um:g} um"
        size = f", {pixel_size_um:g} um apart ({field})"
    unit = "min:s" if time.seconds < FROM_HOURS else "h:min:s"
    return f"{time}  ({unit}): {time.n_y} x {time.n_x} pixels at {time.dwell_s:g} s{size}"
