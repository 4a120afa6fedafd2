"""What a fine-tuning job starts from: the network, and the patches or pairs on its axis."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from napari_deeper.engine.coverage import cover
from napari_deeper.engine.device import DeviceChoice
from napari_deeper.engine.fine_images import MIN_SIDE
from napari_deeper.engine.finetune_eigen import EigenSubject, images_of
from napari_deeper.engine.network import Network
from napari_deeper.models.checkpoint import Checkpoint, load, shipped
from napari_deeper.models.compact import CompactHyRISR
from napari_deeper.models.eigen_super_resolve import EigenimageSuperResolver
from napari_deeper.models.hyrisr import HyRISR
from napari_deeper.models.resunet import ResUNet
from napari_deeper.processing import resample
from napari_deeper.processing.registration import find_shift
from napari_deeper.spectra.axis import Axis
from napari_deeper.spectra.cube import RamanCube, require_signal
from napari_deeper.spectra.errors import CheckpointError, CubeError, ParameterError, PatchError
from napari_deeper.spectra.patches import Patch, PatchSet
from napari_deeper.training import denoise, eigen_super_resolve, published, super_resolve
from napari_deeper.training.finetune_config import FinetuneParams
from napari_deeper.training.finetune_data import PairSubject, PatchSubject, Subject

Array = NDArray[np.float32]

_KINDS = {"eigenimages": "eigenimage", "hyrisr": "hyrisr", "resunet": "resunet"}
# Of a pair without a role: rows or columns for training, validation and test.
_SHARES = (0.7, 0.15, 0.15)
_N_TEST_BLOCKS = 8
_MIN_LIKENESS = 0.2
# What `first layers` and `all but the last` freeze: tensors whose names begin so.
_FIRST = {
    CompactHyRISR: ("head.", "body."),
    HyRISR: ("head1.", "head2.", "body."),
    EigenimageSuperResolver: ("head.", "body.0.", "body.1.", "body.2."),
    ResUNet: ("conv1.", "conv2.", "conv3."),
}
_LAST = {
    CompactHyRISR: ("spectrum.", "weights."),
    HyRISR: ("tail.",),
    EigenimageSuperResolver: ("tail.",),
    ResUNet: ("conv6.", "linear7."),
}


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
    """

    __test__ = False  # pytest takes classes of this name for tests

    name: str
    tissue: str
    low: RamanCube
    target: Array


@dataclass(frozen=True)
class Pair:
    """Two cubes of one field and axis, of low and of high signal-to-noise ratio.

    Parameters
    ----------
    role
        ``"train"``, ``"validation"``, ``"test"``, or empty: the field is split along its longer side.
    """

    low: RamanCube
    high: RamanCube
    role: str = ""
    name: str = "pair"


@dataclass(frozen=True)
class Material:
    """The subject to learn, what it starts from, and what it is judged on.

    Parameters
    ----------
    about
        For the card: what the data are, JSON types, without where they lie.
    notes
        What the user should know.
    """

    start: Checkpoint
    subject: Subject
    test: tuple[TestItem, ...]
    about: Mapping[str, Any]
    notes: tuple[str, ...]

    @property
    def phase(self) -> int:
        """Sample phase that is judged at."""
        return _phase(self.start)


def open_start(params: FinetuneParams) -> Checkpoint:
    """Return the network to begin with, ready to be trained.

    Raises
    ------
    CheckpointError
        If the weights are missing, damaged or of another kind.
    """
    kind = _KINDS[params.architecture]
    scale = params.scale if params.what == "super-resolve" else None
    own = params.start if not params.from_scratch else ""
    found = load(own or shipped(kind, scale), scale)
    if found.kind != kind or (scale is None and found.scale):
        raise CheckpointError(
            f"{found.path.name} holds a {found.kind} network for another task; to {params.what} with "
            f"'{params.architecture}' a {kind} is tuned."
        )
    if params.from_scratch:
        found = dataclasses.replace(
            found, model=untrained(found.model, params.seed), name="an untrained network"
        )
    found.model.requires_grad_(True)
    _freeze(found.model, params.freeze)
    return found


def untrained(net: nn.Module, seed: int) -> nn.Module:
    """Return a network like another one, with first weights that the seed gives."""
    if isinstance(net, EigenimageSuperResolver):
        return eigen_super_resolve.new_network(seed, net.config)
    if isinstance(net, CompactHyRISR):
        return super_resolve.new_network(seed, net.config)
    if isinstance(net, HyRISR):
        return published.new_hyrisr(seed, net.config)
    if isinstance(net, ResUNet):
        return denoise.new_network(seed, net.config)
    raise CheckpointError(f"A {type(net).__name__} cannot be fine-tuned.")


def sha256_of(start: Checkpoint) -> str:
    """Return the sha256 of the weights, of the file where the card has none."""
    stated = start.card.get("sha256")
    return str(stated or hashlib.sha256(Path(start.path).read_bytes()).hexdigest())


def _freeze(net: nn.Module, what: str) -> None:
    if what == "nothing":
        return
    first, last = _FIRST[type(net)], _LAST[type(net)]
    for name, parameter in net.named_parameters():
        frozen = name.startswith(first) if what == "first layers" else not name.startswith(last)
        parameter.requires_grad_(not frozen)
    if not any(p.requires_grad for p in net.parameters()):
        raise ParameterError(f"Nothing of this network is left to train with freeze '{what}'.")


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
    movers = {name: _mover(cubes[name], start) for name in sorted(learned)}
    train, validation = (
        tuple(
            _moved(_piece(cubes, patch), movers[patch.cube][0]) for patch in patches.of_role(role)
        )
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
        tuple(images), validation, params.scale, side, params.augmentation, _phase(start)
    )


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


