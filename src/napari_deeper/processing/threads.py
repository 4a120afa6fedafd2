"""Work on parts of arrays in several threads: numpy and scipy let others run while they compute."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from napari_deeper.spectra.progress import Progress

Block = TypeVar("Block")
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


def in_threads(
    treat: Callable[[Block], Made],
    blocks: Sequence[Block],
    progress: Progress,
    label: str,
    at_once: int | None = None,
) -> Iterator[tuple[Block, Made]]:
    """Yield what each block becomes as it is done; a cancel is heard between blocks.

    As many at once as there are threads, unless fewer are asked for.
    """
    n_at_once = at_once or n_threads()
    if len(blocks) == 1 or n_at_once == 1:
        for done, block in enumerate(blocks):
            progress.update(done / len(blocks), label)
            yield block, treat(block)
        return
    with ThreadPoolExecutor(n_at_once) as pool:
        waiting: dict[Future[Made], Block] = {}
        ahead = list(reversed(blocks))
        done = 0
        try:
            while True:
                # No more in flight than threads and one each to come, so that memory stays bounded.
                while ahead and len(waiting) < 2 * n_at_once:
                    block = ahead.pop()
                    waiting[pool.submit(treat, block)] = block
                if not waiting:
                    return
                progress.update(done / len(blocks), label)
                ready, _ = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
                for future in ready:
                    done += 1
                    yield waiting.pop(future), future.result()
        finally:
            for future in waiting:
                future.cancel()
