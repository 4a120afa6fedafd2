"""Make an input whose truth is known, and run methods and tuned comparators on it."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_deeper.engine import denoise_params, super_resolve_params
from napari_deeper.engine.denoise import denoise
from napari_deeper.engine.denoise_params import DenoiseParams
from napari_deeper.engine.super_resolve import super_resolve
from napari_deeper.engine.super_resolve_params import INTERPOLATIONS, SuperResolveParams
from napari_deeper.processing import tuned
from napari_deeper.processing.interpolation import skip_sample, upsample
from napari_deeper.processing.kriging import krige
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import ParameterError
from napari_deeper.spectra.progress import Progress

Array = NDArray[np.float32]

_HOW = dict.fromkeys(INTERPOLATIONS, "aligned") | {"kriging": "fitted to each eigenimage"}


@dataclass(frozen=True)
class Result:
    """A result in the shape of the target, and how it came about.

    Parameters
    ----------
    uncertainty, flagged
        As those of a cube.
    best_accuracy
        Of a tuned comparator: the best pixel classification of any of its settings.
    """

    method: str
    role: str
    settings: str
    intensity: Array
    seconds: float
    uncertainty: Array | None = None
    flagged: NDArray[np.bool_] | None = None
    best_accuracy: float = float("nan")


@dataclass(frozen=True)
class Task:
    """What all methods of one evaluation are to do.

    Parameters
    ----------
    scale, phase
        Of the super-resolution; scale 1 is denoising.
    noisy
        Noise was added, so that super-resolution starts with denoising.
    model, device
        As `denoise` and `super_resolve` take them.
    """

    scale: int = 1
    phase: int = 1
    noisy: bool = True
    model: str = ""
    device: str = "auto"


def add_noise(reference: RamanCube, kind: str, level: float, seed: int) -> RamanCube:
    """Return the cube with noise of a level that is a part of its brightness.

    Parameters
    ----------
    reference
        Clean, or as clean as there is.
    kind
        ``white``; or ``poisson``: shot noise with the same variance on average over the map.
        Intensities below 0 then count as 0 photons, and keep their value.
    level
        Standard deviation as a part of the 95th percentile of the pixels' maxima.
    seed
        Of the noise.
    """
    rng = np.random.default_rng(seed)
    sigma = level * float(np.percentile(reference.intensity.max(axis=2), 95))
    if not sigma > 0:
        raise ParameterError(
            f"The noise would be {sigma:g}: the level must be above 0, and most pixels of the "
            "reference must hold a positive intensity."
        )
    if kind == "white":
        noise = rng.normal(0, sigma, reference.shape)
    else:
        signal = np.maximum(reference.intensity.astype(np.float64), 0)
        per_photon = sigma**2 / signal.mean()
        noise = per_photon * rng.poisson(signal / per_photon) - signal
    noisy = (reference.intensity + noise).astype(np.float32)
    return _with(reference, noisy)


def sample(cube: RamanCube, scale: int, phase: int) -> RamanCube:
    """Return every ``scale``-th pixel of a cube, as a faster scan would have measured it."""
    return RamanCube(skip_sample(cube.intensity, scale, phase), cube.wavenumber)


def crop_to_cells(cube: RamanCube, scale: int) -> RamanCube:
    """Return the cube without the rows and columns that do not fill a cell."""
    n_y, n_x = (n // scale * scale for n in cube.shape[:2])
    if min(n_y, n_x) < 2 * scale:
        raise ParameterError(
            f"The reference has {cube.shape[0]} x {cube.shape[1]} pixels: too few to keep every "
            f"{scale}-th of them. Use a smaller scale or a larger map."
        )
    return _with(cube, cube.intensity[:n_y, :n_x])


def _with(cube: RamanCube, intensity: Array) -> RamanCube:
    return dataclasses.replace(cube, intensity=intensity, uncertainty=None, flagged=None)


def check_methods(methods: tuple[str, ...], task: Task) -> None:
    """Raise `ParameterError` for a method that the task does not have."""
    if not methods:
        raise ParameterError("No method is named: give at least one, for example 'auto'.")
    for name in methods:
        _split(name, task)


def run_methods(
    source: RamanCube, methods: tuple[str, ...], task: Task, progress: Progress
) -> Iterator[Result]:
    """Run the product's own methods with their default settings."""
    for i, name in enumerate(methods):
        part = progress.part(i / len(methods), (i + 1) / len(methods))
        first, second = _split(name, task)
        start, cube = time.perf_counter(), source
        if first:
            cube = denoise(cube, _denoise_params(first, task), progress=part.part(0.0, 0.5))
        if second:
            cube = super_resolve(cube, _finer_params(second, task), progress=part.part(0.5, 1.0))
        chosen = [str(step.params.get("chosen", "")) for step in cube.provenance[-2:]]
        count = (first != "") + (second != "")
        settings = ", then ".join(chosen[-count:])
        seconds = time.perf_counter() - start
        yield Result(
            name, "method", settings, cube.intensity, seconds, cube.uncertainty, cube.flagged
        )


