"""A .zarr is an OME-Zarr image that other programs open, and theirs open here where they state wavenumbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

import napari_deeper as nd
from napari_deeper.io.zarr_store import halved
from napari_deeper.spectra.errors import AxisError, CubeError, FileError

AXIS = np.linspace(600, 1800, 24)


@pytest.fixture
def cube() -> nd.RamanCube:
    values = np.random.default_rng(3).random((131, 70, 24))
    values[3, 4, 5] = np.nan
    return nd.RamanCube(values, AXIS, (0.5, 0.25), origin=(3, -2), metadata={"name": "cell"})


def test_the_attributes_are_those_of_ome_zarr(tmp_path: Path, cube: nd.RamanCube) -> None:
    group = zarr.open_group(nd.write(cube, tmp_path / "a.zarr"), mode="r")
    ome = group.attrs["ome"]
    (image,) = ome["multiscales"]
    assert ome["version"] == "0.5"
    assert image["axes"] == [
        {"name": "c", "type": "channel"},
        {"name": "y", "type": "space", "unit": "micrometer"},
        {"name": "x", "type": "space", "unit": "micrometer"},
    ]
    assert [d["path"] for d in image["datasets"]] == ["0", "1", "2"]
    assert [group[str(i)].shape for i in range(3)] == [(24, 131, 70), (24, 66, 35), (24, 33, 18)]
    for i in range(3):
        # the specification: the names of the dimensions are those of the axes
        assert group[str(i)].metadata.dimension_names == ("c", "y", "x")


def test_each_level_lies_where_the_pixels_it_averages_lie(
    tmp_path: Path, cube: nd.RamanCube
) -> None:
    group = zarr.open_group(nd.write(cube, tmp_path / "a.zarr"), mode="r")
    (image,) = group.attrs["ome"]["multiscales"]
    for level, dataset in enumerate(image["datasets"]):
        scale, shift = (t[t["type"]] for t in dataset["coordinateTransformations"])
        factor = 2**level
        first_y = (cube.origin[0] + 0.5 * np.arange(factor)).mean()
        first_x = (cube.origin[1] + 0.25 * np.arange(factor)).mean()
        np.testing.assert_allclose(scale, [1, 0.5 * factor, 0.25 * factor])
        np.testing.assert_allclose(shift, [0, first_y, first_x])
        block = cube.intensity[8 : 8 + factor, 12 : 12 + factor].astype(float).mean(axis=(0, 1))
        np.testing.assert_allclose(
            group[str(level)][:, 8 // factor, 12 // factor], block, rtol=1e-6
        )


def test_a_dead_pixel_and_an_odd_edge_do_not_spread() -> None:
    plane = np.array([[[1, 3, 5], [np.nan, 5, 7], [9, 11, np.nan]]], dtype=np.float32)
    np.testing.assert_array_equal(halved(plane), [[[3, 6], [10, np.nan]]])


def test_a_plane_and_a_spectrum_each_need_few_chunks(tmp_path: Path) -> None:
    cube = nd.RamanCube(np.zeros((130, 130, 100), np.float32), np.arange(100) + 400.0)
    array = zarr.open_group(nd.write(cube, tmp_path / "a.zarr"), mode="r")["0"]
    along, tall, wide = (-(-n // c) for n, c in zip(array.shape, array.chunks, strict=True))
    assert along <= 4
    assert tall * wide <= 9


def test_the_first_layout_still_opens(tmp_path: Path, small_cube: nd.RamanCube) -> None:
    header = small_cube.header() | {"arrays": ["intensity", "flagged"]}
    group = zarr.create_group(tmp_path / "old.zarr", attributes={"napari_deeper": header})
    config = {"write_empty_chunks": True}
    group.create_array("intensity", data=small_cube.intensity, chunks=(4, 4, 120), config=config)
    group.create_array("flagged", data=small_cube.intensity[..., 0] > 50, config=config)
    back = nd.read(tmp_path / "old.zarr")
    np.testing.assert_array_equal(back.intensity, small_cube.intensity)
    np.testing.assert_array_equal(back.flagged, small_cube.intensity[..., 0] > 50)
    assert back.origin == small_cube.origin


def foreign(path: Path, version: str = "0.5", axes: str = "cyx", **attributes: Any) -> Path:
    """Write the image (24 channels, 5, 4) as another program would."""
    data = np.arange(24 * 5 * 4, dtype=np.uint16).reshape(24, 5, 4)
    names = {"c": "channel", "t": "time"}
    described: list[dict[str, str]] = [
        {"name": a, "type": names.get(a, "space")} | ({"unit": "nanometer"} if a in "yx" else {})
        for a in axes
    ]
    data = data.reshape([{"c": 24, "y": 5, "x": 4}.get(a, 1) for a in axes])
    scale = [{"y": 500.0, "x": 250.0}.get(a, 1.0) for a in axes]
    image = {
        "axes": described,
        "datasets": [
            {"path": "s0", "coordinateTransformations": [{"type": "scale", "scale": scale}]}
        ],
    }
    if version == "0.4":
        group = zarr.create_group(
            path,
            zarr_format=2,
            attributes={"multiscales": [{"version": "0.4", **image}]} | attributes,
        )
    else:
        ome = {"version": version, "multiscales": [image]} | attributes.pop("ome", {})
        group = zarr.create_group(path, attributes={"ome": ome} | attributes)
    group.create_array("s0", data=data, chunks=tuple(min(n, 3) for n in data.shape))
    return path


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("axes", ["cyx", "tczyx"])
def test_an_image_of_another_program(tmp_path: Path, version: str, axes: str) -> None:
    path = foreign(tmp_path / "a.zarr", version, axes, acquisition={"wavenumbers": AXIS.tolist()})
    cube = nd.read(path)
    expected = np.arange(24 * 5 * 4).reshape(24, 5, 4).transpose(1, 2, 0)
    np.testing.assert_array_equal(cube.intensity, expected)
    np.testing.assert_array_equal(cube.wavenumber, AXIS)
    assert cube.pixel_size == (0.5, 0.25)


def test_wavenumbers_in_labels_in_an_array_or_from_the_caller(tmp_path: Path) -> None:
    labels = {"omero": {"channels": [{"label": f"{w:.2f} cm-1"} for w in AXIS]}}
    np.testing.assert_allclose(
        nd.read(foreign(tmp_path / "a.zarr", ome=labels)).wavenumber, AXIS, atol=0.01
    )
    path = foreign(tmp_path / "b.zarr")
    with pytest.raises(AxisError, match="no wavenumber axis"):
        nd.read(path)
    np.testing.assert_allclose(nd.read(path, wavenumber=(600, 1800)).wavenumber, AXIS)
    zarr.open_group(path, mode="a").create_array("wavenumber", data=AXIS)
    np.testing.assert_array_equal(nd.read(path).wavenumber, AXIS)


def test_a_time_series_is_no_cube(tmp_path: Path) -> None:
    path = foreign(tmp_path / "a.zarr", axes="tyx".replace("t", "c"))
    text = (path / "zarr.json").read_text().replace('"channel"', '"time"').replace('"c"', '"t"')
    (path / "zarr.json").write_text(text)
    with pytest.raises(CubeError, match="channel axis"):
        nd.read(path)


class TestHostile:
    @pytest.mark.parametrize("name", ["../secret", "/etc", "..\\secret", "s0/../../secret"])
    def test_a_path_that_leads_out_is_not_followed(self, tmp_path: Path, name: str) -> None:
        zarr.create_array(tmp_path / "secret", shape=(24, 5, 4), dtype="u2", fill_value=7)
        path = foreign(tmp_path / "a.zarr", wavenumbers=AXIS.tolist())
        described = json.loads((path / "zarr.json").read_text())
        described["attributes"]["ome"]["multiscales"][0]["datasets"][0]["path"] = name
        (path / "zarr.json").write_text(json.dumps(described))
        with pytest.raises(FileError, match="leads out"):
            nd.read(path)

    @pytest.mark.parametrize("what", ["file", "folder"])
    def test_a_link_that_leads_out_is_not_followed(
        self, tmp_path: Path, cube: nd.RamanCube, what: str
    ) -> None:
        path = nd.write(cube, tmp_path / "a.zarr")
        target = path / "0" if what == "folder" else path / "0" / "zarr.json"
        outside = tmp_path / "outside"
        target.rename(outside)
        target.symlink_to(outside)
        with pytest.raises(FileError, match="link to another place"):
            nd.read(path)

    def test_a_chunk_that_unpacks_to_more_is_refused_before_it_does(self, tmp_path: Path) -> None:
        from numcodecs import GZip, Zstd

        for name, packer, codec in (("z", Zstd(level=9), "zstd"), ("g", GZip(level=9), "gzip")):
            path = tmp_path / f"{name}.zarr"
            group = zarr.create_group(
                path, attributes={"napari_deeper": {"wavenumber": [1.0, 2.0], "arrays": ["0"]}}
            )
            config = {
                "name": codec,
                "configuration": {"level": 1} | ({"checksum": False} if codec == "zstd" else {}),
            }
            group.create_array(
                "0", shape=(2, 8, 8), chunks=(2, 8, 8), dtype="f4", compressors=[config]
            )[...] = 1
            (path / "0" / "c" / "0" / "0" / "0").write_bytes(packer.encode(bytes(64 * 2**20)))
            with pytest.raises(FileError, match="chunks have 512"):
                nd.read(path)

    def test_absurd_chunks_are_not_allocated(
        self, tmp_path: Path, small_cube: nd.RamanCube
    ) -> None:
        path = nd.write(small_cube, tmp_path / "a.zarr")
        described = json.loads((path / "0" / "zarr.json").read_text())
        described["chunk_grid"]["configuration"]["chunk_shape"] = [10**6, 10**6, 10**6]
        (path / "0" / "zarr.json").write_text(json.dumps(described))
        with pytest.raises(FileError, match="which cannot be"):
            nd.read(path)

    def test_shards_are_read_and_their_parts_checked(self, tmp_path: Path) -> None:
        from numcodecs import Zstd

        path = foreign(tmp_path / "a.zarr", wavenumbers=AXIS.tolist())
        group = zarr.open_group(path, mode="a")
        values = group["s0"][...]
        sharded = group.create_array(
            "s1", shape=values.shape, dtype="u2", chunks=(6, 5, 4), shards=(24, 5, 4)
        )
        sharded[...] = values
        text = (path / "zarr.json").read_text().replace('"s0"', '"s1"')
        (path / "zarr.json").write_text(text)
        np.testing.assert_array_equal(nd.read(path).intensity, values.transpose(1, 2, 0))
        shard = path / "s1" / "c" / "0" / "0" / "0"
        data = bytearray(shard.read_bytes())
        bomb = Zstd(level=9).encode(bytes(64 * 2**20))
        index = len(data) - 4 * 16 - 4
        data[index : index + 16] = (0).to_bytes(8, "little") + len(bomb).to_bytes(8, "little")
        shard.write_bytes(bomb + bytes(data))
        with pytest.raises(FileError, match="chunks have 240"):
            nd.read(path)
