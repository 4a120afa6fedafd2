"""NumPy's own formats: .npz with a header (read and written), foreign .npz and .npy (read).

A cube in .npz is ``intensity`` (y, x, channel) float32, where the cube has them ``uncertainty`` (the
same) and ``flagged`` (y, x) bool, and ``header``, a 0-d text array with the JSON of
`RamanCube.header`. A foreign .npz needs one array of rank 3 and, beside it, an axis under a
usual name. Nothing is ever unpickled.
"""

from __future__ import annotations

import dataclasses
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.io.arrays import foreign_contents
from napari_deeper.io.contents import TRUST, Contents, Shape, check_memory, trust_arrays
from napari_deeper.io.layout import Asked
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import FileError

# No stream that zlib can make is longer than 1032 times what it was made from.
_DEFLATE_LIMIT = 1100


def read_npz(path: Path, asked: Asked) -> Contents:
    """Read a .npz written by `write_npz`, or a foreign one."""
    with zipfile.ZipFile(path) as archive:
        members = {name.removesuffix(".npy"): name for name in archive.namelist()}

        def load(name: str) -> NDArray[Any]:
            return _load(archive, members[name])

        if asked.variable is None and {"intensity", "header"} <= members.keys():
            header = json.loads(str(load("header")))
            trust = {name: load(name) for name in TRUST if name in members}
            return Contents(load("intensity"), "npz", header, trust=trust)
        shapes = _shapes(archive, members)
        return foreign_contents(shapes, load, asked, "npz of another program")


def read_npy(path: Path, asked: Asked) -> Contents:
    """Read a .npy, which is an array and nothing else."""
    with path.open("rb") as stream:
        n_bytes = path.stat().st_size
        array = _read_array(stream, n_bytes, n_bytes, "array")
    asked = dataclasses.replace(asked, variable="array")  # the one array has no name
    return foreign_contents({"array": array.shape}, lambda _: array, asked, "npy")


def write_npz(cube: RamanCube, header: str, path: Path) -> None:
    """Write a cube and the JSON of its header to a .npz."""
    arrays: dict[str, Any] = {"intensity": cube.intensity, "header": np.array(header)}
    arrays |= trust_arrays(cube)
    with path.open("wb") as stream:
        # As a stream: given a path, NumPy would append a suffix to the temporary name.
        np.savez(stream, **arrays)


def _shapes(archive: zipfile.ZipFile, members: dict[str, str]) -> dict[str, Shape]:
    """Return the shapes of the numeric arrays, read from their headers alone."""
    shapes = {}
    for name, member in members.items():
        with _member(archive, member) as (stream, _, _):
            shape, dtype = _read_header(stream, name)
        if dtype.kind in "biufc":
            shapes[name] = shape
    return shapes


def _load(archive: zipfile.ZipFile, member: str) -> NDArray[Any]:
    with _member(archive, member) as (stream, size, stored):
        return _read_array(stream, size, stored, member.removesuffix(".npy"))


@contextmanager
def _member(archive: zipfile.ZipFile, member: str) -> Iterator[tuple[IO[bytes], int, int]]:
    info = archive.getinfo(member)
    if info.file_size > _DEFLATE_LIMIT * (info.compress_size + 1):
        raise FileError(
            f"'{member}' declares {info.file_size} bytes out of {info.compress_size} stored ones, "
            "which cannot be; the file is damaged."
        )
    with archive.open(info) as stream:
        yield stream, info.file_size, info.compress_size


def _read_array(stream: IO[bytes], size: int, stored: int, name: str) -> NDArray[Any]:
    shape, dtype = _read_header(stream, name)
    held = size - stream.tell()
    declared = check_memory(shape, dtype.itemsize, stored)
    if declared > held:
        raise FileError(
            f"'{name}' declares shape {shape}, {declared} bytes, but {held} are there; the file is "
            "cut short. Copy or export it again."
        )
    stream.seek(0)
    array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
    return array


def _read_header(stream: IO[bytes], name: str) -> tuple[Shape, np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read is None:
        raise FileError(f"'{name}' is a table of named fields, not a plain array of numbers.")
    shape, _, dtype = read(stream)
    if dtype.hasobject:
        raise FileError(
            f"'{name}' is pickled, and loading a pickle could run any program. Save plain number "
            "arrays: numpy.savez(path, intensity=..., wavenumber=...)."
        )
    return shape, dtype
