"""Read regions from a file: labels as .npz, outlines as .csv (napari's own table of shapes too)."""

from __future__ import annotations

import csv
import zipfile
from os import PathLike
from pathlib import Path

import numpy as np

from napari_deeper.spectra.cube import Pair, RamanCube
from napari_deeper.spectra.errors import CubeError, DeeperError, FileError
from napari_deeper.spectra.regions import NO_AREA, Region, region_of_shape, regions_of_labels


def read_regions(path: str | PathLike[str], like: RamanCube) -> tuple[Region, ...]:
    """Read regions of interest.

    Parameters
    ----------
    path
        ``.npz`` with ``labels`` (y, x) of whole numbers, 0 outside, and where they do not have the pixels
        of ``like`` also ``spacing`` (dy, dx) and ``origin`` (y, x). Or ``.csv`` with a row for each
        corner: columns ``name``, ``y``, ``x``, or a table of shapes as napari saves it (``index``,
        ``shape-type``, ``vertex-index``, ``axis-0``, ...; the last two axes count), in the unit of
        ``like``.
    like
        The cube that the regions belong to.

    Raises
    ------
    FileError
        If the file is missing, or is none of these.
    """
    source = Path(path)
    if not source.is_file():
        raise FileError(f"{source} does not exist, so there are no regions to read.")
    readers = {".npz": _read_labels, ".csv": _read_outlines}
    reader = readers.get(source.suffix.lower())
    if reader is None:
        raise FileError(f"{source}: regions are read from .npz (labels) or .csv (outlines).")
    try:
        found = reader(source, like)
    except DeeperError as error:
        raise FileError(f"{source}: {error}") from error
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, csv.Error) as error:
        raise FileError(f"{source} does not hold regions: {str(error).splitlines()[0]}") from error
    if not found:
        raise FileError(f"{source} holds no region.")
    return found


def _read_labels(path: Path, like: RamanCube) -> tuple[Region, ...]:
    with np.load(path, allow_pickle=False) as archive:
        if "labels" not in archive:
            raise CubeError("there is no array 'labels' (y, x) in it.")
        labels = archive["labels"]
        spacing = _pair(archive["spacing"]) if "spacing" in archive else None
        origin = _pair(archive["origin"]) if "origin" in archive else None
    if spacing is None and labels.shape != like.shape[:2]:
        raise CubeError(
            f"the labels are {labels.shape} and '{like.name}' {like.shape[:2]} pixels (y, x). Save with "
            "them 'spacing' (dy, dx) and 'origin' (y, x)."
        )
    return regions_of_labels(
        labels, origin=origin or like.origin, spacing=spacing or like.spacing, unit=like.length_unit
    )


def _pair(values: np.ndarray) -> Pair:
    first, second = np.asarray(values, dtype=np.float64).ravel()
    return float(first), float(second)


def _read_outlines(path: Path, like: RamanCube) -> tuple[Region, ...]:
    with path.open(newline="", encoding="utf-8-sig") as stream:
        rows = list(csv.DictReader(stream))
    if not rows:
        return ()
    columns = [name for name in rows[0] if name]
    axes = sorted((name for name in columns if name.startswith("axis-")), key=_number)
    place = ("y", "x") if {"y", "x"} <= set(columns) else tuple(axes[-2:])
    key = next((name for name in ("name", "index") if name in columns), None)
    if key is None or len(place) < 2:
        raise CubeError(
            "its columns must be name, y, x, or those of a table of shapes from napari."
        )
    corners: dict[str, list[tuple[float, float]]] = {}
    kinds: dict[str, str] = {}
    for row in rows:
        name = f"ROI {int(float(row[key])) + 1}" if key == "index" else row[key].strip()
        corners.setdefault(name, []).append((float(row[place[0]]), float(row[place[1]])))
        kinds[name] = row.get("shape-type") or "polygon"
    return tuple(
        region_of_shape(name, kinds[name], np.array(corners[name]), like.length_unit)
        for name in corners
        if kinds[name] not in NO_AREA
    )


def _number(name: str) -> int:
    return int(name.removeprefix("axis-"))