def run_comparators(
    source: RamanCube,
    target: Array,
    task: Task,
    progress: Progress,
    accuracy: Callable[[Array], float] | None = None,
) -> Iterator[Result]:
    """Run every comparator, each tuned to come as close to the target as it can.

    Parameters
    ----------
    source, target, task, progress
        What is given, what is to be met, and how.
    accuracy
        Pixel classification of a result in the shape of the target, to keep the best that any
        setting reaches.
    """
    if task.scale == 1:
        for i, name in enumerate(tuned.DENOISERS):
            progress.update(i / len(tuned.DENOISERS), f"Tuning {name}")
            yield from _tuned(name, source, target, {name: lambda spectra: spectra}, accuracy)
        return
    finishes = {method: _raise_to(method, source, task) for method in (*INTERPOLATIONS, "kriging")}
    for method, finish in finishes.items():
        start = time.perf_counter()
        plain = finish(source.spectra).reshape(target.shape)
        seconds = time.perf_counter() - start
        reached = accuracy(plain) if accuracy else float("nan")
        yield Result(method, "comparator", _HOW[method], plain, seconds, best_accuracy=reached)
    denoisers = tuned.DENOISERS if task.noisy else ("low-rank",)
    for i, name in enumerate(denoisers):
        progress.update(i / len(denoisers), f"Tuning {name} before interpolation")
        # kriging shrinks what it is given itself, so one denoiser before it, the best, will do
        fit = {m: f for m, f in finishes.items() if m != "kriging" or name == "low-rank"}
        named = {f"{name}+{method}": finish for method, finish in fit.items()}
        yield from _tuned(name, source, target, named, accuracy)


def _raise_to(method: str, source: RamanCube, task: Task) -> Callable[[Array], Array]:
    def finish(spectra: Array) -> Array:
        image = spectra.reshape(source.shape)
        if method == "kriging":
            return krige(image, task.scale, task.phase)[0].reshape(-1, source.shape[2])
        return upsample(image, task.scale, method, task.phase).reshape(-1, source.shape[2])  # type: ignore[arg-type]

    return finish


def _tuned(
    name: str,
    source: RamanCube,
    target: Array,
    finishes: dict[str, Callable[[Array], Array]],
    accuracy: Callable[[Array], float] | None,
) -> Iterator[Result]:
    start = time.perf_counter()
    # as in denoise: squares of very large or small intensities would leave float32
    unit = np.float32(np.abs(source.intensity).max())
    flat = target.reshape(-1, target.shape[2]) / unit

    def score(result: Array) -> float:
        return accuracy(result * unit) if accuracy else float("nan")

    scored = score if accuracy else None
    found = tuned.tune_each(name, source.spectra / unit, flat, finishes, scored)
    seconds = (time.perf_counter() - start) / len(found)
    for label, best in found.items():
        intensity = (best.intensity * unit).reshape(target.shape)
        yield Result(
            label, "comparator", best.settings, intensity, seconds, best_accuracy=best.best_score
        )


def _split(name: str, task: Task) -> tuple[str, str]:
    """Return which denoiser and which super-resolver a name stands for; empty for none."""
    first, _, second = name.partition("+")
    if task.scale == 1:
        _require(first if not second else name, denoise_params.METHODS, "denoising")
        return first, ""
    if not second:
        # As in Enhance, auto takes the noise off while it super-resolves.
        first, second = "", first
    if first:
        _require(first, denoise_params.METHODS, "the denoising part")
    _require(second, super_resolve_params.METHODS, "super-resolution")
    return first, second


def _require(name: str, known: tuple[str, ...], what: str) -> None:
    if name not in known:
        raise ParameterError(f"Unknown method '{name}' for {what}. There are: {', '.join(known)}.")


def _denoise_params(method: str, task: Task) -> DenoiseParams:
    model = task.model if task.scale == 1 and method in ("auto", "resunet") else ""
    return DenoiseParams(method=method, model=model, device=task.device)


def _finer_params(method: str, task: Task) -> SuperResolveParams:
    model = task.model if method in ("auto", "hyrisr") else ""
    return SuperResolveParams(
        scale=task.scale, method=method, phase=task.phase, model=model, device=task.device
    )
