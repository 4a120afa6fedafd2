"""Wait for long work where a result must be returned, without the window standing still."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from qtpy.QtCore import QEventLoop, Qt
from qtpy.QtWidgets import QApplication, QMainWindow, QProgressDialog

from napari_deeper.plugin.jobs import JobRunner
from napari_deeper.spectra.progress import Progress

R = TypeVar("R")
SHOWN_AFTER_MS = 400


def wait_for(work: Callable[[Progress], R], text: str) -> R:
    """Run ``work(progress)`` in a thread behind a dialog with a Cancel button, and return its result.

    napari's samples must be returned by the call that opens them, so that it cannot end before they are
    there; meanwhile the event loop goes on here, and the window is drawn and answers.

    Raises
    ------
    Cancelled
        If the user pressed Cancel.
    Exception
        What the work raised.
    """
    loop = QEventLoop()
    ends: list[tuple[Any, Exception | None]] = []
    windows = [w for w in QApplication.topLevelWidgets() if isinstance(w, QMainWindow)]
    shown = next((window for window in windows if window.isVisible()), None)
    dialog = QProgressDialog(text, "Cancel", 0, 1000, QApplication.activeWindow() or shown)
    dialog.setWindowTitle("DeepeR")
    dialog.setWindowModality(Qt.WindowModality.WindowModal)
    dialog.setMinimumDuration(SHOWN_AFTER_MS)
    dialog.setAutoReset(False)
    dialog.setAutoClose(False)
    dialog.setValue(0)

    def on_progress(fraction: float, doing: str, seconds: float | None) -> None:
        if not dialog.wasCanceled():
            dialog.setValue(round(1000 * fraction))

    def on_end(result: Any, error: Exception | None) -> None:
        ends.append((result, error))
        loop.quit()

    jobs = JobRunner(dialog, on_progress, on_end)
    dialog.canceled.connect(jobs.cancel)
    jobs.start(work)
    loop.exec()
    jobs.stop()
    dialog.close()
    dialog.deleteLater()
    if not ends:  # napari was quit meanwhile
        raise SystemExit
    result, error = ends[0]
    if error is not None:
        raise error
    return result  # type: ignore[no-any-return]
