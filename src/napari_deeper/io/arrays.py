"""A cube among named arrays of another program: which array, which axis, which arrangement."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.io.contents import Contents, Shape, listed
from napari_deeper.io.layout import (
    Asked,
    arrange,
    find_size,
    plain_name,
    spectral_layout,
)
from napari_deeper.spectra.errors import AmbiguousFile, Choice, CubeError, FileError

# In order of preference: the plainest statement of an axis first.
_CM_NAMES = (
    "wavenumber", "wavenumbers", "ramanshift", "ramanshifts", "shift", "shifts", "spectralaxis",
    "wn", "cm1", "ramanshiftcm1", "wavenumbercm1", "wavenumberscm1",
)  # fmt: skip
# These may mean a place too: they are the axis of the last axis of the array alone.
_WEAK_NAMES = ("xaxis", "axis", "x")
_NM_NAMES = ("wavelength", "wavelengths", "lambda", "wl", "nm")
_FEWEST_UNNAMED = 16

Load = Callable[[str], NDArray[Any]]


@dataclass(frozen=True)
class _Axis:
    """The axis found for an array: the array that holds it, its unit, or why there is none."""

    name: str | None = None
    unit: str = ""
    remark: str = ""
    notes: tuple[str, ...] = field(default=())


def foreign_contents(
    shapes: Mapping[str, Shape],
    load: Load,
    asked: Asked,
    file_format: str,
    *,
    is_column_major: bool = False,
) -> Contents:
    """Return the cube among arrays of another program.

    Parameters
    ----------
    shapes
        Of the arrays of numbers, by name.
    load
        Reads one by its name.
    asked
        What the caller says; it goes before every guess.
    file_format
        In words.
    is_column_major
        Whether the program unfolds images down their columns first, as MATLAB does.

    Raises
    ------
    AmbiguousFile
        If the arrays can be understood in several ways.
    CubeError, FileError
        If there is no cube among them.
    """
    cube = _choose_cube(shapes, asked)
    shape = shapes[cube]
    axis = _choose_axis(shapes, cube, load)
    values = None if axis.name is None else load(axis.name).reshape(-1)
    n_channels = asked.n_channels or (None if values is None else values.size)
    layout = spectral_layout(cube, shape, n_channels, asked.layout)
    size = asked.image_size
    if len(shape) == 2:
        n_pixels = shape[0] if layout[0] != "c" else shape[1]
        size = size or find_size(_small(shapes, load), n_pixels)
        if asked.layout is None and size is not None and min(size) > 1 and is_column_major:
            raise _ask_fold(layout, n_pixels, size)
    made = arrange(load(cube), layout, size, what=f"its array '{cube}'")
    header = {} if values is None else {"wavenumber": values}
    notes = (*axis.notes, *_moved(shape, layout, asked), *made.notes)
    return Contents(made.intensity, file_format, header, axis.unit, notes, axis.remark)


def _choose_cube(shapes: Mapping[str, Shape], asked: Asked) -> str:
    """Return the array asked for, or the only one of three axes, or the only one of two with an axis."""
    if asked.variable is not None:
        if asked.variable not in shapes:
            raise FileError(f"it has no array '{asked.variable}'. It holds {listed(shapes)}.")
        if len(shapes[asked.variable]) not in (2, 3):
            raise CubeError(
                f"its array '{asked.variable}' has not three axes (y, x, channel). "
                f"It holds {listed(shapes)}."
            )
        return asked.variable
    cubes = [name for name, shape in shapes.items() if len(shape) == 3]
    cubes = cubes or [name for name in shapes if _is_list_of_spectra(shapes, name, asked)]
    if not cubes:
        raise CubeError(
            f"it has no array of three axes (y, x, channel), and none of spectra with their axis. "
            f"It holds {listed(shapes)}."
        )
    if len(cubes) > 1:
        n_axes = {2: "two", 3: "three"}[len(shapes[cubes[0]])]
        raise AmbiguousFile(
            f"it has {len(cubes)} arrays of {n_axes} axes: {', '.join(cubes)}. Say which is meant.",
            [Choice(f"{name} {shapes[name]}", {"variable": name}) for name in cubes],
        )
    return cubes[0]


def _is_list_of_spectra(shapes: Mapping[str, Shape], name: str, asked: Asked) -> bool:
    shape = shapes[name]
    if len(shape) != 2 or min(shape) < 2:
        return False
    if asked.n_channels in shape or (asked.n_channels is None and asked.image_size is not None):
        return True
    return any(math.prod(shapes[n]) in shape for n, _ in _named_axes(shapes, name, is_weak=False))


def _named_axes(
    shapes: Mapping[str, Shape], cube: str, *, is_weak: bool
) -> Iterator[tuple[str, str]]:
    """Yield the vectors that have the name of an axis, the plainest first, each with its unit."""
    # a name like "wavenumber" is no statement of the unit: wavelengths are stored under it too
    known = (("", _WEAK_NAMES),) if is_weak else (("", _CM_NAMES), ("nm", _NM_NAMES))
    for unit, names in known:
        for wanted in names:
            for name, shape in shapes.items():
                is_vector = math.prod(shape) == max(shape, default=0)
                if plain_name(name) == wanted and is_vector and name != cube:
                    yield name, unit


def _choose_axis(shapes: Mapping[str, Shape], cube: str, load: Load) -> _Axis:
    shape = shapes[cube]
    remark = ""
    for is_weak in (False, True):
        for name, unit in _named_axes(shapes, cube, is_weak=is_weak):
            size = math.prod(shapes[name])
            if size in (shape[-1:] if is_weak else shape):
                return _Axis(name, unit)
            remark = remark or (
                f"Its array '{name}' has {size} values, which is the length of no axis of the cube "
                f"{shape}."
            )
    return _unnamed_axis(shapes, cube, load) or _Axis(remark=remark)


def _unnamed_axis(shapes: Mapping[str, Shape], cube: str, load: Load) -> _Axis | None:
    """Return the only vector that can be an axis: as long as the longest axis of the cube, and sorted."""
    longest = max(shapes[cube])
    fitting = [
        name
        for name, shape in shapes.items()
        if name != cube and math.prod(shape) == max(shape, default=0) == longest
    ]
    if len(fitting) != 1 or longest < _FEWEST_UNNAMED:
        return None
    values = load(fitting[0]).reshape(-1)
    if values.dtype.kind not in "biuf":
        return None
    steps = np.diff(values.astype(np.float64))
    is_sorted = (steps > 0).all() or (steps < 0).all()
    if not is_sorted or not -5000 < values.min() < values.max() < 20000:
        return None
    note = f"The axis was taken from the array '{fitting[0]}', the only one that can be it."
    return _Axis(fitting[0], notes=(note,))


def _small(shapes: Mapping[str, Shape], load: Load) -> dict[str, NDArray[Any]]:
    return {name: load(name) for name, shape in shapes.items() if 1 <= math.prod(shape) <= 2}


def _ask_fold(layout: str, n_pixels: int, size: tuple[int, int]) -> AmbiguousFile:
    ways = ("yxc", "xyc") if layout[2] == "c" else ("cyx", "cxy")
    words = ("along x first, row by row", "along y first, as MATLAB unfolds an image")
    return AmbiguousFile(
        f"its {n_pixels} spectra fold into {size[0]} x {size[1]} pixels, but it does not say in which "
        "order.",
        [
            Choice(w, {"layout": way, "image_size": size})
            for w, way in zip(words, ways, strict=True)
        ],
    )


def _moved(shape: Shape, layout: str, asked: Asked) -> tuple[str, ...]:
    if asked.layout is not None:
        return (f"The layout {asked.layout} was given by the user.",)
    if layout[2] == "c":
        return ()
    place = shape.index(shape[layout.index("c")]) if len(shape) == 3 else 0
    return (f"The channels are axis {place} of the array, as the length of the axis tells.",)
