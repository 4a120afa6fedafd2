"""Patches: square parts of cubes, each with a role in training, and the set of them that a file holds."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import PatchError

ROLES = ("train", "validation", "test")
DEFAULT_SIZE = 64


@dataclass(frozen=True)
class Patch:
    """A square of pixels of one cube.

    Parameters
    ----------
    cube
        Name of the cube, as in the set.
    y, x
        First row and column on the cube's own pixel grid, from 0.
    size
        Pixels along y and along x.
    role
        ``"train"``, ``"validation"`` or ``"test"``.
    tissue
        What is seen there, in the user's words; may be empty.

    Raises
    ------
    PatchError
        If the role is unknown, or a number is not a whole one that can be.
    """

    cube: str
    y: int
    x: int
    size: int
    role: str = "train"
    tissue: str = ""

    def __post_init__(self) -> None:
        for name, least in (("y", 0), ("x", 0), ("size", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
                raise PatchError(
                    f"{name} of a patch on '{self.cube}' is {value!r}; it must be a whole number of "
                    f"pixels, at least {least}."
                )
            object.__setattr__(self, name, int(value))
        if self.role not in ROLES:
            raise PatchError(
                f"The role of the patch at y={self.y}, x={self.x} on '{self.cube}' is {self.role!r}; "
                f"it must be one of: {', '.join(ROLES)}."
            )
        object.__setattr__(self, "tissue", str(self.tissue).strip())

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns: ``cube.intensity[patch.window]`` is (size, size, channel)."""
        return slice(self.y, self.y + self.size), slice(self.x, self.x + self.size)

    def shared_pixels(self, other: Patch) -> int:
        """Return how many pixels lie in both, as if they were of one map."""
        height = min(self.y + self.size, other.y + other.size) - max(self.y, other.y)
        width = min(self.x + self.size, other.x + other.size) - max(self.x, other.x)
        return max(height, 0) * max(width, 0)

    def replace(self, **changes: Any) -> Patch:
        """Return this patch with other fields."""
        return dataclasses.replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        """Return the patch as JSON types."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        return f"{self.role} patch at y={self.y}, x={self.x} on '{self.cube}'"


@dataclass(frozen=True)
class PatchCube:
    """What a set knows of a cube: enough to find it again, and to know that it is the same one.

    Parameters
    ----------
    name
        By which its patches name it.
    shape
        (y, x, channel).
    wavenumber
        The first and the last channel, cm-1.
    path
        The file, or None for a cube that is in memory alone.
    sha256
        `cube_sha256`, or empty where it was not taken.
    """

    name: str
    shape: tuple[int, int, int]
    wavenumber: tuple[float, float]
    path: Path | None = None
    sha256: str = ""

    @classmethod
    def of(cls, cube: RamanCube, name: str = "", path: Path | None = None) -> PatchCube:
        """Describe a cube, with its `cube_sha256`."""
        axis = cube.wavenumber
        ends = (float(axis[0]), float(axis[-1]))
        return cls(name or cube.name, cube.shape, ends, path, cube_sha256(cube))

    def replace(self, **changes: Any) -> PatchCube:
        """Return this with other fields."""
        return dataclasses.replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON types."""
        path = None if self.path is None else self.path.as_posix()
        return dataclasses.asdict(self) | {
            "path": path,
            "shape": list(self.shape),
            "wavenumber": list(self.wavenumber),
        }


@dataclass(frozen=True)
class Overlap:
    """Two patches of different roles that share pixels: what is learned of one is no news in the other.

    Parameters
    ----------
    first, second
        Their places in the set, from 0.
    n_pixels
        How many they share.
    """

    first: int
    second: int
    n_pixels: int


