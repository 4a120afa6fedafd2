"""Run a workflow on many cubes; safe to run again, and at the same time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from napari_deeper.engine.batch_files import digest, make_folder, places
from napari_deeper.engine.batch_manifest import claim, finish
from napari_deeper.engine.batch_task import BatchFile, Task, run_task
from napari_deeper.engine.recipe import Recipe
from napari_deeper.engine.workflow import Workflow, as_workflow
from napari_deeper.models.user_models import resolve
from napari_deeper.processing.threads import n_threads
from napari_deeper.spectra.errors import (
    DeeperError,
    FileError,
    ParameterError,
    in_words,
)
from napari_deeper.spectra.progress import Progress


def batch(
    workflow: Workflow | Recipe | str | PathLike[str],
    sources: str | PathLike[str] | Iterable[str | PathLike[str]],
    out: str | PathLike[str],
    *,
    suffix: str = ".zarr",
    workers: int = 0,
    scheduler: str = "",
    overwrite: bool = False,
    reading: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    on_file: Callable[[BatchFile], None] | None = None,
) -> tuple[BatchFile, ...]:
    """Run a workflow on many cubes, on the cores of this computer or on a cluster.

    One that fails does not stop the others. What was made in the same way from the same input is skipped.

    Parameters
    ----------
    workflow
        A `Workflow`, a recipe, a name such as ``"raw-2x"`` (`WORKFLOWS`), or a file of either.
    sources
        Folders of cubes, or cubes.
    out
        Folder for the results, made where it is missing; of several folders, each has a folder of its
        name in it.
    suffix
        Format of the results, for example ``".npz"`` or ``".zarr"``.
    workers
        Processes on this computer; 1 runs in this process, 0 takes as many as there are cores. More
        than one needs the extra `cluster`.
    scheduler
        Address of a dask cluster, ``"tcp://host:8786"``, whose workers see the same folders. Empty: this
        computer.
    overwrite
        Replace results that are there but were made in another way or from another input.
    reading
        Keywords of `napari_deeper.read` for every file.
    progress
        Gets reports, and may cancel the run.
    on_file
        Called with each cube's outcome as it is known.

    Returns
    -------
    tuple[BatchFile, ...]
        In the order of the inputs.

    Raises
    ------
    FileError
        If a folder holds no cube, the results have no place, or a library or the cluster is missing.
    ParameterError
        For an unknown preset or format, or a workflow that is none.
    """
    if workers < 0:
        raise ParameterError(f"workers is {workers}; it must be 0 (all cores) or more.")
    if isinstance(sources, str | PathLike):
        sources = [sources]
    found = places(sources, Path(out), suffix)
    run = Run(as_workflow(workflow), overwrite, dict(reading or {}))
    progress = progress or Progress()
    workers = min(workers or n_threads(), len(found))
    if scheduler or workers > 1:
        from napari_deeper.engine.batch_cluster import on_cluster

        made = on_cluster(run.plan(found), len(found), scheduler, workers, progress)
    else:
        made = one_by_one(run.plan(found), len(found), progress)
    outcomes: dict[Path, BatchFile] = {}
    for task, outcome in made:
        if task is not None:
            note(task, outcome)
        outcomes[outcome.source] = outcome
        if on_file is not None:
            on_file(outcome)
    progress.update(1.0, "Done")
    return tuple(outcomes[source] for source, _ in found)


class Run:
    """A workflow that is run on cubes, and how.

    Parameters
    ----------
    workflow, overwrite, reading
        As `batch` takes them.
    """

    def __init__(self, workflow: Workflow, overwrite: bool, reading: Mapping[str, Any]) -> None:
        self._workflow, self._overwrite, self._reading = workflow, overwrite, reading
        self._how = {
            "workflow": _unnamed(workflow.to_json()),
            # A name stays the same when its weights are tuned anew.
            "weights": {model: digest(resolve(model)) for model in workflow.models},
            "reading": json.loads(json.dumps(reading, default=_plain)),
        }

    def plan(self, found: Sequence[tuple[Path, Path]]) -> Iterator[Task | BatchFile]:
        """Yield a task for each cube, or what became of it where there is nothing to do."""
        taken: set[Path] = set()
        for number, (source, target) in enumerate(found):
            if target in taken:
                said = f"another input is written to {target.name} already."
                yield BatchFile(source, target, "failed", said)
                continue
            taken.add(target)
            yield self.task(source, target, number)

    def task(self, source: Path, target: Path, number: int = 0) -> Task | BatchFile:
        """Return the task for one cube, or what became of it."""
        try:
            if not source.exists():
                raise FileError(f"{source} does not exist. Check the name and the folder.")
            make_folder(target.parent)
            record = {"input": source.name, "sha256": digest(source), **self._how}
            if claim(target, record, overwrite=self._overwrite):
                return Task(
                    number, source, target, self._workflow, record, self._overwrite, self._reading
                )
        except DeeperError as error:
            return BatchFile(source, target, "failed", in_words(error))
        return BatchFile(source, target, "skipped", "made in this way from this input before")


def note(task: Task, outcome: BatchFile) -> None:
    """Let the manifest know of a result."""
    if outcome.outcome == "done":
        finish(task.target, task.record)


def one_by_one(
    planned: Iterable[Task | BatchFile], n_cubes: int, progress: Progress
) -> Iterator[tuple[Task | None, BatchFile]]:
    """Yield each task with what became of it, run in this process."""
    networks: dict[Any, Any] = {}
    for task in planned:
        if isinstance(task, BatchFile):
            yield None, task
            continue
        part = progress.part(task.number / n_cubes, (task.number + 1) / n_cubes)
        part.update(0.0, task.source.name)
        yield task, run_task(task, networks, part)


def _unnamed(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is done, without the names that people gave it."""
    found = {key: value for key, value in record.items() if key != "name"}
    if "prepare" in found:
        found["prepare"] = _unnamed(found["prepare"])
    return found


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)
