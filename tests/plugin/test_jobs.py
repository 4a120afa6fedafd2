"""Jobs: progress out, cancellation in, nothing left behind."""

from __future__ import annotations

import threading
import time

import pytest
from qtpy.QtCore import QObject

from napari_deeper.plugin.jobs import JobRunner
from napari_deeper.spectra.errors import Cancelled, DeeperError
from napari_deeper.spectra.progress import Progress


def running_threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "napari-deeper"]


class Owner(QObject):
    def __init__(self) -> None:
        super().__init__()
        self.reports: list[tuple[float, str]] = []
        self.ends: list[tuple[object, Exception | None]] = []
        self.jobs = JobRunner(
            self,
            lambda fraction, text, left: self.reports.append((fraction, text)),
            lambda result, error: self.ends.append((result, error)),
        )


def endless(progress: Progress) -> None:
    while True:
        progress.update(0.5, "half way, for ever")
        time.sleep(0.005)


def test_result_and_progress_arrive_in_the_gui_thread(qtbot):
    owner = Owner()
    main = threading.get_ident()

    def work(progress: Progress) -> int:
        for i in range(20):
            progress.update(i / 20, "counting")
            time.sleep(0.01)
        return threading.get_ident()

    owner.jobs.start(work)
    qtbot.waitUntil(lambda: bool(owner.ends))
    result, error = owner.ends[0]
    assert error is None
    assert result != main
    fractions = [fraction for fraction, _ in owner.reports]
    assert fractions == sorted(fractions)
    assert "counting" in {text for _, text in owner.reports}
    assert not running_threads()


def test_cancel_ends_the_run_and_drops_its_result(qtbot):
    owner = Owner()
    owner.jobs.start(endless)
    qtbot.waitUntil(lambda: bool(owner.reports))
    owner.jobs.cancel()
    qtbot.waitUntil(lambda: bool(owner.ends))
    assert owner.ends[0][0] is None
    assert isinstance(owner.ends[0][1], Cancelled)
    assert not owner.jobs.running


@pytest.mark.parametrize(
    "error", [DeeperError("no signal"), RuntimeError("shapes differ"), MemoryError()]
)
def test_an_error_is_handed_over_not_raised(qtbot, error):
    owner = Owner()

    def work(progress: Progress) -> None:
        raise error

    owner.jobs.start(work)
    qtbot.waitUntil(lambda: bool(owner.ends))
    assert owner.ends == [(None, error)]


def test_a_second_job_waits_for_the_first(qtbot):
    owner = Owner()
    owner.jobs.start(endless)
    with pytest.raises(RuntimeError, match="running already"):
        owner.jobs.start(endless)
    owner.jobs.stop()
    assert not running_threads()


def test_destroying_the_owner_ends_the_thread(qtbot):
    owner = Owner()
    owner.jobs.start(endless)
    assert running_threads()
    owner.deleteLater()
    qtbot.waitUntil(lambda: not running_threads())
    assert owner.ends == []
