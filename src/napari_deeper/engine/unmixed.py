"""What unmixing a cube gives: endmembers, abundances, what is left over, and where all that lies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.spectra.endmembers import Endmembers

# The backdrop is dimmer than every other endmember by this factor.
_DIM = 0.75


@dataclass(frozen=True, eq=False)
class Unmixed:
    """A cube as a mixture; ``endmembers, abundances, residual = unmix(cube)`` takes it apart.

    Parameters
    ----------
    endmembers
        The components, on the axis that they were given on.
    abundances
        (y, x, endmember), how much of each endmember a pixel holds, in units of the endmember as bright
        as it is; NaN in pixels that were not measured.
    residual
        (y, x), root mean square over the channels of what the mixture leaves of the pixel, in the
        cube's intensity unit; NaN in pixels that were not measured.
    notes
        What the user should know, one sentence each.
    header
        That of the cube (`RamanCube.header`): place, pixel size, name, and its history with this step.
    relative_residual
        Root mean square of what the mixtures leave over, as a part of that of the cube.
    """

    endmembers: Endmembers
    abundances: NDArray[np.float32]
    residual: NDArray[np.float32]
    notes: tuple[str, ...]
    header: Mapping[str, Any]
    relative_residual: float

    def __iter__(self) -> Iterator[Any]:
        return iter((self.endmembers, self.abundances, self.residual))

    @property
    def name(self) -> str:
        """Name of the cube."""
        return str(self.header.get("metadata", {}).get("name", "cube"))

    @property
    def missing(self) -> NDArray[np.bool_]:
        """(y, x), True where the cube was not measured."""
        return np.isnan(self.residual)

    @property
    def classes(self) -> NDArray[np.intp]:
        """(y, x), number of the endmember with the largest abundance, from 1; 0 where there is none."""
        return classes_of(self.abundances)

    @property
    def shares(self) -> NDArray[np.float64]:
        """(endmember,), part of the pixels with a class that is of this one."""
        counts = np.bincount(self.classes.ravel(), minlength=len(self.endmembers) + 1)[1:]
        return np.asarray(counts / max(1, int(counts.sum())), dtype=np.float64)

    @property
    def totals(self) -> NDArray[np.float64]:
        """(endmember,), sum of the abundances over the map."""
        sums = np.nansum(self.abundances, axis=(0, 1), dtype=np.float64)
        return np.asarray(sums, dtype=np.float64)

    @property
    def backdrop(self) -> int | None:
        """Which endmember looks like what surrounds the sample: the dimmest by far, of the most pixels."""
        sizes = np.linalg.norm(self.endmembers.spectra, axis=1)
        dimmest = int(sizes.argmin())
        if len(sizes) < 2 or dimmest != int(self.shares.argmax()):
            return None
        return dimmest if sizes[dimmest] < _DIM * np.partition(sizes, 1)[1] else None


def classes_of(abundances: NDArray[np.float32]) -> NDArray[np.intp]:
    """Return the number of the largest abundance (..., endmember) from 1, and 0 where none is above 0."""
    filled = np.where(np.isfinite(abundances), abundances, 0)
    return np.asarray(np.where(filled.max(axis=-1) > 0, filled.argmax(axis=-1) + 1, 0))
