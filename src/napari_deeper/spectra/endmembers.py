"""Endmembers: the spectra of pure components, with their names and colors."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from napari_deeper.spectra.axis import Axis, check_wavenumber, describe
from napari_deeper.spectra.errors import CubeError

# Paul Tol's bright scheme, and after it his muted one: told apart with every kind of color vision.
PALETTE = (
    "#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377", "#EE7733", "#BBBBBB",
    "#332288", "#DDCC77", "#117733", "#882255", "#44AA99", "#999933", "#CC6677", "#88CCEE",
)  # fmt: skip
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True, eq=False)
class Endmembers:
    """Spectra of components on one axis. Wherever an array is wanted, it stands for its spectra.

    Parameters
    ----------
    spectra
        (endmember, channel), finite, as bright as in the pixels they stand for.
    wavenumber
        (channel,), cm-1, strictly increasing.
    names
        One for each, all different; ``Component 1`` and so on where not given.
    colors
        One for each, as ``#rrggbb``; of a scheme for every kind of color vision where not given.
    source
        Where they come from, in words: the method and the map, or the file.

    Raises
    ------
    CubeError
        If the spectra are not (endmember, channel) and finite, or names or colors do not fit them.
    AxisError
        If the wavenumbers do not fit them.
    """

    spectra: NDArray[np.float32]
    wavenumber: Axis
    names: tuple[str, ...] = ()
    colors: tuple[str, ...] = ()
    source: str = ""

    def __post_init__(self) -> None:
        spectra = np.ascontiguousarray(self.spectra, dtype=np.float32)
        if spectra.ndim != 2 or not spectra.size:
            raise CubeError(f"Endmembers must be (endmember, channel), not {spectra.shape}.")
        if not np.isfinite(spectra).all():
            first = int(np.flatnonzero(~np.isfinite(spectra).all(axis=1))[0])
            raise CubeError(f"Endmember {first + 1} holds NaN or infinity. Leave it out.")
        axis = check_wavenumber(self.wavenumber, spectra.shape[1])
        axis.flags.writeable = False
        n = len(spectra)
        names = tuple(self.names) or tuple(f"Component {i + 1}" for i in range(n))
        colors = tuple(self.colors) or tuple(PALETTE[i % len(PALETTE)] for i in range(n))
        _check_labels(n, names, colors)
        object.__setattr__(self, "spectra", spectra)
        object.__setattr__(self, "wavenumber", axis)
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "colors", colors)

    @property
    def shape(self) -> tuple[int, int]:
        """(endmember, channel)."""
        n, n_channels = self.spectra.shape
        return n, n_channels

    def __len__(self) -> int:
        return len(self.spectra)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.spectra, dtype=dtype, copy=copy)

    def replace(self, **changes: Any) -> Endmembers:
        """Return these with other fields."""
        return dataclasses.replace(self, **changes)

    def __repr__(self) -> str:
        return f"Endmembers: {', '.join(self.names)}; {describe(self.wavenumber)}"


def as_endmembers(values: Endmembers | ArrayLike, wavenumber: Axis) -> Endmembers:
    """Return endmembers as they are, or an array (endmember, channel) as endmembers on the axis given (cm-1)."""
    if isinstance(values, Endmembers):
        return values
    return Endmembers(np.asarray(values), wavenumber)


def _check_labels(n: int, names: tuple[str, ...], colors: tuple[str, ...]) -> None:
    if len(names) != n or len(set(names)) != n or not all(name.strip() for name in names):
        raise CubeError(f"{n} endmembers need {n} different names, not {', '.join(names)}.")
    wrong = [color for color in colors if not _COLOR.fullmatch(color)]
    if len(colors) != n or wrong:
        raise CubeError(
            f"{n} endmembers need {n} colors such as #4477AA, not {', '.join(wrong or colors)}."
        )
