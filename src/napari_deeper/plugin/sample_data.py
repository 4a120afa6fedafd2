"""npe2 sample data: two simulated cubes and a measured one."""

from __future__ import annotations

import sys

from napari_deeper.plugin.layers import LayerTuple, layer_tuple
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import Cancelled, FileError


def simulated_low_snr() -> list[LayerTuple]:
    """Return the simulated cell as 0.1 s a pixel would measure it."""
    from napari_deeper.io.sample import simulated_cell

    return _opened(simulated_cell("0.1s"))


def simulated_high_snr() -> list[LayerTuple]:
    """Return the same simulated cell at 1 s a pixel."""
    from napari_deeper.io.sample import simulated_cell

    return _opened(simulated_cell("1s"))


def thp1_cell() -> list[LayerTuple]:
    """Return the measured THP-1 cell, downloaded once and checked by its sha256.

    Raises
    ------
    FileError
        If it cannot be downloaded, or the user cancels.
    """
    from napari_deeper.io import sample
    from napari_deeper.io.read import read

    napari = sys.modules.get("napari")
    if napari is None or napari.current_viewer() is None:
        return _opened(read(sample.fetch_thp1()))
    from napari_deeper.plugin.waiting import wait_for

    try:
        path = wait_for(sample.fetch_thp1, "Downloading the measured THP-1 cell (3.2 MB)...")
    except Cancelled as error:
        raise FileError("The download of the THP-1 cell was cancelled.") from error
    return _opened(read(path))


def _opened(cube: RamanCube) -> list[LayerTuple]:
    from napari_deeper.plugin.canvas import follow_current_viewer

    follow_current_viewer()
    return [layer_tuple(cube)]
