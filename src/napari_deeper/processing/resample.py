"""Move spectra from one wavenumber axis to another.

Where the target's channels are clearly wider than the source's, each is the mean of what it covers,
so that fine noise and bands are averaged and not picked at random (aliased). Elsewhere a cubic
through the four nearest channels is used: it returns the source exactly where the axes agree.
"""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

from napari_deeper.spectra.axis import Axis, edges

Intensity = NDArray[np.float32]

# Target channels wider than this many source channels are averaged over.
_COARSER = 1.5


def resample(intensity: Intensity, source: Axis, target: Axis) -> Intensity:
    """Resample spectra along their last axis.

    Parameters
    ----------
    intensity
        (..., channel) on the axis ``source``.
    source, target
        (channel,) and (new channel,) in cm-1, strictly increasing, of any spacing.

    Returns
    -------
    NDArray[np.float32]
        (..., new channel). Beyond the source's ends its first and last channel are repeated: use
        `covered` to tell which channels those are.
    """
    if same_axis(source, target):
        return intensity.copy()
    flat = intensity.reshape(-1, intensity.shape[-1])
    moved = (weights(source, target) @ flat.T).T
    return np.ascontiguousarray(moved).reshape(*intensity.shape[:-1], target.size)


def same_axis(source: Axis, target: Axis) -> bool:
    """Tell whether two axes agree to a hundredth of a channel."""
    if source.size != target.size:
        return False
    width = float(np.min(np.diff(edges(source))))
    return bool(np.abs(source - target).max() < 0.01 * width)


def covered(source: Axis, target: Axis) -> NDArray[np.bool_]:
    """Tell which target channels lie within the source's range (half a channel beyond its ends)."""
    border = edges(source)
    return np.asarray((target >= border[0]) & (target <= border[-1]))


def weights(source: Axis, target: Axis) -> scipy.sparse.csr_array:
    """Return the (new channel, channel) weights of `resample`, each row summing to 1."""
    border, wanted = edges(source), edges(target)
    at = np.clip(target, source[0], source[-1])
    nearest = np.clip(np.searchsorted(border, at) - 1, 0, source.size - 1)
    coarser = np.diff(wanted) > _COARSER * np.diff(border)[nearest]
    averaged = _area_weights(border, wanted)
    # A bin that reaches into the source by a sliver would be the mean of one noisy channel: still
    # its best value.
    coarser &= averaged.sum(axis=1) > 0
    smooth = _cubic_weights(source, at)
    pick = scipy.sparse.diags_array(coarser.astype(np.float64))
    leave = scipy.sparse.diags_array((~coarser).astype(np.float64))
    totals = np.where(coarser, averaged.sum(axis=1), 1.0)
    mixed = pick @ scipy.sparse.diags_array(1 / totals) @ averaged + leave @ smooth
    return scipy.sparse.csr_array(mixed).astype(np.float32)


def _area_weights(border: Axis, wanted: Axis) -> scipy.sparse.csr_array:
    """Return the overlap in cm-1 of each target bin with each source bin."""
    cuts = np.union1d(border, wanted)
    cuts = cuts[(cuts >= max(border[0], wanted[0])) & (cuts <= min(border[-1], wanted[-1]))]
    shape = (wanted.size - 1, border.size - 1)
    if cuts.size < 2:
        return scipy.sparse.csr_array(shape)
    middle, length = (cuts[1:] + cuts[:-1]) / 2, np.diff(cuts)
    # Two borders that differ by rounding can leave a middle just outside.
    row = np.clip(np.searchsorted(wanted, middle) - 1, 0, shape[0] - 1)
    column = np.clip(np.searchsorted(border, middle) - 1, 0, shape[1] - 1)
    return scipy.sparse.csr_array((length, (row, column)), shape=shape)


def _cubic_weights(source: Axis, at: Axis) -> scipy.sparse.csr_array:
    """Return Lagrange weights of the (at most) four source channels around each place."""
    n_nodes = min(4, source.size)
    first = np.clip(np.searchsorted(source, at) - n_nodes // 2, 0, source.size - n_nodes)
    column = first[:, None] + np.arange(n_nodes)
    nodes = source[column]
    weight = np.ones(column.shape)
    for i in range(n_nodes):
        for j in range(n_nodes):
            if i != j:
                weight[:, i] *= (at - nodes[:, j]) / (nodes[:, i] - nodes[:, j])
    row = np.repeat(np.arange(at.size), n_nodes)
    entries = (weight.ravel(), (row, column.ravel()))
    return scipy.sparse.csr_array(entries, shape=(at.size, source.size))
