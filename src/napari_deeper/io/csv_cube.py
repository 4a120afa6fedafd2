"""Cubes as CSV: one row per pixel, for spreadsheets, R and Python, and back without loss.

The first line is a comment with the JSON of `RamanCube.header` and the shape; the second names the columns:
``y`` and ``x`` (um, or measured pixels), where the cube has flags ``flagged`` (0 or 1), one column for each
wavenumber, and where it has uncertainty one more for each, named ``sd 600.0``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from napari_deeper.io.contents import Contents
from napari_deeper.io.text_table import Table
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import FileError

_MARK = "napari-deeper: "


def is_own(table: Table) -> bool:
    """Tell whether a table was written by `write_csv`."""
    return bool(table.comments) and table.comments[0].startswith(_MARK)


def own_contents(table: Table) -> Contents:
    """Return the cube of such a table.

    Raises
    ------
    FileError
        If rows or columns were moved, added or removed since.
    """
    header = json.loads(table.comments[0].removeprefix(_MARK))
    shape = tuple(int(n) for n in header.pop("shape"))
    has_flags, has_sigma = bool(header.pop("flagged")), bool(header.pop("uncertainty"))
    n_y, n_x, n_channels = shape
    n_columns = 2 + has_flags + n_channels * (1 + has_sigma)
    wanted = (n_y * n_x, n_columns)
    values = table.values
    if table.left_out or min(shape) < 1 or values.shape != wanted:
        raise FileError(
            f"its table is {values.shape}, but its first line says {wanted}: rows or columns were added or "
            "removed. Remove that line to have the table read as it is."
        )
    _check_places(values, header, n_y, n_x)
    start = 2 + has_flags
    blocks = [start + n_channels * i for i in range(1 + has_sigma)]
    with np.errstate(over="ignore"):
        cubes = [values[:, i : i + n_channels].astype(np.float32).reshape(shape) for i in blocks]
    trust: dict[str, Any] = {"uncertainty": cubes[1]} if has_sigma else {}
    if has_flags:
        flagged = values[:, 2].reshape(n_y, n_x)
        trust["flagged"] = flagged.astype(np.uint8) if np.isin(flagged, (0, 1)).all() else flagged
    return Contents(cubes[0], "csv", header, trust=trust)


def _check_places(values: Any, header: dict[str, Any], n_y: int, n_x: int) -> None:
    places = _places(header, n_y, n_x)
    tolerance = 1e-6 * max(1.0, float(np.abs(places).max()))
    if not np.allclose(values[:, :2], places, rtol=0, atol=tolerance):
        raise FileError(
            "the rows of its table were sorted or changed: y and x are not those of its first line. Remove that "
            "line to have the table read as it is."
        )


def _places(header: dict[str, Any], n_y: int, n_x: int) -> Any:
    """Return (pixel, 2): y and x of each pixel."""
    zoom = float(header.get("zoom", 1.0))
    dy, dx = header.get("pixel_size") or (1 / zoom, 1 / zoom)
    y, x = header.get("origin", (0.0, 0.0))
    rows, columns = np.mgrid[0:n_y, 0:n_x]
    return np.stack([rows.ravel() * dy + y, columns.ravel() * dx + x], axis=1)


def write_csv(cube: RamanCube, header: str, path: Path) -> None:
    """Write a cube and the JSON of its header; numbers have the digits that give them back exactly."""
    fields = json.loads(header)
    n_y, n_x, _ = cube.shape
    has_flags, has_sigma = cube.flagged is not None, cube.uncertainty is not None
    first = fields | {"shape": cube.shape, "flagged": has_flags, "uncertainty": has_sigma}
    axis = [repr(w) for w in cube.wavenumber.tolist()]
    names = ["y", "x", *["flagged"] * has_flags, *axis, *[f"sd {w}" for w in axis] * has_sigma]
    places = _places(fields, n_y, n_x).tolist()
    numbers = "%.9g" + ",%.9g" * (cube.shape[2] * (1 + has_sigma) - 1)
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write(f"# {_MARK}{json.dumps(first)}\n{','.join(names)}\n")
        for i, (y, x) in enumerate(places):
            row = cube.spectra[i]
            if cube.uncertainty is not None:
                row = np.concatenate((row, cube.uncertainty.reshape(-1, row.size)[i]))
            flag = f"{int(cube.flagged.flat[i])}," if cube.flagged is not None else ""
            stream.write(f"{y!r},{x!r},{flag}{numbers % tuple(row.tolist())}\n")
