"""What a comparison finds: a row for each candidate, and for each of its components and regions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_deeper.processing import metrics
from napari_deeper.processing.regions import RegionSpectrum
from napari_deeper.processing.statistics import Comparison
from napari_deeper.spectra.axis import Axis
from napari_deeper.spectra.cube import Pair
from napari_deeper.spectra.endmembers import Endmembers
from napari_deeper.spectra.errors import CubeError

Array = NDArray[np.float32]
Flags = NDArray[np.bool_]
Values = NDArray[np.float64]

_MIN_SIDE_FOR_SSIM = 3
_VALUES_AT_ONCE = 2_000_000
UNKNOWN = float("nan")
# Fields of `CandidateScores` that say nothing without a target.
NEEDS_TARGET = (
    "mse", "excess_mse", "psnr", "ssim", "spectral_angle", "accuracy", "balanced_accuracy",
    "within_sigma",
)  # fmt: skip


@dataclass(frozen=True)
class CandidateScores:
    """One candidate against the target; without a target only what needs none, the rest NaN.

    Parameters
    ----------
    candidate
        Name.
    n_pixels
        Compared: the same for all candidates of a target.
    level
        Mean intensity over that of the target, before any match of scale; without a target the mean
        intensity itself.
    mse, excess_mse
        Mean squared error; the same less the target's own noise variance.
    psnr
        dB, for the target's maximum as the data range; infinite where the candidate equals the target.
    ssim
        Structural similarity, mean over the image planes of all channels, for the same data range; NaN
        under three pixels along a side.
    spectral_angle
        Mean over the pixels, radians.
    accuracy, balanced_accuracy
        Part of the pixels that keep the class they have in the target; each class counted alike.
    within_sigma
        Part of the errors within the candidate's stated uncertainty and the target's own noise: 0.68 if
        well stated; NaN if it states none on the target's channels.
    noise, snr
        Estimated from the candidate's own spectra (second differences): root mean square over the pixels of
        the standard deviation; median over the pixels of the highest band over it. They tell how rough
        spectra are, not how right. Of a large map, 8192 evenly spread pixels tell.
    """

    candidate: str
    n_pixels: int
    level: float
    mse: float
    excess_mse: float
    psnr: float
    ssim: float
    spectral_angle: float
    accuracy: float
    balanced_accuracy: float
    within_sigma: float
    noise: float
    snr: float


@dataclass(frozen=True)
class ComponentScores:
    """The abundance map of one endmember of the target, in one candidate, against that in the target.

    Parameters
    ----------
    candidate, component
        Names.
    n_class
        Pixels of the target in which this component is the largest.
    mse, psnr, ssim
        Of the abundance maps; the data range is the largest abundance in the target.
    correlation
        Of the abundances over the pixels; NaN where one map is uniform.
    kept
        Part of the component's pixels in the target that the candidate puts into its class too.
    """

    candidate: str
    component: str
    n_class: int
    mse: float
    psnr: float
    ssim: float
    correlation: float
    kept: float


@dataclass(frozen=True)
class RegionScores:
    """One candidate in one region, against the target; the samples of tests over regions."""

    candidate: str
    region: str
    n_pixels: int
    mse: float
    psnr: float
    ssim: float
    spectral_angle: float


@dataclass(frozen=True)
class BandStatistics:
    """Mean intensity of a band over the pixels of one cube, and how they spread."""

    cube: str
    band: str
    mean: float
    sd: float
    n_pixels: int


@dataclass(frozen=True, eq=False)
class DifferenceMap:
    """Candidate less target, as a map on the target's pixels.

    Parameters
    ----------
    candidate
        Name.
    difference
        (y, x) mean over the channels, signed; NaN where not compared.
    rms
        (y, x) root mean square over the channels.
    origin, spacing, unit
        Where it lies, as in `RamanCube`.
    what
        The channels in words.
    """

    candidate: str
    difference: Array
    rms: Array
    origin: Pair
    spacing: Pair
    unit: str
    what: str


@dataclass(frozen=True, eq=False)
class CubeComparison:
    """What `compare` finds.

    Parameters
    ----------
    target
        Its name; empty where there was none.
    scores
        A row for each candidate, in the order given.
    components
        A row for each candidate and endmember of the target.
    region_scores
        A row for each candidate and region.
    spectra
        Mean and spread of each region in the target and each candidate, on their own pixels and channels.
    bands
        Band statistics of the target and each candidate.
    differences
        A map for each candidate.
    tests
        Over regions, where there are enough.
    notes
        What the reader should know.
    wavenumber
        (channel,) compared, cm-1; empty without a target.
    data_range
        Of PSNR and SSIM: the target's maximum over the pixels compared.
    target_noise
        Standard deviation of the target's own noise, estimated; 0 where it is said to have none.
    endmembers
        Of the target, if pixels were classified.
    """

    target: str
    scores: tuple[CandidateScores, ...]
    components: tuple[ComponentScores, ...] = ()
    region_scores: tuple[RegionScores, ...] = ()
    spectra: tuple[RegionSpectrum, ...] = ()
    bands: tuple[BandStatistics, ...] = ()
    differences: tuple[DifferenceMap, ...] = ()
    tests: tuple[Comparison, ...] = ()
    notes: tuple[str, ...] = ()
    wavenumber: Axis | None = None
    data_range: float = UNKNOWN
    target_noise: float = UNKNOWN
    endmembers: Endmembers | None = None

    def row(self, candidate: str) -> CandidateScores:
        """Return the row of one candidate by its name."""
        for found in self.scores:
            if found.candidate == candidate:
                return found
        known = ", ".join(s.candidate for s in self.scores)
        raise KeyError(f"'{candidate}' was not compared; there are: {known}.")


@dataclass(frozen=True, eq=False)
class ErrorMaps:
    """How far one map is from another, pixel by pixel: (y, x), NaN where not counted.

    ``ssim`` is NaN also where a window about the pixel would reach beyond what counts.
    """

    squared: Values
    ssim: Values
    angle: Values
    data_range: float

    def over(self, chosen: Flags) -> dict[str, float]:
        """Return mse, psnr, ssim and spectral_angle over the pixels chosen, all of them counted."""
        error = float(self.squared[chosen].mean())
        return {
            "mse": error,
            "psnr": decibels(error, self.data_range),
            "ssim": _mean_of_known(self.ssim[chosen]),
            "spectral_angle": float(self.angle[chosen].mean()),
        }


def error_maps(result: Array, target: Array, counted: Flags, data_range: float) -> ErrorMaps:
    """Return the errors of each pixel.

    Parameters
    ----------
    result, target
        (y, x, channel).
    counted
        (y, x), True for pixels without NaN in either.
    data_range
        Of the structural similarity and PSNR.
    """
    blank = np.full(counted.shape, np.nan)
    squared, angle, similar = blank.copy(), blank.copy(), blank
    rows_at_once = max(1, _VALUES_AT_ONCE // max(1, target[0].size))
    for start in range(0, len(target), rows_at_once):
        rows = slice(start, start + rows_at_once)
        taken = counted[rows]
        a, b = result[rows][taken], target[rows][taken]
        squared[rows][taken] = np.mean(np.square(a.astype(np.float64) - b), axis=1)
        angle[rows][taken] = metrics.spectral_angle(a, b)
    if min(counted.shape) >= _MIN_SIDE_FOR_SSIM and data_range > 0:
        similar = metrics.ssim_map(result, target, data_range, counted)
    return ErrorMaps(squared, similar, angle, data_range)


def decibels(error: float, data_range: float) -> float:
    """Return the peak signal-to-noise ratio of a mean squared error; NaN without a positive range."""
    if not data_range > 0:
        return UNKNOWN
    return math.inf if error == 0 else 10 * math.log10(data_range**2 / error)


def score_component(found: Values, target: Values, counted: Flags) -> dict[str, float]:
    """Return mse, psnr, ssim and correlation of an abundance map, given its counted pixels (pixel,)."""
    error = float(np.mean(np.square(found - target)))
    span = float(target.max())
    ssim = correlation = UNKNOWN
    if min(counted.shape) >= _MIN_SIDE_FOR_SSIM and span > 0:
        maps = np.zeros((2, *counted.shape, 1))
        maps[0, counted, 0], maps[1, counted, 0] = found, target
        ssim = _mean_of_known(metrics.ssim_map(maps[0], maps[1], span, counted))
    if np.ptp(found) > 0 and np.ptp(target) > 0:
        correlation = float(np.corrcoef(found, target)[0, 1])
    return {"mse": error, "psnr": decibels(error, span), "ssim": ssim, "correlation": correlation}


def region_samples(
    scores: tuple[RegionScores, ...], measure: str
) -> Mapping[str, NDArray[np.float64]]:
    """Return the (region,) samples of a measure for each candidate, paired by region."""
    names = list(dict.fromkeys(s.candidate for s in scores))
    return {
        name: np.array([getattr(s, measure) for s in scores if s.candidate == name])
        for name in names
    }


def check_names(names: list[str], target: str | None) -> None:
    """Raise `CubeError` unless there are candidates, with names of their own."""
    if not names:
        raise CubeError("There is no candidate to compare. Choose at least one cube.")
    if any(not name.strip() for name in names):
        raise CubeError("A candidate has no name. Give it one: it is what its row is called.")
    if target is not None and target in names:
        raise CubeError(f"'{target}' is the target; the candidate of that name needs another one.")


def _mean_of_known(values: Values) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else UNKNOWN
