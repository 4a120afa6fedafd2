"""What an endmember may be made of: compare it with reference spectra that have names."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from napari_deeper.processing.resample import resample
from napari_deeper.simulate import held_out
from napari_deeper.simulate.bands import spectrum
from napari_deeper.simulate.chemistries import SURROUNDINGS
from napari_deeper.simulate.components import COMPONENTS
from napari_deeper.spectra.axis import Axis, describe
from napari_deeper.spectra.endmembers import Endmembers
from napari_deeper.spectra.errors import AxisError

# Below this no reference is called a match. Of 15 purified substances with noise up to a fifth of
# their height, other backgrounds and a fifth of other substances, nineteen of twenty score 0.58 or
# more against themselves; the nearest other substance scores 0.3 to 0.4, and 0.7 at most.
GOOD = 0.6
# A second reference counts where its part of the spectrum's slope, beside the first, is at least this; that
# of a wrong one is 0.3 at most on the measured cells tried. Two together must then explain this much.
BESIDE, GOOD_TOGETHER = 0.35, 0.7
# References that say next to nothing new beside the first one.
_LEAST_NEW = 0.3
# The slope is that of a parabola fitted to this much of the spectrum, cm-1: about one band's width.
_WINDOW = 25.0
_LEAST_COMMON = 200.0  # cm-1
BAND_TABLES = "band tables"


@dataclass(frozen=True)
class Match:
    """What one endmember is most like.

    Parameters
    ----------
    endmember
        Its name.
    reference, score
        The best reference, and how like it is: 1 is the same shape, 0 nothing in common.
    beside, beside_score
        What the rest is most like once the best reference is taken out, and how large that part is.
        Both squares together are the part of the slope's power that the two explain.
    runner_up, runner_up_score
        The next best by itself. Empty and 0, as above, where there is one reference only.
    """

    endmember: str
    reference: str
    score: float
    beside: str = ""
    beside_score: float = 0.0
    runner_up: str = ""
    runner_up_score: float = 0.0

    @property
    def mixed(self) -> bool:
        """Whether a second reference has a part that counts."""
        return self.beside_score >= BESIDE

    @property
    def fit(self) -> float:
        """How like the endmember is to the best reference, or to the mixture of two where both count."""
        return math.hypot(self.score, self.beside_score) if self.mixed else self.score

    @property
    def good(self) -> bool:
        """Whether that is high enough to speak of a match."""
        return self.score >= GOOD or (self.mixed and self.fit >= GOOD_TOGETHER)

    @property
    def label(self) -> str:
        """The name of the reference, or those of two joined by a plus."""
        return f"{self.reference} + {self.beside}" if self.mixed else self.reference

    def __str__(self) -> str:
        said = f"{self.reference} {self.score:.2f}"
        if self.mixed:
            said += f" with {self.beside} {self.beside_score:.2f}"
        if not self.good:
            said = f"no good match (best {said})"
        if self.runner_up:
            said += f"; next {self.runner_up} {self.runner_up_score:.2f}"
        return said


def band_tables(wavenumber: Axis) -> Endmembers:
    """Return the project's own references: spectra drawn from published band tables, approximate in height.

    Parameters
    ----------
    wavenumber
        (channel,), cm-1.
    """
    # the cell's background is what a table of its own stands for: water, and a glass-like substrate
    tables = {name: bands for name, bands in COMPONENTS.items() if name != "background"}
    tables |= {**SURROUNDINGS, **held_out.HELD_OUT}
    axis = np.asarray(wavenumber, dtype=np.float64)
    named = {name: spectrum(bands, axis) for name, bands in tables.items()}
    # a table without a band in the range has no shape there
    seen = {name: values for name, values in named.items() if np.ptp(values) > 0.05}
    if not seen:
        raise AxisError(f"No band table has a band within {describe(axis)}.")
    return Endmembers(np.stack(list(seen.values())), axis, tuple(seen), source=BAND_TABLES)


def match_references(
    endmembers: Endmembers, references: Endmembers | None = None
) -> tuple[Match, ...]:
    """Compare each endmember with named reference spectra.

    The score is the cosine between the two slopes (first derivatives, smoothed over 25 cm-1) on an even
    axis over the range that both cover. Slopes leave out how bright a spectrum is and what broad
    background it stands on. A score speaks of shape, not of purity: a mixture is most like its largest
    part, so what is left beside that is compared once more.

    Parameters
    ----------
    endmembers
        To be named.
    references
        Spectra with names, on any axis; the project's own `band_tables` where not given.

    Raises
    ------
    AxisError
        If they have less than 200 cm-1 in common.
    """
    if references is None:
        references = band_tables(endmembers.wavenumber)
    axis = _common(endmembers.wavenumber, references.wavenumber)
    known = _slopes(references, axis)
    return tuple(
        _match(name, slope, known, references.names)
        for name, slope in zip(endmembers.names, _slopes(endmembers, axis), strict=True)
    )


def _match(
    name: str, slope: NDArray[np.float64], known: NDArray[np.float64], names: tuple[str, ...]
) -> Match:
    scores = known @ slope
    order = np.argsort(-scores, kind="stable")
    best = int(order[0])
    if len(order) < 2:
        return Match(name, names[best], float(scores[best]))
    # the part of each other reference that the best one does not have
    new = known - np.outer(known @ known[best], known[best])
    length = np.linalg.norm(new, axis=1)
    told = np.where(length > _LEAST_NEW, new @ slope / np.maximum(length, _LEAST_NEW), 0.0)
    second, runner_up = int(told.argmax()), int(order[1])
    return Match(
        name, names[best], float(scores[best]), names[second], float(told[second]),
        names[runner_up], float(scores[runner_up]),
    )  # fmt: skip


def _common(first: Axis, second: Axis) -> Axis:
    low, high = max(first[0], second[0]), min(first[-1], second[-1])
    if high - low < _LEAST_COMMON:
        raise AxisError(
            f"The endmembers cover {describe(first)} and the references {describe(second)}: they need "
            f"{_LEAST_COMMON:.0f} cm-1 in common."
        )
    step = max(float(np.median(np.diff(first))), float(np.median(np.diff(second))))
    return np.arange(low, high, min(step, _WINDOW / 4))


def _slopes(endmembers: Endmembers, axis: Axis) -> NDArray[np.float64]:
    moved = resample(endmembers.spectra, endmembers.wavenumber, axis).astype(np.float64)
    n = max(5, round(_WINDOW / float(axis[1] - axis[0])) | 1)
    slopes = scipy.signal.savgol_filter(moved, n, 2, deriv=1, axis=1)
    length = np.linalg.norm(slopes, axis=1, keepdims=True)
    return np.asarray(slopes / np.where(length > 0, length, 1.0))
