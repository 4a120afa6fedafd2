"""Simulated cells whose truth is known, for the benchmarks.

By default they are made of substances that no training spectrum is drawn from. ``chemistry="default"``
gives cells of the substances that the networks were trained on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import napari_deeper as nd
from napari_deeper.engine.evaluation_pairs import simulate_pair
from napari_deeper.simulate.instrument import Instrument, measure

# Never trained on. An earlier drawing of the first two was looked at while the uncertainty was tuned.
SEEDS = (90210, 90211, 90212)


@dataclass(frozen=True, eq=False)
class Exposure:
    """One field measured quickly, and its truth in the same counts.

    Parameters
    ----------
    clean
        Expected counts, free of noise.
    noisy
        A measurement of that dwell time.
    longer
        A measurement ten times as long, brought to the same counts.
    """

    clean: nd.RamanCube
    noisy: nd.RamanCube
    longer: nd.RamanCube


def expose(
    seed: int, size: int = 48, dwell_time_s: float = 0.1, chemistry: str = "held-out"
) -> Exposure:
    """Simulate one cell of ``size`` x ``size`` pixels, and measure it."""
    clean, noisy = simulate_pair(seed, size, dwell_time_s, chemistry)
    truth = nd.RamanCube(
        clean.intensity / (dwell_time_s * Instrument().rate), clean.wavenumber, clean.pixel_size
    )
    longer = measure(truth, 10 * dwell_time_s, np.random.default_rng([seed, 1]))
    same_counts = nd.RamanCube(
        longer.intensity / 10, clean.wavenumber, clean.pixel_size, metadata={"name": clean.name}
    )
    return Exposure(clean, noisy, same_counts)
