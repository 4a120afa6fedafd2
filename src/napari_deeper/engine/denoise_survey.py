"""What denoising must know of a whole map before it can go through it in windows."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from napari_deeper.engine.denoise import DenoiseParams, denoise
from napari_deeper.engine.window_run import window_side
from napari_deeper.engine.work_folder import WorkFolder
from napari_deeper.io.zarr_rows import StoredCube
from napari_deeper.processing import low_rank_sums, smoothing
from napari_deeper.processing.low_rank_sums import Projection
from napari_deeper.processing.reduction import Moments, merged, moments
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import CubeError
from napari_deeper.spectra.progress import Progress
from napari_deeper.spectra.provenance import Step

Survey = Callable[[WorkFolder, Progress], None]

# Methods that take what all pixels of the map share.
_SHARED = ("low-rank", "pca")
_SUMS, _FOUND, _SMOOTHING = "sums-{:06d}.npz", "shared.npz", "smoothing.json"
# The smoothing is chosen on so many blocks along each side, of so many pixels a side.
_N_BLOCKS, _BLOCK = 4, 16


def survey_of(stored: StoredCube, p: DenoiseParams) -> Survey | None:
    """Return what looks at the whole map before its windows are made, or None if the method needs no such thing."""
    if p.method in _SHARED:
        return lambda work, progress: _find_shared(stored, p, work, progress)
    if p.method == "savgol" and not p.window:
        return lambda work, progress: _choose_smoothing(stored, work)
    return None


def denoise_window(
    cube: RamanCube, p: DenoiseParams, work: WorkFolder, progress: Progress
) -> RamanCube:
    """Denoise a window by what the survey found, or by itself where there was none."""
    if p.method in _SHARED:
        return _project(cube, p, work)
    if p.method == "savgol" and not p.window:
        found = work.facts(_SMOOTHING)
        chosen = dataclasses.replace(p, window=found["window"], polyorder=found["polyorder"])
        return _told(denoise(cube, chosen, progress=progress), found)
    return denoise(cube, p, progress=progress)


def _project(cube: RamanCube, p: DenoiseParams, work: WorkFolder) -> RamanCube:
    found = work.arrays(_FOUND)
    shared = Projection(found["mean"], found["basis"], found["gains"])
    spectra = cube.spectra
    varies = np.ptp(spectra, axis=1) > 0
    out = spectra.copy()
    out[varies] = shared.apply(spectra[varies])
    n_kept = len(shared.gains)
    notes = [f"PCA kept the mean spectrum and {n_kept} components."] if p.method == "pca" else []
    step = Step("denoise", {"chosen": p.method, "n_components_kept": n_kept}, tuple(notes))
    return cube.derive(out.reshape(cube.shape), step)


def _told(result: RamanCube, found: Mapping[str, int]) -> RamanCube:
    step = result.provenance[-1]
    note = f"Savitzky-Golay: window {found['window']} and order {found['polyorder']} were chosen."
    said = dataclasses.replace(step, notes=(note, *step.notes))
    return dataclasses.replace(result, provenance=(*result.provenance[:-1], said))


def _find_shared(
    stored: StoredCube, p: DenoiseParams, work: WorkFolder, progress: Progress
) -> None:
    """Find what the pixels of the whole map share; the sums of finished rows of blocks are kept."""
    if work.has(_FOUND):
        return
    n_y, n_x, n_channels = stored.shape
    side = window_side(n_channels, 1)
    starts = range(0, n_y, side)
    total: Moments | None = None
    for number, y in enumerate(starts):
        name = _SUMS.format(number)
        if not work.has(name):
            row: Moments | None = None
            for x in range(0, n_x, side):
                progress.update((number + x / n_x) / len(starts), "Finding what the pixels share")
                block = stored.read((slice(y, min(y + side, n_y)), slice(x, min(x + side, n_x))))
                row = _add(row, block.reshape(-1, n_channels))
            _save_sums(work, name, row)
        total = _both(total, _saved_sums(work, name))
    if total is None:
        raise CubeError("Every spectrum is constant, so there is no signal to work on.")
    shared = (
        low_rank_sums.shrinkage(total)
        if p.method == "low-rank"
        else low_rank_sums.principal(total, p.n_components)
    )
    work.save_arrays(_FOUND, mean=shared.mean, basis=shared.basis, gains=shared.gains)


def _add(total: Moments | None, spectra: NDArray[np.float32]) -> Moments | None:
    varies = np.ptp(spectra, axis=1) > 0  # NaN does not, and is told where the windows are made
    if not varies.any():
        return total
    return _both(total, moments(spectra[varies].astype(np.float64)))


def _both(first: Moments | None, second: Moments | None) -> Moments | None:
    if first is None or second is None:
        return first or second
    return merged(first, second)


def _save_sums(work: WorkFolder, name: str, sums: Moments | None) -> None:
    if sums is None:
        work.save_arrays(name, n=np.array(0))
        return
    rounding = np.array(sums.rounding)
    n = np.array(sums.n_pixels)
    work.save_arrays(name, n=n, mean=sums.mean, scatter=sums.scatter, rounding=rounding)


def _saved_sums(work: WorkFolder, name: str) -> Moments | None:
    found = work.arrays(name)
    n = int(found["n"])
    return Moments(found["mean"], found["scatter"], n, float(found["rounding"])) if n else None


def _choose_smoothing(stored: StoredCube, work: WorkFolder) -> None:
    """Choose the smoothing for the whole map from blocks spread over it."""
    if work.has(_SMOOTHING):
        return
    n_y, n_x, n_channels = stored.shape
    blocks = []
    for fy, fx in np.ndindex(_N_BLOCKS, _N_BLOCKS):
        y, x = (int(f / (_N_BLOCKS - 1) * max(0, n - _BLOCK)) for f, n in ((fy, n_y), (fx, n_x)))
        blocks.append(stored.read((slice(y, y + _BLOCK), slice(x, x + _BLOCK))))
    spectra = np.concatenate([block.reshape(-1, n_channels) for block in blocks])
    spectra = spectra[np.ptp(spectra, axis=1) > 0]  # which NaN are not either
    window, order = (
        smoothing.best_savgol(spectra / np.abs(spectra).max()) if len(spectra) else (5, 2)
    )
    work.save_facts(_SMOOTHING, {"window": int(window), "polyorder": int(order)})
