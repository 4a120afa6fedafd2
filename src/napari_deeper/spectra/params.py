"""Settings of a verb: one frozen dataclass feeds the form, the command line, the checks and the record.

A field is ``name: Annotated[type, {"label": ..., "tooltip": ..., "min": ..., "max": ..., "choices": ...}] = default``:
plain data that magicgui understands and that `check` enforces.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
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


def from_json(params_type: type[P], record: Mapping[str, Any], where: str) -> P:
    """Read settings back from `to_json`; those that are not stated have their defaults.

    Parameters
    ----------
    params_type
        The dataclass.
    record
        Names and values.
    where
        What an error begins with, for example ``"Step 2 (crop)"``.

    Raises
    ------
    ParameterError
        Naming the key and the value that is wrong.
    """
    hints = get_type_hints(params_type)
    known = [f.name for f in dataclasses.fields(params_type)]
    given: dict[str, Any] = {}
    for key, value in record.items():
        if key not in known:
            raise ParameterError(
                f"{where}: unknown key '{key}' ({value!r}). Known: {', '.join(known)}."
            )
        given[key] = _typed(value, hints[key], f"{where}: {key}")
    try:
        return make(params_type, None, given)
    except ParameterError as error:
        raise ParameterError(f"{where}: {error}") from error


def _typed(value: Any, wanted: type, where: str) -> Any:
    """Return a value of the type that a setting has; whole numbers will do for floats."""
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not wanted:
        words = {float: "a number", int: "a whole number", bool: "true or false", str: "text"}
        raise ParameterError(f"{where} is {value!r}; it must be {words[wanted]}.")
    return value
