"""What was done to a cube, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any


@dataclass(frozen=True)
class Step:
    """One operation on a cube.

    Parameters
    ----------
    verb
        The operation, for example ``"denoise"``.
    params
        Every setting that the result depends on, as JSON types.
    notes
        What the user should know about the result, one sentence each.
    software
        The program that did it, with its version.
    """

    verb: str
    params: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    software: str = field(default_factory=lambda: f"napari-deeper {version('napari-deeper')}")

    def to_json(self) -> dict[str, Any]:
        """Return the step as JSON types."""
        return {
            "verb": self.verb,
            "params": dict(self.params),
            "notes": list(self.notes),
            "software": self.software,
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Step:
        """Read a step back from `to_json`."""
        return cls(
            str(record["verb"]),
            dict(record.get("params", {})),
            tuple(str(note) for note in record.get("notes", ())),
            str(record.get("software", "unknown")),
        )
