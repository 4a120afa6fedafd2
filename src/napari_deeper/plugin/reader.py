"""npe2 reader: files to layers, without torch or Qt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from napari_deeper.io.read import read, readable_suffixes
from napari_deeper.plugin.layers import KEY, LayerTuple, layer_tuple

Reader = Callable[[str | Sequence[str]], list[LayerTuple]]


# What a file of ours holds near its start, where its suffix is used by other programs too.
_MARKS = {".xml": b"<LSX", ".hdr": b"ENVI"}
_START = 4096


def get_reader(path: str | Sequence[str]) -> Reader | None:
    """Return the reader if the file may hold a cube; files and folders of other programs are left to others."""
    first = Path(path if isinstance(path, str) else path[0])
    suffix = first.suffix.lower()
    if suffix not in readable_suffixes():
        return None
    if first.is_dir() and suffix == ".zarr" and not _is_our_zarr(first):
        return None
    if first.is_file() and not _may_be_ours(first, suffix):
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
    """Read each file as one layer.

    Raises
    ------
    DeeperError
        Naming the file and what is wrong with it; napari shows the text.
    """
    from napari_deeper.plugin.canvas import follow_current_viewer

    paths = [path] if isinstance(path, str) else list(path)
    layers = [layer_tuple(read(p)) for p in paths]
    follow_current_viewer()
    return layers


def _is_our_zarr(folder: Path) -> bool:
    header = folder / "zarr.json"
    return header.is_file() and KEY in header.read_text(encoding="utf-8", errors="replace")
