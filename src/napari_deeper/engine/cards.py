"""The cards of weights, read without loading the weights or torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np

from napari_deeper.spectra.axis import Axis


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
    path = Path(model).expanduser().with_suffix(".json") if model else shipped
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        return CardSummary(str(card.get("name", path.stem)), np.asarray(card["wavenumber"], float))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
