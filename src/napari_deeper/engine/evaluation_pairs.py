"""Pairs to evaluate: a measured cube checked against its target, or a simulated pair."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from napari_deeper.engine.evaluation_runs import crop_to_cells, sample
from napari_deeper.processing.registration import find_shift
from napari_deeper.simulate import cells
from napari_deeper.simulate.instrument import Instrument, expected_electrons, measure
from napari_deeper.spectra.cube import RamanCube, require_signal
from napari_deeper.spectra.errors import CubeError

# A shift is told only if it makes the images this much more alike: noise alone moves the best place.
_CLEAR_GAIN = 0.05
_ALIKE = 0.5
# Mean intensities that differ by more than this factor are of another scale.
OTHER_SCALE = 2.0


def fit_to_reference(
    cube: RamanCube, reference: RamanCube, scale: int, phase: int, match_scale: bool, name: str
) -> RamanCube:
    """Return a cube, checked to be of the reference's field, and brought to its mean if asked for.

    Parameters
    ----------
    cube
        With one pixel for every ``scale`` x ``scale`` of the reference.
    reference
        Cropped to whole cells.
    scale, phase
        Which pixels of the reference the cube has.
    match_scale
        Whether to give it the reference's mean intensity.
    name
        What to call it in errors.

    Raises
    ------
    CubeError
        If the shape, the wavenumbers, or the place on the sample that both state do not fit, or a
        mean intensity that is to be matched is not positive.
    """
    require_signal(cube)
    _check_shape(cube, reference, scale, name)
    if not np.allclose(cube.wavenumber, reference.wavenumber, rtol=0, atol=0.5):
        raise CubeError(f"{name} has other wavenumbers than the reference (by over 0.5 cm-1).")
    _check_place(cube, reference, scale, phase, name)
    if not match_scale:
        return cube
    mean, target = float(cube.intensity.mean()), float(reference.intensity.mean())
    if mean <= 0 or target <= 0:
        raise CubeError(f"The scale of {name} cannot be matched: a mean intensity is not positive.")
    factor = np.float32(target / mean)
    sure = None if cube.uncertainty is None else cube.uncertainty * factor
    return dataclasses.replace(cube, intensity=cube.intensity * factor, uncertainty=sure)


def pair_notes(
    measured: RamanCube, reference: RamanCube, scale: int, phase: int
) -> tuple[str, ...]:
    """Return what makes the figures of a pair doubtful: a shift, or another scale of intensities.

    Parameters
    ----------
    measured, reference, scale, phase
        As in `fit_to_reference`, whose checks they have passed.
    """
    seen = reference if scale == 1 else sample(reference, scale, phase)
    images = measured.intensity.mean(axis=2), seen.intensity.mean(axis=2)
    moved = shift_note(*images, "The measured image", "the reference")
    notes = [moved] if moved else []
    means = float(measured.intensity.mean()), float(reference.intensity.mean())
    if min(means) <= 0 or not 1 / OTHER_SCALE < means[0] / means[1] < OTHER_SCALE:
        notes.append(
            f"The mean intensity is {means[0]:.4g} measured and {means[1]:.4g} in the reference. If "
            "their dwell times differ, match the scale (match_scale, --match-scale)."
        )
    return tuple(notes)


def shift_note(
    image: NDArray[np.floating], reference: NDArray[np.floating], name: str, other: str
) -> str:
    """Return a warning if an image (y, x) clearly fits its reference better when moved, or nothing."""
    shift = find_shift(image, reference)
    gain = shift.correlation - shift.as_it_is
    if shift.pixels == (0, 0) or gain <= _CLEAR_GAIN or shift.correlation <= _ALIKE:
        return ""
    return (
        f"{name} fits {other} better when moved by {shift.pixels} (y, x) of its pixels: correlation "
        f"{shift.correlation:.2f}, as it is {shift.as_it_is:.2f}. Register the two first: as they are, the "
        "figures speak of the shift more than of the methods."
    )


def simulate_pair(
    seed: int,
    size: int = 48,
    dwell_time_s: float = 0.1,
    chemistry: str = "held-out",
    scale: int = 1,
    phase: int = 1,
) -> tuple[RamanCube, RamanCube]:
    """Simulate a cell and a quick measurement of it.

    Parameters
    ----------
    seed
        Of the cell and the noise.
    size
        Pixels along each side.
    dwell_time_s
        Time spent on each pixel, seconds.
    chemistry
        ``"held-out"``: substances that the shipped networks were not trained on; ``"default"``: those
        that they were trained on.
    scale, phase
        Which pixels are measured.

    Returns
    -------
    tuple[RamanCube, RamanCube]
        The target, in expected counts and free of noise; the measurement.

    Raises
    ------
    ParameterError
        If a setting does not fit.
    """
    rng = np.random.default_rng(seed)
    truth = cells.cell((size, size), rng=rng, chemistry=chemistry).cube
    kind = "cell" if chemistry == "held-out" else f"{chemistry} cell"
    metadata = {"name": f"{kind} {seed}", "simulated": True}
    expected = expected_electrons(truth, dwell_time_s, Instrument()).astype(np.float32)
    clean = dataclasses.replace(truth, intensity=expected, metadata=metadata)
    noisy = measure(truth, dwell_time_s, rng)
    if scale > 1:
        clean, noisy = crop_to_cells(clean, scale), crop_to_cells(noisy, scale)
        noisy = sample(noisy, scale, phase)
    return clean, noisy


def _check_shape(cube: RamanCube, reference: RamanCube, scale: int, name: str) -> None:
    wanted = (reference.shape[0] // scale, reference.shape[1] // scale, reference.shape[2])
    if cube.shape == wanted:
        return
    hint = ""
    for other in (1, 2, 3, 4):
        coarse = tuple(n // other for n in reference.shape[:2])
        if cube.shape == (*coarse, reference.shape[2]):
            hint = f" Its shape is right for a scale of {other}: say so (--scale {other})."
    raise CubeError(
        f"{name} has the shape {cube.shape}; to fit the reference it must be {wanted} "
        f"(y, x, channel).{hint}"
    )


def _check_place(cube: RamanCube, reference: RamanCube, scale: int, phase: int, name: str) -> None:
    """Compare what both say of their place; a file that says nothing has its origin at 0."""
    if not cube.pixel_size or not reference.pixel_size:
        return
    fine = np.array(reference.pixel_size)
    if not np.allclose(np.array(cube.pixel_size), scale * fine, rtol=0.05):
        raise CubeError(
            f"{name} has pixels of {cube.pixel_size} um and the reference of {reference.pixel_size}; "
            f"at scale {scale} they must be {scale} times as large."
        )
    if not any(cube.origin) or (not any(reference.origin) and scale == 1):
        return
    apart = (np.array(cube.origin) - np.array(reference.origin)) / fine - (
        phase if scale > 1 else 0
    )
    if np.abs(apart).max() > 0.5:
        raise CubeError(
            f"{name} starts at {cube.origin} um and the reference at {reference.origin}: "
            f"{np.round(apart, 2).tolist()} (y, x) of the reference's pixels away from where it should "
            "be. Crop both to the same field, or set the phase."
        )
