"""Denoise and super-resolve hyperspectral Raman images.

The public names load on first use, so that importing the package loads neither torch nor Qt.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_deeper.engine.batch import batch
    from napari_deeper.engine.batch_task import BatchFile
    from napari_deeper.engine.compare import compare, difference_map
    from napari_deeper.engine.compare_report import write_comparison
    from napari_deeper.engine.compare_settings import CompareParams
    from napari_deeper.engine.compare_tests import compare_over_cubes
    from napari_deeper.engine.denoise import denoise
    from napari_deeper.engine.denoise_files import denoise_file
    from napari_deeper.engine.denoise_params import DenoiseParams
    from napari_deeper.engine.evaluate import EvaluateParams, evaluate
    from napari_deeper.engine.evaluation_report import write_report
    from napari_deeper.engine.figure import FigureParams, make_figure
    from napari_deeper.engine.figure_files import write_figure
    from napari_deeper.engine.figure_parts import Figure, FigureStyle
    from napari_deeper.engine.finetune import estimate_job, finetune, run_job
    from napari_deeper.engine.finetune_job import (
        FinetuneJob,
        PairFiles,
        list_jobs,
        read_job,
        write_job,
    )
    from napari_deeper.engine.finetune_result import FinetuneResult
    from napari_deeper.engine.fit_check import Finding, check_fit, suggested_recipe
    from napari_deeper.engine.heatmap import Heatmap, HeatmapParams, heatmap
    from napari_deeper.engine.heatmap_files import write_heatmap
    from napari_deeper.engine.heatmap_stored import heatmap_file
    from napari_deeper.engine.prepare import Preparation, prepare
    from napari_deeper.engine.prepare_files import prepare_file
    from napari_deeper.engine.prepare_folder import prepare_folder
    from napari_deeper.engine.prepare_settings import (
        BadPixels,
        Baseline,
        Bin,
        Crop,
        CropMap,
        Despike,
        Flip,
        Normalize,
        Recalibrate,
        Resample,
        Smooth,
    )
    from napari_deeper.engine.rays import cosmic_rays
    from napari_deeper.engine.recipe import Recipe, read_recipe, write_recipe
    from napari_deeper.engine.super_resolve import super_resolve
    from napari_deeper.engine.super_resolve_files import super_resolve_file
    from napari_deeper.engine.super_resolve_params import SuperResolveParams
    from napari_deeper.engine.unmix import abundances, unmix, unmix_with
    from napari_deeper.engine.unmix_files import unmix_file
    from napari_deeper.engine.unmix_settings import UnmixParams
    from napari_deeper.engine.unmixed import Unmixed
    from napari_deeper.engine.watch import watch_folder
    from napari_deeper.engine.workflow import Workflow, read_workflow, run_workflow, write_workflow
    from napari_deeper.io.patches import read_cubes, read_patches, write_patches
    from napari_deeper.io.read import read
    from napari_deeper.io.regions import read_regions
    from napari_deeper.io.write import write
    from napari_deeper.models.user_models import list_models
    from napari_deeper.processing.patch_suggestion import SuggestParams, suggest_patches
    from napari_deeper.processing.regions import region_spectra
    from napari_deeper.spectra.axis import wavenumber_from_nm
    from napari_deeper.spectra.cube import RamanCube
    from napari_deeper.spectra.endmembers import Endmembers
    from napari_deeper.spectra.errors import DeeperError
    from napari_deeper.spectra.imaging_plan import PlanParams, plan_imaging
    from napari_deeper.spectra.imaging_time import imaging_time
    from napari_deeper.spectra.patches import Patch, PatchCube, PatchSet
    from napari_deeper.spectra.progress import Progress
    from napari_deeper.spectra.regions import Region
    from napari_deeper.training.config import TrainParams
    from napari_deeper.training.finetune_config import FinetuneParams
    from napari_deeper.training.run import train

_HOME = {
    "BadPixels": "engine.prepare_settings",
    "Baseline": "engine.prepare_settings",
    "BatchFile": "engine.batch_task",
    "Bin": "engine.prepare_settings",
    "CompareParams": "engine.compare_settings",
    "Crop": "engine.prepare_settings",
    "CropMap": "engine.prepare_settings",
    "DeeperError": "spectra.errors",
    "DenoiseParams": "engine.denoise_params",
    "Despike": "engine.prepare_settings",
    "Endmembers": "spectra.endmembers",
    "EvaluateParams": "engine.evaluate",
    "Figure": "engine.figure_parts",
    "FigureParams": "engine.figure",
    "FigureStyle": "engine.figure_parts",
    "Finding": "engine.fit_check",
    "FinetuneJob": "engine.finetune_job",
    "FinetuneParams": "training.finetune_config",
    "FinetuneResult": "engine.finetune_result",
    "Flip": "engine.prepare_settings",
    "Heatmap": "engine.heatmap",
    "HeatmapParams": "engine.heatmap",
    "Normalize": "engine.prepare_settings",
    "PairFiles": "engine.finetune_job",
    "Patch": "spectra.patches",
    "PatchCube": "spectra.patches",
    "PatchSet": "spectra.patches",
    "PlanParams": "spectra.imaging_plan",
    "Preparation": "engine.prepare",
    "Progress": "spectra.progress",
    "RamanCube": "spectra.cube",
    "Recalibrate": "engine.prepare_settings",
    "Recipe": "engine.recipe",
    "Region": "spectra.regions",
    "Resample": "engine.prepare_settings",
    "Smooth": "engine.prepare_settings",
    "SuggestParams": "processing.patch_suggestion",
    "SuperResolveParams": "engine.super_resolve_params",
    "TrainParams": "training.config",
    "UnmixParams": "engine.unmix_settings",
    "Unmixed": "engine.unmixed",
    "Workflow": "engine.workflow",
    "abundances": "engine.unmix",
    "batch": "engine.batch",
    "check_fit": "engine.fit_check",
    "compare": "engine.compare",
    "compare_over_cubes": "engine.compare_tests",
    "cosmic_rays": "engine.rays",
    "denoise": "engine.denoise",
    "denoise_file": "engine.denoise_files",
    "difference_map": "engine.compare",
    "estimate_job": "engine.finetune",
    "evaluate": "engine.evaluate",
    "finetune": "engine.finetune",
    "heatmap": "engine.heatmap",
    "heatmap_file": "engine.heatmap_stored",
    "imaging_time": "spectra.imaging_time",
    "list_jobs": "engine.finetune_job",
    "list_models": "models.user_models",
    "make_figure": "engine.figure",
    "plan_imaging": "spectra.imaging_plan",
    "prepare": "engine.prepare",
    "prepare_file": "engine.prepare_files",
    "prepare_folder": "engine.prepare_folder",
    "read": "io.read",
    "read_cubes": "io.patches",
    "read_job": "engine.finetune_job",
    "read_patches": "io.patches",
    "read_recipe": "engine.recipe",
    "read_regions": "io.regions",
    "read_workflow": "engine.workflow",
    "region_spectra": "processing.regions",
    "run_job": "engine.finetune",
    "run_workflow": "engine.workflow",
    "suggest_patches": "processing.patch_suggestion",
    "suggested_recipe": "engine.fit_check",
    "super_resolve": "engine.super_resolve",
    "super_resolve_file": "engine.super_resolve_files",
    "train": "training.run",
    "unmix": "engine.unmix",
    "unmix_file": "engine.unmix_files",
    "unmix_with": "engine.unmix",
    "watch_folder": "engine.watch",
    "wavenumber_from_nm": "spectra.axis",
    "write": "io.write",
    "write_comparison": "engine.compare_report",
    "write_figure": "engine.figure_files",
    "write_heatmap": "engine.heatmap_files",
    "write_job": "engine.finetune_job",
    "write_patches": "io.patches",
    "write_recipe": "engine.recipe",
    "write_report": "engine.evaluation_report",
    "write_workflow": "engine.workflow",
}

__all__ = [
    "BadPixels",
    "Baseline",
    "BatchFile",
    "Bin",
    "CompareParams",
    "Crop",
    "CropMap",
    "DeeperError",
    "DenoiseParams",
    "Despike",
    "Endmembers",
    "EvaluateParams",
    "Figure",
    "FigureParams",
    "FigureStyle",
    "Finding",
    "FinetuneJob",
    "FinetuneParams",
    "FinetuneResult",
    "Flip",
    "Heatmap",
    "HeatmapParams",
    "Normalize",
    "PairFiles",
    "Patch",
    "PatchCube",
    "PatchSet",
    "PlanParams",
    "Preparation",
    "Progress",
    "RamanCube",
    "Recalibrate",
    "Recipe",
    "Region",
    "Resample",
    "Smooth",
    "SuggestParams",
    "SuperResolveParams",
    "TrainParams",
    "UnmixParams",
    "Unmixed",
    "Workflow",
    "abundances",
    "batch",
    "check_fit",
    "compare",
    "compare_over_cubes",
    "cosmic_rays",
    "denoise",
    "denoise_file",
    "difference_map",
    "estimate_job",
    "evaluate",
    "finetune",
    "heatmap",
    "heatmap_file",
    "imaging_time",
    "list_jobs",
    "list_models",
    "make_figure",
    "plan_imaging",
    "prepare",
    "prepare_file",
    "prepare_folder",
    "read",
    "read_cubes",
    "read_job",
    "read_patches",
    "read_recipe",
    "read_regions",
    "read_workflow",
    "region_spectra",
    "run_job",
    "run_workflow",
    "suggest_patches",
    "suggested_recipe",
    "super_resolve",
    "super_resolve_file",
    "train",
    "unmix",
    "unmix_file",
    "unmix_with",
    "watch_folder",
    "wavenumber_from_nm",
    "write",
    "write_comparison",
    "write_figure",
    "write_heatmap",
    "write_job",
    "write_patches",
    "write_recipe",
    "write_report",
    "write_workflow",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("napari-deeper")
    if name not in _HOME:
        raise AttributeError(f"module 'napari_deeper' has no attribute '{name}'")
    return getattr(import_module(f"napari_deeper.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__, "__version__"])
