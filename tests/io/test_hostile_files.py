"""Damaged and hostile files give a cube or an error of ours, in seconds and in little memory."""

from __future__ import annotations

import gzip
import io
import lzma
import shutil
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import napari_deeper as nd
from napari_deeper.spectra.errors import DeeperError, FileError

h5py = pytest.importorskip("h5py")

SEED = 7
SUFFIXES = (".npz", ".npy", ".mat", ".h5", ".tif", ".csv", ".zarr", ".csv.xz", ".txt.gz", ".txt")
WAVENUMBER = np.linspace(600, 1800, 12)
INTENSITY = np.random.default_rng(SEED).random((4, 3, 12)).astype(np.float32)


def whole(folder: Path, suffix: str) -> Path:
    cube = nd.RamanCube(
        INTENSITY, WAVENUMBER, (1, 1), uncertainty=INTENSITY, flagged=INTENSITY[..., 0] > 0.5
    )
    path = folder / f"a{suffix}"
    if suffix == ".npy":
        np.save(path, INTENSITY)
    elif suffix in (".csv.xz", ".txt.gz", ".txt"):
        text = nd.write(cube, folder / "plain.csv").read_bytes().partition(b"\n")[2]
        pack: Callable[[bytes], bytes] = {
            ".csv.xz": lzma.compress,
            ".txt.gz": gzip.compress,
            ".txt": bytes,
        }[suffix]
        path.write_bytes(pack(text))
    else:
        nd.write(cube, path)
    return path


def damages(data: bytes, rng: np.random.Generator, n: int) -> Iterator[bytes]:
    """Yield the bytes cut short, with bytes flipped, with a piece repeated, with extreme numbers within."""
    for _ in range(n):
        at = int(rng.integers(len(data)))
        yield data[:at]
        flipped = bytearray(data)
        for place in rng.integers(len(data), size=int(rng.integers(1, 9))):
            flipped[place] ^= int(rng.integers(1, 256))
        yield bytes(flipped)
        yield data[:at] + data[at // 2 :]
        yield (
            data[:at] + rng.choice([b"\xff" * 8, bytes(8), b"9" * 12, b"\x7f" * 4]) + data[at + 8 :]
        )


def try_read(path: Path) -> None:
    """Read; whatever comes must be a cube or an error that names the file."""
    axis = WAVENUMBER if path.suffix == ".npy" else None
    try:
        cube = nd.read(path, wavenumber=axis)
    except DeeperError as error:
        assert path.name in str(error)
    else:
        assert isinstance(cube, nd.RamanCube)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_damage_of_any_kind_gives_a_cube_or_an_error_of_ours(tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(SEED)
    path = whole(tmp_path, suffix)
    if path.is_file():
        for data in damages(path.read_bytes(), rng, 40):
            path.write_bytes(data)
            try_read(path)
        return
    for part in sorted(p for p in path.rglob("*") if p.is_file()):
        kept = part.read_bytes()
        for data in damages(kept, rng, 4):
            part.write_bytes(data)
            try_read(path)
        part.write_bytes(kept)


@pytest.mark.parametrize("suffix", [s for s in SUFFIXES if s != ".zarr"])
@pytest.mark.parametrize("claimed", SUFFIXES)
def test_a_wrong_suffix_gives_a_cube_or_an_error_of_ours(
    tmp_path: Path, suffix: str, claimed: str
) -> None:
    path = tmp_path / f"wrong{claimed}"
    shutil.move(whole(tmp_path, suffix), path)
    try_read(path)


def zip_bomb(path: Path) -> None:
    header = io.BytesIO()
    shape = (1000, 6500, 12)
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": shape}
    )
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("a.npy", "w") as member,
    ):
        member.write(header.getvalue())
        for _ in range(298):
            member.write(bytes(2**20))


def text_bomb(path: Path, pack: Callable[[bytes], bytes]) -> None:
    line = b"0\t" * 500 + b"0\n"
    path.write_bytes(pack(line * 80_000))


