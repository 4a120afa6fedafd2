"""How far a training call is, in words: loss, rate, time left; and when it should stop."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from napari_deeper.spectra.progress import Progress
from napari_deeper.training.recipes import Recipe

# Seconds between two reports.
_PAUSE = 0.2
# Of the running mean of the loss.
_SMOOTH = 0.95


class Watch:
    """Reports to a `Progress`, over all runs of a call.

    Parameters
    ----------
    progress
        Told of it; its cancel event stops the run after the current step.
    n_steps
        Of all runs.
    minutes
        After which to stop; 0 for no limit.
    """

    def __init__(self, progress: Progress, n_steps: int, minutes: float) -> None:
        self.cancel = progress.cancel
        # A report must not raise Cancelled in the middle of a step: the state is saved first.
        self.progress = Progress(
            progress.on_report, threading.Event(), progress.start, progress.stop
        )
        self.n_steps, self.before = max(n_steps, 1), 0
        self.deadline = time.monotonic() + 60 * minutes if minutes else float("inf")

    def on_step(self, recipe: Recipe) -> Callable[[int, float], None]:
        """Return what a run calls with its step and loss."""
        before = self.before
        self.before += recipe.n_steps
        first, start, mean, last = -1, 0.0, 0.0, 0.0

        def report(step: int, loss: float) -> None:
            nonlocal first, start, mean, last
            now = time.monotonic()
            if first < 0:  # the time of the first step holds that of starting
                first, start, mean = step, now, loss
            mean = _SMOOTH * mean + (1 - _SMOOTH) * loss
            if now - last < _PAUSE and step + 1 < recipe.n_steps:
                return
            last = now
            fraction = (before + step + 1) / self.n_steps
            text = f"{recipe.name}: step {step + 1} of {recipe.n_steps}, loss {mean:.4g}"
            if step > first:
                rate = (step - first) / max(now - start, 1e-6)
                left = (recipe.n_steps - step - 1) / rate
                text += f", {rate:.3g} steps/s, {_in_words(left)} left"
            self.progress.update(min(fraction, 1.0), text)

        return report

    def say(self, text: str) -> None:
        """Report what is done now, no further than before."""
        self.progress.update(min(self.before / self.n_steps, 1.0), text)

    def should_stop(self) -> str:
        """Return why to stop now, or nothing."""
        if self.cancel.is_set():
            return "cancel"
        return "time" if time.monotonic() > self.deadline else ""


def _in_words(seconds: float) -> str:
    minutes = seconds / 60
    if minutes < 1:
        return f"{seconds:.0f} s"
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"


def in_lines(say: Callable[[str], None], pause: float) -> Progress:
    """Return a progress that says a line at most every so many seconds, for logs."""
    last = -math.inf

    def line(fraction: float, text: str) -> None:
        nonlocal last
        if time.monotonic() - last >= pause:
            last = time.monotonic()
            say(f"{fraction:4.0%} {text}")

    return Progress(line)
