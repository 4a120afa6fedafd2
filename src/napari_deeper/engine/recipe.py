"""Recipes: the steps that prepare a cube, in order, and the files they are kept in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from napari_deeper.engine.prepare_settings import (
    Baseline,
    Crop,
    Despike,
    Normalize,
    Resample,
    Settings,
)
from napari_deeper.engine.prepare_spatial import SPATIAL
from napari_deeper.engine.prepare_spectral import SPECTRAL
from napari_deeper.engine.prepare_steps import StepKind
from napari_deeper.io.write import check_file_output, replacing
from napari_deeper.spectra import params as settings_of
from napari_deeper.spectra.errors import FileError, ParameterError

FORMAT, VERSION = "napari-deeper recipe", 1
_ORDER = (
    "despike", "bad-pixels", "crop-map", "bin", "flip",
    "crop", "recalibrate", "baseline", "resample", "smooth", "normalize",
)  # fmt: skip

# Every kind of step by its name, in the order in which they are offered.
STEPS: dict[str, StepKind] = {
    name: next(kind for kind in (*SPATIAL, *SPECTRAL) if kind.name == name) for name in _ORDER
}
_KIND_OF = {kind.settings: kind for kind in STEPS.values()}


def kind_of(settings: Settings) -> StepKind:
    """Return the kind of step that some settings belong to."""
    try:
        return _KIND_OF[type(settings)]
    except KeyError as error:
        raise ParameterError(
            f"{settings!r} is not a step. Known: {', '.join(k.__name__ for k in _KIND_OF)}."
        ) from error


@dataclass(frozen=True)
class Recipe:
    """The steps that prepare a cube.

    Parameters
    ----------
    steps
        Settings of each step, in order, for example ``(Despike(), Crop(600, 1800), Baseline())``.
    name
        For people.

    Raises
    ------
    ParameterError
        If a step is none, or a value is out of bounds; the text names the step.
    """

    steps: tuple[Settings, ...] = ()
    name: str = "own"

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", tuple(self.steps))
        for number, settings in enumerate(self.steps, 1):
            kind = kind_of(settings)
            try:
                settings_of.check(settings)
            except ParameterError as error:
                raise ParameterError(f"Step {number} ({kind.name}): {error}") from error

    def to_json(self) -> dict[str, Any]:
        """Return the recipe as JSON types."""
        steps = [{"step": kind_of(s).name, **settings_of.to_json(s)} for s in self.steps]
        return {"format": FORMAT, "version": VERSION, "name": self.name, "steps": steps}

    @classmethod
    def from_json(cls, record: Any) -> Recipe:
        """Read a recipe back from `to_json`; settings that are not stated have their defaults.

        Raises
        ------
        ParameterError
            Naming the step, the key and the value that is wrong.
        """
        if not isinstance(record, Mapping) or record.get("format") != FORMAT:
            raise ParameterError(f"This is no recipe: its 'format' must be '{FORMAT}'.")
        if record.get("version") != VERSION:
            raise ParameterError(
                f"The recipe has version {record.get('version')!r}; this program reads {VERSION}. "
                "Update napari-deeper."
            )
        for key in record:
            if key not in ("format", "version", "name", "steps"):
                raise ParameterError(
                    f"Unknown key '{key}' in the recipe. Known: format, version, name, steps."
                )
        steps, name = record.get("steps"), record.get("name", "own")
        if not isinstance(steps, list):
            raise ParameterError(f"'steps' is {steps!r}; it must be a list.")
        if not isinstance(name, str):
            raise ParameterError(f"'name' is {name!r}; it must be text.")
        return cls(tuple(_step(number, step) for number, step in enumerate(steps, 1)), name)

    def __str__(self) -> str:
        return " > ".join(kind_of(s).name for s in self.steps) or "nothing"


def _step(number: int, record: Any) -> Settings:
    if not isinstance(record, Mapping) or "step" not in record:
        raise ParameterError(
            f"Step {number} is {record!r}; it must be an object with a key 'step'."
        )
    name = record["step"]
    if name not in STEPS:
        raise ParameterError(f"Step {number} is {name!r}; known steps: {', '.join(STEPS)}.")
    kind = STEPS[name]
    given = {key: value for key, value in record.items() if key != "step"}
    made: Settings = settings_of.from_json(kind.settings, given, f"Step {number} ({name})")
    return made


PRESETS: dict[str, Recipe] = {
    "as-deeper": Recipe(
        (Crop(600.0, 1800.0), Baseline("shape", size=500.0), Normalize("cube-maximum")), "As DeepeR"
    ),
    "raw-for-enhance": Recipe(
        (Despike(), Crop(600.0, 1800.0), Baseline("arpls")), "Raw map for Enhance"
    ),
    "for-network": Recipe(
        # A little more than the network's range: nothing is lost at its ends.
        (Despike(), Crop(590.0, 1810.0), Baseline("arpls"), Resample("network")),
        "Raw map, on the axis of the network",
    ),
    "despike": Recipe((Despike(),), "Cosmic rays only"),
    "classical": Recipe(
        (Despike(), Crop(600.0, 1800.0), Baseline("asls"), Normalize("vector")),
        "For classical analysis of spectra",
    ),
}


def read_recipe(path: str | PathLike[str]) -> Recipe:
    """Read a recipe from a JSON file.

    Raises
    ------
    FileError
        If the file cannot be read, or is no JSON.
    ParameterError
        Naming the step, the key and the value that is wrong.
    """
    path = Path(path)
    record = read_record(path)
    try:
        return Recipe.from_json(record)
    except ParameterError as error:
        raise ParameterError(f"{path.name}: {error}") from error


def read_record(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises
    ------
    FileError
        If it cannot be read, or is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path} is no JSON file: {error}.") from error


def write_recipe(recipe: Recipe, path: str | PathLike[str], *, overwrite: bool = False) -> Path:
    """Write a recipe as a JSON file.

    Raises
    ------
    FileError
        If it cannot be written there, or the file exists.
    """
    return write_record(recipe.to_json(), Path(path), overwrite=overwrite)


def write_record(record: Any, path: Path, *, overwrite: bool) -> Path:
    """Write a JSON file, whole or not at all.

    Raises
    ------
    FileError
        If it cannot be written there, or the file exists.
    """
    path = check_file_output(path, overwrite=overwrite)
    with replacing(path, overwrite=overwrite) as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return path
