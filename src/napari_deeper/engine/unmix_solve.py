"""Solve for the abundances of spectra, some at a time, and put together what that gives for a whole map."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from napari_deeper.engine.unmix_axis import common_channels
from napari_deeper.engine.unmix_settings import UnmixParams
from napari_deeper.engine.unmixed import Unmixed
from napari_deeper.processing import abundances as solving
from napari_deeper.processing.endmember_edits import pick
from napari_deeper.spectra import params as settings_of
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.endmembers import Endmembers
from napari_deeper.spectra.provenance import Step

Maps = NDArray[np.float32]

# Fewer negative intensities than this part are what noise about zero makes.
_NEGATIVE = 0.02


@dataclasses.dataclass
class Sums:
    """What is counted over the measured pixels of a map.

    Parameters
    ----------
    power
        Sum of the mean squares of their spectra.
    n_negative
        How many of their intensities are below zero.
    """

    power: float = 0.0
    n_negative: int = 0


class Mixing:
    """Endmembers brought to a cube's axis, and how its spectra are taken apart into them.

    Parameters
    ----------
    endmembers
        On any axis.
    place
        The cube, or one of fewer pixels with its axis, name and history.
    params
        The settings that the result states.
    notes
        What the user should know so far.

    Raises
    ------
    AxisError
        If cube and endmembers have too little of their axes in common.
    """

    def __init__(
        self,
        endmembers: Endmembers,
        place: RamanCube,
        params: UnmixParams,
        notes: tuple[str, ...] = (),
    ) -> None:
        self.endmembers = endmembers
        self._place = place
        self._params = params
        self._moved, self._channels, said = common_channels(endmembers, place)
        self._notes = (*notes, *said)

    def solve(self, spectra: Maps) -> tuple[Maps, Maps, Sums]:
        """Take finite spectra (pixel, channel) of the cube apart.

        Returns
        -------
        abundances
            (pixel, endmember).
        residual
            (pixel,), root mean square left over.
        sums
            Of these pixels.
        """
        common = spectra[:, self._channels]
        amounts = solving.unmix(common, self._moved, cast(solving.Solver, self._params.solver))
        rest = common - amounts @ self._moved
        left = np.sqrt(np.mean(rest * rest, axis=1))
        power = float(np.sum(np.mean(common.astype(np.float64) ** 2, axis=1)))
        return amounts, left, Sums(power, int((spectra < 0).sum()))

    def digest(self) -> str:
        """Return what tells these endmembers and this solver from others."""
        digest = hashlib.sha256(repr((self._channels, self._params.solver)).encode())
        digest.update(np.ascontiguousarray(self._moved).tobytes())
        return digest.hexdigest()[:16]

    def result(self, maps: Maps, residual: Maps, sums: Sums) -> Unmixed:
        """Put the result together.

        Parameters
        ----------
        maps
            (y, x, endmember), NaN in pixels that were not measured.
        residual
            (y, x), likewise.
        sums
            Of the measured pixels.
        """
        missing = np.isnan(residual)
        notes = (*self._notes, *self._remarks(missing, sums))
        left = float(np.nansum(residual.astype(np.float64) ** 2))
        relative = float(np.sqrt(left / sums.power)) if sums.power else 0.0
        said = f"The mixtures leave {100 * relative:.1f} % of the spectra over (root mean square)."
        return Unmixed(
            self.endmembers, maps, residual, (*notes, said), self._header(notes), relative
        )

    def _header(self, notes: tuple[str, ...]) -> dict[str, Any]:
        members = self.endmembers
        facts = settings_of.to_json(self._params)
        facts |= {"names": list(members.names), "source": members.source}
        header = self._place.header()
        header["provenance"] = [*header["provenance"], Step("unmix", facts, notes).to_json()]
        return header

    def _remarks(self, missing: NDArray[np.bool_], sums: Sums) -> list[str]:
        notes = []
        if self._params.solver.endswith("fcls"):
            notes.append(
                "Abundances sum to one in every pixel, so differences of brightness are left over: look at "
                "the residual."
            )
        n_missing = int(missing.sum())
        if n_missing:
            notes.append(
                f"{n_missing} of {missing.size} pixels hold NaN or infinity: they are left out, and shown as "
                "missing."
            )
        below = sums.n_negative / ((missing.size - n_missing) * len(self._place.wavenumber))
        if below > _NEGATIVE:
            notes.append(
                f"{100 * below:.0f} % of the intensities are negative, as a background taken off leaves "
                "them: mixtures that are not negative cannot explain what lies below zero."
            )
        return notes


def by_share(raw: Unmixed) -> Unmixed:
    """Return a result with its endmembers in the order of how many pixels each has the largest abundance in."""
    order = np.argsort(-raw.shares, kind="stable")
    found = raw.endmembers
    # names and colors go by the order, not by the draw
    ordered = pick(found, [int(i) for i in order]).replace(names=found.names, colors=found.colors)
    maps = np.ascontiguousarray(raw.abundances[..., order])
    return dataclasses.replace(raw, endmembers=ordered, abundances=maps)
