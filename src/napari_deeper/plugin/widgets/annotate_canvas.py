"""What the Annotate dock does on the canvas: drawing, selecting, going to a patch, laying cubes side by side."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from napari_deeper.plugin.annotation import Annotation
from napari_deeper.plugin.spread import Spread
from napari_deeper.plugin.widgets.annotate_form import AnnotateForm
from napari_deeper.plugin.widgets.annotate_tables import PatchTable

if TYPE_CHECKING:
    import napari

DRAWING, RESTING = "add_rectangle", "select"


class CanvasSide:
    """Keeps the selection and the mode of the layer of shapes in step with the dock.

    Parameters
    ----------
    viewer
        The viewer.
    annotation
        Its patches.
    form
        Whose buttons show whether the user is drawing.
    table
        Whose selected rows are the selected shapes.
    """

    def __init__(
        self, viewer: napari.Viewer, annotation: Annotation, form: AnnotateForm, table: PatchTable
    ) -> None:
        self._viewer, self._annotation = viewer, annotation
        self._form, self._table = form, table
        self._spread = Spread(viewer)
        self._shapes: Any = None

    def follow_shapes(self) -> None:
        """Follow the layer of shapes that there is now."""
        self._follow(self._annotation.marks.layer())

    def _follow(self, layer: Any) -> None:
        if layer is self._shapes:
            return
        if self._shapes is not None:
            self._shapes.selected_data.events.items_changed.disconnect(self._on_selected)
            self._shapes.events.mode.disconnect(self._on_mode)
        if layer is not None:
            layer.selected_data.events.items_changed.connect(self._on_selected)
            layer.events.mode.connect(self._on_mode)
        self._shapes = layer

    def release(self) -> None:
        """Let go of the layer, and put the cubes back where they were."""
        self._spread.restore()
        self._follow(None)

    def _on_selected(self, *_: object) -> None:
        if self._shapes is not None:
            self._table.select([int(i) for i in self._shapes.selected_data])

    def _on_mode(self, event: Any) -> None:
        self._form.draw.setChecked(str(event.mode) == DRAWING)

    def select(self, rows: Collection[int]) -> None:
        """Select the shapes of these rows."""
        layer = self._shapes
        if layer is not None and set(layer.selected_data) != set(rows):
            layer.selected_data = set(rows)

    def draw(self, wanted: bool, cubes: Sequence[Any]) -> None:
        """Let the user draw rectangles, or no more."""
        layer = self._annotation.marks.layer()
        if wanted and cubes:
            layer = self._annotation.marks.make(cubes[-1])
            self._follow(layer)
            self._viewer.layers.selection.active = layer
            layer.mode = DRAWING
        elif layer is not None and str(layer.mode) == DRAWING:
            layer.mode = RESTING

    def spread(self, wanted: bool, cubes: Sequence[Any]) -> None:
        """Lay these cube layers side by side, or all back."""
        if wanted:
            self._spread.lay_out(cubes)
        else:
            self._spread.restore()
        self._viewer.fit_to_view()

    def show_selected(self) -> None:
        """Go to the first selected patch, or the first one."""
        self.show_place(min(self._table.selected_rows(), default=0))

    def show_place(self, row: int) -> None:
        """Center the canvas on the patch of a row, and select it."""
        patches = self._annotation.patches()
        if not 0 <= row < len(patches):
            return
        patch = patches[row]
        ground = self._annotation.grounds()[patch.cube]
        (y0, x0), (y1, x1) = ground.box((patch.y, patch.x), patch.size)
        camera = self._viewer.scene.camera
        camera.center = (camera.center[0], (y0 + y1) / 2, (x0 + x1) / 2)
        self._table.select([row])
        self.select([row])
