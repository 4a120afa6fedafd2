"""The Figure dock: what is on screen becomes a figure for a paper."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer
from qtpy.QtGui import QImage
from qtpy.QtWidgets import QFileDialog, QMessageBox

from napari_deeper.engine.figure_draw import draw_figure
from napari_deeper.engine.figure_files import check_figure_output, write_figure
from napari_deeper.engine.figure_parts import Figure
from napari_deeper.plugin.figure_scene import Scene, collect, to_figure
from napari_deeper.plugin.jobs import JobRunner
from napari_deeper.plugin.widgets.dock_page import DockPage
from napari_deeper.plugin.widgets.figure_page import FigurePage
from napari_deeper.plugin.widgets.form import Remembered, restore
from napari_deeper.plugin.widgets.wording import in_words
from napari_deeper.plugin.widgets.workspace import tabify_beside_ours
from napari_deeper.spectra.errors import DeeperError, FileError

if TYPE_CHECKING:
    import napari
    from qtpy.QtGui import QEnterEvent

PREVIEW_DPI = 110
WAIT_MS = 150


class FigureWidget(DockPage):
    """Choose panels of what is on screen, see the figure, save it."""

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self.failure = ""  # why there is no figure
        self.scene = Scene()
        self._drawing = JobRunner(self, lambda *_: None, self._on_drawn)
        self._saving = JobRunner(self, lambda *_: None, self._on_saved)
        self._stale = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(WAIT_MS)
        self._timer.timeout.connect(self.refresh)
        self._remembered = Remembered("figure")
        self.page = FigurePage(self, self._changed)
        kept = self._remembered.load()
        restore(self.page.form, kept.get("params"))
        self.page.restore_formats(kept.get("formats"))
        self._connect()
        QTimer.singleShot(0, self._settle)

    def _connect(self) -> None:
        self.page.save.clicked.connect(self._on_save)
        self.page.copy.clicked.connect(self.copy_picture)
        self.page.panels.changed.connect(self._changed)
        viewer = self._viewer
        self.listen(
            (viewer.layers.events.inserted, self._on_layers),
            (viewer.layers.events.removed, self._on_layers),
            (viewer.layers.events.reordered, self._changed),
            (viewer.layers.events.renamed, self._changed),
            (viewer.dims.events.current_step, self._changed),
        )
        self._on_layers()

    def _settle(self) -> None:
        tabify_beside_ours(self)
        self._changed()

    def release(self) -> None:
        """Let go of the viewer's events, and of what is being drawn."""
        super().release()
        self._timer.stop()
        self._drawing.stop()
        self._saving.stop()
        for layer in self._viewer.layers:
            self._listen_to(layer, connect=False)

    # ---- what is on screen --------------------------------------------------------------------------------------

    def _on_layers(self, *_: object) -> None:
        for layer in self._viewer.layers:
            self._listen_to(layer, connect=False)
            self._listen_to(layer, connect=True)
        self._changed()

    def _listen_to(self, layer: Any, *, connect: bool) -> None:
        for name in ("visible", "data", "colormap", "contrast_limits"):
            emitter = getattr(layer.events, name, None)
            if emitter is None:
                continue
            (emitter.connect if connect else emitter.disconnect)(self._changed)

    def _changed(self, *_: object) -> None:
        self._timer.start()

    def showEvent(self, event: Any) -> None:
        """Draw what changed while the dock was hidden."""
        super().showEvent(event)
        self._changed()

    def enterEvent(self, event: QEnterEvent | None) -> None:
        """Look again: other docks may have made tables or moved markers."""
        super().enterEvent(event)
        self._changed()

    def refresh(self) -> None:
        """Collect what is on screen, and draw it where one can see it."""
        if not self.isVisible():
            return
        self.scene = collect(self._viewer)
        self.page.panels.show_panels(
            [(p.key, p.name, p.panel, p.wanted) for p in self.scene.panels]
        )
        self.page.tell_tables([name for name, _ in self.scene.tables])
        figure = self.figure()
        self.page.save.setEnabled(figure is not None and not self._saving.running)
        self.page.copy.setEnabled(figure is not None)
        if figure is None:
            self.page.show_text(self.failure)
            return
        if self._drawing.running:
            self._stale = True
            return
        self._draw(figure)

    def figure(self) -> Figure | None:
        """Return the figure of what is chosen, or None (then `failure` says why)."""
        try:
            figure = to_figure(self.scene, self.page.panels.chosen(), self.page.params())
        except DeeperError as error:
            self.failure = str(error)
            return None
        self.failure = ""
        return figure

    # ---- preview ------------------------------------------------------------------------------------------------

    def _draw(self, figure: Figure) -> None:
        style = self.page.params()
        self._stale = False

        def work(_: object) -> QImage:
            stream = io.BytesIO()
            draw_figure(figure, style, dpi=PREVIEW_DPI).savefig(stream, format="png")
            image = QImage()
            image.loadFromData(stream.getvalue())
            return image

        self._drawing.start(work)

    def _on_drawn(self, image: QImage | None, error: Exception | None) -> None:
        if image is not None and error is None:
            self.page.show_image(image)
            self.page.tell(" ".join(self.scene.left_out))
        elif error is not None:
            self.failure = in_words(error, "")
            self.page.show_text(self.failure)
        if self._stale:
            self._changed()

    @property
    def drawing(self) -> bool:
        """Whether the preview is not yet what it should be."""
        return self._timer.isActive() or self._drawing.running

    @property
    def saving(self) -> bool:
        """Whether files are being written."""
        return self._saving.running

    def copy_picture(self) -> None:
        """Put the preview on the clipboard."""
        if self.page.copy_image():
            self.page.tell("Copied the preview; save the figure for print.")

    # ---- files --------------------------------------------------------------------------------------------------

    def _on_save(self) -> None:
        formats = self.page.formats()
        if not formats:
            self.page.tell("Choose at least one format: SVG, PDF or PNG.")
            return
        kinds = ";;".join(f"{name.upper()} (*.{name})" for name in formats)
        # existing files are asked about below, all that would be replaced at once
        path, _ = QFileDialog.getSaveFileName(
            self, "Save figure", f"figure.{formats[0]}", kinds,
            options=QFileDialog.Option.DontConfirmOverwrite,
        )  # fmt: skip
        if path:
            self.save_figure(Path(path))

    def save_figure(self, path: Path) -> None:
        """Write the figure in the formats chosen, off the GUI thread; asks before it replaces anything."""
        figure, style = self.figure(), self.page.params()
        formats = self.page.formats()
        if figure is None or self._saving.running or not formats:
            return
        if path.suffix.lower().removeprefix(".") not in formats:
            path = path.with_name(f"{path.name}.{formats[0]}")
        where: dict[str, Any] = {"formats": formats, "data": self.page.with_data}
        overwrite = False
        try:
            check_figure_output(path, **where, overwrite=True)
            there = [p.name for p in existing(path, formats, self.page.with_data)]
            if there:
                if not self._ask(there):
                    return
                overwrite = True
        except FileError as error:
            self.page.tell(str(error))
            return
        self._remembered.save(params=self.page.to_json(), formats=self.page.formats_to_json())
        self.page.tell("Writing the figure...")
        self._saving.start(
            lambda _: write_figure(figure, path, style, **where, overwrite=overwrite)
        )
        self.page.save.setEnabled(False)

    def _ask(self, there: list[str]) -> bool:
        answer = QMessageBox.question(
            self, "Replace files?", f"These exist already: {', '.join(there)}.\nReplace them?"
        )
        return bool(answer == QMessageBox.StandardButton.Yes)

    def _on_saved(self, written: Any, error: Exception | None) -> None:
        if error is None:
            names = ", ".join(path.name for path in written)
            self.page.tell(f"Saved {names} in {written[0].parent}.")
        else:
            self.page.tell(in_words(error, ""))
        self.page.save.setEnabled(True)


def existing(path: Path, formats: list[str], data: bool) -> list[Path]:
    """Return what is there of what would be written."""
    return [
        p
        for p in check_figure_output(path, formats=formats, data=data, overwrite=True)
        if p.exists()
    ]
