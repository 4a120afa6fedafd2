"""Where the spectra of a table were measured: columns of x and y, and the grid that they make."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from napari_deeper.io.grid import Gridded, grid_points
from napari_deeper.io.layout import plain_name
from napari_deeper.io.text_table import Cells
from napari_deeper.spectra.errors import FileError

Values = NDArray[np.float64]

_UM_PER_UNIT = {"nm": 1e-3, "mm": 1e3}
_PLACE = re.compile(
    r"(pos(?:ition)?)?([xy])(pos(?:ition)?|coord(?:inate)?)?(um|m|\u00b5m|\u03bcm|nm|mm|)"
)
# Cells for each spectrum of a grid whose steps are uneven.
_CELLS_PER_SPECTRUM = 4


def has_unit(name: str) -> bool:
    """Tell whether the name of a place column states a unit, or is a program's own layout without names."""
    return plain_name(name)[1:] != "" or not name


def are_counts(values: Values) -> bool:
    """Tell whether places are the numbers of pixels: each of 0, 1, 2, ... or of 1, 2, 3, ..."""
    found = np.unique(values)
    return bool(found[0] in (0, 1) and found.size < 1e6 and (np.diff(found) == 1).all())


def place_columns(names: Cells) -> dict[str, tuple[int, float]]:
    """Return the columns of x and y with their factor to um."""
    found: dict[str, tuple[int, float]] = {}
    for i, name in enumerate(names):
        match = _PLACE.fullmatch(plain_name(name))
        if match and match[2] not in found:
            found[match[2]] = i, _UM_PER_UNIT.get(match[4], 1.0)
    return found


def on_grid(x: Values, y: Values, spectra: Values) -> Gridded:
    """Put spectra on the grid of their places, even where its steps are not.

    Parameters
    ----------
    x, y
        (spectrum,), places in um.
    spectra
        (spectrum, channel).

    Returns
    -------
    Gridded
        As `grid_points`; where the steps are uneven, rows and columns stand in their order, without a pixel size.

    Raises
    ------
    FileError
        If the places are on no grid.
    """
    try:
        return grid_points(x, y, spectra)
    except FileError:
        columns, column = np.unique(x, return_inverse=True)
        rows, row = np.unique(y, return_inverse=True)
        cell = row * columns.size + column
        n_cells = rows.size * columns.size
        is_grid = min(rows.size, columns.size) > 1 and n_cells <= _CELLS_PER_SPECTRUM * x.size
        if not is_grid or np.unique(cell).size < x.size:
            raise
    image = np.full((n_cells, spectra.shape[1]), np.nan, dtype=np.float32)
    image[cell] = spectra
    note = (
        f"The {rows.size} rows and {columns.size} columns of its {x.size} places are not evenly spaced: they stand in "
        f"their order, without a pixel size. {n_cells - x.size} pixels were not measured; they are NaN."
    )
    return Gridded(image.reshape(rows.size, columns.size, -1), None, (0.0, 0.0), (note,))
