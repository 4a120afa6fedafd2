"""Baselines: what lies smoothly under the bands of each spectrum."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.processing import whittaker

Spectra = NDArray[np.float32]


def baseline(
    spectra: Spectra,
    method: str,
    *,
    smoothness: float = 1e5,
    asymmetry: float = 0.01,
    size: float = 500.0,
    order: int = 5,
    half_window: int = 40,
) -> Spectra:
    """Return the baseline (pixel, channel) of finite spectra of at least three channels.

    arPLS, AsLS and airPLS run for many spectra at once, ``"shape"`` is `under_parabola`; asPLS, the polynomials,
    rolling ball, SNIP and the morphological filter are those of pybaselines, spectrum by spectrum.

    References
    ----------
    Erb, pybaselines, doi 10.5281/zenodo.5608581; Zhang et al. 2020, doi 10.1080/00387010.2020.1730908 (asPLS);
    Lieber & Mahadevan-Jansen 2003, doi 10.1366/000370203322554518 (modpoly); Zhao et al. 2007, doi
    10.1366/000370207782597003 (imodpoly); Kneen & Annegarn 1996, doi 10.1016/0168-583X(95)00908-6 (rolling ball);
    Ryan et al. 1988, doi 10.1016/0168-583X(88)90063-8 (SNIP); Perez-Pueyo et al. 2010, doi
    10.1366/000370210791414281 (morphological).
    """
    if method in whittaker.METHODS:
        return whittaker.baseline(spectra, method, smoothness, asymmetry)
    if method == "shape":
        return under_parabola(spectra, size)
    given: dict[str, dict[str, Any]] = {
        "aspls": {"lam": smoothness},
        "modpoly": {"poly_order": order},
        "imodpoly": {"poly_order": order},
        "rolling-ball": {"half_window": half_window},
        "snip": {"max_half_window": half_window, "decreasing": True},
        "morphological": {"half_window": half_window},
    }
    name = {"rolling-ball": "rolling_ball", "morphological": "mor"}.get(method, method)
    return _one_by_one(spectra, name, given[method])


def _one_by_one(spectra: Spectra, name: str, settings: dict[str, Any]) -> Spectra:
    from pybaselines import Baseline

    fitter = Baseline(np.arange(spectra.shape[1], dtype=float), check_finite=False)
    out = np.empty_like(spectra)
    with warnings.catch_warnings():
        # "almost all points are below": a spectrum that is flat already
        warnings.simplefilter("ignore")
        for pixel, spectrum in enumerate(spectra):
            if not np.ptp(spectrum):
                out[pixel] = spectrum
                continue
            scale = float(np.abs(spectrum).max())
            curve, _ = getattr(fitter, name)(spectrum.astype(float) / scale, **settings)
            out[pixel] = curve * scale
    return out


def under_parabola(spectra: Spectra, size: float) -> Spectra:
    """Roll a downward parabola along below each spectrum; return what its top leaves untouched.

    The parabola falls by half of the height of the spectrum (maximum less minimum) at `size` channels from its
    top, so that the result does not depend on the unit of the intensities. It is our reading of a background
    subtraction by a rounded shape of a given size; no claim is made that WITec's "shape" does the same.

    A parabola fits below f where f + x^2 / 2 has a straight line below it: the answer is the lower convex hull of
    f + x^2 / 2, less x^2 / 2.

    Parameters
    ----------
    spectra
        (pixel, channel).
    size
        Channels; larger gives a flatter baseline.
    """
    n_channels = spectra.shape[1]
    values = spectra.astype(np.float64)
    height = np.ptp(values, axis=1)[:, None]
    place = np.arange(n_channels) - (n_channels - 1) / 2
    bend = height * np.square(place / size) / 2
    return np.asarray(_lower_hull(values + bend) - bend, np.float32)


def _lower_hull(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the lower convex hull of each row: chords are split at their lowest point until none lies below."""
    n_rows, n_channels = values.shape
    flat = values.ravel()
    corner = np.zeros((n_rows, n_channels), bool)
    corner[:, [0, -1]] = True
    tolerance = 1e-12 * max(float(np.abs(flat).max(initial=0.0)), 1e-300)
    while True:
        at = np.flatnonzero(corner)
        # Between the last corner of a row and the first of the next lies nothing.
        left, right = at[:-1], at[1:]
        width = right - left
        slope = (flat[right] - flat[left]) / width
        chord = np.empty_like(flat)
        chord[: at[-1]] = np.repeat(flat[left], width) + np.repeat(slope, width) * (
            np.arange(at[-1]) - np.repeat(left, width)
        )
        chord[-1] = flat[-1]
        below = flat - chord
        deepest = np.minimum.reduceat(below, left)
        split = deepest < -tolerance
        if not split.any():
            return chord.reshape(values.shape)
        is_deepest = below[: at[-1]] == np.repeat(np.where(split, deepest, np.nan), width)
        corner.ravel()[: at[-1]] |= is_deepest
