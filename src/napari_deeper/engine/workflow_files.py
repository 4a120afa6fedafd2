"""Run a workflow from file to file; where cube or result are large, step by step over stores between."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from napari_deeper.engine.denoise_files import denoise_file
from napari_deeper.engine.enhance import is_joint
from napari_deeper.engine.large_files import input_of
from napari_deeper.engine.prepare_files import prepare_file
from napari_deeper.engine.super_resolve_files import super_resolve_file
from napari_deeper.engine.work_folder import task_of_file, working
from napari_deeper.engine.workflow import Workflow, as_workflow, run_workflow
from napari_deeper.io.read import read
from napari_deeper.io.write import check_output, write
from napari_deeper.spectra.progress import Progress

Notes = tuple[str, ...]
# What is made of a file, and written to another.
FileStep = Callable[[Path, Path, bool, Progress], Notes]


def run_workflow_file(
    source: str | PathLike[str],
    target: str | PathLike[str],
    workflow: Workflow | str | PathLike[str],
    *,
    overwrite: bool = False,
    reading: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Notes:
    """Read a cube, run a workflow on it and write the last result; return what the user should know.

    Where source and target are ``.zarr`` and one of them is large, each step goes from store to store, in memory
    that does not grow with them. A run that was stopped goes on where it was when it is started again; until then
    the steps between stay in the hidden folder ``.NAME.steps.work`` beside the output.

    Parameters
    ----------
    source, target
        Files; the second as `napari_deeper.write` takes it.
    workflow
        As `run_workflow` takes it.
    overwrite
        Replace an existing output.
    reading
        Keywords of `napari_deeper.read`.
    progress
        Gets reports, and may cancel the run.

    Raises
    ------
    DeeperError
        As the steps, `read` and `write` do.
    """
    workflow, progress = as_workflow(workflow), progress or Progress()
    path = check_output(target, overwrite=overwrite)
    growth = workflow.super_resolve.scale**2 if workflow.super_resolve else 1
    stored, given = input_of(Path(source), path, reading, growth)
    steps = _steps(workflow, given)
    if stored is not None:
        return _over_stores(Path(source), path, workflow, steps, overwrite, progress)
    if list(steps) == ["prepare"]:  # which has its own say of what it streams
        return steps["prepare"](Path(source), path, overwrite, progress)
    cube = read(Path(source), **given)
    result = run_workflow(cube, workflow, progress)
    write(result, path, overwrite=overwrite)
    return tuple(note for step in result.provenance[len(cube.provenance) :] for note in step.notes)


def _steps(workflow: Workflow, given: Mapping[str, Any]) -> dict[str, FileStep]:
    """Return what a workflow does, by the name of the verb; the keywords of reading are for the first step."""
    recipe, first, second = workflow.prepare, workflow.denoise, workflow.super_resolve
    steps: dict[str, FileStep] = {}
    if recipe is not None:
        steps["prepare"] = lambda source, target, over, progress: prepare_file(
            source, target, recipe, overwrite=over, reading=given, progress=progress
        )
    if first is not None and not (second is not None and is_joint(first, second)):
        steps["denoise"] = lambda source, target, over, progress: denoise_file(
            source, target, first, overwrite=over, progress=progress
        )
    if second is not None:
        steps["super-resolve"] = lambda source, target, over, progress: super_resolve_file(
            source, target, second, overwrite=over, progress=progress
        )
    return steps


def _over_stores(
    source: Path,
    target: Path,
    workflow: Workflow,
    steps: Mapping[str, FileStep],
    overwrite: bool,
    progress: Progress,
) -> Notes:
    """Run each step on the store that the one before made, but not those that are made already."""
    task = {"workflow": workflow.to_json(), "input": task_of_file(source)}
    notes: list[str] = []
    last = list(steps)[-1]
    with working(target.with_name(f"{target.name}.steps"), task) as work:
        for number, (name, step) in enumerate(steps.items()):
            part = progress.part(number / len(steps), (number + 1) / len(steps))
            told = f"{name}.json"
            there = target if name == last else work.path / f"{name}.zarr"
            if not work.has(told):
                # without a note that it is complete, what lies there was another run's
                said = step(source, there, overwrite or name != last, part)
                work.save_facts(told, said)
            notes += work.facts(told)
            source = there
    return tuple(notes)
