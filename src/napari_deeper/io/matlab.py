"""MATLAB .mat: WITec exports, plain arrays and the published image layout (read), cubes (written).

Version 7.3, which is HDF5, is read by h5py where it is installed. A cube is written as version 5
with ``intensity`` (y, x, channel), ``wavenumber``, ``pixel_size`` and ``header`` (JSON text), and
where the cube has them ``uncertainty`` (y, x, channel) and ``flagged`` (y, x; logical).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.io.contents import (
    TRUST,
    Contents,
    Shape,
    check_memory,
    choose_axis,
    choose_cube,
    trust_arrays,
)
from napari_deeper.io.matlab5 import Variable, list_variables
from napari_deeper.io.witec import is_witec, witec_contents
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import FileError

_LARGEST = 2**31 - 1


def read_mat(path: Path, variable: str | None) -> Contents:
    """Read a .mat file of version 5 to 7.3."""
    with path.open("rb") as stream:
        start = stream.read(128)
    if start.startswith((b"MATLAB 7.3", b"\x89HDF")):
        return _read_hdf5(path, variable)
    if len(start) < 128 or start[126:] not in (b"IM", b"MI"):
        raise FileError(
            "it is no MATLAB file of version 5 to 7.3, or its beginning is damaged. Save it in "
            "MATLAB with the option '-v7'."
        )
    return _read_version_5(path, variable)


def _read_version_5(path: Path, variable: str | None) -> Contents:
    found = list_variables(path)
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
        raise FileError(
            f"it holds {len(structs)} WITec images: {', '.join(structs)}. "
            "Say which with variable=... (--variable on the command line)."
        )
    for struct in structs.values():
        return witec_contents(struct)
    shapes = {name: entry.shape for name, entry in found.items() if entry.kind == "numeric"}
    return _plain_contents(shapes, lambda name: found[name].load(), variable, "mat")


def _has_header(found: Mapping[str, Variable]) -> bool:
    return "intensity" in found and "header" in found and found["header"].kind == "char"


def _plain_contents(
    shapes: Mapping[str, Shape],
    load: Callable[[str], NDArray[Any]],
    variable: str | None,
    file_format: str,
) -> Contents:
    cube = choose_cube(shapes, variable)
    check_memory(shapes[cube], 1)
    axis, unit, remark = choose_axis(shapes, cube)
    header = {} if axis is None else {"wavenumber": load(axis).reshape(-1)}
    return Contents(load(cube), file_format, header, unit, remark=remark)


def _read_hdf5(path: Path, variable: str | None) -> Contents:
    try:
        import h5py
    except ImportError as error:
        raise FileError(
            "MATLAB 7.3 files need h5py. Install it: pip install 'napari-deeper[formats]' "
            "(or save in MATLAB with the option '-v7')."
        ) from error

    with h5py.File(path, "r") as file:
        arrays = {
            name: node
            for name, node in file.items()
            if isinstance(node, h5py.Dataset) and node.dtype.kind in "biufc"
        }
        # MATLAB counts axes from the fastest, HDF5 from the slowest.
        shapes = {name: tuple(reversed(node.shape)) for name, node in arrays.items()}

        def load(name: str) -> NDArray[Any]:
            check_memory(shapes[name], arrays[name].dtype.itemsize)
            values: NDArray[Any] = arrays[name][...].transpose()
            return values

        return _plain_contents(shapes, load, variable, "mat 7.3")


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
