"""What denoising must know of a whole map before it can go through it in windows."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from napari_deeper.engine.denoise import denoise
from napari_deeper.engine.denoise_params import DenoiseParams
from napari_deeper.engine.large_files import sample_of
from napari_deeper.engine.tile_passes import Arrays, Parts, TilePasses
from napari_deeper.engine.work_folder import WorkFolder
from napari_deeper.io.zarr_rows import StoredCube, Tile
from napari_deeper.processing import low_rank_sums, smoothing
from napari_deeper.processing.low_rank_sums import Projection
from napari_deeper.processing.moments import Moments, moments, no_moments
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import CubeError
from napari_deeper.spectra.progress import Progress
from napari_deeper.spectra.provenance import Step

Survey = Callable[[WorkFolder, Progress], None]

# Methods that take what all pixels of the map share.
_SHARED = ("low-rank", "pca")
_FOUND, _SMOOTHING = "shared.npz", "smoothing.json"


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
    """Find what the pixels of the whole map share."""
    if work.has(_FOUND):
        return
    passes = TilePasses(stored, Parts(work), progress)

    def treat(tile: Tile) -> Arrays:
        spectra = passes.spectra(tile)
        spread = np.ptp(spectra, axis=1)
        varies = (spread > 0) & np.isfinite(spread)  # NaN is told where windows are made
        return moments(spectra[varies], double=True).arrays()

    def join(first: Arrays, second: Arrays) -> Arrays:
        return Moments.from_arrays(first).joined(Moments.from_arrays(second)).arrays()

    total = no_moments(stored.shape[2])
    for _, part in passes.run("sums", treat, join, "Finding what the pixels share", 1.0):
        total = total.joined(Moments.from_arrays(part))
    if not total.n_pixels:
        raise CubeError("Every spectrum is constant, so there is no signal to work on.")
    shared = (
        low_rank_sums.shrinkage(total)
        if p.method == "low-rank"
        else low_rank_sums.principal(total, p.n_components)
    )
    work.save_arrays(_FOUND, mean=shared.mean, basis=shared.basis, gains=shared.gains)


def _choose_smoothing(stored: StoredCube, work: WorkFolder) -> None:
    """Choose the smoothing for the whole map from blocks spread over it."""
    if work.has(_SMOOTHING):
        return
    spectra = sample_of(stored).spectra
    spectra = spectra[np.ptp(spectra, axis=1) > 0]  # which NaN are not either
    window, order = (
        smoothing.best_savgol(spectra / np.abs(spectra).max()) if len(spectra) else (5, 2)
    )
    work.save_facts(_SMOOTHING, {"window": int(window), "polyorder": int(order)})
