"""What a run will do to a cube, in words, before it is started."""

from __future__ import annotations

import os
import sys

import numpy as np

from napari_deeper.engine.cards import CardSummary, is_of_images, read_card
from napari_deeper.engine.coverage import cover
from napari_deeper.engine.denoise import check_denoise
from napari_deeper.engine.denoise_params import MIN_SIDE, DenoiseParams
from napari_deeper.engine.precision import has_fast_bf16
from napari_deeper.engine.super_resolve import check_super_resolve
from napari_deeper.engine.super_resolve_params import SuperResolveParams
from napari_deeper.processing import resample
from napari_deeper.spectra import params as settings_of
from napari_deeper.spectra.axis import describe
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import AxisError

# Of 500 channels, measured on one core of a 2.6 GHz server with the shipped weights in float32; a GPU is far faster.
_SPECTRA_PER_SECOND = 900.0
_FINE_PIXELS_PER_SECOND = 12000.0
_VALUES_PER_SECOND = 2.5e7
# In bfloat16, where the processor has instructions for it.
_FASTER_IN_BF16 = 2.3
# The network for eigenimages sees about ten of a map, and twice.
_EIGENIMAGE_PIXELS_PER_SECOND = 100000.0
_N_EIGENIMAGES = 20
# Four views of each, and as much again for kriging.
_N_LOOKS = 8
_BYTES_PER_VALUE = 4
_COPIES = 5


def plan(cube: RamanCube, params: DenoiseParams | SuperResolveParams) -> list[str]:
    """Say what will be resampled or not covered, and about how long and how much memory it takes.

    Parameters
    ----------
    cube
        The input.
    params
        Settings of one step.

    Returns
    -------
    list[str]
        Sentences for the user, the estimate last.

    Raises
    ------
    DeeperError
        If the step cannot be run on this cube, with the text that the run would give.
    """
    settings_of.check(params)
    if isinstance(params, DenoiseParams):
        return _plan_denoise(cube, params)
    return _plan_super_resolve(cube, params)


def _plan_denoise(cube: RamanCube, p: DenoiseParams) -> list[str]:
    check_denoise(cube, p)
    n_values = cube.intensity.size
    seconds = n_values / _VALUES_PER_SECOND
    lines: list[str] = []
    if p.method == "auto" and min(cube.shape[:2]) >= MIN_SIDE:
        n_seen = _N_EIGENIMAGES * len(cube.spectra)
        seconds += n_seen / _EIGENIMAGE_PIXELS_PER_SECOND / _speed(p)
    if p.method in ("auto", "resunet"):
        try:
            own = "" if p.method == "auto" and is_of_images(p.model) else p.model
            lines += _fit(cube, read_card("resunet", own), "denoised without it")
            seconds += len(cube.spectra) / _SPECTRA_PER_SECOND / _speed(p)
        except AxisError:
            if p.method == "resunet" or p.model:
                raise
            lines.append("The network does not cover this range: auto will do without it.")
    return [*lines, _cost("Denoising", seconds, n_values)]


def _plan_super_resolve(cube: RamanCube, p: SuperResolveParams) -> list[str]:
    check_super_resolve(p)
    n_values = cube.intensity.size * p.scale**2
    seconds = n_values / _VALUES_PER_SECOND / 2
    lines: list[str] = []
    if p.method == "hyrisr" or (p.method == "auto" and p.model):
        lines += _fit(cube, read_card("hyrisr", p.model, p.scale), "interpolated")
        seconds += len(cube.spectra) * p.scale**2 / _FINE_PIXELS_PER_SECOND / _n_cores()
    elif p.method == "auto":
        n_seen = _N_LOOKS * _N_EIGENIMAGES // 2 * len(cube.spectra)
        seconds += n_seen / _EIGENIMAGE_PIXELS_PER_SECOND / _n_cores()
    y, x, _ = cube.shape
    lines.append(f"{y} x {x} pixels become {y * p.scale} x {x * p.scale}.")
    return [*lines, _cost("Super-resolving", seconds, n_values)]


def _fit(cube: RamanCube, card: CardSummary | None, otherwise: str) -> list[str]:
    if card is None:
        return ["The weights are checked when the run starts."]
    coverage = cover(cube.wavenumber, card.wavenumber, card.name)
    lines = []
    if not resample.same_axis(cube.wavenumber, card.wavenumber):
        lines.append(
            f"Spectra are resampled to the network's axis ({describe(card.wavenumber)}) and back."
        )
    if not coverage.complete:
        gaps = ", ".join(coverage.gaps)
        lines.append(f"The network does not cover {gaps}: those channels are {otherwise}.")
    return lines


def _cost(what: str, seconds: float, n_values: int) -> str:
    time = "less than a second" if seconds < 1 else f"about {_rounded(seconds)} s"
    if seconds >= 90:
        time = f"about {_rounded(seconds / 60)} min"
    memory = n_values * _BYTES_PER_VALUE * _COPIES / 1e9
    size = f"{memory:.1f} GB" if memory >= 1 else f"{max(1, round(memory * 1000))} MB"
    return f"{what} takes {time} on this CPU and {size} of memory."


def _rounded(value: float) -> str:
    return f"{float(np.format_float_positional(value, 1 if value < 10 else 2, fractional=False)):g}"


def _speed(p: DenoiseParams | SuperResolveParams) -> float:
    """Return how much faster networks run than on one core in float32."""
    # Only torch knows what auto will do; before it is loaded, the slower is said.
    fast = p.precision != "fp32" and _has_torch() and has_fast_bf16("cpu")
    return _n_cores() * (_FASTER_IN_BF16 if fast else 1.0)


def _has_torch() -> bool:
    """Whether torch is loaded, and not about to be: to ask it then is to wait for it."""
    spec = getattr(sys.modules.get("torch"), "__spec__", None)
    return spec is not None and not getattr(spec, "_initializing", False)


def _n_cores() -> int:
    return max(1, min(16, os.cpu_count() or 1))
