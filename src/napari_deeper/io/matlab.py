"""MATLAB .mat: WITec exports, plain arrays and the published image layout (read), cubes (written).

Version 7.3, which is HDF5, is read by h5py where it is installed. A cube is written as version 5
with ``intensity`` (y, x, channel), ``wavenumber``, ``pixel_size`` and ``header`` (JSON text), and
where the cube has them ``uncertainty`` (y, x, channel) and ``flagged`` (y, x; logical).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.io.arrays import foreign_contents
from napari_deeper.io.contents import TRUST, Contents, Shape, trust_arrays
from napari_deeper.io.hdf5 import import_h5py, load_dataset, number_datasets
from napari_deeper.io.layout import Asked
from napari_deeper.io.matlab5 import Variable, list_variables
from napari_deeper.io.witec import is_witec, witec_contents
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import AmbiguousFile, Choice, FileError

_LARGEST = 2**31 - 1


@dataclass(frozen=True)
class MatArray:
    """An array of numbers in a .mat file, not yet read.

    Parameters
    ----------
    shape
        As MATLAB counts its axes.
    load
        Reads it as float32.
    """

    shape: Shape
    load: Callable[[], NDArray[np.float32]]


def read_mat(path: Path, asked: Asked) -> Contents:
    """Read a .mat file of version 5 to 7.3."""
    return _read_hdf5(path, asked) if _is_hdf5(path) else _read_version_5(path, asked)


def list_arrays(path: Path) -> dict[str, MatArray]:
    """Return the arrays of numbers in a .mat file of version 5 to 7.3, having read none.

    Raises
    ------
    FileError
        If the file is missing, damaged or of another kind, naming it.
    """
    if not path.is_file():
        raise FileError(f"{path} does not exist. Check the name and the folder.")
    try:
        return _hdf5_arrays(path) if _is_hdf5(path) else _version_5_arrays(path)
    except FileError as error:
        raise FileError(f"{path.name}: {error}") from error
    except Exception as error:  # parsers raise anything on damaged input
        raise FileError(f"{path.name} cannot be read ({error}): it is damaged.") from error


def _is_hdf5(path: Path) -> bool:
    with path.open("rb") as stream:
        start = stream.read(128)
    if start.startswith((b"MATLAB 7.3", b"\x89HDF")):
        return True
    if len(start) < 128 or start[126:] not in (b"IM", b"MI"):
        raise FileError(
            "it is no MATLAB file of version 5 to 7.3, or its beginning is damaged. Save it in "
            "MATLAB with the option '-v7'."
        )
    return False


def _version_5_arrays(path: Path) -> dict[str, MatArray]:
    def loader(entry: Variable) -> Callable[[], NDArray[np.float32]]:
        return lambda: np.asarray(entry.load(), dtype=np.float32)

    found = list_variables(path)
    return {k: MatArray(v.shape, loader(v)) for k, v in found.items() if v.kind == "numeric"}


def _hdf5_arrays(path: Path) -> dict[str, MatArray]:
    h5py = _import_h5py()

    def loader(name: str) -> Callable[[], NDArray[np.float32]]:
        def load() -> NDArray[np.float32]:
            with h5py.File(path, "r") as file:
                return load_dataset(file[name]).transpose().astype(np.float32)

        return load

    with h5py.File(path, "r") as file:
        shapes = {name: _matlab_shape(node) for name, node in _variables(file).items()}
    return {name: MatArray(shape, loader(name)) for name, shape in shapes.items()}


def _variables(file: Any) -> dict[str, Any]:
    return {name: node for name, node in number_datasets(file).items() if "/" not in name}


def _matlab_shape(node: Any) -> Shape:
    """Return the shape as MATLAB counts it, from the fastest axis; HDF5 counts from the slowest."""
    return tuple(reversed(node.shape))


def _import_h5py() -> Any:
    return import_h5py("MATLAB 7.3 files need h5py", " (or save in MATLAB with the option '-v7')")


def _read_version_5(path: Path, asked: Asked) -> Contents:
    found, variable = list_variables(path), asked.variable
    if variable is None and _has_header(found):
        header = json.loads(found["header"].load())
        trust = {name: found[name].load() for name in TRUST if name in found}
        return Contents(found["intensity"].load(), "mat", header, trust=trust)
    structs = {
        name: value
        for name, entry in found.items()
        if entry.kind == "struct" and variable in (None, name) and is_witec(value := entry.load())
    }
    if len(structs) > 1:
        raise AmbiguousFile(
            f"it holds {len(structs)} WITec images: {', '.join(structs)}. Say which is meant.",
            [Choice(name, {"variable": name}) for name in structs],
        )
    for struct in structs.values():
        return witec_contents(struct)
    shapes = {name: entry.shape for name, entry in found.items() if entry.kind == "numeric"}
    return foreign_contents(
        shapes, lambda name: found[name].load(), asked, "mat", is_column_major=True
    )


def _has_header(found: Mapping[str, Variable]) -> bool:
    return "intensity" in found and "header" in found and found["header"].kind == "char"


def _read_hdf5(path: Path, asked: Asked) -> Contents:
    h5py = _import_h5py()
    with h5py.File(path, "r") as file:
        found = _variables(file)
        shapes = {name: _matlab_shape(node) for name, node in found.items()}

        def load(name: str) -> NDArray[Any]:
            return load_dataset(found[name]).transpose()

        return foreign_contents(shapes, load, asked, "mat 7.3", is_column_major=True)


def write_mat(cube: RamanCube, header: str, path: Path) -> None:
    """Write a cube and the JSON of its header as MATLAB version 5."""
    from scipy.io import savemat

    if cube.intensity.nbytes > _LARGEST:
        raise FileError("a .mat file holds at most 2 GiB per array. Write a .zarr instead.")
    fields = json.loads(header)
    content = {
        "intensity": cube.intensity,
        "wavenumber": np.array(fields["wavenumber"]),
        "header": header,
        **trust_arrays(cube),
    }
    if fields["pixel_size"] is not None:
        content["pixel_size"] = np.array(fields["pixel_size"])
    with path.open("wb") as stream:
        # SciPy writes to any binary stream; its stubs know paths alone.
        savemat(stream, content, do_compression=True, oned_as="row")  # type: ignore[arg-type]
