"""What makes a result trustworthy: lost bands given back, the rest checked, the error estimated."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_deeper.engine.denoise_params import Denoised
from napari_deeper.engine.shrinkage import Shrinkage, Shrunk
from napari_deeper.processing import lost_bands, residual, shot_noise
from napari_deeper.processing.lost_bands import Found, NoiseTail
from napari_deeper.processing.uncertainty import follow_signal

Spectra = NDArray[np.float32]
Mask = NDArray[np.bool_]

# Above this many bytes of uncertainty there is none: the map may not fit into memory with it.
MAX_BYTES = 512 * 2**20
# Errors have heavier tails than normal ones: 68 % lie within a little less than their deviation.
_PART = np.float32(0.93)


def complete(
    spectra: Spectra,
    clean: Spectra,
    spiked: Mask,
    shrunk: Shrunk,
    share: float,
    shrinkage: Shrinkage,
    notes: list[str],
) -> Denoised:
    """Give lost bands back to a denoised map, check what is left, and estimate the error.

    Parameters
    ----------
    spectra, clean
        (pixel, channel): as measured but without strong spikes, and denoised.
    spiked
        (pixel,): where there was one.
    shrunk, share
        What the denoised map was made of: the shrunk map, and the share of the network in it.
    notes
        Gets sentences for the user.
    """
    noise = shot_noise.of_residual(spectra - clean, clean, shrinkage.noise)
    if not (noise.sigma > 0).all():
        notes.append("The map holds no noise that could be told, so its result was not checked.")
        return Denoised(clean, {})
    tail = NoiseTail(noise.skewness)
    # The filter for faint signal takes a part of a narrow band, whose rest would stand out less.
    scale = np.float32(1 - share) * shrinkage.scale
    without = np.asarray(clean - shrunk.faint.intensity * scale, np.float32)
    found = lost_bands.recover((spectra - without) / noise.sigma, tail, shrinkage.alive)
    if found.n_bands:
        without += found.intensity * noise.sigma
        clean = without + shrinkage.find_faint(spectra - without).intensity * scale
    rest = (spectra - clean) / noise.sigma
    spiked = spiked | found.spiked
    flagged = residual.flag(rest, tail) | spiked
    record = {
        "n_bands_restored": found.n_bands,
        "n_pixels_spiked": int(spiked.sum()),
        "n_pixels_flagged": int(flagged.sum()),
    }
    notes.extend(_describe(found, spiked, flagged))
    rest = spectra - clean
    uncertainty = _uncertainty(rest, clean, found, noise.sigma, shrunk, shrinkage, notes)
    return Denoised(clean, record, uncertainty, flagged)


def _uncertainty(
    rest: Spectra,
    clean: Spectra,
    found: Found,
    sigma: Spectra,
    shrunk: Shrunk,
    shrinkage: Shrinkage,
    notes: list[str],
) -> Spectra | None:
    if rest.nbytes > MAX_BYTES:
        notes.append(
            f"The uncertainty was left out: it would take {rest.nbytes / 2**20:.0f} MiB of memory."
        )
        return None
    variance = shrinkage.variance(shrunk, rest)
    follow_signal(variance, clean)
    variance += found.variance * np.square(sigma)
    return _PART * np.sqrt(variance)


def _describe(found: Found, spiked: Mask, flagged: Mask) -> list[str]:
    notes: list[str] = []
    if found.n_bands:
        n_pixels = int((found.variance > 0).any(axis=1).sum())
        notes.append(
            f"{found.n_bands} narrow bands in {n_pixels} pixels stood out of what was taken for "
            "noise and were given back."
        )
    n_spiked, n_flagged = int(spiked.sum()), int(flagged.sum())
    spikes = f" {n_spiked} of them hold a spike of one channel (a cosmic ray?)." if n_spiked else ""
    if n_flagged:
        notes.append(
            f"{n_flagged} of {len(flagged)} pixels are flagged: what was taken off there does not "
            f"look like noise, so look at their measured spectra.{spikes} Of noise alone, "
            f"{residual.FALSE_ALARMS:.1%} of the pixels would be flagged."
        )
    else:
        notes.append("No pixel is flagged: what was taken off looks like noise everywhere.")
    return notes
