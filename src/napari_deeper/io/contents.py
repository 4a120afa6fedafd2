"""What a file says, before it is a cube, and what its arrays may take of memory."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import FileError

Shape = tuple[int, ...]

_UNKNOWN_MEMORY = 64 * 2**30
_UNQUESTIONED = 256 * 2**20
_PACKED_AT_MOST = 200

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
        Unit of ``header["wavenumber"]`` where the file states it: ``"cm-1"`` or ``"nm"``; else empty, and
        what looks like nm is taken for nm.
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
    axis_unit: str = ""
    notes: tuple[str, ...] = ()
    remark: str = ""
    trust: Mapping[str, NDArray[Any]] = field(default_factory=dict)


def trust_arrays(cube: RamanCube) -> dict[str, NDArray[Any]]:
    """Return what a cube has of `TRUST`, by name, to be written beside its intensities."""
    found = {name: getattr(cube, name) for name in TRUST}
    return {name: array for name, array in found.items() if array is not None}


def listed(shapes: Mapping[str, Shape]) -> str:
    """Return the names and shapes of arrays in words."""
    if not shapes:
        return "no numeric array"
    return ", ".join(f"{name} {shape}" for name, shape in shapes.items())


def check_memory(shape: Shape, itemsize: int, stored: int | None = None) -> int:
    """Return the bytes that an array needs; raise `FileError` if they cannot be or be held here.

    Parameters
    ----------
    shape, itemsize
        What the file declares.
    stored
        The bytes that the file holds of it. No measurement is packed more than 200 times, so that a
        small file cannot fill the memory.
    """
    if any(n < 0 for n in shape):
        raise FileError(f"it declares an array of shape {shape}, which cannot be; it is damaged.")
    n_bytes = math.prod(shape) * itemsize
    limit = _memory()
    if n_bytes > limit:
        raise FileError(
            f"it declares an array of shape {shape}: {n_bytes / 2**30:.3g} GiB, more than the "
            f"{limit / 2**30:.3g} GiB of memory here. It is damaged, or must be cut into parts."
        )
    if stored is not None and n_bytes > max(_UNQUESTIONED, _PACKED_AT_MOST * stored):
        raise FileError(
            f"it declares an array of shape {shape}, {n_bytes / 2**30:.3g} GiB, out of {stored} stored "
            "bytes, which cannot be a measurement; it is damaged."
        )
    return n_bytes


def _memory() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows does not tell
        return _UNKNOWN_MEMORY
