"""Layers side by side, each in a cell of napari's grid, with one cursor in all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QTimer

if TYPE_CHECKING:
    import napari
    from napari.layers import Layer, Vectors

KEY = "napari_deeper_cursor_of"
Place = tuple[float, float]

# Each arm is a bright line beside a dark one, so that it shows on every map.
CURSOR, PINNED, DARK = "#FFFFFF", "#FF4FD8", "#000000"
MOVE_MS = 16
NAME_SIZE = 9
# Of the shorter side of the field: how far the arms of a cross reach, how far they stay from the middle.
_REACH, _GAP, _WIDTH = 0.065, 0.018, 0.008


class LinkedGrid:
    """Shows layers side by side while it is on; leaving brings back what was before.

    Each chosen layer gets a cell, and in it a layer with the cursor: the place under the pointer and the
    pinned places, in the same place of every cell. Every other layer is hidden meanwhile, so that heatmaps
    and markers get no cell of their own. Zoom and pan are linked by napari.

    Parameters
    ----------
    viewer
        The viewer.
    on_leave
        Called when it ends by itself: the grid was switched off in napari, or too few layers are left.
    """

    def __init__(self, viewer: napari.Viewer, on_leave: Callable[[], None]) -> None:
        self._viewer, self._on_leave = viewer, on_leave
        self._before: dict[str, Any] = {}
        self._shown: list[Layer] = []
        self._n_drawn = -1  # pinned places drawn last
        self._place: Place | None = None
        self._busy = False
        self._settle_timer, self._move_timer = QTimer(), QTimer()
        for timer, delay, slot in (
            (self._settle_timer, 0, self._settle),
            (self._move_timer, MOVE_MS, self._draw),
        ):
            timer.setSingleShot(True)
            timer.setInterval(delay)
            timer.timeout.connect(slot)

    @property
    def on(self) -> bool:
        """Whether layers are side by side now."""
        return bool(self._before)

    def show(self, layers: Sequence[Layer]) -> None:
        """Show these layers side by side, the first in the first cell; at least two."""
        if self.on:
            self.leave()
        viewer, grid = self._viewer, self._viewer.canvas.grid
        camera, text = viewer.scene.camera, viewer.canvas.overlays.text
        self._before = {
            "visible": {layer: layer.visible for layer in viewer.layers},
            "order": list(viewer.layers),
            "names": {
                layer: (layer.name_overlay.visible, layer.name_overlay.font_size)
                for layer in layers
            },
            "grid": {
                name: getattr(grid, name) for name in ("enabled", "stride", "shape", "spacing")
            },
            "camera": (tuple(camera.center), float(camera.zoom)),
            "active": viewer.layers.selection.active,
            "text": (text.position, text.visible),
        }
        self._shown = list(layers)
        active = viewer.layers.selection.active
        self._busy = True
        try:
            for layer in self._shown:
                viewer.add_layer(self._make_cursor(layer))
                layer.name_overlay.font_size = NAME_SIZE
                layer.name_overlay.visible = True
        finally:
            self._busy = False
        self._settle()
        grid.stride, grid.shape, grid.spacing = 2, (-1, -1), 4
        grid.enabled = True
        viewer.layers.selection.active = active if active in self._shown else self._shown[0]
        # napari cannot fit to 2D layers alone while a slider is there
        flat = all(layer.ndim < viewer.dims.ndim for layer in self._shown)
        # the names are at the top left; maps do not follow the slider
        text.position = "bottom_left"
        text.visible = text.visible and not flat
        viewer.reset_view(layers=None if flat else self._shown)
        self._listen(connect=True)

    def leave(self) -> None:
        """Take the cursors away, and bring back visibility, order, grid and view; calling it again changes nothing."""
        if not self.on:
            return
        self._listen(connect=False)
        self._settle_timer.stop()
        self._move_timer.stop()
        before, self._before = self._before, {}
        viewer = self._viewer
        for name, value in before["grid"].items():
            setattr(viewer.canvas.grid, name, value)
        for layer in self._cursors():
            viewer.layers.remove(layer)
        for layer, (shown, size) in before["names"].items():
            layer.name_overlay.visible, layer.name_overlay.font_size = shown, size
        self._arrange([layer for layer in before["order"] if layer in viewer.layers])
        for layer, visible in before["visible"].items():
            if layer in viewer.layers:
                layer.visible = visible
        text = viewer.canvas.overlays.text
        text.position, text.visible = before["text"]
        if before["active"] in viewer.layers:
            viewer.layers.selection.active = before["active"]
        viewer.scene.camera.center, viewer.scene.camera.zoom = before["camera"]
        self._shown, self._place = [], None

    def point_at(self, place: Place | None) -> None:
        """Mark a place (y, x) in world units in every cell; None marks the pinned places alone."""
        self._place = place
        self._draw()

    def places(self) -> list[Place]:
        """Return the pinned places, of which the markers of the Spectra dock tell."""
        found: list[Place] = []
        for layer in self._markers():
            found += [(float(y), float(x)) for y, x in np.asarray(layer.data)[:, -2:]]
        return found

    def _markers(self) -> list[Any]:
        return [layer for layer in self._viewer.layers if "marks_of" in layer.metadata]

    def _listen(self, *, connect: bool) -> None:
        viewer, events = self._viewer, self._viewer.layers.events
        pairs = [
            (events.inserted, self._on_inserted),
            (events.removed, self._on_removed),
            (events.reordered, self._on_changed),
            (viewer.canvas.grid.events.enabled, self._on_grid),
        ]
        for layer in self._markers():
            pairs.append((layer.events.data, self._on_changed))
        for emitter, slot in pairs:
            (emitter.connect if connect else emitter.disconnect)(slot)
        callbacks = viewer.mouse_move_callbacks
        if connect:
            callbacks.append(self._on_move)
        elif self._on_move in callbacks:
            callbacks.remove(self._on_move)

    def _on_move(self, viewer: Any, event: Any) -> None:
        y, x = event.position[-2:]
        self._place = float(y), float(x)
        if not self._move_timer.isActive():
            self._move_timer.start()

    def _on_inserted(self, event: Any) -> None:
        layer = event.value
        if self._busy or KEY in layer.metadata:
            return
        # what is added meanwhile must not take a cell: it is there when the grid is left
        self._before["visible"][layer] = layer.visible
        self._before["order"].append(layer)
        if "marks_of" in layer.metadata:
            layer.events.data.connect(self._on_changed)
        self._settle_timer.start()

    def _on_removed(self, event: Any) -> None:
        if self._busy:
            return
        self._shown = [layer for layer in self._shown if layer in self._viewer.layers]
        if len(self._shown) < 2:
            self._end()
        else:
            self._settle_timer.start()

    def _on_changed(self, *_: object) -> None:
        if not self._busy and self.on:
            self._settle_timer.start()

    def _on_grid(self, *_: object) -> None:
        if not self._viewer.canvas.grid.enabled:
            self._before["grid"]["enabled"] = False
            self._end()

    def _end(self) -> None:
        self.leave()
        self._on_leave()

    def _settle(self) -> None:
        """Bring each chosen layer and its cursor together at the bottom, which makes a cell, and hide the rest."""
        if not self.on:
            return
        self._busy = True
        try:
            cursors = {layer.metadata[KEY]: layer for layer in self._cursors()}
            for source, cursor in cursors.items():
                if source not in self._shown:
                    self._viewer.layers.remove(cursor)
            cells = [part for layer in self._shown for part in (layer, cursors[layer])]
            self._arrange([*cells, *(la for la in self._viewer.layers if la not in cells)])
            for layer in self._viewer.layers:
                layer.visible = layer in cells
        finally:
            self._busy = False
        self._draw()

    def _arrange(self, order: Iterable[Layer]) -> None:
        layers = self._viewer.layers
        for i, layer in enumerate(order):
            at = layers.index(layer)
            if at != i:
                layers.move(at, i)

    def _cursors(self) -> list[Vectors]:
        return [layer for layer in self._viewer.layers if KEY in layer.metadata]

    def _make_cursor(self, source: Layer) -> Vectors:
        from napari.layers import Vectors

        return Vectors(
            np.zeros((0, 2, 2)),
            ndim=2,
            name=f"cursor · {source.name}",
            edge_width=_WIDTH * self._side(),
            edge_color=CURSOR,
            vector_style="line",
            units=source.units[-2:],
            axis_labels=("y", "x"),
            metadata={KEY: source},
        )

    def _side(self) -> float:
        """Return the shorter side of the first layer, in world units."""
        low, high = np.asarray(self._shown[0].extent.world)
        return float((high - low)[-2:].min()) or 1.0

    def _draw(self) -> None:
        if not self.on:
            return
        pinned = self.places()
        places = [*pinned, *([self._place] if self._place else [])]
        arms = [_cross(place, self._side()) for place in places]
        data = np.concatenate(arms) if arms else np.zeros((0, 2, 2))
        bright = [PINNED] * len(pinned) + [CURSOR] * (len(places) - len(pinned))
        colors = [color for each in bright for color in [each] * 4 + [DARK] * 4]
        for layer in self._cursors():
            same = len(layer.data) == len(data) and self._n_drawn == len(pinned)
            layer.data = data
            if colors and not same:  # colors take napari longer than places
                layer.edge_color = colors
        self._n_drawn = len(pinned)


def _cross(place: Place, side: float) -> NDArray[np.float64]:
    """Return four bright arms and four dark ones beside them, (8, 2, 2), that leave the middle in sight."""
    gap, length, width = _GAP * side, (_REACH - _GAP) * side, _WIDTH * side
    ways = np.array([(-1.0, 0.0), (1.0, 0.0), (0.0, -1.0), (0.0, 1.0)])
    starts = np.asarray(place) + gap * ways
    beside = width * np.abs(ways[:, ::-1])
    bright = np.stack([starts, length * ways], axis=1)
    return np.concatenate([bright, np.stack([starts + beside, length * ways], axis=1)])
