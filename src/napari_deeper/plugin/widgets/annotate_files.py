"""Sets of patches between the layers of a viewer and files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QFileDialog, QMessageBox, QWidget

from napari_deeper.io.patches import read_cube, read_patches
from napari_deeper.plugin.layers import cube_from_layer
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import DeeperError
from napari_deeper.spectra.patches import Patch, PatchCube, PatchSet, cube_sha256

_FILTER = "Patches (*.json)"


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


def ask_where_to_save(parent: QWidget, without_file: Sequence[str]) -> Path | None:
    """Ask for a file, and before that whether cubes of which no file is known may be written beside it."""
    if without_file:
        listed = ", ".join(f"'{name}'" for name in without_file)
        it = "it" if len(without_file) == 1 else "them"
        told = (
            f"No file is known of {listed}. The patches need one to be trained on. Write {it} as .zarr, in a folder "
            "beside the patches?"
        )
        if not _agrees(parent, "Save the cubes too?", told):
            return None
    path, _ = QFileDialog.getSaveFileName(parent, "Save patches", "patches.json", _FILTER)
    return Path(path) if path else None


def ask_what_to_load(parent: QWidget, n_shown: int) -> Path | None:
    """Ask for a file, and then whether it may take the place of what is shown."""
    path, _ = QFileDialog.getOpenFileName(parent, "Load patches", "", _FILTER)
    told = f"The {n_shown} patches that are shown will be removed."
    if not path or (n_shown and not _agrees(parent, "Replace the patches?", told)):
        return None
    return Path(path)


def _agrees(parent: QWidget, title: str, text: str) -> bool:
    return QMessageBox.question(parent, title, text) == QMessageBox.StandardButton.Yes
