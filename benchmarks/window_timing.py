"""A real napari window with cubes in it, and when it has drawn what."""

from __future__ import annotations

import time
from collections.abc import Callable

import napari
import numpy as np
from qtpy.QtCore import QEvent, QObject, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication

import napari_deeper as nd
from napari_deeper.plugin.layers import add_cube
from napari_deeper.plugin.widgets.spectra import SpectraWidget

Times = tuple[float, float]


def now() -> Times:
    """Return the time, and that of this thread alone, to which other programs do not add."""
    return time.perf_counter(), time.thread_time()


class Painted(QObject):
    """Notes when the plot has been painted, and when the window was brought to the screen after it."""

    def __init__(self, spectra: SpectraWidget, window: QObject) -> None:
        super().__init__()
        self.reset()
        plot, main = type(spectra.plot._plot), type(window)
        self._plain = [(plot, "paintEvent", plot.paintEvent), (main, "event", main.event)]

        def paint(widget: object, event: object) -> None:
            self._plain[0][2](widget, event)
            self.plot_at = now()

        def on_event(widget: object, event: QEvent) -> bool:
            done = self._plain[1][2](widget, event)
            if event.type() == QEvent.Type.UpdateRequest and self.plot_at and not self.window_at:
                self.window_at = now()
            return bool(done)

        plot.paintEvent, main.event = paint, on_event

    def reset(self) -> None:
        """Forget."""
        self.plot_at: Times | None = None
        self.window_at: Times | None = None

    def release(self) -> None:
        """Note nothing more."""
        for owner, name, function in self._plain:
            setattr(owner, name, function)


class Window:
    """A napari window with the Spectra dock."""

    def __init__(
        self,
        cubes: list[nd.RamanCube],
        size: tuple[int, int] = (1600, 1000),
        viewer: napari.Viewer | None = None,
    ) -> None:
        self.viewer = viewer or napari.Viewer(show_welcome_screen=False)
        self.main = self.viewer.window._qt_window
        self.main.resize(*size)
        self.layers = [add_cube(self.viewer, cube) for cube in cubes]
        self.dock, spectra = self.viewer.window.add_plugin_dock_widget("napari-deeper", "Spectra")
        self.main.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, self.dock)
        self.spectra: SpectraWidget = spectra
        self.viewer.reset_view()
        settle(1.0)

    def press(self, place: tuple[float, float]) -> Callable[[], None]:
        """Press the mouse on a place (y, x) of the canvas; return what releases it."""
        camera = self.viewer.scene.camera
        native = self.main._qt_viewer.canvas.native
        dy, dx = (np.asarray(place) - np.asarray(camera.center[-2:])) * camera.zoom
        point = QPointF(round(native.width() / 2 + dx), round(native.height() / 2 + dy))

        def send(kind: QMouseEvent.Type, held: Qt.MouseButton) -> None:
            far = QPointF(native.mapToGlobal(point.toPoint()))
            left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
            QApplication.sendEvent(native, QMouseEvent(kind, point, far, left, held, none))

        send(QMouseEvent.Type.MouseButtonPress, Qt.MouseButton.LeftButton)
        return lambda: send(QMouseEvent.Type.MouseButtonRelease, Qt.MouseButton.NoButton)

    def close(self) -> None:
        """Close it."""
        self.viewer.close()
        settle(0.1)


def settle(seconds: float) -> None:
    """Let the window work for a while."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        QApplication.processEvents()
        time.sleep(0.002)


def drawn(act: Callable[[], None], painted: Painted) -> list[Times]:
    """Return seconds from an act to its own end, to the plot painted, and to the window on the screen."""
    painted.reset()
    start = now()
    act()
    ends = [now()]
    while painted.window_at is None and now()[0] < start[0] + 1:
        QApplication.processEvents()
    ends += [painted.plot_at or now(), painted.window_at or now()]
    settle(0.03)
    return [(end[0] - start[0], end[1] - start[1]) for end in ends]
