"""Super-resolve by plain interpolation, aligned to where the samples were taken.

A map sampled at every ``scale``-th point of a finer grid, starting at ``phase``, measured fine
pixel ``k * scale + phase`` as its pixel ``k``. Fine pixel ``i`` therefore lies at ``(i - phase) /
scale`` in measured pixels, and every method here reproduces the measured pixels exactly.
``as_published`` is the corner-aligned zoom that ignores the phase and so shifts the image: it is
there to repeat published comparisons, not to be used.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import scipy
from numpy.typing import NDArray

Method = Literal["nearest", "bilinear", "bicubic"]
Intensity = NDArray[np.float32]

_ORDER = {"nearest": 0, "bilinear": 1, "bicubic": 3}
# A spline's weight falls fourfold with each pixel; beyond this it is below float32's resolution.
_NEGLIGIBLE = 1e-9
# Of more pixels than this part, `upsample_some` takes all.
_MOST_SOME = 1 / 8


def skip_sample(intensity: Intensity, scale: int, phase: int) -> Intensity:
    """Keep every ``scale``-th pixel along y and x, starting at ``phase``: (y, x, channel)."""
    return intensity[phase::scale, phase::scale]


def upsample(
    intensity: Intensity,
    scale: int,
    method: Method = "bilinear",
    phase: int = 1,
    *,
    as_published: bool = False,
) -> Intensity:
    """Interpolate an image to ``scale`` times its pixels along y and x.

    Parameters
    ----------
    intensity
        (y, x, channel).
    scale
        Fine pixels per measured pixel along each axis.
    method
        ``nearest`` (ties go to the pixel after), ``bilinear``, or ``bicubic`` (a cubic spline
        through the samples). Beyond the first and last sample the edge is repeated.
    phase
        Which fine pixel of each cell was measured, 0 to ``scale - 1``.
    as_published
        Use the corner-aligned zoom of the published comparison, which ignores the phase.

    Returns
    -------
    NDArray[np.float32]
        (scale * y, scale * x, channel).
    """
    n_y, n_x, n_channels = intensity.shape
    along_y = _weights(n_y, scale, phase, _ORDER[method], as_published)
    along_x = _weights(n_x, scale, phase, _ORDER[method], as_published)
    tall = along_y @ intensity.reshape(n_y, -1)
    rows = tall.reshape(n_y * scale, n_x, n_channels)
    out = np.empty((n_y * scale, n_x * scale, n_channels), np.float32)
    for y, row in enumerate(rows):
        out[y] = along_x @ row
    return out


def upsample_some(
    intensity: Intensity, scale: int, phase: int
) -> tuple[NDArray[np.intp] | slice, Intensity]:
    """Interpolate bilinearly an image that is zero nearly everywhere: only what is not.

    Parameters
    ----------
    intensity
        (y, x, channel).
    scale, phase
        As in `upsample`.

    Returns
    -------
    fine, values
        Which fine pixels (of the flat image) may hold something, and their intensities (n, channel).
    """
    n_y, n_x, n_channels = intensity.shape
    some = np.flatnonzero(intensity.reshape(-1, n_channels).any(axis=1))
    if some.size > _MOST_SOME * n_y * n_x:
        return slice(None), upsample(intensity, scale, "bilinear", phase).reshape(-1, n_channels)
    y, along_y = _around(some // n_x, n_y, scale, phase)
    x, along_x = _around(some % n_x, n_x, scale, phase)
    fine = (y[:, :, None] * (n_x * scale) + x[:, None, :]).ravel()
    weight = (along_y[:, :, None] * along_x[:, None, :]).ravel()
    source = np.repeat(np.arange(some.size), y.shape[1] * x.shape[1])
    there = weight > 0
    place, row = np.unique(fine[there], return_inverse=True)
    entries = weight[there].astype(np.float32), (row, source[there])
    weights = scipy.sparse.coo_array(entries, shape=(place.size, some.size)).tocsr()
    values = weights @ intensity.reshape(-1, n_channels)[some]
    return place, np.asarray(values, np.float32)


def _around(
    at: NDArray[np.intp], n: int, scale: int, phase: int
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return fine places around measured ones of an axis of n, and their weights: (pixel, place)."""
    fine = at[:, None] * scale + np.arange(1 - scale, 2 * scale - 1)
    place = np.clip((fine - phase) / scale, 0, n - 1)
    weight = np.maximum(1 - np.abs(place - at[:, None]), 0)
    return fine, np.where((fine >= 0) & (fine < n * scale), weight, 0)


def upsample_axis(rows: Intensity, scale: int, phase: int, method: Method = "bicubic") -> Intensity:
    """Interpolate along the first axis alone: (n, ...) to (scale * n, ...)."""
    flat = rows.reshape(len(rows), -1)
    fine = _weights(len(rows), scale, phase, _ORDER[method], False) @ flat
    return np.asarray(fine, np.float32).reshape(len(rows) * scale, *rows.shape[1:])


def _weights(
    n: int, scale: int, phase: int, order: int, as_published: bool
) -> scipy.sparse.csr_array:
    """Return the (scale * n, n) weights of an interpolation, which is linear in its samples."""
    if n == 1:
        return scipy.sparse.csr_array(np.ones((scale, 1), np.float32))
    if as_published:
        dense = np.asarray(
            scipy.ndimage.zoom(np.eye(n), [float(scale), 1.0], order=3 if order else 0)
        )
        return scipy.sparse.csr_array(
            np.where(np.abs(dense) > _NEGLIGIBLE, dense, 0).astype(np.float32)
        )
    if order == 3:
        return _spline_weights(n, scale, phase)
    at = np.clip((np.arange(n * scale) - phase) / scale, 0, n - 1)
    if order == 0:
        return _matrix(n, np.ones(at.size), np.arange(at.size), np.floor(at + 0.5).astype(int))
    low = np.minimum(np.floor(at).astype(int), n - 2)
    part, row = at - low, np.arange(at.size)
    return _matrix(n, np.r_[1 - part, part], np.r_[row, row], np.r_[low, low + 1], at.size)


def _matrix(
    n: int,
    weight: NDArray[np.float64],
    row: NDArray[np.int_],
    column: NDArray[np.int_],
    n_rows: int | None = None,
) -> scipy.sparse.csr_array:
    shape = (n_rows or row.size, n)
    entries = (weight.astype(np.float32), (row, column))
    return scipy.sparse.coo_array(entries, shape=shape).tocsr()


def _spline_weights(n: int, scale: int, phase: int) -> scipy.sparse.csr_array:
    """Return a cubic spline's weights, in blocks so that a long axis needs no dense square."""
    reach = 24
    fine = np.arange(n * scale)
    rows, columns, weights = [], [], []
    for start in range(0, n, 64):
        low, high = max(0, start - reach), min(n, start + 64 + reach)
        inside = fine[(fine // scale >= start) & (fine // scale < start + 64)]
        at = (inside - phase) / scale - low
        grid = np.meshgrid(at, np.arange(high - low), indexing="ij")
        block = scipy.ndimage.map_coordinates(np.eye(high - low), grid, order=3, mode="nearest")
        row, column = np.nonzero(np.abs(block) > _NEGLIGIBLE)
        rows.append(inside[row])
        columns.append(column + low)
        weights.append(block[row, column])
    entries = np.concatenate(weights), np.concatenate(rows), np.concatenate(columns)
    return _matrix(n, *entries, n * scale)
