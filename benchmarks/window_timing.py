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


def make_cube(n_yx: int, n_channels: int, seed: int = 0) -> nd.RamanCube:
    """Return noise on two bands and a ground, on an axis as uneven as a grating's."""
    rng = np.random.default_rng(seed)
    axis = np.linspace(600, 1800, n_channels) + np.linspace(0, 4, n_channels) ** 2
    bands = sum(np.exp(-(((axis - center) / 12) ** 2)) for center in (1004, 1450))
    amount = rng.uniform(0, 40, (n_yx, n_yx, 1))
    noise = rng.standard_normal((n_yx, n_yx, n_channels), np.float32)
    name = {"name": f"cell {seed}", "dwell_time_s": 0.1}
    return nd.RamanCube(100 + amount * bands + 5 * noise, axis, (0.5, 0.5), metadata=name)


class Painted(QObject):
    """Notes when the plot has been painted, and when the window was brought to the screen after it."""

    def __init__(self, spectra: SpectraWidget, window: QObject) -> None:
        super().__init__()
        self.plot_at = self.window_at = 0.0
        plot, main = type(spectra.plot._plot), type(window)
        self._plain = [(plot, "paintEvent", plot.paintEvent), (main, "event", main.event)]

        def paint(widget: object, event: object) -> None:
            self._plain[0][2](widget, event)
            self.plot_at = time.perf_counter()

        def on_event(widget: object, event: QEvent) -> bool:
            done = self._plain[1][2](widget, event)
            if event.type() == QEvent.Type.UpdateRequest and self.plot_at:
                self.window_at = self.window_at or time.perf_counter()
            return bool(done)

        plot.paintEvent, main.event = paint, on_event

    def reset(self) -> None:
        """Forget."""
        self.plot_at = self.window_at = 0.0

    def release(self) -> None:
        """Note nothing more."""
        for owner, name, function in self._plain:
            setattr(owner, name, function)


class Window:
    """A napari window with the Spectra dock."""

    def __init__(self, cubes: list[nd.RamanCube], size: tuple[int, int] = (1600, 1000)) -> None:
        self.viewer = napari.Viewer(show_welcome_screen=False)
        self.main = self.viewer.window._qt_window
        self.main.resize(*size)
        self.layers = [add_cube(self.viewer, cube) for cube in cubes]
        dock, spectra = self.viewer.window.add_plugin_dock_widget("napari-deeper", "Spectra")
        self.main.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, dock)
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


def drawn(act: Callable[[], None], painted: Painted) -> tuple[float, float, float]:
    """Return seconds from an act to its own end, to the plot painted, and to the window on the screen."""
    painted.reset()
    start = time.perf_counter()
    act()
    end = time.perf_counter()
    while not painted.window_at and time.perf_counter() < start + 1:
        QApplication.processEvents()
    times = end - start, painted.plot_at - start, painted.window_at - start
    settle(0.03)
    return times
