"""What the Figure dock shows: the list of panels, the options, the preview and the buttons."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QGuiApplication, QImage, QMouseEvent, QPixmap
from qtpy.QtWidgets import (
    QCheckBox,
    QDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSplitter,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from napari_deeper.engine.figure_files import FORMATS
from napari_deeper.plugin.figure_scene import ScreenParams
from napari_deeper.plugin.widgets.dock_page import scrolled
from napari_deeper.plugin.widgets.figure_panels import PanelList
from napari_deeper.plugin.widgets.form import ParamsForm
from napari_deeper.spectra import params as settings_of

_SHOWN = ["width", "n_columns", "colormap", "spectra", "measures"]
_SWITCHES = [
    "color_bars",
    "scale_bars",
    "times",
    "arrows",
    "letters",
    "uncertainty",
    "same_contrast",
]
_MORE = ["scaling", *_SWITCHES]
_TOOLTIPS = {
    "svg": "For drawing programs: the text stays text",
    "pdf": "For typesetting: the text stays text",
    "png": "A picture of 300 dots per inch",
}


class FigurePage:
    """The parts of the dock, laid out in it; calls `on_change` when the user changes an option."""

    def __init__(self, dock: QWidget, on_change: Callable[[], None]) -> None:
        self._dock = dock
        self._large: QDialog | None = None
        self.large: Preview | None = None
        self.panels = PanelList()
        self.form: ParamsForm[ScreenParams] = ParamsForm(ScreenParams, _SHOWN, _MORE, on_change)
        for name in ("spectra", "measures", *_SWITCHES):
            # the label stands beside the box already
            box: Any = self.form.field(name)
            box.setText("")
        self.tables = QLabel()
        self.preview = Preview()
        self.preview.clicked.connect(self.show_large)
        self.message = QLabel()
        self.message.setWordWrap(True)
        self.message.setMinimumHeight(2 * self.message.fontMetrics().height())
        self.message.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.boxes = {name: QCheckBox(name.upper()) for name in FORMATS}
        for name, box in self.boxes.items():
            box.setToolTip(_TOOLTIPS[name])
        self.boxes["svg"].setChecked(True)
        self.data = QCheckBox("CSV")
        self.data.setToolTip(
            "The numbers behind it: a folder NAME_data with every map, the spectra and the measures"
        )
        self.data.setChecked(True)
        self.save = QPushButton("&Save figure...")
        self.save.setToolTip("Write the figure in the formats chosen (Alt+S)")
        self.copy = QPushButton("&Copy")
        self.copy.setToolTip("Copy the preview to the clipboard, for a talk or a note (Alt+C)")
        self._lay_out(dock)

    def _lay_out(self, dock: QWidget) -> None:
        fold = QCollapsible("What is drawn")
        fold.addWidget(self.form.advanced)
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(6, 4, 6, 4)
        column.addWidget(QLabel("Panels, in reading order"))
        column.addWidget(self.panels)
        column.addWidget(self.form)
        column.addWidget(self.tables)
        column.addWidget(fold)
        column.addStretch()
        scroll = scrolled(inner)
        lower = QWidget()
        below = QVBoxLayout(lower)
        below.setContentsMargins(6, 0, 6, 4)
        below.addWidget(self.preview, stretch=1)
        below.addWidget(self.message)
        formats = QHBoxLayout()
        for box in (*self.boxes.values(), self.data):
            formats.addWidget(box)
        formats.addStretch()
        buttons = QHBoxLayout()
        buttons.addWidget(self.save, stretch=2)
        buttons.addWidget(self.copy, stretch=1)
        below.addLayout(formats)
        below.addLayout(buttons)
        parts = QSplitter(Qt.Orientation.Vertical)
        parts.addWidget(scroll)
        parts.addWidget(lower)
        parts.setChildrenCollapsible(False)
        parts.setSizes([260, 360])
        layout = QVBoxLayout(dock)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(parts)
        dock.setMinimumWidth(280)

    def params(self) -> ScreenParams:
        """Return the options."""
        return self.form.value()

    def to_json(self) -> dict[str, Any]:
        """Return the options as JSON types."""
        return settings_of.to_json(self.form.value())

    def formats(self) -> list[str]:
        """Return the formats chosen."""
        return [name for name, box in self.boxes.items() if box.isChecked()]

    @property
    def with_data(self) -> bool:
        """Whether the numbers are to be written too."""
        return bool(self.data.isChecked())

    def formats_to_json(self) -> dict[str, bool]:
        """Return which formats are chosen."""
        return {name: box.isChecked() for name, box in self.boxes.items()} | {"csv": self.with_data}

    def restore_formats(self, kept: Any) -> None:
        """Choose the formats that were kept."""
        if isinstance(kept, dict):
            for name, box in (*self.boxes.items(), ("csv", self.data)):
                box.setChecked(bool(kept.get(name, box.isChecked())))

    def tell_tables(self, names: list[str]) -> None:
        """Say which table the measures would come from."""
        self.form.field("measures").setEnabled(bool(names))
        told = (
            f"Measures: the table of {names[-1]}" if names else "Measures: no table in Compare yet"
        )
        self.tables.setText(told)

    def tell(self, text: str) -> None:
        """Say something below the preview."""
        self.message.setText(text)

    def show_text(self, text: str) -> None:
        """Say in place of the preview why there is none."""
        self.preview.show_text(text)

    def show_image(self, image: QImage) -> None:
        """Show the preview."""
        self.preview.show_image(image)
        if self.large is not None:
            self.large.show_image(image)

    def show_large(self) -> None:
        """Open a window with the preview, which follows it."""
        if self._large is None:
            self._large = QDialog(self._dock)
            self._large.setWindowTitle("Preview of the figure")
            layout = QVBoxLayout(self._large)
            layout.setContentsMargins(0, 0, 0, 0)
            self.large = Preview()
            self.large.setToolTip("")
            layout.addWidget(self.large)
            self._large.resize(1000, 700)
        if self.preview.image is not None and self.large is not None:
            self.large.show_image(self.preview.image)
        self._large.show()
        self._large.raise_()

    def copy_image(self) -> bool:
        """Put the preview on the clipboard, if there is one."""
        clipboard = QGuiApplication.clipboard()
        if clipboard is None or self.preview.image is None:
            return False
        clipboard.setImage(self.preview.image)
        return True


class Preview(QLabel):
    """A picture as large as fits, on white as on paper, or a text; `clicked` by the mouse."""

    clicked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setToolTip("Click to see it larger")
        self.image: QImage | None = None
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setWordWrap(True)
        self.setMinimumHeight(120)
        # the picture must not push the dock wider
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)

    def show_text(self, text: str) -> None:
        """Show a text in place of the picture."""
        self.image = None
        self.setPixmap(QPixmap())
        self.setText(text)

    def show_image(self, image: QImage) -> None:
        """Show a picture."""
        self.image = image
        self._fit()

    def _fit(self) -> None:
        if self.image is None:
            return
        ratio = self.devicePixelRatioF()
        room = self.size() * ratio
        shown = QPixmap.fromImage(self.image).scaled(
            room,
            Qt.AspectRatioMode.KeepAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
        shown.setDevicePixelRatio(ratio)
        self.setPixmap(shown)

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """Tell of a click."""
        super().mouseReleaseEvent(event)
        if self.image is not None:
            self.clicked.emit()

    def resizeEvent(self, event: Any) -> None:
        """Fit the picture anew."""
        super().resizeEvent(event)
        self._fit()
