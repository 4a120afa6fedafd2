"""The settings of unmixing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from napari_deeper.processing.abundances import SOLVERS
from napari_deeper.processing.endmember_search import SEARCHES

METHODS = tuple(SEARCHES)


@dataclass(frozen=True)
class UnmixParams:
    """Settings of `unmix`."""

    n_endmembers: Annotated[
        int,
        {
            "label": "Endmembers",
            "tooltip": "How many components to look for (published: 4 or 5); 0: estimate the number",
            "min": 0,
            "max": 30,
        },
    ] = 5
    method: Annotated[
        str,
        {
            "label": "Search",
            "tooltip": (
                "vca: the published one, the best of 50 draws; vca-once: one draw. n-findr, ppi: purest "
                "pixels too. nmf: spectra that no pixel need have"
            ),
            "choices": METHODS,
        },
    ] = "vca"
    solver: Annotated[
        str,
        {
            "label": "Abundances",
            "tooltip": (
                "nnls: not negative. fcls: and they sum to one, which only fits pixels of equal brightness. "
                "ucls: any numbers. pysptools-...: those of that package, to compare"
            ),
            "choices": SOLVERS,
        },
    ] = "nnls"
    leave_out_spikes: Annotated[
        bool,
        {
            "label": "Cosmic rays",
            "tooltip": (
                "Do not take for an endmember a pixel that is one narrow line which hardly another pixel has"
            ),
        },
    ] = True
    seed: Annotated[
        int,
        {"label": "Seed", "tooltip": "Of the search's random draws", "min": 0, "max": 2**31 - 1},
    ] = 0
