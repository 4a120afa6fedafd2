"""Sets of patches as JSON files beside the cubes that they lie on.

The file names each cube by its path, relative to the file's own folder where both are on one drive, and by the
sha256 of what it holds, so that a cube that was changed or is gone is known before anything is learned of it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from napari_deeper.io.read import read
from napari_deeper.io.write import check_file_output, replacing, write
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import DeeperError, FileError, PatchError
from napari_deeper.spectra.patches import PatchCube, PatchSet, cube_sha256

FORMAT, VERSION = "napari-deeper patches", 1
SUFFIX = ".json"


def write_patches(
    patches: PatchSet,
    path: str | PathLike[str],
    *,
    cubes: Mapping[str, RamanCube] | None = None,
    overwrite: bool = False,
) -> PatchSet:
    """Write a set of patches, whole or not at all; `read_patches` gives it back.

    Every file that the set names is read and compared first. A cube that has no file, or whose file
    holds something else by now, is written beside as ``<name of the set> cubes/<name>.zarr`` where
    ``cubes`` has it.

    Parameters
    ----------
    patches
        The set; cubes that no patch names are left out of the file.
    path
        .json.
    cubes
        By name, what is in memory. Those without a file of their own are written.
    overwrite
        Replace an existing file.

    Returns
    -------
    PatchSet
        As written: with the absolute path and the sha256 of each cube.

    Raises
    ------
    FileError
        If the file cannot be written, or a cube has no file and is not given.
    PatchError
        If there is no patch.
    """
    target = check_patches_output(path, overwrite=overwrite)
    used = {patch.cube for patch in patches.patches}
    if not used:
        raise PatchError("There is no patch to save. Draw or suggest some first.")
    kept = tuple(cube for cube in patches.cubes if cube.name in used)
    # all must be possible before the first is written
    missing = [c.name for c in kept if not _holds(c) and c.name not in (cubes or {})]
    if missing:
        raise FileError(
            f"{_list(missing)}: no file holds what the patches were drawn on. Save the cube as .zarr first."
        )
    folder = target.with_name(f"{target.stem} cubes")
    filed = tuple(c if _holds(c) else _write_beside(c, (cubes or {})[c.name], folder) for c in kept)
    saved = patches.replace(cubes=tuple(_absolute(cube) for cube in filed))
    with replacing(target, overwrite=overwrite) as temporary:
        temporary.write_text(_to_text(saved, target.parent), encoding="utf-8")
    return saved


def check_patches_output(path: str | PathLike[str], *, overwrite: bool = False) -> Path:
    """Return the path if patches could be written there now.

    Raises
    ------
    FileError
        Saying what stands in the way.
    """
    path = Path(path)
    if path.suffix.lower() != SUFFIX:
        raise FileError(f"{path.name}: patches are written as {SUFFIX}; choose such a name.")
    return check_file_output(path, overwrite=overwrite)


def read_patches(path: str | PathLike[str]) -> PatchSet:
    """Read a set of patches; the cubes are not read: `read_cubes` does, and checks them.

    Returns
    -------
    PatchSet
        With absolute paths. A cube that is not where the file says is looked for beside the file.

    Raises
    ------
    FileError
        If the file is missing, is no JSON, or of another kind.
    PatchError
        If what it says does not fit together.
    """
    path = Path(path)
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise FileError(f"{path} does not exist. Check the name and the folder.") from error
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise FileError(
            f"{path.name} is no JSON file ({error}). Save the patches again."
        ) from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise FileError(f"{path.name} holds no patches; 'format' must be '{FORMAT}'.")
    if record.get("version") != VERSION:
        raise FileError(
            f"{path.name} is of version {record.get('version')}; this napari-deeper reads version "
            f"{VERSION}. Update it, or save the patches again."
        )
    try:
        found = PatchSet.from_json(record)
    except PatchError as error:
        raise PatchError(f"{path.name}: {error}") from error
    folder = path.resolve().parent
    return found.replace(cubes=tuple(_located(cube, folder) for cube in found.cubes))


def read_cubes(patches: PatchSet) -> dict[str, RamanCube]:
    """Read the cubes of a set from their files, by name, each checked to be what the patches lie on.

    Raises
    ------
    FileError
        Naming every cube that is missing, unreadable or changed.
    """
    cubes, problems = {}, []
    for cube in patches.cubes:
        try:
            cubes[cube.name] = read_cube(cube)
        except DeeperError as error:
            problems.append(str(error))
    if problems:
        raise FileError(" ".join(problems))
    return cubes


def read_cube(cube: PatchCube) -> RamanCube:
    """Read one cube of a set, checked as in `read_cubes`.

    Raises
    ------
    FileError
        If it is missing, unreadable or changed.
    """
    if cube.path is None:
        raise FileError(f"The cube '{cube.name}' of the patches has no file.")
    if not cube.path.exists():
        raise FileError(
            f"The cube '{cube.name}' of the patches is missing: {cube.path} does not exist. Put it "
            "back, or beside the file of the patches."
        )
    try:
        found = read(cube.path)
    except DeeperError as error:
        raise FileError(
            f"The cube '{cube.name}' of the patches cannot be read: {error} A cube that needs to be told "
            "its axis is converted once: napari-deeper convert IN OUT --wavenumbers FILE."
        ) from error
    if cube.sha256 and cube_sha256(found) != cube.sha256:
        raise FileError(
            f"The cube '{cube.name}' of the patches has changed: {cube.path} does not hold what it held "
            "when they were saved. Bring the old one back, or draw the patches anew on this one."
        )
    return found


def _holds(cube: PatchCube) -> bool:
    """Tell whether the file of a cube is there and holds it."""
    try:
        read_cube(cube)
    except FileError:
        return False
    return True


def _write_beside(known: PatchCube, cube: RamanCube, folder: Path) -> PatchCube:
    if known.sha256 and cube_sha256(cube) != known.sha256:
        raise FileError(
            f"'{known.name}' was changed since the patches were made: make them again on what it is now."
        )
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise FileError(f"{folder} cannot be made: {error.strerror or error}.") from error
    name = re.sub(r"[^\w\-+. ]", "_", known.name).strip(" .") or "cube"
    path = folder / f"{name}.zarr"
    n = 2
    # a cube that was saved with the patches before is used again; another of its name stays untouched
    while path.exists() and not _holds(PatchCube.of(cube, known.name, path)):
        path, n = folder / f"{name} {n}.zarr", n + 1
    if not path.exists():
        write(cube, path)
    return PatchCube.of(cube, known.name, path)


def _absolute(cube: PatchCube) -> PatchCube:
    return cube if cube.path is None else cube.replace(path=cube.path.resolve())


def _located(cube: PatchCube, folder: Path) -> PatchCube:
    if cube.path is None:
        return cube
    path = Path(os.path.normpath(folder / cube.path))  # an absolute path stays as it is
    beside = folder / cube.path.name
    # the sha256 is checked when the cube is read, so that another of its name is not taken for it
    return cube.replace(path=beside if not path.exists() and beside.exists() else path)


def _to_text(patches: PatchSet, folder: Path) -> str:
    head: dict[str, Any] = {"format": FORMAT, "version": VERSION}
    cubes = tuple(c.replace(path=_relative(c.path, folder.resolve())) for c in patches.cubes)
    return json.dumps(head | patches.replace(cubes=cubes).to_json(), indent=1) + "\n"


def _relative(path: Path | None, folder: Path) -> Path | None:
    if path is None:
        return None
    try:
        return Path(os.path.relpath(path, folder))
    except ValueError:  # on another drive of Windows
        return path


def _list(names: list[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
