"""Settings of super-resolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from napari_deeper.engine.device import DeviceSetting
from napari_deeper.engine.precision import PrecisionSetting

SCALES = (2, 3, 4)
INTERPOLATIONS = ("nearest", "bilinear", "bicubic")
METHODS = ("auto", "hyrisr", *INTERPOLATIONS)


@dataclass(frozen=True)
class SuperResolveParams:
    """Settings of `super_resolve`."""

    scale: Annotated[
        int,
        {
            "label": "Scale",
            "tooltip": "New pixels per measured pixel along y and x",
            "choices": SCALES,
        },
    ] = 2
    method: Annotated[
        str,
        {
            "label": "Method",
            "tooltip": (
                "auto: a network and kriging on the images of what the pixels share, in shares that "
                "measured pixels left out bear out; it takes noise off too. "
                "hyrisr: the network of the paper's design. "
                "nearest, bilinear, bicubic: interpolation aligned to where the pixels were measured"
            ),
            "choices": METHODS,
        },
    ] = "auto"
    phase: Annotated[
        int,
        {
            "label": "Sample phase",
            "tooltip": (
                "Which new pixel of each scale x scale cell was measured, counted from 0 along y and x "
                "(published: 1). It only sets where the new pixels lie between the measured ones"
            ),
            "min": 0,
            "max": 3,
        },
    ] = 1
    as_published: Annotated[
        bool,
        {
            "label": "As published",
            "tooltip": (
                "For the interpolations: the corner-aligned zoom of the published comparison, which "
                "shifts the image; only to repeat its figures"
            ),
        },
    ] = False
    model: Annotated[
        str,
        {
            "label": "Weights",
            "tooltip": (
                "Path of your own weights (.safetensors or .pt): of a HyRISR, or for auto also of an "
                "eigenimage network; empty: the shipped ones"
            ),
        },
    ] = ""
    device: DeviceSetting = "auto"
    precision: PrecisionSetting = "auto"
    tile: Annotated[
        int,
        {
            "label": "Tile",
            "tooltip": (
                "Longest side, in measured pixels, of the parts that go through the network; halved "
                "where memory runs out"
            ),
            "min": 8,
            "max": 4096,
        },
    ] = 64
