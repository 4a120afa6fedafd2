"""What a file of weights says of itself: command, seed, data, hardware, time, figures, versions."""

from __future__ import annotations

import dataclasses
import json
import math
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from napari_deeper.training.loop import Fitted
from napari_deeper.training.recipes import Recipe

_PACKAGES = ("napari-deeper", "torch", "pytorch-lightning", "numpy", "scipy", "safetensors")
_SIMULATED = "simulated by napari_deeper.simulate; no measured data"


def run_record(recipe: Recipe, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what makes a run that run, flat and of JSON types.

    Parameters
    ----------
    settings
        Those of the user's that a recipe does not hold: data and weights to start from.
    """
    record = dataclasses.asdict(recipe)
    options = record.pop("options")
    del record["is_step"]
    plain = json.loads(json.dumps({**record, **options, **settings}))
    return {key: value for key, value in plain.items() if value not in (None, "")}


def origin(
    runs: Sequence[Recipe], records: Sequence[Mapping[str, Any]], fitted: Fitted, command: str
) -> dict[str, Any]:
    """Return the part of a card that says where weights come from.

    Parameters
    ----------
    runs, records
        From the first that these weights began with to their own.
    """
    last = runs[-1]
    return {
        "data": _SIMULATED,
        "command": command,
        "seed": last.seed,
        "steps": sum(run.n_steps for run in runs),
        "samples": sum(run.n_steps * run.n for run in runs) * fitted.n_ranks,
        "started_from": runs[-2].name if len(runs) > 1 else records[-1].get("start_from"),
        "hardware": "; ".join(fitted.hardware),
        "minutes": round(fitted.seconds / 60, 1),
        "versions": versions(),
        "license": "BSD-3-Clause",
        "notes": list(fitted.notes),
        "recipes": list(records),
    }


def data_in_words(folder: Path, about: Mapping[str, Any]) -> str:
    """Return what measured data were trained on, without where they lie."""
    facts = ", ".join(f"{name} {value}" for name, value in about.items())
    return f"measured: {folder.resolve().name} ({facts})"


def versions() -> dict[str, str]:
    """Return the versions of what decides the numbers."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # run from a folder that is not installed
            found[package] = "not installed"
    return found


def finite(figures: Any) -> Any:
    """Replace what JSON cannot hold, a figure that could not be had, by None."""
    if isinstance(figures, Mapping):
        return {key: finite(value) for key, value in figures.items()}
    if isinstance(figures, float) and not math.isfinite(figures):
        return None
    return figures


def is_made(path: Path, records: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether a file of weights is there and was made by the same runs."""
    card = path.with_suffix(".json")
    if not (path.is_file() and card.is_file()):
        return False
    try:
        content = json.loads(card.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content.get("recipes") == list(records)
