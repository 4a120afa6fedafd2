"""Run the cubes of a batch on workers of dask.distributed: those of this computer, or of a cluster."""

from __future__ import annotations

import dataclasses
import queue
import secrets
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from napari_deeper.engine.batch_task import BatchFile, Task, run_task
from napari_deeper.engine.dask_client import Patience, connected
from napari_deeper.spectra.errors import in_words
from napari_deeper.spectra.progress import Progress

_LOOK = 0.2  # seconds between looks whether the user cancelled


def on_cluster(
    planned: Iterable[Task | BatchFile],
    n_cubes: int,
    scheduler: str,
    workers: int,
    progress: Progress,
) -> Iterator[tuple[Task | None, BatchFile]]:
    """Yield each task with what became of it, as they end.

    A task whose worker died is run again, three times at most (the scheduler's ``allowed-failures``). One
    that fails for its own reason is not.

    Parameters
    ----------
    planned
        What is to be made; the first are run while the later are looked at.
    n_cubes
        How many there are, with those that need no work.
    scheduler
        Address of a cluster; empty for processes of this computer.
    workers
        How many of those.
    progress
        Gets reports, and may cancel the run.

    Raises
    ------
    FileError
        If dask.distributed is not installed, the cluster does not answer, or it has no workers for long.
    """
    ended: queue.Queue[Any] = queue.Queue()
    waiting: dict[str, Task] = {}
    futures, client = [], None  # a future that nobody holds is not run
    with ExitStack() as stack:
        for task in planned:
            if isinstance(task, BatchFile):
                yield None, task
                continue
            progress.update(0.0, f"Looking at {task.source.name}")
            if client is None:  # not before there is something to do
                client = stack.enter_context(connected(scheduler, workers))
            # Writing a file is no pure function: two runs of one client must not share it.
            future = client.submit(_on_worker, _absolute(task), pure=False, key=_key(task))
            waiting[future.key] = task
            futures.append(future)
            future.add_done_callback(ended.put)
        patience = Patience(client)
        while waiting:
            n_done = len(futures) - len(waiting)
            told = f"{n_done} of {len(futures)} cubes{patience.told()}"
            progress.update(1 - len(waiting) / n_cubes, told)
            with suppress(queue.Empty):
                future = ended.get(timeout=_LOOK)
                task = waiting.pop(future.key)
                yield task, _outcome(task, future)


def _on_worker(task: Task) -> BatchFile:
    """Run a task in a worker, which keeps the networks that it has loaded."""
    from distributed import get_worker

    worker = get_worker()
    networks = vars(worker).setdefault("napari_deeper_networks", {})
    return run_task(task, networks)


def _outcome(task: Task, future: Any) -> BatchFile:
    from distributed import KilledWorker

    try:
        told: BatchFile = future.result()
        return dataclasses.replace(told, source=task.source, target=task.target)
    except KilledWorker:
        text = (
            "the worker that ran it died, and so did those that tried again. Most often the memory "
            "ran out: use fewer workers, or a computer with more memory."
        )
    except Exception as error:  # the cluster's fault, of whatever kind, must not stop the others
        text = in_words(error)
    return BatchFile(task.source, task.target, "failed", text)


def _absolute(task: Task) -> Task:
    """Return the task with paths that hold in another folder of work."""
    source, target = (Path(path).absolute() for path in (task.source, task.target))
    return dataclasses.replace(task, source=source, target=target)


def _key(task: Task) -> str:
    return f"{task.target.name}-{secrets.token_hex(8)}"
