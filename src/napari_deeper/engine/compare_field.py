"""Bring cubes onto the pixels and channels of a target, by their place on the sample."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_deeper.processing.regions import pixel_places, region_mask
from napari_deeper.processing.resample import covered, resample, same_axis
from napari_deeper.spectra.axis import Axis, describe
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import AxisError, CubeError
from napari_deeper.spectra.regions import Region

Array = NDArray[np.float32]
Flags = NDArray[np.bool_]
Span = tuple[int, int]

# A part of a pixel by which rounding may put a place beyond the last one.
_SLACK = 1e-4
# Channels beside its own that a resampled one is made of.
_REACH = 3
# Pixel sizes and places that differ by less than this part of a pixel are the same.
_SAME_GRID = 1e-3


@dataclass(frozen=True, eq=False)
class CommonField:
    """What a target and all candidates have in common, on the target's pixels and channels.

    Parameters
    ----------
    target
        Cropped to the smallest rectangle, and to the channels, that all cubes cover.
    counted
        (y, x), True for the pixels to compare: without NaN in any cube, and in the regions asked for.
    candidates
        By name, uncropped, with the place that they are taken to have.
    bilinear
        Whether candidates are interpolated between their pixels.
    notes
        What was assumed, resampled and left out, in sentences.
    """

    target: RamanCube
    counted: Flags
    candidates: Mapping[str, RamanCube]
    bilinear: bool
    notes: tuple[str, ...]

    def sampled(self, name: str) -> Array:
        """Return a candidate at the target's pixel centers and channels, (y, x, channel); may hold NaN."""
        return sample_like(self.candidates[name], self.target, bilinear=self.bilinear)

    def sampled_uncertainty(self, name: str) -> Array | None:
        """Return the uncertainty that a candidate states, sampled alike; None if none, or on other channels."""
        cube = self.candidates[name]
        if cube.uncertainty is None or not _same_channels(cube, self.target):
            return None
        first = int(np.abs(cube.wavenumber - self.target.wavenumber[0]).argmin())
        taken = cube.uncertainty[..., first : first + self.target.shape[2]]
        return _at_places(cube, taken, self.target, self.bilinear)


def common_field(
    target: RamanCube,
    candidates: Mapping[str, RamanCube],
    *,
    bilinear: bool = False,
    within: Sequence[Region] = (),
) -> CommonField:
    """Find what a target and all candidates have in common.

    Parameters
    ----------
    target, candidates
        With their places.
    bilinear
        Interpolate candidates between their pixels; else the nearest pixel is taken, which adds nothing.
    within
        Count only pixels in one of these regions.

    Raises
    ------
    CubeError
        If the cubes do not overlap, measure in different units, or no pixel is left.
    AxisError
        If they share no wavenumber.
    """
    placed, notes = {}, []
    for name, cube in candidates.items():
        placed[name], said = _in_unit_of(cube, target, name)
        notes += said
    rows, columns = _common_box(target, placed)
    cropped = _crop(target, rows, columns, _common_channels(target, placed))
    notes += _axis_notes(cropped, target, placed)
    counted = np.asarray(np.isfinite(cropped.intensity).all(axis=2))
    for cube in placed.values():
        counted = counted & _usable(cube, cropped, bilinear)
    n_missing = counted.size - int(counted.sum())
    notes += _place_notes(cropped, target, placed, n_missing, bilinear)
    if within:
        chosen = np.zeros(counted.shape, dtype=bool)
        for region in within:
            chosen |= region_mask(cropped, region)
        counted = counted & chosen
        notes.append(f"Only the {int(counted.sum())} pixels in the regions are compared.")
    if not counted.any():
        raise CubeError(
            "No pixel is left to compare: each holds NaN or infinity in one of the cubes, or lies outside "
            "the regions."
        )
    return CommonField(cropped, counted, placed, bilinear, tuple(notes))


def sample_like(cube: RamanCube, target: RamanCube, *, bilinear: bool = False) -> Array:
    """Return a cube at the pixel centers and channels of another, (y, x, channel).

    Beyond its edge by up to half a pixel the outermost pixels are repeated.

    Parameters
    ----------
    cube, target
        In one length unit.
    bilinear
        Interpolate between pixels; else the nearest is taken.
    """
    intensity = _at_places(cube, cube.intensity, target, bilinear)
    return resample(intensity, cube.wavenumber, target.wavenumber)


