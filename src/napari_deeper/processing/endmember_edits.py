"""Edit endmembers: each function returns others and leaves those given as they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from napari_deeper.processing.resample import covered, resample
from napari_deeper.spectra.axis import Axis, describe
from napari_deeper.spectra.endmembers import PALETTE, Endmembers
from napari_deeper.spectra.errors import AxisError, CubeError, ParameterError


def rename(endmembers: Endmembers, index: int, name: str) -> Endmembers:
    """Give one endmember another name.

    Raises
    ------
    CubeError
        If the name is empty or another endmember has it.
    """
    _check(endmembers, index)
    names = list(endmembers.names)
    names[index] = " ".join(name.split())
    return endmembers.replace(names=tuple(names))


def recolor(endmembers: Endmembers, index: int, color: str) -> Endmembers:
    """Give one endmember another color, as ``#rrggbb``.

    Raises
    ------
    CubeError
        If that is no color.
    """
    _check(endmembers, index)
    colors = list(endmembers.colors)
    colors[index] = color
    return endmembers.replace(colors=tuple(colors))


def merge(endmembers: Endmembers, indices: Sequence[int], weights: ArrayLike) -> Endmembers:
    """Make one endmember of several: their mean, each weighted by how much of it the map holds.

    Parameters
    ----------
    endmembers
        The endmembers.
    indices
        Which; the new one takes the place, the name and the color of the one with the largest weight.
    weights
        (endmember,) of all endmembers: the sum of each one's abundances. All zero: a plain mean.

    Raises
    ------
    ParameterError
        If fewer than two different ones are chosen.
    """
    chosen = sorted(set(indices))
    for index in chosen:
        _check(endmembers, index)
    if len(chosen) < 2:
        raise ParameterError("Choose two endmembers or more to merge.")
    parts = np.clip(np.asarray(weights, dtype=np.float64)[chosen], 0, None)
    if not parts.sum() > 0:
        parts = np.ones(len(chosen))
    spectra = endmembers.spectra.copy()
    keeper = chosen[int(parts.argmax())]
    spectra[keeper] = parts / parts.sum() @ endmembers.spectra[chosen].astype(np.float64)
    merged = endmembers.replace(spectra=spectra)
    return pick(merged, [i for i in range(len(endmembers)) if i == keeper or i not in chosen])


def remove(endmembers: Endmembers, indices: Sequence[int]) -> Endmembers:
    """Leave endmembers out.

    Raises
    ------
    ParameterError
        If none would be left.
    """
    for index in indices:
        _check(endmembers, index)
    left = [i for i in range(len(endmembers)) if i not in set(indices)]
    if not left:
        raise ParameterError("One endmember at least must stay.")
    return pick(endmembers, left)


def pick(endmembers: Endmembers, order: Sequence[int]) -> Endmembers:
    """Return the endmembers of these indices, in this order."""
    for index in order:
        _check(endmembers, index)
    return endmembers.replace(
        spectra=endmembers.spectra[list(order)],
        names=tuple(endmembers.names[i] for i in order),
        colors=tuple(endmembers.colors[i] for i in order),
    )


def add(
    endmembers: Endmembers | None,
    spectrum: ArrayLike,
    wavenumber: Axis,
    name: str,
    color: str | None = None,
) -> Endmembers:
    """Add a spectrum, for example of a pixel or the mean of a region, to the endmembers (or to none).

    Parameters
    ----------
    endmembers
        The endmembers so far.
    spectrum
        (channel,) on the axis ``wavenumber``, cm-1; resampled to that of the endmembers.
    wavenumber
        (channel,), cm-1.
    name
        A number is put behind it where another endmember has it.
    color
        As ``#rrggbb``; the first free one of the palette where not given.

    Raises
    ------
    AxisError
        If the spectrum does not cover the endmembers' axis.
    CubeError
        If it holds NaN.
    """
    values = np.asarray(spectrum, dtype=np.float32)
    if not np.isfinite(values).all():
        raise CubeError(f"The spectrum of '{name}' holds NaN: choose a pixel that was measured.")
    if endmembers is None:
        colors = (color,) if color else ()
        return Endmembers(values[None], wavenumber, (name,), colors, source="picked spectra")
    axis = endmembers.wavenumber
    if not covered(wavenumber, axis).all():
        raise AxisError(
            f"The spectrum of '{name}' covers {describe(wavenumber)}, the endmembers {describe(axis)}: "
            "take it from a cube that covers them all, or begin anew with it."
        )
    moved = resample(values[None], wavenumber, axis)
    free = [c for c in PALETTE if c not in endmembers.colors] or list(PALETTE)
    return endmembers.replace(
        spectra=np.concatenate([endmembers.spectra, moved]),
        names=(*endmembers.names, free_name(name, endmembers.names)),
        colors=(*endmembers.colors, color or free[0]),
    )


def free_name(name: str, taken: Sequence[str]) -> str:
    """Return the name, with a number behind it where it is taken."""
    wanted, n = name, 2
    while wanted in taken:
        wanted, n = f"{name} {n}", n + 1
    return wanted


def _check(endmembers: Endmembers, index: int) -> None:
    if not 0 <= index < len(endmembers):
        raise ParameterError(
            f"There is no endmember {index + 1}; there are {len(endmembers)}: "
            f"{', '.join(endmembers.names)}."
        )
