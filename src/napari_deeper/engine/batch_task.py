"""One cube of a batch: what is to be made of it, making it, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_deeper.engine.batch_manifest import known
from napari_deeper.engine.workflow import Workflow
from napari_deeper.engine.workflow_files import run_workflow_file
from napari_deeper.models.kept import keeping
from napari_deeper.spectra.errors import Cancelled, NoTableError, in_words
from napari_deeper.spectra.progress import Progress


@dataclass(frozen=True)
class BatchFile:
    """What became of one cube.

    Parameters
    ----------
    source, target
        The input and the result.
    outcome
        ``"done"``, ``"skipped"`` (it was there, made in this way from this input), ``"no cube"`` (a text
        without a table) or ``"failed"``.
    text
        What was found, or why it failed.
    """

    source: Path
    target: Path
    outcome: str
    text: str


@dataclass(frozen=True)
class Task:
    """One cube that is to be made.

    Parameters
    ----------
    number
        Which of all the cubes it is, from 0.
    source, target
        The input and the result.
    workflow
        What is done.
    record
        What the manifest says of the result.
    overwrite
        Replace a result that is there.
    reading
        Keywords of `napari_deeper.read`.
    """

    number: int
    source: Path
    target: Path
    workflow: Workflow
    record: Mapping[str, Any]
    overwrite: bool
    reading: Mapping[str, Any]


def run_task(task: Task, networks: dict[Any, Any], progress: Progress | None = None) -> BatchFile:
    """Make one cube; failures are told, not raised.

    Parameters
    ----------
    task
        The cube.
    networks
        Where networks are kept between cubes.
    progress
        Gets reports, and may cancel.
    """
    try:
        with keeping(networks):
            text, outcome = " ".join(_make(task, progress)), "done"
    except NoTableError as error:
        text, outcome = in_words(error), "no cube"
    except Cancelled:
        raise
    except Exception as error:  # one cube's fault, of whatever kind, must not stop the others
        text, outcome = in_words(error), "failed"
        if not task.overwrite and task.target.exists() and known(task.target) == task.record:
            # by another run meanwhile, or by a worker that died before it could tell
            text, outcome = "made in this way from this input meanwhile", "done"
    return BatchFile(task.source, task.target, outcome, text)


def _make(task: Task, progress: Progress | None) -> Sequence[str]:
    return run_workflow_file(
        task.source,
        task.target,
        task.workflow,
        overwrite=task.overwrite,
        reading=task.reading,
        progress=progress,
    )
