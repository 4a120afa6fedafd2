"""Tables with one intensity per row: columns of x, y, wavenumber and intensity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_deeper.io.layout import plain_name
from napari_deeper.io.text_table import Table
from napari_deeper.spectra.errors import FileError

Values = NDArray[np.float64]

_WAVES = ("wave", "wavenumber", "wavenumbers", "ramanshift", "shift", "wavelength", "wn", "wavelengthnm",
          "wavenumbercm1", "ramanshiftcm1", "cm1")  # fmt: skip
_INTENSITIES = ("intensity", "int", "counts", "signal", "i", "value", "spc", "intensitycounts")
# Cells of the table of spectra for each row of the file, beyond which the spectra share no axis.
_CELLS_PER_ROW = 16


@dataclass(frozen=True)
class LongColumns:
    """Which column holds what; a place that is not told is None."""

    wave: int
    intensity: int
    x: int | None
    y: int | None


def find_long(table: Table, *, is_asked: bool = False) -> LongColumns | None:
    """Return the columns if the table has one intensity per row.

    Parameters
    ----------
    table
        The table.
    is_asked
        Whether the caller says so; a table of four columns without names is then taken to be x, y, wavenumber,
        intensity, whatever its order.
    """
    plain = [plain_name(name) for name in table.names]
    wave = next((i for i, name in enumerate(plain) if name in _WAVES), None)
    level = next((i for i, name in enumerate(plain) if name in _INTENSITIES), None)
    x, y = (
        next((i for i, name in enumerate(plain) if name[:1] == c and name in _named(c)), None)
        for c in "xy"
    )
    if wave is not None and level is not None and (x is not None or y is not None):
        return LongColumns(wave, level, x, y)
    if table.values.shape[1] == 4 and not table.headers and (is_asked or _is_blocks(table.values)):
        return LongColumns(2, 3, 0, 1)
    return None


def _named(letter: str) -> tuple[str, ...]:
    return (
        letter,
        f"{letter}um",
        f"{letter}µm",
        f"{letter}μm",
        f"{letter}m",
        f"{letter}mm",
        f"{letter}nm",
    )


def _is_blocks(values: Values) -> bool:
    """Tell whether places stay while the third column runs through the same axis again and again."""
    moves = np.flatnonzero((np.diff(values[:, :2], axis=0) != 0).any(axis=1))
    n = int(moves[0]) + 1 if moves.size else 0
    if n < 3 or len(values) % n:
        return False
    blocks = values.reshape(-1, n, 4)
    steps = np.diff(blocks[0, :, 2])
    is_axis = (steps > 0).all() or (steps < 0).all()
    stays = (blocks[:, :, :2] == blocks[:, :1, :2]).all()
    return bool(is_axis and stays and (blocks[:, :, 2] == blocks[0, :, 2]).all())


def long_spectra(table: Table, columns: LongColumns) -> tuple[Values, Values, Values, Values]:
    """Return spectra (spectrum, channel), axis (channel,) rising, and x and y (spectrum,).

    Raises
    ------
    FileError
        If the spectra have different axes, or a place has two intensities at one wavenumber.
    """
    values = table.values
    n_rows = len(values)
    zeros = np.zeros(n_rows)
    x = zeros if columns.x is None else values[:, columns.x]
    y = zeros if columns.y is None else values[:, columns.y]
    axis, channel = np.unique(values[:, columns.wave], return_inverse=True)
    places, spectrum = np.unique(np.stack([y, x], axis=1), axis=0, return_inverse=True)
    n_cells = len(places) * axis.size
    if n_cells > _CELLS_PER_ROW * n_rows:
        raise FileError(
            f"its {len(places)} places and {axis.size} wavenumbers ask for {n_cells} intensities, but there are "
            f"{n_rows}: the spectra do not share one axis. Export them on a common axis."
        )
    cell = spectrum.reshape(-1) * axis.size + channel.reshape(-1)
    if np.unique(cell).size != n_rows:
        raise FileError(
            "a place has several intensities at one wavenumber; is it several maps in one?"
        )
    spectra = np.full(n_cells, np.nan)
    spectra[cell] = values[:, columns.intensity]
    return spectra.reshape(len(places), axis.size), axis, places[:, 1], places[:, 0]
