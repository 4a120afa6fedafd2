"""Pairs of maps of one field to tune a denoiser on, checked to lie over each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_deeper.engine.finetune_material import Material, TestItem, moved, mover_of
from napari_deeper.models.checkpoint import Checkpoint
from napari_deeper.processing import resample
from napari_deeper.processing.registration import find_shift
from napari_deeper.spectra.cube import RamanCube, require_signal
from napari_deeper.spectra.errors import CubeError, ParameterError
from napari_deeper.training.finetune_config import FinetuneParams
from napari_deeper.training.finetune_data import PairSubject

Array = NDArray[np.float32]

# Of a pair without a role: rows or columns for training, validation and test.
_SHARES = (0.7, 0.15, 0.15)
_N_TEST_BLOCKS = 8
_MIN_LIKENESS = 0.2


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
        check_pair(pair)
        move = mover_of(pair.low, start)[0]
        for role, window in windows(pair):
            if role == "test":
                test += _test_blocks(pair, window)
                continue
            low, high = (
                moved(cube.intensity[window], move).reshape(-1, start.wavenumber.size)
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
        start.wavenumber,
    )
    return Material(start, subject, tuple(test), {"pairs": about}, ())


def check_pair(pair: Pair) -> None:
    """Raise `CubeError` if two cubes are not of one field and axis, or do not lie over each other."""
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


def windows(pair: Pair) -> list[tuple[str, tuple[slice, slice]]]:
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
