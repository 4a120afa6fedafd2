"""The mouse on the canvas: clicks pin places, Shift and move browses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_deeper.plugin.widgets.markers import Place

if TYPE_CHECKING:
    import napari

TOLERANCE = 4  # screen pixels: a press that moves further is a drag


class Pointer:
    """Turns mouse events of a viewer into places (y, x) in world units.

    Parameters
    ----------
    viewer
        The viewer.
    on_pin
        Called as ``on_pin(place, add)`` after a click; `add` with Ctrl held.
    on_browse
        Called as ``on_browse(place)`` while Shift is held, and once with None when it is not any more.
    """

    def __init__(
        self,
        viewer: napari.Viewer,
        on_pin: Callable[[Place, bool], None],
        on_browse: Callable[[Place | None], None],
    ) -> None:
        self._viewer, self._on_pin, self._on_browse = viewer, on_pin, on_browse
        self._browsing = False
        viewer.mouse_drag_callbacks.append(self._press)
        viewer.mouse_move_callbacks.append(self._move)

    def release(self) -> None:
        """Take no more events; calling it again changes nothing."""
        for callbacks, callback in (
            (self._viewer.mouse_drag_callbacks, self._press),
            (self._viewer.mouse_move_callbacks, self._move),
        ):
            if callback in callbacks:
                callbacks.remove(callback)

    def _press(self, viewer: napari.Viewer, event: Any) -> Iterator[None]:
        # while a layer is painted or edited, a click belongs to that
        mode = str(getattr(viewer.layers.selection.active, "mode", "pan_zoom"))
        if event.button != 1 or mode != "pan_zoom" or not self._flat():
            return
        place, add = _place(event), "Control" in event.modifiers
        yield
        while event.type == "mouse_move":
            moved = np.hypot(*np.subtract(_place(event), place))
            if moved * float(viewer.scene.camera.zoom) > TOLERANCE:
                return
            yield
        self._on_pin(place, add)

    def _move(self, viewer: napari.Viewer, event: Any) -> None:
        browsing = "Shift" in event.modifiers and self._flat()
        if browsing:
            self._on_browse(_place(event))
        elif self._browsing:
            self._on_browse(None)
        self._browsing = browsing

    def _flat(self) -> bool:
        """Return whether the canvas shows y and x."""
        dims = self._viewer.dims
        return dims.ndisplay == 2 and tuple(dims.displayed) == (dims.ndim - 2, dims.ndim - 1)


def _place(event: Any) -> Place:
    y, x = event.position[-2:]
    return float(y), float(x)
