"""The shaded uncertainty of a curve, drawn fast enough to follow the pointer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from qtpy.QtCore import QRectF
from qtpy.QtGui import QColor, QImage, QPainter

Values = NDArray[Any]


class Shade(pg.GraphicsObject):  # type: ignore[misc]  # pyqtgraph states no types
    """Fills between two curves over one axis.

    It is painted as an image of the screen's own pixels: filling a polygon of a thousand corners takes
    Qt ten times as long where the curves are noisy.
    """

    def __init__(self) -> None:
        super().__init__()
        self._x = self._low = self._high = np.empty(0)
        self._color = QColor("gray")
        self._bounds = QRectF()
        self.setZValue(-5)
        self.setVisible(False)

    def set_data(self, x: Values, low: Values, high: Values, color: QColor) -> None:
        """Fill from `low` to `high` over the rising `x`, (channel,) each; nothing where they are empty."""
        self._x, self._low, self._high, self._color = x, low, high, color
        self.prepareGeometryChange()
        self._bounds = QRectF()
        if x.size:
            bottom, top = float(low.min()), float(high.max())
            self._bounds = QRectF(float(x[0]), bottom, float(x[-1] - x[0]), top - bottom)
        self.setVisible(x.size > 0)
        view = self.getViewBox()
        if view is not None:
            view.itemBoundsChanged(self)
        self.update()

    def bounds(self) -> tuple[Values, Values, Values]:
        """Return the (x, low, high) that is filled."""
        return self._x, self._low, self._high

    def boundingRect(self) -> QRectF:  # noqa: N802 - the name is Qt's
        """Return what is covered, in data units."""
        return self._bounds

    def paint(self, painter: QPainter, *_: object) -> None:
        """Draw what is in sight."""
        # a plot neither turns nor shears: scale and shift are all there is
        to_screen = painter.worldTransform()
        scale_x, shift_x = to_screen.m11(), to_screen.dx()
        sight = painter.viewport()
        left = max(round(self._x[0] * scale_x + shift_x), sight.left())
        right = min(round(self._x[-1] * scale_x + shift_x), sight.right())
        if right <= left:
            return
        at = (np.arange(left, right) + 0.5 - shift_x) / scale_x
        sides = (np.interp(at, self._x, side) for side in (self._high, self._low))
        top, bottom = (
            np.rint(np.clip(y * to_screen.m22() + to_screen.dy(), sight.top(), sight.bottom() + 1))
            for y in sides
        )
        first, last = int(top.min()), int(bottom.max())
        if last <= first:
            return
        rows = np.arange(first, last, dtype=np.float32)[:, None]
        inside = (rows >= top.astype(np.float32)) & (rows < bottom.astype(np.float32))
        pixels = np.multiply(inside, _premultiplied(self._color), dtype=np.uint32)
        image = pg.functions.ndarray_to_qimage(pixels, QImage.Format.Format_ARGB32_Premultiplied)
        painter.save()
        painter.resetTransform()
        painter.drawImage(left, first, image)
        painter.restore()


def _premultiplied(color: QColor) -> np.uint32:
    alpha = color.alpha()
    red, green, blue = (part * alpha // 255 for part in (color.red(), color.green(), color.blue()))
    return np.uint32(alpha << 24 | red << 16 | green << 8 | blue)
