"""What a fine-tuning job starts from: the network, and the patches or pairs on its axis."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from napari_deeper.engine.coverage import cover
from napari_deeper.engine.device import DeviceChoice
from napari_deeper.engine.fine_images import MIN_SIDE
from napari_deeper.engine.finetune_alone import SelfCheck
from napari_deeper.engine.finetune_eigen import EigenSubject, images_of
from napari_deeper.engine.network import Network
from napari_deeper.models.checkpoint import Checkpoint
from napari_deeper.processing import resample
from napari_deeper.spectra.axis import Axis
from napari_deeper.spectra.cube import RamanCube, require_signal
from napari_deeper.spectra.errors import CubeError, PatchError
from napari_deeper.spectra.patches import Patch, PatchSet
from napari_deeper.training.finetune_config import FinetuneParams
from napari_deeper.training.finetune_data import PatchSubject, Subject

Array = NDArray[np.float32]


@dataclass(frozen=True)
class TestItem:
    """What a network is judged on at the end: a patch, or a block of a pair.

    Parameters
    ----------
    name, tissue
        For the table.
    low
        What the methods are given.
    target
        (y, x, channel), what they should find.
    window
        Where in the result of ``low`` that lies; None: it is all of it.
    """

    __test__ = False  # pytest takes classes of this name for tests

    name: str
    tissue: str
    low: RamanCube
    target: Array
    window: tuple[slice, slice] | None = None


@dataclass(frozen=True)
class Material:
    """The subject to learn, what it starts from, and what it is judged on.

    Parameters
    ----------
    about
        For the card: what the data are, JSON types, without where they lie.
    notes
        What the user should know.
    check
        Tells whether a network is better, where there are no good maps to tell by.
    """

    start: Checkpoint
    subject: Subject
    test: tuple[TestItem, ...]
    about: Mapping[str, Any]
    notes: tuple[str, ...]
    check: Callable[[nn.Module], SelfCheck] | None = None

    @property
    def phase(self) -> int:
        """Sample phase that is judged at."""
        return _phase(self.start)


def from_patches(
    patches: PatchSet, cubes: Mapping[str, RamanCube], params: FinetuneParams, start: Checkpoint
) -> Material:
    """Take patches out of their cubes, and bring them to the axis of the network.

    Raises
    ------
    PatchError
        If a role that is needed has no patch, or patches do not fit the scale.
    AxisError, CubeError
        If a cube does not fit the network, or holds NaN or no signal.
    """
    patches = patches.replace(scale=params.scale)
    counts = patches.counts()
    for role in ("train", "validation"):
        if not counts.get(role):
            raise PatchError(f"There is no {role} patch: give that role to some of the patches.")
    for name in sorted({patch.cube for patch in patches.patches}):
        require_signal(cubes[name])
    smallest = min(patch.size for patch in patches.of_role("train"))
    side = min(params.side or smallest, smallest) // params.scale * params.scale
    learn = _eigen_subject if params.network == "eigenimages" else _patch_subject
    subject = learn(patches, cubes, params, start, side)
    test = tuple(
        _test_patch(cubes[p.cube], p, n, params.scale, _phase(start))
        for n, p in enumerate(patches.of_role("test"), 1)
    )
    return Material(start, subject, test, _about(patches), patches.warnings())


def _patch_subject(
    patches: PatchSet,
    cubes: Mapping[str, RamanCube],
    params: FinetuneParams,
    start: Checkpoint,
    side: int,
) -> PatchSubject:
    learned = {p.cube for role in ("train", "validation") for p in patches.of_role(role)}
    movers = {name: mover_of(cubes[name], start) for name in sorted(learned)}
    train, validation = (
        tuple(moved(_piece(cubes, patch), movers[patch.cube][0]) for patch in patches.of_role(role))
        for role in ("train", "validation")
    )
    seen = np.logical_and.reduce([covered for _, covered in movers.values()])
    phases = tuple(range(params.scale)) if start.any_phase else (_phase(start),)
    return PatchSubject(
        train, validation, params.scale, start.normalization, phases, start.any_phase, seen,
        side, params.augmentation, _phase(start),
    )  # fmt: skip


def _eigen_subject(
    patches: PatchSet,
    cubes: Mapping[str, RamanCube],
    params: FinetuneParams,
    start: Checkpoint,
    side: int,
) -> EigenSubject:
    if min(patch.size for patch in patches.patches) < MIN_SIDE * params.scale:
        raise PatchError(
            f"At {params.scale}x the smallest patch for eigenimages has {MIN_SIDE * params.scale} pixels a "
            "side. Draw larger ones, or choose the network hyrisr."
        )
    images = [image for p in patches.of_role("train") for image in images_of(_piece(cubes, p))]
    if not images:
        raise PatchError(
            "Nothing stands out of the noise of the training patches: there is nothing to learn from them."
        )
    validation = tuple(_piece(cubes, p) for p in patches.of_role("validation"))
    return EigenSubject(
        tuple(images), validation, params.scale, side, params.augmentation, _phase(start),
        rehearses=not params.from_scratch,
    )  # fmt: skip


def _phase(start: Checkpoint) -> int:
    return 1 if start.any_phase or start.phase is None else start.phase


def _test_patch(cube: RamanCube, patch: Patch, number: int, scale: int, phase: int) -> TestItem:
    target = np.ascontiguousarray(cube.intensity[patch.window])
    low = np.ascontiguousarray(target[phase::scale, phase::scale])
    name = f"{patch.cube} y{patch.y} x{patch.x}"
    return TestItem(
        f"{number}: {name}",
        patch.tissue,
        RamanCube(low, cube.wavenumber, metadata={"name": name}),
        target,
    )


def _about(patches: PatchSet) -> dict[str, Any]:
    record = patches.to_json()
    for cube in record.get("cubes", ()):
        cube.pop("path", None)
    return {"patches": record, "counts": dict(patches.counts())}


def mover_of(cube: RamanCube, start: Checkpoint) -> tuple[Any, NDArray[np.bool_]]:
    """Return what takes spectra to the network's axis, and which of its channels the cube covers."""
    axis: Axis = cube.wavenumber
    coverage = cover(axis, start.wavenumber, start.name)
    network = Network(start, DeviceChoice("cpu", ""), axis, coverage)
    return network.to_model_axis(), resample.covered(axis, start.wavenumber)


def moved(piece: Array, move: Any) -> Array:
    """Return a piece (y, x, channel) on the axis that `mover_of` brings spectra to."""
    out: Array = move(np.ascontiguousarray(piece).reshape(-1, piece.shape[2]))
    return out.reshape(*piece.shape[:2], -1)


def _piece(cubes: Mapping[str, RamanCube], patch: Patch) -> Array:
    """Return the intensities of a patch over their maximum."""
    piece = cubes[patch.cube].intensity[patch.window]
    top = float(np.abs(piece).max())
    if top == 0:
        raise CubeError(f"The patch {patch} holds no signal.")
    return np.asarray(piece / np.float32(top), np.float32)
