"""Work on rows of arrays in several threads: numpy and scipy let others run while they compute."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Made = TypeVar("Made")

_MOST_THREADS = 8


def n_threads() -> int:
    """Return how many blocks of work run at once."""
    try:
        available = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows do not tell
        available = os.cpu_count() or 1
    return max(1, min(_MOST_THREADS, available))


def over_rows(work: Callable[[slice], Made], n_rows: int, n_together: int) -> list[Made]:
    """Call ``work`` with so many rows at a time, in threads; return what it returns, in order."""
    n_together = max(1, n_together)
    parts = [slice(start, start + n_together) for start in range(0, n_rows, n_together)]
    if len(parts) < 2 or n_threads() == 1:
        return [work(part) for part in parts]
    with ThreadPoolExecutor(n_threads()) as pool:
        return list(pool.map(work, parts))
