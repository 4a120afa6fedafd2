"""What shapes drawn over cube layers mean: patches on the pixels of the cubes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_deeper.plugin.layers import wavenumbers
from napari_deeper.processing.patch_grid import Box, Ground, fitting_size, snap, sorted_box
from napari_deeper.spectra.errors import PatchError
from napari_deeper.spectra.patches import Patch, PatchCube

if TYPE_CHECKING:
    from napari.layers import Image


@dataclass(frozen=True)
class Drawn:
    """A shape of the layer.

    Parameters
    ----------
    box
        Its outline, world units.
    known
        The patch that its features speak of, or None for one that was drawn just now.
    """

    box: Box
    known: Patch | None


def ground_of_layer(layer: Image) -> Ground:
    """Return where the pixels of a cube layer lie on the canvas."""
    (ty, tx), (sy, sx) = layer.translate[-2:], layer.scale[-2:]
    n_y, n_x = layer.data.shape[-2:]
    return Ground(layer.name, (int(n_y), int(n_x)), (float(ty), float(tx)), (float(sy), float(sx)))


def on_scale(patch: Patch, scale: int) -> Patch | None:
    """Return a patch moved and cut to the grid of a scale, or None where nothing of it is left."""
    size = fitting_size(patch.size, scale)
    if not size:
        return None
    return patch.replace(y=patch.y // scale * scale, x=patch.x // scale * scale, size=size)


def quick_cube(layer: Image) -> PatchCube:
    """Describe a cube layer for a set, without the sha256 that takes a while."""
    n_channels, n_y, n_x = layer.data.shape
    axis = wavenumbers(layer)
    ends = (float(axis[0]), float(axis[-1]))
    return PatchCube(layer.name, (int(n_y), int(n_x), int(n_channels)), ends)


@dataclass(frozen=True)
class Brush:
    """What a new drawing becomes.

    Parameters
    ----------
    size, scale
        Of the patches, pixels.
    role
        Theirs.
    tissues
        What each cube shows, by name.
    prefer
        The cube meant where several lie one above the other.
    """

    size: int
    scale: int
    role: str
    tissues: Mapping[str, str]
    prefer: str = ""


def settle(
    drawn: Sequence[Drawn], grounds: Mapping[str, Ground], open_to_new: Sequence[str], brush: Brush
) -> tuple[list[Patch], list[str]]:
    """Return the patches that the shapes mean, and what to tell the user of them.

    Parameters
    ----------
    drawn
        The shapes.
    grounds
        Every cube, by name.
    open_to_new
        Names of the cubes on which new patches are drawn, bottom first.
    brush
        What a new drawing becomes.
    """
    patches: list[Patch] = []
    told: list[str] = []
    for one in drawn:
        for patch in _meant(one, grounds, open_to_new, brush, told):
            place = (patch.cube, patch.y, patch.x, patch.size)
            if place in {(p.cube, p.y, p.x, p.size) for p in patches}:
                told.append(f"There is a patch at y={patch.y}, x={patch.x} already.")
                continue
            patches.append(patch)
    return patches, list(dict.fromkeys(told))


def _meant(
    one: Drawn,
    grounds: Mapping[str, Ground],
    open_to_new: Sequence[str],
    brush: Brush,
    told: list[str],
) -> list[Patch]:
    known = one.known
    home = grounds.get(known.cube) if known is not None else None
    if known is not None and home is not None:
        if _same(one.box, home.box((known.y, known.x), known.size)):
            return [known]
        if _sides(one.box, home) == (known.size, known.size):  # moved, not resized
            return [_moved(one.box, known, grounds, brush, told)]
    chosen = [grounds[name] for name in open_to_new if name in grounds]
    try:
        found = snap(one.box, chosen, brush.size, brush.scale, prefer=brush.prefer)
    except PatchError as error:
        told.append(str(error))
        return [] if known is None or home is None else [known]
    name = found.ground.name
    role = brush.role if known is None else known.role
    tissue = brush.tissues.get(name, "") if known is None else known.tissue
    return [Patch(name, y, x, found.size, role, tissue) for y, x in found.corners]


def _moved(
    box: Box, known: Patch, grounds: Mapping[str, Ground], brush: Brush, told: list[str]
) -> Patch:
    try:
        found = snap(box, list(grounds.values()), known.size, brush.scale, prefer=known.cube)
    except PatchError:
        told.append("A patch was moved off the cubes; it is back where it was.")
        return known
    y, x = found.corners[0]
    return known.replace(cube=found.ground.name, y=y, x=x)


def _same(one: Box, other: Box) -> bool:
    return bool(np.allclose(one, other, rtol=1e-5, atol=1e-6 + 1e-4 * abs(one[1][0] - one[0][0])))


def _sides(box: Box, ground: Ground) -> tuple[int, int]:
    (y0, x0), (y1, x1) = (ground.edges(corner) for corner in sorted_box(box))
    return round(y1 - y0), round(x1 - x0)
