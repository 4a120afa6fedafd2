"""Workers of dask.distributed: those of a cluster, or processes of this computer."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Any

from napari_deeper.spectra.errors import FileError, in_words

_CONNECT = "20s"
LONGEST_ALONE = 300.0  # s that a cluster without workers is waited for
_LOOK_AGAIN = 1.0  # s


def dask_setup(worker: Any) -> None:
    """Leave Ctrl-C, which a terminal sends to every process, to the one that started the workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def connected(scheduler: str, workers: int) -> Iterator[Any]:
    """Give a client of a cluster, or of so many processes of this computer."""
    try:
        distributed: Any = import_module("distributed")
    except ImportError as error:
        raise FileError(
            "More than one worker needs dask.distributed, which is not installed. Install it with: "
            'pip install "napari-deeper[cluster]", or run in this process with workers=1 (--workers 1).'
        ) from error
    with ExitStack() as stack:
        if not scheduler:
            stack.enter_context(_environment_kept())
            # No limit of memory: dask would hold workers up for what torch keeps to itself, for ever.
            cluster = distributed.LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                memory_limit=0,
                dashboard_address="127.0.0.1:0",
                silence_logs=logging.CRITICAL,
                preload=[__name__],
            )
            stack.enter_context(cluster)
        try:
            client = distributed.Client(
                scheduler or cluster, timeout=_CONNECT, set_as_default=False
            )
        except (OSError, ValueError, TypeError) as error:
            raise FileError(
                f"No dask scheduler answers at {scheduler}: {in_words(error)}"
            ) from error
        yield stack.enter_context(client)


class Patience:
    """Waits for the workers of a cluster, and says so; gives up where none comes.

    Parameters
    ----------
    client
        Of the cluster.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._alone_since: float | None = None
        self._looked = time.monotonic()

    def told(self) -> str:
        """Return what to say of the workers: nothing, if there are some.

        Raises
        ------
        FileError
            If there was none for too long.
        """
        now = time.monotonic()
        if now - self._looked > _LOOK_AGAIN:
            self._looked = now
            alone = not self._client.nthreads()
            self._alone_since = (self._alone_since or now) if alone else None
        if self._alone_since is None:
            return ""
        address = self._client.scheduler.address
        if now - self._alone_since > LONGEST_ALONE:
            raise FileError(
                f"The dask scheduler at {address} has had no worker for {LONGEST_ALONE:.0f} s. "
                f"Start workers, for example with: dask worker {address}"
            )
        return f", waiting for a worker at {address}"


@contextmanager
def _environment_kept() -> Iterator[None]:
    """Take back what dask leaves in the environment, such as one thread for every process started later."""
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in set(os.environ) - set(before):
            del os.environ[name]
        os.environ.update(before)
