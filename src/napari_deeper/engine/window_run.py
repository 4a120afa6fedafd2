"""Run a verb over a stored cube in overlapping windows, each of which is a cube to it."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.engine.large_files import input_of
from napari_deeper.engine.mosaic import Made, Mosaic
from napari_deeper.engine.tiles import Tile as Window
from napari_deeper.engine.tiles import cut
from napari_deeper.engine.window_pool import window_pool
from napari_deeper.engine.work_folder import WorkFolder, task_of_file, working
from napari_deeper.io.read import read
from napari_deeper.io.write import check_output, put_in_place, write, writing
from napari_deeper.io.zarr_growing import GrowingStore
from napari_deeper.io.zarr_rows import StoredCube
from napari_deeper.io.zarr_store import FULL
from napari_deeper.models.user_models import resolve
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import CubeError
from napari_deeper.spectra.params import Params, to_json
from napari_deeper.spectra.progress import Progress
from napari_deeper.spectra.trust import trust_sentences

Intensity = NDArray[np.float32]

# Values of a result that are made at once: denoised, `auto` takes some fifteen times their bytes beside, finer ones
# some eight; with torch, under 2 GB.
MOST_VALUES, MOST_FINE_VALUES = 13_000_000, 33_000_000
_SIDES = (32, 512)
_RESULT = "result.zarr"
# Of the whole, the part of the time that the coarser levels of a large result take.
_LEVELS_TAKE = 0.05


RunsWindows = Callable[..., None]


@dataclass(frozen=True)
class WindowedVerb:
    """How a verb is run in windows.

    Parameters
    ----------
    label
        For progress, for example ``"Denoising"``.
    settings
        All that the result depends on beside the input, as JSON types.
    scale
        Fine pixels per measured pixel.
    overlap
        Measured pixels that neighboring windows share.
    beside
        What a result has beside its intensities: ``"uncertainty"``, ``"flagged"``.
    run
        The verb on the cube of a window.
    leave
        What becomes of intensities (y, x, channel) that do not vary.
    """

    label: str
    settings: Mapping[str, Any]
    scale: int
    overlap: int
    beside: Sequence[str]
    run: Callable[[RamanCube, WorkFolder, Progress], RamanCube]
    leave: Callable[[Intensity], Intensity]


@dataclass(frozen=True)
class Ran:
    """What a run in windows found.

    Parameters
    ----------
    facts
        Of each window that varies: ``record`` and ``notes`` of its last step.
    sentence
        How the map was cut, for the user.
    n_flagged
        Pixels of the result that are flagged.
    """

    facts: Sequence[Mapping[str, Any]]
    sentence: str
    n_flagged: int


def file_to_file(
    source: str | PathLike[str],
    target: str | PathLike[str],
    in_memory: Callable[[RamanCube, Progress], RamanCube],
    in_windows: Callable[[StoredCube, RunsWindows], tuple[str, ...]],
    *,
    growth: int,
    overwrite: bool,
    reading: Mapping[str, Any] | None,
    workers: int,
    scheduler: str,
    progress: Progress | None,
) -> tuple[str, ...]:
    """Run a verb from file to file, in windows where source or result are large stores; return its notes.

    Parameters
    ----------
    in_memory
        The verb on a cube.
    in_windows
        The verb on a stored cube, with what runs it: `run_in_windows` without the arguments known here.
    growth
        How many times the values of the source the result has.
    """
    path, progress = check_output(target, overwrite=overwrite), progress or Progress()
    stored, given = input_of(Path(source), path, reading, growth)
    if stored is None:
        result = in_memory(read(Path(source), **given), progress)
        write(result, path, overwrite=overwrite)
        return (*result.provenance[-1].notes, *trust_sentences(result))
    run = partial(
        run_in_windows,
        stored,
        Path(source),
        path,
        overwrite=overwrite,
        progress=progress,
        workers=workers,
        scheduler=scheduler,
    )
    return in_windows(stored, run)


def run_in_windows(
    stored: StoredCube,
    source: Path,
    target: Path,
    verb: WindowedVerb,
    header: Callable[[Ran], dict[str, Any]],
    *,
    overwrite: bool,
    progress: Progress,
    survey: Callable[[WorkFolder, Progress], None] | None = None,
    workers: int = 1,
    scheduler: str = "",
) -> None:
    """Run a verb from a store to a new one; stopped, it goes on where it was when it is run again.

    Parameters
    ----------
    stored, source
        The input, and where it lies.
    target
        The new store.
    header
        Gives the header of the result.
    overwrite
        Replace an existing output.
    survey
        Looks at the whole map first.
    workers, scheduler
        As `window_pool` takes them.

    Raises
    ------
    CubeError
        If the map holds NaN, infinities or no signal.
    """
    target = check_output(target, overwrite=overwrite)
    n_y, n_x, n_channels = stored.shape
    shape = (n_y * verb.scale, n_x * verb.scale, n_channels)
    side = window_side(n_channels, verb.scale)
    windows = cut(n_y, n_x, side, verb.scale, verb.overlap)
    task = {"verb": verb.label, **verb.settings, "input": task_of_file(source), "side": side}
    with working(target, task) as work, writing(target):
        if survey is not None:
            survey(work, progress.part(0.0, 0.2))
            progress = progress.part(0.2, 1.0)
        store = GrowingStore(work.path / _RESULT, shape, verb.beside)
        mosaic = Mosaic(windows, verb.scale, store, (FULL, *verb.beside), work)

        one = partial(_make, stored, verb, work)
        with window_pool(workers, scheduler, progress) as pool:
            found = mosaic.make(one, progress.part(0.0, 1 - _LEVELS_TAKE), verb.label, pool)
        varied = [facts for facts in found if facts]
        if not varied:
            raise CubeError(
                "Every spectrum is constant, so there is no signal to work on. Was the right file chosen?"
            )
        last = progress.part(1 - _LEVELS_TAKE, 1.0)
        n_flagged = store.count_flags() if "flagged" in verb.beside else 0
        ran = Ran(varied, _sentence(windows, side, verb), n_flagged)
        store.finish(header(ran), lambda f: last.update(f, "Writing coarser levels for viewers"))
        put_in_place(work.path / _RESULT, target, overwrite=overwrite)
    progress.update(1.0, "Done")


def settings_of_task(params: Params, model: str) -> dict[str, Any]:
    """Return what a result depends on, as JSON types: the settings, and which file own weights are."""
    task = to_json(params)
    path = resolve(model) if model else None
    return task | {"model_file": task_of_file(path) if path and path.exists() else None}


def window_side(n_channels: int, scale: int) -> int:
    """Return the longest side of a window in measured pixels, so that memory holds what is made of it."""
    least, most = _SIDES
    values = MOST_FINE_VALUES if scale > 1 else MOST_VALUES
    side = math.isqrt(values // n_channels) // scale
    return min(most, max(least, side // 16 * 16))


def _make(
    stored: StoredCube, verb: WindowedVerb, work: WorkFolder, window: Window, progress: Progress
) -> Made:
    block = stored.read((window.y, window.x))
    _check_finite(block, window, stored)
    if not (np.ptp(block, axis=2) > 0).any():
        return Made(_flat(verb.leave(block), verb.beside), {})
    cube = RamanCube.from_header(block, stored.header)
    result = verb.run(cube, work, progress)
    step = result.provenance[-1]
    arrays: dict[str, NDArray[Any]] = {FULL: result.intensity}
    for name in verb.beside:
        array = getattr(result, name)
        if array is None:  # not known
            missing = np.nan if name == "uncertainty" else False
            like = result.intensity if name == "uncertainty" else result.intensity[..., 0]
            array = np.full(like.shape, missing)
        arrays[name] = array
    return Made(arrays, {"record": dict(step.params), "notes": list(step.notes)})


def _flat(intensity: Intensity, beside: Sequence[str]) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {FULL: intensity}
    if "uncertainty" in beside:
        arrays["uncertainty"] = np.zeros_like(intensity)
    if "flagged" in beside:
        arrays["flagged"] = np.zeros(intensity.shape[:2], bool)
    return arrays


def _check_finite(block: Intensity, window: Window, stored: StoredCube) -> None:
    finite = np.isfinite(block)
    if not finite.all():
        y, x, channel = np.argwhere(~finite)[0]
        place = stored.header["wavenumber"][channel]
        raise CubeError(
            f"The map holds NaN or infinity, for example at y={window.y.start + y}, x={window.x.start + x}, "
            f"{place:.0f} cm-1. Fill those pixels first: napari-deeper prepare --bad-pixels, or crop them."
        )


def _sentence(windows: Sequence[Window], side: int, verb: WindowedVerb) -> str:
    if len(windows) == 1:
        return "The map was done in one piece."
    if not verb.overlap:
        return f"The map was read from disk in {len(windows)} blocks; the result is that of the whole map."
    return (
        f"The map was done in {len(windows)} overlapping windows of {side} x {side} pixels, each by what its own "
        f"pixels share, blended over the middle of the {verb.overlap} pixels in which they overlap."
    )


def summary(facts: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> dict[str, Any]:
    """Return what the windows' records say under some keys: the value that all have, or how many have which.

    Of numbers, the least and the largest.
    """
    said: dict[str, Any] = {}
    for key in keys:
        values = [f["record"][key] for f in facts if key in f["record"]]
        if not values:
            continue
        numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
        if numbers:
            low, high = min(values), max(values)
            said[key] = low if low == high else [low, high]
        else:
            counted = Counter(map(str, values)).most_common()
            said[key] = counted[0][0] if len(counted) == 1 else dict(counted)
    return said


def notes_of(facts: Sequence[Mapping[str, Any]], told: Sequence[str]) -> list[str]:
    """Return the notes that every window has in the same words, and an example of each kind that some have.

    Parameters
    ----------
    told
        How notes begin that are told of the whole map, with # for numbers.
    """
    common = common_notes(facts)
    kinds: dict[str, list[str]] = {}
    for f in facts:
        own = {re.sub(r"\d+(\.\d+)?", "#", n): n for n in f["notes"] if n not in common}
        for kind, note in own.items():
            if not kind.startswith(tuple(told)):
                kinds.setdefault(kind, []).append(note)
    some = [f"In {len(k)} of {len(facts)} windows, for example: {k[0]}" for k in kinds.values()]
    return [*common, *some]


def common_notes(facts: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the notes that every window has in the same words, in their order."""
    counts = Counter(note for f in facts for note in dict.fromkeys(f["notes"]))
    return tuple(note for note in dict.fromkeys(facts[0]["notes"]) if counts[note] == len(facts))
