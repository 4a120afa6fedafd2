"""Spectra of places in layers of either kind: those in memory at once, those on disk at once or a little later."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from qtpy.QtCore import QObject, QTimer

from napari_deeper.plugin.layers import Reading, ask_at, is_stored, read_at, wait_for_reading
from napari_deeper.spectra.errors import DeeperError

WAIT_S = (
    0.03  # a spectrum mostly comes sooner, and then the plot is drawn once and does not flicker
)
LOOK_MS = 10


class Readings(QObject):
    """Reads places for a dock, and tells it when one that it did not get has come.

    Parameters
    ----------
    parent
        The dock.
    came
        Called without arguments when a reading has come.
    """

    def __init__(self, parent: QObject, came: Callable[[], None]) -> None:
        super().__init__(parent)
        self.problem = ""  # why the last one could not be read
        self._came = came
        self._waiting: list[Future[Any]] = []
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self._look)

    def release(self) -> None:
        """Wait for nothing any more."""
        self._timer.stop()
        self._waiting.clear()

    def at(self, layer: Any, place: tuple[float, float], radius: float) -> Reading | None:
        """Return what a layer says around a place, as `read_at`; None as well while it is being read."""
        if not is_stored(layer):
            return read_at(layer, place, radius)
        asked = ask_at(layer, place, radius)
        if asked is None:
            return None
        self.problem = ""
        try:  # only the first one is waited for, so that many take no longer
            reading = wait_for_reading(asked, 0.0 if self._waiting else WAIT_S)
        except DeeperError as error:
            self.problem = str(error)
            return None
        if not asked.done():
            self._waiting.append(asked)
            self._timer.start()
        return reading

    def _look(self) -> None:
        if any(asked.done() for asked in self._waiting):
            self.release()
            self._came()
