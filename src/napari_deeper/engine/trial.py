"""Test a super-resolution network on the very map it is to be used on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_deeper.engine.network import Network, super_resolve_image
from napari_deeper.processing.interpolation import skip_sample, upsample
from napari_deeper.spectra.progress import Progress

Intensity = NDArray[np.float32]

# Fewer measured pixels along an axis would leave next to nothing to learn from.
MIN_SAMPLED = 8


def correction_share(
    network: Network, image: Intensity, phase: int, tile: int, progress: Progress
) -> float | None:
    """Find the share of the network's correction that best predicts measured pixels left out.

    The map is sampled once more at every ``scale``-th pixel, super-resolved, and compared with the
    pixels in between, which were measured but not used, so their noise is no help to any
    prediction.

    Parameters
    ----------
    network
        A ``"hyrisr"`` of the scale that is wanted.
    image
        (y, x, channel).
    phase, tile
        As `super_resolve_image` takes them.

    Returns
    -------
    float or None
        0 to 1; None where the map is too small for the test.
    """
    scale = network.checkpoint.scale or 1
    low = skip_sample(image, scale, phase)
    if min(low.shape[:2]) < MIN_SAMPLED:
        return None
    n_y, n_x = (n // scale * scale for n in image.shape[:2])
    low = low[: n_y // scale, : n_x // scale]
    left_out = np.ones((n_y, n_x), bool)
    left_out[phase::scale, phase::scale] = False
    plain = upsample(low, scale, "bilinear", phase)[left_out]
    refined = super_resolve_image(network, low, phase, tile, progress, [])[left_out]
    correction = refined - plain
    power = float(np.sum(np.square(correction), dtype=np.float64))
    if power == 0:
        return 0.0
    missed = image[:n_y, :n_x][left_out] - plain
    return float(np.clip(np.sum(missed * correction, dtype=np.float64) / power, 0, 1))
