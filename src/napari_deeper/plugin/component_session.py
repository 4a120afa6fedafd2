"""What the Components dock knows: endmembers, results, matches, and the endmembers before."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.engine.references import Match
from napari_deeper.engine.unmix import unmix, unmix_with
from napari_deeper.engine.unmix_files import unmix_file
from napari_deeper.engine.unmix_settings import UnmixParams
from napari_deeper.engine.unmixed import Unmixed
from napari_deeper.plugin.component_layers import Result
from napari_deeper.processing.endmember_edits import free_name
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.endmembers import Endmembers
from napari_deeper.spectra.errors import Cancelled, DeeperError
from napari_deeper.spectra.progress import Progress

Input = RamanCube | Path  # in memory, or a store that stays on disk
Found = tuple[list[Result], list[str]]
_UNNAMED = re.compile(r"Component \d+")
_MOST_STEPS = 50


def search(
    cubes: Sequence[tuple[Any, Input]],
    params: UnmixParams,
    progress: Progress,
    target: Path | None = None,
) -> Found:
    """Find endmembers on the first cube and apply them to the others; return results and sentences.

    Of a cube on disk the result is written to a folder too, where one is given.
    """
    n = len(cubes)
    layer, cube = cubes[0]
    part = progress.part(0.0, 1 / n)
    if isinstance(cube, Path):
        found = unmix_file(cube, target, params, progress=part)
    else:
        found = unmix(cube, params, progress=part)
    results, notes = _others(cubes[1:], found.endmembers, params, progress.part(1 / n, 1.0))
    return [(layer, found), *results], [*found.notes, *notes]


def solve(
    cubes: Sequence[tuple[Any, Input]],
    endmembers: Endmembers,
    params: UnmixParams,
    progress: Progress,
) -> Found:
    """Unmix the first cube and the others with these endmembers; return results and sentences."""
    n = len(cubes)
    layer, cube = cubes[0]
    found = _unmix_with(cube, endmembers, params, progress.part(0.0, 1 / n))
    results, notes = _others(cubes[1:], endmembers, params, progress.part(1 / n, 1.0))
    return [(layer, found), *results], [*found.notes, *notes]


def _others(
    cubes: Sequence[tuple[Any, Input]],
    endmembers: Endmembers,
    params: UnmixParams,
    progress: Progress,
) -> Found:
    """Unmix each cube that these endmembers fit; what does not fit is told, and stops no other."""
    results: list[Result] = []
    notes: list[str] = []
    for i, (layer, cube) in enumerate(cubes):
        part = progress.part(i / len(cubes), (i + 1) / len(cubes))
        try:
            found = _unmix_with(cube, endmembers, params, part)
        except Cancelled:
            raise
        except DeeperError as error:
            notes.append(f"{layer.name} is left out: {error}")
            continue
        results.append((layer, found))
        notes += [f"{layer.name}: {note}" for note in found.notes]
    return results, notes


def _unmix_with(
    cube: Input, endmembers: Endmembers, params: UnmixParams, progress: Progress
) -> Unmixed:
    if isinstance(cube, Path):
        return unmix_file(cube, None, params, endmembers=endmembers, progress=progress)
    return unmix_with(cube, endmembers, params, progress=progress)


class Session:
    """The state of the dock: results all share the endmembers; `before` holds those of earlier steps."""

    def __init__(self) -> None:
        self.endmembers: Endmembers | None = None
        self.results: list[Result] = []
        self.drawn: list[bool] = []
        self.matches: list[Match | None] = []
        self.before: list[Endmembers] = []
        self._stepping_back = False

    @property
    def target(self) -> Unmixed | None:
        """The result of the cube that was chosen."""
        return self.results[0][1] if self.results else None

    def shares(self) -> list[float]:
        """Return for each endmember which part of the target's pixels it rules; NaN without a target."""
        if self.target is None:
            return [math.nan] * (len(self.endmembers) if self.endmembers is not None else 0)
        return [float(share) for share in self.target.shares]

    def totals(self) -> NDArray[np.float64]:
        """Return the sum (endmember,) of the target's abundances."""
        if self.target is not None:
            return self.target.totals
        return np.zeros(len(self.endmembers) if self.endmembers is not None else 0)

    def resume(self, endmembers: Endmembers) -> None:
        """Begin with endmembers whose maps are there from before."""
        self.endmembers = endmembers
        self.drawn, self.matches = [True] * len(endmembers), [None] * len(endmembers)

    def take(self, results: list[Result]) -> None:
        """Take over results; what is known of endmembers that stay the same is kept."""
        old = self.endmembers
        new, target = results[0][1].endmembers, results[0][1]
        self._keep_step(new)
        known: dict[bytes, tuple[bool, Match | None]] = {}
        if old is not None:
            for i, spectrum in enumerate(old.spectra):
                known[spectrum.tobytes()] = (self.drawn[i], self.matches[i])
        fresh = [spectrum.tobytes() not in known for spectrum in new.spectra]
        self.drawn, self.matches = [], []
        for i, spectrum in enumerate(new.spectra):
            drawn, match = known.get(spectrum.tobytes(), (True, None))
            self.drawn.append(drawn and not (all(fresh) and i == target.backdrop))
            self.matches.append(match)
        self.endmembers, self.results = new, results

    def relabel(self, endmembers: Endmembers) -> None:
        """Take over other names or colors of the same spectra."""
        self._keep_step(endmembers)
        self.endmembers = endmembers
        self.results = [
            (layer, dataclasses.replace(unmixed, endmembers=endmembers))
            for layer, unmixed in self.results
        ]

    def take_matches(self, matches: Sequence[Match]) -> None:
        """Take over matches, and name by a good one what has no name of its own."""
        assert self.endmembers is not None
        self.matches = list(matches)
        names = list(self.endmembers.names)
        for i, match in enumerate(matches):
            if match.good and _UNNAMED.fullmatch(names[i]):
                others = names[:i] + names[i + 1 :]
                names[i] = free_name(match.label, others)
        if tuple(names) != self.endmembers.names:
            self.relabel(self.endmembers.replace(names=tuple(names)))

    def step_back(self) -> Endmembers:
        """Return the endmembers before the last change; they are taken over like any others."""
        self._stepping_back = True
        return self.before[-1]

    def _keep_step(self, new: Endmembers) -> None:
        if self._stepping_back and self.before and new is self.before[-1]:
            self.before.pop()
        elif self.endmembers is not None and new is not self.endmembers:
            self.before = [*self.before, self.endmembers][-_MOST_STEPS:]
        self._stepping_back = False

    def verdict(self) -> list[str]:
        """Return in a sentence or two what is shown."""
        if self.target is None or self.endmembers is None:
            return []
        told = [f"{len(self.endmembers)} components of {self.target.name}."]
        left_dark = self.target.backdrop
        if left_dark is not None and not self.drawn[left_dark]:
            told.append(
                f"{self.endmembers.names[left_dark]} is by far the dimmest and has the most pixels: taken for "
                "what surrounds the sample, and left black in the composite (tick it to see it)."
            )
        n_missing = int(self.target.missing.sum())
        if n_missing:
            what = "1 pixel was" if n_missing == 1 else f"{n_missing} pixels were"
            told.append(f"{what} not measured: transparent, and 0 in the classes.")
        return told
