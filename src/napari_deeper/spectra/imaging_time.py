"""How long a point-by-point Raman image takes, and how to tell it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import ParameterError

FROM_HOURS = 5999.5  # s, from which on durations are told with hours


@dataclass(frozen=True)
class ImagingTime:
    """The time that a point-by-point image takes.

    Parameters
    ----------
    n_y, n_x
        Measured pixels along y and x.
    dwell_s
        Time per spectrum, s.
    pixel_overhead_s
        Added for each pixel, s: readout, settling of the stage.
    line_overhead_s
        Added for each line of ``n_x`` pixels, s: the way back.
    """

    n_y: int
    n_x: int
    dwell_s: float
    pixel_overhead_s: float = 0.0
    line_overhead_s: float = 0.0

    @property
    def seconds(self) -> float:
        """The time in s."""
        per_pixel = self.dwell_s + self.pixel_overhead_s
        return self.n_y * (self.n_x * per_pixel + self.line_overhead_s)

    def speed_up(self, reference: ImagingTime) -> float:
        """Return how many times sooner this image is there than another."""
        return reference.seconds / self.seconds

    def __str__(self) -> str:
        return format_duration(self.seconds)


def imaging_time(
    n_y: int,
    n_x: int,
    dwell_s: float,
    *,
    pixel_overhead_s: float = 0.0,
    line_overhead_s: float = 0.0,
) -> ImagingTime:
    """Return the time that ``n_y`` by ``n_x`` pixels take; its `str` reads like ``68:16`` (min:s).

    Parameters
    ----------
    n_y, n_x
        Measured pixels along y and x.
    dwell_s
        Time per spectrum, s.
    pixel_overhead_s, line_overhead_s
        Added for each pixel and each line, s. What they are depends on the instrument; 0 as published.

    Raises
    ------
    ParameterError
        For pixels or times that cannot be.
    """
    for name, count in (("n_y", n_y), ("n_x", n_x)):
        if count != int(count) or count < 1:
            raise ParameterError(
                f"{name} is {count}; an image has a whole number of pixels, from 1."
            )
    if not (math.isfinite(dwell_s) and dwell_s > 0):
        raise ParameterError(f"The dwell time is {dwell_s} s; it must be more than 0.")
    for name, seconds in (("pixel", pixel_overhead_s), ("line", line_overhead_s)):
        if not (math.isfinite(seconds) and seconds >= 0):
            raise ParameterError(
                f"The overhead per {name} is {seconds} s; it must not be negative."
            )
    return ImagingTime(int(n_y), int(n_x), dwell_s, pixel_overhead_s, line_overhead_s)


def format_duration(seconds: float) -> str:
    """Return a duration as ``mm:ss``, to the nearest second (halves up); from 100 minutes as ``h:mm:ss``.

    Less than half a second is told in ms: ``00:00`` would say that it takes no time.
    """
    if 0 < seconds < 0.5:
        return f"{1000 * seconds:.3g} ms"
    whole = math.floor(seconds + 0.5)
    minutes, left = divmod(whole, 60)
    if minutes < 100:
        return f"{minutes:02d}:{left:02d}"
    return f"{minutes // 60}:{minutes % 60:02d}:{left:02d}"


def format_speed_up(factor: float, times: str = "x") -> str:
    """Return a speed-up such as ``160x``; below 10 with one decimal where it has one."""
    text = f"{factor:.0f}" if factor >= 9.95 else f"{factor:.1f}".removesuffix(".0")
    return f"{text}{times}"


def imaging_time_of(cube: RamanCube) -> ImagingTime | None:
    """Return how long the measurement behind a cube took, or None where its dwell time is not known.

    A super-resolved cube took as long as the pixels that were measured: its own over ``zoom`` along
    y and x. Overheads are in no cube, so they are not counted.
    """
    return time_behind(cube.shape[0], cube.shape[1], cube.zoom, cube.metadata.get("dwell_time_s"))


def time_behind(n_y: int, n_x: int, zoom: float, dwell_s: Any) -> ImagingTime | None:
    """Return the time behind an image of ``n_y`` by ``n_x`` pixels, ``zoom`` of them per measured pixel."""
    if isinstance(dwell_s, bool) or not isinstance(dwell_s, int | float):
        return None
    if not (math.isfinite(dwell_s) and dwell_s > 0 and zoom > 0):
        return None
    measured_y, measured_x = (max(1, round(n / zoom)) for n in (n_y, n_x))
    return ImagingTime(measured_y, measured_x, float(dwell_s))


def describe_times(
    cubes: Mapping[str, tuple[tuple[int, int], ImagingTime | None]], reference_dwell: float = 0.0
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the imaging time of each cube whose dwell time is known, with its speed-up, and what that means.

    A speed-up is told only against a reference that can be named: the same pixels at the longest dwell
    time among the cubes, or at the one given.

    Parameters
    ----------
    cubes
        By name: pixels along y and x, and how long the measurement took, or None.
    reference_dwell
        Dwell time to compare with, s; 0: the longest one.
    """
    known = {name: time for name, (_, time) in cubes.items() if time}
    if not known:
        return {}, ()
    slowest = max(known, key=lambda name: known[name].dwell_s)
    dwell = reference_dwell or known[slowest].dwell_s
    texts: dict[str, str] = {}
    faster = False
    for name, time in known.items():
        n_y, n_x = cubes[name][0]
        factor = time.speed_up(imaging_time(n_y, n_x, dwell))
        faster |= factor > 1.005
        texts[name] = f"{time} ({format_speed_up(factor, '×')})" if factor > 1.005 else str(time)
    notes = ["Times: imaging time (min:s), pixels measured times dwell time."]
    if faster:
        whose = "" if reference_dwell else f", as in '{slowest}'"
        notes.append(
            f"In brackets: how many times sooner than the same pixels at {dwell:g} s per pixel{whose}."
        )
    return texts, tuple(notes)
