"""Workflows: all that is done to one cube from raw to result, and the files they are kept in."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from napari_deeper.engine.denoise_params import DenoiseParams
from napari_deeper.engine.enhance import enhance, is_joint
from napari_deeper.engine.prepare import prepare
from napari_deeper.engine.recipe import FORMAT as RECIPE_FORMAT
from napari_deeper.engine.recipe import PRESETS, Recipe, read_record, write_record
from napari_deeper.engine.super_resolve_params import SuperResolveParams
from napari_deeper.spectra import params as settings_of
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import ParameterError
from napari_deeper.spectra.progress import Progress

FORMAT, VERSION = "napari-deeper workflow", 1
_KEYS = ("format", "version", "name", "prepare", "denoise", "super_resolve")


@dataclass(frozen=True)
class Workflow:
    """What is done to one cube, in this order; None leaves a step out.

    Parameters
    ----------
    prepare
        The recipe that makes a raw cube ready.
    denoise, super_resolve
        Settings of each.
    name
        For people.

    Raises
    ------
    ParameterError
        If nothing is to be done, or a setting is out of bounds.
    """

    prepare: Recipe | None = None
    denoise: DenoiseParams | None = None
    super_resolve: SuperResolveParams | None = None
    name: str = "own"

    def __post_init__(self) -> None:
        steps = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)[:3]}
        if all(step is None for step in steps.values()):
            raise ParameterError(
                "The workflow does nothing: state prepare, denoise or super_resolve."
            )
        for name in ("denoise", "super_resolve"):
            if steps[name] is not None:
                settings_of.check(steps[name])

    @property
    def enhances(self) -> bool:
        """Whether it denoises or super-resolves."""
        return self.denoise is not None or self.super_resolve is not None

    @property
    def models(self) -> tuple[str, ...]:
        """Weights of the user's own that it names."""
        found = (p.model for p in (self.denoise, self.super_resolve) if p is not None and p.model)
        return tuple(dict.fromkeys(found))

    def to_json(self) -> dict[str, Any]:
        """Return the workflow as JSON types."""
        record: dict[str, Any] = {"format": FORMAT, "version": VERSION, "name": self.name}
        if self.prepare is not None:
            record["prepare"] = self.prepare.to_json()
        if self.denoise is not None:
            record["denoise"] = settings_of.to_json(self.denoise)
        if self.super_resolve is not None:
            record["super_resolve"] = settings_of.to_json(self.super_resolve)
        return record

    @classmethod
    def from_json(cls, record: Any) -> Workflow:
        """Read a workflow back from `to_json`, or a recipe, which is a workflow that only prepares.

        Raises
        ------
        ParameterError
            Naming the step, the key and the value that is wrong.
        """
        if isinstance(record, Mapping) and record.get("format") == RECIPE_FORMAT:
            recipe = Recipe.from_json(record)
            return cls(recipe, name=recipe.name)
        _check_record(record)
        return cls(
            _recipe(record["prepare"]) if "prepare" in record else None,
            _settings(DenoiseParams, record, "denoise"),
            _settings(SuperResolveParams, record, "super_resolve"),
            record.get("name", "own"),
        )

    def __str__(self) -> str:
        parts = [str(self.prepare)] if self.prepare is not None and self.prepare.steps else []
        if self.denoise is not None:
            parts.append(f"denoise ({self.denoise.method})")
        if self.super_resolve is not None:
            parts.append(f"super-resolve {self.super_resolve.scale}x ({self.super_resolve.method})")
        return " > ".join(parts) or "nothing"


def _check_record(record: Any) -> None:
    if not isinstance(record, Mapping) or record.get("format") != FORMAT:
        raise ParameterError(
            f"This is no workflow: its 'format' must be '{FORMAT}' (or '{RECIPE_FORMAT}')."
        )
    if record.get("version") != VERSION:
        raise ParameterError(
            f"The workflow has version {record.get('version')!r}; this program reads {VERSION}. "
            "Update napari-deeper."
        )
    for key in record:
        if key not in _KEYS:
            raise ParameterError(f"Unknown key '{key}' in the workflow. Known: {', '.join(_KEYS)}.")
    if not isinstance(record.get("name", "own"), str):
        raise ParameterError(f"'name' is {record['name']!r}; it must be text.")


