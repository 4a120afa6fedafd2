"""What a step is: its settings, what it does to a block of a map, and what is told of it afterwards.

A step sees blocks: finite spectra without their place (``"spectra"``), rows with one row more at either side
(``"neighbors"``), or the map as a whole (``"map"``). What it must know of the whole map beforehand, a survey
reads from a `Summary`, which large files can be summed up to block by block.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_deeper.spectra.axis import Axis
from napari_deeper.spectra.cube import Pair

Intensity = NDArray[np.float32]
Mask = NDArray[np.bool_]
Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Summary:
    """What is known of a whole map before a step.

    Parameters
    ----------
    wavenumber
        (channel,) in cm-1.
    mean
        (channel,): mean spectrum of the pixels that are finite.
    maximum
        Highest intensity of those.
    sample
        (pixel, channel): at most a few thousand of them, from all over the map.
    metadata
        Of the cube.
    """

    wavenumber: Axis
    mean: NDArray[np.float64]
    maximum: float
    sample: Intensity
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Treated:
    """What a step made of a block.

    Parameters
    ----------
    intensity
        (y, x, channel).
    found
        Numbers to tell, which add up over blocks.
    events
        (event, 4): row, column, channel and height of what was found in single places.
    curve
        (y, x, channel of the input): the baseline that was taken off, or None.
    marks
        (y, x, channel of the input): the channels that were repaired, or None.
    """

    intensity: Intensity
    found: Mapping[str, float] = field(default_factory=dict)
    events: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 4)))
    curve: Intensity | None = None
    marks: Mask | None = None


@dataclass(frozen=True)
class Told:
    """What the history says of a step: JSON types beside its settings, and sentences for the user."""

    record: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What a step found in the whole map."""

    found: Mapping[str, float]
    events: NDArray[np.float64]


class MapFacts(Protocol):
    """What a step may know of a map beside its intensities: a cube, or one that is too large to be one."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(y, x, channel)."""

    @property
    def wavenumber(self) -> Axis:
        """(channel,) in cm-1."""

    @property
    def pixel_size(self) -> Pair | None:
        """(dy, dx) in um."""

    @property
    def origin(self) -> Pair:
        """Of the first pixel."""

    @property
    def zoom(self) -> float:
        """Pixels per measured pixel."""

    @property
    def spacing(self) -> Pair:
        """Between pixels."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Of the source."""

    @property
    def uncertainty(self) -> Intensity | None:
        """(y, x, channel)."""

    @property
    def flagged(self) -> Mask | None:
        """(y, x)."""


Run = Callable[[Intensity, Axis, Any, Facts], Treated]
Survey = Callable[[Summary, Any], Facts]
Change = Callable[[MapFacts, Any, Facts], dict[str, Any]]
Tell = Callable[[MapFacts, Any, Facts, Outcome], Told]


def _nothing(cube: MapFacts, settings: Any, facts: Facts) -> dict[str, Any]:
    return {}


def _no_facts(summary: Summary, settings: Any) -> Facts:
    return {}


def _silence(cube: MapFacts, settings: Any, facts: Facts, outcome: Outcome) -> Told:
    return Told()


@dataclass(frozen=True)
class StepKind:
    """One kind of step.

    Parameters
    ----------
    name
        In recipes and histories, for example ``"despike"``.
    settings
        Its dataclass of settings.
    run
        ``run(block, wavenumber, settings, facts)``.
    label, tooltip
        For people.
    scope
        What `run` must see at once: ``"spectra"``, ``"neighbors"`` or ``"map"``.
    survey
        ``survey(summary, settings)`` returns the facts of the whole map that `run` needs; `surveys` says
        whether it needs a summary at all.
    change
        ``change(cube, settings, facts)`` returns the fields of the cube (the input) that become others.
    tell
        ``tell(cube, settings, facts, outcome)``; the cube is the input.
    keeps
        Whether uncertainty and flags go on as `change` gives them, or unchanged; else they are dropped.
    """

    name: str
    settings: type[Any]
    run: Run
    label: str
    tooltip: str
    scope: str = "spectra"
    survey: Survey = _no_facts
    surveys: Callable[[Any], bool] = lambda settings: False
    change: Change = _nothing
    tell: Tell = _silence
    keeps: bool = False
