"""npe2 reader: files to layers, without torch, and without Qt unless a question must be asked."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_deeper.io import zarr_levels
from napari_deeper.io.read import read, readable_suffixes, suffix_of
from napari_deeper.io.text_stream import TEXT
from napari_deeper.io.zarr_levels import open_levels
from napari_deeper.plugin.layers import KEY, LayerTuple, layer_tuple, stored_tuple
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import AmbiguousFile, FileError

Reader = Callable[[str | Sequence[str]], list[LayerTuple]]

# Tables that napari itself writes and reads: of points and of shapes.
_NAPARI_TABLES = ("index,axis-", "index,shape-type", "shape-type")
_MOST_QUESTIONS = 3

# What a file of ours holds near its start, where its suffix is used by other programs too.
_MARKS = {".xml": b"<LSX", ".hdr": b"ENVI"}
_START = 4096


def get_reader(path: str | Sequence[str]) -> Reader | None:
    """Return the reader if the file may hold a cube.

    Files and folders of other programs, Zarr and TIFF images without an axis, and napari's own tables are
    left to other readers.
    """
    first = Path(path if isinstance(path, str) else path[0])
    suffix = suffix_of(first)
    if first.is_dir():
        return read_layers if _is_our_folder(first, suffix) else None
    if suffix not in readable_suffixes() or _is_others(first, suffix):
        return None
    return read_layers


def _may_be_ours(path: Path, suffix: str) -> bool:
    """Look at a few bytes: an .xml may be anything, an .img of another kind has no ENVI header beside it."""
    if suffix == ".img":
        headers = [path.with_suffix(".hdr"), path.with_suffix(".HDR"), Path(f"{path}.hdr")]
        return any(header.is_file() and _may_be_ours(header, ".hdr") for header in headers)
    if suffix not in _MARKS:
        return True
    with path.open("rb") as stream:
        return _MARKS[suffix] in stream.read(_START)


def read_layers(path: str | Sequence[str]) -> list[LayerTuple]:
    """Read each file as one layer; a large store of our own stays on disk.

    Raises
    ------
    DeeperError
        Naming the file and what is wrong with it; napari shows the text.
    """
    from napari_deeper.plugin.canvas import follow_current_viewer

    paths = [path] if isinstance(path, str) else list(path)
    layers = [_read_layer(p) for p in paths]
    follow_current_viewer()
    return layers


def _read_layer(path: str) -> LayerTuple:
    stored = open_levels(Path(path)) if suffix_of(Path(path)) == ".zarr" else None
    if stored is not None and stored.n_bytes >= zarr_levels.STORED_FROM_BYTES:
        return stored_tuple(stored)
    return layer_tuple(_read_asking(path))


def _read_asking(path: str) -> RamanCube:
    """Read a file; where it can be meant in several ways, ask in a dialog if there is a window."""
    answers: dict[str, Any] = {}
    for _ in range(_MOST_QUESTIONS):
        try:
            return read(path, **answers)
        except AmbiguousFile as question:
            if not _has_window():
                raise
            answer = _ask(question)
            if answer is None:
                raise FileError(
                    f"{Path(path).name} was not opened: nothing was chosen."
                ) from question
            answers |= answer
    return read(path, **answers)


def _has_window() -> bool:
    """Tell whether a Qt application runs, without loading Qt."""
    widgets = sys.modules.get("qtpy.QtWidgets")
    return widgets is not None and widgets.QApplication.instance() is not None


def _ask(question: AmbiguousFile) -> Mapping[str, Any] | None:
    from napari_deeper.plugin.widgets.choose_reading import ask_reading

    return ask_reading(question)


def _is_our_folder(folder: Path, suffix: str) -> bool:
    if suffix == ".zarr":
        return _has_wavenumbers(folder)
    if suffix in readable_suffixes():
        return True
    from napari_deeper.io.spectra_folder import holds_spectra

    return holds_spectra(folder)


def _has_wavenumbers(store: Path) -> bool:
    """Tell whether a Zarr folder is a cube, or an image of another program that states wavenumbers."""
    for name in ("zarr.json", ".zattrs"):
        header = store / name
        if header.is_file():
            text = header.read_text(encoding="utf-8", errors="replace")
            if KEY in text or ("multiscales" in text and "wavenumber" in text.lower()):
                return True
    return False


def _is_others(path: Path, suffix: str) -> bool:
    if suffix in (".tif", ".tiff"):
        from napari_deeper.io.tiff import has_axis

        return not has_axis(path)
    if suffix in TEXT and path.is_file():
        with path.open("rb") as stream:
            start = stream.read(64).lstrip(b"\xef\xbb\xbf").decode("latin-1")
        return start.startswith(_NAPARI_TABLES)
    return path.is_file() and not _may_be_ours(path, suffix)
