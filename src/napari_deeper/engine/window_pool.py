"""Make the windows of a large cube on workers of dask.distributed: those of this computer, or of a cluster."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from napari_deeper.engine.dask_client import connected
from napari_deeper.engine.mosaic import Pool
from napari_deeper.models.kept import keeping, kept
from napari_deeper.spectra.errors import DeeperError
from napari_deeper.spectra.progress import Progress

_LOOK = 0.2  # seconds between looks whether the user cancelled
# Windows that wait for each worker: enough that none is idle, few enough that they end nearly in order.
_AHEAD = 2


@contextmanager
def window_pool(workers: int, scheduler: str, progress: Progress) -> Iterator[Pool | None]:
    """Give what runs windows: None for this process, where one worker is asked for and no cluster.

    Parameters
    ----------
    workers
        Processes on this computer.
    scheduler
        Address of a dask cluster whose workers see the same folders; empty: this computer.
    progress
        May cancel.

    Raises
    ------
    FileError
        If dask.distributed is not installed, or the cluster does not answer.
    """
    if workers <= 1 and not scheduler:
        with keeping({} if (place := kept()) is None else place):
            yield None
        return
    with connected(scheduler, workers) as client:

        def run(function: Callable[[int], int], numbers: Sequence[int]) -> Iterable[int]:
            return _run(client, function, numbers, progress)

        yield run


def _run(
    client: Any, function: Callable[[int], int], numbers: Sequence[int], progress: Progress
) -> Iterator[int]:
    ended: queue.Queue[Any] = queue.Queue()
    sent = client.scatter(function, broadcast=True)
    waiting: dict[str, Any] = {}  # a future that nobody holds is not run
    left = iter(numbers)
    while True:
        n_wanted = _AHEAD * max(1, len(client.nthreads()))
        while len(waiting) < n_wanted and (number := next(left, None)) is not None:
            future = client.submit(_on_worker, sent, number, pure=False)
            waiting[future.key] = future
            future.add_done_callback(ended.put)
        if not waiting:
            return
        progress.check()
        with suppress(queue.Empty):
            future = ended.get(timeout=_LOOK)
            del waiting[future.key]
            yield _result(future)


def _result(future: Any) -> int:
    from distributed import KilledWorker

    try:
        return int(future.result())
    except KilledWorker as error:
        raise DeeperError(
            "The worker that made a window died, and so did those that tried again. Most often the memory ran "
            "out: use fewer workers, or a computer with more memory. Run it again to go on."
        ) from error


def _on_worker(function: Callable[[int], int], number: int) -> int:
    """Make a window in a worker, which keeps the networks that it has loaded."""
    from distributed import get_worker

    with keeping(vars(get_worker()).setdefault("napari_deeper_networks", {})):
        return function(number)
