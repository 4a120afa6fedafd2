"""The places that the user points at: those of the Spectra dock, or of a dock's own while that is closed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari_deeper.plugin.widgets.markers import Markers, Place
from napari_deeper.plugin.widgets.pointer import Pointer
from napari_deeper.plugin.widgets.spectra import SpectraWidget


class PinnedPixels:
    """Follows clicks on the canvas, and the markers of the Spectra dock where it is open.

    Parameters
    ----------
    viewer
        The viewer.
    changed
        Called without arguments when other places may be pinned.
    """

    def __init__(self, viewer: Any, changed: Callable[[], None]) -> None:
        self._viewer, self._changed = viewer, changed
        self._markers = Markers(viewer)
        self._browsed: Place | None = None
        self._pointer = Pointer(viewer, self._on_pin, self._on_browse)
        self._watched: Any = None  # the points of the Spectra dock, which its arrow keys move
        viewer.layers.events.inserted.connect(self._on_inserted)
        for layer in viewer.layers:
            self._watch(layer)

    def release(self) -> None:
        """Follow nothing any more; calling it again changes nothing."""
        self._pointer.release()
        self._markers.release()
        self._viewer.layers.events.inserted.disconnect(self._on_inserted)
        self._unwatch()

    def places(self) -> list[Place]:
        """Return the places (y, x) in world units, the last one that under the pointer while browsing."""
        spectra = self._spectra()
        if spectra is not None:
            return spectra.places()
        return self._markers.places + ([self._browsed] if self._browsed else [])

    def pin(self, place: Place) -> None:
        """Pin a place, as a click there would."""
        spectra = self._spectra()
        if spectra is not None:
            spectra.pin(place)
        else:
            self._markers.pin(place, add=False)
        self._changed()

    def _spectra(self) -> SpectraWidget | None:
        docks = self._viewer.window.dock_widgets.values()
        return next((dock for dock in docks if isinstance(dock, SpectraWidget)), None)

    def _on_pin(self, place: Place, add: bool) -> None:
        if self._spectra() is None:
            self._markers.pin(place, add=add)
        elif self._markers.places:
            self._markers.clear()  # the Spectra dock has been opened since
        self._changed()

    def _on_browse(self, place: Place | None) -> None:
        self._browsed = place
        self._changed()

    def _on_inserted(self, event: Any) -> None:
        self._watch(event.value)

    def _watch(self, layer: Any) -> None:
        if "marks_of" in layer.metadata:
            self._unwatch()
            self._watched = layer
            layer.events.data.connect(self._on_moved)
            self._changed()

    def _unwatch(self) -> None:
        if self._watched is not None:
            self._watched.events.data.disconnect(self._on_moved)
            self._watched = None

    def _on_moved(self, *_: object) -> None:
        self._changed()