@dataclass(frozen=True)
class PatchSet:
    """Patches of one or several cubes.

    Parameters
    ----------
    cubes
        With different names.
    patches
        Each inside its cube; corners and sizes are multiples of the scale, so that a patch samples
        the same pixels as the whole map does.
    size
        Of new patches, in pixels; a multiple of the scale.
    scale
        Of super-resolution for which the patches fit; 1 where any will do (denoising).

    Raises
    ------
    PatchError
        Naming the patch or cube that does not fit.
    """

    cubes: tuple[PatchCube, ...]
    patches: tuple[Patch, ...] = ()
    size: int = DEFAULT_SIZE
    scale: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "cubes", tuple(self.cubes))
        object.__setattr__(self, "patches", tuple(self.patches))
        names = [cube.name for cube in self.cubes]
        double = next((name for name in names if names.count(name) > 1), None)
        if double is not None:
            raise PatchError(f"Two cubes of the set are called '{double}'. Rename one of them.")
        if self.scale < 1 or self.size < 1 or self.size % self.scale:
            raise PatchError(
                f"The patch size is {self.size} and the scale {self.scale}; the size must be a "
                "multiple of the scale."
            )
        for patch in self.patches:
            self._check(patch)

    def _check(self, patch: Patch) -> None:
        n_y, n_x, _ = self.cube(patch.cube).shape
        if patch.y + patch.size > n_y or patch.x + patch.size > n_x:
            raise PatchError(
                f"The {patch} is {patch.size} pixels wide and reaches beyond the map of {n_y} x {n_x} "
                "pixels. Move it, or make it smaller."
            )
        if any(value % self.scale for value in (patch.y, patch.x, patch.size)):
            raise PatchError(
                f"The {patch} of {patch.size} pixels does not lie on the grid of scale {self.scale}: "
                f"corner and size must be multiples of {self.scale}."
            )

    def cube(self, name: str) -> PatchCube:
        """Return the cube of a name."""
        for cube in self.cubes:
            if cube.name == name:
                return cube
        known = ", ".join(f"'{cube.name}'" for cube in self.cubes) or "none"
        raise PatchError(
            f"A patch names the cube '{name}', which the set has not. It has: {known}."
        )

    def of_role(self, role: str) -> tuple[Patch, ...]:
        """Return the patches of a role, in their order."""
        return tuple(patch for patch in self.patches if patch.role == role)

    def counts(self) -> dict[str, int]:
        """Return how many patches each role has."""
        return {role: len(self.of_role(role)) for role in ROLES}

    def overlaps(self) -> tuple[Overlap, ...]:
        """Return every two patches of different roles that share pixels of one map.

        Cubes of the same sha256 are one map, whatever their names.
        """
        # a cube whose sha256 was not taken is known by its name alone
        maps = {cube.name: cube.sha256 or f"name {cube.name}" for cube in self.cubes}
        found = []
        for (i, a), (j, b) in itertools.combinations(enumerate(self.patches), 2):
            if a.role != b.role and maps[a.cube] == maps[b.cube] and a.shared_pixels(b):
                found.append(Overlap(i, j, a.shared_pixels(b)))
        return tuple(found)

    def warnings(self) -> tuple[str, ...]:
        """Return what stands against trusting a figure taken on these patches, a sentence each."""
        return tuple(self._warning(overlap) for overlap in self.overlaps())

    def _warning(self, overlap: Overlap) -> str:
        a, b = self.patches[overlap.first], self.patches[overlap.second]
        where = f"'{a.cube}'" if a.cube == b.cube else f"'{a.cube}' and '{b.cube}', the same map"
        unit = "pixel" if overlap.n_pixels == 1 else "pixels"
        return (
            f"Patch {overlap.first + 1} ({a.role}) and patch {overlap.second + 1} ({b.role}) share "
            f"{overlap.n_pixels} {unit} of {where}: move one, or give both the same role."
        )

    def replace(self, **changes: Any) -> PatchSet:
        """Return this set with other fields."""
        return dataclasses.replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        """Return the set as JSON types."""
        return {
            "size": self.size,
            "scale": self.scale,
            "cubes": [cube.to_json() for cube in self.cubes],
            "patches": [patch.to_json() for patch in self.patches],
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> PatchSet:
        """Read a set back from `to_json`.

        Raises
        ------
        PatchError
            If something is missing, is of another type, or does not fit.
        """
        try:
            cubes = tuple(_cube_from(entry) for entry in record["cubes"])
            patches = tuple(Patch(**entry) for entry in record["patches"])
            size, scale = int(record["size"]), int(record["scale"])
        except KeyError as error:
            raise PatchError(f"The set of patches lacks {error}.") from error
        except (TypeError, ValueError, AttributeError) as error:
            if isinstance(error, PatchError):
                raise
            raise PatchError(f"The set of patches is damaged: {error}.") from error
        return cls(cubes, patches, size, scale)


def _cube_from(entry: Mapping[str, Any]) -> PatchCube:
    n_y, n_x, n_channels = (int(n) for n in entry["shape"])
    low, high = (float(w) for w in entry["wavenumber"])
    path = entry.get("path")
    return PatchCube(
        str(entry["name"]),
        (n_y, n_x, n_channels),
        (low, high),
        None if path is None else Path(str(path)),
        str(entry.get("sha256", "")),
    )


def cube_sha256(cube: RamanCube) -> str:
    """Return the sha256 of what a cube holds: shape, wavenumbers and intensities, not name or place.

    The same cube has it in every format, so that a copy or a converted file is known as the same,
    and one changed value as another.
    """
    digest = hashlib.sha256(f"{cube.shape}".encode())
    digest.update(np.ascontiguousarray(cube.wavenumber, "<f8").data)
    digest.update(np.ascontiguousarray(cube.intensity, "<f4").data)
    return digest.hexdigest()
