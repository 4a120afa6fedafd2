"""The settings of a comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

INTERPOLATIONS = ("nearest", "bilinear")
WITHIN = ("field", "regions")
CLASS_RULES = ("likeness", "light")


@dataclass(frozen=True)
class CompareParams:
    """Settings of `compare`."""

    n_endmembers: Annotated[
        int,
        {
            "label": "Components",
            "tooltip": (
                "Endmembers to find on the target (VCA), for classes and component maps; 0: none. Given "
                "endmembers take their place"
            ),
            "min": 0,
            "max": 20,
        },
    ] = 5
    within: Annotated[
        str,
        {
            "label": "Compare in",
            "tooltip": "The field that all cubes have in common, or only the regions in it",
            "choices": WITHIN,
        },
    ] = "field"
    interpolation: Annotated[
        str,
        {
            "label": "Other pixels",
            "tooltip": (
                "How a cube of other pixels is read at the target's pixel centers: nearest adds nothing, "
                "bilinear interpolates"
            ),
            "choices": INTERPOLATIONS,
        },
    ] = "nearest"
    match_scale: Annotated[
        bool,
        {
            "label": "Match scale",
            "tooltip": (
                "Give each candidate the mean intensity of the target first, for cubes of different dwell "
                "time or normalized ones"
            ),
        },
    ] = False
    noiseless: Annotated[
        bool,
        {
            "label": "Noiseless target",
            "tooltip": "The target is simulated and holds no noise: nothing is deducted from the MSE",
        },
    ] = False
    class_by: Annotated[
        str,
        {
            "label": "Class by",
            "tooltip": (
                "A pixel's class is the component it is most like (endmembers as bright as found), or that "
                "most of its light comes from (endmembers of one length)"
            ),
            "choices": CLASS_RULES,
        },
    ] = "likeness"
    control: Annotated[
        str,
        {
            "label": "Control",
            "tooltip": "Candidate that tests over regions compare with; empty: the first",
        },
    ] = ""
    seed: Annotated[
        int,
        {"label": "Seed", "tooltip": "Of VCA and of the tests", "min": 0, "max": 2**31 - 1},
    ] = 0
