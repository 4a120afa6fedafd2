"""What a file says, before it is a cube, and how to find a cube among named arrays."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import CubeError, FileError

Shape = tuple[int, ...]

# In order of preference: the plainest statement of an axis first, names that may mean a place last.
_CM_NAMES = (
    "wavenumber", "wavenumbers", "ramanshift", "ramanshifts", "shift", "shifts", "spectralaxis",
    "xaxis", "wn", "cm1", "axis", "x",
)  # fmt: skip
_NM_NAMES = ("wavelength", "wavelengths", "lambda", "wl", "nm")
_UNKNOWN_MEMORY = 64 * 2**30

# The fields of a cube that say how far its intensities can be trusted; arrays of these names.
TRUST = ("uncertainty", "flagged")


@dataclass(frozen=True)
class Contents:
    """What a file says.

    Parameters
    ----------
    intensity
        (y, x, channel) as found, any type.
    format
        The format in words.
    header
        Those keys of `RamanCube.header` that the file states.
    axis_unit
        Unit of ``header["wavenumber"]``: ``"cm-1"`` or ``"nm"``.
    notes
        What the user should know about how the file was read, one sentence each.
    remark
        Said to the user if the file states no usable axis: what was found in its place.
    trust
        What the file holds of `TRUST`: ``"uncertainty"`` (y, x, channel) and ``"flagged"`` (y, x).
    """

    intensity: NDArray[Any]
    format: str
    header: Mapping[str, Any] = field(default_factory=dict)
    axis_unit: str = "cm-1"
    notes: tuple[str, ...] = ()
    remark: str = ""
    trust: Mapping[str, NDArray[Any]] = field(default_factory=dict)


def trust_arrays(cube: RamanCube) -> dict[str, NDArray[Any]]:
    """Return what a cube has of `TRUST`, by name, to be written beside its intensities."""
    found = {name: getattr(cube, name) for name in TRUST}
    return {name: array for name, array in found.items() if array is not None}


def choose_cube(shapes: Mapping[str, Shape], variable: str | None) -> str:
    """Return the name of the array that is the cube: the one asked for, or the only one of rank 3.

    Raises
    ------
    FileError
        If `variable` is not in the file, or several arrays could be meant.
    CubeError
        If no array has three axes.
    """
    if variable is not None:
        if variable not in shapes:
            raise FileError(f"it has no array '{variable}'. It holds {listed(shapes)}.")
        return variable
    cubes = [name for name, shape in shapes.items() if len(shape) == 3]
    if not cubes:
        raise CubeError(
            f"it has no array of three axes (y, x, channel). It holds {listed(shapes)}."
        )
    if len(cubes) > 1:
        raise FileError(
            f"it has {len(cubes)} arrays of three axes: {', '.join(cubes)}. "
            "Say which with variable=... (--variable on the command line)."
        )
    return cubes[0]


def choose_axis(shapes: Mapping[str, Shape], cube: str) -> tuple[str | None, str, str]:
    """Find the wavenumber axis that belongs to the array `cube`.

    Returns
    -------
    name
        Of the axis array, or None.
    unit
        ``"cm-1"`` or ``"nm"``.
    remark
        Why there is none, where an array has the name of an axis but not its length.
    """
    plain = {name: "".join(filter(str.isalnum, name.lower())) for name in shapes}
    vectors = {name for name, shape in shapes.items() if math.prod(shape) == max(shape, default=0)}
    n_channels = shapes[cube][-1] if shapes[cube] else 0
    remark = ""
    for unit, known in (("cm-1", _CM_NAMES), ("nm", _NM_NAMES)):
        for wanted in known:
            for name in (n for n in shapes if plain[n] == wanted and n in vectors and n != cube):
                size = math.prod(shapes[name])
                if size == n_channels:
                    return name, unit, ""
                remark = remark or _mismatch(name, size, shapes[cube])
    return None, "cm-1", remark


def _mismatch(name: str, size: int, shape: Shape) -> str:
    text = f"Its array '{name}' has {size} values, the last axis of the cube {shape[-1]}."
    if size in shape:
        text += (
            f" {size} is the length of axis {shape.index(size)} of {shape}: "
            "the channels must be moved to the end, for example with numpy.moveaxis."
        )
    return text


def listed(shapes: Mapping[str, Shape]) -> str:
    """Return the names and shapes of arrays in words."""
    if not shapes:
        return "no numeric array"
    return ", ".join(f"{name} {shape}" for name, shape in shapes.items())


def check_memory(shape: Shape, itemsize: int) -> int:
    """Return the bytes that an array needs; raise `FileError` if this machine cannot hold them."""
    if any(n < 0 for n in shape):
        raise FileError(f"it declares an array of shape {shape}, which cannot be; it is damaged.")
    n_bytes = math.prod(shape) * itemsize
    limit = _memory()
    if n_bytes > limit:
        raise FileError(
            f"it declares an array of shape {shape}: {n_bytes / 2**30:.3g} GiB, more than the "
            f"{limit / 2**30:.3g} GiB of memory here. It is damaged, or must be cut into parts."
        )
    return n_bytes


def _memory() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows does not tell
        return _UNKNOWN_MEMORY
