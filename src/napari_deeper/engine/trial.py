"""Test super-resolution on the very map it is to be used on: measured pixels are left out."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_deeper.engine.fine_images import ImageSuperResolver
from napari_deeper.engine.network import Network, super_resolve_image
from napari_deeper.processing.interpolation import skip_sample, upsample
from napari_deeper.processing.kriging import krige_images
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


# Shares of bilinear interpolation, kriging and the network without any evidence, and how much that
# is held against what one map says: it is judged on a task harder than the real one. Kriging knows
# less than the network, but what it does not know it does not guess: the farther the pixels are
# apart, the more that is worth.
_EXPECTED = {2: (0.0, 0.0, 1.0), 3: (0.0, 0.3, 0.7), 4: (0.0, 0.3, 0.7)}
_STEADINESS = 0.5
_N_STEPS = 10
_MOST_IMAGES = 6


@dataclass(frozen=True)
class Mixture:
    """Shares of the ways to super-resolve eigenimages; their sum is 1.

    Parameters
    ----------
    bilinear, kriging, network
        The shares.
    tested
        Whether measured pixels were left out to find them.
    gain
        Squared error of this mixture over that of bilinear interpolation on the pixels left out;
        None if it was not tested.
    """

    bilinear: float
    kriging: float
    network: float
    tested: bool = False
    gain: float | None = None


def choose_mixture(
    net: ImageSuperResolver, images: Intensity, scale: int, progress: Progress
) -> Mixture:
    """Find the shares that best predict measured pixels left out, leaning to what works in general.

    Every second pixel along y and x is kept, starting at the first and at the second, and the ones
    between are predicted.

    Parameters
    ----------
    net
        Of scale 2.
    images
        (image, y, x), noise of variance 1, the strongest first.
    scale
        At which the mixture will be used.
    """
    expected = np.array(_EXPECTED[scale])
    if min(images.shape[1:]) < MIN_SAMPLED:
        return _mixture(expected)
    images = images[:_MOST_IMAGES]
    total = np.zeros((3, 3))
    for phase in (0, 1):
        progress.update(phase / 2, "Leaving measured pixels out")
        total += _error_products(net, images, phase, progress)
    shares = _simplex()
    error = np.einsum("ni,ij,nj->n", shares, total, shares)
    usual = float(expected @ total @ expected)
    strayed = np.square(shares - expected).sum(axis=1)
    # The logarithm lets a network that is far off lose, however steady the shares are.
    gained = np.log(np.maximum(error, 1e-30) / max(usual, 1e-30))
    best = shares[np.argmin(gained + _STEADINESS * strayed)]
    gain = float(best @ total @ best) / max(float(total[0, 0]), 1e-30)
    return dataclasses.replace(_mixture(best), tested=True, gain=gain)


def _mixture(shares: NDArray[np.float64]) -> Mixture:
    return Mixture(float(shares[0]), float(shares[1]), float(shares[2]))


def _error_products(
    net: ImageSuperResolver, images: Intensity, phase: int, progress: Progress
) -> NDArray[np.float64]:
    """Return the sums of products (3, 3) of the errors of all ways on pixels left out."""
    _, n_y, n_x = images.shape
    n_y, n_x = n_y // 2 * 2, n_x // 2 * 2
    truth = images[:, :n_y, :n_x]
    low = np.ascontiguousarray(truth[:, phase::2, phase::2])
    quiet = Progress(cancel=progress.cancel)
    plain = upsample(np.moveaxis(low, 0, 2), 2, "bilinear", phase)
    kriged = krige_images(low, 2, phase, np.ones(len(low)))[0]
    refined = net.run(low, (phase, phase), quiet, [], most_views=2)[0]
    guesses = np.stack([np.moveaxis(plain, 2, 0), kriged, refined])
    left_out = np.ones((n_y, n_x), bool)
    left_out[phase::2, phase::2] = False
    errors = (guesses - truth)[:, :, left_out].reshape(3, -1).astype(np.float64)
    return np.asarray(errors @ errors.T)


def _simplex() -> NDArray[np.float64]:
    """Return all triples of tenths whose sum is 1."""
    steps = range(_N_STEPS + 1)
    triples = [(a, b, _N_STEPS - a - b) for a in steps for b in steps if a + b <= _N_STEPS]
    return np.array(triples) / _N_STEPS
