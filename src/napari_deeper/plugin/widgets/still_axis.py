"""An axis of the plot that is drawn once and then copied, until its range or its look changes."""

from __future__ import annotations

from typing import Any

import pyqtgraph as pg
from qtpy.QtCore import Qt
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
        # pyqtgraph sets the picture to None wherever it must be drawn anew
        if self.picture is None or self.picture.devicePixelRatioF() != ratio:
            self.picture: QPixmap | None = self._draw(ratio)
        painter.drawPixmap(self.boundingRect().topLeft(), self.picture)

    def _draw(self, ratio: float) -> QPixmap:
        bounds = self.boundingRect()
        image = QPixmap(
            max(1, round(bounds.width() * ratio)), max(1, round(bounds.height() * ratio))
        )
        image.setDevicePixelRatio(ratio)
        image.fill(Qt.GlobalColor.transparent)
        painter = QPainter(image)
        painter.setFont(self.style["tickFont"] or painter.font())
        painter.translate(-bounds.topLeft())
        strokes = self.generateDrawSpecs(painter)
        if strokes is not None:
            self.drawPicture(painter, *strokes)
        painter.end()
        return image
