"""Denoise, super-resolve, or both, with comparators beside: what the dock and the demo run."""

from __future__ import annotations

import dataclasses

from napari_deeper.engine.denoise import check_denoise, denoise
from napari_deeper.engine.denoise_params import METHODS as DENOISERS
from napari_deeper.engine.denoise_params import DenoiseParams
from napari_deeper.engine.super_resolve import check_super_resolve, super_resolve
from napari_deeper.engine.super_resolve_params import METHODS as SUPER_RESOLVERS
from napari_deeper.engine.super_resolve_params import SuperResolveParams
from napari_deeper.processing.shot_noise import remembering
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import ParameterError
from napari_deeper.spectra.progress import Progress

DENOISE_COMPARATORS = tuple(name for name in DENOISERS if name != "auto")
SUPER_RESOLVE_COMPARATORS = tuple(name for name in SUPER_RESOLVERS if name != "auto")


def enhance(
    cube: RamanCube,
    denoise_params: DenoiseParams | None,
    super_resolve_params: SuperResolveParams | None,
    comparators: tuple[str, ...] = (),
    progress: Progress | None = None,
) -> list[RamanCube]:
    """Run what is asked for, and then each comparator in place of the method chosen.

    Parameters
    ----------
    cube
        The input; it is not changed.
    denoise_params, super_resolve_params
        Settings of each step; None leaves the step out. With both, the denoised cube is
        super-resolved, unless the method of both is ``auto`` with the shipped weights: then the cube
        is super-resolved as it is, because ``auto`` takes the noise off on the way and knows it
        better from what was measured.
    comparators
        Names of methods. One that denoises is run on the input, one that super-resolves on what the
        super-resolution was given.
    progress
        Gets reports on the whole, and may cancel.

    Returns
    -------
    list[RamanCube]
        The denoised cube, the super-resolved cube (as far as asked for), then one cube for each
        comparator. Each is named for what it is.

    Raises
    ------
    ParameterError
        If nothing is asked for, or a comparator belongs to no step that is.
    DeeperError
        As `denoise` and `super_resolve`.
    """
    progress = progress or Progress()
    _check(denoise_params, super_resolve_params, comparators)
    if denoise_params:
        check_denoise(cube, denoise_params)
    if super_resolve_params:
        check_super_resolve(super_resolve_params)
    n_runs = (denoise_params is not None) + (super_resolve_params is not None) + len(comparators)
    results: list[RamanCube] = []

    def part() -> Progress:
        return progress.part(len(results) / n_runs, (len(results) + 1) / n_runs)

    source = cube
    with remembering():  # both steps ask for the noise of the same map
        if denoise_params:
            source = _denoised(cube, denoise_params, part())
            results.append(source)
        if super_resolve_params:
            joint = denoise_params and is_joint(denoise_params, super_resolve_params)
            finer_source = cube if joint else source
            results.append(_super_resolved(finer_source, super_resolve_params, part()))
    for name in comparators:
        if denoise_params and name in DENOISE_COMPARATORS:
            other = dataclasses.replace(denoise_params, method=name)
            results.append(_denoised(cube, other, part()))
        elif super_resolve_params:
            finer = dataclasses.replace(super_resolve_params, method=name)
            results.append(_super_resolved(source, finer, part()))
    return results


def _check(
    denoise_params: DenoiseParams | None,
    super_resolve_params: SuperResolveParams | None,
    comparators: tuple[str, ...],
) -> None:
    if denoise_params is None and super_resolve_params is None:
        raise ParameterError("Nothing is asked for: denoise, super-resolve, or both.")
    known = DENOISE_COMPARATORS if denoise_params else ()
    known += SUPER_RESOLVE_COMPARATORS if super_resolve_params else ()
    for name in comparators:
        if name not in known:
            raise ParameterError(
                f"Unknown comparator '{name}'. With these steps there are: {', '.join(known)}."
            )


def is_joint(first: DenoiseParams, second: SuperResolveParams) -> bool:
    """Tell whether super-resolution takes the noise off itself, so that it goes without denoising."""
    return first.method == second.method == "auto" and not (first.model or second.model)


def _denoised(cube: RamanCube, params: DenoiseParams, progress: Progress) -> RamanCube:
    result = denoise(cube, params, progress=progress)
    return _named(result, f"{cube.name} · denoised ({_method(result)})")


def _super_resolved(cube: RamanCube, params: SuperResolveParams, progress: Progress) -> RamanCube:
    result = super_resolve(cube, params, progress=progress)
    return _named(result, f"{cube.name} · {params.scale}x ({_method(result)})")


def _method(result: RamanCube) -> str:
    """Return the method of the last step, and for ``auto`` what it stood for."""
    params = result.provenance[-1].params
    return f"auto: {params['chosen']}" if params["method"] == "auto" else str(params["method"])


def _named(cube: RamanCube, name: str) -> RamanCube:
    return dataclasses.replace(cube, metadata={**cube.metadata, "name": name})
