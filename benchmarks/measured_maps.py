"""The measured maps of the benchmarks, which are not part of the project; a map that is not here is left out."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

import napari_deeper as nd

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@lru_cache(maxsize=1)
def measured_map(name: str) -> nd.RamanCube:
    """Return ``"THP-1"``, ``"bladder"`` or ``"P_A32_006"``; raise `FileNotFoundError` without it."""
    path = {
        "THP-1": next(DATA.glob("thp1/*.mat"), None),
        "bladder": next(DATA.glob("bladder/*.csv.xz"), None),
        "P_A32_006": DATA / "formats" / "witec" / "P_A32_006_Spec.Data 1.mat",
    }[name]
    if path is None or not path.exists():
        raise FileNotFoundError(f"{name} is not in {DATA}.")
    cube = _read_bladder(path) if name == "bladder" else nd.read(path)
    return nd.RamanCube(cube.intensity, cube.wavenumber, metadata={"name": name})


def _read_bladder(path: Path) -> nd.RamanCube:
    """Read a table with wavenumbers as its header and x, y, label as its last columns."""
    header = np.loadtxt(path, str, delimiter=",", max_rows=1)
    n_channels = header.size - 3
    table = np.loadtxt(path, delimiter=",", skiprows=1, usecols=range(n_channels))
    axis = header[:n_channels].astype(float)
    return nd.RamanCube(table.reshape(18, 20, n_channels), axis)
