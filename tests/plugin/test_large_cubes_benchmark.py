"""The benchmark of cubes on disk drives a real window."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from napari_deeper.io import zarr_levels

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_a_small_store_is_measured(make_napari_viewer, tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.setattr(zarr_levels, "STORED_FROM_BYTES", 1)
    bench = runpy.run_path(str(BENCHMARKS / "large_cubes.py"))
    n_bytes = bench["make_store"](tmp_path / "large.zarr", 130, 64)
    assert n_bytes == 4 * 130 * 130 * 64
    window = bench["Window"]([], (900, 700), make_napari_viewer(show=True))
    bench["measure"](tmp_path / "large.zarr", window, 3)
    told = capsys.readouterr().out
    for what in (
        "first image",
        "a click to its spectrum",
        "through the channels",
        "until it is exact",
    ):
        assert what in told


@pytest.mark.parametrize("size", [1, 70])
def test_a_store_is_that_of_its_blocks(tmp_path, monkeypatch, size):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from large_stores import axis_of, block_of, make_store

    make_store(tmp_path / "large.zarr", size, 33)
    whole = zarr_levels.open_levels(tmp_path / "large.zarr")
    corner = slice(64, size) if size > 64 else slice(0, size)
    read = whole.levels[0].read((slice(0, 33), corner, corner))
    expected = block_of(corner, corner, axis_of(33))
    assert (read == expected.transpose(2, 0, 1)).all()
