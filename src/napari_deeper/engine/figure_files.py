"""Write a figure, with the numbers behind it as CSV and what its panels are as JSON."""

from __future__ import annotations

import csv
import json
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.engine.figure_draw import draw_figure, notes_for
from napari_deeper.engine.figure_page import DPI
from napari_deeper.engine.figure_parts import Figure, FigureStyle, MapPanel
from napari_deeper.io.spectra_table import Column, format_spectra
from napari_deeper.io.write import check_folder, replacing
from napari_deeper.spectra import params as settings_of
from napari_deeper.spectra.errors import FileError

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

FORMATS = ("svg", "pdf", "png")
DATA = "_data"
RECORD = "figure.json"
_FAMILY = re.compile(r"(font-family: [^;\"]+)")
_SETTINGS_LOCK = threading.Lock()


def write_figure(
    figure: Figure,
    path: str | PathLike[str],
    style: FigureStyle | None = None,
    *,
    formats: Sequence[str] = (),
    data: bool = True,
    overwrite: bool = False,
) -> tuple[Path, ...]:
    """Write a figure as SVG, PDF or PNG (300 dpi), whole or not at all; its text stays text.

    Parameters
    ----------
    figure
        The figure.
    path
        Name of the file; its suffix is the format.
    style
        How it is drawn.
    formats
        More formats to write beside it under the same name: ``"svg"``, ``"pdf"``, ``"png"``.
    data
        Write the numbers too: into the folder NAME_data a CSV file for each map, one for the spectra and
        one for the measures, and ``figure.json``, which tells what each panel is and where it comes from.
    overwrite
        Replace what is there.

    Returns
    -------
    tuple[Path, ...]
        What was written.

    Raises
    ------
    FileError
        If a format is unknown, the folder missing, read-only or full, or something is there already.
    """
    style = style or FigureStyle()
    paths = check_figure_output(path, formats=formats, data=data, overwrite=overwrite)
    drawing = draw_figure(figure, style)
    with ExitStack() as stack:
        for out in paths:
            temporary = stack.enter_context(replacing(out, overwrite=overwrite))
            if out.suffix:
                _save(drawing, temporary, out.suffix.lower().removeprefix("."))
            else:
                temporary.mkdir()
                _write_data(figure, style, temporary)
    return paths


def check_figure_output(
    path: str | PathLike[str],
    *,
    formats: Sequence[str] = (),
    data: bool = True,
    overwrite: bool = False,
) -> tuple[Path, ...]:
    """Return what `write_figure` would write; raise `FileError` if it could not do so now."""
    path = Path(path)
    suffixes = dict.fromkeys(
        [path.suffix.lower(), *(f".{name.lower().strip('.')}" for name in formats)]
    )
    unknown = [suffix for suffix in suffixes if suffix.removeprefix(".") not in FORMATS]
    if unknown:
        known = ", ".join(f".{name}" for name in FORMATS)
        raise FileError(
            f"{path.name}: '{unknown[0]}' is no format of a figure. Write one of: {known}."
        )
    if not path.parent.is_dir():
        raise FileError(f"The folder {path.parent} does not exist. Make it first.")
    wanted = [
        path.with_suffix(suffix) if suffix != path.suffix.lower() else path for suffix in suffixes
    ]
    for file in wanted:
        if file.is_dir():
            raise FileError(f"{file} is a folder; choose another name.")
        if file.exists() and not overwrite:
            raise FileError(
                f"{file} already exists. Choose another name, or replace it with overwrite=True "
                "(--force on the command line)."
            )
    if data:
        folder = path.with_name(path.stem.replace(".", "_") + DATA)
        wanted.append(check_folder(folder, overwrite=overwrite, ours=_is_data))
    return tuple(wanted)


def _is_data(folder: Path) -> bool:
    return (folder / RECORD).is_file() and all(
        entry.suffix in (".csv", ".json") for entry in folder.iterdir()
    )


def _save(drawing: Drawing, path: Path, kind: str) -> None:
    software = f"napari-deeper {version('napari-deeper')}"
    # the same figure gives the same file: no date in it
    said: dict[str, dict[str, Any]] = {
        "svg": {"Creator": software, "Date": None},
        "pdf": {"Creator": software, "CreationDate": None},
        "png": {"Software": software},
    }
    with _editable_text():
        drawing.savefig(path, format=kind, dpi=DPI, metadata=said[kind])
    if kind == "svg":
        _name_other_fonts(path)


def _name_other_fonts(path: Path) -> None:
    """Name fonts for computers that lack ours, where a viewer would else take one with serifs."""
    text = path.read_text(encoding="utf-8")
    path.write_text(_FAMILY.sub(r"\1, Arial, Helvetica, sans-serif", text), encoding="utf-8")


