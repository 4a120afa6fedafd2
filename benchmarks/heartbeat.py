"""How long the window's own thread does not come back to its events: the longest gap between beats of a timer."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from qtpy.QtCore import QObject, Qt, QTimer

BEAT_MS = 5
_SEEN_AFTER, _SEEN_EVERY = 0.03, 0.005  # s


@dataclass(frozen=True)
class Gap:
    """Seconds between two beats: on the clock, and of this thread alone, to which other programs do not add.

    `doing` is where the thread was seen most often meanwhile, the innermost place last.
    """

    wall: float
    own: float
    doing: str = ""

    def __str__(self) -> str:
        return f"{1e3 * self.wall:.0f} ms ({1e3 * self.own:.0f} ms of its own) in {self.doing or 'many small things'}"


class Heartbeat(QObject):
    """Beats from `start` to `stop` in the thread that made it, which is that of the window."""

    def __init__(self) -> None:
        super().__init__()
        self.gaps: list[Gap] = []
        self._thread = threading.get_ident()
        self._last = (0.0, 0.0)
        self._seen: list[str] = []
        self._ended = threading.Event()
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(BEAT_MS)
        self._timer.timeout.connect(self._beat)

    def start(self) -> None:
        """Begin."""
        self._last = time.perf_counter(), time.thread_time()
        self._ended.clear()
        self._timer.start()
        threading.Thread(target=self._look, name="heartbeat", daemon=True).start()

    def stop(self) -> None:
        """End, with the gap that is open."""
        self._beat()
        self._timer.stop()
        self._ended.set()

    @property
    def longest(self) -> Gap:
        """The longest gap on the clock."""
        return max(self.gaps, key=lambda gap: gap.wall)

    @property
    def busiest(self) -> Gap:
        """The gap in which the thread itself did most."""
        return max(self.gaps, key=lambda gap: gap.own)

    def _beat(self) -> None:
        now = time.perf_counter(), time.thread_time()
        seen, self._seen = self._seen, []
        doing = max(set(seen), key=seen.count) if seen else ""
        self.gaps.append(Gap(now[0] - self._last[0], now[1] - self._last[1], doing))
        self._last = now

    def _look(self) -> None:
        while not self._ended.wait(_SEEN_EVERY):
            if time.perf_counter() - self._last[0] > _SEEN_AFTER:
                frame = sys._current_frames().get(self._thread)
                if frame is not None:
                    self._seen.append(_place(frame))


@contextmanager
def beating() -> Iterator[Heartbeat]:
    """Beat while the block runs."""
    heart = Heartbeat()
    heart.start()
    try:
        yield heart
    finally:
        heart.stop()
        heart.deleteLater()


def _place(frame: FrameType) -> str:
    """Return the last of our own functions on the stack, and the innermost of all."""
    names = [
        f"{summary.filename.rpartition('/')[2]}:{summary.name}:{summary.lineno}"
        for summary in traceback.extract_stack(frame)
        if "heartbeat" not in summary.filename
    ]
    ours = [
        n
        for n, s in zip(names, traceback.extract_stack(frame), strict=False)
        if "napari_deeper" in s.filename
    ]
    return " > ".join([*ours[-2:], *names[-2:]])
