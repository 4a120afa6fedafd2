"""Prepare a cube: run the steps of a recipe, or show for a few pixels what each of them does."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from napari_deeper.engine.prepare_run import add, run_step, sampled, summarize, treat_spectra
from napari_deeper.engine.prepare_settings import Settings
from napari_deeper.engine.prepare_steps import (
    Facts,
    Intensity,
    Mask,
    Outcome,
    StepKind,
    Treated,
)
from napari_deeper.engine.recipe import PRESETS, Recipe, kind_of
from napari_deeper.spectra.axis import Axis
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import DeeperError, ParameterError
from napari_deeper.spectra.progress import Progress

_PREVIEW_SAMPLE = 256
_MOST_REMEMBERED = 64


def prepare(
    cube: RamanCube, recipe: Recipe | str, *, progress: Progress | None = None
) -> RamanCube:
    """Run the steps of a recipe on a cube.

    Parameters
    ----------
    cube
        Any axis and size; it is not changed. Pixels that hold NaN were not measured and stay so.
    recipe
        The steps in their order, or the name of one of `PRESETS`, for example ``"as-deeper"``.
    progress
        Gets reports, and may cancel the run between blocks.

    Returns
    -------
    RamanCube
        With one step more in its history for each of the recipe, which says the settings and what was found.

    Raises
    ------
    ParameterError
        For an unknown preset or step, or a setting that does not fit.
    DeeperError
        Naming the step that cannot be done with this cube, and why.
    """
    recipe = as_recipe(recipe)
    progress = progress or Progress()
    n_steps = max(1, len(recipe.steps))
    for number, settings in enumerate(recipe.steps):
        part = progress.part(number / n_steps, (number + 1) / n_steps)
        with at_step(number + 1, settings):
            cube = run_step(cube, settings, part)
    progress.update(1.0, "Prepared")
    return cube


def as_recipe(recipe: Recipe | str) -> Recipe:
    """Return a recipe, or the preset of that name."""
    if isinstance(recipe, Recipe):
        return recipe
    if recipe not in PRESETS:
        raise ParameterError(f"Unknown preset {recipe!r}. Known: {', '.join(PRESETS)}.")
    return PRESETS[recipe]


@contextmanager
def at_step(number: int, settings: Settings) -> Iterator[None]:
    """Say in an error which step it comes from."""
    try:
        yield
    except DeeperError as error:
        raise type(error)(f"Step {number} ({kind_of(settings).name}): {error}") from error


@dataclass(frozen=True)
class Stage:
    """Some pixels as they are after a step.

    Parameters
    ----------
    name, label
        Of the step; of the first stage, the input.
    wavenumber
        (channel,) in cm-1, after the step.
    spectra
        (pixel, channel), after the step.
    before
        (channel of the stage before,) in cm-1: the axis of `curve` and `marks`.
    curve
        (pixel, channel of the stage before): the baseline that the step took off, or None.
    marks
        (pixel, channel of the stage before): what the step repaired (cosmic rays), or None.
    notes
        What the step says of these pixels, or why it is not shown.
    """

    name: str
    label: str
    wavenumber: Axis
    spectra: Intensity
    before: Axis
    curve: Intensity | None = None
    marks: Mask | None = None
    notes: tuple[str, ...] = ()


@dataclass
class Preparation:
    """A cube and what its recipes would do to a few pixels, quickly enough to follow a click.

    What a step must know of the whole map (a maximum, a mean spectrum) is estimated from 256 pixels, once for
    each recipe up to that step; a run takes the whole map.

    Parameters
    ----------
    cube
        The input; it is not changed.
    """

    cube: RamanCube
    _facts: dict[tuple[Settings, ...], tuple[RamanCube, Facts]] = field(default_factory=dict)

    def preview(self, recipe: Recipe | str, pixels: Sequence[tuple[int, int]]) -> tuple[Stage, ...]:
        """Return the pixels (y, x) before the first step and after each.

        Steps that change the map itself (crop, bin and flip of the map) leave the pixels as they are here.

        Raises
        ------
        ParameterError
            If a pixel lies outside the map.
        DeeperError
            Naming the step that cannot be done with this cube, and why.
        """
        recipe = as_recipe(recipe)
        windows = [_Window.around(self.cube, y, x) for y, x in pixels]
        axis = self.cube.wavenumber
        spectra = np.stack([w.spectrum for w in windows]) if windows else _none(axis)
        stages = [Stage("input", "Input", axis, spectra, axis)]
        cube = _mini(self.cube)
        for number, settings in enumerate(recipe.steps, 1):
            with at_step(number, settings):
                cube, stage, windows = self._stage(recipe.steps[:number], cube, windows)
            stages.append(stage)
        return tuple(stages)

    def _stage(
        self, steps: tuple[Settings, ...], cube: RamanCube, windows: list[_Window]
    ) -> tuple[RamanCube, Stage, list[_Window]]:
        settings, kind = steps[-1], kind_of(steps[-1])
        after, facts = self._sampled(steps, cube, kind)
        if kind.name in ("crop-map", "bin", "flip"):
            spectra = np.stack([w.spectrum for w in windows]) if windows else _none(cube.wavenumber)
            note = (
                "This step changes the map, not the spectrum of a pixel, so it is not shown here.",
            )
            same = cube.wavenumber
            return cube, Stage(kind.name, kind.label, same, spectra, same, notes=note), windows
        done = [w.after(kind, settings, cube.wavenumber, facts) for w in windows]
        told = kind.tell(cube, settings, facts, _joined([t for _, t in done]))
        made = [w for w, _ in done]
        stage = Stage(
            kind.name,
            kind.label,
            after.wavenumber,
            np.stack([w.spectrum for w in made]) if made else _none(after.wavenumber),
            cube.wavenumber,
            _stacked([t.curve for _, t in done]),
            _stacked([t.marks for _, t in done]),
            told.notes,
        )
        return after, stage, made

    def _sampled(
        self, steps: tuple[Settings, ...], cube: RamanCube, kind: StepKind
    ) -> tuple[RamanCube, Facts]:
        """Return the sample of the cube after a step, and the facts that the step needed."""
        known = self._facts.get(steps)
        if known is None:
            settings = steps[-1]
            facts: Facts = kind.survey(summarize(cube), settings) if kind.surveys(settings) else {}
            after = cube
            if kind.name not in ("crop-map", "bin", "flip"):
                after = run_step(cube, settings, Progress(), facts)
            # A slider that is dragged asks for many recipes: the oldest are forgotten.
            while len(self._facts) >= _MOST_REMEMBERED:
                del self._facts[next(iter(self._facts))]
            known = self._facts[steps] = (after, facts)
        return known


@dataclass(frozen=True)
class _Window:
    """A pixel with those around it, (y, x, channel), and where in there it is."""

    block: Intensity
    y: int
    x: int

    @classmethod
    def around(cls, cube: RamanCube, y: int, x: int) -> _Window:
        n_y, n_x, _ = cube.shape
        if not (0 <= y < n_y and 0 <= x < n_x):
            raise ParameterError(f"Pixel ({y}, {x}) lies outside the map of {n_y} x {n_x} pixels.")
        top, left = max(0, y - 1), max(0, x - 1)
        return cls(cube.intensity[top : y + 2, left : x + 2], y - top, x - left)

    @property
    def spectrum(self) -> Intensity:
        """(channel,) of the pixel itself."""
        return np.asarray(self.block[self.y, self.x])

    def after(
        self, kind: StepKind, settings: Settings, wavenumber: Axis, facts: Facts
    ) -> tuple[_Window, Treated]:
        """Return the window after a step, and what the step found in its pixel."""
        if kind.scope == "spectra":
            flat = self.block.reshape(-1, self.block.shape[2])
            treated = treat_spectra(flat, wavenumber, kind, settings, facts)
            shape = self.block.shape[:2]
            treated = dataclasses.replace(
                treated,
                intensity=treated.intensity.reshape(*shape, -1),
                curve=None if treated.curve is None else treated.curve.reshape(*shape, -1),
            )
        else:
            treated = kind.run(self.block, wavenumber, settings, facts)
        at = (self.y, self.x)
        here = (treated.events[:, 0] == self.y) & (treated.events[:, 1] == self.x)
        found = dataclasses.replace(
            treated,
            events=treated.events[here],
            curve=None if treated.curve is None else treated.curve[at],
            marks=None if treated.marks is None else treated.marks[at],
        )
        return _Window(treated.intensity, self.y, self.x), found


def _mini(cube: RamanCube) -> RamanCube:
    """Return some pixels from all over a cube as a cube of one column: none has its neighbors there."""
    spectra = cube.spectra[sampled(len(cube.spectra), _PREVIEW_SAMPLE)]
    return dataclasses.replace(cube, intensity=spectra[:, None], uncertainty=None, flagged=None)


def _none(axis: Axis) -> Intensity:
    return np.zeros((0, axis.size), np.float32)


def _joined(parts: Sequence[Treated]) -> Outcome:
    found: Mapping[str, float] = {}
    total: dict[str, float] = dict(found)
    for part in parts:
        add(total, part)
    events = [p.events for p in parts]
    return Outcome(total, np.concatenate(events) if events else np.zeros((0, 4)))


def _stacked(parts: Sequence[np.ndarray | None]) -> np.ndarray | None:
    known = [part for part in parts if part is not None]
    return np.stack(known) if known else None
