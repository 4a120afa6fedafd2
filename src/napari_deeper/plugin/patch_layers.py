"""Patches on the canvas: the Shapes layer that shows them, and what was drawn in it.

The layer is the only place where the patches of a viewer are kept: its features say which patch each shape is. A
shape that does not lie where its features say was moved by the user; one without them was drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.plugin.patch_drawings import Drawn
from napari_deeper.processing.patch_grid import Box, Ground
from napari_deeper.spectra.patches import Patch

if TYPE_CHECKING:
    import napari
    from napari.layers import Layer, Shapes

KEY = "napari_deeper_patches"
NAME = "Patches"
# Paul Tol's vibrant cyan, magenta and gray: told apart with every kind of color vision, and in neither
# viridis nor inferno.
COLORS = {"train": "#33BBEE", "validation": "#DDDDDD", "test": "#EE3377"}
_FIELDS = ("cube", "y", "x", "size", "role", "tissue", "label")
_FACE_ALPHA = "18"  # of 255: so that a click inside selects it, and the tissue stays to be seen
_EDGE = 0.03  # of the side of a patch


class PatchLayer:
    """The Shapes layer of one viewer, made when there is something to show or to draw in.

    Parameters
    ----------
    viewer
        The viewer.
    on_change
        Called without arguments when the user drew, moved or removed a shape, in the midst of napari's own
        work: it must do no more than start a timer.
    """

    def __init__(self, viewer: napari.Viewer, on_change: Callable[[], None]) -> None:
        self._viewer, self._on_change = viewer, on_change
        self._layer: Shapes | None = None
        self._writing = False
        self._n_known = 0
        self.adopt()

    def layer(self) -> Shapes | None:
        """Return the layer, if it is there."""
        return self._layer if self._layer in self._viewer.layers else None

    def adopt(self) -> None:
        """Take up the layer of a dock that was open before, and let go of one that was removed."""
        if self.layer() is None:
            self.release()
        found = next((la for la in self._viewer.layers if KEY in la.metadata), None)
        if found is not None and found is not self._layer:
            self._listen(found)
            self._n_known = found.nshapes

    def make(self, like: Layer) -> Shapes:
        """Return the layer; one that is made has the units of a cube layer."""
        layer = self.layer()
        if layer is not None:
            return layer
        active = self._viewer.layers.selection.active
        layer = self._viewer.add_shapes(
            ndim=2,
            name=NAME,
            units=like.units[-2:],
            axis_labels=("y", "x"),
            edge_color=COLORS["train"],
            face_color=COLORS["train"] + _FACE_ALPHA,
            edge_width=_EDGE * 8 * float(min(like.scale[-2:])),
            opacity=1.0,
            features=_table([]),
            metadata={KEY: True},
        )
        self._viewer.layers.selection.active = active
        self._listen(layer)
        self._n_known = 0
        return layer

    def bring_to_front(self) -> None:
        """Lie above every image and label: what is added would hide the patches."""
        layers, layer = self._viewer.layers, self.layer()
        if layer is None:
            return
        above = list(layers)[layers.index(layer) + 1 :]
        if any(type(other).__name__ in ("Image", "Labels") for other in above):
            layers.move(layers.index(layer), len(layers))

    def _listen(self, layer: Shapes) -> None:
        self.release()
        self._layer = layer
        layer.events.data.connect(self._on_data)
        layer.events.set_data.connect(self._on_drawn_again)

    def release(self) -> None:
        """Take the callbacks off the layer; the patches stay on it."""
        if self._layer is not None:
            self._layer.events.data.disconnect(self._on_data)
            self._layer.events.set_data.disconnect(self._on_drawn_again)
            self._layer = None

    def _on_data(self, event: Any) -> None:
        if self._writing or self._layer is None or str(event.action).endswith("ing"):
            return
        if str(event.action) == "removed":
            self._n_known = min(self._n_known, self._layer.nshapes)
        self._on_change()

    def _on_drawn_again(self, *_: object) -> None:
        # pasted shapes are told by nothing else
        layer = self._layer
        if layer is None or self._writing or layer._is_creating:
            return
        if layer.nshapes != self._n_known:
            self._on_change()

    def patches(self) -> list[Patch]:
        """Return the patches that the layer shows."""
        return [one.known for one in self.drawn() if one.known is not None]

    def drawn(self) -> list[Drawn]:
        """Return the shapes as they lie there."""
        layer = self.layer()
        if layer is None:
            return []
        # napari leaves the features of shapes that were all taken away at once
        rows = layer.features.to_dict("records")[: layer.nshapes]
        found = []
        for i, (corners, row) in enumerate(zip(layer.data, rows, strict=True)):
            low, high = corners[:, -2:].min(axis=0), corners[:, -2:].max(axis=0)
            box = ((float(low[0]), float(low[1])), (float(high[0]), float(high[1])))
            # napari gives a new shape the features of the one selected last
            found.append(Drawn(box, _patch(row) if i < self._n_known else None))
        return found

    def show(self, patches: Sequence[Patch], grounds: Mapping[str, Ground]) -> None:
        """Show these patches and no others."""
        layer = self.layer()
        if layer is None:
            return
        selected = set(layer.selected_data) if layer.nshapes == len(patches) else set()
        self._writing = True
        try:
            layer.selected_data = set()
            layer.data = [_outline(grounds[p.cube].box((p.y, p.x), p.size)) for p in patches]
            layer.features = _table(patches)
            if patches:
                self._color(layer, patches, grounds)
            layer.selected_data = selected
        finally:
            self._writing = False
        self._n_known = len(patches)

    def _color(
        self, layer: Shapes, patches: Sequence[Patch], grounds: Mapping[str, Ground]
    ) -> None:
        layer.edge_color = [COLORS[p.role] for p in patches]
        layer.face_color = [COLORS[p.role] + _FACE_ALPHA for p in patches]
        layer.edge_width = [_EDGE * p.size * min(grounds[p.cube].spacing) for p in patches]
        layer.text = {
            "string": "{label}",
            "anchor": "center",
            "size": 8,
            "color": "white",
        }


def _table(patches: Sequence[Patch]) -> dict[str, list[Any]]:
    labels = [f"{i + 1}\n{p.role}" for i, p in enumerate(patches)]
    columns = {name: [getattr(p, name) for p in patches] for name in _FIELDS[:-1]}
    return columns | {"label": labels}


def _patch(row: dict[Any, Any]) -> Patch | None:
    """Return the patch that a row of features speaks of, or None where it speaks of none."""
    try:
        place = (int(row["y"]), int(row["x"]), int(row["size"]))
        return Patch(str(row["cube"]), *place, str(row["role"]), str(row["tissue"]))
    except (KeyError, TypeError, ValueError):  # a column was changed by hand, or is not filled
        return None


def _outline(box: Box) -> NDArray[np.float64]:
    (y0, x0), (y1, x1) = box
    return np.array([[y0, x0], [y0, x1], [y1, x1], [y1, x0]])
