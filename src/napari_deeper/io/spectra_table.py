"""Spectra as a table for spreadsheets: CSV to a file, tabs to the clipboard."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Column = tuple[str, NDArray[np.float64], NDArray[np.float32]]


def format_spectra(spectra: Sequence[Column], separator: str = ",") -> str:
    """Return a table with one row per channel and one column per spectrum.

    Parameters
    ----------
    spectra
        ``(name, wavenumber (channel,) in cm-1, intensity (channel,))`` each. Spectra that follow each other on one
        axis share its column; another axis gets a column of its own.
    separator
        Between the cells; text cells are quoted.
    """
    columns: list[list[str]] = []
    axis: NDArray[np.float64] | None = None
    for name, wavenumber, intensity in spectra:
        if axis is None or not np.array_equal(axis, wavenumber):
            axis = wavenumber
            columns.append(["Raman shift (cm-1)", *(f"{w:.4f}" for w in wavenumber)])
        columns.append([name, *(f"{i:.7g}" for i in intensity)])
    head, *rows = zip_longest(*columns, fillvalue="") if columns else [()]
    quoted = ['"' + cell.replace('"', '""') + '"' for cell in head]
    lines = [separator.join(quoted), *(separator.join(row) for row in rows)]
    return "\n".join(lines) + "\n"


def write_spectra(spectra: Sequence[Column], path: str | Path) -> Path:
    """Write `format_spectra` as CSV (UTF-8), by a temporary name and a rename.

    Raises
    ------
    FileError
        If the file cannot be written.
    """
    from napari_deeper.io.write import replacing

    path = Path(path)
    with replacing(path) as temporary:
        temporary.write_text(format_spectra(spectra), encoding="utf-8")
    return path
