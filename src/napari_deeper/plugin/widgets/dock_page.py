"""What every dock is: a widget that lets go of the viewer when it is closed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QScrollArea, QWidget

from napari_deeper.plugin.canvas import follow, own_viewer


class DockPage(QWidget):
    """A dock of one viewer.

    napari takes the widget of a closed dock out of the window without closing it, so that a callback left on the
    viewer would keep a dock working that nobody sees.
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self._viewer = own_viewer(napari_viewer)
        self._connections: list[tuple[Any, Callable[..., None]]] = []
        follow(self._viewer)

    def listen(self, *connections: tuple[Any, Callable[..., None]]) -> None:
        """Connect each (event emitter of the viewer, slot) until `release`."""
        for emitter, slot in connections:
            emitter.connect(slot)
        self._connections += connections

    def listen_to_layers(
        self,
        changed: Callable[..., None],
        *,
        removed: Callable[..., None] | None = None,
        active: Callable[..., None] | None = None,
    ) -> None:
        """Call ``changed`` when layers come, go or are renamed, unless another slot is given for that."""
        layers = self._viewer.layers
        self.listen(
            (layers.events.inserted, changed),
            (layers.events.removed, removed or changed),
            (layers.events.renamed, changed),
        )
        if active is not None:
            self.listen((layers.selection.events.active, active))

    def release(self) -> None:
        """Remove every callback from the viewer; calling it again changes nothing."""
        for emitter, slot in self._connections:
            emitter.disconnect(slot)
        self._connections = []

    def event(self, event: QEvent | None) -> bool:
        """Notice being taken out of the window."""
        if event is not None and event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.release()
        return bool(super().event(event))

    def closeEvent(self, event: Any) -> None:
        """Notice being closed."""
        self.release()
        super().closeEvent(event)


def scrolled(inner: QWidget) -> QScrollArea:
    """Return a form that scrolls where the window is too low for it."""
    scroll = QScrollArea()
    scroll.setWidget(inner)
    scroll.setWidgetResizable(True)
    scroll.setFrameShape(QScrollArea.Shape.NoFrame)
    return scroll
