"""Denoise from file to file; a large Zarr store is read and written in parts, so that memory is bounded."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any

import numpy as np

from napari_deeper.engine.denoise import check_denoise, denoise
from napari_deeper.engine.denoise_params import DenoiseParams
from napari_deeper.engine.denoise_survey import denoise_window, survey_of
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
from napari_deeper.spectra import params as settings_of
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.progress import Progress
from napari_deeper.spectra.provenance import Step

# Measured pixels that windows of `auto` share; methods that take each spectrum for itself need none.
_OVERLAP = 32
# How notes of windows begin that are told of the whole map instead.
_TOLD = (
    "auto mixed in",
    "auto left the spectral network out: its share",
    "No pixel is flagged",
    "# of # pixels are flagged",
)
_RECORDED = (
    "chosen",
    "network_share",
    "checkpoint",
    "checkpoint_sha256",
    "eigenimage_checkpoint",
    "eigenimage_checkpoint_sha256",
    "device_used",
    "window_used",
    "polyorder_used",
)


def denoise_file(
    source: str | PathLike[str],
    target: str | PathLike[str],
    params: DenoiseParams | None = None,
    *,
    overwrite: bool = False,
    reading: Mapping[str, Any] | None = None,
    workers: int = 1,
    scheduler: str = "",
    progress: Progress | None = None,
    **settings: Any,
) -> tuple[str, ...]:
    """Read a cube, denoise it and write the result; return what the user should know, one sentence each.

    A ``.zarr`` of 512 MiB and more is worked on in overlapping windows, and in memory that does not grow with it.
    ``low-rank`` and ``pca`` take what the whole map shares all the same, ``auto`` what each window does. A
    run that was cancelled or killed goes on where it was when it is started again with the same arguments; until
    then its parts stay in the hidden folder ``.NAME.work`` beside the output.

    Parameters
    ----------
    source, target
        Files; the second as `napari_deeper.write` takes it.
    params, settings
        As `denoise` takes them.
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
        Gets reports, and may cancel the run between batches.

    Raises
    ------
    DeeperError
        As `denoise`, `read` and `write` do.
    """
    p = settings_of.make(DenoiseParams, params, settings)
    return file_to_file(
        source,
        target,
        lambda cube, part: denoise(cube, p, progress=part),
        lambda stored, run: _in_windows(stored, p, run),
        growth=1,
        overwrite=overwrite,
        reading=reading,
        workers=workers,
        scheduler=scheduler,
        progress=progress,
    )


def _in_windows(stored: StoredCube, p: DenoiseParams, run: RunsWindows) -> tuple[str, ...]:
    outline = RamanCube.from_header(np.zeros((1, 1, stored.shape[2])), stored.header)
    check_denoise(outline, p)
    auto = p.method == "auto"
    verb = WindowedVerb(
        "Denoising",
        settings_of_task(p, p.model),
        scale=1,
        overlap=_OVERLAP if auto else 0,
        beside=("uncertainty", "flagged") if auto else (),
        run=lambda cube, work, part: denoise_window(cube, p, work, part),
        leave=np.copy,
    )
    steps: list[Step] = []

    def header(ran: Ran) -> dict[str, Any]:
        n_pixels = stored.shape[0] * stored.shape[1]
        record = settings_of.to_json(p) | summary(ran.facts, _RECORDED)
        record |= {"n_pixels_flagged": ran.n_flagged} if auto else {}
        notes = [ran.sentence, *notes_of(ran.facts, _TOLD), *_said(ran, n_pixels, auto)]
        steps.append(Step("denoise", record, tuple(dict.fromkeys(notes))))
        return outline.derive(outline.intensity, steps[0]).header()

    run(verb, header, survey=survey_of(stored, p))
    return steps[0].notes


def _said(ran: Ran, n_pixels: int, auto: bool) -> list[str]:
    if not auto:
        return []
    shares = [f["record"].get("network_share", 0.0) for f in ran.facts]
    kinds = summary(ran.facts, ("chosen",))["chosen"]
    said = []
    if isinstance(kinds, dict):
        words = ", ".join(f"{n} by {kind}" for kind, n in kinds.items())
        said.append(f"auto chose for each window: {words}.")
    if max(shares) > 0:
        said.append(
            f"auto mixed in {min(shares):.0%} to {max(shares):.0%} of the network's result, window by window the "
            "share of least expected error."
        )
    said.append(
        f"{ran.n_flagged} of {n_pixels} pixels are flagged: what was taken off there does not look like noise, so look "
        "at their measured spectra."
        if ran.n_flagged
        else "No pixel is flagged: what was taken off looks like noise everywhere."
    )
    return said
