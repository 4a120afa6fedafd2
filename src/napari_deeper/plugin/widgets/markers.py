"""Places whose spectra are shown: the pinned pixel, further markers, and their points on the canvas."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QTimer

if TYPE_CHECKING:
    import napari
    from napari.layers import Points

Place = tuple[float, float]
NAME = "Spectra markers"
AFTER_MS = 20  # one frame


class Markers:
    """An ordered list of places (y, x) in world units, drawn as a Points layer.

    A marker moves once the window has drawn what else changed: moving points takes napari longer than
    the spectra take, and those are what the user waits for.
    """

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = viewer
        self.places: list[Place] = []
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._draw)

    def pin(self, place: Place, *, add: bool) -> None:
        """Move the last marker here, or add another."""
        if self.places and not add:
            self.places[-1] = place
            self._timer.start(AFTER_MS)
            return
        self.places.append(place)
        self._draw()

    def release(self) -> None:
        """Draw nothing more; calling it again changes nothing."""
        self._timer.stop()

    def clear(self) -> None:
        """Forget all places."""
        self.places.clear()
        self._timer.stop()
        self._draw()

    def layer(self) -> Points | None:
        """Return the Points layer, if it is there."""
        return next((la for la in self._viewer.layers if la.metadata.get("marks_of") is self), None)

    def _draw(self) -> None:
        layer = self.layer()
        if not self.places:
            if layer is not None:
                self._viewer.layers.remove(layer)
            return
        data = np.array(self.places, dtype=float)
        numbers = [str(i + 1) for i in range(len(data))]
        if layer is None:
            self._add(data, numbers)
            return
        same_count = len(layer.data) == len(data)
        if same_count and np.array_equal(layer.data, data):
            return
        layer.data = data
        if not same_count:  # the numbers take napari longer than the points themselves
            layer.text = _labels(numbers)
        layer.selected_data = set()

    def _add(self, data: np.ndarray, numbers: list[str]) -> None:
        viewer = self._viewer
        active = viewer.layers.selection.active
        like = next(la for la in reversed(viewer.layers) if la.ndim >= 2)
        viewer.add_points(
            data,
            name=NAME,
            size=1.4 * float(max(like.scale[-2:])),
            units=like.units[-2:],
            axis_labels=("y", "x"),
            symbol="cross",
            face_color="white",
            border_color="black",
            border_width=0.15,
            text=_labels(numbers),
            metadata={"marks_of": self},
        )
        viewer.layers.selection.active = active


def _labels(numbers: list[str]) -> dict[str, object]:
    return {
        "string": {"array": numbers},
        "color": "white",
        "size": 10,
        "anchor": "upper_left",
        "translation": [0.0, 0.0],
    }
