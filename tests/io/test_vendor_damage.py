"""Damaged files of instruments give a cube or an error in words: soon, and within bounded memory."""

from __future__ import annotations

import shutil
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from vendor_files import (
    fill_hyperspy,
    labspec_bytes,
    numbered,
    save_envi,
    spc_bytes,
    wdf_map,
    wip_bytes,
)

import napari_deeper as nd
from napari_deeper.spectra.errors import DeeperError

SECONDS = 5
BYTES = 64 * 2**20


def make_wdf(folder: Path) -> Path:
    pytest.importorskip("wdf")
    (folder / "a.wdf").write_bytes(wdf_map())
    return folder / "a.wdf"


def make_spc(folder: Path) -> Path:
    pytest.importorskip("spc_io")
    log = b"ACQ. TIME (S) = 2\r\nLASER (NM) = 785 \r\n\0"
    (folder / "a.spc").write_bytes(spc_bytes(numbered(1, 4)[0], log=log))
    return folder / "a.spc"


def make_wip(folder: Path) -> Path:
    (folder / "a.wip").write_bytes(wip_bytes())
    return folder / "a.wip"


def make_xml(folder: Path) -> Path:
    pytest.importorskip("rsciio")
    (folder / "a.xml").write_bytes(labspec_bytes())
    return folder / "a.xml"


def make_envi(folder: Path) -> Path:
    pytest.importorskip("spectral")
    return save_envi(folder)


def make_hspy(folder: Path) -> Path:
    h5py = pytest.importorskip("h5py")
    with h5py.File(folder / "a.hspy", "w") as file:
        fill_hyperspy(file.create_group("Experiments"))
    return folder / "a.hspy"


MAKERS = [make_wdf, make_spc, make_wip, make_xml, make_envi, make_hspy]
_HUGE = (b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\0", b"\x01\0\0\0")


def mutations(content: bytes, rng: np.random.Generator, n: int) -> Iterator[bytes]:
    """Cut, flip, overwrite by extreme integers, repeat and lose parts."""
    # Headers are at the front: half of the places are there.
    for k in range(n):
        size = len(content) if k % 2 else min(len(content), 700)
        place = int(rng.integers(size))
        changed = bytearray(content)
        match k % 6:
            case 0 | 1:
                changed[place] ^= 1 << int(rng.integers(8))
            case 2 | 3:
                changed[place : place + 4] = _HUGE[int(rng.integers(len(_HUGE)))]
            case 4:
                del changed[place : place + int(rng.integers(1, 40))]
            case _:
                changed = changed[: int(rng.integers(len(content)))]
        yield bytes(changed)


def read_bounded(path: Path) -> None:
    """Read; only a cube or a `DeeperError` may come out."""
    began = time.perf_counter()
    tracemalloc.reset_peak()
    try:
        assert isinstance(nd.read(path), nd.RamanCube)
    except DeeperError as error:
        assert path.name in str(error)
    assert time.perf_counter() - began < SECONDS
    assert tracemalloc.get_traced_memory()[1] < BYTES


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("make", MAKERS)
def test_damage_of_all_kinds(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    path = make(tmp_path)
    assert isinstance(nd.read(path), nd.RamanCube)
    content = path.read_bytes()
    for changed in mutations(content, np.random.default_rng(11), 120):
        path.write_bytes(changed)
        read_bounded(path)


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("make", MAKERS)
def test_files_cut_anywhere(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    path = make(tmp_path)
    content = path.read_bytes()
    for length in np.linspace(0, len(content) - 1, 40).astype(int):
        path.write_bytes(content[:length])
        read_bounded(path)


@pytest.mark.parametrize("make", MAKERS)
def test_the_content_of_another_kind(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    path = make(tmp_path)
    own = path.read_bytes()[:4]
    for other in (
        wdf_map(),
        spc_bytes(numbered(1, 2)[0]),
        labspec_bytes(),
        b"text\n" * 100,
        b"\x89PNG",
    ):
        if other[:4] == own:
            continue
        path.write_bytes(other)
        with pytest.raises(DeeperError, match=path.name):
            nd.read(path)


@pytest.mark.filterwarnings("ignore::UserWarning")  # zarr, on the metadata of version 2
def test_a_damaged_zspy(tmp_path: Path) -> None:
    import zarr

    whole = tmp_path / "whole.zspy"
    root = zarr.open_group(whole, mode="w", zarr_format=2)
    fill_hyperspy(root.create_group("Experiments"))
    files = sorted(p.relative_to(whole) for p in whole.rglob("*") if p.is_file())
    rng = np.random.default_rng(5)
    for name in files:
        for k in range(3):
            copy = tmp_path / f"{k}.zspy"
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(whole, copy)
            content = (copy / name).read_bytes()
            (copy / name).write_bytes([*mutations(content, rng, 6)][2 * k + 1])
            read_bounded_folder(copy)


def read_bounded_folder(path: Path) -> None:
    began = time.perf_counter()
    try:
        assert isinstance(nd.read(path), nd.RamanCube)
    except DeeperError as error:
        assert path.name in str(error)
    assert time.perf_counter() - began < SECONDS
