"""Whether a cube suits the networks, found off the GUI thread and kept for each layer and model."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QObject, QTimer

from napari_deeper.engine.fit_check import Finding, check_fit
from napari_deeper.plugin.jobs import JobRunner
from napari_deeper.spectra.cube import RamanCube

AFTER_MS = 200  # settings and layers have come to rest
Findings = tuple[Finding, ...]


class FitWatch(QObject):
    """Looks at a cube once for each model.

    Parameters
    ----------
    parent
        The dock.
    changed
        Called without arguments in the GUI thread when findings are there.
    """

    def __init__(self, parent: QObject, changed: Callable[[], None]) -> None:
        super().__init__(parent)
        self._changed = changed
        # by layer: the id of its data and the model -> what was found. Layers that are gone are forgotten.
        self._known: weakref.WeakKeyDictionary[Any, dict[tuple[int, str], Findings]] = (
            weakref.WeakKeyDictionary()
        )
        self._wanted: tuple[Any, RamanCube, str] | None = None
        self._looking_at: tuple[Any, tuple[int, str]] | None = None
        self._jobs = JobRunner(self, lambda *_: None, self._on_end)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(AFTER_MS)
        self._timer.timeout.connect(self._start)

    def findings(self, layer: Any, cube: RamanCube, model: str) -> Findings | None:
        """Return what was found, or None and look soon; of several requests the last counts."""
        known = self._known.get(layer, {}).get((id(layer.data), model))
        if known is not None:
            self._wanted = None
            return known
        key = (weakref.ref(layer), (id(layer.data), model))
        if self._looking_at is None or self._looking_at != key:
            self._wanted = (layer, cube, model)
            self._timer.start()
        return None

    def forget(self) -> None:
        """Look at nothing: the cube that was asked about is gone or not wanted."""
        self._wanted = None
        self._timer.stop()

    def stop(self) -> None:
        """Look at nothing any more, and wait for the thread."""
        self.forget()
        self._jobs.stop()

    def _start(self) -> None:
        if self._wanted is None or self._jobs.running:
            return  # the end of the running one starts it
        layer, cube, model = self._wanted
        self._wanted = None
        self._looking_at = (weakref.ref(layer), (id(layer.data), model))
        self._jobs.start(lambda _: check_fit(cube, model))

    def _on_end(self, found: Findings | None, error: Exception | None) -> None:
        looked, self._looking_at = self._looking_at, None
        layer = looked[0]() if looked is not None else None
        if layer is not None and looked is not None:
            # what cannot be checked is said by the run itself
            self._known.setdefault(layer, {})[looked[1]] = found or ()
        self._changed()
        if self._wanted is not None and not self._timer.isActive():
            self._start()
