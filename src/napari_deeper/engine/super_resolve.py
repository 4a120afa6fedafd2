"""Super-resolve a cube: estimate the pixels between the measured ones."""

from __future__ import annotations

from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from napari_deeper.engine.super_resolve_params import INTERPOLATIONS, SuperResolveParams
from napari_deeper.processing.interpolation import upsample
from napari_deeper.spectra import params as settings_of
from napari_deeper.spectra.cube import Pair, RamanCube, require_signal
from napari_deeper.spectra.errors import CheckpointError, ParameterError
from napari_deeper.spectra.progress import Progress
from napari_deeper.spectra.provenance import Step

Intensity = NDArray[np.float32]

# A smaller share of the network would not be worth its time.
MIN_SHARE = 0.05


def super_resolve(
    cube: RamanCube,
    params: SuperResolveParams | None = None,
    *,
    progress: Progress | None = None,
    **settings: Any,
) -> RamanCube:
    """Estimate ``scale`` times the pixels along y and x.

    Parameters
    ----------
    cube
        Any axis and size; it is not changed.
    params
        All settings at once.
    progress
        Gets reports, and may cancel the run between tiles.
    settings
        Single settings by name, for example ``scale=4``; they override ``params``.

    Returns
    -------
    RamanCube
        (scale * y, scale * x, channel) on the same axis. Its pixel size, origin and zoom are set so
        that fine pixel ``k * scale + phase`` lies exactly where measured pixel ``k`` does.

    Raises
    ------
    CubeError
        If the cube holds NaN, infinities or no signal.
    ParameterError
        For a setting that does not fit, such as a phase that the scale does not have.
    AxisError, CheckpointError
        If the network does not fit the cube, or its weights cannot be read.
    """
    p = settings_of.make(SuperResolveParams, params, settings)
    check_super_resolve(p)
    require_signal(cube)
    progress = progress or Progress()
    progress.update(0.0, "Super-resolving")
    notes: list[str] = []
    record: dict[str, Any] = {"chosen": p.method}
    uncertainty: Intensity | None = None
    if p.method == "auto":
        fine, uncertainty, record = _auto(cube, p, progress, notes)
    elif p.method == "hyrisr":
        fine, record = _by_network(cube, p, progress, notes)
    else:
        method = cast(Literal["nearest", "bilinear", "bicubic"], p.method)
        fine = upsample(cube.intensity, p.scale, method, p.phase, as_published=p.as_published)
    if p.as_published:
        notes.append(
            "Zoomed corner to corner as published: the image is shifted against its input."
        )
    progress.update(1.0, "Super-resolved")
    step = Step("super-resolve", settings_of.to_json(p) | record, tuple(dict.fromkeys(notes)))
    return cube.derive(fine, step, uncertainty=uncertainty, **place_of(cube, p.scale, p.phase))


def check_super_resolve(p: SuperResolveParams) -> None:
    """Raise `ParameterError` for settings that do not fit each other."""
    if p.phase >= p.scale:
        raise ParameterError(
            f"phase is {p.phase}; at scale {p.scale} it counts from 0 to {p.scale - 1}. "
            "Use 1, the published one, if you do not know it."
        )
    if p.as_published and p.method not in INTERPOLATIONS:
        raise ParameterError(
            f"as_published belongs to {', '.join(INTERPOLATIONS)}; method is '{p.method}'."
        )


def _by_network(
    cube: RamanCube, p: SuperResolveParams, progress: Progress, notes: list[str]
) -> tuple[Intensity, dict[str, Any]]:
    from napari_deeper.engine import network as run

    network = run.open_network("hyrisr", cube.wavenumber, p.model, p.device, p.precision, p.scale)
    image, unit = _at_unit_scale(cube)
    fine = run.super_resolve_image(network, image, p.phase, p.tile, progress, notes)
    fine *= unit
    return fine, {"chosen": "hyrisr"} | network.record()


