"""What the window hands to a fine-tuning job: patches as drawn, a file of them, a pair of layers, or one alone."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from napari_deeper.engine.denoise_params import MIN_SIDE
from napari_deeper.engine.finetune_job import FinetuneJob, PairFiles, write_job
from napari_deeper.io.patches import read_patches, write_patches
from napari_deeper.io.write import write
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import CubeError, PatchError
from napari_deeper.spectra.patches import ROLES, Patch, PatchCube, PatchSet
from napari_deeper.training.finetune_config import FinetuneParams

PATCHES = "patches.json"
_WHY = {
    "train": "there is nothing to learn from",
    "validation": "nothing would tell which weights are the best, or whether they are better at all",
}
_MOST_WARNINGS = 3
_NO_TEST = "No test patch: nothing will tell how it does on what it has not seen."


@dataclass(frozen=True, eq=False)
class Drawn:
    """Patches as the Annotate dock shows them.

    Parameters
    ----------
    overview
        The set, without the sha256 of its cubes, which takes a while.
    cubes
        That the patches lie on, by name.
    files
        Where they were read from, as far as that is known.
    """

    overview: PatchSet
    cubes: Mapping[str, RamanCube]
    files: Mapping[str, Path | None]

    def write(self, folder: Path, scale: int) -> Path:
        """Write the set into a folder, with every cube that is in no file as it is shown."""
        known = [PatchCube.of(c, name, self.files.get(name)) for name, c in self.cubes.items()]
        found = self.overview
        patches = PatchSet(tuple(known), found.patches, found.size, scale)
        write_patches(patches, folder / PATCHES, cubes=self.cubes, overwrite=True)
        return folder / PATCHES


@dataclass(frozen=True)
class Saved:
    """A file of patches."""

    path: Path
    overview: PatchSet

    @classmethod
    def at(cls, path: Path) -> Saved:
        """Read the file; `PatchError` or `FileError` if it is none."""
        return cls(path, read_patches(path))

    def write(self, folder: Path, scale: int) -> Path:
        """Return where the set is."""
        return self.path


@dataclass(frozen=True, eq=False)
class LayerPair:
    """Two cubes of one field, of low and of high signal-to-noise ratio."""

    low: RamanCube
    high: RamanCube


@dataclass(frozen=True, eq=False)
class LayerAlone:
    """A noisy cube, of whose field there is no better one."""

    cube: RamanCube


Data = Drawn | Saved | LayerPair | LayerAlone


def check_data(data: Data, params: FinetuneParams) -> list[str]:
    """Return what there is to learn from, and what to beware of, a sentence each.

    Raises
    ------
    DeeperError
        If nothing can be learned from it.
    """
    if isinstance(data, LayerPair):
        return _check_pair(data)
    if isinstance(data, LayerAlone):
        return _check_alone(data.cube)
    patches = data.overview
    n = len(patches.patches)
    if not n:
        raise PatchError(
            "There are no patches yet: draw some, or let some be suggested, in Annotate."
        )
    patches.replace(scale=params.scale)
    counts = patches.counts()
    for role, why in _WHY.items():
        if not counts.get(role):
            raise PatchError(
                f"There is no {role} patch, so {why}: give that role to some of the {n} patches in Annotate."
            )
    n_cubes = len({patch.cube for patch in patches.patches})
    told = [
        f"{n} patches of {_sizes(patches.patches)} pixels on {n_cubes} cube{'s' if n_cubes > 1 else ''}: "
        f"{', '.join(f'{counts.get(role, 0)} {role}' for role in ROLES)}."
    ]
    if not counts.get("test"):
        told.append(_NO_TEST)
    warnings = patches.warnings()
    more = len(warnings) - _MOST_WARNINGS
    if more > 0:
        warnings = (*warnings[:_MOST_WARNINGS], f"And {more} more overlaps like these.")
    return [*told, *warnings]


def _check_pair(pair: LayerPair) -> list[str]:
    low, high = pair.low, pair.high
    if low is high:
        raise CubeError("Choose two layers of one field: a noisy one, and a good one.")
    if low.shape != high.shape:
        raise CubeError(
            f"'{low.name}' is {low.shape[0]} x {low.shape[1]} x {low.shape[2]} and '{high.name}' "
            f"{high.shape[0]} x {high.shape[1]} x {high.shape[2]}: a pair has the same pixels and channels."
        )
    y, x, _ = low.shape
    return [
        f"A pair of {y} x {x} pixels; it is split along its longer side: 70 % to train, 15 % to "
        "validate, 15 % to test. Whether the two lie on each other is checked when it starts."
    ]


def _check_alone(cube: RamanCube) -> list[str]:
    y, x, _ = cube.shape
    if min(y, x) < MIN_SIDE:
        raise CubeError(
            f"'{cube.name}' is {y} x {x} pixels; learning from a map alone takes {MIN_SIDE} x {MIN_SIDE}."
        )
    return [
        f"A map of {y} x {x} pixels: half of its blocks are learned from, by their noise; the others tell whether "
        "that helped. If that is not clear, it will say to keep the shipped weights. A pair teaches more."
    ]


def _sizes(patches: tuple[Patch, ...]) -> str:
    sizes = sorted({patch.size for patch in patches})
    return " and ".join(f"{size} x {size}" for size in sizes)


def prepare(folder: Path, data: Data, params: FinetuneParams, name: str) -> FinetuneJob:
    """Write a job with its data into a new folder; where that fails, no folder is left.

    Raises
    ------
    DeeperError
        If something cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if isinstance(data, LayerPair):
            files = PairFiles(folder / "low.npz", folder / "high.npz")
            write(data.low, files.low, overwrite=True)
            write(data.high, files.high, overwrite=True)
            job = FinetuneJob(folder, params, pairs=(files,), name=name)
        elif isinstance(data, LayerAlone):
            path = write(data.cube, folder / "noisy.npz", overwrite=True)
            job = FinetuneJob(folder, params, name=name, maps=(path,))
        else:
            job = FinetuneJob(folder, params, data.write(folder, params.scale), name=name)
        write_job(job)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return job