def hdf5_bomb(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["wavenumber"] = WAVENUMBER
        data = file.create_dataset(
            "a", (20_000, 20_000, 12), "f4", chunks=(64, 64, 12), compression="gzip"
        )
        data[0, 0] = 1


def chunk_bomb(path: Path) -> None:
    """One chunk of some 180 kB that should unpack to 192 kB, and does to 180 MB."""
    with h5py.File(path, "w") as file:
        file["wavenumber"] = WAVENUMBER
        shape = (64, 64, 12)
        data = file.create_dataset("a", shape, "f4", chunks=shape, compression="gzip")
        packer = zlib.compressobj(9)
        packed = b"".join(packer.compress(bytes(2**20)) for _ in range(180)) + packer.flush()
        data.id.write_direct_chunk((0, 0, 0), packed)


def never_written(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["wavenumber"] = WAVENUMBER
        file.create_dataset("a", (50, 50, 12), "f4")


CHECK = """
import resource, sys, time
import numpy, zarr, h5py, tifffile, napari_deeper as nd
from napari_deeper.spectra.errors import FileError
resource.setrlimit(resource.RLIMIT_AS, (3 * 2**30, 3 * 2**30))
for path in sys.argv[1:]:
    started = time.monotonic()
    try:
        print(nd.read(path))
        sys.exit(f"{path} was read")
    except FileError as error:
        print(error)
    assert time.monotonic() - started < 20, path
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    assert peak < 1200, (path, peak)
"""


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="only Linux holds a process to a memory limit"
)
def test_bombs_are_refused_in_seconds_and_little_memory(tmp_path: Path) -> None:
    zip_bomb(tmp_path / "a.npz")
    text_bomb(tmp_path / "b.txt.gz", lambda data: gzip.compress(data, 6))
    text_bomb(tmp_path / "c.csv.xz", lambda data: lzma.compress(data, preset=1))
    (tmp_path / "d.txt.gz").write_bytes(gzip.compress(b"1" * 80 * 2**20, 1))
    hdf5_bomb(tmp_path / "e.h5")
    never_written(tmp_path / "f.h5")
    chunk_bomb(tmp_path / "g.h5")
    paths = sorted(str(p) for p in tmp_path.iterdir())
    done = subprocess.run(
        [sys.executable, "-c", CHECK, *paths], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("\n") == len(paths)


class TestHdf5:
    def test_links_to_other_files_are_not_followed(self, tmp_path: Path) -> None:
        with h5py.File(tmp_path / "other.h5", "w") as file:
            file["a"] = INTENSITY
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file["wavenumber"] = WAVENUMBER
            file["a"] = h5py.ExternalLink("other.h5", "/a")
        with pytest.raises(DeeperError, match="no array of three axes"):
            nd.read(tmp_path / "a.h5")
        (tmp_path / "a.h5").rename(tmp_path / "a.mat")
        with pytest.raises(DeeperError, match="no array of three axes"):
            nd.read(tmp_path / "a.mat")

    def test_groups_that_hold_each_other_have_an_end(self, tmp_path: Path) -> None:
        with h5py.File(tmp_path / "a.h5", "w") as file:
            one, two = file.create_group("one"), file.create_group("two")
            one["two"], two["one"], one["root"] = two, one, file["/"]
            two["wavenumber"], two["map"] = WAVENUMBER, INTENSITY
        np.testing.assert_array_equal(nd.read(tmp_path / "a.h5").intensity, INTENSITY)

    @pytest.mark.parametrize("kind", ["external", "virtual"])
    def test_numbers_in_other_files_are_not_read(self, tmp_path: Path, kind: str) -> None:
        (tmp_path / "secret.bin").write_bytes(INTENSITY.tobytes())
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file["wavenumber"] = WAVENUMBER
            if kind == "external":
                secret = [(str(tmp_path / "secret.bin"), 0, INTENSITY.nbytes)]
                file.create_dataset("a", INTENSITY.shape, "f4", external=secret)
            else:
                layout = h5py.VirtualLayout(INTENSITY.shape, "f4")
                layout[...] = h5py.VirtualSource(str(tmp_path / "b.h5"), "a", INTENSITY.shape)
                file.create_virtual_dataset("a", layout)
        with pytest.raises(FileError, match="lie in other files"):
            nd.read(tmp_path / "a.h5")


def test_no_damage_leaves_files_open(tmp_path: Path) -> None:
    opened = Path("/proc/self/fd")
    if not opened.is_dir():
        pytest.skip("only Linux lists the open files of a process")
    before = len(list(opened.iterdir()))
    for suffix in SUFFIXES:
        path = whole(tmp_path, suffix)
        if path.is_file():
            path.write_bytes(path.read_bytes()[:-20])
            try_read(path)
        (tmp_path / "plain.csv").unlink(missing_ok=True)
    assert len(list(opened.iterdir())) <= before


def test_a_chunk_that_unpacks_to_more_than_it_should_is_refused(tmp_path: Path) -> None:
    chunk_bomb(tmp_path / "a.h5")
    with pytest.raises(FileError, match="unpacks to more than its 196608 bytes"):
        nd.read(tmp_path / "a.h5")
    (tmp_path / "a.h5").rename(tmp_path / "a.mat")
    with pytest.raises(FileError, match="unpacks to more"):
        nd.read(tmp_path / "a.mat")
