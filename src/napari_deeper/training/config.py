"""Settings of a training run: one definition for Python, the command line and the card."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from napari_deeper.spectra.errors import ParameterError
from napari_deeper.training.shared_settings import (
    Devices,
    Nodes,
    Precision,
    Strategy,
    Threads,
    Workers,
)

# Exit code of a slice that ended before the work did.
EXIT_UNFINISHED = 3
STOPPED_AT_ONCE = "Stopped at once. The same command goes on from the state that was saved last."

PRESETS = ("shipped", "published")
_DEFAULT = "; 0: that of the recipe"
# What changes the time that a run takes, or how it is kept, and not what comes out.
_NO_MATTER = ("minutes_per_slice", "save_seconds", "small_checkpoints", "workers", "threads")


@dataclass(frozen=True)
class TrainParams:
    """Settings of `napari_deeper.train`."""

    preset: Annotated[
        str,
        {
            "label": "Preset",
            "tooltip": (
                "shipped: the networks and recipes of the weights that come with napari-deeper. "
                "published: those of Horgan et al. 2021"
            ),
            "choices": PRESETS,
        },
    ] = "shipped"
    scale: Annotated[
        int, {"label": "Scale", "tooltip": "For super-resolution", "choices": (2, 3, 4)}
    ] = 2
    data: Annotated[
        str,
        {
            "label": "Data",
            "tooltip": (
                "Folder to train on: Inputs.mat and Outputs.mat, or Image_IDs.csv and its .mat cubes, or low/ and "
                "high/ with cubes of the same names; empty: simulated data"
            ),
        },
    ] = ""
    start_from: Annotated[
        str,
        {
            "label": "Start from",
            "tooltip": "Weights to train on (.safetensors or .pt); for super-resolution also of another scale",
        },
    ] = ""
    steps: Annotated[
        int,
        {"label": "Steps", "tooltip": "Batches in all" + _DEFAULT, "min": 0, "max": 10**9},
    ] = 0
    rate: Annotated[
        float,
        {
            "label": "Learning rate",
            "tooltip": "The highest learning rate" + _DEFAULT,
            "min": 0.0,
            "max": 1.0,
        },
    ] = 0.0
    batch_size: Annotated[
        int,
        {
            "label": "Batch size",
            "tooltip": "Spectra or cubes in a batch, pixels for eigenimages, on each device"
            + _DEFAULT,
            "min": 0,
            "max": 2**24,
        },
    ] = 0
    seed: Annotated[
        int,
        {
            "label": "Seed",
            "tooltip": "Added to that of the recipe: another number gives another run",
            "min": 0,
            "max": 2**31,
        },
    ] = 0
    accelerator: Annotated[
        str,
        {
            "label": "Accelerator",
            "tooltip": "auto: a GPU where there is one",
            "choices": ("auto", "cpu", "gpu", "mps"),
        },
    ] = "auto"
    devices: Devices = 1
    nodes: Nodes = 1
    strategy: Strategy = "auto"
    precision: Precision = "auto"
    minutes_per_slice: Annotated[
        float,
        {
            "label": "Minutes per slice",
            "tooltip": "Stop cleanly after so many minutes, to go on with the same command; 0: no limit",
            "min": 0.0,
            "max": 1e6,
        },
    ] = 0.0
    save_seconds: Annotated[
        float,
        {
            "label": "Seconds between saves",
            "tooltip": "How often the state is saved",
            "min": 0.0,
            "max": 1e6,
        },
    ] = 120.0
    small_checkpoints: Annotated[
        bool,
        {
            "label": "Small checkpoints",
            "tooltip": (
                "Keep the saved state under 16 MiB: what does not fit is rounded to bfloat16, so that a resumed run "
                "differs by rounding"
            ),
        },
    ] = False
    workers: Workers = -1
    threads: Threads = 0


def own_settings(params: TrainParams) -> dict[str, Any]:
    """Return those settings that differ from the defaults and matter to the result."""
    fields = dataclasses.fields(params)
    changed = {f.name: getattr(params, f.name) for f in fields if f.name not in _NO_MATTER}
    return {k: v for k, v in changed.items() if v != getattr(TrainParams(), k)}


def command_line(task: str, params: TrainParams) -> str:
    """Return the command that makes the same weights anywhere, files by their names alone."""
    words = ["napari-deeper train", task]
    for name, value in own_settings(params).items():
        shown = Path(value).name if name in ("data", "start_from") else value
        words.append(f"--{name.replace('_', '-')} {shown}")
    return " ".join([*words, "--out FOLDER"])


def check_combination(task: str, params: TrainParams) -> None:
    """Raise `ParameterError` for settings that do not go together."""
    changed = own_settings(params)
    own = [n for n in ("data", "start_from", "steps", "rate", "batch_size") if n in changed]
    if task == "all" and own:
        raise ParameterError(
            f"'all' follows the recipes as they are; {', '.join(own)} cannot be set. Train one "
            "network at a time for that, or edit training/recipes.py."
        )
    if task in ("eigenimage", "eigen-super-resolve") and params.data:
        raise ParameterError(
            "The networks for eigenimages learn from simulated images; data cannot be set for them."
        )
