"""What a recipe does to a few pixels, found off the GUI thread while settings move."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from qtpy.QtCore import QObject, QTimer

from napari_deeper.engine.prepare import Preparation, Stage
from napari_deeper.engine.recipe import Recipe
from napari_deeper.plugin.jobs import JobRunner
from napari_deeper.spectra.cube import RamanCube

AFTER_MS = 50
Pixels = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Look:
    """What was seen of some pixels.

    Parameters
    ----------
    recipe
        The steps that were looked at.
    pixels
        (y, x) of each.
    stages
        Their spectra before the first step and after each.
    about
        What was given with the request.
    """

    recipe: Recipe
    pixels: Pixels
    stages: tuple[Stage, ...]
    about: Any


class PreviewSource:
    """A cube that is looked at again and again."""

    def __init__(self, cube: RamanCube) -> None:
        self.cube = cube
        self._preparation = Preparation(cube)
        self._strongest: tuple[int, int] | None = None

    def look(self, recipe: Recipe, pixels: Pixels, about: Any = None) -> Look:
        """Return what a recipe does to these pixels; with none, to that of the strongest signal."""
        pixels = pixels or (self.strongest(),)
        return Look(recipe, pixels, self._preparation.preview(recipe, pixels), about)

    def strongest(self) -> tuple[int, int]:
        """Return the pixel (y, x) whose intensities sum up to most; one that was not measured never is."""
        if self._strongest is None:
            with np.errstate(all="ignore"):  # what is not finite is passed over
                total = self.cube.intensity.sum(axis=2)
            total[~np.isfinite(total)] = -np.inf
            y, x = np.unravel_index(int(total.argmax()), total.shape)
            self._strongest = (int(y), int(x))
        return self._strongest


class LivePreview(QObject):
    """Looks a moment after it was asked to; of requests that come meanwhile, the last counts.

    Parameters
    ----------
    parent
        The dock.
    on_look
        Called in the GUI thread as ``on_look(look | None, error | None)``.
    """

    def __init__(
        self, parent: QObject, on_look: Callable[[Look | None, Exception | None], None]
    ) -> None:
        super().__init__(parent)
        self._on_look = on_look
        self._wanted: tuple[PreviewSource, Recipe, Pixels, Any] | None = None
        self._jobs = JobRunner(self, lambda *_: None, self._on_end)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(AFTER_MS)
        self._timer.timeout.connect(self._start)

    @property
    def busy(self) -> bool:
        """Whether a look is awaited."""
        return self._timer.isActive() or self._jobs.running or self._wanted is not None

    def ask(self, source: PreviewSource, recipe: Recipe, pixels: Pixels, about: Any = None) -> None:
        """Look at these pixels soon; `about` comes back with what is seen."""
        self._wanted = (source, recipe, pixels, about)
        if not self._timer.isActive():
            self._timer.start()

    def forget(self) -> None:
        """Look at nothing."""
        self._wanted = None
        self._timer.stop()

    def stop(self) -> None:
        """Look at nothing any more, and wait for the thread."""
        self.forget()
        self._jobs.stop()

    def _start(self) -> None:
        if self._wanted is None or self._jobs.running:
            return  # the end of the running one starts it
        source, recipe, pixels, about = self._wanted
        self._wanted = None
        self._jobs.start(lambda _: source.look(recipe, pixels, about))

    def _on_end(self, look: Look | None, error: Exception | None) -> None:
        self._on_look(look, error)
        if self._wanted is not None and not self._timer.isActive():
            self._start()
