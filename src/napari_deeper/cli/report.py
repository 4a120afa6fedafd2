"""What `napari-deeper info` tells about a cube."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_deeper.engine.fit_check import Finding, suggested_recipe
from napari_deeper.engine.recipe import kind_of
from napari_deeper.processing.noise import snr_per_pixel
from napari_deeper.spectra.axis import Axis
from napari_deeper.spectra.cube import Intensity, RamanCube
from napari_deeper.spectra.trust import trust_of

_MOST_SPECTRA = 4096  # enough for a median, and quick on a large map


def describe_cube(cube: RamanCube) -> dict[str, Any]:
    """Return the facts as JSON types; None stands for what is unknown."""
    finite = np.isfinite(cube.spectra)
    trust = trust_of(cube)
    return {
        "name": cube.name,
        "shape": list(cube.shape),
        "axis": _describe_axis(cube.wavenumber),
        "pixel_size_um": list(cube.pixel_size) if cube.pixel_size else None,
        "origin": list(cube.origin),
        "zoom": cube.zoom,
        "excitation_nm": cube.excitation_nm,
        "intensity": _describe_intensity(cube.spectra[finite]),
        "n_values_not_finite": int((~finite).sum()),
        "n_spectra_not_finite": int((~finite.all(axis=1)).sum()),
        "snr": _median_snr(cube.spectra[finite.all(axis=1)]),
        "uncertainty": None
        if cube.uncertainty is None
        else {"median": trust.sigma, "median_over_highest_band": trust.relative},
        "n_flagged": trust.n_flagged,
        "provenance": [step.to_json() for step in cube.provenance],
        "metadata": dict(cube.metadata),
    }


def facts_of_sample(sample: RamanCube, shape: tuple[int, int, int]) -> dict[str, Any]:
    """Return the facts of a cube of which only some pixels were looked at that are not those of the sample."""
    return {"shape": list(shape), "n_pixels_looked_at": len(sample.spectra)}


def _describe_axis(axis: Axis) -> dict[str, Any]:
    steps = np.diff(axis)
    return {
        "unit": "cm-1",
        "first": float(axis[0]),
        "last": float(axis[-1]),
        "smallest_step": float(steps.min()) if steps.size else None,
        "largest_step": float(steps.max()) if steps.size else None,
    }


def _describe_intensity(values: Intensity) -> dict[str, float | None]:
    if not values.size:
        return {"min": None, "max": None, "mean": None}
    mean = float(values.mean(dtype=np.float64))
    return {"min": float(values.min()), "max": float(values.max()), "mean": mean}


def _median_snr(spectra: Intensity) -> float | None:
    if spectra.shape[0] == 0 or spectra.shape[1] < 8:
        return None
    every = -(-spectra.shape[0] // _MOST_SPECTRA)
    snr = float(np.median(snr_per_pixel(spectra[::every])))
    return snr if np.isfinite(snr) else None


def format_report(facts: dict[str, Any]) -> str:
    """Return the facts as text for people."""
    y, x, channel = facts["shape"]
    axis, values = facts["axis"], facts["intensity"]
    rows = [
        ("image", f"{y} x {x} pixels, {_place(facts)}"),
        (
            "axis",
            f"{axis['first']:.1f} to {axis['last']:.1f} cm-1, {channel} channels{_steps(axis)}",
        ),
        ("laser", f"{facts['excitation_nm']:g} nm" if facts["excitation_nm"] else "not stated"),
        ("measured", _measured(facts["metadata"])),
        ("intensity", _range(values, facts["metadata"].get("intensity_unit"))),
        ("missing", _missing(facts)),
        ("SNR", _snr(facts["snr"])),
        ("uncertainty", _uncertainty(facts["uncertainty"])),
        ("flagged", _flagged(facts["n_flagged"], y * x)),
    ]
    looked_at = facts.get("n_pixels_looked_at")
    if looked_at is not None:
        text = f"{looked_at} of {y * x} pixels, spread over the map, which stays on disk; what follows is theirs"
        del rows[-2:]
        rows.insert(4, ("looked at", text))
    lines = [facts["name"], *(f"  {label:<13}{text}" for label, text in rows), "  history"]
    for number, step in enumerate(facts["provenance"], 1):
        stated = {key: value for key, value in step["params"].items() if value not in ("", None)}
        settings = ", ".join(f"{key}={value}" for key, value in stated.items())
        lines.append(f"    {number}. {step['verb']} ({step['software']}): {settings}")
        lines += [f"       - {note}" for note in step["notes"]]
    return "\n".join(lines)


def fit_facts(findings: tuple[Finding, ...]) -> dict[str, Any]:
    """Return what does not suit the networks, as JSON types."""
    recipe = suggested_recipe(findings)
    found = [
        {"name": f.name, "text": f.text, "mended_by": kind_of(f.mends).name if f.mends else None}
        for f in findings
    ]
    return {"findings": found, "recipe": recipe.to_json() if recipe else None}


def format_fit(findings: tuple[Finding, ...]) -> str:
    """Return the same as text for people."""
    if not findings:
        return "  fit          nothing was found that does not suit the networks"
    lines = ["  fit"]
    for f in findings:
        lines.append(f"    - {f.text}" + (f" Step: {kind_of(f.mends).name}." if f.mends else ""))
    recipe = suggested_recipe(findings)
    if recipe:
        lines.append(f"    suggested recipe: {recipe}")
    return "\n".join(lines)


def _place(facts: dict[str, Any]) -> str:
    if not facts["pixel_size_um"]:
        return "pixel size not stated (give it with --pixel-size)"
    dy, dx = facts["pixel_size_um"]
    y, x, _ = facts["shape"]
    return f"each {dy:g} x {dx:g} um, together {y * dy:g} x {x * dx:g} um"


def _steps(axis: dict[str, Any]) -> str:
    if axis["smallest_step"] is None:
        return ""
    return f", steps {axis['smallest_step']:.3g} to {axis['largest_step']:.3g} cm-1"


def _measured(metadata: dict[str, Any]) -> str:
    """Return when, how long and with what it was measured, as far as the source said."""
    dwell = metadata.get("dwell_time_s")
    said = [
        metadata.get("date"),
        f"{dwell:g} s a pixel" if isinstance(dwell, int | float) else None,
        metadata.get("instrument"),
    ]
    return (
        ", ".join(str(each) for each in said if each) or "not stated when, how long and with what"
    )


def _range(values: dict[str, float | None], unit: str | None) -> str:
    if values["min"] is None:
        return "no finite value"
    of_unit = f" {unit}" if unit else ""
    return f"{values['min']:.4g} to {values['max']:.4g}, mean {values['mean']:.4g}{of_unit}"


def _missing(facts: dict[str, Any]) -> str:
    if not facts["n_values_not_finite"]:
        return "nothing: every value is finite"
    return (
        f"{facts['n_values_not_finite']} values are NaN or infinite, in "
        f"{facts['n_spectra_not_finite']} spectra"
    )


def _snr(snr: float | None) -> str:
    if snr is None:
        return "cannot be estimated"
    return f"about {snr:.3g} (median over pixels: highest band over noise)"


def _uncertainty(known: dict[str, float | None] | None) -> str:
    if known is None:
        return "not stated"
    if known["median"] is None:
        return "stated, but not finite anywhere"
    share = known["median_over_highest_band"]
    of_band = "" if share is None else f", {100 * share:.2g} % of the height of the highest band"
    return f"one sigma of each value; median {known['median']:.3g}{of_band}"


def _flagged(n_flagged: int | None, n_pixels: int) -> str:
    if n_flagged is None:
        return "not checked"
    if n_flagged == 0:
        return f"none of {n_pixels} pixels"
    return f"{n_flagged} of {n_pixels} pixels: what was removed there does not look like noise"