def from_pairs(pairs: Sequence[Pair], params: FinetuneParams, start: Checkpoint) -> Material:
    """Take spectra out of pairs of cubes, and bring them to the axis of the network.

    Raises
    ------
    CubeError
        If the cubes of a pair differ in field or axis, or are shifted against each other.
    """
    if not pairs:
        raise ParameterError("To tune a denoiser give pairs of cubes of one field: low and high.")
    blocks: dict[str, list[tuple[Array, Array]]] = {"train": [], "validation": []}
    test: list[TestItem] = []
    about = []
    for pair in pairs:
        _check_pair(pair)
        move = _mover(pair.low, start)[0]
        for role, window in _windows(pair):
            if role == "test":
                test += _test_blocks(pair, window)
                continue
            low, high = (
                _moved(cube.intensity[window], move).reshape(-1, start.wavenumber.size)
                for cube in (pair.low, pair.high)
            )
            varies = (np.ptp(low, axis=1) > 0) & (np.ptp(high, axis=1) > 0)
            blocks[role].append((low[varies], high[varies]))
        about.append(
            {"name": pair.name, "shape": list(pair.low.shape), "role": pair.role or "split"}
        )
    for role, found in blocks.items():
        if not sum(len(low) for low, _ in found):
            raise ParameterError(f"There is no {role} pair: give that role to one of the pairs.")
    subject = PairSubject(
        tuple(blocks["train"]),
        tuple(blocks["validation"]),
        start.normalization,
        params.augmentation,
    )
    return Material(start, subject, tuple(test), {"pairs": about}, ())


def _check_pair(pair: Pair) -> None:
    low, high = pair.low, pair.high
    for cube in (low, high):
        require_signal(cube)
    if low.shape != high.shape or not resample.same_axis(low.wavenumber, high.wavenumber):
        raise CubeError(
            f"The cubes of '{pair.name}' differ in size or axis: {low.shape} and {high.shape}. A pair is "
            "one field, measured twice with the same settings but the exposure."
        )
    shift = find_shift(*(cube.intensity.mean(axis=2) for cube in (low, high)))
    if shift.pixels != (0, 0) and shift.correlation > shift.as_it_is + 0.02:
        raise CubeError(
            f"The cubes of '{pair.name}' are shifted against each other by {shift.pixels[0]} and "
            f"{shift.pixels[1]} pixels along y and x: a network would learn to blur. Register them first."
        )
    if shift.as_it_is < _MIN_LIKENESS:
        raise CubeError(
            f"The images of the cubes of '{pair.name}' have next to nothing in common (correlation "
            f"{shift.as_it_is:.2f}): they are not of one field, or the noisier one shows nothing."
        )


def _windows(pair: Pair) -> list[tuple[str, tuple[slice, slice]]]:
    """Return the parts of a field by role."""
    whole = slice(None)
    if pair.role:
        return [(pair.role, (whole, whole))]
    n_y, n_x, _ = pair.low.shape
    n = max(n_y, n_x)
    ends = np.round(np.cumsum(_SHARES) * n).astype(int)
    parts = [slice(int(a), int(b)) for a, b in zip([0, *ends[:-1]], ends, strict=True)]
    along_y = n_y >= n_x
    roles = ("train", "validation", "test")
    return [
        (role, (part, whole) if along_y else (whole, part))
        for role, part in zip(roles, parts, strict=True)
    ]


def _test_blocks(pair: Pair, window: tuple[slice, slice]) -> list[TestItem]:
    """Cut a part of a field into blocks along its longer side."""
    low, high = (np.ascontiguousarray(c.intensity[window]) for c in (pair.low, pair.high))
    axis = int(np.argmax(low.shape[:2]))
    n = min(_N_TEST_BLOCKS, low.shape[axis])
    parts = zip(np.array_split(low, n, axis), np.array_split(high, n, axis), strict=True)
    return [
        TestItem(
            f"{pair.name} {i}",
            "",
            RamanCube(np.ascontiguousarray(a), pair.low.wavenumber, metadata={"name": pair.name}),
            np.ascontiguousarray(b),
        )
        for i, (a, b) in enumerate(parts, 1)
    ]


def _mover(cube: RamanCube, start: Checkpoint) -> tuple[Any, NDArray[np.bool_]]:
    """Return what takes spectra to the network's axis, and which of its channels the cube covers."""
    axis: Axis = cube.wavenumber
    coverage = cover(axis, start.wavenumber, start.name)
    network = Network(start, DeviceChoice("cpu", ""), axis, coverage)
    return network.to_model_axis(), resample.covered(axis, start.wavenumber)


def _moved(piece: Array, move: Any) -> Array:
    out: Array = move(np.ascontiguousarray(piece).reshape(-1, piece.shape[2]))
    return out.reshape(*piece.shape[:2], -1)


def _piece(cubes: Mapping[str, RamanCube], patch: Patch) -> Array:
    """Return the intensities of a patch over their maximum."""
    piece = cubes[patch.cube].intensity[patch.window]
    top = float(np.abs(piece).max())
    if top == 0:
        raise CubeError(f"The patch {patch} holds no signal.")
    return np.asarray(piece / np.float32(top), np.float32)
