"""npe2 reader: files to layers, without torch or Qt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from napari_deeper.io.read import read, readable_suffixes
from napari_deeper.plugin.layers import KEY, LayerTuple, layer_tuple

Reader = Callable[[str | Sequence[str]], list[LayerTuple]]


def get_reader(path: str | Sequence[str]) -> Reader | None:
    """Return the reader if the file may hold a cube; a Zarr folder of another program is left to others."""
    first = Path(path if isinstance(path, str) else path[0])
    if first.suffix.lower() not in readable_suffixes():
        return None
    if first.is_dir() and not _is_our_zarr(first):
        return None
    return read_layers


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
