"""Which cubes lie in a folder, what their files are, and where their results go."""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path

from napari_deeper.io.read import readable_suffixes, stem_of, suffix_of
from napari_deeper.io.write import writable_suffixes
from napari_deeper.io.zarr_store import is_store
from napari_deeper.spectra.errors import FileError, ParameterError


def find_cubes(folder: Path) -> list[Path]:
    """Return the files, and .zarr folders, that `read` knows, by name.

    Raises
    ------
    FileError
        If the folder cannot be looked into.
    """
    if not folder.is_dir():
        raise FileError(f"The folder {folder} does not exist.")
    try:
        names = sorted(p for p in folder.iterdir() if p.name[0] != ".")
    except OSError as error:
        raise FileError(f"{folder} cannot be read: {error.strerror or error}.") from error
    # An ENVI cube is two files: its header stands for both.
    data = {beside for p in names if p.suffix.lower() == ".hdr" for beside in _beside(p)}
    known = readable_suffixes()
    return [p for p in names if suffix_of(p) in known and p not in data]


def files_of(cube: Path) -> list[Path]:
    """Return all files that a cube is made of: both of an ENVI cube, and all of a folder."""
    if cube.is_dir():
        return sorted(p for p in cube.rglob("*") if p.is_file())
    return [cube, *(_beside(cube) if cube.suffix.lower() == ".hdr" else [])]


def digest(cube: Path) -> str:
    """Return the sha256 of the files of a cube; of a folder, with their names.

    Raises
    ------
    FileError
        If one cannot be read.
    """
    total = hashlib.sha256()
    try:
        for part in files_of(cube):
            if cube.is_dir():
                total.update(part.relative_to(cube).as_posix().encode() + b"\0")
            with part.open("rb") as file:
                while block := file.read(2**20):
                    total.update(block)
    except OSError as error:
        raise FileError(f"{cube} cannot be read: {error.strerror or error}.") from error
    return total.hexdigest()


def places(
    sources: Iterable[str | PathLike[str]], out: Path, suffix: str
) -> list[tuple[Path, Path]]:
    """Return each cube with the file that its result is written to.

    Cubes, and those of the only folder, have their results in ``out``; of several folders, each has a folder
    of its name there.

    Raises
    ------
    FileError
        If a folder holds no cube, two have one name, or results would lie among inputs.
    ParameterError
        If the format cannot be written.
    """
    check_format(suffix)
    given = [Path(source) for source in sources]
    folders = [path for path in given if path.is_dir() and not is_store(path)]
    names = [folder.resolve().name for folder in folders]
    found: list[tuple[Path, Path]] = []
    for path in given:
        if path not in folders:
            cubes, place = [path], out
        else:
            cubes = _cubes_of(path)
            place = out if len(folders) == 1 else out / path.resolve().name
            if names.count(path.resolve().name) > 1:
                raise FileError(f"Two folders are named {path.name}; run them one by one.")
        check_apart([cube.parent for cube in cubes], place)
        found += [(cube, place / f"{stem_of(cube)}{suffix}") for cube in cubes]
    if not found:
        raise FileError("Name a folder of cubes, or cubes.")
    return list(dict.fromkeys(found))


def check_format(suffix: str) -> None:
    """Raise `ParameterError` if results cannot be written in a format."""
    if suffix not in writable_suffixes():
        raise ParameterError(f"'{suffix}' cannot be written; use {', '.join(writable_suffixes())}.")


def check_apart(inputs: Sequence[Path], results: Path) -> None:
    """Raise `FileError` if results would lie in a folder of inputs."""
    if results.resolve() in {folder.resolve() for folder in inputs}:
        raise FileError("Name another folder for the results: inputs are never changed.")


def make_folder(folder: Path) -> None:
    """Make a folder for results where it is missing.

    Raises
    ------
    FileError
        If it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{folder} cannot be made: {error.strerror or error}.") from error


def _cubes_of(folder: Path) -> list[Path]:
    found = find_cubes(folder)
    if not found:
        raise FileError(f"{folder} holds no cube. Known formats: {', '.join(readable_suffixes())}.")
    return found


def _beside(header: Path) -> list[Path]:
    """Return the files of the same name beside an ENVI header."""
    return [p for p in sorted(header.parent.glob(f"{glob.escape(header.stem)}.*")) if p != header]
