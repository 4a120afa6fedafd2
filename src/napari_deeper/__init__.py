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
    from napari_deeper.engine.finetune import FinetuneResult, estimate_job, finetune, run_job
    from napari_deeper.engine.finetune_job import (
        FinetuneJob,
        PairFiles,
        list_jobs,
        read_job,
        write_job,
    )
    from napari_deeper.engine.super_resolve import SuperResolveParams, super_resolve
    from napari_deeper.io.patches import read_cubes, read_patches, write_patches
    from napari_deeper.io.read import read
    from napari_deeper.io.write import write
    from napari_deeper.models.user_models import list_models
    from napari_deeper.processing.patch_suggestion import SuggestParams, suggest_patches
    from napari_deeper.spectra.axis import wavenumber_from_nm
    from napari_deeper.spectra.cube import RamanCube
    from napari_deeper.spectra.endmembers import Endmembers
    from napari_deeper.spectra.errors import DeeperError
    from napari_deeper.spectra.patches import Patch, PatchCube, PatchSet
    from napari_deeper.spectra.progress import Progress
    from napari_deeper.training.config import TrainParams
    from napari_deeper.training.finetune_config import FinetuneParams
    from napari_deeper.training.run import train

_HOME = {
    "DeeperError": "spectra.errors",
    "DenoiseParams": "engine.denoise",
    "Endmembers": "spectra.endmembers",
    "EvaluateParams": "engine.evaluate",
    "FinetuneJob": "engine.finetune_job",
    "FinetuneParams": "training.finetune_config",
    "FinetuneResult": "engine.finetune",
    "PairFiles": "engine.finetune_job",
    "Patch": "spectra.patches",
    "PatchCube": "spectra.patches",
    "PatchSet": "spectra.patches",
    "Progress": "spectra.progress",
    "RamanCube": "spectra.cube",
    "SuggestParams": "processing.patch_suggestion",
    "SuperResolveParams": "engine.super_resolve",
    "TrainParams": "training.config",
    "denoise": "engine.denoise",
    "estimate_job": "engine.finetune",
    "evaluate": "engine.evaluate",
    "finetune": "engine.finetune",
    "list_jobs": "engine.finetune_job",
    "list_models": "models.user_models",
    "read": "io.read",
    "read_cubes": "io.patches",
    "read_job": "engine.finetune_job",
    "read_patches": "io.patches",
    "run_job": "engine.finetune",
    "suggest_patches": "processing.patch_suggestion",
    "super_resolve": "engine.super_resolve",
    "train": "training.run",
    "wavenumber_from_nm": "spectra.axis",
    "write": "io.write",
    "write_job": "engine.finetune_job",
    "write_patches": "io.patches",
    "write_report": "engine.evaluation_report",
}

__all__ = [
    "DeeperError",
    "DenoiseParams",
    "Endmembers",
    "EvaluateParams",
    "FinetuneJob",
    "FinetuneParams",
    "FinetuneResult",
    "PairFiles",
    "Patch",
    "PatchCube",
    "PatchSet",
    "Progress",
    "RamanCube",
    "SuggestParams",
    "SuperResolveParams",
    "TrainParams",
    "denoise",
    "estimate_job",
    "evaluate",
    "finetune",
    "list_jobs",
    "list_models",
    "read",
    "read_cubes",
    "read_job",
    "read_patches",
    "run_job",
    "suggest_patches",
    "super_resolve",
    "train",
    "wavenumber_from_nm",
    "write",
    "write_job",
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
