"""The steps along the axis: crop, recalibrate, baseline, resample, smooth, normalize."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_deeper.engine.cards import read_card
from napari_deeper.engine.prepare_settings import (
    Baseline,
    Crop,
    Normalize,
    Recalibrate,
    Resample,
    Smooth,
)
from napari_deeper.engine.prepare_steps import (
    Facts,
    Intensity,
    MapFacts,
    Mask,
    Outcome,
    StepKind,
    Summary,
    Told,
    Treated,
)
from napari_deeper.processing import normalization, resample, smoothing
from napari_deeper.processing.baseline import baseline
from napari_deeper.processing.calibration import band_position
from napari_deeper.spectra.axis import Axis, describe
from napari_deeper.spectra.errors import AxisError, CheckpointError, CubeError, ParameterError

REFERENCE_BANDS = {"silicon": 520.7, "phenylalanine": 1003.5}
_MIN_CHANNELS = 3


# crop


def _kept(wavenumber: Axis, p: Crop) -> Mask:
    if p.low >= p.high:
        raise ParameterError(f"low is {p.low:g} and high {p.high:g} cm-1; high must be larger.")
    inside = (wavenumber >= p.low) & (wavenumber <= p.high)
    if inside.sum() < 2:
        raise AxisError(
            f"No range is left: the cube covers {describe(wavenumber)}, and {p.low:g}-{p.high:g} cm-1 "
            "was asked for."
        )
    return np.asarray(inside)


def _crop(block: Intensity, wavenumber: Axis, p: Crop, facts: Facts) -> Treated:
    return Treated(np.ascontiguousarray(block[..., _kept(wavenumber, p)]))


def _crop_fields(cube: MapFacts, p: Crop, facts: Facts) -> dict[str, Any]:
    kept = _kept(cube.wavenumber, p)
    trust = None if cube.uncertainty is None else cube.uncertainty[..., kept]
    return {"wavenumber": cube.wavenumber[kept], "uncertainty": trust, "flagged": cube.flagged}


def _crop_told(cube: MapFacts, p: Crop, facts: Facts, outcome: Outcome) -> Told:
    kept = cube.wavenumber[_kept(cube.wavenumber, p)]
    notes = [f"{cube.shape[2] - kept.size} of {cube.shape[2]} channels were cut off."]
    step = float(np.median(np.diff(cube.wavenumber)))
    if cube.wavenumber[0] > p.low + step or cube.wavenumber[-1] < p.high - step:
        notes.append(f"The cube has only {describe(kept)} of {p.low:g}-{p.high:g} cm-1.")
    return Told(notes=tuple(notes))


# recalibrate


def _target(p: Recalibrate) -> float:
    return REFERENCE_BANDS.get(p.reference, p.position)


def _find_shift(summary: Summary, p: Recalibrate) -> Facts:
    target = _target(p)
    low, high = target - p.search, target + p.search
    found = band_position(summary.mean, summary.wavenumber, low, high)
    if found is None:
        raise AxisError(
            f"The mean spectrum ({describe(summary.wavenumber)}) has no clear band between {low:g} and "
            f"{high:g} cm-1 to recalibrate by. Choose another reference, or a wider search."
        )
    return {"found_at": found, "shift": target - found}


def _as_it_is(block: Intensity, wavenumber: Axis, p: Any, facts: Facts) -> Treated:
    return Treated(block)


def _shifted(cube: MapFacts, p: Recalibrate, facts: Facts) -> dict[str, Any]:
    return {
        "wavenumber": cube.wavenumber + facts["shift"],
        "uncertainty": cube.uncertainty,
        "flagged": cube.flagged,
    }


def _shift_told(cube: MapFacts, p: Recalibrate, facts: Facts, outcome: Outcome) -> Told:
    note = (
        f"The axis was shifted by {facts['shift']:+.2f} cm-1: the band of the mean spectrum at "
        f"{facts['found_at']:.2f} now lies at {_target(p):g} cm-1."
    )
    return Told(
        {"found_at": round(facts["found_at"], 4), "shift": round(facts["shift"], 4)}, (note,)
    )


# baseline


def _subtract(block: Intensity, wavenumber: Axis, p: Baseline, facts: Facts) -> Treated:
    flat = block.reshape(-1, block.shape[-1])
    curve = fit_baseline(flat, p).reshape(block.shape)
    taken = float(np.abs(curve).sum(dtype=np.float64))
    return Treated(
        block - curve,
        {"taken": taken, "present": float(np.abs(block).sum(dtype=np.float64))},
        curve=curve,
    )


def fit_baseline(spectra: Intensity, p: Baseline) -> Intensity:
    """Return the baseline of spectra (pixel, channel) that are finite."""
    n_channels = spectra.shape[1]
    if n_channels < _MIN_CHANNELS or (p.method.endswith("poly") and n_channels <= p.order + 1):
        raise CubeError(f"A spectrum of {n_channels} channels is too short for this baseline.")
    return baseline(
        spectra,
        p.method,
        smoothness=p.smoothness,
        asymmetry=p.asymmetry,
        size=p.size,
        order=p.order,
        half_window=min(p.half_window, (n_channels - 1) // 2),
    )


def _baseline_told(cube: MapFacts, p: Baseline, facts: Facts, outcome: Outcome) -> Told:
    present = outcome.found.get("present", 0.0)
    share = outcome.found.get("taken", 0.0) / present if present else 0.0
    return Told(
        {"share_taken": round(share, 4)},
        (f"The baseline ({p.method}) took {share:.0%} of the intensity.",),
    )


# resample


def new_axis(wavenumber: Axis, p: Resample) -> Axis:
    """Return the axis that a cube is moved to: nothing beyond its own range."""
    first, last = float(wavenumber[0]), float(wavenumber[-1])
    if p.to == "channels":
        return np.asarray(np.linspace(first, last, p.n_channels), np.float64)
    if p.to == "spacing":
        n = int((last - first) / p.spacing + 1e-9) + 1
        if n < 2:
            raise AxisError(
                f"A spacing of {p.spacing:g} cm-1 leaves one channel of {describe(wavenumber)}."
            )
        return np.asarray(first + p.spacing * np.arange(n), np.float64)
    card = read_card("resunet", p.model)
    if card is None:
        raise CheckpointError(
            f"The weights '{p.model}' do not say which axis they were trained on."
        )
    inside = resample.covered(wavenumber, card.wavenumber)
    if inside.sum() < 2:
        raise AxisError(
            f"The cube covers {describe(wavenumber)}, the network '{card.name}' {describe(card.wavenumber)}: "
            "they have nothing in common."
        )
    return np.asarray(card.wavenumber[inside], np.float64)


def _resample(block: Intensity, wavenumber: Axis, p: Resample, facts: Facts) -> Treated:
    return Treated(resample.resample(block, wavenumber, new_axis(wavenumber, p)))


def _resampled_fields(cube: MapFacts, p: Resample, facts: Facts) -> dict[str, Any]:
    return {"wavenumber": new_axis(cube.wavenumber, p)}


def _resample_told(cube: MapFacts, p: Resample, facts: Facts, outcome: Outcome) -> Told:
    axis = new_axis(cube.wavenumber, p)
    return Told(notes=(f"Resampled from {describe(cube.wavenumber)} to {describe(axis)}.",))


# smooth


def _choose_window(summary: Summary, p: Smooth) -> Facts:
    if p.window and (p.window % 2 == 0 or p.window <= p.polyorder):
        raise ParameterError(
            f"window is {p.window}; it must be odd and larger than polyorder ({p.polyorder}), or 0 to be "
            "chosen."
        )
    window, order = p.window, p.polyorder
    if not window:
        window, order = smoothing.best_savgol(summary.sample / _unit(summary.sample))
    return {"window_used": window, "polyorder_used": order}


def _smooth(block: Intensity, wavenumber: Axis, p: Smooth, facts: Facts) -> Treated:
    flat = block.reshape(-1, block.shape[-1])
    # A window of one channel stands for "as it is": no window was expected to help.
    if facts["window_used"] == 1:
        return Treated(block.copy())
    unit = _unit(flat)
    done = smoothing.savgol(flat / unit, facts["window_used"], facts["polyorder_used"])
    return Treated((done * unit).reshape(block.shape))


def _unit(spectra: Intensity) -> np.float32:
    """Return the largest intensity: divided by it, squares cannot leave float32."""
    return np.float32(np.abs(spectra).max(initial=0)) or np.float32(1)


def _smooth_told(cube: MapFacts, p: Smooth, facts: Facts, outcome: Outcome) -> Told:
    window, order = facts["window_used"], facts["polyorder_used"]
    note = f"Savitzky-Golay with a window of {window} channels and order {order}."
    if window == 1:
        note = "No window was expected to lessen the error, so the spectra were left as they are."
    return Told(facts, (note,))


# normalize


def _find_scale(summary: Summary, p: Normalize) -> Facts:
    if p.method == "band":
        inside = (summary.wavenumber >= p.low) & (summary.wavenumber <= p.high)
        if not inside.any():
            raise AxisError(
                f"The band {p.low:g}-{p.high:g} cm-1 holds no channel of {describe(summary.wavenumber)}."
            )
    if p.method != "cube-maximum":
        return {}
    if not summary.maximum > 0:
        raise CubeError("No intensity is above 0, so the maximum cannot be brought to 1.")
    return {"factor": 1 / summary.maximum}


def _normalize(block: Intensity, wavenumber: Axis, p: Normalize, facts: Facts) -> Treated:
    if p.method == "cube-maximum":
        return Treated(block * np.float32(facts["factor"]))
    flat = block.reshape(-1, block.shape[-1])
    band = (wavenumber >= p.low) & (wavenumber <= p.high)
    offset, scale = normalization.offset_and_scale(flat, wavenumber, p.method, band)
    usable = np.isfinite(scale) & (scale > 0)
    done = np.where(usable, (flat - offset) / np.where(usable, scale, 1), np.nan)
    n_lost = float((~usable).sum())
    return Treated(done.astype(np.float32).reshape(block.shape), {"without_scale": n_lost})


def _normalized_fields(cube: MapFacts, p: Normalize, facts: Facts) -> dict[str, Any]:
    changes: dict[str, Any] = {
        "metadata": {**cube.metadata, "intensity_unit": normalization.UNITS[p.method]}
    }
    if p.method == "cube-maximum":
        trust = cube.uncertainty
        changes["uncertainty"] = None if trust is None else trust * np.float32(facts["factor"])
        changes["flagged"] = cube.flagged
    return changes


def _normalize_told(cube: MapFacts, p: Normalize, facts: Facts, outcome: Outcome) -> Told:
    notes = [f"The intensities are now in: {normalization.UNITS[p.method]}."]
    n_lost = int(outcome.found.get("without_scale", 0))
    if n_lost:
        notes.append(
            f"{n_lost} spectra have nothing to scale by (0 or less) and became missing (NaN)."
        )
    return Told(facts, tuple(notes))


SPECTRAL = (
    StepKind(
        "crop",
        Crop,
        _crop,
        "Crop the axis",
        "Keep a range of wavenumbers",
        "map",
        change=_crop_fields,
        tell=_crop_told,
        keeps=True,
    ),
    StepKind(
        "recalibrate",
        Recalibrate,
        _as_it_is,
        "Recalibrate",
        "Shift the axis so that a known band of the mean spectrum lies where it should",
        "map",
        survey=_find_shift,
        surveys=lambda p: True,
        change=_shifted,
        tell=_shift_told,
        keeps=True,
    ),
    StepKind(
        "baseline",
        Baseline,
        _subtract,
        "Subtract the baseline",
        "Take off fluorescence and whatever else lies smoothly under the bands",
        tell=_baseline_told,
    ),
    StepKind(
        "resample",
        Resample,
        _resample,
        "Resample",
        "Move the spectra to another axis",
        change=_resampled_fields,
        tell=_resample_told,
    ),
    StepKind(
        "smooth",
        Smooth,
        _smooth,
        "Smooth",
        "Savitzky-Golay; the networks want spectra that were not smoothed",
        survey=_choose_window,
        surveys=lambda p: True,
        tell=_smooth_told,
    ),
    StepKind(
        "normalize",
        Normalize,
        _normalize,
        "Normalize",
        "Bring spectra to a common scale",
        survey=_find_scale,
        surveys=lambda p: True,
        change=_normalized_fields,
        tell=_normalize_told,
        keeps=True,
    ),
)
