"""Where the result of a cube on disk goes: a path beside the source, until the user chooses another."""

from __future__ import annotations

import shutil
from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QLineEdit, QToolButton, QWidget

from napari_deeper.plugin.stored_image import in_gb


class TargetBox(QWidget):
    """A path to be written; emits `changed` when the user chooses another.

    Parameters
    ----------
    name, tooltip
        What is told of it.
    """

    changed = Signal()

    def __init__(self, name: str, tooltip: str) -> None:
        super().__init__()
        self._proposed = self._shown = Path()
        self.line = QLineEdit()
        self.line.setToolTip(tooltip)
        self.button = QToolButton()
        self.button.setText("…")
        self.button.setToolTip("Choose where the result goes")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(QLabel(name))
        row.addWidget(self.line, stretch=1)
        row.addWidget(self.button)
        self.line.editingFinished.connect(self.changed)
        self.button.clicked.connect(self._choose)

    def propose(self, path: Path) -> None:
        """Show a path, or a free one like it, unless the user has written another one for the same source."""
        taken = self.line.text() == str(self._shown) and self._shown.exists()
        if path != self._proposed or taken:
            self._proposed = self._shown = path
            number = 2
            while self._shown.exists():
                self._shown = path.with_stem(f"{path.stem}-{number}")
                number += 1
            self.line.setText(str(self._shown))

    def value(self) -> Path:
        """Return the path."""
        return Path(self.line.text().strip())

    def _choose(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Write the result to", self.line.text())
        if path:
            self.line.setText(str(Path(path).with_suffix(self._proposed.suffix)))
            self.changed.emit()


def describe_run(
    shape: tuple[int, int, int], n_bytes: int, n_result: int, target: Path
) -> list[str]:
    """Return what is told of a run from file to file, before it: sizes, and the room there is.

    Parameters
    ----------
    shape
        (y, x, channel) of the cube.
    n_bytes, n_result
        Of the cube, and of its result at most.
    target
        Where the result goes.
    """
    y, x, n_channels = shape
    free = shutil.disk_usage(target.parent).free
    told = [
        f"{y} x {x} pixels, {n_channels} channels: {in_gb(n_bytes)} on disk, worked on part by part.",
        f"The result takes up to {in_gb(n_result)}; {in_gb(free)} are free there.",
    ]
    if n_result > free:
        told.append("That is not enough room: write the result to another disk.")
    return told
