"""Say beforehand what about a cube does not suit the networks, and which step mends it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.engine.cards import CardSummary, read_card
from napari_deeper.engine.coverage import cover
from napari_deeper.engine.prepare_run import sampled
from napari_deeper.engine.prepare_settings import BadPixels, Baseline, Crop, Despike, Settings
from napari_deeper.engine.recipe import STEPS, Recipe, kind_of
from napari_deeper.processing import whittaker
from napari_deeper.processing.bad_pixels import bad_channels, saturated_pixels
from napari_deeper.processing.despike import find_rays
from napari_deeper.processing.noise import sigma_per_pixel
from napari_deeper.simulate.random_measurements import LOUDEST, QUIETEST
from napari_deeper.spectra.axis import describe
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import AxisError

Spectra = NDArray[np.float32]

_N_SPECTRA = 64  # for the baseline and the noise
_N_FOR_CHANNELS = 512
_MOST_PIXELS = 2048  # that are searched for cosmic rays
_STRIP = 8  # rows searched together, so that most pixels have their neighbors
# A stiff curve under the spectra lies this far above 0, or bends this far, in heights of the bands. Maps
# without a background, measured and simulated, whole or in part, had at most 0.32 and 0.25.
_STIFF, _LEVEL, _BEND = 1e7, 0.35, 0.45
_MIN_CHANNELS = 16


@dataclass(frozen=True)
class Finding:
    """One thing about a cube that does not suit a network.

    Parameters
    ----------
    name
        ``"range"``, ``"baseline"``, ``"noise"``, ``"cosmic-rays"``, ``"saturation"``, ``"channels"``,
        ``"missing"`` or ``"scale"``.
    text
        What was found, and what to do, for the user.
    mends
        The step that mends it, or None where none can.
    """

    name: str
    text: str
    mends: Settings | None = None


def check_fit(cube: RamanCube, target: Any = "") -> tuple[Finding, ...]:
    """Compare a cube with what a network was trained on; of a large map, a sample of the pixels.

    Parameters
    ----------
    cube
        Any axis and size; pixels that hold NaN are named.
    target
        Name or path of weights, empty for the shipped ones, or settings with such a ``model``, as those of
        `denoise`.

    Returns
    -------
    tuple[Finding, ...]
        Nothing where all is well.
    """
    model = target if isinstance(target, str) else str(getattr(target, "model", ""))
    card = read_card("resunet", model)
    usable: NDArray[np.bool_] = np.asarray(np.isfinite(cube.intensity).all(axis=2))
    findings = [_missing(usable)]
    if usable.any() and cube.shape[2] >= _MIN_CHANNELS:
        good = np.flatnonzero(usable)
        spectra = cube.spectra[good[sampled(good.size, _N_FOR_CHANNELS)]]
        few = spectra[sampled(len(spectra), _N_SPECTRA)]
        few = few[:, _in_range(cube, card)]
        findings += [_saturation(cube), _channels(cube, spectra), _rays(cube)]
        findings += [
            _range(cube, card),
            *_background_and_noise(few, own=bool(model)),
            _scale(cube, spectra),
        ]
    else:
        findings.append(_range(cube, card))
    return tuple(finding for finding in findings if finding)


def suggested_recipe(findings: Sequence[Finding]) -> Recipe | None:
    """Return the steps that mend what was found, in their usual order; None where there is nothing to mend."""
    wanted: dict[str, Settings] = {}
    for finding in findings:
        if finding.mends is None:
            continue
        name = kind_of(finding.mends).name
        known = wanted.get(name)
        if isinstance(known, BadPixels) and isinstance(finding.mends, BadPixels):
            wanted[name] = _both(known, finding.mends)
        else:
            wanted[name] = finding.mends
    return Recipe(tuple(wanted[n] for n in STEPS if n in wanted), "Suggested") if wanted else None


def _both(a: BadPixels, b: BadPixels) -> BadPixels:
    fill = {"neighbors"}
    return BadPixels(
        saturated="neighbors" if fill & {a.saturated, b.saturated} else "missing",
        missing="neighbors" if fill & {a.missing, b.missing} else "missing",
    )


def _in_range(cube: RamanCube, card: CardSummary | None) -> slice:
    """Return the channels that the network sees: what lies beyond does not matter to it."""
    if card is None:
        return slice(None)
    first, stop = np.searchsorted(cube.wavenumber, (card.wavenumber[0], card.wavenumber[-1]))
    return slice(int(first), int(stop)) if stop - first >= _MIN_CHANNELS else slice(None)


def _missing(usable: NDArray[np.bool_]) -> Finding | None:
    n_missing = int((~usable).sum())
    if not n_missing:
        return None
    text = (
        f"{n_missing} of {usable.size} pixels hold NaN or infinity; a network needs all of them. "
    )
    if n_missing == usable.size:
        return Finding("missing", text + "There is nothing to fill them from.")
    text += "Fill them from their neighbors, or crop the map."
    return Finding("missing", text, BadPixels(channels=False, missing="neighbors"))


def _saturation(cube: RamanCube) -> Finding | None:
    stated = float(cube.metadata.get("saturation_counts") or 0)
    level = stated or float(np.nanmax(np.where(np.isinf(cube.intensity), np.nan, cube.intensity)))
    n = int(saturated_pixels(cube.intensity, level, plateaus=not stated).sum())
    if not n:
        return None
    return Finding(
        "saturation",
        f"{n} pixels are saturated: they reach {level:.6g} and are cut off there. Fill them from their "
        "neighbors, or measure with less light.",
        BadPixels(saturated="neighbors"),
    )


def _channels(cube: RamanCube, spectra: Spectra) -> Finding | None:
    bad = np.flatnonzero(bad_channels(spectra))
    if not bad.size:
        return None
    listed = ", ".join(f"{w:.0f}" for w in cube.wavenumber[bad[:8]])
    return Finding("channels", f"{bad.size} channels are dead or hot: {listed} cm-1.", BadPixels())


def _rays(cube: RamanCube) -> Finding | None:
    p = Despike()
    n_y, n_x, _ = cube.shape
    n_strips = max(1, _MOST_PIXELS // (_STRIP * n_x))
    if n_strips * _STRIP >= n_y:
        strips = [cube.intensity]
    else:
        starts = np.linspace(0, n_y - _STRIP, n_strips).astype(int)
        strips = [cube.intensity[start : start + _STRIP] for start in starts]
    most = -(-_MOST_PIXELS // _STRIP)
    strips = [strip[:, :most] for strip in strips]
    found = [find_rays(s, p.threshold, p.max_width)[1] for s in strips]
    n_rays = sum(int(np.count_nonzero(heights)) for heights in found)
    if not n_rays:
        return None
    n_seen = sum(strip.shape[0] * strip.shape[1] for strip in strips)
    part = "" if n_seen == n_y * n_x else f" of the {n_seen} that were looked at"
    n_pixels = sum(int(heights.any(axis=2).sum()) for heights in found)
    text = f"Cosmic rays struck {n_pixels} pixels{part} ({n_rays} rays)."
    return Finding("cosmic-rays", text, p)


def _range(cube: RamanCube, card: CardSummary | None) -> Finding | None:
    if card is None:
        return None
    low, high = float(card.wavenumber[0]), float(card.wavenumber[-1])
    try:
        coverage = cover(cube.wavenumber, card.wavenumber, card.name)
    except AxisError as error:
        return Finding("range", str(error))
    if coverage.gaps:
        return Finding(
            "range",
            f"{' and '.join(coverage.gaps)} lie outside the range of the network '{card.name}' "
            f"({describe(card.wavenumber)}): it says nothing there.",
            Crop(low, high),
        )
    width = float(np.median(np.diff(card.wavenumber)))
    lacking = max(0.0, cube.wavenumber[0] - low - 2 * width)
    lacking += max(0.0, high - cube.wavenumber[-1] - 2 * width)
    if lacking < 0.05 * (high - low):
        return None
    return Finding(
        "range",
        f"The cube covers {describe(cube.wavenumber)}, the network '{card.name}' {describe(card.wavenumber)}: "
        f"{lacking / (high - low):.0%} of what it expects is not there, and is filled with the values at the ends.",
    )


def _background_and_noise(spectra: Spectra, *, own: bool) -> list[Finding | None]:
    curve = whittaker.baseline(spectra, "arpls", _STIFF)
    rest = spectra - curve
    height = np.percentile(rest, 99, axis=1)
    seen = height > 0
    if not seen.any():
        return []
    level = float(np.median(np.median(curve[seen], axis=1) / height[seen]))
    bend = float(np.median(np.ptp(curve[seen], axis=1) / height[seen]))
    baseline = None
    if level > _LEVEL or bend > _BEND:
        taken, present = (np.abs(a).sum(dtype=np.float64) for a in (curve, spectra))
        share = float(taken / present)
        text = f"A baseline is present (fluorescence?): a stiff curve takes {share:.0%} of the intensity."
        baseline = Finding("baseline", text, Baseline("arpls"))
    return [baseline, None if own else _noise(rest)]


def _noise(rest: Spectra) -> Finding | None:
    """Compare the noise with what stands on the background, as the training spectra were made."""
    sigma = sigma_per_pixel(rest).astype(np.float64)
    spread = np.sqrt(np.maximum(rest.var(axis=1, dtype=np.float64) - sigma**2, 1e-30))
    ratio = float(np.median(sigma / spread))
    if ratio > LOUDEST:
        return Finding(
            "noise",
            f"The noise is {ratio:.2g} times what stands out of the background; training had at most "
            f"{LOUDEST:g}. Measure longer, or average pixels (bin).",
        )
    if ratio < QUIETEST / 4:
        return Finding(
            "noise",
            f"The noise is {ratio:.1g} of what stands out of the background, less than in training (from "
            f"{QUIETEST:g} on): it was smoothed already, or there is little to remove.",
        )
    return None


def _scale(cube: RamanCube, spectra: Spectra) -> Finding | None:
    highest = spectra.max(axis=1)
    advice = " Take the cube as it was before; one factor for the whole cube does no harm."
    if len(spectra) >= _MIN_CHANNELS and highest[0] > 0 and np.ptp(highest) < 1e-5 * highest[0]:
        text = "Every spectrum has the same maximum: each was scaled by its own."
        return Finding("scale", text + advice)
    mean, spread = spectra.mean(axis=1, dtype=np.float64), spectra.std(axis=1, dtype=np.float64)
    if float(np.median(np.abs(mean) / np.maximum(spread, 1e-30))) < 1e-3:
        text = "Every spectrum has the mean 0: this looks like SNV or a derivative, not like intensities."
        return Finding("scale", text + advice)
    return None
