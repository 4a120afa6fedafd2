"""TIFF: one page per channel, with the axis from our own text, from labels, from a file beside it, or the caller."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import tifffile

import napari_deeper as nd
from napari_deeper.io.tiff import has_axis
from napari_deeper.spectra.errors import AxisError, CubeError, FileError

PAGES = np.random.default_rng(2).random((12, 5, 4)).astype(np.float32)
AXIS = np.linspace(600, 1800, 12)
CUBE = PAGES.transpose(1, 2, 0)


def test_a_cube_is_an_ome_tiff_that_other_programs_read(tmp_path: Path) -> None:
    cube = nd.RamanCube(CUBE, AXIS, (0.5, 0.25), metadata={"name": "zelle µ <&>"})
    path = nd.write(cube, tmp_path / "a.tif")
    with tifffile.TiffFile(path) as file:
        assert file.is_ome
        assert file.series[0].axes == "CYX"
        np.testing.assert_array_equal(file.asarray(), PAGES)
        pixels = next(
            e for e in ElementTree.fromstring(file.ome_metadata).iter() if e.tag.endswith("Pixels")
        )
    assert (pixels.get("PhysicalSizeY"), pixels.get("PhysicalSizeX")) == ("0.5", "0.25")
    assert nd.read(path).name == "zelle µ <&>"


@pytest.mark.parametrize("kind", ["plain", "imagej", "ome"])
@pytest.mark.parametrize("beside", ["a.csv", "a_wavenumbers.txt", "a_wavenumbers.npy"])
def test_pages_of_another_program_with_the_axis_beside(
    tmp_path: Path, kind: str, beside: str
) -> None:
    path = tmp_path / "a.tif"
    about = {"axes": "CYX"} if kind != "plain" else None
    options = {"plain": {}, "imagej": {"imagej": True}, "ome": {"ome": True}}[kind]
    tifffile.imwrite(path, PAGES, photometric="minisblack", metadata=about, **options)
    assert not has_axis(path)
    with pytest.raises(AxisError, match=r"12 channels.*a_wavenumbers\.txt"):
        nd.read(path)
    np.testing.assert_array_equal(nd.read(path, wavenumber=AXIS).intensity, CUBE)
    if beside.endswith(".npy"):
        np.save(tmp_path / beside, AXIS)
    else:
        (tmp_path / beside).write_text("\n".join(str(w) for w in AXIS))
    assert has_axis(path)
    cube = nd.read(path)
    np.testing.assert_array_equal(cube.intensity, CUBE)
    np.testing.assert_allclose(cube.wavenumber, AXIS)
    assert beside in cube.provenance[0].notes[0]


def test_labels_and_pixel_sizes_of_imagej_and_ome(tmp_path: Path) -> None:
    labels = [f"{w:.1f} cm-1" for w in AXIS]
    tifffile.imwrite(
        tmp_path / "ij.tif", PAGES, imagej=True, resolution=(4, 2),
        metadata={"axes": "ZYX", "unit": "um", "Labels": labels},
    )  # fmt: skip
    sizes = {"PhysicalSizeX": 250.0, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 0.5}
    tifffile.imwrite(
        tmp_path / "a.ome.tif", PAGES, photometric="minisblack",
        metadata={"axes": "CYX", "Channel": {"Name": labels}} | sizes,
    )  # fmt: skip
    for name in ("ij.tif", "a.ome.tif"):
        cube = nd.read(tmp_path / name)
        np.testing.assert_allclose(cube.wavenumber, AXIS, atol=0.05)
        assert cube.pixel_size == pytest.approx((0.5, 0.25))


def test_what_is_no_cube(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "photo.tif", np.zeros((8, 9, 3), np.uint8), photometric="rgb")
    tifffile.imwrite(tmp_path / "one.tif", np.zeros((8, 9), np.uint8))
    tifffile.imwrite(tmp_path / "zc.tif", np.zeros((2, 3, 8, 9), np.uint8), imagej=True)
    for name in ("one.tif", "zc.tif"):
        with pytest.raises(CubeError, match="one page"):
            nd.read(tmp_path / name)
    for name in ("photo.tif", "one.tif", "zc.tif"):
        assert not has_axis(tmp_path / name)


def test_an_absurd_size_is_not_allocated(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, PAGES, compression="zlib", photometric="minisblack")
    with tifffile.TiffFile(path, mode="r+b") as file:
        for name in ("ImageWidth", "ImageLength", "RowsPerStrip"):
            file.pages[0].tags[name].overwrite(2**20)
    with pytest.raises((FileError, CubeError)):
        nd.read(path, wavenumber=AXIS)
