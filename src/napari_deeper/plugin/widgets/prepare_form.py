"""The settings of the step that is chosen."""

from __future__ import annotations

import dataclasses
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_deeper.engine.prepare_settings import Settings
from napari_deeper.engine.recipe import kind_of
from napari_deeper.plugin.widgets.form import ParamsForm
from napari_deeper.spectra.errors import ParameterError

NO_STEP = "Choose a step to see its settings, or add one."


class StepForm(QWidget):
    """Editor of one step of any kind; `changed` with its new settings when the user changes them."""

    changed = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._forms: dict[str, ParamsForm[Any]] = {}
        self._kind = ""
        self.title = QLabel(NO_STEP)
        self.title.setWordWrap(True)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.addWidget(self.title)

    @property
    def form(self) -> ParamsForm[Any] | None:
        """The form that is shown."""
        return self._forms.get(self._kind)

    def show_step(self, settings: Settings | None) -> None:
        """Show the settings of a step, or that none is chosen."""
        name = "" if settings is None else kind_of(settings).name
        if name != self._kind:
            if self.form is not None:
                self.form.setVisible(False)
            self._kind = name
        if settings is None:
            self.title.setText(NO_STEP)
            return
        self.title.setText(kind_of(settings).tooltip + ".")
        if self.form is None:
            self._add_form(settings)
        form = self._forms[name]
        if form.value() != settings:
            form.set_value(settings)
        form.setVisible(True)

    def _add_form(self, settings: Settings) -> None:
        fields = dataclasses.fields(settings)
        form = ParamsForm(type(settings), [f.name for f in fields], [], self._on_change)
        for field in fields:
            if isinstance(field.default, bool):
                box: Any = form.field(field.name)
                box.setText("")  # the label stands beside the box already
        self._forms[self._kind] = form
        self._column.addWidget(form)

    def _on_change(self) -> None:
        form = self.form
        if form is None:
            return
        try:
            settings = form.value()
        except ParameterError as error:
            self.title.setText(str(error))
            return
        self.changed.emit(settings)
