"""Measured data to train on: the published layout of files, or a folder of pairs of cubes.

Whichever it is, it ends as a `SpectraSet` (to denoise) or a `CubeSet` (to super-resolve), on the
axis of the network.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.io.matlab import MatArray, list_arrays
from napari_deeper.io.read import read, readable_suffixes
from napari_deeper.io.text_stream import TEXT
from napari_deeper.processing.resample import covered, resample
from napari_deeper.spectra.axis import Axis, check_wavenumber
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import AxisError, CubeError, FileError
from napari_deeper.training.datasets import CubeSet, Pair, SpectraSet

# How `read` is to read cubes that do not state everything: its own keywords.
Reading = Mapping[str, Any]

_ROWS = ("Inputs.mat", "Outputs.mat")
_IDS = "Image_IDs.csv"
_SIDES = ("low", "high")
_KEYS = {"Inputs.mat": ("Inputs", "data"), "Outputs.mat": ("Outputs", "data")}
# The published files store no axis; the paper crops to this range.
_PUBLISHED_RANGE = (600.0, 1800.0)
_N_CHANNELS = 500


def open_spectra(folder: Path, axis: Axis | None, reading: Reading) -> SpectraSet:
    """Read pairs of spectra to denoise.

    Parameters
    ----------
    folder
        Holds ``Inputs.mat`` and ``Outputs.mat``, or the folders ``low`` and ``high``.
    axis
        Of the network, or None for 500 channels of what the data have in common.
    reading
        Keywords of `napari_deeper.read`; of a .mat layout, which states no axis, its ``wavenumber``.

    Raises
    ------
    FileError, CubeError, AxisError
        Naming the file and what is wrong with it.
    """
    kind = _kind(folder)
    if kind == "images":
        raise FileError(
            f"{folder} holds images without noisy partners ({_IDS}): a denoiser needs "
            "Inputs.mat and Outputs.mat, or low/ and high/."
        )
    if kind == "pairs":
        cubes = _open_pairs(folder, axis, reading)
        return _spectra_of(cubes)
    low, high = (_rows(folder / name) for name in _ROWS)
    if low.shape != high.shape:
        raise FileError(
            f"Inputs.mat has {low.shape} rows and channels and Outputs.mat {high.shape} in "
            f"{folder}: row i of one must be the partner of row i of the other."
        )
    source = _stated_axis(reading, low.shape[1], "Inputs.mat")
    target = _target_axis([source], axis)
    low, high = (resample(part, source, target) for part in (low, high))
    about = {"layout": "Inputs.mat and Outputs.mat", "n_spectra": len(low)}
    return SpectraSet(low, high, target, np.zeros(len(low), np.int64), about)


def open_cubes(folder: Path, axis: Axis | None, reading: Reading) -> CubeSet:
    """Find cubes to super-resolve; each is read when it is needed.

    Parameters
    ----------
    folder
        Holds ``Image_IDs.csv`` and its ``<id>.mat``, or the folders ``low`` and ``high``.
    axis, reading
        As in `open_spectra`.

    Raises
    ------
    FileError, CubeError, AxisError
        Naming the file and what is wrong with it.
    """
    kind = _kind(folder)
    if kind == "rows":
        raise FileError(
            f"{folder} holds single spectra (Inputs.mat): super-resolution needs images, "
            f"{_IDS} and its .mat files, or low/ and high/."
        )
    if kind == "pairs":
        return _open_pairs(folder, axis, reading)
    found = [(name, _image(folder / f"{name}.mat")) for name in _ids(folder / _IDS)]
    name, n_channels = found[0][0], found[0][1][1].shape[2]
    for other, (_, array) in found:
        if array.shape[2] != n_channels:
            raise CubeError(
                f"{other}.mat has {array.shape[2]} channels, {name}.mat {n_channels}; all images "
                "must share their axis."
            )
    for other, (key, array) in found:  # now, and not in the middle of a long run
        _finite(array.load(), f"{other}.mat", key)
    source = _stated_axis(reading, n_channels, f"{name}.mat")
    target = _target_axis([source], axis)

    def loader(array: MatArray) -> Callable[[], Pair]:
        def load() -> Pair:
            cube = resample(np.ascontiguousarray(array.load()), source, target)
            return cube, cube

        return load

    about = {"layout": _IDS, "n_images": len(found)}
    loaders = tuple(loader(array) for _, (_, array) in found)
    return CubeSet(loaders, target, about)


def _kind(folder: Path) -> str:
    if not folder.is_dir():
        raise FileError(f"{folder} is no folder. Give the folder that holds the training data.")
    names = {path.name for path in folder.iterdir()}
    for kind, needed in (("rows", _ROWS), ("images", (_IDS,)), ("pairs", _SIDES)):
        present = names.intersection(needed)
        if present and len(present) < len(needed):
            missing = next(name for name in needed if name not in names)
            raise FileError(f"{folder} holds {present.pop()} but no {missing}; both are needed.")
        if present:
            return kind
    holds = ", ".join(sorted(names)[:5]) or "nothing"
    raise FileError(
        f"{folder} holds no training data: neither Inputs.mat and Outputs.mat, nor {_IDS}, nor "
        f"the folders low and high. It holds {holds}."
    )


def _rows(path: Path) -> NDArray[np.float32]:
    """Return the rows (n, channel) of a file of spectra."""
    arrays = list_arrays(path)
    key = next((key for key in _KEYS[path.name] if key in arrays), None)
    if key is None:
        raise FileError(
            f"{path.name} has neither '{_KEYS[path.name][0]}' nor 'data'; it holds "
            f"{', '.join(arrays) or 'no array of numbers'}. Rename the variable in MATLAB."
        )
    if len(arrays[key].shape) != 2 or min(arrays[key].shape) < 1:
        raise FileError(
            f"{path.name}: '{key}' has the shape {arrays[key].shape}; it must be (n, channel)."
        )
    return _finite(arrays[key].load(), path.name, key)


def _image(path: Path) -> tuple[str, MatArray]:
    """Return the name and the array of the first variable of a file, which must be a cube."""
    arrays = list_arrays(path)
    if not arrays:
        raise FileError(f"{path.name} holds no array of numbers; it must hold one (y, x, channel).")
    key, array = next(iter(arrays.items()))
    if len(array.shape) != 3 or min(array.shape) < 1:
        raise FileError(
            f"{path.name}: its first variable '{key}' has the shape {array.shape}; it must be "
            "(y, x, channel)."
        )
    return key, array


def _ids(path: Path) -> list[str]:
    with path.open(newline="", encoding="utf-8-sig") as stream:
        table = csv.DictReader(stream)
        columns = table.fieldnames or []
        if "id" not in columns:
            raise FileError(
                f"{path.name} has no column 'id'; its columns are {', '.join(columns) or 'none'}."
            )
        names = [(row["id"] or "").strip().removesuffix(".mat") for row in table]
    names = [name for name in names if name]
    if not names:
        raise FileError(f"{path.name} names no image: its column 'id' is empty.")
    return names


def _finite(values: NDArray[np.float32], name: str, key: str) -> NDArray[np.float32]:
    bad = ~np.isfinite(values).all(axis=-1)
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        where = f"row {place[0]}" if len(place) == 1 else f"pixel y={place[0]}, x={place[1]}"
        raise FileError(
            f"{name}: '{key}' holds NaN, infinity or what float32 cannot hold, first in {where} "
            f"({int(bad.sum())} of {bad.size} spectra). Remove those, or mend them."
        )
    return np.ascontiguousarray(values)


def _stated_axis(reading: Reading, n_channels: int, name: str) -> Axis:
    """Return the axis that the caller states for files without one, else the published range."""
    given = reading.get("wavenumber")
    if given is None:
        if n_channels != _N_CHANNELS:
            raise AxisError(
                f"{name} states no wavenumber axis, and its {n_channels} channels are not the "
                f"published {_N_CHANNELS}. Pass wavenumber= (--wavenumbers FIRST:LAST)."
            )
        given = _PUBLISHED_RANGE
    values = np.asarray(given, dtype=np.float64)
    if values.shape == (2,) and n_channels != 2:
        values = np.linspace(values[0], values[1], n_channels)
    return check_wavenumber(values, n_channels)


def _target_axis(sources: list[Axis], axis: Axis | None) -> Axis:
    """Return the axis of the network, having checked that all data reach over it."""
    if axis is None:
        if len(sources[0]) == _N_CHANNELS and all(np.array_equal(s, sources[0]) for s in sources):
            return sources[0]
        first, last = max(s[0] for s in sources), min(s[-1] for s in sources)
        if first >= last:
            raise AxisError("The cubes have no range of wavenumbers in common.")
        axis = np.linspace(first, last, _N_CHANNELS)
    for source in sources:
        if not covered(source, axis).all():
            raise AxisError(
                f"The data run from {source[0]:.0f} to {source[-1]:.0f} cm-1, the network from "
                f"{axis[0]:.0f} to {axis[-1]:.0f}: they must cover it."
            )
    return axis


def _open_pairs(folder: Path, axis: Axis | None, reading: Reading) -> CubeSet:
    names = _pair_names(folder)
    sources = []
    for low, high in names:
        low_cube, high_cube = _read(low, reading), _read(high, reading)
        if low_cube.shape != high_cube.shape:
            raise CubeError(
                f"low/{low.name} has the shape {low_cube.shape} and high/{high.name} "
                f"{high_cube.shape}; a pair must be of the same field."
            )
        if not np.allclose(low_cube.wavenumber, high_cube.wavenumber, rtol=0, atol=0.5):
            raise AxisError(
                f"low/{low.name} and high/{high.name} have different wavenumber axes; resample one "
                "to the other."
            )
        sources.append(low_cube.wavenumber)
    target = _target_axis(sources, axis)

    def loader(low: Path, high: Path) -> Callable[[], Pair]:
        def one(path: Path) -> NDArray[np.float32]:
            cube = _read(path, reading)
            return resample(np.asarray(cube.intensity), cube.wavenumber, target)

        return lambda: (one(low), one(high))

    about = {"layout": "low/ and high/", "n_images": len(names)}
    return CubeSet(tuple(loader(low, high) for low, high in names), target, about, paired=True)


def _pair_names(folder: Path) -> list[tuple[Path, Path]]:
    sides = []
    for side in _SIDES:
        if not (folder / side).is_dir():
            raise FileError(f"{folder / side} is no folder.")
        # a table of text beside the cubes is more often about them than one of them
        suffixes = [s for s in readable_suffixes() if not s.startswith(TEXT)]
        paths = [p for p in (folder / side).iterdir() if p.suffix.lower() in suffixes]
        if not paths:
            raise FileError(f"{folder / side} holds no cube; they are {', '.join(suffixes)}.")
        sides.append({path.stem: path for path in paths})
    low, high = sides
    alone = sorted(set(low) ^ set(high))
    if alone:
        side = "high" if alone[0] in low else "low"
        raise FileError(
            f"'{alone[0]}' has no partner of the same name in {folder / side} "
            f"({len(alone)} such). Every cube in low/ needs one in high/."
        )
    return [(low[stem], high[stem]) for stem in sorted(low)]


def _read(path: Path, reading: Reading) -> RamanCube:
    cube = read(path, **reading)
    _finite(np.asarray(cube.intensity), f"{path.parent.name}/{path.name}", "intensity")
    return cube


def _spectra_of(cubes: CubeSet) -> SpectraSet:
    """Return the pixels of pairs as pairs of spectra, which of them share a cube, and the axis."""
    low, high, group = [], [], []
    for i in range(len(cubes)):
        pair = cubes[i]
        n_channels = pair[0].shape[-1]
        low.append(pair[0].reshape(-1, n_channels))
        high.append(pair[1].reshape(-1, n_channels))
        group.append(np.full(len(low[-1]), i))
    about = {**cubes.about, "n_spectra": sum(len(part) for part in low)}
    rows = (np.concatenate(low), np.concatenate(high))
    return SpectraSet(*rows, cubes.wavenumber, np.concatenate(group), about)
