"""Has napari look again at a layer whose store is being read."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from napari.utils.notifications import show_warning
from qtpy.QtCore import QObject, QTimer

from napari_deeper.plugin.layers import stored_image

LOOK_MS = 100


class Refresher(QObject):
    """Refreshes a layer on disk while its planes fill, until the layer is removed or gone.

    Parameters
    ----------
    viewer
        The viewer that shows the layer.
    layer
        The layer.
    changed
        Called when reading begins or ends.
    """

    def __init__(self, viewer: Any, layer: Any, changed: Callable[[], None]) -> None:
        # the window keeps it, and takes it along
        super().__init__(getattr(viewer.window, "_qt_window", None))
        self._viewer, self._layer = weakref.ref(viewer), weakref.ref(layer)
        self._changed = changed
        self._was_loading, self._told = False, ""
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self._look)
        self._timer.start()

    def _look(self) -> None:
        viewer, layer = self._viewer(), self._layer()
        image = stored_image(layer)
        if viewer is None or layer is None or image is None or layer not in viewer.layers:
            self._timer.stop()
            self.deleteLater()
            if image is not None:
                image.close()
            return
        loading = image.loading
        if image.take_news():
            layer.refresh(extent=False, thumbnail=False)
        if loading != self._was_loading:
            self._was_loading = loading
            self._changed()
        if image.problem and image.problem != self._told:
            self._told = image.problem
            show_warning(image.problem)
