"""Make an input whose truth is known, and run methods and tuned comparators on it."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_deeper.engine import denoise as denoising
from napari_deeper.engine import super_resolve as super_resolving
from napari_deeper.engine.denoise import DenoiseParams, denoise
from napari_deeper.engine.super_resolve import INTERPOLATIONS, SuperResolveParams, super_resolve
from napari_deeper.processing import tuned
from napari_deeper.processing.interpolation import skip_sample, upsample
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import ParameterError
from napari_deeper.spectra.progress import Progress

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Result:
    """A result in the shape of the target, and how it came about."""

    method: str
    role: str
    settings: str
    intensity: Array
    seconds: float


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
    return dataclasses.replace(reference, intensity=noisy)


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
    return dataclasses.replace(cube, intensity=cube.intensity[:n_y, :n_x])


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
        yield Result(name, "method", settings, cube.intensity, time.perf_counter() - start)


def run_comparators(
    source: RamanCube, target: Array, task: Task, progress: Progress
) -> Iterator[Result]:
    """Run every comparator, each tuned to come as close to the target as it can."""
    if task.scale == 1:
        for i, name in enumerate(tuned.DENOISERS):
            progress.update(i / len(tuned.DENOISERS), f"Tuning {name}")
            yield _tuned(name, name, source, target, lambda spectra: spectra)
        return
    shape = source.shape

    def raise_to(method: str) -> Callable[[Array], Array]:
        def finish(spectra: Array) -> Array:
            image = spectra.reshape(shape)
            return upsample(image, task.scale, method, task.phase).reshape(-1, shape[2])  # type: ignore[arg-type]

        return finish

    denoisers = tuned.DENOISERS if task.noisy else ("low-rank",)
    for i, method in enumerate(INTERPOLATIONS):
        progress.update(i / len(INTERPOLATIONS), f"Tuning comparators with {method}")
        start = time.perf_counter()
        plain = raise_to(method)(source.spectra).reshape(target.shape)
        yield Result(method, "comparator", "aligned", plain, time.perf_counter() - start)
        for name in denoisers:
            progress.update(i / len(INTERPOLATIONS), f"Tuning {name} with {method}")
            yield _tuned(f"{name}+{method}", name, source, target, raise_to(method))


def _tuned(
    label: str, name: str, source: RamanCube, target: Array, finish: Callable[[Array], Array]
) -> Result:
    start = time.perf_counter()
    # as in denoise: squares of very large or small intensities would leave float32
    unit = np.float32(np.abs(source.intensity).max())
    flat = target.reshape(-1, target.shape[2]) / unit
    best = tuned.tune(name, source.spectra / unit, flat, finish)
    intensity = (best.intensity * unit).reshape(target.shape)
    return Result(label, "comparator", best.settings, intensity, time.perf_counter() - start)


def _split(name: str, task: Task) -> tuple[str, str]:
    """Return which denoiser and which super-resolver a name stands for; empty for none."""
    first, _, second = name.partition("+")
    if task.scale == 1:
        _require(first if not second else name, denoising.METHODS, "denoising")
        return first, ""
    if not second:
        first, second = (first, first) if task.noisy and first == "auto" else ("", first)
    if first:
        _require(first, denoising.METHODS, "the denoising part")
    _require(second, super_resolving.METHODS, "super-resolution")
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
