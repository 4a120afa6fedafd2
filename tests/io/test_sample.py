"""Sample cubes: packaged ones open, downloaded ones are checked."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

import napari_deeper as nd
from napari_deeper.io import sample
from napari_deeper.spectra.errors import FileError, ParameterError
from napari_deeper.spectra.progress import Progress

CONTENT = np.random.default_rng(1).bytes(200_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """Serve CONTENT as /cell.mat from this machine."""
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "cell.mat").write_bytes(CONTENT)
    handler = partial(QuietHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/cell.mat"
        server.shutdown()
        thread.join()


def test_a_download_is_kept_and_told(tmp_path: Path, url: str) -> None:
    seen: list[float] = []
    progress = Progress(lambda fraction, _: seen.append(fraction))
    cache = tmp_path / "cache"
    path = sample.fetch_thp1(progress, url=url, sha256=SHA256, folder=cache)
    assert path.read_bytes() == CONTENT
    assert path.suffix == ".mat"
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert len(seen) > 2
    again = sample.fetch_thp1(url="http://127.0.0.1:9/gone", sha256=SHA256, folder=cache)
    assert again == path


def test_another_file_is_thrown_away(tmp_path: Path, url: str) -> None:
    cache = tmp_path / "cache"
    with pytest.raises(FileError, match=r"sha256 differs.*thrown away"):
        sample.fetch_thp1(url=url, sha256="0" * 64, folder=cache)
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("where", ["closed port", "missing file"])
def test_offline_is_said(tmp_path: Path, url: str, where: str) -> None:
    address = {
        "closed port": "http://127.0.0.1:9/cell.mat",
        "missing file": url.replace("cell", "other"),
    }[where]
    cache = tmp_path / "cache"
    with pytest.raises(FileError, match="could not be downloaded"):
        sample.fetch_thp1(url=address, sha256=SHA256, folder=cache)
    assert list(cache.iterdir()) == []


def test_a_cancelled_download_leaves_nothing(tmp_path: Path, url: str) -> None:
    from napari_deeper.spectra.errors import Cancelled

    progress = Progress()
    progress.cancel.set()
    with pytest.raises(Cancelled):
        sample.fetch_thp1(progress, url=url, sha256=SHA256, folder=tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_cache_that_cannot_be_made(tmp_path: Path, url: str) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(FileError, match="could not be"):
        sample.fetch_thp1(url=url, sha256=SHA256, folder=tmp_path / "file" / "cache")


def test_the_address_is_pinned() -> None:
    assert "/RamanSPy/4fe2f1f80c166b8e99115ec03ddd35f40af30bcd/" in sample.THP1_URL


def test_the_hash_is_that_of_the_measured_cell(thp1_path: Path) -> None:
    assert hashlib.sha256(thp1_path.read_bytes()).hexdigest() == sample.THP1_SHA256


def test_simulated_cells_open() -> None:
    low, high = (sample.simulated_cell(which) for which in sample.SIMULATED_CELLS)
    assert isinstance(low, nd.RamanCube)
    assert low.shape == high.shape
    np.testing.assert_array_equal(low.wavenumber, high.wavenumber)
    assert low.pixel_size == high.pixel_size
    assert low.pixel_size is not None


def test_an_unknown_sample() -> None:
    with pytest.raises(ParameterError, match=r"'0\.1s' or '1s'"):
        sample.simulated_cell("2s")
