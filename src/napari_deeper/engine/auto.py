"""Denoise a map by all that is known: what its pixels share, where they lie, how spectra look."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.engine import network as run
from napari_deeper.engine import trust
from napari_deeper.engine.denoise_params import MIN_SIDE, Denoised, DenoiseParams
from napari_deeper.engine.eigenimages import EigenimageCleaner, has_space, open_cleaner
from napari_deeper.engine.mixture import network_share
from napari_deeper.engine.shrinkage import Shrinkage, Shrunk
from napari_deeper.models.checkpoint import load
from napari_deeper.processing import shot_noise, spikes
from napari_deeper.processing.shot_noise import NoiseScale
from napari_deeper.spectra.axis import Axis
from napari_deeper.spectra.errors import AxisError, CheckpointError
from napari_deeper.spectra.progress import Progress

Spectra = NDArray[np.float32]
Mask = NDArray[np.bool_]

# A smaller share of the network would not be worth its time.
MIN_SHARE = 0.05
# Of fewer photons in each intensity, spikes of noise look like spots of a component.
MIN_PHOTONS_FOR_IMAGES = 0.05
_MAX_SPIKE_ROUNDS = 3
# Where as many hold nothing but their mean, a network could only invent.
_MIN_PIXELS_TO_SEE_NOTHING = 16


def denoise_map(
    spectra: Spectra,
    alive: Mask,
    wavenumber: Axis,
    p: DenoiseParams,
    progress: Progress,
    notes: list[str],
) -> Denoised:
    """Shrink a map, allowing for shot noise and for likeness of neighbors, then mix in the network.

    Narrow bands that this took for noise are given back, spikes are not. What that gained on
    measured and simulated maps, and where it lost, is in docs/evaluation.md.

    Parameters
    ----------
    spectra
        (pixel, channel), maximum 1.
    alive
        (y, x): the pixels that the spectra are of.
    notes
        Gets sentences for the user.
    """
    images = p.model if p.model and load(p.model).kind == "eigenimage" else ""
    if (
        images
    ):  # the user's weights are those of the images; the spectral network is the shipped one
        p = replace(p, model="")
    bridged, noise, spiked = without_spikes(spectra)
    cleaner = _open_cleaner(alive, noise, replace(p, model=images), notes)
    shrinkage = Shrinkage(noise, alive, cleaner, notes)
    shrunk = shrinkage.run(bridged, progress.part(0.0, 0.1))
    notes.append(_describe(noise, cleaner))
    clean, share, more = _with_network(
        bridged, shrunk, shrinkage, wavenumber, p, progress.part(0.1, 0.9), notes
    )
    progress.update(0.9, "Checking what was left out")
    kind = "low-rank + eigenimages" if cleaner else "low-rank"
    chosen = f"{kind} + resunet" if share else f"smoothed {kind}"
    result = trust.complete(bridged, clean, spiked, shrunk, share, shrinkage, notes)
    record: dict[str, Any] = {"chosen": chosen, "network_share": share}
    record |= cleaner.record() if cleaner else {}
    record |= more | result.record
    return Denoised(result.intensity, record, result.uncertainty, result.flagged)


def without_spikes(spectra: Spectra) -> tuple[Spectra, NoiseScale, Mask]:
    """Bridge strong spikes of one channel; return the spectra, their noise, and the pixels struck."""
    bridged, spiked = spectra, np.zeros(len(spectra), bool)
    for _ in range(_MAX_SPIKE_ROUNDS):
        noise = shot_noise.estimate(bridged)
        skewness = np.float32(1 / np.sqrt(noise.photons)) * np.ones((1, 1), np.float32)
        found = spikes.find(bridged, noise.row * noise.column, skewness)
        if not found.any():
            break
        # They raised the noise that they were measured by, so there may be more.
        bridged, spiked = spikes.bridge(bridged, found), spiked | found.any(axis=1)
    return bridged, noise, spiked


def _with_network(
    spectra: Spectra,
    shrunk: Shrunk,
    shrinkage: Shrinkage,
    wavenumber: Axis,
    p: DenoiseParams,
    progress: Progress,
    notes: list[str],
) -> tuple[Spectra, float, dict[str, Any]]:
    """Mix in the network as far as the map bears it out; return also what to record."""
    shared = shrunk.intensity
    try:
        network = run.open_network("resunet", wavenumber, p.model, p.device, p.precision)
    except (AxisError, CheckpointError) as error:
        if p.model:
            raise
        notes.append(f"auto did without the spectral network. {error}")
        return shared, 0.0, {}
    if not shrunk.fit.sizes.size and len(spectra) >= _MIN_PIXELS_TO_SEE_NOTHING:
        notes.append(
            "auto left the spectral network out: no spectrum stands out of the noise from the others."
        )
        return shared, 0.0, {}
    progress.update(0.0, "Comparing the network with the shrunk map")
    # Asked several times, so they report nothing: a bar must not run backward.
    quiet = Progress(cancel=progress.cancel)
    share = network_share(
        spectra,
        shared,
        shrinkage.noise,
        lambda part: shrinkage.run(part, quiet).intensity,
        lambda part: run.denoise_spectra(network, part, p.batch_size, quiet, []),
        network.coverage.weight,
    )
    if share < MIN_SHARE:
        notes.append(
            "auto left the spectral network out: its share of least expected error is under "
            f"{MIN_SHARE:.0%} on this map."
        )
        return shared, 0.0, {}
    notes.append(
        f"auto mixed in {share:.0%} of the network's result, the share of least expected error."
    )
    clean = _mix(spectra, shared, share, network, p, progress.part(0.1, 1.0), notes)
    return clean, share, network.record()


def _open_cleaner(
    alive: Mask, noise: NoiseScale, p: DenoiseParams, notes: list[str]
) -> EigenimageCleaner | None:
    unused = f" The weights '{p.model}' had no say." if p.model else ""
    if not has_space(alive):
        notes.append(
            "auto did not compare neighboring pixels: that takes a map of at least "
            f"{MIN_SIDE} x {MIN_SIDE} spectra that vary.{unused}"
        )
        return None
    if noise.photons < MIN_PHOTONS_FOR_IMAGES:
        notes.append(
            f"auto did not compare neighboring pixels: there are too few photons for it.{unused}"
        )
        return None
    try:
        cleaner = open_cleaner(alive, p.device, p.model, p.precision)
    except CheckpointError as error:
        if p.model:
            raise
        notes.append(f"auto did not compare neighboring pixels. {error}")
        return None
    notes.extend(cleaner.notes)
    return cleaner


def _describe(noise: NoiseScale, cleaner: EigenimageCleaner | None) -> str:
    kind = "the same everywhere" if noise.uniform else "rising with the signal (shot noise)"
    images = ", whose images a network denoised" if cleaner else ""
    return (
        f"auto: the noise was found to be {kind}; what all spectra share was kept by low-rank "
        f"shrinkage with wavelet-smoothed components{images}."
    )


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
