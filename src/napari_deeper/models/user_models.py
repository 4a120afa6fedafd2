"""The user's own models: each one file in a folder of theirs, listed, renamed, shared and removed.

A model is a ``.safetensors`` file that carries its card in its own header, so that one file is all
there is to share. Nothing here loads torch: the header is read alone.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_deeper.spectra.errors import CheckpointError, FileError

SUFFIX = ".safetensors"
# Where to keep models in place of the folder that the system has for such things.
FOLDER_VARIABLE = "NAPARI_DEEPER_MODELS"
CARD_KEY = "card"
_NAME = re.compile(r"[^\W_][\w .()+-]{0,79}")
_MOST_HEADER = 100 * 2**20  # bytes; what safetensors itself allows
_SHIPPED = re.compile(r"(resunet|eigenimage|hyrisr)(_[234]x)?")


@dataclass(frozen=True)
class UserModel:
    """A model of the user's.

    Parameters
    ----------
    name
        What to pass as ``model`` to `napari_deeper.denoise` or `napari_deeper.super_resolve`.
    path
        Its file.
    card
        All that is known about it, as JSON types; see docs/fine-tuning.md.
    """

    name: str
    path: Path
    card: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """``"hyrisr"``, ``"resunet"`` or ``"eigenimage"``."""
        return str(self.card.get("kind", ""))

    @property
    def scale(self) -> int | None:
        """2, 3 or 4 for a network that super-resolves, else None."""
        scale = self.card.get("scale")
        return None if scale is None else int(scale)

    @property
    def recommended(self) -> bool:
        """Whether it was better than the weights it started from, on validation patches."""
        return bool(self.card.get("recommended", True))


def models_folder() -> Path:
    """Return the folder of the user's models; the variable NAPARI_DEEPER_MODELS names another."""
    own = os.environ.get(FOLDER_VARIABLE)
    if own:
        return Path(own).expanduser()
    # Comes with napari; training on a bare machine does without.
    from platformdirs import user_data_path

    return user_data_path("napari-deeper", appauthor=False) / "models"


def list_models(kind: str | None = None, scale: int | None = None) -> list[UserModel]:
    """Return the user's models by name, those of a kind and scale alone where they are given.

    Files that are no models are passed over.
    """
    found = []
    for path in sorted(models_folder().glob(f"*{SUFFIX}"), key=lambda p: p.name.lower()):
        try:
            model = UserModel(path.stem, path, read_card(path))
        except CheckpointError:
            continue
        if kind in (None, model.kind) and scale in (None, model.scale):
            found.append(model)
    return found


def find_model(name: str) -> UserModel:
    """Return the model of a name.

    Raises
    ------
    CheckpointError
        If there is none, naming those that there are.
    """
    path = _place(name)
    if not path.is_file():
        known = ", ".join(model.name for model in list_models()) or "none"
        raise CheckpointError(f"There is no model named '{name}'; there are: {known}.")
    return UserModel(name, path, read_card(path))


def resolve(model: str | Path) -> Path:
    """Return the file that a setting means: a path, or the name of one of the user's models."""
    path = Path(model).expanduser()
    is_name = isinstance(model, str) and path.name == model and _NAME.fullmatch(model)
    if path.suffix in (SUFFIX, ".pt", ".pth") or not is_name:
        return path
    return find_model(str(model)).path


def add_model(file: str | Path, name: str = "", *, overwrite: bool = False) -> UserModel:
    """Copy a shared model into the folder, so that it is listed.

    Parameters
    ----------
    file
        A ``.safetensors`` file with its card inside.
    name
        Empty: the name of the file.

    Raises
    ------
    CheckpointError, FileError
        If it is no such file, or a model of that name is there already.
    """
    file = Path(file).expanduser()
    read_card(file)
    target = _free_place(name or file.stem, overwrite)
    _copy(file, target)
    return UserModel(target.stem, target, read_card(target))


def export_model(name: str, target: str | Path, *, overwrite: bool = False) -> Path:
    """Write a model into one file to share; a folder as target keeps its name."""
    source = find_model(name).path
    target = Path(target).expanduser()
    if target.is_dir():
        target = target / source.name
    if target.suffix != SUFFIX:
        target = target.with_name(target.name + SUFFIX)
    if target.exists() and not overwrite:
        raise FileError(f"{target} exists; choose another name, or overwrite it.")
    _copy(source, target)
    return target


def rename_model(name: str, new: str) -> UserModel:
    """Give a model another name.

    Raises
    ------
    CheckpointError, FileError
        If there is no such model, or the new name is taken or cannot be one.
    """
    model = find_model(name)
    same_but_case = new.lower() == name.lower()
    target = _place(new) if same_but_case else _free_place(new, False)
    try:
        model.path.rename(target)
    except OSError as error:
        raise FileError(f"{model.path} cannot be renamed: {error.strerror or error}.") from error
    return UserModel(new, target, model.card)


def remove_model(name: str) -> None:
    """Remove a model from the folder."""
    path = find_model(name).path
    try:
        path.unlink()
    except OSError as error:
        raise FileError(f"{path} cannot be removed: {error.strerror or error}.") from error


def free_name(name: str) -> str:
    """Return a name that no model has yet: the given one, or with a number."""
    number, tried = 2, name
    while _place(tried).exists():
        tried, number = f"{name} {number}", number + 1
    return tried


def check_name(name: str) -> None:
    """Raise `FileError` if a model cannot have this name."""
    _place(name)


def read_card(path: Path) -> dict[str, Any]:
    """Return the card in the header of a file.

    Raises
    ------
    CheckpointError
        If there is none.
    """
    try:
        with path.open("rb") as stream:
            size = int.from_bytes(stream.read(8), "little")
            if not 0 < size <= _MOST_HEADER:
                raise ValueError("its header is damaged")
            header = json.loads(stream.read(size))
        card = json.loads(header["__metadata__"][CARD_KEY])
        if not isinstance(card, dict):
            raise TypeError("its card is no JSON object")
    except FileNotFoundError as error:
        raise CheckpointError(f"There is no weights file {path}.") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{path.name} is no model of one file: it has no card in it ({error})."
        ) from error
    return card


def _place(name: str) -> Path:
    reserved = _SHIPPED.fullmatch(name)
    if reserved or not _NAME.fullmatch(name) or name.endswith((" ", ".")):
        why = (
            "belongs to the weights that come with napari-deeper" if reserved else "cannot be used"
        )
        raise FileError(
            f"The name '{name}' {why}: a name begins with a letter or digit and holds letters, "
            "digits, spaces and . _ - + ( ), at most 80."
        )
    return models_folder() / f"{name}{SUFFIX}"


def _free_place(name: str, overwrite: bool) -> Path:
    target = _place(name)
    if target.exists() and not overwrite:
        raise FileError(f"There is a model named '{name}' already; choose another name.")
    return target


def _copy(source: Path, target: Path) -> None:
    partial = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, partial)
        partial.replace(target)
    except OSError as error:
        raise FileError(f"{target} cannot be written: {error.strerror or error}.") from error
    finally:
        partial.unlink(missing_ok=True)
