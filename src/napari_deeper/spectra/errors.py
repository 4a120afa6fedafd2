"""Errors that a user can act on: what was wrong, where, and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class DeeperError(ValueError):
    """An expected failure whose text is fit to be shown to the user as it is."""


class CubeError(DeeperError):
    """The intensities are not a usable cube."""


class AxisError(DeeperError):
    """The wavenumber axis is missing, unsorted, in another unit, or out of range."""


class ParameterError(DeeperError):
    """A setting is unknown or out of bounds."""


class FileError(DeeperError):
    """A file cannot be read or written."""


class NoTableError(FileError):
    """A text file holds words, and no table."""


@dataclass(frozen=True)
class Choice:
    """One way to read a file that can be read in several.

    Parameters
    ----------
    text
        What it would mean, in words.
    options
        The keywords of `napari_deeper.read` that choose it.
    """

    text: str
    options: Mapping[str, Any]


class AmbiguousFile(FileError):  # noqa: N818 - a question to the user
    """A file can be read in several ways, and nothing in it says which is meant.

    Parameters
    ----------
    question
        What is not known.
    choices
        The possible answers; each can be passed to `napari_deeper.read`.
    """

    def __init__(self, question: str, choices: Sequence[Choice]) -> None:
        self.question = question
        self.choices = tuple(choices)
        super().__init__(f"{question} {_listed(self.choices)}")

    def named(self, name: str) -> AmbiguousFile:
        """Return the same question, about a file of that name."""
        return AmbiguousFile(f"{name}: {self.question}", self.choices)


def _listed(choices: Sequence[Choice]) -> str:
    """Return the answers, each with its keyword and its flag."""
    lines = []
    for number, choice in enumerate(choices, 1):
        keys = ", ".join(f"{name}={value!r}" for name, value in choice.options.items())
        flags = " ".join(_flag(name, value) for name, value in choice.options.items())
        lines.append(f"({number}) {choice.text}: {keys} ({flags})")
    return "; ".join(lines) + "."


def _flag(name: str, value: Any) -> str:
    text = "x".join(str(part) for part in value) if isinstance(value, tuple) else str(value)
    quoted = f'"{text}"' if " " in text else text
    return f"--{name.replace('_', '-')} {quoted}"


class CheckpointError(DeeperError):
    """A weights file does not hold the network that it should."""


class TrainingError(DeeperError):
    """A training run cannot start or go on."""


class PatchError(DeeperError):
    """A patch does not fit its cube, or a set of patches is not a usable one."""


class Cancelled(Exception):  # noqa: N818 - a request of the user's, not an error
    """The user cancelled the run."""


def in_words(error: Exception) -> str:
    """Return what to tell the user of a failure, expected or not, in one line."""
    text = " ".join(str(error).split())
    if isinstance(error, DeeperError):
        return text
    if isinstance(error, MemoryError):
        return "this machine has too little memory for that. Crop the cube, or cut it in parts."
    return (
        f"something unexpected happened ({type(error).__name__}: {text}). This is a fault of "
        "napari-deeper: please report it with what --debug shows."
    )
