"""Heatmaps of cubes that stay on disk, tile by tile: only the chunks of the band are read."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from napari_deeper.engine.heatmap import (
    Heatmap,
    HeatmapParams,
    heatmap,
    heatmap_of,
    spec_of,
)
from napari_deeper.io import zarr_levels
from napari_deeper.io.read import read
from napari_deeper.io.zarr_levels import StoredLevels, open_levels
from napari_deeper.processing.band_maps import (
    PLACES,
    BandSpec,
    Image,
    Limits,
    band_map,
    channels_of,
    denominator,
    divide,
    window_of,
)
from napari_deeper.processing.threads import in_threads
from napari_deeper.spectra import params as settings_of
from napari_deeper.spectra.axis import Axis
from napari_deeper.spectra.progress import Progress

Tile = tuple[slice, slice]
SIDE = 256  # pixels of a tile: a few columns of chunks, so that a cancel is heard soon


def heatmap_file(
    path: str | PathLike[str],
    params: HeatmapParams | None = None,
    *,
    reading: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Heatmap:
    """Measure a band in every pixel of a cube in a file; a large Zarr store is read tile by tile.

    Parameters
    ----------
    path
        As `napari_deeper.read` takes it.
    params, settings
        As `heatmap` takes them.
    reading
        Keywords of `napari_deeper.read`.
    progress
        Gets reports, and may cancel between tiles.

    Raises
    ------
    DeeperError
        As `read` and `heatmap` do.
    """
    p = settings_of.make(HeatmapParams, params, settings)
    given = {key: value for key, value in (reading or {}).items() if value is not None}
    stored = open_levels(Path(path)) if Path(path).suffix.lower() == ".zarr" else None
    if given or stored is None or stored.n_bytes < zarr_levels.STORED_FROM_BYTES:
        return heatmap(read(path, **given), p)
    spec = spec_of(p)
    image = np.full(stored.shape[:2], np.nan, np.float32)
    for tile, values in measure_tiles(stored, spec, progress or Progress()):
        image[tile] = values
    return heatmap_of(image, spec, stored.pixel())


def measure_tiles(
    stored: StoredLevels,
    spec: BandSpec,
    progress: Progress,
    near: tuple[float, float] | None = None,
    at_once: int | None = None,
) -> Iterator[tuple[Tile, Image]]:
    """Yield each tile (rows, columns) with what the spec measures there, as they are done.

    Parameters
    ----------
    stored
        The cube.
    spec
        What to measure.
    progress
        Gets reports, and may cancel between tiles.
    near
        Pixel (row, column) to begin at.
    at_once
        How many tiles are measured at once, if not as many as there are cores.

    Raises
    ------
    AxisError
        If a band lies outside the axis, or reaches its end where a baseline is wanted.
    FileError
        If chunks are missing or damaged.
    """
    axis = stored.pixel().wavenumber
    for limits in _bands(spec):
        window_of(axis, spec, limits)  # what cannot be measured is told before anything is read
    tiles = _tiles(stored.shape[:2])
    if near is not None:
        y, x = near
        tiles.sort(key=lambda t: np.hypot(t[0].start + SIDE / 2 - y, t[1].start + SIDE / 2 - x))
    yield from in_threads(
        lambda tile: _measure(stored, axis, spec, tile),
        tiles,
        progress,
        "Measuring the band",
        at_once,
    )


def _measure(stored: StoredLevels, axis: Axis, spec: BandSpec, tile: Tile) -> Image:
    plain = dataclasses.replace(spec, over=None)
    part = channels_of(axis, spec, (spec.low, spec.high), with_noise=spec.measure in PLACES)
    image = band_map(*_read(stored, part, tile, axis, plain))
    if spec.over is None:
        return image
    part = channels_of(axis, spec, spec.over, with_noise=True)
    return divide(image, denominator(*_read(stored, part, tile, axis, spec)))


def _read(
    stored: StoredLevels, channels: slice, tile: Tile, axis: Axis, spec: BandSpec
) -> tuple[Image, Axis, BandSpec, Image | None]:
    """Return intensity (y, x, channel), axis, spec and uncertainty of a few channels of a tile."""
    sigma = stored.trust.get("uncertainty")
    parts = [
        np.moveaxis(array.read((channels, *tile)), 0, 2)
        for array in (stored.levels[0], *([sigma] if sigma else []))
    ]
    return parts[0], axis[channels], spec, parts[1] if sigma else None


def _bands(spec: BandSpec) -> list[Limits]:
    return [(spec.low, spec.high), *([spec.over] if spec.over else [])]


def _tiles(shape: tuple[int, ...]) -> list[Tile]:
    return [
        (slice(y, min(y + SIDE, shape[0])), slice(x, min(x + SIDE, shape[1])))
        for y in range(0, shape[0], SIDE)
        for x in range(0, shape[1], SIDE)
    ]
