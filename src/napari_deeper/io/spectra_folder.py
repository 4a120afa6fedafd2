"""A folder of spectra: one text file for each, placed by an index table or by the names of the files.

An index table (``index``, ``positions`` or ``coordinates``, as .csv, .tsv or .txt) has a column of file names
and columns x and y in um. Without one, names such as ``cell_x1.5_y-2.txt``, ``map (3, 4).txt`` or
``r02_c07.txt`` tell the places. Without those, the spectra are one row in the natural order of their names (2
before 10).

Known limits: all spectra share one axis; folders within the folder are not searched.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.io.contents import Contents
from napari_deeper.io.layout import Asked, arrange, plain_name
from napari_deeper.io.text import read_text
from napari_deeper.io.text_places import are_counts, on_grid
from napari_deeper.io.text_stream import TEXT
from napari_deeper.spectra.errors import DeeperError, FileError

Values = NDArray[np.float64]
Places = dict[str, tuple[float, float]]

_INDEX_NAMES = ("index", "positions", "coordinates")
_MOST_FILES = 100_000
_LARGEST_FILE = 16 * 2**20
_FEWEST_FILES = 2
_NUMBER = r"[-+]?\d+(?:\.\d+)?"
_NAMES_UM = re.compile(
    rf"(?<![A-Za-z])x[ _=]?({_NUMBER}).*?(?<![A-Za-z])y[ _=]?({_NUMBER})", re.IGNORECASE
)
_NAMES_PIXEL = (
    re.compile(r"\((\d+)[ ,_/-]+(\d+)\)"),  # (column, row)
    re.compile(
        r"(?<![A-Za-z])c(?:ol)?[ _=]?(\d+).*?(?<![A-Za-z])r(?:ow)?[ _=]?(\d+)", re.IGNORECASE
    ),
)
_ROW_FIRST = re.compile(
    r"(?<![A-Za-z])r(?:ow)?[ _=]?(\d+).*?(?<![A-Za-z])c(?:ol)?[ _=]?(\d+)", re.IGNORECASE
)


def holds_spectra(folder: Path) -> bool:
    """Tell whether a folder holds nothing but files of text, so that it may be a map of spectra."""
    found = [p for p in folder.iterdir() if not p.name.startswith(".")][: _FEWEST_FILES * 50]
    return len(found) >= _FEWEST_FILES and all(
        p.suffix.lower() in TEXT and p.is_file() for p in found
    )


def read_folder(folder: Path, asked: Asked) -> Contents:
    """Read one spectrum from each file of a folder.

    Raises
    ------
    FileError
        If the folder holds no spectra, or they do not share an axis.
    """
    files, index = _files(folder)
    spectra, axis, first = [], None, None
    for path in files:
        contents = _read_one(path, asked)
        values = np.asarray(contents.header.get("wavenumber", ()), dtype=np.float64)
        if axis is None or first is None:
            axis, first = values, contents
        if not np.array_equal(values, axis):
            raise FileError(
                f"'{path.name}' has another axis than '{files[0].name}'. Export all spectra on one axis."
            )
        spectra.append(contents.intensity[0, 0])
    if first is None:
        raise FileError(f"the folder {folder.name} holds no spectra.")
    header = {k: v for k, v in first.header.items() if k not in ("pixel_size", "origin")}
    header["metadata"] = {k: v for k, v in first.header.get("metadata", {}).items() if k != "name"}
    return _placed(files, index, np.stack(spectra), header, first.axis_unit, asked)


def _files(folder: Path) -> tuple[list[Path], Path | None]:
    root = folder.resolve()
    found = [p for p in folder.iterdir() if p.suffix.lower() in TEXT and not p.name.startswith(".")]
    if len(found) > _MOST_FILES:
        raise FileError(
            f"the folder {folder.name} holds {len(found)} files; at most {_MOST_FILES} are read."
        )
    for path in found:
        if not path.is_file() or not path.resolve().is_relative_to(root):
            raise FileError(f"'{path.name}' leads out of the folder, which is not followed.")
        if path.stat().st_size > _LARGEST_FILE:
            raise FileError(f"'{path.name}' is too large for one spectrum. Open it by itself.")
    index = next((p for p in found if p.stem.lower() in _INDEX_NAMES), None)
    files = sorted((p for p in found if p != index), key=lambda p: _natural(p.name))
    if len(files) < _FEWEST_FILES:
        raise FileError(
            f"it is a folder with {len(files)} files of spectra. Give one file, a .zarr folder, or a folder with one "
            "spectrum in each of its text files."
        )
    return files, index


def _natural(name: str) -> list[Any]:
    """Return a key that sorts 2 before 10."""
    return [
        (0, int(p), "") if p.isdecimal() else (1, 0, p.lower())
        for p in re.split(r"(\d+)", name)
        if p
    ]


def _read_one(path: Path, asked: Asked) -> Contents:
    try:
        contents = read_text(path, Asked(layout=asked.layout, n_channels=asked.n_channels))
    except DeeperError as error:
        raise FileError(f"'{path.name}' of the folder: {error}") from error
    n_y, n_x = contents.intensity.shape[:2]
    if n_y * n_x != 1:
        raise FileError(
            f"'{path.name}' of the folder holds {n_y * n_x} spectra, not one. Open it by itself."
        )
    return contents


def _placed(
    files: list[Path],
    index: Path | None,
    spectra: Any,
    header: dict[str, Any],
    unit: str,
    asked: Asked,
) -> Contents:
    places, is_counted, note = _places(files, index)
    if places is None or asked.image_size is not None:
        order = "xyc" if asked.layout in ("xyc", "cxy") else "yxc"
        made = arrange(spectra, order, asked.image_size, what="the folder")
        return Contents(made.intensity, "folder of spectra", header, unit, (note, *made.notes))
    gridded = on_grid(places[:, 0], places[:, 1], spectra)
    if not is_counted:
        header = header | {"pixel_size": gridded.pixel_size, "origin": gridded.origin}
    return Contents(gridded.intensity, "folder of spectra", header, unit, (note, *gridded.notes))


def _places(files: list[Path], index: Path | None) -> tuple[Values | None, bool, str]:
    """Return x and y of each file, whether they count pixels, and from where they are known."""
    if index is not None:
        table = _read_index(index)
        missing = [p.name for p in files if p.name not in table and p.stem not in table]
        if missing:
            raise FileError(
                f"'{index.name}' tells no place of '{missing[0]}' ({len(missing)} such)."
            )
        places = np.array([table.get(p.name) or table[p.stem] for p in files])
        return places, _counted(places), f"The places were read from '{index.name}'."
    found = [_NAMES_UM.search(p.stem) for p in files]
    if all(found):
        places = np.array([(float(m[1]), float(m[2])) for m in found if m])
        return (
            places,
            _counted(places),
            "The places were read from x and y in the names of the files.",
        )
    for pattern, is_row_first in ((_ROW_FIRST, True), *((p, False) for p in _NAMES_PIXEL)):
        found = [pattern.search(p.stem) for p in files]
        if all(found):
            pairs = np.array([(float(m[1]), float(m[2])) for m in found if m])
            pairs = pairs[:, ::-1] if is_row_first else pairs
            return pairs, True, "Columns and rows were read from the names of the files."
    return (
        None,
        True,
        f"The {len(files)} spectra are in the natural order of the names of their files.",
    )


def _counted(places: Values) -> bool:
    return are_counts(places[:, 0]) and are_counts(places[:, 1])


def _read_index(path: Path) -> Places:
    """Return the place of each file by its name."""
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    separator = next((s for s in "\t;," if s in text.partition("\n")[0]), ",")
    rows = list(csv.reader(text.splitlines(), delimiter=separator))
    names = [plain_name(cell) for cell in rows[0]] if rows else []
    x, y = (
        next((i for i, n in enumerate(names) if n in (c, f"{c}um", f"{c}m", f"{c}µm")), None)
        for c in "xy"
    )
    file = next(
        (i for i, n in enumerate(names) if n in ("file", "filename", "name", "spectrum")), None
    )
    if file is None or x is None or y is None:
        raise FileError(f"'{path.name}' needs the columns file, x and y.")
    try:
        return {row[file].strip(): (float(row[x]), float(row[y])) for row in rows[1:] if row}
    except (ValueError, IndexError) as error:
        raise FileError(f"'{path.name}' has a row without a place: {error}.") from error
