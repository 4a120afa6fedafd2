"""Denoise a map by all that is known: what its pixels share, where they lie, how spectra look."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.engine import network as run
from napari_deeper.engine.denoise import MIN_SIDE, DenoiseParams
from napari_deeper.engine.eigenimages import EigenimageCleaner, has_space, open_cleaner
from napari_deeper.engine.mixture import network_share
from napari_deeper.processing import shot_noise
from napari_deeper.processing.shot_noise import NoiseScale
from napari_deeper.spectra.axis import Axis
from napari_deeper.spectra.errors import AxisError, CheckpointError
from napari_deeper.spectra.progress import Progress

Spectra = NDArray[np.float32]
Mask = NDArray[np.bool_]
Shrink = Callable[[Spectra, Progress], Spectra]

# A smaller share of the network would not be worth its time.
MIN_SHARE = 0.05
# Of fewer photons in each intensity, spikes of noise look like spots of a component.
MIN_PHOTONS_FOR_IMAGES = 0.05


def denoise_map(
    spectra: Spectra,
    alive: Mask,
    wavenumber: Axis,
    p: DenoiseParams,
    progress: Progress,
    notes: list[str],
) -> tuple[Spectra, dict[str, Any]]:
    """Shrink a map, allowing for shot noise and for likeness of neighbors, then mix in the network.

    What that gained on measured and simulated maps, and where it lost, is in docs/evaluation.md.

    Parameters
    ----------
    spectra
        (pixel, channel), maximum 1.
    alive
        (y, x): the pixels that the spectra are of.
    notes
        Gets sentences for the user.

    Returns
    -------
    clean, record
        (pixel, channel), and what to record.
    """
    noise = shot_noise.estimate(spectra)
    cleaner = _open_cleaner(alive, noise, p, notes)
    shrink = _shrinkage(noise, cleaner, notes)
    shared = shrink(spectra, progress.part(0.0, 0.1))
    notes.append(_describe(noise, cleaner))
    chosen = "low-rank + eigenimages" if cleaner else "low-rank"
    record: dict[str, Any] = {"chosen": f"smoothed {chosen}", "network_share": 0.0}
    record |= cleaner.record() if cleaner else {}
    try:
        network = run.open_network("resunet", wavenumber, p.model, p.device)
    except (AxisError, CheckpointError) as error:
        if p.model:
            raise
        notes.append(f"auto did without the spectral network. {error}")
        return shared, record
    progress.update(0.1, "Comparing the network with the shrunk map")
    # Asked several times, so they report nothing: a bar must not run backward.
    quiet = Progress(cancel=progress.cancel)
    share = network_share(
        spectra,
        shared,
        noise,
        lambda part: shrink(part, quiet),
        lambda part: run.denoise_spectra(network, part, p.batch_size, quiet, []),
        network.coverage.weight,
    )
    if share < MIN_SHARE:
        notes.append(
            "auto left the spectral network out: its share of least expected error is under "
            f"{MIN_SHARE:.0%} on this map."
        )
        return shared, record
    notes.append(
        f"auto mixed in {share:.0%} of the network's result, the share of least expected error."
    )
    record |= {"chosen": f"{chosen} + resunet", "network_share": share} | network.record()
    return _mix(spectra, shared, share, network, p, progress.part(0.2, 1.0), notes), record


def _open_cleaner(
    alive: Mask, noise: NoiseScale, p: DenoiseParams, notes: list[str]
) -> EigenimageCleaner | None:
    if not has_space(alive):
        notes.append(
            "auto did not compare neighboring pixels: that takes a map of at least "
            f"{MIN_SIDE} x {MIN_SIDE} spectra that vary."
        )
        return None
    if noise.photons < MIN_PHOTONS_FOR_IMAGES:
        notes.append("auto did not compare neighboring pixels: there are too few photons for it.")
        return None
    try:
        return open_cleaner(alive, p.device)
    except CheckpointError as error:
        notes.append(f"auto did not compare neighboring pixels. {error}")
        return None


def _describe(noise: NoiseScale, cleaner: EigenimageCleaner | None) -> str:
    kind = "the same everywhere" if noise.uniform else "rising with the signal (shot noise)"
    images = ", whose images a network denoised" if cleaner else ""
    return (
        f"auto: the noise was found to be {kind}; what all spectra share was kept by low-rank "
        f"shrinkage with wavelet-smoothed components{images}."
    )


def _shrinkage(noise: NoiseScale, cleaner: EigenimageCleaner | None, notes: list[str]) -> Shrink:
    def shrink(spectra: Spectra, progress: Progress) -> Spectra:
        if cleaner is None:
            return noise.shrink(spectra)
        return noise.shrink(spectra, lambda scores: cleaner.clean(scores, progress, notes))

    return shrink


def _mix(
    spectra: Spectra,
    shared: Spectra,
    share: float,
    network: run.Network,
    p: DenoiseParams,
    progress: Progress,
    notes: list[str],
) -> Spectra:
    more: list[str] = []
    clean = run.denoise_spectra(network, spectra, p.batch_size, progress, more)
    notes.extend(note for note in more if "Memory" in note)
    if not network.coverage.complete:
        gaps = ", ".join(network.coverage.gaps)
        notes.append(f"The network does not cover {gaps}: those channels were shrunk alone.")
    return np.asarray(shared + share * network.coverage.weight * (clean - shared), np.float32)
