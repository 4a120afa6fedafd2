"""Sets of patches between the layers of a viewer and files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_deeper.io.patches import read_cube, read_patches
from napari_deeper.plugin.layers import cube_from_layer
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import DeeperError
from napari_deeper.spectra.patches import Patch, PatchCube, PatchSet, cube_sha256


@dataclass(frozen=True, eq=False)
class Opened:
    """A set read from a file, and where its cubes are.

    Parameters
    ----------
    patches
        As the file has them.
    shown
        For each cube that a layer holds already, the name of that layer, by the cube's name in the set.
    read
        For each other one, what its file holds.
    problems
        Why a cube is in neither, a sentence each.
    """

    patches: PatchSet
    shown: Mapping[str, str]
    read: Mapping[str, RamanCube]
    problems: tuple[str, ...] = ()


def open_patches(path: Path, shown: Mapping[str, RamanCube]) -> Opened:
    """Read a set and find its cubes: first among those that are shown, then in their files.

    Raises
    ------
    DeeperError
        If the file holds no usable set.
    """
    patches = read_patches(path)
    by_content = {cube_sha256(cube): name for name, cube in shown.items()}
    found: dict[str, str] = {}
    read: dict[str, RamanCube] = {}
    problems = []
    for cube in patches.cubes:
        if cube.sha256 in by_content:
            found[cube.name] = by_content[cube.sha256]
            continue
        try:
            read[cube.name] = read_cube(cube)
        except DeeperError as error:
            problems.append(str(error))
    return Opened(patches, found, read, tuple(problems))


def renamed(patches: Sequence[Patch], names: Mapping[str, str]) -> list[Patch]:
    """Return the patches under the names of the layers; those of other cubes are left out."""
    return [patch.replace(cube=names[patch.cube]) for patch in patches if patch.cube in names]


def file_of(layer: Any) -> Path | None:
    """Return the file that a layer was opened from, if it is still there."""
    source = getattr(layer.source, "path", None)
    path = Path(source) if source else None
    return path if path is not None and path.exists() else None


def describe_layers(layers: Sequence[Any], files: Mapping[str, Path | None]) -> list[PatchCube]:
    """Return what a set says of these cube layers.

    Raises
    ------
    CubeError
        If a layer was changed in shape since it was opened.
    """
    return [
        PatchCube.of(cube_from_layer(la), la.name, files.get(la.name) or file_of(la))
        for la in layers
    ]
