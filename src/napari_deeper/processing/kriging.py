"""Kriging: estimate the pixels between the measured ones by how alike near pixels are in this map.

Each image of what the pixels share (eigenimage) is taken for a Gaussian random field of Matern
covariance, plus texture that neighbors do not share, plus noise of known variance. What the image
itself says about smoothness and length is weighed, not decided: the result is the mean over all
settings, each as likely as restricted maximum likelihood has it. The variance comes for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from napari_deeper.processing import low_rank, shot_noise
from napari_deeper.processing.interpolation import upsample

Images = NDArray[np.float32]
Array = NDArray[np.float64]

# Measured pixels along y and x that a fine pixel is estimated from.
WINDOW = 9
_BLOCK, _MOST_BLOCKS = 14, 6
_NUS = (0.5, 1.5)
_LENGTHS = (0.5, 0.75, 1.1, 1.6, 2.4, 3.6, 6.0)
_TEXTURES = (0.001, 0.05, 0.2, 0.5)
# Powers of two: how much larger than what is seen of it the field may be.
_OCTAVES = (-3, -2, -1, 0, 1, 2, 3)
_NEGLIGIBLE = 0.02
_LEAST_NOISE = 1e-6
_STRIP = 2**14


@dataclass(frozen=True)
class Prior:
    """What an image is taken for before it is seen.

    Parameters
    ----------
    nu
        Smoothness of the Matern covariance: 0.5 or 1.5.
    length
        Its length in measured pixels.
    variance
        Of the field.
    texture
        Variance of what neighbors do not share, as a part of the field's.
    """

    nu: float
    length: float
    variance: float
    texture: float


def krige(
    intensity: Images, scale: int, phase: int = 1, *, with_variance: bool = False
) -> tuple[Images, Images | None]:
    """Super-resolve a map by kriging its significant eigenimages.

    Parameters
    ----------
    intensity
        (y, x, channel).
    scale
        Fine pixels per measured pixel along each axis.
    phase
        Which fine pixel of each cell was measured.
    with_variance
        Whether to return the variance too.

    Returns
    -------
    fine, variance
        (scale * y, scale * x, channel), and the squared standard error of each, or None.

    References
    ----------
    Cressie 1990, doi 10.1007/BF00889887; restricted likelihood: Kitanidis 1983, doi
    10.1029/WR019i004p00909.
    """
    n_y, n_x, n_channels = intensity.shape
    unit = np.float32(np.abs(intensity).max()) or np.float32(1)
    spectra = intensity.reshape(-1, n_channels) / unit
    noise = shot_noise.estimate(spectra)
    row, column = noise.row, noise.column
    if not (row > 0).all():
        row, column = np.ones_like(row), np.ones_like(column)
    parts = low_rank.components(spectra / (row * column), 1.0 if noise.row.all() else 0.0)
    images = np.ascontiguousarray(parts.scores.T).reshape(-1, n_y, n_x)
    fine, variance = krige_images(images, scale, phase, parts.score_noise**2)
    tall = upsample(row.reshape(n_y, n_x, 1), scale, "bilinear", phase)
    result = (np.moveaxis(fine, 0, 2) @ parts.basis + parts.mean) * (unit * tall * column[0])
    if not with_variance:
        return result, None
    spread = np.moveaxis(variance, 0, 2) @ parts.basis**2
    return result, spread * (unit * tall * column[0]) ** 2


def krige_images(
    images: Images,
    scale: int,
    phase: int,
    noise_variance: NDArray[np.floating],
    on_image: Callable[[int], None] | None = None,
) -> tuple[Images, Images]:
    """Krige images one by one.

    Parameters
    ----------
    images
        (image, y, x).
    scale, phase
        As in `krige`.
    noise_variance
        (image,) of white noise.
    on_image
        Called with the number of each image before it is kriged.

    Returns
    -------
    mean, variance
        Each (image, scale * y, scale * x).
    """
    n, n_y, n_x = images.shape
    mean = np.empty((n, n_y * scale, n_x * scale), np.float32)
    variance = np.empty_like(mean)
    for number, image in enumerate(images):
        if on_image:
            on_image(number)
        total = max(float(image.var(dtype=np.float64)), 1e-30)
        unit = np.sqrt(max(float(noise_variance[number]), _LEAST_NOISE * total))
        scaled = image.astype(np.float64) / unit
        first, second = predict(scaled, *weigh_priors(scaled), scale, phase)
        mean[number], variance[number] = first * unit, second * unit**2
    return mean, variance


def weigh_priors(image: Array) -> tuple[list[Prior], Array]:
    """Return the priors that fit an image (y, x) with noise of variance 1, and their probability."""
    total = float(image.var())
    if total <= 0 or min(image.shape) < 2:
        return [Prior(0.5, 1.6, 2.0 ** round(np.log2(max(total, 1.0))), 0.05)], np.ones(1)
    octave = round(np.log2(max(total - 1, 0.05 * total)))
    strengths = 2.0 ** (octave + np.array(_OCTAVES))
    blocks = _blocks(image)
    priors, likelihoods = [], []
    for nu in _NUS:
        for length in _LENGTHS:
            values, vectors = _spectrum(*blocks.shape[1:], nu, length)
            turned = blocks.reshape(len(blocks), -1) @ vectors  # (block, value)
            own = values + np.array(_TEXTURES)[:, None]  # (texture, value)
            own = strengths[:, None, None] * own + 1  # (strength, texture, value)
            likelihoods.append(_log_likelihood(turned, vectors.sum(axis=0), own).ravel())
            priors += [Prior(nu, length, s, t) for s in strengths for t in _TEXTURES]
    found = np.concatenate(likelihoods)
    # Blocks of one image say much the same, so more of them do not make it that much more certain.
    weights = np.exp((found - found.max()) / len(blocks))
    weights /= weights.sum()
    kept = weights > min(_NEGLIGIBLE, 0.5 * weights.max())
    return [p for p, k in zip(priors, kept, strict=True) if k], weights[kept] / weights[kept].sum()


def predict(
    image: Array, priors: list[Prior], weights: Array, scale: int, phase: int
) -> tuple[Array, Array]:
    """Krige an image (y, x) whose mean is unknown, from `WINDOW` pixels a side.

    Parameters
    ----------
    image
        (y, x) with noise of variance 1.
    priors, weights
        (prior,): what to take it for, and how likely each is.

    Returns
    -------
    mean, variance
        Each (scale * y, scale * x).
    """
    n_y, n_x = image.shape
    sides = min(WINDOW, n_y), min(WINDOW, n_x)
    stencils, spreads = zip(*(_stencils(p, sides, scale, phase) for p in priors), strict=True)
    stencil = np.stack(stencils, axis=2)  # (y, x, prior, s, s, side, side)
    spread = np.tensordot(weights, np.stack(spreads), axes=1)  # (y, x, s, s)
    windows = sliding_window_view(image, sides)
    mean = np.empty((n_y, scale, n_x, scale))
    variance = np.empty_like(mean)
    step = np.arange(scale)
    for y, rows in _places(n_y, sides[0], max(1, _STRIP // n_x)):
        for x, columns in _places(n_x, sides[1], n_x):
            top, left = rows - y[:, None], columns - x[:, None]
            near = windows[top[:, None, :, None], left[None, :, None, :]]
            there = stencil[y[:, None], x]  # (place y, place x, prior, s, s, side, side)
            shape = (*there.shape[:5], rows.shape[1], columns.shape[1])
            near = near.reshape(*shape[:2], -1, sides[0] * sides[1]).swapaxes(2, 3)
            each = (there.reshape(*shape[:2], -1, sides[0] * sides[1]) @ near).reshape(shape)
            first = np.einsum("p,yxp...->yx...", weights, each)[:, :, None]
            between = np.einsum("p,yxp...->yx...", weights, np.square(each - first))
            # both (place y, place x, s, s, row, column)
            place = np.ix_(rows.ravel(), step, columns.ravel(), step)
            in_order = (rows.size, scale, columns.size, scale)
            mean[place] = first[:, :, 0].transpose(0, 4, 2, 1, 5, 3).reshape(in_order)
            between += spread[y[:, None], x][..., None, None]
            variance[place] = between.transpose(0, 4, 2, 1, 5, 3).reshape(in_order)
    shape_of_all = n_y * scale, n_x * scale
    return mean.reshape(shape_of_all), variance.reshape(shape_of_all)


def _places(n: int, side: int, most: int) -> Iterator[tuple[NDArray[np.int_], NDArray[np.int_]]]:
    """Yield pixels with their place in their windows, which stay inside the image.

    Returns
    -------
    place, pixel
        (place,) and (place, pixel): first those at the edges, each at another place; then those in
        between, all in the middle of their windows, so many at a time.
    """
    first = np.clip(np.arange(n) - side // 2, 0, n - side)
    place = np.arange(n) - first
    middle = np.flatnonzero(place == side // 2)
    edge = np.flatnonzero(place != side // 2)
    if edge.size:
        yield place[edge], edge[:, None]
    for start in range(0, middle.size, most):
        yield np.array([side // 2]), middle[None, start : start + most]


@lru_cache(maxsize=32)
def _stencils(prior: Prior, sides: tuple[int, int], scale: int, phase: int) -> tuple[Array, Array]:
    """Return weights (y, x, s, s, side, side) and variances (y, x, s, s) of all places of a window."""
    field = _field(prior.nu, prior.length, sides, scale, phase)
    texture = prior.texture * prior.variance
    scaled = field.vectors / (prior.variance * field.values + texture + 1)
    inverse = scaled @ field.vectors.T  # of the covariance of what was measured
    known = (prior.variance * field.turned) @ scaled.T
    known[field.measured] += texture * inverse
    one = inverse.sum(axis=1)
    lack = 1 - known.sum(axis=1)  # what the weights lack to 1 goes to the estimated mean
    told = prior.variance * np.einsum("fp,fp->f", known, field.cross)
    told[field.measured] += texture * np.diagonal(known[field.measured])
    variance = prior.variance + texture - told + lack**2 / one.sum()
    known += lack[:, None] * (one / one.sum())
    shape = sides[0], scale, sides[1], scale
    stencil = known.reshape(*shape, *sides).transpose(0, 2, 1, 3, 4, 5)
    return stencil, np.maximum(variance, 0).reshape(shape).transpose(0, 2, 1, 3)


@dataclass(frozen=True)
class _Field:
    """A Matern field of variance 1 in a window: what all priors of its smoothness and length share.

    Parameters
    ----------
    cross
        (fine, pixel) covariances.
    values, vectors
        Of the (pixel, pixel) covariances.
    turned
        ``cross @ vectors``.
    measured
        (pixel,): which fine pixel each is.
    """

    cross: Array
    values: Array
    vectors: Array
    turned: Array
    measured: NDArray[np.intp]


@lru_cache(maxsize=32)
def _field(nu: float, length: float, sides: tuple[int, int], scale: int, phase: int) -> _Field:
    apart = _distances(sides, scale, phase)
    cross = _matern(apart, nu, length)
    values, vectors = _spectrum(*sides, nu, length)
    return _Field(cross, values, vectors, cross @ vectors, apart.argmin(axis=0))


@lru_cache(maxsize=8)
def _distances(sides: tuple[int, int], scale: int, phase: int) -> Array:
    """Return those of a window's fine pixels from its pixels, (fine, pixel)."""
    pixels = _points(np.arange(sides[0]), np.arange(sides[1]))
    fine = (np.arange(max(sides) * scale) - phase) / scale
    targets = _points(fine[: sides[0] * scale], fine[: sides[1] * scale])
    return _distance(targets, pixels)


