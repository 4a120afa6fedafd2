"""Plugins > DeepeR > Workspace: the docks of the daily work, arranged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QLabel, QMainWindow, QVBoxLayout, QWidget

from napari_deeper.plugin.canvas import follow, own_viewer

if TYPE_CHECKING:
    import napari

PLUGIN = "napari-deeper"
BEHIND = ("Components", "Compare")  # on tabs behind Enhance
SETTLED_MS = 100  # a tab comes to the front once all of them are laid out, and not before


def open_docks(viewer: napari.Viewer) -> tuple[Any, Any]:
    """Open Enhance on the right, others on tabs behind it, and Spectra along the bottom, or find them open.

    Returns
    -------
    tuple
        The widgets of Enhance and Spectra.
    """
    window = viewer.window
    enhance_dock, enhance = window.add_plugin_dock_widget(PLUGIN, "Enhance")
    spectra_dock, spectra = window.add_plugin_dock_widget(PLUGIN, "Spectra")
    main = spectra_dock.parent()
    main.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, spectra_dock)
    # Enhance takes the whole height at the right: its form is tall, the plot is wide
    main.setCorner(Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)
    for dock in (enhance_dock, spectra_dock):
        dock.show()
    for title in BEHIND:
        dock, _ = window.add_plugin_dock_widget(PLUGIN, title)
        if dock not in main.tabifiedDockWidgets(enhance_dock):
            main.tabifyDockWidget(enhance_dock, dock)
    QTimer.singleShot(SETTLED_MS, enhance_dock.raise_)
    height = max(main.height(), 600)
    main.resizeDocks([spectra_dock], [max(300, round(height * 0.36))], Qt.Orientation.Vertical)
    main.resizeDocks([enhance_dock], [320], Qt.Orientation.Horizontal)
    return enhance, spectra


def tabify_beside_ours(widget: QWidget) -> None:
    """Put the dock of a widget on a tab with the other docks of this plugin at its side, in front.

    Two tall docks one above the other would leave each too little, and push the window off a small screen.
    """
    own = dock_of(widget)
    main = own.parent() if own is not None else None
    if own is None or not isinstance(main, QMainWindow) or main.tabifiedDockWidgets(own):
        return  # whoever put it on a tab decides what is in front
    for dock in main.findChildren(QDockWidget):
        beside = main.dockWidgetArea(dock) == main.dockWidgetArea(own) and not dock.isFloating()
        if dock is not own and beside and not dock.isHidden() and PLUGIN in dock.windowTitle():
            main.tabifyDockWidget(dock, own)
            QTimer.singleShot(0, own.raise_)  # a tab can come to the front once it is laid out
            return


def bring_forward(widget: QWidget) -> None:
    """Show the dock of a widget, in front of those on tabs with it."""
    dock = dock_of(widget)
    if dock is not None:
        dock.show()
        dock.raise_()


def dock_of(widget: QWidget) -> QDockWidget | None:
    """Return the dock that a widget is in."""
    dock = widget.parent()
    while dock is not None and not isinstance(dock, QDockWidget):
        dock = dock.parent()
    return dock


class Workspace(QWidget):
    """What the menu entry makes: it opens the other docks, then takes its own away."""

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        self._viewer = viewer = own_viewer(napari_viewer)
        QVBoxLayout(self).addWidget(QLabel("Opening the docks..."))
        follow(viewer)
        QTimer.singleShot(0, self._arrange)

    def _arrange(self) -> None:
        open_docks(self._viewer)
        dock = dock_of(self)
        if dock is not None:
            self._viewer.window.remove_dock_widget(dock)
