"""Spectra in tables of text: one per row, one per column, or one intensity per row.

Per row, the wavenumbers are the header (LabSpec maps, spreadsheets) or the first row, and columns named x and y
hold the places; per column, the wavenumbers are the first column (WITec "table" exports); columns x, y,
wavenumber and intensity hold one number per row. Comment lines state laser, date and exposure.

Known limits: one table a file; a place without a unit is taken to be in um, or, where the places count
0, 1, 2, ..., to be the number of a pixel.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.io.contents import Contents
from napari_deeper.io.csv_cube import is_own, own_contents
from napari_deeper.io.layout import LONG, Asked, arrange, plain_name
from napari_deeper.io.text_facts import axis_unit_from, header_from, read_facts
from napari_deeper.io.text_long import find_long, long_spectra
from napari_deeper.io.text_places import are_counts, has_unit, on_grid, place_columns
from napari_deeper.io.text_table import Table, read_table
from napari_deeper.spectra.errors import AmbiguousFile, AxisError, Choice, CubeError, FileError

Values = NDArray[np.float64]

_AXIS_WORDS = ("wave", "shift", "raman", "xaxis", "cm1", "1cm", "nm", "lambda", "wn", "frequency")
_NUMBERED = re.compile(r"\((\d{1,6})/(\d{1,6})\)\s*$")  # WITec: name_F(column/row)
_NAMED_NUMBER = re.compile(r"X?([-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)\s*(cm-1|cm\^-1|1/cm|nm)?")
_FEWEST_CHANNELS = 3


@dataclass(frozen=True)
class _Spectra:
    """Spectra with their axis, and their places where the table tells them.

    Parameters
    ----------
    values
        (spectrum, channel).
    axis
        (channel,), or None where the caller must give it.
    x, y
        (spectrum,), in um, or in pixels where `is_counted`.
    """

    values: Values
    axis: Values | None
    x: Values | None = None
    y: Values | None = None
    is_counted: bool = False
    notes: tuple[str, ...] = ()


def read_text(path: Path, asked: Asked) -> Contents:
    """Read a table of spectra, or a cube written by `write_csv`."""
    table = read_table(path)
    if is_own(table):
        return own_contents(table)
    layout = asked.layout or _layout(table, asked)
    facts = read_facts((*table.comments, *_paired(table)))
    unit = _axis_unit(table, layout, axis_unit_from(facts))
    if layout == LONG:
        spectra = _from_long(table)
    elif layout[0] == "c":
        spectra = _from_columns(table)
    else:
        spectra = _from_rows(table)
    header = header_from(facts)
    if layout[0] == "c" and len(table.headers) == 2 and len(table.headers[1]) > 1:
        header["metadata"].setdefault("intensity_unit", table.headers[1][1])
    contents = _placed(spectra, layout, asked, header)
    notes = (*contents.notes, *_table_notes(table, asked))
    return replace(contents, axis_unit=unit, notes=notes)


def _paired(table: Table) -> tuple[str, ...]:
    """Return the lines above a table of two columns, which may be names with their values."""
    is_pair = table.values.shape[1] == 2 and len(table.headers) > 2
    return tuple("\t".join(cells) for cells in table.headers) if is_pair else ()


def _layout(table: Table, asked: Asked) -> str:
    """Return how the table is to be read, or ask.

    Raises
    ------
    AmbiguousFile
        If its first row and its first column could both be the axis.
    """
    if find_long(table) is not None:
        return LONG
    rows, columns = _row_axis(table), _column_axis(table)
    if rows is not None and columns is not None:
        rows, columns = _without_index(rows, columns, table)
    if rows is not None and columns is not None:
        raise AmbiguousFile(
            "both its first row and its first column can be the axis.",
            [
                Choice(f"a spectrum in each row, {_span(rows)}", {"layout": "yxc"}),
                Choice(f"a spectrum in each column, {_span(columns)}", {"layout": "cyx"}),
            ],
        )
    if rows is None and columns is None:
        if asked.n_channels == table.values.shape[0] != table.values.shape[1]:
            return "cyx"
        if asked.n_channels == table.values.shape[1]:
            return "yxc"
        raise AxisError(
            f"neither the first row nor the first column of its table {table.values.shape} can be an axis: "
            "wavenumbers must rise or fall throughout. Pass them as wavenumber= (--wavenumbers FILE)."
        )
    return "yxc" if columns is None else "cyx"


def _span(axis: Values) -> str:
    return f"{axis.size} channels from {axis[0]:g} to {axis[-1]:g}"


def _without_index(
    rows: Values, columns: Values, table: Table
) -> tuple[Values | None, Values | None]:
    """Drop the reading whose axis is named something else, or merely counts the spectra."""
    first_name = plain_name(table.names[0]) if table.names else ""
    if any(word in first_name for word in _AXIS_WORDS):
        return None, columns
    if table.headers and place_columns(table.names):
        return rows, None
    if table.values.shape[1] == 2:
        return None, columns
    is_count = [_counts(rows), _counts(columns)]
    if is_count[0] != is_count[1]:
        return (None, columns) if is_count[0] else (rows, None)
    return rows, columns


def _counts(values: Values) -> bool:
    return bool(values[0] in (0, 1) and (np.diff(values) == 1).all())


def _is_axis(values: Values, fewest: int = _FEWEST_CHANNELS) -> bool:
    if values.size < fewest or not np.isfinite(values).all() or np.abs(values).max() > 1e5:
        return False
    steps = np.diff(values)
    return bool((steps > 0).all() or (steps < 0).all())


def _channel_columns(table: Table) -> NDArray[np.intp]:
    """Return the columns whose name is a number."""
    return np.array([i for i, name in enumerate(table.names) if _NAMED_NUMBER.fullmatch(name)], int)


def _row_axis(table: Table) -> Values | None:
    """Return the axis if the header or the first row can be one."""
    if table.headers:
        axis = _named_axis(table)
    else:
        axis = table.values[0, _n_corner(table) :] if len(table.values) > 1 else np.empty(0)
    return axis if _is_axis(axis) else None


def _named_axis(table: Table) -> Values:
    names = [_NAMED_NUMBER.fullmatch(table.names[i]) for i in _channel_columns(table)]
    return np.array([float(name[1]) for name in names if name])


def _n_corner(table: Table) -> int:
    """Return how many zeros stand before the axis in a first row of numbers: none, or two."""
    row = table.values[0]
    return 2 if row.size > 4 and (row[:2] == 0).all() else 0


def _column_axis(table: Table) -> Values | None:
    axis = table.values[:, 0]
    return axis if table.values.shape[1] > 1 and _is_axis(axis) else None


def _from_rows(table: Table) -> _Spectra:
    """Return one spectrum for each row."""
    if table.headers:
        channels, axis = _channel_columns(table), _named_axis(table)
        if channels.size == 0:
            raise CubeError("the header of its table names no wavenumbers, one for each column.")
        return _with_places(
            table, _Spectra(table.values[:, channels], axis), table.values, channels
        )
    first = _row_axis(table)
    if first is None:
        return _Spectra(table.values, None)
    n = _n_corner(table)
    spectra = _Spectra(table.values[1:, n:], first)
    channels = np.arange(n, table.values.shape[1])
    return _with_places(table, spectra, table.values[1:], channels)


def _with_places(
    table: Table, spectra: _Spectra, values: Values, channels: NDArray[np.intp]
) -> _Spectra:
    found = place_columns(table.names)
    others = [i for i in range(values.shape[1]) if i not in set(channels.tolist())]
    unnamed = [i for i in others if not table.headers or not table.names[i]]
    if not found and len(unnamed) == 2 and unnamed == others == [0, 1]:
        found = {"x": (0, 1.0), "y": (1, 1.0)}  # as LabSpec writes a map
    if not found:
        return spectra
    n = len(values)
    places = {
        letter: values[:, found[letter][0]] * found[letter][1] if letter in found else np.zeros(n)
        for letter in "xy"
    }
    is_measured = any(has_unit(table.names[i]) for i, _ in found.values()) if table.names else False
    is_counted = not is_measured and all(are_counts(places[letter]) for letter in found)
    return replace(spectra, x=places["x"], y=places["y"], is_counted=is_counted)


def _from_columns(table: Table) -> _Spectra:
    """Return one spectrum for each column but the first, which is the axis."""
    axis = _column_axis(table)
    if axis is None and table.values.shape[1] > 1 and _is_axis(table.values[:, 0], 1):
        axis = table.values[:, 0]
    if axis is None:
        return _Spectra(table.values.T, None)
    spectra = _Spectra(table.values[:, 1:].T, axis)
    places = [_NUMBERED.search(name) for name in table.names[1:]]
    if not places or not all(places):
        return spectra
    x, y = np.array([(float(m[1]), float(m[2])) for m in places if m]).T
    return replace(spectra, x=x, y=y, is_counted=True)


def _from_long(table: Table) -> _Spectra:
    columns = find_long(table, is_asked=True)
    if columns is None:
        raise FileError(
            "its table has no columns of a place, a wavenumber and an intensity, so it cannot be read as 'long'."
        )
    values, axis, x, y = long_spectra(table, columns)
    factors = place_columns(table.names)
    scale = {letter: factors[letter][1] if letter in factors else 1.0 for letter in "xy"}
    is_measured = any(has_unit(table.names[i]) for i, _ in factors.values())
    is_counted = not is_measured and are_counts(x) and are_counts(y)
    return _Spectra(values, axis, x * scale["x"], y * scale["y"], is_counted)


def _placed(spectra: _Spectra, layout: str, asked: Asked, header: Mapping[str, Any]) -> Contents:
    """Put the spectra at their places, in the image that the caller states, or in a row."""
    fields = dict(header)
    if spectra.axis is not None:
        fields["wavenumber"] = spectra.axis
    if spectra.x is None or spectra.y is None or asked.image_size is not None:
        order = "xyc" if layout in ("xyc", "cxy") else "yxc"
        made = arrange(spectra.values, order, asked.image_size, what="its table")
        return Contents(made.intensity, "text", fields, notes=made.notes)
    gridded = on_grid(spectra.x, spectra.y, spectra.values)
    notes = gridded.notes
    if not spectra.is_counted:
        fields["pixel_size"], fields["origin"] = gridded.pixel_size, gridded.origin
    elif gridded.intensity.shape[:2] != (1, 1):
        notes = (*notes, "The places are numbers of pixels; the file states no pixel size.")
    return Contents(gridded.intensity, "text", fields, notes=notes)


def _axis_unit(table: Table, layout: str, stated: str) -> str:
    """Return cm-1 or nm, as the header or the comments say, or nothing.

    Raises
    ------
    AxisError
        If the axis is in another unit.
    """
    words = [stated]
    if layout[0] == "c":
        words += [line[0] for line in table.headers if line]
    elif layout == LONG:
        words += list(table.names)
    else:
        words += [name for name in table.names[-1:] if not place_columns(table.names).get(name)]
    text = " ".join(words).lower()
    if re.search(r"\b(ev|mev|ghz|thz)\b", text):
        raise AxisError(f"its axis is in another unit ('{text.strip()}'). Export it in 1/cm or nm.")
    is_cm = re.search(r"cm|raman|shift|wavenumber", text)
    if is_cm:
        return "cm-1" if "cm" in text else ""
    return "nm" if re.search(r"\bnm\b|wavelength|lambda", text) else ""


def _table_notes(table: Table, asked: Asked) -> tuple[str, ...]:
    notes = []
    if asked.layout is not None:
        notes.append(f"The layout {asked.layout} was given by the user.")
    if table.is_comma_decimal:
        notes.append("Commas were read as decimal marks.")
    if table.left_out:
        notes.append(f"Columns that hold no numbers were left out: {', '.join(table.left_out)}.")
    return tuple(notes)
