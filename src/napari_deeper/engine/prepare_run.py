"""Run one step over a map: in blocks, in threads, with pixels that were not measured left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.engine.prepare_settings import Settings
from napari_deeper.engine.prepare_steps import (
    Facts,
    Intensity,
    MapFacts,
    Outcome,
    StepKind,
    Summary,
    Treated,
)
from napari_deeper.engine.recipe import kind_of
from napari_deeper.processing.threads import in_threads
from napari_deeper.spectra import params as settings_of
from napari_deeper.spectra.axis import Axis
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import CubeError
from napari_deeper.spectra.progress import Progress
from napari_deeper.spectra.provenance import Step

# Values in a block: enough for numpy to be quick, few enough for the caches and for a cancel to be soon.
_BLOCK = 2**19
_SAMPLE = 4096
_HALO = 1


def sampled(n_pixels: int, most: int) -> NDArray[np.intp]:
    """Return which pixels stand for a map: the same each time, and no grid that falls on one column."""
    if n_pixels <= most:
        return np.arange(n_pixels)
    return np.sort(np.random.default_rng(0).choice(n_pixels, most, replace=False))


def summarize(cube: RamanCube) -> Summary:
    """Sum a map up for the steps that must know the whole of it."""
    size = max(1, _BLOCK // cube.shape[2])
    blocks = (
        (np.arange(start, min(start + size, len(cube.spectra))), cube.spectra[start : start + size])
        for start in range(0, len(cube.spectra), size)
    )
    return sum_up(cube, blocks)


def sum_up(facts: MapFacts, blocks: Iterable[tuple[NDArray[np.intp], Intensity]]) -> Summary:
    """Sum a map up from blocks: which pixels they are, counted along the rows, and their spectra."""
    n_y, n_x, n_channels = facts.shape
    chosen = np.zeros(n_y * n_x, bool)
    chosen[sampled(n_y * n_x, _SAMPLE)] = True
    total, n_pixels, highest = np.zeros(n_channels), 0, -np.inf
    kept: list[tuple[NDArray[np.intp], Intensity]] = []
    for pixels, block in blocks:
        usable = np.isfinite(block).all(axis=1)
        pixels, block = pixels[usable], block[usable]
        if not len(block):
            continue
        total += block.sum(axis=0, dtype=np.float64)
        highest = max(highest, float(block.max()))
        n_pixels += len(block)
        kept.append((pixels[chosen[pixels]], block[chosen[pixels]]))
    if not n_pixels:
        raise CubeError("Every pixel holds NaN or infinity: nothing was measured.")
    order = np.argsort(np.concatenate([pixels for pixels, _ in kept]))
    sample = np.concatenate([block for _, block in kept])[order]
    return Summary(facts.wavenumber, total / n_pixels, highest, sample, facts.metadata)


def run_step(
    cube: RamanCube, settings: Settings, progress: Progress, facts: Facts | None = None
) -> RamanCube:
    """Return the successor of a cube, with the step and what it found in its history."""
    kind = kind_of(settings)
    progress.update(0.0, kind.label)
    if facts is None:
        facts = kind.survey(summarize(cube), settings) if kind.surveys(settings) else {}
    intensity, outcome = _run(cube, kind, settings, facts, progress)
    return finish(cube, intensity, kind, settings, facts, outcome)


def finish(
    cube: RamanCube,
    intensity: Intensity,
    kind: StepKind,
    settings: Settings,
    facts: Facts,
    outcome: Outcome,
) -> RamanCube:
    """Return the cube with new intensities, fields and history."""
    changes = kind.change(cube, settings, facts)
    step = history(cube, kind, settings, facts, outcome, changes)
    return cube.derive(intensity, step, **changes)


def history(
    cube: MapFacts,
    kind: StepKind,
    settings: Settings,
    facts: Facts,
    outcome: Outcome,
    changes: Mapping[str, Any],
) -> Step:
    """Return what a history says of a step: its settings, what it found, and what was lost."""
    told = kind.tell(cube, settings, facts, outcome)
    notes = list(told.notes)
    trust = {"uncertainty": cube.uncertainty, "flags": cube.flagged}
    lost = [
        word
        for word, value in trust.items()
        if value is not None and changes.get("flagged" if word == "flags" else word) is None
    ]
    if lost:
        notes.append(
            f"The {' and the '.join(lost)} of the input do not hold any more and were dropped."
        )
    return Step(kind.name, {**in_use(settings), **told.record}, tuple(notes))


def in_use(settings: Settings) -> dict[str, Any]:
    """Return the settings as JSON types, without those that this method or reference has no use for."""
    record = settings_of.to_json(settings)
    for name in list(record):
        decides, values = settings_of.options(type(settings), name).get("applies", (None, ()))
        if decides is not None and getattr(settings, decides) not in values:
            del record[name]
    return record


def _run(
    cube: RamanCube, kind: StepKind, settings: Settings, facts: Facts, progress: Progress
) -> tuple[Intensity, Outcome]:
    if kind.scope == "spectra":
        return _over_spectra(cube, kind, settings, facts, progress)
    if kind.scope == "neighbors":
        return _over_rows(cube, kind, settings, facts, progress)
    treated = kind.run(cube.intensity, cube.wavenumber, settings, facts)
    return treated.intensity, Outcome(treated.found, treated.events)


def _over_spectra(
    cube: RamanCube, kind: StepKind, settings: Settings, facts: Facts, progress: Progress
) -> tuple[Intensity, Outcome]:
    n_pixels, n_channels = cube.spectra.shape
    size = max(1, _BLOCK // n_channels)
    starts = range(0, n_pixels, size)

    def treat(start: int) -> Treated:
        return treat_spectra(
            cube.spectra[start : start + size], cube.wavenumber, kind, settings, facts
        )

    out: Intensity | None = None
    found: dict[str, float] = {}
    for start, treated in in_threads(treat, starts, progress, kind.label):
        block = treated.intensity[0]
        if out is None:
            out = np.empty((n_pixels, block.shape[1]), np.float32)
        out[start : start + size] = block
        add(found, treated)
    assert out is not None  # a cube has at least one pixel
    return out.reshape(*cube.shape[:2], -1), Outcome(found, np.zeros((0, 4)))


def treat_spectra(
    spectra: Intensity, wavenumber: Axis, kind: StepKind, settings: Settings, facts: Facts
) -> Treated:
    """Run a step on the finite ones of some spectra (pixel, channel); the others come out as NaN."""
    usable = np.isfinite(spectra).all(axis=1)
    if usable.all():
        return kind.run(spectra[None], wavenumber, settings, facts)
    # Something finite in their place gives the shape of the result even where no spectrum is usable.
    stand_in = spectra[usable] if usable.any() else np.ones((1, spectra.shape[1]), np.float32)
    treated = kind.run(stand_in[None], wavenumber, settings, facts)
    n_channels = treated.intensity.shape[2]
    out = np.full((1, len(spectra), n_channels), np.nan, np.float32)
    curve = None
    if treated.curve is not None:
        curve = np.full((1, *spectra.shape), np.nan, np.float32)
    if usable.any():
        out[0, usable] = treated.intensity[0]
        if curve is not None and treated.curve is not None:
            curve[0, usable] = treated.curve[0]
    return Treated(out, treated.found if usable.any() else {}, treated.events, curve)


def _over_rows(
    cube: RamanCube, kind: StepKind, settings: Settings, facts: Facts, progress: Progress
) -> tuple[Intensity, Outcome]:
    n_y, n_x, n_channels = cube.shape
    size = max(1, _BLOCK // (n_x * n_channels))

    def treat(start: int) -> Treated:
        first, stop = max(0, start - _HALO), min(n_y, start + size + _HALO)
        treated = kind.run(cube.intensity[first:stop], cube.wavenumber, settings, facts)
        return trim(treated, start - first, min(size, n_y - start), start)

    out = np.empty(cube.shape, np.float32)
    found: dict[str, float] = {}
    events = []
    for start, treated in in_threads(treat, range(0, n_y, size), progress, kind.label):
        out[start : start + size] = treated.intensity
        add(found, treated)
        events.append(treated.events)
    return out, Outcome(found, in_order(events))


def trim(treated: Treated, skip: int, n_rows: int, start: int) -> Treated:
    """Leave out the rows that were only there to be compared with; count rows from the map's first."""
    core = slice(skip, skip + n_rows)
    events = treated.events
    events = events[(events[:, 0] >= skip) & (events[:, 0] < skip + n_rows)]
    return Treated(
        treated.intensity[core], treated.found, events + np.array([start - skip, 0, 0, 0])
    )


def in_order(events: list[Any]) -> Any:
    """Join events of blocks, in the order of the map."""
    joined = np.concatenate(events) if events else np.zeros((0, 4))
    return joined[np.lexsort((joined[:, 2], joined[:, 1], joined[:, 0]))]


def add(found: dict[str, float], treated: Treated) -> None:
    """Add the numbers of a block to those of the map."""
    for key, value in treated.found.items():
        found[key] = found.get(key, 0.0) + value
