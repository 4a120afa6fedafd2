"""npe2 writer: cube layers to files."""

from __future__ import annotations

from typing import Any

from napari_deeper.io.write import write
from napari_deeper.plugin.layers import KEY, cube_from_data
from napari_deeper.spectra.errors import CubeError


def write_layer(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write one cube layer; napari has asked before replacing a file.

    Raises
    ------
    DeeperError
        If the layer holds no cube, or the file cannot be written; an existing file is then untouched.
    """
    name = attributes.get("name", "layer")
    if KEY not in attributes.get("metadata", {}):
        raise CubeError(f"'{name}' is no Raman cube; save it with napari's own image formats.")
    cube = cube_from_data(data, attributes["metadata"], name)
    return [str(write(cube, path, overwrite=True))]
