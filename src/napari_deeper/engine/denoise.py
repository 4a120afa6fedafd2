"""Denoise a cube."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.engine.denoise_params import MIN_CHANNELS, Denoised, DenoiseParams
from napari_deeper.processing import low_rank, smoothing
from napari_deeper.spectra import params as settings_of
from napari_deeper.spectra.cube import RamanCube, require_signal
from napari_deeper.spectra.errors import CubeError, ParameterError
from napari_deeper.spectra.progress import Progress
from napari_deeper.spectra.provenance import Step

Spectra = NDArray[np.float32]
Mask = NDArray[np.bool_]

_CHUNK = 4096


def denoise(
    cube: RamanCube,
    params: DenoiseParams | None = None,
    *,
    progress: Progress | None = None,
    **settings: Any,
) -> RamanCube:
    """Denoise a cube; its intensities keep their scale.

    Parameters
    ----------
    cube
        Any axis and size; it is not changed.
    params
        All settings at once.
    progress
        Gets reports, and may cancel the run between batches.
    settings
        Single settings by name, for example ``method="low-rank"``; they override ``params``.

    Returns
    -------
    RamanCube
        Same shape and axis. Its last step records what was chosen and what the user should know.
        Spectra that do not vary are returned as they are. ``method="auto"`` gives the uncertainty
        of each intensity, and flags the pixels where what was taken off does not look like noise.

    Raises
    ------
    CubeError
        If the cube holds NaN, infinities or no signal, or has fewer than eight channels.
    ParameterError
        For a setting that does not fit.
    AxisError, CheckpointError
        If the network does not fit the cube, or its weights cannot be read.
    """
    p = settings_of.make(DenoiseParams, params, settings)
    check_denoise(cube, p)
    require_signal(cube)
    progress = progress or Progress()
    progress.update(0.0, "Denoising")
    spectra = cube.spectra
    varies = np.ptp(spectra, axis=1) > 0
    notes: list[str] = []
    # Squares of very large or small intensities would leave float32; at a maximum of 1 they cannot.
    unit = np.float32(np.abs(spectra).max())
    alive = varies.reshape(cube.shape[:2])
    result = _run(spectra[varies] / unit, alive, cube, p, progress, notes)
    out = spectra.copy()
    out[varies] = result.intensity * unit
    n_flat = int((~varies).sum())
    if n_flat:
        notes.append(
            f"{n_flat} spectra do not vary (all zero or constant) and were left as they are."
        )
    progress.update(1.0, "Denoised")
    step = Step("denoise", settings_of.to_json(p) | result.record, tuple(dict.fromkeys(notes)))
    return cube.derive(out.reshape(cube.shape), step, **_trust(result, alive, unit))


def _trust(result: Denoised, alive: Mask, unit: np.float32) -> dict[str, Any]:
    """Return the uncertainty and the flags as a cube holds them; pixels that are flat have neither."""
    trust: dict[str, Any] = {}
    if result.uncertainty is not None:
        trust["uncertainty"] = np.zeros((*alive.shape, result.uncertainty.shape[1]), np.float32)
        trust["uncertainty"][alive] = result.uncertainty * unit
    if result.flagged is not None:
        trust["flagged"] = np.zeros(alive.shape, bool)
        trust["flagged"][alive] = result.flagged
    return trust


def check_denoise(cube: RamanCube, p: DenoiseParams) -> None:
    """Raise what `denoise` would raise before it starts, as far as it costs nothing to find out."""
    n_channels = cube.shape[2]
    if n_channels < MIN_CHANNELS:
        raise CubeError(
            f"The cube has {n_channels} channel{'s' if n_channels != 1 else ''}; denoising compares "
            f"neighboring channels and needs at least {MIN_CHANNELS}."
        )
    if p.method == "savgol" and p.window and (p.window % 2 == 0 or p.window <= p.polyorder):
        raise ParameterError(
            f"window is {p.window}; it must be odd and larger than polyorder ({p.polyorder}), or 0 "
            "to be chosen."
        )


def _run(
    spectra: Spectra,
    alive: Mask,
    cube: RamanCube,
    p: DenoiseParams,
    progress: Progress,
    notes: list[str],
) -> Denoised:
    """Denoise (pixel, channel) spectra of maximum 1, those of the pixels (y, x) that are alive."""
    if p.method == "resunet":
        return _by_network(spectra, cube, p, progress, notes)
    if p.method == "auto":
        from napari_deeper.engine.auto import denoise_map

        return denoise_map(spectra, alive, cube.wavenumber, p, progress, notes)
    record: dict[str, Any] = {"chosen": p.method}
    if p.method == "low-rank":
        if len(spectra) < 16:
            notes.append(
                f"The map has {len(spectra)} spectra: too few to tell what they share from their "
                "noise. Another method removes more."
            )
        return Denoised(low_rank.shrink(spectra), record)
    if p.method == "pca":
        n_kept = p.n_components or low_rank.count_components(spectra)
        n_kept = min(n_kept, *spectra.shape)
        notes.append(f"PCA kept the mean spectrum and {n_kept} components.")
        return Denoised(low_rank.pca(spectra, n_kept), record | {"n_components_kept": n_kept})
    if p.method == "savgol":
        window, order = p.window, p.polyorder
        if not window:
            window, order = smoothing.best_savgol(spectra)
            notes.append(f"Savitzky-Golay: window {window} and order {order} were chosen.")
        record |= {"window_used": window, "polyorder_used": order}
        filtered = _in_chunks(lambda s: smoothing.savgol(s, window, order), spectra, progress)
        return Denoised(filtered, record)
    return Denoised(_in_chunks(smoothing.wavelet, spectra, progress), record)


def _by_network(
    spectra: Spectra, cube: RamanCube, p: DenoiseParams, progress: Progress, notes: list[str]
) -> Denoised:
    from napari_deeper.engine import network as run

    network = run.open_network("resunet", cube.wavenumber, p.model, p.device, p.precision)
    clean = run.denoise_spectra(network, spectra, p.batch_size, progress, notes)
    return Denoised(clean, {"chosen": "resunet"} | network.record())


def _in_chunks(
    method: Callable[[Spectra], Spectra], spectra: Spectra, progress: Progress
) -> Spectra:
    out = np.empty_like(spectra)
    for start in range(0, len(spectra), _CHUNK):
        progress.update(start / len(spectra), f"Denoising spectrum {start + 1} of {len(spectra)}")
        out[start : start + _CHUNK] = method(spectra[start : start + _CHUNK])
    return out
