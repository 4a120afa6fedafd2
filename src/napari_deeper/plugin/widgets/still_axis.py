"""An axis of the plot that is drawn once and then copied, until its range or its look changes."""

from __future__ import annotations

from typing import Any

import pyqtgraph as pg
from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QPainter, QPixmap


class StillAxis(pg.AxisItem):  # type: ignore[misc]  # pyqtgraph states no types
    """Axis with its grid as one image.

    pyqtgraph keeps the strokes and replays them for each new curve, texts laid out anew: several
    milliseconds each time, which a plot that follows the pointer does not have.
    """

    def paint(self, painter: QPainter, *_: Any) -> None:
        """Copy the image, made anew where pyqtgraph has thrown it away."""
        device = painter.device()
        ratio = device.devicePixelRatioF() if device is not None else 1.0
        size = _pixels(self.boundingRect(), ratio)
        # pyqtgraph sets the picture to None where it must be drawn anew; with the grid its size counts too
        if self.picture is None or self.picture.size() != size:
            self.picture: QPixmap | None = self._draw(size, ratio)
        painter.drawPixmap(self.boundingRect().topLeft(), self.picture)

    def _draw(self, size: QSize, ratio: float) -> QPixmap:
        image = QPixmap(size)
        image.setDevicePixelRatio(ratio)
        image.fill(Qt.GlobalColor.transparent)
        painter = QPainter(image)
        painter.setFont(self.style["tickFont"] or painter.font())
        painter.translate(-self.boundingRect().topLeft())
        strokes = self.generateDrawSpecs(painter)
        if strokes is not None:
            self.drawPicture(painter, *strokes)
        painter.end()
        return image


def _pixels(bounds: QRectF, ratio: float) -> QSize:
    return QSize(max(1, round(bounds.width() * ratio)), max(1, round(bounds.height() * ratio)))
