"""The steps in space: despike, bad pixels, crop, bin and flip the map."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_deeper.engine.prepare_settings import BadPixels, Bin, CropMap, Despike, Flip
from napari_deeper.engine.prepare_steps import (
    Facts,
    Intensity,
    MapFacts,
    Outcome,
    StepKind,
    Summary,
    Told,
    Treated,
)
from napari_deeper.processing import bad_pixels
from napari_deeper.processing.despike import find_rays, repair_rays
from napari_deeper.spectra.axis import Axis
from napari_deeper.spectra.errors import CubeError, ParameterError

# The history lists the highest; the others it counts.
MOST_RAYS_LISTED = 500


# despike


def _despike(block: Intensity, wavenumber: Axis, p: Despike, facts: Facts) -> Treated:
    struck, heights = find_rays(
        block, p.threshold, p.max_width, compare_neighbors=p.compare_neighbors
    )
    at = np.argwhere(heights)
    events = np.column_stack([at, heights[tuple(at.T)]]).reshape(-1, 4)
    mended = repair_rays(block, struck, from_neighbors=p.repair == "neighbors")
    return Treated(mended, events=events, marks=struck)


def _rays_told(cube: MapFacts, p: Despike, facts: Facts, outcome: Outcome) -> Told:
    n_rays = len(outcome.events)
    if not n_rays:
        return Told({"n_found": 0, "found": []}, ("No cosmic ray was found.",))
    n_pixels = len(np.unique(outcome.events[:, :2], axis=0))
    listed = rays_listed(cube.wavenumber, outcome)
    notes = [
        f"{n_rays} cosmic ray{'s' if n_rays > 1 else ''} in {n_pixels} pixel{'s' if n_pixels > 1 else ''} "
        f"{'were' if n_rays > 1 else 'was'} repaired."
    ]
    if min(cube.shape[:2]) == 1 and max(cube.shape[:2]) == 1 and p.compare_neighbors:
        notes.append("A single spectrum has no neighbors to compare with.")
    return Told({"n_found": n_rays, "found": listed}, tuple(notes))


def rays_listed(wavenumber: Axis, outcome: Outcome) -> list[list[float]]:
    """Return [y, x, cm-1, height] of the highest rays, in the order of the map."""
    events = outcome.events
    highest = np.sort(np.argsort(-events[:, 3], kind="stable")[:MOST_RAYS_LISTED])
    return [
        [int(y), int(x), round(float(wavenumber[int(channel)]), 2), float(f"{height:.5g}")]
        for y, x, channel, height in events[highest]
    ]


# bad pixels


def _find_bad(summary: Summary, p: BadPixels) -> Facts:
    channels = bad_pixels.bad_channels(summary.sample) if p.channels else np.zeros(1, bool)
    stated = p.saturation or float(summary.metadata.get("saturation_counts") or 0)
    return {
        "channels": [int(c) for c in np.flatnonzero(channels)],
        "level": stated or summary.maximum,
        "plateaus": not stated,
    }


def _mend(block: Intensity, wavenumber: Axis, p: BadPixels, facts: Facts) -> Treated:
    bad = np.zeros(block.shape[-1], bool)
    bad[facts["channels"]] = True
    out = bad_pixels.bridge_channels(block, bad)
    missing = ~np.isfinite(block).all(axis=2)
    saturated = ~missing & bad_pixels.saturated_pixels(
        block, facts["level"], plateaus=facts["plateaus"]
    )
    fill = (saturated & (p.saturated == "neighbors")) | (missing & (p.missing == "neighbors"))
    out[saturated] = np.nan
    filled, left = bad_pixels.fill_pixels(out, fill)
    # Kinds of pixels as events, so that those of rows beyond the block are not counted twice.
    kind = 1 * saturated + 2 * missing + 4 * (fill & ~left)
    at = np.argwhere(kind)
    events = np.column_stack([at, np.zeros(len(at)), kind[tuple(at.T)]]).reshape(-1, 4)
    return Treated(filled, events=events)


def _bad_told(cube: MapFacts, p: BadPixels, facts: Facts, outcome: Outcome) -> Told:
    kind = outcome.events[:, 3].astype(int)
    n_saturated, n_missing, n_filled = (int(((kind & bit) > 0).sum()) for bit in (1, 2, 4))
    lines = [f"{cube.wavenumber[c]:.1f}" for c in facts["channels"]]
    notes = []
    if lines:
        notes.append(f"Bridged {len(lines)} dead or hot channels: {', '.join(lines[:20])} cm-1.")
    if n_saturated:
        notes.append(f"{n_saturated} pixels are saturated (from {facts['level']:.6g}).")
    if n_missing:
        notes.append(f"{n_missing} pixels were not measured (NaN).")
    if n_saturated or n_missing:
        n_left = n_saturated + n_missing - n_filled
        notes.append(
            f"{n_filled} pixels were filled from their neighbors; {n_left} are missing (NaN)."
        )
    record = {
        "channels_found": lines,
        "n_saturated": n_saturated,
        "n_missing": n_missing,
        "n_filled": n_filled,
    }
    return Told(record, tuple(notes) or ("No bad channel and no saturated pixel was found.",))


# crop, bin and flip the map


def _window(shape: tuple[int, ...], p: CropMap) -> tuple[slice, slice]:
    n_y, n_x = shape[:2]
    if p.y >= n_y or p.x >= n_x:
        raise ParameterError(
            f"The crop begins at row {p.y}, column {p.x}; the map has {n_y} x {n_x} pixels."
        )
    return (
        slice(p.y, min(n_y, p.y + p.height) if p.height else n_y),
        slice(p.x, min(n_x, p.x + p.width) if p.width else n_x),
    )


def _crop_map(block: Intensity, wavenumber: Axis, p: CropMap, facts: Facts) -> Treated:
    return Treated(np.ascontiguousarray(block[_window(block.shape, p)]))


def _crop_map_fields(cube: MapFacts, p: CropMap, facts: Facts) -> dict[str, Any]:
    window = _window(cube.shape, p)
    (oy, ox), (dy, dx) = cube.origin, cube.spacing
    return {
        "origin": (oy + p.y * dy, ox + p.x * dx),
        "uncertainty": None if cube.uncertainty is None else cube.uncertainty[window],
        "flagged": None if cube.flagged is None else cube.flagged[window],
    }


def _crop_map_told(cube: MapFacts, p: CropMap, facts: Facts, outcome: Outcome) -> Told:
    rows, columns = _window(cube.shape, p)
    kept = f"{rows.stop - rows.start} x {columns.stop - columns.start}"
    return Told(notes=(f"Kept {kept} of {cube.shape[0]} x {cube.shape[1]} pixels.",))


def _bin(block: Intensity, wavenumber: Axis, p: Bin, facts: Facts) -> Treated:
    n_y, n_x, n_channels = block.shape
    if p.y > n_y or p.x > n_x:
        raise ParameterError(
            f"A bin of {p.y} x {p.x} pixels is larger than the map of {n_y} x {n_x}."
        )
    rows, columns = n_y // p.y, n_x // p.x
    cells = block[: rows * p.y, : columns * p.x].reshape(rows, p.y, columns, p.x, n_channels)
    good = np.isfinite(cells).all(axis=4, keepdims=True)
    total = np.where(good, cells, 0).sum(axis=(1, 3), dtype=np.float64)
    n_good = good.sum(axis=(1, 3))
    mean = np.where(n_good > 0, total / np.maximum(n_good, 1), np.nan)
    partly = float(((n_good > 0) & (n_good < p.y * p.x)).sum())
    return Treated(mean.astype(np.float32), {"partly": partly})


def _bin_fields(cube: MapFacts, p: Bin, facts: Facts) -> dict[str, Any]:
    (oy, ox), (dy, dx) = cube.origin, cube.spacing
    if not cube.pixel_size and p.y != p.x:
        raise CubeError(
            "Bins that are not square need a cube whose pixel size is known. Give it when reading."
        )
    size = (dy * p.y, dx * p.x) if cube.pixel_size else None
    return {
        "pixel_size": size,
        "zoom": cube.zoom / p.y if p.y == p.x else cube.zoom,
        "origin": (oy + (p.y - 1) / 2 * dy, ox + (p.x - 1) / 2 * dx),
    }


def _bin_told(cube: MapFacts, p: Bin, facts: Facts, outcome: Outcome) -> Told:
    n_y, n_x, _ = cube.shape
    notes = [f"{n_y // p.y} x {n_x // p.x} pixels, each the mean of {p.y} x {p.x}."]
    if n_y % p.y or n_x % p.x:
        notes.append(f"{n_y % p.y} rows and {n_x % p.x} columns at the end were left out.")
    n_partly = int(outcome.found.get("partly", 0))
    if n_partly:
        notes.append(f"{n_partly} pixels are the mean of fewer, because others were not measured.")
    return Told(notes=tuple(notes))


_TURNED = {"y": (0,), "x": (1,), "both": (0, 1)}


def _flip(block: Intensity, wavenumber: Axis, p: Flip, facts: Facts) -> Treated:
    return Treated(np.ascontiguousarray(np.flip(block, _TURNED[p.axis])))


def _flip_fields(cube: MapFacts, p: Flip, facts: Facts) -> dict[str, Any]:
    turned = _TURNED[p.axis]
    return {
        "uncertainty": None if cube.uncertainty is None else np.flip(cube.uncertainty, turned),
        "flagged": None if cube.flagged is None else np.flip(cube.flagged, turned),
    }


def _flip_told(cube: MapFacts, p: Flip, facts: Facts, outcome: Outcome) -> Told:
    which = "y and x" if p.axis == "both" else p.axis
    return Told(
        notes=(
            f"Mirrored along {which}. The origin stays: the map covers the same place, where its content now "
            "lies the other way round, so it no longer lies over the cube before.",
        )
    )


SPATIAL = (
    StepKind(
        "despike",
        Despike,
        _despike,
        "Remove cosmic rays",
        "Steep rises that no neighboring pixel has; what is found is listed",
        "neighbors",
        tell=_rays_told,
    ),
    StepKind(
        "bad-pixels",
        BadPixels,
        _mend,
        "Bad pixels and channels",
        "Dead and hot channels, saturated and unmeasured pixels",
        "neighbors",
        survey=_find_bad,
        surveys=lambda p: True,
        tell=_bad_told,
    ),
    StepKind(
        "crop-map",
        CropMap,
        _crop_map,
        "Crop the map",
        "Keep a part of the map",
        "map",
        change=_crop_map_fields,
        tell=_crop_map_told,
        keeps=True,
    ),
    StepKind(
        "bin",
        Bin,
        _bin,
        "Bin pixels",
        "Average pixels in rectangles: less resolution, less noise",
        "map",
        change=_bin_fields,
        tell=_bin_told,
    ),
    StepKind(
        "flip",
        Flip,
        _flip,
        "Flip the map",
        "Mirror the map, where a file came in the wrong way round",
        "map",
        change=_flip_fields,
        tell=_flip_told,
        keeps=True,
    ),
)
