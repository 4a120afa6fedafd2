"""Where patches can lie on a map, and which of them a drawing means.

Lengths are counted in pixels from the outer edge of the first pixel. Corners and sizes are multiples of the scale:
the pixels that a patch keeps when it is sampled coarsely are then those that the whole map would keep.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from napari_deeper.spectra.cube import Pair
from napari_deeper.spectra.errors import PatchError

Corner = tuple[int, int]
# ((y, x), (y, x)) of two opposite corners, in world units.
Box = tuple[Pair, Pair]

# Under this many coarse pixels a side there is no image left to learn from.
LEAST_COARSE = 2
# Two to train on, one to stop by and one to judge by.
_ENOUGH = 4
_ALL_BUT_ALL = 0.999


@dataclass(frozen=True)
class Ground:
    """Where a map lies in the world.

    Parameters
    ----------
    name
        Of the cube.
    shape
        (y, x) in pixels.
    origin
        (y, x) of the center of pixel (0, 0), world units.
    spacing
        (dy, dx) between pixel centers, world units.
    """

    name: str
    shape: tuple[int, int]
    origin: Pair
    spacing: Pair

    def edges(self, point: Pair) -> Pair:
        """Return a place of the world in pixels from the outer edge of the first pixel."""
        y, x = ((p - o) / s + 0.5 for p, o, s in zip(point, self.origin, self.spacing, strict=True))
        return y, x

    def box(self, corner: Corner, size: int) -> Box:
        """Return the outline of a patch in the world."""
        low = tuple(
            o + (c - 0.5) * s for c, o, s in zip(corner, self.origin, self.spacing, strict=True)
        )
        high = tuple(edge + size * s for edge, s in zip(low, self.spacing, strict=True))
        return (low[0], low[1]), (high[0], high[1])

    def shared_area(self, box: Box) -> float:
        """Return how much of a box lies on the map, world units squared; a point counts a little."""
        (y0, x0), (y1, x1) = sorted_box(box)
        (low_y, low_x), (high_y, high_x) = self.box((0, 0), 0)[0], self._end()
        height = min(y1, high_y) - max(y0, low_y)
        width = min(x1, high_x) - max(x0, low_x)
        if height < 0 or width < 0:
            return 0.0
        least = 1e-6 * min(self.spacing)
        return max(height, least) * max(width, least)

    def _end(self) -> Pair:
        y, x = (
            o + (n - 0.5) * s for n, o, s in zip(self.shape, self.origin, self.spacing, strict=True)
        )
        return y, x


@dataclass(frozen=True)
class Snapped:
    """What a drawing means: patches of one size on one map.

    Parameters
    ----------
    ground
        The map.
    corners
        (y, x) of the first pixel of each.
    size
        In pixels.
    """

    ground: Ground
    corners: tuple[Corner, ...]
    size: int


def sorted_box(box: Box) -> Box:
    """Return the box with its lower corner first."""
    (ay, ax), (by, bx) = box
    return (min(ay, by), min(ax, bx)), (max(ay, by), max(ax, bx))


def fitting_size(size: int, scale: int, shape: tuple[int, int] | None = None) -> int:
    """Return the largest multiple of the scale that is at most `size` and fits the map; 0 where none is enough."""
    most = size if shape is None else min(size, *shape)
    fits = most // scale * scale
    return fits if fits >= LEAST_COARSE * scale else 0


def propose_size(shapes: Sequence[tuple[int, int]], scale: int, most: int = 64) -> int:
    """Return the largest patch size of which every map holds at least four; 0 where there is none.

    Parameters
    ----------
    shapes
        (y, x) of each map.
    scale
        Of super-resolution.
    most
        The size that would be best.
    """
    return _largest(
        most, scale, lambda size: min(_room(shape, size) for shape in shapes) >= _ENOUGH
    )


def size_for(n: int, shapes: Sequence[tuple[int, int]], scale: int, most: int) -> int:
    """Return the largest patch size, at most `most`, of which n fit on all maps together; 0 where there is none."""
    return _largest(most, scale, lambda size: sum(_room(shape, size) for shape in shapes) >= n)


def _largest(most: int, scale: int, is_enough: Callable[[int], bool]) -> int:
    sizes = range(fitting_size(most, scale), LEAST_COARSE * scale - 1, -scale)
    return next((size for size in sizes if is_enough(size)), 0)


def _room(shape: tuple[int, int], size: int) -> int:
    """Return how many patches lie side by side on a map."""
    return (shape[0] // size) * (shape[1] // size)


def check_fits(ground: Ground, size: int, scale: int) -> None:
    """Raise `PatchError`, with a size that would do, where no patch of this size fits the map."""
    if fitting_size(size, scale) != size:
        raise PatchError(
            f"A patch of {size} pixels does not fit scale {scale}: the size must be a multiple of {scale}, "
            f"at least {LEAST_COARSE * scale}."
        )
    y, x = ground.shape
    if size <= min(y, x):
        return
    would_do = propose_size([ground.shape], scale, size) or fitting_size(size, scale, ground.shape)
    advice = f"Choose a patch size of {would_do}." if would_do else "It is too small for patches."
    raise PatchError(
        f"'{ground.name}' has {y} x {x} pixels: no patch of {size} x {size} fits. {advice}"
    )


def snap(
    box: Box, grounds: Sequence[Ground], size: int, scale: int, *, prefer: str = ""
) -> Snapped:
    """Turn a rectangle drawn over one or several maps into patches of one of them.

    The map is the one that the rectangle covers most of. The patch has the size of the set, whatever
    was drawn, and lies about the middle of the drawing; a rectangle of one and a half times the size
    and more becomes as many patches side by side as come nearest to it. Patches are moved into the map.

    Parameters
    ----------
    box
        Two opposite corners of the rectangle, world units.
    grounds
        The maps, bottom first.
    size, scale
        Of the patches.
    prefer
        Which map is meant where several lie one above the other; else the topmost.

    Raises
    ------
    PatchError
        Where the rectangle lies outside every map, or the map is too small.
    """
    areas = [ground.shared_area(box) for ground in grounds]
    if not any(areas):
        names = ", ".join(f"'{ground.name}'" for ground in grounds) or "there is none"
        raise PatchError(f"The rectangle lies outside every cube that is ticked ({names}).")
    meant = [g for g, a in zip(grounds, areas, strict=True) if a >= _ALL_BUT_ALL * max(areas)]
    ground = next((g for g in meant if g.name == prefer), meant[-1])
    check_fits(ground, size, scale)
    low, high = sorted_box(box)
    starts = [
        _starts(a, b, n, size, scale)
        for a, b, n in zip(ground.edges(low), ground.edges(high), ground.shape, strict=True)
    ]
    return Snapped(ground, tuple((y, x) for y in starts[0] for x in starts[1]), size)


def tiles(shape: tuple[int, int], size: int, scale: int) -> list[Corner]:
    """Return the corners of the most patches that lie side by side on a map, centered on it."""
    starts = [_starts(0, n, n, size, scale, whole=True) for n in shape]
    return [(y, x) for y in starts[0] for x in starts[1]]


def windows(shape: tuple[int, int], size: int, scale: int, step: int) -> list[Corner]:
    """Return the corners of patches every `step` pixels, the last ones at the edge of the map."""
    rows, columns = (
        sorted({*range(0, n - size + 1, step), (n - size) // scale * scale}) for n in shape
    )
    return [(y, x) for y in rows for x in columns] if min(shape) >= size else []


def _starts(
    low: float, high: float, n: int, size: int, scale: int, *, whole: bool = False
) -> list[int]:
    """Return where patches begin that together come nearest to low..high, inside 0..n."""
    share = (high - low) / size
    n_patches = int(np.clip(math.floor(share if whole else share + 0.5), 1, max(1, n // size)))
    length = n_patches * size
    if length > n:
        return []
    middle = (low + high - length) / 2
    first = round(middle / scale) * scale
    first = int(np.clip(first, 0, (n - length) // scale * scale))
    return [first + i * size for i in range(n_patches)]
