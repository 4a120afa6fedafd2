"""Run a workflow on the cubes that an instrument writes, as they finish."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from napari_deeper.engine.batch import Run, note
from napari_deeper.engine.batch_files import (
    check_apart,
    check_format,
    files_of,
    find_cubes,
    make_folder,
)
from napari_deeper.engine.batch_task import BatchFile, run_task
from napari_deeper.engine.recipe import Recipe
from napari_deeper.engine.workflow import Workflow, as_workflow
from napari_deeper.io.read import read, stem_of
from napari_deeper.spectra.errors import DeeperError, FileError, ParameterError
from napari_deeper.spectra.progress import Progress

# How many files a cube has, their bytes together, and the time of the last change in ns.
Stamp = tuple[int, int, int]
Make = Callable[[Path, bool], BatchFile]


class Watcher:
    """Says at each look which cubes are finished, and has them made.

    A cube is finished when it is the same at two looks, and can be read. One that rests but cannot be read
    may still be open elsewhere: it is tried again at each look, until it has rested for ``patience`` seconds.
    One that is written again after it was made is made again, in place of its result.

    Parameters
    ----------
    listed
        Returns the cubes that there are.
    stamp
        Returns what tells whether a cube has changed.
    make
        Called as ``make(cube, again)``.
    readable
        Tells, of a cube that could not be made, whether it was at least read.
    clock
        Seconds, from any start.
    patience
        Seconds that a cube which cannot be read is waited for after its last change.
    """

    def __init__(
        self,
        listed: Callable[[], Iterable[Path]],
        stamp: Callable[[Path], Stamp],
        make: Make,
        readable: Callable[[Path], bool],
        clock: Callable[[], float] = time.monotonic,
        patience: float = 60.0,
    ) -> None:
        self._listed, self._stamp, self._make, self._readable = listed, stamp, make, readable
        self._clock, self.patience = clock, patience
        self._seen: dict[Path, tuple[Stamp, float]] = {}  # and since when
        self._ended: dict[Path, Stamp] = {}
        self._made: set[Path] = set()

    def look(self) -> Iterator[BatchFile]:
        """Look once; yield each cube that ended, as it does."""
        for path in self._listed():
            if self._rests(path):
                outcome = self._make(path, path in self._made)
                if self._is_final(path, outcome):
                    self._ended[path] = self._seen[path][0]
                    if outcome.outcome == "done":
                        self._made.add(path)
                    yield outcome

    @property
    def waiting(self) -> tuple[Path, ...]:
        """Cubes that were seen and have not ended."""
        return tuple(
            path for path, (stamp, _) in self._seen.items() if self._ended.get(path) != stamp
        )

    def _rests(self, path: Path) -> bool:
        """Tell whether a cube that is to be made is as it was at the last look."""
        try:
            stamp = self._stamp(path)
        except OSError:  # renamed or taken away just now
            self._seen.pop(path, None)
            return False
        if self._ended.get(path) == stamp:
            return False
        before = self._seen.get(path)
        if before is None or before[0] != stamp:
            self._seen[path] = stamp, self._clock()
            return False
        return stamp[1] > 0 or self._rested(path)

    def _is_final(self, path: Path, outcome: BatchFile) -> bool:
        if outcome.outcome in ("done", "skipped") or self._rested(path):
            return True
        return self._readable(path)

    def _rested(self, path: Path) -> bool:
        return self._clock() - self._seen[path][1] >= self.patience


def watch_folder(
    folder: str | PathLike[str],
    workflow: Workflow | Recipe | str | PathLike[str],
    out: str | PathLike[str],
    *,
    suffix: str = ".zarr",
    poll: float = 2.0,
    patience: float = 60.0,
    once: bool = False,
    overwrite: bool = False,
    reading: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Iterator[BatchFile]:
    """Run a workflow on each cube of a folder, and on those to come, as they finish.

    Parameters
    ----------
    folder
        Where cubes appear. What is there at the start is made too, unless it was made before.
    workflow
        A `Workflow`, a recipe, a name such as ``"raw-2x"`` (`WORKFLOWS`), or a file of either.
    out
        Folder for the results, made where it is missing.
    suffix
        Format of the results, for example ``".npz"`` or ``".zarr"``.
    poll
        Seconds between two looks; a cube is finished when it did not change between them. For an
        instrument that pauses while it writes, take more than its longest pause.
    patience
        Seconds that a cube which rests, but cannot be read, is waited for.
    once
        Look twice, make what rests, and end.
    overwrite
        Replace results that are there but were made in another way or from another input.
    reading
        Keywords of `napari_deeper.read` for every file.
    progress
        Gets reports. Setting its ``cancel`` ends the watch with `Cancelled`.

    Yields
    ------
    BatchFile
        What became of each cube, once it is known.

    Raises
    ------
    FileError
        If the folder does not exist, or the results have no place.
    ParameterError
        For an unknown preset or format, or a time that is none.
    """
    folder, out, progress = Path(folder), Path(out), progress or Progress()
    for name, value in (("poll", poll), ("patience", patience)):
        if not 0 <= value < 1e6:
            raise ParameterError(f"{name} is {value}; it must be seconds, 0 or more.")
    check_format(suffix)
    find_cubes(folder)  # says what is wrong with the folder
    check_apart([folder], out)
    make_folder(out)
    workflow, given = as_workflow(workflow), dict(reading or {})
    runs = {again: Run(workflow, overwrite or again, given) for again in (False, True)}

    owners: dict[Path, Path] = {}
    networks: dict[Any, Any] = {}

    def make(path: Path, again: bool) -> BatchFile:
        target = out / f"{stem_of(path)}{suffix}"
        if owners.setdefault(target, path) != path:
            said = f"{owners[target].name} is written to {target.name} already."
            return BatchFile(path, target, "failed", said)
        progress.update(0.0, path.name)
        task = runs[again].task(path, target)
        if isinstance(task, BatchFile):
            return task
        outcome = run_task(task, networks, progress)
        note(task, outcome)
        return outcome

    watcher = Watcher(
        lambda: _listed(folder, progress),
        _stamp,
        make,
        lambda path: _readable(path, given),
        patience=0.0 if once else patience,
    )
    return _watch(watcher, poll, once, progress)


def _watch(watcher: Watcher, poll: float, once: bool, progress: Progress) -> Iterator[BatchFile]:
    n_looks = 0
    while True:
        yield from watcher.look()
        n_looks += 1
        if once and n_looks == 2:
            return
        waiting = ", ".join(path.name for path in watcher.waiting)
        progress.update(0.0, f"Waiting for {waiting or 'cubes'}")
        progress.cancel.wait(poll)
        progress.update(0.0, "Looking")


def _listed(folder: Path, progress: Progress) -> list[Path]:
    try:
        return find_cubes(folder)
    except FileError as error:  # a drive of the network may come back
        progress.update(0.0, str(error))
        return []


def _stamp(path: Path) -> Stamp:
    stats = [part.stat() for part in files_of(path)]
    return (
        len(stats),
        sum(stat.st_size for stat in stats),
        max((stat.st_mtime_ns for stat in stats), default=0),
    )


def _readable(path: Path, reading: Mapping[str, Any]) -> bool:
    try:
        read(path, **reading)
    except DeeperError:
        return False
    return True
