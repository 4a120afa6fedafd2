"""A form made by magicgui from a params dataclass, the definition that checks, records and flags use too."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from typing import Any, Generic, get_type_hints

from magicgui.widgets import create_widget
from qtpy.QtCore import QSettings
from qtpy.QtWidgets import QAbstractSpinBox, QComboBox, QDoubleSpinBox, QFormLayout, QLabel, QWidget

from napari_deeper.spectra.errors import ParameterError
from napari_deeper.spectra.params import P, make, options

_KNOWN_OPTIONS = ("choices", "min", "max", "step", "tooltip")
FIELD_WIDTH = 96  # pixels, at least
LARGE = 1e6  # where values become so large, nobody wants decimals


class ParamsForm(QWidget, Generic[P]):
    """Editor of one params object; `value` and `set_value` are its only state.

    Parameters
    ----------
    params_type
        The dataclass.
    names
        The fields to show, in order.
    advanced
        Fields that appear in the separate widget `advanced`, for a fold of the dock's.
    on_change
        Called without arguments whenever the user changes a field.

    Fields in neither list keep what `set_value` gave them, or their default. A field that another one decides
    about (``applies`` in its metadata) is switched off while it is not used.
    """

    def __init__(
        self,
        params_type: type[P],
        names: list[str],
        advanced: list[str],
        on_change: Callable[[], None],
    ) -> None:
        super().__init__()
        self.params_type = params_type
        self.advanced = QWidget()
        self._hidden: dict[str, Any] = {}
        self._fields: dict[str, Any] = {}
        self._labels: dict[str, QLabel] = {}
        self._add_rows(self, names)
        self._add_rows(self.advanced, advanced)
        for field in self._fields.values():
            field.changed.connect(self._suit)
            field.changed.connect(lambda *_: on_change())
        self._suit()

    def _add_rows(self, widget: QWidget, names: list[str]) -> None:
        hints = get_type_hints(self.params_type)
        defaults = {f.name: f.default for f in dataclasses.fields(self.params_type)}
        layout = QFormLayout(widget)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for name in names:
            rule = options(self.params_type, name)
            unit = f" ({rule['unit']})" if "unit" in rule else ""
            label = QLabel(f"{rule.get('label', name)}{unit}")
            label.setToolTip(str(rule.get("tooltip", "")))
            shown = {k: rule[k] for k in _KNOWN_OPTIONS if k in rule}
            # the value is given here too: magicgui would show `min` instead of the default
            field = create_widget(
                value=defaults[name], annotation=hints[name], name=name, options=shown
            )
            self._fields[name] = field
            self._labels[name] = label
            _fit(field.native, rule)
            layout.addRow(label, field.native)

    def _suit(self, *_: object) -> None:
        """Switch off, not hide, what is not used with the values shown: nothing jumps."""
        for name, field in self._fields.items():
            decides, values = options(self.params_type, name).get("applies", (None, ()))
            if decides in self._fields:
                used = self._fields[decides].value in values
                field.native.setEnabled(used)
                self._labels[name].setEnabled(used)

    def value(self) -> P:
        """Return the params that the form shows.

        Raises
        ------
        ParameterError
            Where a value is not allowed.
        """
        shown = {name: field.value for name, field in self._fields.items()}
        return make(self.params_type, None, self._hidden | shown)

    def set_value(self, params: P) -> None:
        """Show these params."""
        record = {f.name: getattr(params, f.name) for f in dataclasses.fields(params)}
        for name, field in self._fields.items():
            with field.changed.blocked():
                field.value = record.pop(name)
        self._hidden = record
        self._suit()

    def set_field(self, name: str, value: Any) -> None:
        """Change one shown field, as the user would."""
        self._fields[name].value = value

    def field(self, name: str) -> QWidget:
        """Return the Qt widget of one shown field."""
        native: QWidget = self._fields[name].native
        return native


def _fit(native: QWidget, rule: dict[str, Any]) -> None:
    """Let a field be narrower than its longest value, and a spin box show its smallest one."""
    if isinstance(native, QComboBox):
        native.setMinimumWidth(FIELD_WIDTH)
    if "min" not in rule or not isinstance(native, QAbstractSpinBox):
        return
    native.setMinimumWidth(FIELD_WIDTH)
    if isinstance(native, QDoubleSpinBox) and rule["min"] >= 1 and rule["max"] >= LARGE:
        native.setDecimals(0)
    elif isinstance(native, QDoubleSpinBox) and 0 < rule["min"] < 0.1 ** native.decimals():
        native.setDecimals(-math.floor(math.log10(rule["min"])))


class Remembered:
    """Settings kept for this user from one session to the next, as JSON under one key."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._store = QSettings(
            QSettings.Format.IniFormat, QSettings.Scope.UserScope, "napari-deeper", "plugin"
        )

    def save(self, **record: Any) -> None:
        """Keep values (JSON types) by name."""
        self._store.setValue(self._key, json.dumps(record))

    def load(self) -> dict[str, Any]:
        """Return what was kept, or nothing where there is nothing readable."""
        try:
            record = json.loads(str(self._store.value(self._key, "{}")))
        except json.JSONDecodeError:
            return {}
        return record if isinstance(record, dict) else {}


def restore(form: ParamsForm[Any], record: Any) -> None:
    """Show remembered params; what this version does not accept is left at its default."""
    if not isinstance(record, dict):
        return
    try:
        form.set_value(make(form.params_type, None, record))
    except ParameterError:
        return
