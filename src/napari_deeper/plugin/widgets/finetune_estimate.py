"""How long a job takes and how much memory, found out by itself once the settings rest."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_deeper.plugin.finetune_data import Drawn, prepare
from napari_deeper.plugin.finetune_job import estimate
from napari_deeper.plugin.jobs import JobRunner
from napari_deeper.plugin.widgets.finetune_form import Asked
from napari_deeper.plugin.widgets.wording import in_words
from napari_deeper.spectra.errors import Cancelled

REST_MS = 1000
# Layers that lie in no file are written for it; above this the user asks for it.
MOST_BYTES = 500_000_000
DOING = "Trying a few steps, to tell how long it takes..."
ON_CLICK = "Estimate tells how long it takes (these cubes are large, so it waits for a click)."


class Estimator(QObject):
    """Keeps an estimate of the job that is asked for, made in a process of its own.

    Parameters
    ----------
    parent
        The dock.
    whole
        Returns what is asked for with its cubes, or None where nothing can be started.
    """

    changed = Signal()

    def __init__(self, parent: QObject, whole: Callable[[], Asked | None]) -> None:
        super().__init__(parent)
        self.told = ""
        self._whole = whole
        self._asked: Asked | None = None
        self._jobs = JobRunner(self, lambda *_: None, self._on_end)
        self._resting = QTimer(self)
        self._resting.setSingleShot(True)
        self._resting.setInterval(REST_MS)
        self._resting.timeout.connect(self.begin)

    @property
    def running(self) -> bool:
        """Whether steps are being tried."""
        return self._jobs.running

    def consider(self, asked: Asked | None, *, seen: bool) -> None:
        """Begin once this has been asked for a while, if somebody looks; None: nothing can be estimated."""
        if _key(asked) != _key(self._asked):
            self._asked, self.told = asked, ""
            self._jobs.cancel()
            self._resting.stop()
        if asked is None or not seen or self.told or self._resting.isActive():
            return
        if _n_bytes(asked) > MOST_BYTES:
            self.told = ON_CLICK
        else:
            self._resting.start()

    def begin(self) -> None:
        """Find out now what the job takes that is asked for."""
        if self._jobs.running:  # of other settings, and cancelled: wait until it is gone
            self._resting.start()
            return
        asked = self._whole()
        if asked is None:
            return
        self._asked, self.told = asked, DOING

        def work(progress: Any) -> str:
            with tempfile.TemporaryDirectory(prefix="napari-deeper-") as folder:
                prepare(Path(folder) / "job", asked.data, asked.params, asked.name)
                return estimate(Path(folder) / "job", progress.cancel)

        self._jobs.start(work)
        self.changed.emit()

    def stop(self) -> None:
        """End it, and wait for the process to be gone."""
        self._resting.stop()
        self._jobs.stop()

    def _on_end(self, told: str | None, error: Exception | None) -> None:
        if self.told == DOING:  # else other settings were made meanwhile
            self.told = told or in_words(error or Cancelled(), "")
        self.changed.emit()


def _key(asked: Asked | None) -> object:
    """Return what decides the estimate: settings, and in words how much data there is."""
    return None if asked is None else (asked.params, asked.told)


def _n_bytes(asked: Asked) -> int:
    """Return the size of the cubes that would be written or read."""
    cubes = asked.data.overview.cubes if isinstance(asked.data, Drawn) else ()
    return sum(4 * math.prod(cube.shape) for cube in cubes)
