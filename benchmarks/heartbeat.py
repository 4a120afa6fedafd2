"""How long the window's own thread does not come back to its events: the gaps between the beats of a timer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from napari._qt.qt_main_window import _QtMainWindow
from napari.components import LayerList
from napari.layers.base.base import PostInit
from qtpy.QtCore import QEvent, QObject, Qt, QTimer

BEAT_MS = 5


@dataclass(frozen=True)
class Gap:
    """Seconds between two beats.

    Parameters
    ----------
    wall
        On the clock.
    own
        That this thread worked, to which other programs do not add.
    ours
        Of it, what napari did not take to make layers, to insert them and to paint the window.
    """

    wall: float
    own: float
    ours: float

    def __str__(self) -> str:
        times = ", ".join(
            f"{n} {1e3 * s:.0f} ms" for n, s in (("own", self.own), ("ours", self.ours))
        )
        return f"{1e3 * self.wall:.0f} ms ({times})"


class Heartbeat(QObject):
    """Beats in the thread that made it, which is that of the window."""

    def __init__(self) -> None:
        super().__init__()
        self.gaps: list[Gap] = []
        self._theirs, self._depth = 0.0, 0
        self._last = (time.perf_counter(), time.thread_time(), 0.0)
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(BEAT_MS)
        self._timer.timeout.connect(self._beat)
        self._timer.start()

    def stop(self) -> None:
        """End, with the gap that is open."""
        self._beat()
        self._timer.stop()

    def longest(self, kind: str) -> Gap:
        """Return the gap with the most seconds of a kind: wall, own or ours."""
        return max(self.gaps, key=lambda gap: float(getattr(gap, kind)))

    def theirs(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a function of napari, so that what it takes is not ours."""

        def timed(*arguments: Any, **named: Any) -> Any:
            start = time.thread_time()
            self._depth += 1
            try:
                return function(*arguments, **named)
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self._theirs += time.thread_time() - start

        return timed

    def _beat(self) -> None:
        now = time.perf_counter(), time.thread_time(), self._theirs
        wall, own, theirs = (n - last for n, last in zip(now, self._last, strict=True))
        self.gaps.append(Gap(wall, own, own - theirs))
        self._last = now


@contextmanager
def beating() -> Iterator[Heartbeat]:
    """Beat while the block runs."""
    heart = Heartbeat()
    make, insert, handle = PostInit.__call__, LayerList.insert, _QtMainWindow.event
    paint = heart.theirs(handle)

    def event(window: Any, event: QEvent) -> bool:
        painting = event.type() == QEvent.Type.UpdateRequest
        return bool((paint if painting else handle)(window, event))

    PostInit.__call__, LayerList.insert = heart.theirs(make), heart.theirs(insert)
    _QtMainWindow.event = event
    try:
        yield heart
    finally:
        PostInit.__call__, LayerList.insert, _QtMainWindow.event = make, insert, handle
        heart.stop()
        heart.deleteLater()
