"""Settings of denoising, and what every way to denoise returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.engine.device import DeviceSetting
from napari_deeper.engine.precision import PrecisionSetting

Spectra = NDArray[np.float32]
Mask = NDArray[np.bool_]

METHODS = ("auto", "resunet", "low-rank", "pca", "savgol", "wavelet")
MIN_CHANNELS = 8
# Under this many pixels along a side, auto finds next to no space to learn from.
MIN_SIDE = 12


@dataclass(frozen=True)
class DenoiseParams:
    """Settings of `denoise`."""

    method: Annotated[
        str,
        {
            "label": "Method",
            "tooltip": (
                "auto: what the pixels share, their neighbors and the network together, each as far as the map bears "
                "it out. resunet: the network, each spectrum by itself. "
                "low-rank: optimal shrinkage of what all pixels share. pca: principal components. "
                "savgol, wavelet: smooth each spectrum"
            ),
            "choices": METHODS,
        },
    ] = "auto"
    model: Annotated[
        str,
        {
            "label": "Weights",
            "tooltip": (
                "Your own weights: of the network of eigenimages for auto, or of a ResUNet; empty: the shipped ones"
            ),
        },
    ] = ""
    device: DeviceSetting = "auto"
    precision: PrecisionSetting = "auto"
    batch_size: Annotated[
        int,
        {
            "label": "Batch size",
            "tooltip": "Spectra that go through the network at once; halved where memory runs out",
            "min": 1,
            "max": 65536,
        },
    ] = 256
    n_components: Annotated[
        int,
        {
            "label": "Components",
            "tooltip": "For pca: how many to keep; 0: all that stand out of the noise",
            "min": 0,
            "max": 1000,
        },
    ] = 0
    window: Annotated[
        int,
        {
            "label": "Window",
            "tooltip": "For savgol: odd number of channels; 0: window and order with least expected error",
            "min": 0,
            "max": 501,
        },
    ] = 0
    polyorder: Annotated[
        int,
        {
            "label": "Polynomial order",
            "tooltip": "For savgol with a window of its own: order of the polynomial in the window",
            "min": 0,
            "max": 9,
        },
    ] = 3


@dataclass(frozen=True)
class Denoised:
    """Spectra (pixel, channel) that were denoised, and what is known about them.

    Parameters
    ----------
    intensity
        (pixel, channel).
    record
        What the provenance should say, as JSON types.
    uncertainty
        (pixel, channel): standard deviation of the error, or None where it is not known.
    flagged
        (pixel,): where what was taken off does not look like noise; None where that was not checked.
    """

    intensity: Spectra
    record: dict[str, Any]
    uncertainty: Spectra | None = None
    flagged: Mask | None = None
