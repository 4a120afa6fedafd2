"""Run a verb off the GUI thread, with progress out and cancellation in.

Nothing of Qt crosses the thread: the worker leaves its progress and its outcome in a plain object, and a timer of
the GUI thread looks there. So a dock can be closed at any moment without a signal to a widget that is gone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from qtpy.QtCore import QCoreApplication, QObject, QTimer

from napari_deeper.plugin.slow_imports import let_go_while_torch_loads, load_for_layers
from napari_deeper.spectra.errors import Cancelled
from napari_deeper.spectra.progress import Progress

POLL_MS = 50
TELL_SECONDS = 0.1  # between reports: each repaints the window, canvas and all
JOIN_SECONDS = 30.0
Pieces = Iterator[None]


class _Run:
    """One thread, and where it leaves what it has."""

    def __init__(self, work: Callable[[Progress], Any]) -> None:
        self._work = work
        self.cancel = threading.Event()
        self.fraction, self.text = 0.0, "Starting"
        self.started = time.monotonic()
        self.result: Any = None
        self.error: Exception | None = None
        # no daemon: a thread inside torch must not be cut off while the interpreter shuts down
        self.thread = threading.Thread(target=self._target, name="napari-deeper", daemon=False)

    def _target(self) -> None:
        try:
            load_for_layers()
            self.result = self._work(Progress(self._report, self.cancel))
        except Exception as error:
            self.error = error

    def _report(self, fraction: float, text: str) -> None:
        self.fraction, self.text = fraction, text

    def seconds_left(self) -> float | None:
        """Return the time left at the pace so far, or None while it says nothing."""
        elapsed = time.monotonic() - self.started
        if self.fraction < 0.02 or elapsed < 0.5:
            return None
        return elapsed * (1 - self.fraction) / self.fraction

    def stop(self, *_: object) -> None:
        """Cancel, and wait for the thread: a batch at most."""
        self.cancel.set()
        if self.thread.is_alive():
            self.thread.join(JOIN_SECONDS)


class JobRunner(QObject):
    """Runs one job at a time for its owner; stops it when the owner is destroyed or napari quits.

    Parameters
    ----------
    parent
        The dock that owns the runner.
    on_progress
        Called in the GUI thread as ``on_progress(fraction, text, seconds_left | None)``.
    on_end
        Called in the GUI thread as ``on_end(result | None, error | None)``; `Cancelled` is an error here.
        What takes the window long to show (napari takes a tenth of a second for a layer) is returned as an
        iterator, of which each turn of the event loop takes one piece; until its end the job still runs.
    on_shown
        Called in the GUI thread after the last piece.
    """

    def __init__(
        self,
        parent: QObject,
        on_progress: Callable[[float, str, float | None], None],
        on_end: Callable[[Any, Exception | None], Pieces | None],
        on_shown: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(parent)
        let_go_while_torch_loads()
        self._on_progress, self._on_end, self._on_shown = on_progress, on_end, on_shown
        self._run: _Run | None = None
        self._told_at = 0.0
        self._pieces: Pieces | None = None
        self._timer, self._turns = QTimer(self), QTimer(self)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self._poll)
        self._turns.setSingleShot(True)
        self._turns.timeout.connect(self._show_piece)

    @property
    def running(self) -> bool:
        """Whether a job is under way (or has ended but not yet been shown)."""
        return self._run is not None or self._pieces is not None

    def start(self, work: Callable[[Progress], Any]) -> None:
        """Run ``work(progress)`` in a thread.

        Raises
        ------
        RuntimeError
            If a job is running already; the dock disables its button.
        """
        if self.running:
            raise RuntimeError("a job is running already")
        run = _Run(work)
        self._run = run
        # bound methods of a plain object: they can still be called when this QObject is half destroyed
        self.destroyed.connect(run.stop)
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(run.stop)
        run.thread.start()
        self._timer.start()

    def cancel(self) -> None:
        """Ask the job to stop; it does within one batch, and then `on_end` gets `Cancelled`."""
        if self._run is not None:
            self._run.cancel.set()

    def stop(self) -> None:
        """Cancel and wait; nothing is reported any more."""
        self._timer.stop()
        self._turns.stop()
        self._pieces = None
        if self._run is not None:
            self._run.stop()
            self._run = None

    def _poll(self) -> None:
        run = self._run
        if run is None:
            return
        if run.thread.is_alive():
            if time.monotonic() - self._told_at > TELL_SECONDS:
                self._told_at = time.monotonic()
                self._on_progress(run.fraction, run.text, run.seconds_left())
            return
        self._timer.stop()
        self._run = None
        self.destroyed.disconnect(run.stop)
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.disconnect(run.stop)
        error = run.error
        if error is None and run.cancel.is_set():
            error = Cancelled()
        self._pieces = self._on_end(None if error else run.result, error)
        if self._pieces is not None:
            self._show_piece()

    def _show_piece(self) -> None:
        if self._pieces is None:
            return
        try:
            next(self._pieces)
        except StopIteration:
            self._pieces = None
            self._on_shown()
        except BaseException:
            self._pieces = None
            self._on_shown()
            raise
        else:
            self._turns.start(0)