@contextmanager
def _editable_text() -> Iterator[None]:
    """Set the settings of matplotlib that can only be given globally, for the time of one file."""
    import matplotlib

    wanted: dict[Any, Any] = {
        "svg.fonttype": "none",
        "pdf.fonttype": 42,
        "svg.hashsalt": "napari-deeper",
    }
    with _SETTINGS_LOCK:
        before = {name: matplotlib.rcParams[name] for name in wanted}
        matplotlib.rcParams.update(wanted)
        try:
            yield
        finally:
            matplotlib.rcParams.update(before)


# ---- the numbers ------------------------------------------------------------------------------------------------


def _write_data(figure: Figure, style: FigureStyle, folder: Path) -> None:
    record: dict[str, Any] = {
        "software": f"napari-deeper {version('napari-deeper')}",
        "style": settings_of.to_json(style),
        "notes": list(notes_for(figure, style)),
        "remarks": list(figure.remarks),
        "marks": [vars(mark) for mark in figure.marks],
        "maps": [],
    }
    for i, panel in enumerate(figure.maps):
        files = _write_map(panel, folder, f"map{i + 1:02d}_{_plain(panel.title)}")
        record["maps"].append(_describe(panel) | {"files": files})
    if figure.spectra is not None:
        (folder / "spectra.csv").write_text(format_spectra(_columns(figure)), encoding="utf-8")
        record["spectra"] = {"file": "spectra.csv", "unit": figure.spectra.unit}
    if figure.metrics:
        _write_metrics(figure, folder / "measures.csv")
        record["measures"] = "measures.csv"
    text = json.dumps(record, indent=2, ensure_ascii=False, default=_as_json)
    (folder / RECORD).write_text(text + "\n", encoding="utf-8")


def _describe(panel: MapPanel) -> dict[str, Any]:
    shown = {
        name: getattr(panel, name)
        for name in ("title", "column", "quantity", "spacing", "origin", "unit", "imaging", "about")
    }
    if panel.is_composite:
        return shown | {"colors": [list(color) for color in panel.colors]}
    named = panel.colormap if isinstance(panel.colormap, str) else "custom"
    return shown | {"limits": panel.limits, "colormap": named, "contrast": panel.contrast}


def _write_map(panel: MapPanel, folder: Path, stem: str) -> list[str]:
    parts: list[tuple[str, str, NDArray[Any]]]
    if not panel.is_composite:
        parts = [("", f"{panel.column} {panel.quantity}", panel.image)]
    elif panel.parts:
        parts = [
            (f"_{_plain(name)}", f"abundance of {name}", values) for name, values in panel.parts
        ]
    else:
        names = ("red", "green", "blue")
        parts = [
            (f"_{name}", f"{name}, 0 to 1", panel.image[..., i]) for i, name in enumerate(names)
        ]
    files = []
    for ending, what, values in parts:
        name = f"{stem}{ending}.csv"
        number = 2
        while name in files:
            name, number = f"{stem}{ending}_{number}.csv", number + 1
        _write_matrix(folder / name, panel, what, values)
        files.append(name)
    return files


def _write_matrix(path: Path, panel: MapPanel, what: str, values: NDArray[Any]) -> None:
    n_y, n_x = values.shape
    y = panel.origin[0] + panel.spacing[0] * np.arange(n_y)
    x = panel.origin[1] + panel.spacing[1] * np.arange(n_x)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        corner = f"{what}; y down, x right in {panel.unit}"
        writer.writerow([corner, *(f"{at:.6g}" for at in x)])
        for at, row in zip(y, values, strict=True):
            writer.writerow([f"{at:.6g}", *("" if np.isnan(v) else f"{v:.7g}" for v in row)])


def _columns(figure: Figure) -> list[Column]:
    columns: list[Column] = []
    if figure.spectra is None:
        return columns
    unit = figure.spectra.unit
    for curve in figure.spectra.curves:
        name = f"{curve.mark}: {curve.name}" if curve.mark else curve.name
        columns.append((f"{name} ({unit})", curve.wavenumber, curve.intensity))
        if curve.uncertainty is not None:
            columns.append((f"one sigma of {name} ({unit})", curve.wavenumber, curve.uncertainty))
    return columns


def _write_metrics(figure: Figure, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["measure", "unit", "better", "name", "value", "low", "high"])
        for panel in figure.metrics:
            for bar in panel.bars:
                numbers = (
                    "" if np.isnan(v) else repr(float(v)) for v in (bar.value, *bar.interval)
                )
                writer.writerow([panel.measure, panel.unit, panel.better, bar.name, *numbers])


def _plain(name: str) -> str:
    """Return a name that every file system takes."""
    return re.sub(r"[^A-Za-z0-9.]+", "_", name).strip("_.")[:40] or "map"


def _as_json(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    return str(value)
