"""Prepare every cube of a folder by one recipe; safe to run again."""

from __future__ import annotations

import glob
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from napari_deeper.engine.prepare import as_recipe
from napari_deeper.engine.prepare_files import prepare_file
from napari_deeper.engine.recipe import Recipe
from napari_deeper.io.read import readable_suffixes, stem_of, suffix_of
from napari_deeper.io.write import replacing, writable_suffixes
from napari_deeper.spectra.errors import DeeperError, FileError, NoTableError, ParameterError
from napari_deeper.spectra.progress import Progress

# Beside the results: what each was made from, and how.
MANIFEST = "prepared.json"
_FORMAT = "napari-deeper prepared folder"


@dataclass(frozen=True)
class PreparedFile:
    """What became of one file of a folder.

    Parameters
    ----------
    source, target
        The input and the output.
    outcome
        ``"done"``, ``"skipped"`` (it was there, made by this recipe from this input), ``"no cube"`` (a text
        without a table) or ``"failed"``.
    text
        What was found, or why it failed.
    """

    source: Path
    target: Path
    outcome: str
    text: str


def prepare_folder(
    source: str | PathLike[str],
    target: str | PathLike[str],
    recipe: Recipe | str,
    *,
    suffix: str = ".npz",
    overwrite: bool = False,
    reading: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> tuple[PreparedFile, ...]:
    """Prepare each cube in a folder; one that fails does not stop the others.

    Parameters
    ----------
    source, target
        Folders; the second is made where it is missing.
    recipe
        As `prepare` takes it.
    suffix
        Format of the results, for example ``".npz"`` or ``".zarr"``.
    overwrite
        Replace results that are there but were made by another recipe or from another input.
    reading
        Keywords of `napari_deeper.read` for every file.
    progress
        Gets reports, and may cancel the run between blocks.

    Raises
    ------
    FileError
        If the first folder holds no cube, or the second cannot be made.
    ParameterError
        For an unknown preset or format.
    """
    source, target, recipe = Path(source), Path(target), as_recipe(recipe)
    if suffix not in writable_suffixes():
        raise ParameterError(f"'{suffix}' cannot be written; use {', '.join(writable_suffixes())}.")
    files = cubes_in(source)
    if target.resolve() == source.resolve():
        raise FileError("Name another folder for the results: inputs are never changed.")
    _make(target)
    progress = progress or Progress()
    made = _read_manifest(target)
    outcomes: list[PreparedFile] = []
    taken: set[Path] = set()
    for number, path in enumerate(files):
        part = progress.part(number / len(files), (number + 1) / len(files))
        part.update(0.0, path.name)
        out = target / f"{stem_of(path)}{suffix}"
        try:
            if out in taken:
                raise FileError(f"another file of this folder is written to {out.name} already.")
            taken.add(out)
            outcomes.append(_one(path, out, recipe, made, overwrite, dict(reading or {}), part))
        except NoTableError as error:
            outcomes.append(PreparedFile(path, out, "no cube", str(error)))
        except DeeperError as error:
            outcomes.append(PreparedFile(path, out, "failed", str(error)))
    progress.update(1.0, "Prepared")
    return tuple(outcomes)


def cubes_in(folder: Path) -> list[Path]:
    """Return the files, and .zarr folders, that `read` knows, by name.

    Raises
    ------
    FileError
        If there is none.
    """
    if not folder.is_dir():
        raise FileError(f"The folder {folder} does not exist.")
    known = readable_suffixes()
    names = sorted(p for p in folder.iterdir() if p.name[0] != ".")
    # An ENVI cube is two files: its header stands for both.
    data = {beside for p in names if p.suffix.lower() == ".hdr" for beside in _beside(p)}
    found = [p for p in names if suffix_of(p) in known and p not in data]
    if not found:
        raise FileError(f"{folder} holds no cube. Known formats: {', '.join(known)}.")
    return found


def _one(
    path: Path,
    out: Path,
    recipe: Recipe,
    made: dict[str, Any],
    overwrite: bool,
    reading: dict[str, Any],
    progress: Progress,
) -> PreparedFile:
    record = {
        "input": path.name,
        "sha256": _digest(path),
        "recipe": recipe.to_json(),
        "reading": json.loads(json.dumps(reading, default=_plain)),
    }
    if out.exists() and not overwrite:
        if made.get(out.name) == record:
            return PreparedFile(path, out, "skipped", "made by this recipe from this input before")
        raise FileError(
            f"{out.name} is there, made by another recipe or from another input. Choose another folder, "
            "or replace it with overwrite=True (--force on the command line)."
        )
    # Noted before it is written, so that an interruption leaves no result that nothing is known of. One that
    # is about to be replaced is not the new one yet.
    made[out.name] = {} if out.exists() else record
    _write_manifest(out.parent, made)
    result = prepare_file(
        path, out, recipe, overwrite=overwrite, reading=reading, progress=progress
    )
    made[out.name] = record
    _write_manifest(out.parent, made)
    return PreparedFile(path, out, "done", " ".join(result))


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _beside(header: Path) -> list[Path]:
    """Return the files of the same name beside an ENVI header."""
    return [p for p in sorted(header.parent.glob(f"{glob.escape(header.stem)}.*")) if p != header]


def _digest(path: Path) -> str:
    """Return the sha256 of a file (of both files of an ENVI cube), or of all files of a folder with their names."""
    total = hashlib.sha256()
    try:
        parts = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        parts += _beside(path) if path.suffix.lower() == ".hdr" else []
        for part in parts:
            if path.is_dir():
                total.update(part.relative_to(path).as_posix().encode() + b"\0")
            with part.open("rb") as file:
                while block := file.read(2**20):
                    total.update(block)
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror or error}.") from error
    return total.hexdigest()


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{folder} cannot be made: {error.strerror or error}.") from error


def _read_manifest(folder: Path) -> dict[str, Any]:
    try:
        record = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files = record["files"] if record["format"] == _FORMAT else {}
        return dict(files)
    except (OSError, ValueError, KeyError, TypeError):
        return {}  # then nothing counts as made before, and nothing is replaced


def _write_manifest(folder: Path, made: dict[str, Any]) -> None:
    with replacing(folder / MANIFEST) as temporary:
        record = {"format": _FORMAT, "files": made}
        temporary.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
