"""Prepare a cube that memory does not hold: from Zarr to Zarr, tile by tile.

Each step is a source of tiles that asks the step before it for what it needs: the same pixels, one more at every
side where neighbors are compared, or other pixels where the map itself changes. So a tile goes through all steps
in one go. A step that must know the whole map first lets all tiles before it pass once to be summed up.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.engine.prepare import at_step
from napari_deeper.engine.prepare_run import (
    add,
    history,
    in_order,
    in_threads,
    sum_up,
    treat_spectra,
)
from napari_deeper.engine.prepare_settings import Bin, CropMap, Flip, Settings
from napari_deeper.engine.prepare_steps import Facts, Intensity, Mask, Outcome, Summary, Treated
from napari_deeper.engine.recipe import Recipe, kind_of
from napari_deeper.io.zarr_growing import new_stored
from napari_deeper.io.zarr_rows import StoredCube, Tile, pixels_of, tiles_of
from napari_deeper.spectra.axis import Axis
from napari_deeper.spectra.cube import Pair, RamanCube
from napari_deeper.spectra.progress import Progress
from napari_deeper.spectra.provenance import Step


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


class _Stored:
    """The first source: the store itself."""

    def __init__(self, stored: StoredCube) -> None:
        n_channels = stored.shape[2]
        pixel = RamanCube.from_header(np.zeros((1, 1, n_channels), np.float32), stored.header)
        self.outline = Outline(stored.shape, pixel)
        self.read = stored.read


@dataclass
class _Stepped:
    """A step over the source before it."""

    before: _Stored | _Stepped
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
        """Start counting anew: a pass that only summed up does not count."""
        self.found, self.events = {}, []
        if isinstance(self.before, _Stepped):
            self.before.forget()

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


def _sum_up(source: _Stored | _Stepped, progress: Progress, label: str) -> Summary:
    shape = source.outline.shape

    def blocks() -> Iterator[tuple[NDArray[np.intp], Intensity]]:
        for tile, block in in_threads(source.read, tiles_of(shape), progress, label):
            yield pixels_of(tile, shape[1]), block.reshape(-1, block.shape[2])

    return sum_up(source.outline, blocks())


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


def prepare_stored(
    stored: StoredCube, path: Path, recipe: Recipe, *, overwrite: bool, progress: Progress
) -> tuple[Step, ...]:
    """Run a recipe from a store to a new one; return the steps of the new history.

    Memory holds a few tiles at a time: as many as twice the threads, with what their steps need.

    Raises
    ------
    DeeperError
        As `napari_deeper.prepare` does.
    """
    source: _Stored | _Stepped = _Stored(stored)
    n_passes = 1 + sum(kind_of(s).surveys(s) for s in recipe.steps)
    done = 0
    for number, settings in enumerate(recipe.steps, 1):
        kind = kind_of(settings)
        with at_step(number, settings):
            facts: Facts = {}
            if kind.surveys(settings):
                part = progress.part(done / n_passes, (done + 1) / n_passes)
                facts = kind.survey(_sum_up(source, part, kind.label), settings)
                done += 1
            kind.run(
                source.read(_first_pixel(settings)), source.outline.wavenumber, settings, facts
            )
            source = _Stepped(source, settings, facts)
    part = progress.part(done / n_passes, 1.0)
    return _write(source, path, stored, overwrite=overwrite, progress=part)


def _first_pixel(settings: Settings) -> Tile:
    """Return the pixels that tell at once whether a step can be done with this cube."""
    if isinstance(settings, CropMap):
        return slice(0, settings.y + 1), slice(0, settings.x + 1)
    if isinstance(settings, Bin):
        return slice(0, settings.y), slice(0, settings.x)
    return slice(0, 1), slice(0, 1)


def _write(
    source: _Stored | _Stepped,
    path: Path,
    stored: StoredCube,
    *,
    overwrite: bool,
    progress: Progress,
) -> tuple[Step, ...]:
    if isinstance(source, _Stepped):
        source.forget()
    with new_stored(path, source.outline.shape, overwrite=overwrite) as store:
        tiles = tiles_of(source.outline.shape)
        for tile, block in in_threads(source.read, tiles, progress, "Preparing tile by tile"):
            store.put(tile, block)
        steps = _history(source)
        header = source.outline.cube.header()
        old = list(stored.header.get("provenance", ()))
        store.finish(header | {"provenance": [*old, *(step.to_json() for step in steps)]})
    progress.update(1.0, "Prepared")
    return steps


def _history(source: _Stored | _Stepped) -> tuple[Step, ...]:
    if isinstance(source, _Stored):
        return ()
    step = history(
        source.before.outline,
        source.kind,
        source.settings,
        source.facts,
        source.outcome(),
        source.changes,
    )
    return (*_history(source.before), step)