def same_grid(cube: RamanCube, target: RamanCube) -> bool:
    """Tell whether the pixels of two cubes of one unit lie on each other where they overlap."""
    step = np.asarray(target.spacing)
    if not np.allclose(cube.spacing, step, rtol=_SAME_GRID):
        return False
    apart = (np.asarray(cube.origin) - np.asarray(target.origin)) / step
    return bool(np.abs(apart - np.rint(apart)).max() < 0.01)


def _in_unit_of(cube: RamanCube, target: RamanCube, name: str) -> tuple[RamanCube, list[str]]:
    if cube.length_unit == target.length_unit:
        return cube, []
    if cube.shape[:2] != target.shape[:2]:
        raise CubeError(
            f"'{name}' is in {cube.length_unit} and the target '{target.name}' in {target.length_unit}, "
            "and they differ in size, so nothing says how they lie on each other. Give both their pixel "
            "size when they are opened (--pixel-size)."
        )
    moved = dataclasses.replace(
        cube, pixel_size=target.pixel_size, origin=target.origin, zoom=target.zoom
    )
    return moved, [
        f"'{name}' is in {cube.length_unit} and the target in {target.length_unit}; having as many pixels, "
        "it is taken to show the same field, pixel for pixel."
    ]


def _positions(cube: RamanCube, target: RamanCube) -> list[NDArray[np.float64]]:
    """Return where the target's pixel centers lie among the cube's pixels, along y and x."""
    places = pixel_places(target)
    return [
        (place - start) / step
        for place, start, step in zip(places, cube.origin, cube.spacing, strict=True)
    ]


def _common_box(target: RamanCube, candidates: Mapping[str, RamanCube]) -> tuple[Span, Span]:
    spans = [(0, target.shape[0]), (0, target.shape[1])]
    for name, cube in candidates.items():
        for axis, at in enumerate(_positions(cube, target)):
            inside = (at >= -0.5 - _SLACK) & (at <= cube.shape[axis] - 0.5 + _SLACK)
            found = np.flatnonzero(inside)
            low, high = spans[axis]
            first, last = (int(found[0]), int(found[-1]) + 1) if found.size else (0, 0)
            spans[axis] = max(low, first), min(high, last)
            if spans[axis][0] >= spans[axis][1]:
                raise CubeError(_no_overlap(name, cube, target, len(candidates)))
    return spans[0], spans[1]


def _no_overlap(name: str, cube: RamanCube, target: RamanCube, n: int) -> str:
    whose = "the target" if n == 1 else "the target and the other candidates"
    return (
        f"'{name}' does not overlap {whose} on the sample: {_extent(cube)}, and the target "
        f"'{target.name}' {_extent(target)}. Choose cubes of one field, or give them their place."
    )


def _extent(cube: RamanCube) -> str:
    parts = []
    for axis, letter in enumerate("yx"):
        step, start = cube.spacing[axis], cube.origin[axis]
        low, high = start - step / 2, start + (cube.shape[axis] - 0.5) * step
        parts.append(f"{letter} from {low:.4g} to {high:.4g}")
    return f"{', '.join(parts)} {cube.length_unit}"


def _common_channels(target: RamanCube, candidates: Mapping[str, RamanCube]) -> Flags:
    channels = np.ones(target.shape[2], dtype=bool)
    for name, cube in candidates.items():
        channels &= covered(cube.wavenumber, target.wavenumber)
        if not channels.any():
            raise AxisError(
                f"'{name}' covers {describe(cube.wavenumber)} and the target "
                f"{describe(target.wavenumber)}: there is no wavenumber that all cubes have."
            )
    return channels


def _crop(target: RamanCube, rows: Span, columns: Span, channels: Flags) -> RamanCube:
    box = (slice(*rows), slice(*columns))
    (y, x), (dy, dx) = target.origin, target.spacing
    origin = y + dy * rows[0], x + dx * columns[0]
    intensity = target.intensity[box]
    if not channels.all():
        intensity = intensity[..., channels]
    axis: Axis = target.wavenumber[channels]
    return dataclasses.replace(
        target, intensity=intensity, wavenumber=axis, origin=origin, uncertainty=None, flagged=None
    )


