"""Comparisons kept as the samples of tests over cubes."""

from __future__ import annotations

import dataclasses

from napari_deeper.engine.compare_scores import CubeComparison
from napari_deeper.engine.compare_tests import Outcome, compare_over_cubes
from napari_deeper.spectra.errors import ParameterError


class Series:
    """Kept comparisons, one for each cube; their candidates belong together by their order."""

    def __init__(self) -> None:
        self._kept: list[CubeComparison] = []

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, found: CubeComparison) -> None:
        """Keep a comparison.

        Raises
        ------
        ParameterError
            If it has not as many candidates as those before, or is one of them.
        """
        if any(found is kept or found.scores == kept.scores for kept in self._kept):
            raise ParameterError(
                "This comparison is kept already: the same cube twice is no second sample."
            )
        if self._kept:
            names = [s.candidate for s in self._kept[0].scores]
            if len(names) != len(found.scores):
                raise ParameterError(
                    f"The comparisons kept have {len(names)} layers ({', '.join(names)}), and this one "
                    f"{len(found.scores)}: check as many, in the same order."
                )
            renamed = tuple(
                dataclasses.replace(score, candidate=name)
                for score, name in zip(found.scores, names, strict=True)
            )
            found = dataclasses.replace(found, scores=renamed)
        # the maps and spectra are not needed for tests, and can be large
        self._kept.append(dataclasses.replace(found, differences=(), spectra=()))

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()

    def outcome(self) -> Outcome | None:
        """Return the tests over what is kept, or None where nothing is."""
        return compare_over_cubes(self._kept) if self._kept else None
