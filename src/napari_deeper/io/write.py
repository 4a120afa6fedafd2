"""Write a cube to a file, whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from napari_deeper.io.csv_cube import write_csv
from napari_deeper.io.hdf5 import write_hdf5
from napari_deeper.io.matlab import write_mat
from napari_deeper.io.numpy_files import write_npz
from napari_deeper.io.tiff import write_tiff
from napari_deeper.io.zarr_store import is_store, write_zarr
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import CubeError, FileError

Writer = Callable[[RamanCube, str, Path], None]

_WRITERS: dict[str, Writer] = {
    ".csv": write_csv,
    ".h5": write_hdf5,
    ".mat": write_mat,
    ".npz": write_npz,
    ".tif": write_tiff,
    ".zarr": write_zarr,
}
_FOLDERS = (".zarr",)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) if os.name != "nt" else (errno.ENOSPC,)


def writable_suffixes() -> tuple[str, ...]:
    """Return the suffixes that `write` knows: ``(".csv", ".h5", ".mat", ".npz", ".tif", ".zarr")``."""
    return tuple(_WRITERS)


def write(cube: RamanCube, path: str | PathLike[str], *, overwrite: bool = False) -> Path:
    """Write a cube with its axis, place, history, metadata, uncertainty and flags; `read` gives it back unchanged.

    The file is written under a temporary name in the same folder and renamed when it is complete,
    so a write that fails leaves neither half a file nor harm to an existing one.

    Parameters
    ----------
    cube
        The cube.
    path
        .zarr (a folder), .npz, .h5, .mat, .tif or .csv.
    overwrite
        Replace an existing output.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    FileError
        If the format is unknown, the folder missing, read-only or full, or the output exists.
    CubeError
        If `cube` is not a RamanCube, or its metadata cannot be written as JSON.
    """
    header = _header_json(cube)
    path = check_output(path, overwrite=overwrite)
    with replacing(path, overwrite=overwrite) as temporary:
        _WRITERS[path.suffix.lower()](cube, header, temporary)
    return path


@contextmanager
def replacing(path: Path, *, overwrite: bool = True) -> Iterator[Path]:
    """Give a temporary name beside `path`; what is written there takes its place once complete.

    If the block raises, what it wrote is removed and the old file or folder is as it was.

    Raises
    ------
    FileError
        In place of an `OSError`: what stood in the way.
    """
    temporary = path.with_name(f".{secrets.token_hex(6)}.partial{path.suffix}")
    try:
        with writing(path):
            yield temporary
            put_in_place(temporary, path, overwrite=overwrite)
    finally:
        _remove(temporary)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say in place of an `OSError` what stood in the way of writing to `path`.

    Raises
    ------
    FileError
        In its place.
    """
    try:
        yield
    except OSError as error:
        raise FileError(_explain(error, path)) from error


def check_file_output(path: Path, *, overwrite: bool = False) -> Path:
    """Return the path if a single file could be written there now.

    Raises
    ------
    FileError
        Saying what stands in the way.
    """
    if not path.parent.is_dir():
        raise FileError(f"The folder {path.parent} does not exist. Make it first.")
    if path.is_dir():
        raise FileError(f"{path} is a folder; choose another name.")
    if path.exists() and not overwrite:
        raise FileError(_exists(path))
    _check_writable(path)
    return path


def check_output(path: str | PathLike[str], *, overwrite: bool = False) -> Path:
    """Return the path if a cube could be written there now.

    Long work calls this first, so that it does not end in an output that was never possible.

    Raises
    ------
    FileError
        Saying what stands in the way.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in _WRITERS:
        raise FileError(_unknown(path))
    if not path.parent.is_dir():
        raise FileError(f"The folder {path.parent} does not exist. Make it first.")
    if path.is_dir() and not (suffix in _FOLDERS and is_store(path)):
        raise FileError(f"{path} is a folder that is not a cube; choose another name.")
    if path.is_file() and suffix in _FOLDERS:
        raise FileError(f"{path} is a file, but a {suffix} store is a folder; choose another name.")
    if path.exists() and not overwrite:
        raise FileError(_exists(path))
    _check_writable(path)
    return path


def check_folder(
    path: str | PathLike[str], *, overwrite: bool, ours: Callable[[Path], bool]
) -> Path:
    """Return the path if a folder of results could be made there now; an empty one may be there.

    Parameters
    ----------
    path
        The folder.
    overwrite
        Replace a folder that ``ours`` recognizes; any other is never replaced.
    ours
        Tells whether a folder that is there holds nothing but what we write.

    Raises
    ------
    FileError
        Saying what stands in the way.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileError(f"The folder {path.parent} does not exist. Make it first.")
    if path.is_file():
        raise FileError(f"{path} is a file; name a folder.")
    if path.is_dir() and any(path.iterdir()):
        if not ours(path):
            raise FileError(f"{path} holds other files; choose another name.")
        if not overwrite:
            raise FileError(_exists(path))
    _check_writable(path)
    return path


def _check_writable(path: Path) -> None:
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise FileError(_explain(error, path)) from error


def _exists(path: Path) -> str:
    return (
        f"{path} already exists. Choose another name, or replace it with overwrite=True "
        "(--force on the command line)."
    )


def _unknown(path: Path) -> str:
    known = ", ".join(_WRITERS)
    if path.suffix.lower() == ".npy":
        return f"{path.name}: a .npy file cannot hold the wavenumber axis. Write one of: {known}."
    return f"{path.name}: '{path.suffix}' is not a format to write. Write one of: {known}."


def _header_json(cube: RamanCube) -> str:
    if not isinstance(cube, RamanCube):
        raise CubeError(
            f"write needs a RamanCube, not {type(cube).__name__}. "
            "Make one: RamanCube(intensity=..., wavenumber=...)."
        )
    try:
        return json.dumps(cube.header(), default=_plain)
    except (TypeError, ValueError) as error:
        raise CubeError(f"The metadata of the cube cannot be written as JSON: {error}.") from error


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"a value is of type {type(value).__name__}")


def put_in_place(temporary: Path, path: Path, *, overwrite: bool) -> None:
    """Give a complete file or folder its name; an old one goes once the new one is there.

    Raises
    ------
    FileError
        If there is one that is not to be replaced.
    OSError
        If the names cannot be changed.
    """
    if not overwrite and path.exists():  # another program may have made it meanwhile
        raise FileError(_exists(path))
    if not path.is_dir():
        os.replace(temporary, path)  # noqa: PTH105 - the documented atomic operation
        return
    # A folder cannot be replaced in one step: move the old one aside, and back if that fails.
    old = path.with_name(f".{secrets.token_hex(6)}.old{path.suffix}")
    path.rename(old)
    try:
        temporary.rename(path)
    except BaseException:  # an interrupt too must not leave the name empty
        old.rename(path)
        raise
    _remove(old)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _explain(error: OSError, path: Path) -> str:
    if error.errno in _FULL:
        free = shutil.disk_usage(path.parent).free / 2**20
        return (
            f"{path} was not written: the disk is full or a limit was reached ({free:.0f} MiB are "
            "free). Free some space, or write elsewhere."
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{path} was not written: the folder {path.parent} is read-only. Write elsewhere."
    return f"{path} was not written: {error.strerror or error}."
