"""How the numbers of a foreign array are arranged: which axis is y, x and channel.

A layout names the axes from the slowest to the fastest: ``"yxc"`` is an array (y, x, channel), or, with
y and x in one, (pixel, channel) whose x runs fastest. So three letters also say how a table unfolds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.io.contents import Shape
from napari_deeper.spectra.errors import AmbiguousFile, Choice, CubeError, FileError, ParameterError

LAYOUTS = tuple("".join(letters) for letters in permutations("yxc"))
LONG = "long"
_WORDS = {"y": "y", "x": "x", "c": "channel"}
# By their plain names: sizes that programs keep beside a table of pixels.
_SIZE_NAMES = ("imagesize", "mapsize", "imsize", "size", "dims", "dim", "shape", "nynx")
_HEIGHT_NAMES = ("ny", "rows", "nrows", "height", "lines", "nlines")
_WIDTH_NAMES = ("nx", "columns", "cols", "ncols", "width", "samples")


@dataclass(frozen=True)
class Asked:
    """What the caller says of the arrangement.

    Parameters
    ----------
    variable
        The name of the array.
    layout
        One of `LAYOUTS`, or ``"long"`` for a table with one intensity per row.
    image_size
        (rows, columns) of a list of pixels.
    n_channels
        The length of the axis that the caller gives.
    """

    variable: str | None = None
    layout: str | None = None
    image_size: tuple[int, int] | None = None
    n_channels: int | None = None

    def __post_init__(self) -> None:
        if self.layout not in (None, LONG, *LAYOUTS):
            raise ParameterError(
                f"layout is '{self.layout}'; it must be one of {', '.join(LAYOUTS)} or {LONG}."
            )
        size = self.image_size
        if size is not None and (len(size) != 2 or min(size) < 1):
            raise ParameterError(f"image_size is {size}; give rows and columns, such as (17, 16).")


@dataclass(frozen=True)
class Arranged:
    """An array as a cube (y, x, channel), and what the user should know of how."""

    intensity: NDArray[Any]
    notes: tuple[str, ...] = ()


def spectral_layout(name: str, shape: Shape, n_channels: int | None, layout: str | None) -> str:
    """Return the layout of an array of two or three axes, given the length of its spectral axis.

    Raises
    ------
    AmbiguousFile
        If the axis fits several axes of the array.
    """
    if layout == LONG:
        raise ParameterError("layout 'long' is for tables of text with one intensity per row.")
    if layout is not None:
        return layout
    orders = ("yxc", "cyx", "ycx") if len(shape) == 3 else ("yxc", "cyx")
    if n_channels is None:
        return "yxc"
    places = [order for order in orders if _channels(shape, order) == n_channels]
    distinct = {_effect(shape, order): order for order in reversed(places)}
    if len(distinct) > 1:
        ways = [Choice(_words(order, len(shape)), {"layout": order}) for order in places]
        raise AmbiguousFile(
            f"the axis has {n_channels} values, and so has more than one axis of its array "
            f"'{name}' {shape}.",
            ways,
        )
    return places[0] if places else "yxc"


def _channels(shape: Shape, layout: str) -> int:
    if len(shape) == 3:
        return shape[layout.index("c")]
    return shape[0] if layout[0] == "c" else shape[-1]


def _effect(shape: Shape, layout: str) -> tuple[Shape, Shape]:
    """Return what tells two layouts of an array apart: axes of length one change nothing."""
    if len(shape) == 2:
        return shape, (int(layout[0] == "c" and max(shape) > 1),)
    order = [layout.index(letter) for letter in "yxc"]
    return tuple(shape[i] for i in order), tuple(i for i in order if shape[i] > 1)


def _words(layout: str, n_axes: int) -> str:
    if n_axes == 3:
        return "(" + ", ".join(_WORDS[letter] for letter in layout) + ")"
    return "(channel, pixel)" if layout[0] == "c" else "(pixel, channel)"


def arrange(
    array: NDArray[Any], layout: str, image_size: tuple[int, int] | None = None, *, what: str = "it"
) -> Arranged:
    """Return an array of two or three axes as (y, x, channel).

    Parameters
    ----------
    array
        In the order that `layout` says; of two axes, y and x are one, and must be neighbors.
    layout
        One of `LAYOUTS`.
    image_size
        (rows, columns) of the pixels of an array of two axes; None makes them one row.
    what
        Names the array in errors.
    """
    if array.ndim == 3:
        return Arranged(np.transpose(array, [layout.index(letter) for letter in "yxc"]))
    if array.ndim != 2 or layout[1] == "c":
        raise CubeError(
            f"{what} has {array.ndim} axes {array.shape}, which cannot be read as '{layout}'."
        )
    n_pixels = array.shape[0] if layout[2] == "c" else array.shape[1]
    notes: tuple[str, ...] = ()
    if image_size is None:
        image_size = (1, n_pixels)
        if n_pixels > 1:
            notes = (line_note(n_pixels),)
    if math.prod(image_size) != n_pixels:
        raise FileError(
            f"the image size {image_size[0]} x {image_size[1]} asks for {math.prod(image_size)} "
            f"spectra, but there are {n_pixels}."
        )
    lengths = {"y": image_size[0], "x": image_size[1], "c": array.size // max(1, n_pixels)}
    cube = array.reshape([lengths[letter] for letter in layout])
    return Arranged(np.transpose(cube, [layout.index(letter) for letter in "yxc"]), notes)


def line_note(n_pixels: int) -> str:
    """Say that spectra without places became one row."""
    return (
        f"The file states no places for its {n_pixels} spectra; they became one row. Pass "
        "image_size=(rows, columns) to fold them into an image (--image-size ROWSxCOLUMNS)."
    )


def plain_name(name: str) -> str:
    """Return the last part of a name, its letters and digits in lower case."""
    return "".join(filter(str.isalnum, name.rsplit("/", 1)[-1].lower()))


def find_size(values: Mapping[str, NDArray[Any]], n_pixels: int) -> tuple[int, int] | None:
    """Return (rows, columns) where small arrays beside a list of pixels state them.

    Parameters
    ----------
    values
        Arrays of one or two numbers, by name.
    n_pixels
        What the size must amount to.
    """
    plain = {plain_name(name): np.asarray(value).reshape(-1) for name, value in values.items()}
    pairs = [plain[name] for name in _SIZE_NAMES if name in plain and plain[name].size == 2]
    heights = [plain[name] for name in _HEIGHT_NAMES if name in plain and plain[name].size == 1]
    widths = [plain[name] for name in _WIDTH_NAMES if name in plain and plain[name].size == 1]
    if heights and widths:
        pairs.append(np.concatenate((heights[0], widths[0])))
    for rows, columns in pairs:
        if rows == int(rows) and columns == int(columns) and rows * columns == n_pixels:
            return int(rows), int(columns)
    return None
