"""Settings of a verb: one frozen dataclass feeds the form, the command line, the checks and the record.

A field is ``name: Annotated[type, {"label": ..., "tooltip": ..., "min": ..., "max": ..., "choices": ...}] = default``:
plain data that magicgui understands and that `check` enforces.
"""

from __future__ import annotations

import dataclasses
import math
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar, get_type_hints

from napari_deeper.spectra.errors import ParameterError


class Params(Protocol):
    """A dataclass of settings."""

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]


P = TypeVar("P", bound=Params)


def options(params_type: type[Params], name: str) -> dict[str, Any]:
    """Return the Annotated metadata (label, tooltip, min, max, choices) of one field."""
    return dict(_rules(params_type)[name])


@cache
def _rules(params_type: type[Params]) -> dict[str, dict[str, Any]]:
    """Return the metadata of every field; reading the hints of a class takes a good fraction of a millisecond."""
    hints = get_type_hints(params_type, include_extras=True)
    return {
        name: dict(next(iter(getattr(hint, "__metadata__", ())), {}))
        for name, hint in hints.items()
    }


def make(params_type: type[P], params: P | None, settings: dict[str, Any]) -> P:
    """Combine a params object with keyword settings and check the outcome.

    Raises
    ------
    ParameterError
        For an unknown setting, naming the known ones, or a value out of bounds.
    """
    names = [f.name for f in dataclasses.fields(params_type)]
    for name in settings:
        if name not in names:
            raise ParameterError(f"Unknown setting '{name}'. Known: {', '.join(names)}.")
    base = {name: getattr(params, name) for name in names} if params is not None else {}
    made = params_type(**(base | settings))
    check(made)
    return made


def check(params: Params) -> None:
    """Raise `ParameterError` if a value is not among its choices or outside its bounds."""
    for f in dataclasses.fields(params):
        value, rule = getattr(params, f.name), options(type(params), f.name)
        choices = rule.get("choices")
        if choices is not None and value not in choices:
            listed = ", ".join(str(choice) for choice in choices)
            raise ParameterError(f"{f.name} is {value!r}; it must be one of: {listed}.")
        _check_number(f.name, value, rule)


def _check_number(name: str, value: Any, rule: dict[str, Any]) -> None:
    if "min" not in rule and "max" not in rule:
        return
    low, high = rule.get("min", -math.inf), rule.get("max", math.inf)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ParameterError(f"{name} is {value!r}; it must be a number from {low} to {high}.")
    if not low <= value <= high:
        raise ParameterError(f"{name} is {value}; it must be from {low} to {high}.")


def to_json(params: Params) -> dict[str, Any]:
    """Return the settings as JSON types."""
    record = {f.name: getattr(params, f.name) for f in dataclasses.fields(params)}
    return {k: str(v) if isinstance(v, Path) else v for k, v in record.items()}
