"""Denoise and super-resolve hyperspectral Raman images.

The public names load on first use, so that importing the package loads neither torch nor Qt.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_deeper.engine.denoise import DenoiseParams, denoise
    from napari_deeper.engine.evaluate import EvaluateParams, evaluate
    from napari_deeper.engine.evaluation_report import write_report
    from napari_deeper.engine.super_resolve import SuperResolveParams, super_resolve
    from napari_deeper.io.patches import read_cubes, read_patches, write_patches
    from napari_deeper.io.read import read
    from napari_deeper.io.write import write
    from napari_deeper.processing.patch_suggestion import SuggestParams, suggest_patches
    from napari_deeper.spectra.axis import wavenumber_from_nm
    from napari_deeper.spectra.cube import RamanCube
    from napari_deeper.spectra.endmembers import Endmembers
    from napari_deeper.spectra.errors import DeeperError
    from napari_deeper.spectra.patches import Patch, PatchCube, PatchSet
    from napari_deeper.spectra.progress import Progress
    from napari_deeper.training.config import TrainParams
    from napari_deeper.training.run import train

_HOME = {
    "DeeperError": "spectra.errors",
    "DenoiseParams": "engine.denoise",
    "Endmembers": "spectra.endmembers",
    "EvaluateParams": "engine.evaluate",
    "Patch": "spectra.patches",
    "PatchCube": "spectra.patches",
    "PatchSet": "spectra.patches",
    "Progress": "spectra.progress",
    "RamanCube": "spectra.cube",
    "SuggestParams": "processing.patch_suggestion",
    "SuperResolveParams": "engine.super_resolve",
    "TrainParams": "training.config",
    "denoise": "engine.denoise",
    "evaluate": "engine.evaluate",
    "read": "io.read",
    "read_cubes": "io.patches",
    "read_patches": "io.patches",
    "suggest_patches": "processing.patch_suggestion",
    "super_resolve": "engine.super_resolve",
    "train": "training.run",
    "wavenumber_from_nm": "spectra.axis",
    "write": "io.write",
    "write_patches": "io.patches",
    "write_report": "engine.evaluation_report",
}

__all__ = [
    "DeeperError",
    "DenoiseParams",
    "Endmembers",
    "EvaluateParams",
    "Patch",
    "PatchCube",
    "PatchSet",
    "Progress",
    "RamanCube",
    "SuggestParams",
    "SuperResolveParams",
    "TrainParams",
    "denoise",
    "evaluate",
    "read",
    "read_cubes",
    "read_patches",
    "suggest_patches",
    "super_resolve",
    "train",
    "wavenumber_from_nm",
    "write",
    "write_patches",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("napari-deeper")
    if name not in _HOME:
        raise AttributeError(f"module 'napari_deeper' has no attribute '{name}'")
    return getattr(import_module(f"napari_deeper.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__, "__version__"])
