"""The Crop dock: a part of a cube as a new layer in memory; the way to work on a cube that stays on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtWidgets import QFormLayout, QHBoxLayout, QLabel, QPushButton, QSpinBox, QVBoxLayout

from napari_deeper.io.part import Rectangle, check_rectangle, cut, read_part
from napari_deeper.plugin.jobs import JobRunner
from napari_deeper.plugin.layers import add_cube, cube_from_layer, is_cube, stored_image
from napari_deeper.plugin.picked_spectra import region_layer
from napari_deeper.plugin.stored_image import in_gb
from napari_deeper.plugin.widgets.dock_page import DockPage
from napari_deeper.plugin.widgets.layer_box import LayerBox
from napari_deeper.plugin.widgets.run_bar import RunBar
from napari_deeper.plugin.widgets.wording import in_words
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import CubeError, DeeperError
from napari_deeper.spectra.progress import Progress

if TYPE_CHECKING:
    import napari

_MOST = 10**6


class CropWidget(DockPage):
    """Choose rows and columns, most often those in view, and get them as a new layer."""

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self.failure = ""  # why the last run ended without a layer
        self._source: Any = None
        self._jobs = JobRunner(self, self._on_progress, self._on_end)
        self.cube = LayerBox(self._viewer)
        self.cube.setToolTip("The cube to take a part of; it is never changed")
        self.rows, self.columns = (_span(), _span())
        self.view_button = QPushButton("From the &view")
        self.view_button.setToolTip("Take what the canvas shows of the cube (Alt+V)")
        self.region_button = QPushButton("From a &region")
        self.region_button.setToolTip(
            "Take what the shapes of the active Shapes layer cover (Alt+R)"
        )
        self.told = QLabel()
        self.told.setWordWrap(True)
        self.foot = RunBar(
            run="Read this part into memory, as a new layer",
            cancel="Stop; nothing is added",
            placeholder="The part is a new layer in memory; the cube stays as it is.",
        )
        self.foot.run_button.setText("Crop")
        self._lay_out()
        self._connect()
        self.cube.follow_active()
        self.refresh()
        self.use_view()

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        form = QFormLayout()
        form.addRow("Cube", self.cube)
        for name, (first, end) in (("Rows", self.rows), ("Columns", self.columns)):
            row = QHBoxLayout()
            row.addWidget(first, stretch=1)
            row.addWidget(QLabel("to"))
            row.addWidget(end, stretch=1)
            form.addRow(name, row)
        layout.addLayout(form)
        buttons = QHBoxLayout()
        buttons.addWidget(self.view_button)
        buttons.addWidget(self.region_button)
        layout.addLayout(buttons)
        layout.addWidget(self.told)
        layout.addStretch()
        layout.addWidget(self.foot)
        self.setMinimumWidth(280)

    def _connect(self) -> None:
        self.cube.activated.connect(self.refresh)
        for box in (*self.rows, *self.columns):
            box.valueChanged.connect(self.refresh)
        self.view_button.clicked.connect(self.use_view)
        self.region_button.clicked.connect(self.use_region)
        self.foot.run_button.clicked.connect(self.run)
        self.foot.cancel_button.clicked.connect(self._jobs.cancel)
        self.listen_to_layers(self.refresh, active=self._on_active)

    def release(self) -> None:
        """Stop the run and let go of the viewer's events."""
        super().release()
        self._jobs.stop()

    @property
    def running(self) -> bool:
        """Whether a part is being read."""
        return self._jobs.running

    def rectangle(self) -> Rectangle:
        """Return ((first row, end), (first column, end)), the ends left out."""
        (top, bottom), (left, right) = self.rows, self.columns
        return (top.value(), bottom.value() + 1), (left.value(), right.value() + 1)

    def show_rectangle(self, rectangle: Rectangle) -> None:
        """Show a rectangle, as far as it lies within the cube."""
        layer = self.cube.layer()
        if not is_cube(layer):
            return
        for boxes, (start, stop), n in zip(
            (self.rows, self.columns), rectangle, layer.data.shape[-2:], strict=True
        ):
            boxes[0].setValue(min(max(0, start), n - 1))
            boxes[1].setValue(min(max(0, stop - 1), n - 1))

    def use_view(self) -> None:
        """Take what the canvas shows of the cube."""
        layer = self.cube.layer()
        if is_cube(layer):
            camera = self._viewer.scene.camera
            half = np.asarray(self._viewer.canvas.size) / 2 / camera.zoom
            center = np.asarray(camera.center[-2:])
            self.show_rectangle(_pixels(layer, center - half, center + half))

    def use_region(self) -> None:
        """Take what shapes cover."""
        layer = self.cube.layer()
        try:
            shapes = region_layer(self._viewer)
            if not len(shapes.data):
                raise CubeError(f"'{shapes.name}' has no shape. Draw one over the cube.")
        except DeeperError as error:
            self._fail(str(error))
            return
        corners = np.concatenate([np.asarray(s)[:, -2:] for s in shapes.data])
        world = shapes.translate[-2:] + corners * shapes.scale[-2:]
        if is_cube(layer):
            self.show_rectangle(_pixels(layer, world.min(axis=0), world.max(axis=0)))

    def refresh(self, *_: object) -> None:
        """List the cubes, and say how large the part is."""
        self.cube.refill()
        layer = self.cube.layer()
        problem = ""
        if not is_cube(layer):
            problem = "Choose a Raman cube: File > Open, or File > Open Sample > DeepeR."
        else:
            try:
                check_rectangle(self.rectangle(), layer.data.shape[-2:])
            except DeeperError as error:
                problem = str(error)
        if problem:
            self.told.setText(problem)
        else:
            (top, bottom), (left, right) = self.rectangle()
            n_channels = layer.data.shape[0]
            n_bytes = 4 * (bottom - top) * (right - left) * n_channels
            self.told.setText(
                f"{bottom - top} x {right - left} pixels of {layer.data.shape[1]} x {layer.data.shape[2]}, "
                f"{n_channels} channels: {in_gb(n_bytes)} in memory."
            )
        self.foot.run_button.setEnabled(not problem and not self.running)
        self.foot.cancel_button.setEnabled(self.running)

    def run(self) -> None:
        """Read the part."""
        self.failure = ""
        layer, rectangle = self.cube.layer(), self.rectangle()
        image = stored_image(layer)
        try:
            cube = cube_from_layer(layer) if image is None else None
        except DeeperError as error:
            self._fail(str(error))
            return
        self._source = layer
        name = f"{layer.name}, part"

        def work(progress: Progress) -> RamanCube:
            if image is not None:
                part = read_part(image.stored, rectangle, progress)
            else:
                assert cube is not None
                part = cut(cube, rectangle)
            return RamanCube.from_header(
                part.intensity,
                part.header() | {"metadata": {**part.metadata, "name": name}},
                uncertainty=part.uncertainty,
                flagged=part.flagged,
            )

        self._jobs.start(work)
        self._on_progress(0.0, "Starting", None)
        self.refresh()

    def _on_active(self, *_: object) -> None:
        self.cube.follow_active()
        self.refresh()

    def _on_progress(self, fraction: float, text: str, seconds: float | None) -> None:
        self.foot.show_progress(fraction, text, seconds)

    def _on_end(self, part: Any, error: Exception | None) -> None:
        source, self._source = self._source, None
        if error is not None:
            self._fail(in_words(error, "Cancelled. Nothing was added."))
        else:
            add_cube(self._viewer, part, like=source)
            y, x, _ = part.shape
            self.foot.show_end(
                f"Added '{part.name}' with {y} x {x} pixels. '{source.name}' stays as it is.",
                done=True,
            )
        self.refresh()

    def _fail(self, text: str) -> None:
        self.failure = text
        self.foot.show_end(text, done=False)


def _span() -> tuple[QSpinBox, QSpinBox]:
    """Return boxes for the first and the last pixel along an axis."""
    first, last = QSpinBox(), QSpinBox()
    for box, what in ((first, "First"), (last, "Last")):
        box.setRange(0, _MOST)
        box.setToolTip(f"{what} one, counted from 0")
    return first, last


def _pixels(layer: Any, low: Any, high: Any) -> Rectangle:
    """Return the pixels of a layer whose centers lie between two places (y, x) in world units."""
    scale, origin = np.asarray(layer.scale[-2:]), np.asarray(layer.translate[-2:])
    start = np.ceil((np.asarray(low) - origin) / scale).astype(int)
    stop = np.floor((np.asarray(high) - origin) / scale).astype(int) + 1
    return (int(start[0]), int(stop[0])), (int(start[1]), int(stop[1]))
