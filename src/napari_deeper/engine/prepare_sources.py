"""Steps over a stored cube as sources of tiles: each asks the one before it for the pixels that it needs.

That is the same pixels, one more at every side where neighbors are compared, or other pixels where the map itself
changes. So a tile goes through all steps in one go.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.engine.prepare_run import (
    add,
    in_order,
    treat_spectra,
)
from napari_deeper.engine.prepare_settings import Bin, CropMap, Flip, Settings
from napari_deeper.engine.prepare_steps import Facts, Intensity, Mask, Outcome, Treated
from napari_deeper.engine.recipe import kind_of
from napari_deeper.io.zarr_rows import StoredCube, Tile
from napari_deeper.spectra.axis import Axis
from napari_deeper.spectra.cube import Pair, RamanCube


@dataclass(frozen=True)
class Outline:
    """All of a cube but its intensities; it has no uncertainty and no flags."""

    shape: tuple[int, int, int]
    cube: RamanCube  # of one pixel, for its fields

    @property
    def wavenumber(self) -> Axis:
        """(channel,) in cm-1."""
        return self.cube.wavenumber

    @property
    def pixel_size(self) -> Pair | None:
        """(dy, dx) in um."""
        return self.cube.pixel_size

    @property
    def origin(self) -> Pair:
        """Of the first pixel."""
        return self.cube.origin

    @property
    def zoom(self) -> float:
        """Pixels per measured pixel."""
        return self.cube.zoom

    @property
    def spacing(self) -> Pair:
        """Between pixels."""
        return self.cube.spacing

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Of the source."""
        return self.cube.metadata

    @property
    def uncertainty(self) -> Intensity | None:
        """Not here."""
        return None

    @property
    def flagged(self) -> Mask | None:
        """Not here."""
        return None


class Stored:
    """The first source: the store itself."""

    def __init__(self, stored: StoredCube) -> None:
        n_channels = stored.shape[2]
        pixel = RamanCube.from_header(np.zeros((1, 1, n_channels), np.float32), stored.header)
        self.outline = Outline(stored.shape, pixel)
        self.read = stored.read


@dataclass
class Stepped:
    """A step over the source before it."""

    before: Stored | Stepped
    settings: Settings
    facts: Facts
    outline: Outline = field(init=False)
    found: dict[str, float] = field(default_factory=dict)
    events: list[NDArray[np.float64]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.kind = kind_of(self.settings)
        was = self.before.outline
        self.changes = self.kind.change(was, self.settings, self.facts)
        axis = self.changes.get("wavenumber", was.wavenumber)
        fields = {k: v for k, v in self.changes.items() if k not in ("uncertainty", "flagged")}
        pixel = dataclasses.replace(
            was.cube, intensity=np.zeros((1, 1, len(axis)), np.float32), **fields
        )
        self.outline = Outline((*_size(was.shape, self.settings), len(axis)), pixel)

    def read(self, tile: Tile) -> Intensity:
        """Return (y, x, channel) of a tile after this step."""
        treated = self._treat(tile)
        with self.lock:
            add(self.found, treated)
            self.events.append(treated.events)
        return treated.intensity

    def forget(self) -> None:
        """Start counting anew."""
        self.found, self.events = {}, []

    def outcome(self) -> Outcome:
        """Return what was found, that of overlapping tiles once."""
        events = in_order(self.events)
        if len(events):
            new = np.r_[True, (np.diff(events[:, :3], axis=0) != 0).any(axis=1)]
            events = events[new]
        return Outcome(self.found, events)

    def _treat(self, tile: Tile) -> Treated:
        settings, was = self.settings, self.before.outline
        axis = was.wavenumber
        if self.kind.scope == "spectra":
            block = self.before.read(tile)
            done = treat_spectra(
                block.reshape(-1, block.shape[2]), axis, self.kind, settings, self.facts
            )
            return Treated(done.intensity.reshape(*block.shape[:2], -1), done.found)
        if self.kind.scope == "neighbors":
            wide = tuple(
                slice(max(0, s.start - 1), min(n, s.stop + 1))
                for s, n in zip(tile, was.shape, strict=False)
            )
            block = self.before.read((wide[0], wide[1]))
            return _cut(self.kind.run(block, axis, settings, self.facts), tile, (wide[0], wide[1]))
        source, settings = _where(tile, was.shape, settings)
        return self.kind.run(self.before.read(source), axis, settings, self.facts)


def _cut(treated: Treated, tile: Tile, wide: Tile) -> Treated:
    """Leave out the pixels that were only there to be compared with; count from the map's first."""
    corner = np.array([wide[0].start, wide[1].start, 0, 0])
    events = treated.events + corner
    inside = np.ones(len(events), bool)
    for axis, s in enumerate(tile):
        inside &= (events[:, axis] >= s.start) & (events[:, axis] < s.stop)
    (top, left), (rows, columns) = corner[:2], tile
    core = treated.intensity[
        rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
    ]
    return Treated(core, treated.found, events[inside])


def _size(shape: tuple[int, ...], settings: Settings) -> tuple[int, int]:
    """Return (y, x) of a map after a step."""
    n_y, n_x = shape[:2]
    if isinstance(settings, CropMap):
        return (
            min(n_y - settings.y, settings.height or n_y),
            min(n_x - settings.x, settings.width or n_x),
        )
    if isinstance(settings, Bin):
        return max(1, n_y // settings.y), max(1, n_x // settings.x)
    return n_y, n_x


def _where(tile: Tile, shape: tuple[int, ...], settings: Settings) -> tuple[Tile, Settings]:
    """Return the pixels that a tile comes from, and what is left to be done to them."""
    rows, columns = tile
    if isinstance(settings, CropMap):
        return (_moved(rows, settings.y), _moved(columns, settings.x)), CropMap()
    if isinstance(settings, Bin):
        return (_times(rows, settings.y), _times(columns, settings.x)), settings
    if isinstance(settings, Flip):
        if settings.axis in ("y", "both"):
            rows = slice(shape[0] - rows.stop, shape[0] - rows.start)
        if settings.axis in ("x", "both"):
            columns = slice(shape[1] - columns.stop, shape[1] - columns.start)
    return (rows, columns), settings


def _moved(s: slice, by: int) -> slice:
    return slice(s.start + by, s.stop + by)


def _times(s: slice, factor: int) -> slice:
    return slice(s.start * factor, s.stop * factor)