def _matern(distance: Array, nu: float, length: float) -> Array:
    if nu == 0.5:
        return np.exp(-distance / length)
    scaled = np.sqrt(3) * distance / length
    return np.asarray((1 + scaled) * np.exp(-scaled))


def _points(y: NDArray[np.generic], x: NDArray[np.generic]) -> Array:
    return np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1).reshape(-1, 2).astype(float)


def _distance(a: Array, b: Array) -> Array:
    return np.asarray(np.hypot(*(a[:, None] - b).transpose(2, 0, 1)))


@lru_cache(maxsize=64)
def _spectrum(n_y: int, n_x: int, nu: float, length: float) -> tuple[Array, Array]:
    """Return eigenvalues and vectors of the covariance of a grid's pixels."""
    pixels = _points(np.arange(n_y), np.arange(n_x))
    values, vectors = np.linalg.eigh(_matern(_distance(pixels, pixels), nu, length))
    return np.maximum(values, 1e-9), vectors


def _blocks(image: Array) -> Array:
    """Return a few parts (block, y, x) of an image, spread over it: all of a small one."""
    starts = []
    for n in image.shape:
        side = min(n, _BLOCK)
        n_parts = min(-(-n // side), 3)
        starts.append((side, np.unique(np.linspace(0, n - side, n_parts).astype(int))))
    (side_y, ys), (side_x, xs) = starts
    parts = [image[y : y + side_y, x : x + side_x] for y in ys for x in xs]
    if len(parts) > _MOST_BLOCKS:
        parts = parts[:: -(-len(parts) // _MOST_BLOCKS)]
    return np.stack(parts)


def _log_likelihood(turned: Array, ones: Array, variance: Array) -> Array:
    """Return the restricted log-likelihood of blocks in the basis where their pixels do not covary.

    Parameters
    ----------
    turned
        (block, value).
    ones
        (value,), an image of ones in that basis.
    variance
        (..., value).
    """
    weight = ones / variance
    known = weight @ ones
    mean = weight @ turned.T / known[..., None]  # (..., block)
    # sum over values of (turned - mean ones)^2 / variance, summed over blocks
    left = (1 / variance) @ (turned**2).sum(axis=0) - known * (mean**2).sum(axis=-1)
    return np.asarray(-0.5 * (len(turned) * (np.log(variance).sum(axis=-1) + np.log(known)) + left))
