"""What docks say of a cube, of a test, and of how a run ended."""

from __future__ import annotations

import math

from napari_deeper.engine.compare_scores import CubeComparison
from napari_deeper.engine.denoise_params import DenoiseParams
from napari_deeper.engine.evaluate import EvaluateParams
from napari_deeper.engine.scores import Evaluation
from napari_deeper.engine.super_resolve_params import SuperResolveParams
from napari_deeper.spectra.axis import describe
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import Cancelled, DeeperError

_LEVEL = 0.005  # ratios that round to 1.00 are called level


def describe_cube(cube: RamanCube) -> str:
    """Return the cube in a line: size, axis, pixel size."""
    y, x, _ = cube.shape
    size = "pixel size unknown"
    if cube.pixel_size:
        dy, dx = cube.pixel_size
        size = f"{dy:g} µm pixels" if dy == dx else f"{dy:g} x {dx:g} µm pixels"
    return f"{y} x {x}, {describe(cube.wavenumber)}, {size}."


def repeated(cube: RamanCube, steps: list[DenoiseParams | SuperResolveParams]) -> list[str]:
    """Return a warning for each step that the cube has already been through."""
    done = {step.verb for step in cube.provenance}
    warnings = []
    if "denoise" in done and any(isinstance(p, DenoiseParams) for p in steps):
        warnings.append("This cube is a denoised one already.")
    if "super-resolve" in done and any(isinstance(p, SuperResolveParams) for p in steps):
        warnings.append("This cube is a super-resolved one already.")
    return warnings


def devices_used(cubes: list[RamanCube]) -> list[str]:
    """Return where the networks of these results ran, in words."""
    used = (step.params.get("device_used") for cube in cubes for step in cube.provenance)
    return list(dict.fromkeys(str(device) for device in used if device))


def in_words(error: Exception, cancelled: str) -> str:
    """Return what to tell of an error, or of a run that the user cancelled."""
    if isinstance(error, Cancelled):
        return cancelled
    if isinstance(error, DeeperError):
        return str(error)
    return f"This should not have happened: {type(error).__name__}: {error}"


def describe_test(params: EvaluateParams, other: RamanCube | None) -> str:
    """Return what will be done, in a sentence."""
    if other is not None:
        return f"The methods are run on '{other.name}'."
    parts = []
    if params.noise != "none":
        parts.append(f"{params.noise} noise of {100 * params.level:g} % of the brightest is added")
    if params.scale > 1:
        parts.append(f"one of {params.scale} x {params.scale} pixels is kept")
    return f"{' and '.join(parts) or 'nothing is changed'}.".capitalize()


def verdict(found: Evaluation) -> list[str]:
    """Return who won, one sentence for each method."""
    told = []
    for s in found.summaries:
        if s.role == "method" and found.best_comparator and not math.isnan(s.ratio):
            told.append(
                f"{s.method} {_outcome(s.ratio)}: {s.ratio:.2f} times the excess MSE of the best "
                f"comparator, {found.best_comparator.removesuffix(' (comparator)')}."
            )
    return told


def outcome(found: CubeComparison) -> str:
    """Return what a comparison found, in a line or two."""
    notes = f"{len(found.notes)} notes: see the last tab."
    if not found.target:
        return f"{len(found.scores)} layers described; without a target no error can be stated. {notes}"
    best = min(found.scores, key=lambda s: s.mse)
    n_pixels = f"{best.n_pixels} pixels compared."
    if len(found.scores) == 1:
        return f"MSE {best.mse:.4g}. {n_pixels} {notes}"
    return f"Closest by MSE: {best.candidate} ({best.mse:.4g}). {n_pixels} {notes}"


def _outcome(ratio: float) -> str:
    if abs(ratio - 1) < _LEVEL:
        return "is level"
    return "wins" if ratio < 1 else "loses"
