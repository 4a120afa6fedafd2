"""The cards of weights, read without loading the weights or torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from napari_deeper.models import user_models
from napari_deeper.spectra.axis import Axis
from napari_deeper.spectra.errors import CheckpointError


@dataclass(frozen=True)
class CardSummary:
    """What a plan needs to know about weights."""

    name: str
    wavenumber: Axis


def read_card(kind: str, model: str = "", scale: int | None = None) -> CardSummary | None:
    """Return name and axis of shipped or own weights; None where only loading them can tell.

    Parameters
    ----------
    kind, model, scale
        As `napari_deeper.engine.network.open_network` takes them.
    """
    stem = kind if scale is None else f"{kind}_{scale}x"
    shipped = Path(str(files("napari_deeper") / "weights")) / f"{stem}.json"
    try:
        path = user_models.resolve(model) if model else shipped
        card = _read(path.with_suffix(".json"), path)
        return CardSummary(str(card.get("name", path.stem)), np.asarray(card["wavenumber"], float))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, CheckpointError):
        return None


def is_of_images(model: str) -> bool:
    """Tell whether own weights are of a network for eigenimages, which knows no channels."""
    if not model:
        return False
    try:
        path = user_models.resolve(model)
        return _read(path.with_suffix(".json"), path).get("kind") == "eigenimage"
    except (OSError, ValueError, CheckpointError):
        return False


def _read(beside: Path, path: Path) -> dict[str, Any]:
    if beside.is_file():
        card: dict[str, Any] = json.loads(beside.read_text(encoding="utf-8"))
        return card
    return {**user_models.read_card(path), "name": path.stem}
