"""Progress out of a run, cancellation into it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from napari_deeper.spectra.errors import Cancelled


def _ignore(fraction: float, text: str) -> None:
    """Report to nobody."""


@dataclass(frozen=True)
class Progress:
    """What a verb reports to, and asks whether it should stop.

    Parameters
    ----------
    on_report
        Called as ``on_report(fraction, text)`` with ``fraction`` from 0 to 1, in the thread of the run.
    cancel
        When set, the next `update` raises `Cancelled`.
    """

    on_report: Callable[[float, str], None] = _ignore
    cancel: threading.Event = field(default_factory=threading.Event)
    start: float = 0.0
    stop: float = 1.0

    def update(self, fraction: float, text: str) -> None:
        """Report the fraction done (0 to 1); raise `Cancelled` if the user asked for it."""
        self.check()
        self.on_report(self.start + (self.stop - self.start) * fraction, text)

    def check(self) -> None:
        """Raise `Cancelled` if the user asked for it."""
        if self.cancel.is_set():
            raise Cancelled

    def part(self, start: float, stop: float) -> Progress:
        """Return a progress whose 0 to 1 is this one's ``start`` to ``stop``."""
        width = self.stop - self.start
        return Progress(
            self.on_report, self.cancel, self.start + width * start, self.start + width * stop
        )
