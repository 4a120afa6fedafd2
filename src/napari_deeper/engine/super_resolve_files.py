"""Super-resolve from file to file; a large result is made in parts, so that memory is bounded."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from napari_deeper.engine.super_resolve import check_super_resolve, place_of, super_resolve
from napari_deeper.engine.super_resolve_params import SuperResolveParams
from napari_deeper.engine.window_run import (
    Ran,
    RunsWindows,
    WindowedVerb,
    file_to_file,
    notes_of,
    settings_of_task,
    summary,
)
from napari_deeper.io.zarr_rows import StoredCube
from napari_deeper.processing.interpolation import upsample
from napari_deeper.spectra import params as settings_of
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import ParameterError
from napari_deeper.spectra.progress import Progress
from napari_deeper.spectra.provenance import Step

# Measured pixels that windows share.
_OVERLAP = 16
# How notes of windows begin that are told of the whole map instead.
_TOLD = ("auto super-resolved",)
_RECORDED = (
    "chosen",
    "n_eigenimages",
    "bilinear_share",
    "kriging_share",
    "network_share",
    "checkpoint",
    "checkpoint_sha256",
    "device_used",
)


def super_resolve_file(
    source: str | PathLike[str],
    target: str | PathLike[str],
    params: SuperResolveParams | None = None,
    *,
    overwrite: bool = False,
    reading: Mapping[str, Any] | None = None,
    workers: int = 1,
    scheduler: str = "",
    progress: Progress | None = None,
    **settings: Any,
) -> tuple[str, ...]:
    """Read a cube, super-resolve it and write the result; return what the user should know, one sentence each.

    Where source and target are ``.zarr`` and the result is 512 MiB or more, it is made in overlapping windows, and in
    memory that does not grow with it. A run that was cancelled or killed goes on where it was when it is
    started again with the same arguments; until then its parts stay in the hidden folder ``.NAME.work``
    beside the output.

    Parameters
    ----------
    source, target
        Files; the second as `napari_deeper.write` takes it.
    params, settings
        As `super_resolve` takes them.
    overwrite
        Replace an existing output.
    reading
        Keywords of `napari_deeper.read`.
    workers
        Processes of this computer among which the windows of a large cube are shared; more than one needs the
        extra `cluster`, and that many times the memory.
    scheduler
        Address of a dask cluster, ``"tcp://host:8786"``, whose workers see the same folders. Empty: this computer.
    progress
        Gets reports, and may cancel the run.

    Raises
    ------
    DeeperError
        As `super_resolve`, `read` and `write` do.
    """
    p = settings_of.make(SuperResolveParams, params, settings)
    check_super_resolve(p)
    return file_to_file(
        source,
        target,
        lambda cube, part: super_resolve(cube, p, progress=part),
        lambda stored, run: _in_windows(stored, p, run),
        growth=p.scale**2,
        overwrite=overwrite,
        reading=reading,
        workers=workers,
        scheduler=scheduler,
        progress=progress,
    )


def _in_windows(stored: StoredCube, p: SuperResolveParams, run: RunsWindows) -> tuple[str, ...]:
    if p.as_published:
        raise ParameterError(
            "as_published zooms the whole image corner to corner, which a map this large cannot be; leave it out."
        )
    auto = p.method == "auto"

    def leave(intensity: NDArray[np.float32]) -> NDArray[np.float32]:
        plain = p.method if p.method in ("nearest", "bicubic") else "bilinear"
        method = cast(Literal["nearest", "bilinear", "bicubic"], plain)
        return upsample(intensity, p.scale, method, p.phase)

    verb = WindowedVerb(
        "Super-resolving",
        settings_of_task(p, p.model),
        scale=p.scale,
        overlap=_OVERLAP,
        beside=("uncertainty",) if auto else (),
        run=lambda cube, work, part: super_resolve(cube, p, progress=part),
        leave=leave,
    )
    outline = RamanCube.from_header(np.zeros((1, 1, stored.shape[2])), stored.header)
    steps: list[Step] = []

    def header(ran: Ran) -> dict[str, Any]:
        record = settings_of.to_json(p) | summary(ran.facts, _RECORDED)
        notes = [ran.sentence, *notes_of(ran.facts, _TOLD), *_said(ran, auto)]
        steps.append(Step("super-resolve", record, tuple(dict.fromkeys(notes))))
        place = place_of(outline, p.scale, p.phase)
        return outline.derive(outline.intensity, steps[0], **place).header()

    run(verb, header)
    return steps[0].notes


def _said(ran: Ran, auto: bool) -> list[str]:
    if not auto:
        return []
    ways = {
        "network": "a network",
        "kriging": "kriging",
        "bilinear": "aligned bilinear interpolation",
    }
    words = []
    for key, name in ways.items():
        shares = [f["record"].get(f"{key}_share", 0.0) for f in ran.facts]
        if max(shares) > 0:
            words.append(f"{min(shares):.0%} to {max(shares):.0%} {name}")
    return [
        "auto super-resolved, window by window, the images of what its pixels share: "
        f"{', '.join(words)}; the shares that "
        "best found measured pixels left out. Noise was taken off on the way."
    ]
