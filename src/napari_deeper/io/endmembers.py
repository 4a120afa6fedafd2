"""Endmembers and reference spectra in files: CSV of this program and of others, .npz."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.io.write import replacing
from napari_deeper.spectra.endmembers import Endmembers
from napari_deeper.spectra.errors import DeeperError, FileError

AXIS = "Raman shift (cm-1)"
_COLORS, _SOURCE = "# colors: ", "# source: "
_SEPARATORS = ("\t", ";", ",")
_MOST_BYTES = 200 * 2**20
Table = tuple[list[str], NDArray[np.float64]]


def write_endmembers(
    endmembers: Endmembers, path: str | PathLike[str], *, overwrite: bool = False
) -> Path:
    """Write endmembers as CSV: two comments (colors, source), a row of names, one row per channel.

    `read_endmembers` gives them back unchanged.

    Raises
    ------
    FileError
        If the file exists, or cannot be written.
    """
    path = Path(path)
    path = path if path.suffix.lower() == ".csv" else path.with_name(path.name + ".csv")
    if not path.parent.is_dir():
        raise FileError(f"The folder {path.parent} does not exist. Make it first.")
    with replacing(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(format_endmembers(endmembers).encode("utf-8"))
    return path


def format_endmembers(endmembers: Endmembers) -> str:
    """Return the text of the CSV of `write_endmembers`."""
    stream = io.StringIO(newline="")
    stream.write(f"{_COLORS}{' '.join(endmembers.colors)}\r\n")
    stream.write(f"{_SOURCE}{json.dumps(endmembers.source)}\r\n")
    writer = csv.writer(stream)
    writer.writerow([AXIS, *endmembers.names])
    for wavenumber, row in zip(endmembers.wavenumber, endmembers.spectra.T, strict=True):
        # the shortest texts from which the same float64 and float32 are read
        writer.writerow([repr(float(wavenumber)), *(str(np.float32(v)) for v in row)])
    return stream.getvalue()


def read_endmembers(path: str | PathLike[str]) -> Endmembers:
    """Read endmembers or reference spectra.

    Parameters
    ----------
    path
        CSV or text with a column of wavenumbers in cm-1 and one or more of intensities, separated by
        commas, semicolons or tabs, with decimal points or commas, and a row of names or none; or .npz
        with ``spectra`` (spectrum, channel), ``wavenumber`` and, where they have some, ``names``.

    Raises
    ------
    FileError
        If the file is missing, is no such table, or holds gaps or text where numbers should be.
    """
    path = Path(path)
    if not path.is_file():
        raise FileError(f"There is no file {path}.")
    if path.stat().st_size > _MOST_BYTES:
        raise FileError(f"{path.name} is larger than any table of endmembers (200 MiB).")
    try:
        return _read_npz(path) if path.suffix.lower() == ".npz" else _read_text(path)
    except DeeperError as error:
        raise FileError(f"{path.name} holds no endmembers to use: {error}") from error
    except (OSError, ValueError, KeyError, EOFError, csv.Error, zipfile.BadZipFile) as error:
        raise FileError(f"{path.name} cannot be read as endmembers: {error}") from error


def _read_npz(path: Path) -> Endmembers:
    with np.load(path, allow_pickle=False) as arrays:
        if not {"spectra", "wavenumber"} <= set(arrays.files):
            raise FileError(
                f"it needs the arrays 'spectra' and 'wavenumber', and has {', '.join(arrays.files)}."
            )
        spectra, axis = np.asarray(arrays["spectra"]), np.asarray(arrays["wavenumber"])
        names = [str(name) for name in arrays["names"]] if "names" in arrays.files else []
    return _rising(spectra, axis, tuple(names), (), path.name)


def _read_text(path: Path) -> Endmembers:
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")  # what instruments of the west write
    comments, body = _split_comments(text)
    names, table = _parse(body)
    told = dict(line.split(": ", 1) for line in comments if ": " in line)
    colors = tuple(told.get(_COLORS[:-2], "").split())
    source = _json(told.get(_SOURCE[:-2], "")) or path.name
    n = table.shape[1] - 1
    return _rising(table[:, 1:].T, table[:, 0], names, colors if len(colors) == n else (), source)


def _split_comments(text: str) -> tuple[list[str], str]:
    lines = text.splitlines(keepends=True)
    n = 0
    while n < len(lines) and (not lines[n].strip() or lines[n].startswith(("#", "%"))):
        n += 1
    return [line.rstrip("\r\n") for line in lines[:n]], "".join(lines[n:])


def _parse(body: str) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    for separator in _SEPARATORS:
        rows = [
            row for row in csv.reader(io.StringIO(body, newline=""), delimiter=separator) if row
        ]
        rows = [row for row in rows if any(cell.strip() for cell in row)]
        if rows and min(len(row) for row in rows[-3:]) >= 2:
            break
    else:
        raise FileError(
            "it needs two columns or more: wavenumbers (cm-1) and intensities, separated by commas, "
            "semicolons or tabs."
        )
    head = _names_of(rows[0])
    if head is not None:
        rows = rows[1:]
    if not rows:
        raise FileError("it has names and no numbers.")
    n_columns = len(rows[0])
    table = np.array([_numbers(row, n_columns, i + 1) for i, row in enumerate(rows)])
    return _check_names(head, n_columns), table


def _names_of(row: list[str]) -> list[str] | None:
    """Return the names where the first row is no row of numbers."""
    try:
        [_number(cell) for cell in row]
    except ValueError:
        return [cell for cell in row]
    return None


def _check_names(head: list[str] | None, n_columns: int) -> tuple[str, ...]:
    if head is None:
        return ()
    if len(head) != n_columns:
        raise FileError(f"its first row has {len(head)} names for {n_columns} columns.")
    if any(name.strip() == head[0].strip() for name in head[1:]):
        raise FileError(
            f"the column '{head[0]}' is there more than once: its spectra are on several axes. Put "
            "those of one axis in a file of their own."
        )
    return tuple(name if name.strip() else f"Component {i + 1}" for i, name in enumerate(head[1:]))


def _numbers(row: list[str], n_columns: int, number: int) -> list[float]:
    if len(row) != n_columns:
        raise FileError(f"row {number} of the numbers has {len(row)} cells, the first {n_columns}.")
    try:
        return [_number(cell) for cell in row]
    except ValueError:
        bad = next(cell for cell in row if not _is_number(cell))
        raise FileError(f"row {number} of the numbers holds '{bad[:40]}', no number.") from None


def _number(cell: str) -> float:
    text = cell.strip()
    return float(text.replace(",", ".") if text.count(",") == 1 and "." not in text else text)


def _is_number(cell: str) -> bool:
    try:
        _number(cell)
    except ValueError:
        return False
    return True


def _rising(
    spectra: NDArray[Any],
    axis: NDArray[Any],
    names: tuple[str, ...],
    colors: tuple[str, ...],
    source: str,
) -> Endmembers:
    """Join what was read, with a falling axis turned round."""
    if axis.ndim == 1 and axis.size > 1 and (np.diff(axis) < 0).all():
        axis, spectra = axis[::-1], spectra[..., ::-1]
    return Endmembers(spectra, axis, names, colors, source)


def _json(text: str) -> str:
    try:
        found = json.loads(text)
    except ValueError:
        return ""
    return found if isinstance(found, str) else ""
