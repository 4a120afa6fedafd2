"""Denoise by what the pixels share and by what the network knows, each trusted as far as the data say."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from napari_deeper.processing.shot_noise import NoiseScale

Spectra = NDArray[np.float32]

N_SAMPLE = 384
# Noise of fewer photons is skewed, and what a network makes of that is mistaken for a gain.
MIN_PHOTONS = 30.0
_PROBE = np.float32(0.1)
# What the network is trusted with before the data speak; they outweigh it from a handful of spectra
# upwards.
_PRIOR_SHARE, _PRIOR_SPREAD = 0.5, 0.2


def network_share(
    spectra: Spectra,
    shared: Spectra,
    noise: NoiseScale,
    shrink: Callable[[Spectra], Spectra],
    network: Callable[[Spectra], Spectra],
    trust: Spectra,
) -> float:
    """Estimate which share of the network's result, the rest from the shrunk map, has the least error.

    The error of a mixture follows from how far its two parts lie from each other and from the
    measured map, and from how much each follows the noise (Stein's unbiased risk). The last is
    measured by adding a little more noise to the map and looking how the results change.

    Parameters
    ----------
    spectra, shared
        (pixel, channel): as measured, and shrunk.
    noise
        Of the map.
    shrink
        Makes ``shared`` of ``spectra``.
    network
        Denoises (pixel, channel) spectra one by one.
    trust
        (channel,): 0 where the network has no say.

    Returns
    -------
    float
        0 to 1.

    References
    ----------
    Stein 1981, doi 10.1214/aos/1176345632; Ramani, Blu & Unser 2008, doi 10.1109/TIP.2008.2001404.
    """
    if noise.photons < MIN_PHOTONS:
        return 0.0
    rng = np.random.default_rng(0)
    chosen = np.sort(rng.permutation(len(spectra))[:N_SAMPLE])
    sigma = noise.row[chosen] * noise.column
    if not (sigma > 0).all():
        return 0.0
    apart = trust * (network(spectra[chosen]) - shared[chosen])
    follows = 0.0
    # Few spectra average out little of the randomness of a probe.
    n_probes = max(1, 32 // len(spectra))
    for _ in range(n_probes):
        probe = rng.choice(np.array([-1, 1], np.float32), spectra.shape)
        moved = spectra + _PROBE * noise.row * noise.column * probe
        apart_moved = trust * (network(moved[chosen]) - shrink(moved)[chosen])
        follows += float(np.sum(sigma * probe[chosen] * (apart_moved - apart), dtype=np.float64))
    follows /= n_probes * float(_PROBE)
    level = float(np.mean(np.square(sigma), dtype=np.float64))
    left = float(np.sum((spectra[chosen] - shared[chosen]) * apart, dtype=np.float64))
    gain = (left - follows) / level
    distance = float(np.sum(np.square(apart), dtype=np.float64)) / level
    prior = _PRIOR_SPREAD**-2
    return float(np.clip((gain + prior * _PRIOR_SHARE) / (distance + prior), 0, 1))