def _auto(
    cube: RamanCube, p: SuperResolveParams, progress: Progress, notes: list[str]
) -> tuple[Intensity, Intensity | None, dict[str, Any]]:
    """Super-resolve eigenimages; return intensities, uncertainty, and what to record."""
    image, unit = _at_unit_scale(cube)
    if p.model and _is_hyrisr(p):
        return _corrected(cube, image, unit, p, progress, notes)
    from napari_deeper.engine.eigen_super_resolve import super_resolve_map, too_small

    reason = "the map is too small to make images of (under 4 pixels a side, or nearly all flat)."
    if not too_small(image):
        try:
            found = super_resolve_map(image, p, progress, notes)
        except CheckpointError as error:
            if p.model:
                raise
            reason = str(error)
        else:
            for part in (found.intensity, found.uncertainty):
                if part is not None:  # in place: the arrays are large, and nobody else's
                    np.multiply(part, unit, out=part)
            return found.intensity, found.uncertainty, found.record
    notes.append(f"auto interpolated (aligned bilinear): {reason}")
    plain = upsample(image, p.scale, "bilinear", p.phase) * unit
    return plain, None, {"chosen": "bilinear", "network_share": 0.0}


def _is_hyrisr(p: SuperResolveParams) -> bool:
    from napari_deeper.models.checkpoint import load

    return load(p.model, p.scale).kind == "hyrisr"


def _corrected(
    cube: RamanCube,
    image: Intensity,
    unit: np.float32,
    p: SuperResolveParams,
    progress: Progress,
    notes: list[str],
) -> tuple[Intensity, None, dict[str, Any]]:
    """Interpolate, and add a HyRISR's correction as far as the map itself bears it out."""
    from napari_deeper.engine import network as run
    from napari_deeper.engine.trial import correction_share

    record: dict[str, Any] = {"chosen": "bilinear", "network_share": 0.0}
    network = run.open_network("hyrisr", cube.wavenumber, p.model, p.device, p.precision, p.scale)
    share, reason = _share(
        correction_share(network, image, p.phase, p.tile, progress.part(0.0, 0.2))
    )
    notes.append(reason)
    if share < MIN_SHARE:
        return upsample(image, p.scale, "bilinear", p.phase) * unit, None, record
    record |= {"chosen": "bilinear + hyrisr", "network_share": share} | network.record()
    rest = progress.part(0.2, 1.0)
    fine = run.super_resolve_image(network, image, p.phase, p.tile, rest, notes, share)
    return fine * unit, None, record


def _share(tested: float | None) -> tuple[float, str]:
    """Return which share of the network's correction to add, and why.

    The test takes place at a coarser scale than the task, where there is less to be found. So it
    decides whether the whole correction helps, which it does from one half upwards; only below is
    its figure taken as it is.
    """
    if tested is None:
        return 1.0, (
            "auto used the network whole, untested: the map is too small to leave pixels out. Compare "
            "with aligned bilinear interpolation."
        )
    if tested >= 0.5:
        return 1.0, (
            "auto used the network whole: it found measured pixels of this map that were left out "
            "better than aligned bilinear interpolation did."
        )
    if tested < MIN_SHARE:
        return 0.0, (
            "auto interpolated (aligned bilinear): the network did not find measured pixels of this "
            "map that were left out any better."
        )
    return tested, (
        f"auto added {tested:.0%} of the network's correction to aligned bilinear interpolation: the "
        "share that best found measured pixels of this map that were left out."
    )


def _at_unit_scale(cube: RamanCube) -> tuple[Intensity, np.float32]:
    # Squares of very large or small intensities would leave float32; at a maximum of 1 they cannot.
    unit = np.float32(np.abs(cube.intensity).max())
    return cube.intensity / unit, unit


def place_of(cube: RamanCube, scale: int, phase: int) -> dict[str, Any]:
    """Return pixel size, origin and zoom of the super-resolved cube."""
    dy, dx = cube.spacing
    origin: Pair = (cube.origin[0] - phase * dy / scale, cube.origin[1] - phase * dx / scale)
    size = None
    if cube.pixel_size:
        size = (cube.pixel_size[0] / scale, cube.pixel_size[1] / scale)
    return {"pixel_size": size, "origin": origin, "zoom": cube.zoom * scale}
