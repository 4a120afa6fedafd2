"""The box in which a dock's input layer is chosen."""

from __future__ import annotations

from typing import Any

from napari.layers import Image
from qtpy.QtWidgets import QComboBox

from napari_deeper.plugin.canvas import current_cube
from napari_deeper.plugin.difference_maps import KEY as DIFFERENCE
from napari_deeper.plugin.layers import SOURCE
from napari_deeper.plugin.trust_maps import KEY as TRUST_MAP
from napari_deeper.plugin.widgets.heatmap import KEY as HEATMAP


class LayerBox(QComboBox):
    """Lists the image layers of a viewer and follows the active one.

    All images are listed, not cubes alone, so that the dock can say what is wrong with the one that was meant.

    Parameters
    ----------
    viewer
        The viewer.
    leads
        Choosing here makes the layer active. A second box of a dock does not lead, and starts from a layer
        other than the current one.
    """

    def __init__(self, viewer: Any, *, leads: bool = True) -> None:
        super().__init__()
        self._viewer, self._leads = viewer, leads
        self._active: Any = None  # the image that was active last
        self._choice: Any = None  # the one to work on
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(12)
        self.activated.connect(self._on_activated)

    def layer(self) -> Any:
        """Return the chosen layer, or None."""
        return self.currentData()

    def follow_active(self) -> None:
        """Choose the layer that the user made active."""
        active = self._viewer.layers.selection.active
        # heatmaps and markers take the selection for a moment and give it back: that is no choice of the user's
        if _is_image(active) and active is not self._active:
            self._active = self._choice = active

    def keep(self, layer: Any) -> None:
        """Stay with this layer although its results are active now: another run starts from the same input."""
        self._active, self._choice = self._viewer.layers.selection.active, layer

    def refill(self) -> None:
        """List the layers that there are now."""
        images = [layer for layer in self._viewer.layers if _is_image(layer)]
        # a layer that is gone must not be kept in memory by having been chosen
        if self._active not in images:
            self._active = None
        if self._choice not in images:
            self._choice = None
        wanted = self._choice
        if wanted is None:
            current = current_cube(self._viewer)
            wanted = current or (images[-1] if images else None)
            if not self._leads:
                wanted = next((image for image in images if image is not current), wanted)
        self.blockSignals(True)
        self.clear()
        for layer in images:
            self.addItem(layer.name, layer)
        self.setCurrentIndex(images.index(wanted) if wanted in images else -1)
        self.blockSignals(False)

    def _on_activated(self, _: int) -> None:
        self._choice = self.layer()
        if self._choice is not None and self._leads:
            self._viewer.layers.selection.active = self._choice


def _is_image(layer: object) -> bool:
    return isinstance(layer, Image) and not (
        {HEATMAP, TRUST_MAP, SOURCE, DIFFERENCE} & layer.metadata.keys()
    )
