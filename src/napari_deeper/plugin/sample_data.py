"""npe2 sample data: two simulated cubes and a measured one."""

from __future__ import annotations

from napari_deeper.plugin.layers import LayerTuple, layer_tuple
from napari_deeper.spectra.cube import RamanCube


def simulated_low_snr() -> list[LayerTuple]:
    """Return the simulated cell as 0.1 s a pixel would measure it."""
    from napari_deeper.io.sample import simulated_cell

    return _opened(simulated_cell("0.1s"))


def simulated_high_snr() -> list[LayerTuple]:
    """Return the same simulated cell at 1 s a pixel."""
    from napari_deeper.io.sample import simulated_cell

    return _opened(simulated_cell("1s"))


def thp1_cell() -> list[LayerTuple]:
    """Return the measured THP-1 cell, downloaded once and checked by its sha256."""
    from napari_deeper.io.read import read
    from napari_deeper.io.sample import fetch_thp1

    return _opened(read(fetch_thp1()))


def _opened(cube: RamanCube) -> list[LayerTuple]:
    from napari_deeper.plugin.canvas import follow_current_viewer

    follow_current_viewer()
    return [layer_tuple(cube)]
