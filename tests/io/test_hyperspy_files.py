"""HyperSpy's .hspy and .zspy: named axes become a cube."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from vendor_files import fill_hyperspy, numbered

import napari_deeper as nd
from napari_deeper.spectra.errors import FileError


def save(folder: Path, suffix: str, names: tuple[str, ...] = ("map",), **changes: Any) -> Path:
    path = folder / f"a{suffix}"
    if suffix == ".hspy":
        h5py = pytest.importorskip("h5py")
        with h5py.File(path, "w") as file:
            experiments = file.create_group("Experiments")
            for name in names:
                fill_hyperspy(experiments, name, **changes)
        return path
    import zarr

    experiments = zarr.open_group(path, mode="w", zarr_format=2).create_group("Experiments")
    for name in names:
        fill_hyperspy(experiments, name, **changes)
    return path


@pytest.mark.parametrize("suffix", [".hspy", ".zspy"])
def test_a_map_whose_rows_fall(tmp_path: Path, suffix: str) -> None:
    cube = nd.read(save(tmp_path, suffix))
    np.testing.assert_array_equal(cube.intensity, numbered(4, 3)[::-1])
    np.testing.assert_allclose(cube.wavenumber, 600 + 100 * np.arange(12))
    assert (cube.pixel_size, cube.origin) == ((2, 0.5), (0, 0))
    assert cube.excitation_nm == 532
    assert (cube.metadata["title"], cube.metadata["date"]) == ("made", "2020-02-03T04:05:06")


@pytest.mark.parametrize("suffix", [".hspy", ".zspy"])
def test_one_of_several_experiments(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path, suffix, ("first", "second"))
    with pytest.raises(FileError, match="2 experiments: first, second"):
        nd.read(path)
    assert nd.read(path, variable="second").shape == (4, 3, 12)
    with pytest.raises(FileError, match="no experiment 'third'"):
        nd.read(path, variable="third")


def test_what_rosettasciio_writes(tmp_path: Path) -> None:
    hspy = pytest.importorskip("rsciio.hspy")
    axes = [
        {"name": "z", "units": "um", "scale": 0.5, "offset": -1.0, "size": 3, "navigate": True},
        {"name": "Wavelength", "units": "nm", "axis": np.linspace(550, 600, 12) ** 1.001, "navigate": False},
    ]  # fmt: skip
    for axis in axes:
        axis["_type"] = "DataAxis" if "axis" in axis else "UniformDataAxis"
    signal = {
        "data": numbered(1, 3)[0], "axes": axes, "original_metadata": {}, "learning_results": {},
        "metadata": {"General": {"title": "depth"}, "Signal": {"signal_type": ""}},
        "attributes": {"_lazy": False}, "models": {}, "tmp_parameters": {}, "package_info": {},
    }  # fmt: skip
    hspy.file_writer(str(tmp_path / "a.hspy"), signal)
    cube = nd.read(tmp_path / "a.hspy", excitation_nm=532)
    np.testing.assert_array_equal(cube.intensity, numbered(1, 3))
    assert cube.metadata["series"] == {"kind": "z", "unit": "um", "values": [-1, -0.5, 0]}
    expected = 1e7 / 532 - 1e7 / np.linspace(550, 600, 12) ** 1.001
    np.testing.assert_allclose(cube.wavenumber, expected)


@pytest.mark.parametrize("suffix", [".hspy", ".zspy"])
def test_signals_that_are_no_cube(tmp_path: Path, suffix: str) -> None:
    image = [
        {"name": name, "units": "um", "scale": 1.0, "offset": 0.0, "size": n, "navigate": False}
        for name, n in (("y", 4), ("x", 3))
    ]
    with pytest.raises(FileError, match="2 signal axes and 0 others"):
        nd.read(save(tmp_path, suffix, axes=image, data=np.zeros((4, 3))))


def test_a_file_of_another_program(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.hspy", "w") as file:
        file["data"] = np.zeros(3)
    with pytest.raises(FileError, match="no group 'Experiments'"):
        nd.read(tmp_path / "a.hspy")


def test_a_signal_in_another_file_is_not_followed(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    (tmp_path / "elsewhere").mkdir()
    other = save(tmp_path / "elsewhere", ".hspy")
    path = save(tmp_path, ".hspy")
    with h5py.File(path, "a") as file:
        group = file["Experiments/map"]
        del group["data"]
        group["data"] = h5py.ExternalLink(str(other), "/Experiments/map/data")
    with pytest.raises(FileError, match="lie in another file"):
        nd.read(path)
