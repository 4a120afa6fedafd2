"""Stores that stay on disk: what is read of them, and what is told of broken ones."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import zarr

import napari_deeper as nd
from napari_deeper.io.zarr_levels import StoredArray, StoredLevels, open_levels
from napari_deeper.spectra.errors import FileError, ParameterError


@pytest.fixture
def cube() -> nd.RamanCube:
    """A cube of 150 x 90 pixels and 40 channels: several chunks along each axis, none of them full at the end."""
    rng = np.random.default_rng(5)
    intensity = rng.uniform(0, 100, (150, 90, 40)).astype(np.float32)
    return nd.RamanCube(
        intensity,
        np.linspace(600, 1800, 40),
        (0.5, 0.25),
        origin=(3.0, -2.0),
        metadata={"name": "large"},
        uncertainty=np.sqrt(intensity),
        flagged=rng.uniform(size=(150, 90)) < 0.1,
    )


@pytest.fixture
def store(cube: nd.RamanCube, tmp_path: Path) -> Path:
    """The cube as a store."""
    return nd.write(cube, tmp_path / "large.zarr")


def opened(path: Path) -> StoredLevels:
    found = open_levels(path)
    assert found is not None
    return found


def test_a_store_opens_without_reading_a_chunk(store, cube, monkeypatch):
    def refuse(*_: object) -> None:
        raise AssertionError("a chunk was read")

    monkeypatch.setattr(StoredArray, "chunk", refuse)
    monkeypatch.setattr(os, "walk", refuse)
    found = opened(store)
    assert found.shape == cube.shape
    assert [level.shape for level in found.levels] == [(40, 150, 90), (40, 75, 45), (40, 38, 23)]
    assert found.pixel().name == "large"
    assert found.pixel().pixel_size == (0.5, 0.25)


@pytest.mark.parametrize(
    "region",
    [
        (slice(0, 40), slice(0, 150), slice(0, 90)),
        (slice(31, 33), slice(63, 65), slice(10, 90)),
        (slice(7, 8), slice(149, 150), slice(89, 90)),
    ],
)
def test_a_region_is_what_zarr_reads_there(store, region):
    found = opened(store)
    for number, level in enumerate(found.levels):
        inside = tuple(
            slice(min(s.start, n - 1), min(s.stop, n))
            for s, n in zip(region, level.shape, strict=True)
        )
        expected = zarr.open(store, mode="r")[str(number)][inside]
        np.testing.assert_array_equal(level.read(inside), expected)


def test_crop_reads_a_part_of_all_that_a_store_has(store, cube):
    part = nd.read(store, crop=((60, 130), (5, 70)))
    rows, columns = slice(60, 130), slice(5, 70)
    np.testing.assert_array_equal(part.intensity, cube.intensity[rows, columns])
    np.testing.assert_array_equal(part.uncertainty, cube.uncertainty[rows, columns])
    np.testing.assert_array_equal(part.flagged, cube.flagged[rows, columns])
    assert part.origin == (3.0 + 60 * 0.5, -2.0 + 5 * 0.25)
    assert part.provenance[-1].verb == "crop-map"


def test_crop_of_a_file_is_that_of_a_store(store, cube, tmp_path):
    file = nd.write(cube, tmp_path / "large.npz")
    crop = ((10, 20), (0, 90))
    from_file, from_store = nd.read(file, crop=crop), nd.read(store, crop=crop)
    np.testing.assert_array_equal(from_file.intensity, from_store.intensity)
    assert from_file.origin == from_store.origin
    assert from_file.provenance[-1].notes == from_store.provenance[-1].notes


@pytest.mark.parametrize("crop", [((0, 151), (0, 9)), ((5, 5), (0, 9)), ((-1, 5), (0, 9)), (1, 2)])
def test_a_crop_outside_the_cube_is_refused(store, crop):
    with pytest.raises(ParameterError, match=r"large\.zarr"):
        nd.read(store, crop=crop)


def test_a_cube_that_memory_does_not_hold_is_refused_with_what_to_do(store, monkeypatch):
    monkeypatch.setattr("napari_deeper.io.contents._memory", lambda: 10**6)
    with pytest.raises(FileError, match=r"stays on disk.*crop=.*file to file"):
        nd.read(store)
    assert nd.read(store, crop=((0, 10), (0, 10))).shape == (10, 10, 40)


class TestDamage:
    def test_a_missing_chunk(self, store):
        (store / "0" / "c" / "0" / "1" / "0").unlink()
        found = opened(store)
        with pytest.raises(FileError, match="missing"):
            found.levels[0].chunk((0, 1, 0))
        assert found.levels[0].chunk((0, 0, 0)).shape == (32, 64, 64)

    def test_a_changed_chunk(self, store):
        path = store / "0" / "c" / "1" / "2" / "1"
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        with pytest.raises(FileError, match="damaged"):
            opened(store).levels[0].chunk((1, 2, 1))

    @pytest.mark.parametrize("n_bytes", [0, 3, 100])
    def test_a_chunk_cut_short(self, store, n_bytes):
        path = store / "0" / "c" / "0" / "0" / "0"
        path.write_bytes(path.read_bytes()[:n_bytes])
        with pytest.raises(FileError, match="damaged"):
            opened(store).levels[0].chunk((0, 0, 0))

    def test_a_chunk_that_unpacks_to_more_than_it_should(self, store):
        from google_crc32c import value as crc32c
        from numcodecs.zstd import Zstd

        packed = bytes(Zstd().encode(np.zeros(2**24, np.uint8)))
        path = store / "0" / "c" / "0" / "0" / "0"
        path.write_bytes(packed + crc32c(packed).to_bytes(4, "little"))
        with pytest.raises(FileError, match="damaged"):
            opened(store).levels[0].chunk((0, 0, 0))

    def test_a_chunk_that_unpacks_to_less(self, store):
        from google_crc32c import value as crc32c
        from numcodecs.zstd import Zstd

        packed = bytes(Zstd().encode(np.zeros(100, np.uint8)))
        path = store / "0" / "c" / "0" / "0" / "0"
        path.write_bytes(packed + crc32c(packed).to_bytes(4, "little"))
        with pytest.raises(FileError, match="damaged"):
            opened(store).levels[0].chunk((0, 0, 0))

    def test_a_chunk_that_is_a_link_out_of_the_store(self, store, tmp_path):
        path = store / "0" / "c" / "0" / "0" / "0"
        shutil.move(path, tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere")
        with pytest.raises(FileError, match="link"):
            opened(store).levels[0].chunk((0, 0, 0))

    def test_levels_that_do_not_fit_are_none(self, store):
        shutil.rmtree(store / "1")
        shutil.copytree(store / "2", store / "1")
        assert open_levels(store) is None

    def test_other_folders_are_none(self, tmp_path):
        assert open_levels(tmp_path) is None
        zarr.create_group(tmp_path / "other.zarr", attributes={"a": 1})
        assert open_levels(tmp_path / "other.zarr") is None