def _usable(cube: RamanCube, target: RamanCube, bilinear: bool) -> Flags:
    """Return (y, x) of the target, True where what is sampled of the cube is finite."""
    inside = np.flatnonzero(covered(target.wavenumber, cube.wavenumber))
    # resampling reads a few channels further
    low, high = (inside[0], inside[-1] + 1) if inside.size else (0, cube.shape[2])
    values = cube.intensity[..., max(0, low - _REACH) : high + _REACH]
    finite = np.asarray(np.isfinite(values).all(axis=2), dtype=np.float32)
    share = np.asarray(_at_places(cube, finite[..., None], target, bilinear))
    return np.asarray(share[..., 0] > 1 - 1e-6)


def _at_places(cube: RamanCube, values: Array, target: RamanCube, bilinear: bool) -> Array:
    """Return values (y, x, ...) on the cube's pixels at the target's pixel centers."""
    for axis, at in enumerate(_positions(cube, target)):
        last = cube.shape[axis] - 1
        if not bilinear:
            # the half goes one way everywhere, or every second pixel would be taken twice
            nearest = np.clip(np.floor(at + 0.5 + _SLACK), 0, last).astype(np.intp)
            values = _take(values, nearest, axis)
            continue
        at = np.clip(at, 0, last)
        low = np.floor(at + _SLACK).astype(np.intp)
        part = np.clip(at - low, 0, 1).astype(np.float32)
        part[part < _SLACK] = 0
        if not part.any():
            values = _take(values, low, axis)
            continue
        shape = (-1, 1, 1) if axis == 0 else (1, -1, 1)
        weight = part.reshape(shape)
        high = np.where(part > 0, np.minimum(low + 1, last), low)
        values = _take(values, low, axis) * (1 - weight) + _take(values, high, axis) * weight
    return values


def _take(values: Array, index: NDArray[np.intp], axis: int) -> Array:
    if index.size == values.shape[axis] and (index == np.arange(index.size)).all():
        return values
    return np.take(values, index, axis=axis)


def _axis_notes(
    cropped: RamanCube, target: RamanCube, candidates: Mapping[str, RamanCube]
) -> list[str]:
    notes = []
    if cropped.shape[2] < target.shape[2]:
        notes.append(
            f"Only {describe(cropped.wavenumber)} of the target's {describe(target.wavenumber)} are "
            "compared: no more is in every cube."
        )
    moved = [n for n, c in candidates.items() if not _same_channels(c, cropped)]
    if moved:
        notes.append(f"Resampled to the target's wavenumbers: {listed(moved)}.")
    return notes


def _same_channels(cube: RamanCube, cropped: RamanCube) -> bool:
    axis = cube.wavenumber
    first = int(np.abs(axis - cropped.wavenumber[0]).argmin())
    return same_axis(axis[first : first + cropped.shape[2]], cropped.wavenumber)


def _place_notes(
    cropped: RamanCube,
    target: RamanCube,
    candidates: Mapping[str, RamanCube],
    n_missing: int,
    bilinear: bool,
) -> list[str]:
    n_common, n_all = (cube.shape[0] * cube.shape[1] for cube in (cropped, target))
    notes = []
    if n_common < n_all:
        notes.append(
            f"{n_common} of the target's {n_all} pixels are compared: those that every candidate covers."
        )
    if n_missing:
        notes.append(
            f"{n_missing} of {n_common} pixels are left out, for NaN or infinity in one of the cubes."
        )
    how = "interpolated bilinearly" if bilinear else "read at the nearest of its pixels"
    for name, cube in candidates.items():
        if same_grid(cube, target):
            continue
        size = " x ".join(f"{step:g}" for step in cube.spacing)
        wanted = " x ".join(f"{step:g}" for step in target.spacing)
        notes.append(
            f"'{name}' ({size} {cube.length_unit} pixels) is compared by place with the target "
            f"({wanted} {cube.length_unit}): at each of the target's pixel centers it is {how}."
        )
    return notes


def listed(names: Sequence[str]) -> str:
    """Return names in quotes, in a line."""
    return ", ".join(f"'{name}'" for name in names)