def _recipe(record: Any) -> Recipe:
    if isinstance(record, str):
        if record not in PRESETS:
            raise ParameterError(
                f"prepare: unknown preset {record!r}. Known: {', '.join(PRESETS)}."
            )
        return PRESETS[record]
    try:
        return Recipe.from_json(record)
    except ParameterError as error:
        raise ParameterError(f"prepare: {error}") from error


def _settings(
    params_type: type[settings_of.P], record: Mapping[str, Any], name: str
) -> settings_of.P | None:
    if name not in record:
        return None
    if not isinstance(record[name], Mapping):
        raise ParameterError(
            f"'{name}' is {record[name]!r}; it must be an object of settings; {{}} for the usual ones."
        )
    return settings_of.from_json(params_type, record[name], name)


def read_workflow(path: str | PathLike[str]) -> Workflow:
    """Read a workflow, or a recipe, from a JSON file.

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
        return Workflow.from_json(record)
    except ParameterError as error:
        raise ParameterError(f"{path.name}: {error}") from error


def write_workflow(
    workflow: Workflow, path: str | PathLike[str], *, overwrite: bool = False
) -> Path:
    """Write a workflow as a JSON file.

    Raises
    ------
    FileError
        If it cannot be written there, or the file exists.
    """
    return write_record(workflow.to_json(), Path(path), overwrite=overwrite)


_RAW = PRESETS["raw-for-enhance"]

# What comes with it: the recipes, and those that go on from there.
WORKFLOWS: dict[str, Workflow] = {
    **{name: Workflow(recipe, name=f"Prepare: {recipe.name}") for name, recipe in PRESETS.items()},
    "denoise": Workflow(None, DenoiseParams(), name="Denoise"),
    "raw-denoised": Workflow(_RAW, DenoiseParams(), name="Prepare raw and denoise"),
    "raw-2x": Workflow(
        _RAW, DenoiseParams(), SuperResolveParams(scale=2), "Prepare raw, denoise, super-resolve 2x"
    ),
}


def as_workflow(workflow: Workflow | Recipe | str | PathLike[str]) -> Workflow:
    """Return a workflow, that of a recipe, one of `WORKFLOWS` by its name, or that of a file."""
    if isinstance(workflow, Workflow):
        return workflow
    if isinstance(workflow, Recipe):
        return Workflow(workflow, name=workflow.name)
    if str(workflow) in WORKFLOWS:
        return WORKFLOWS[str(workflow)]
    path = Path(workflow)
    if not path.suffix and not path.exists():
        raise ParameterError(
            f"There is no workflow '{workflow}'. Known: {', '.join(WORKFLOWS)}; or name a JSON file."
        )
    return read_workflow(path)


def run_workflow(
    cube: RamanCube,
    workflow: Workflow | Recipe | str | PathLike[str],
    progress: Progress | None = None,
) -> RamanCube:
    """Run a workflow on a cube and return the last result.

    Parameters
    ----------
    cube
        It is not changed.
    workflow
        A `Workflow`, a recipe, a name such as ``"raw-2x"`` (`WORKFLOWS`), or a file of either.
    progress
        Gets reports, and may cancel.

    Raises
    ------
    DeeperError
        As `prepare`, `denoise` and `super_resolve`.
    """
    workflow, progress = as_workflow(workflow), progress or Progress()
    first, second = workflow.denoise, workflow.super_resolve
    if first is not None and second is not None and is_joint(first, second):
        first = (
            None  # super-resolution takes the measured cube, so nobody would see the denoised one
        )
    if workflow.prepare is not None:
        part = progress.part(0.0, 0.2) if workflow.enhances else progress
        cube = prepare(cube, workflow.prepare, progress=part)
    if workflow.enhances:
        cube = enhance(cube, first, second, progress=progress.part(0.2, 1.0))[-1]
    return cube
