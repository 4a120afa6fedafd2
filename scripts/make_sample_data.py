"""Make the sample cubes again, bit for bit: ``python scripts/make_sample_data.py [FOLDER]``."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import numpy as np

from napari_deeper.simulate.cells import cell
from napari_deeper.simulate.instrument import measure
from napari_deeper.spectra.cube import RamanCube

SEED = 7
SIZE, PIXEL_SIZE_UM = (48, 48), 0.5
DWELL_TIMES_S = {"0.1s": 0.1, "1s": 1.0}


def main() -> None:
    default = Path(__file__).resolve().parents[1] / "sample_data"
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    truth = cell(SIZE, PIXEL_SIZE_UM, np.random.default_rng(SEED))
    for number, (name, seconds) in enumerate(DWELL_TIMES_S.items()):
        cube = measure(truth.cube, seconds, np.random.default_rng([SEED, number]))
        path = write(cube, folder / f"simulated_cell_{name}.npz")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        print(f"{path.name}  {path.stat().st_size} bytes  sha256 {digest}")


def write(cube: RamanCube, path: Path) -> Path:
    """Write a cube of whole counts as int16, compressed: a tenth of the size of float32."""
    counts = cube.intensity.astype(np.int16)
    assert (counts == cube.intensity).all(), "counts beyond int16"
    # The version of the program would change the file with every release.
    header = cube.header()
    for step in header["provenance"]:
        step["software"] = "napari-deeper, scripts/make_sample_data.py"
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as stream:
        np.savez_compressed(stream, intensity=counts, header=np.array(json.dumps(header)))
    partial.replace(path)
    return path


if __name__ == "__main__":
    main()
