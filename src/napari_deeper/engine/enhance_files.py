"""Denoise and super-resolve from file to file, one after the other."""

from __future__ import annotations

from pathlib import Path

from napari_deeper.engine.denoise_files import denoise_file
from napari_deeper.engine.denoise_params import DenoiseParams
from napari_deeper.engine.enhance import is_joint
from napari_deeper.engine.super_resolve_files import super_resolve_file
from napari_deeper.engine.super_resolve_params import SuperResolveParams
from napari_deeper.io.zarr_levels import open_levels
from napari_deeper.spectra.params import to_json
from napari_deeper.spectra.progress import Progress

Made = tuple[Path, tuple[str, ...]]


def enhanced_name(
    source: Path, denoise: DenoiseParams | None, super_resolve: SuperResolveParams | None
) -> str:
    """Return the name of a result beside its source, for example ``cell-denoised-2x.zarr``."""
    steps = ["denoised"] if denoise is not None else []
    steps += [f"{super_resolve.scale}x"] if super_resolve is not None else []
    return "-".join([source.stem, *steps]) + source.suffix


def enhance_file(
    source: Path,
    target: Path,
    denoise: DenoiseParams | None,
    super_resolve: SuperResolveParams | None,
    progress: Progress,
) -> list[Made]:
    """Run the steps that are not None; return each result with its notes, the last one being the target.

    With both, the denoised cube is kept beside the target; what is super-resolved is the same as in `enhance`.
    A run that was stopped goes on when it is started again.

    Raises
    ------
    DeeperError
        As `denoise_file` and `super_resolve_file` do.
    """
    made: list[Made] = []
    if denoise is not None:
        path = target
        if super_resolve is not None:
            path = target.with_name(enhanced_name(source, denoise, None))
        part = progress.part(0.0, 0.5) if super_resolve is not None else progress
        if super_resolve is not None and _is_denoised(path, source, denoise):
            made.append((path, ("It was denoised before with the same settings.",)))
        else:
            made.append((path, denoise_file(source, path, denoise, progress=part)))
        progress = progress.part(0.5, 1.0)
        if super_resolve is None or not is_joint(denoise, super_resolve):
            source = path
    if super_resolve is not None:
        made.append((target, super_resolve_file(source, target, super_resolve, progress=progress)))
    return made


def _is_denoised(path: Path, source: Path, params: DenoiseParams) -> bool:
    """Tell whether a file is what denoising this source with these settings gives."""
    done, begun = open_levels(path), open_levels(source)
    if done is None or begun is None:
        return False
    steps = list(done.header.get("provenance", ()))
    if not steps:
        return False
    *before, last = steps
    return bool(
        last.get("verb") == "denoise"
        and to_json(params).items() <= last.get("params", {}).items()
        and before == begun.header.get("provenance", [])
        and done.shape == begun.shape
    )
