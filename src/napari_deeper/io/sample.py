"""Cubes to try the program on: two simulated cells that come with it, one measured to download."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from napari_deeper.io.read import read
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import FileError, ParameterError
from napari_deeper.spectra.progress import Progress

SIMULATED_CELLS = ("0.1s", "1s")

THP1_NAME = "THP-1 cell, measured (3.2 MB download)"
THP1_SHA256 = "9c1de7b9e74b23e56d658577eaa67baa4fc50d6c1df0e7ffad1ccf87bf72eb1e"
THP1_URL = (
    "https://raw.githubusercontent.com/barahona-research-group/RamanSPy/"
    "4fe2f1f80c166b8e99115ec03ddd35f40af30bcd/docs/source/examples/"
    "3D%20THP1%20map%20001%20L5%20(B%2BR)%20(Sub%20BG).mat"
)
_THP1_FILE = "3D THP1 map 001 L5 (B+R) (Sub BG).mat"
_TIMEOUT = 30  # seconds without an answer


def simulated_cell(which: str = "0.1s") -> RamanCube:
    """Return a simulated cell as if measured with 0.1 s or 1 s per pixel.

    Parameters
    ----------
    which
        ``"0.1s"`` or ``"1s"``.

    Raises
    ------
    ParameterError
        For another name.
    FileError
        If the installation has lost the file.
    """
    if which not in SIMULATED_CELLS:
        raise ParameterError(f"which is {which!r}; it must be '0.1s' or '1s'.")
    name = f"simulated_cell_{which}.npz"
    packaged = files("napari_deeper") / "sample_data" / name
    if packaged.is_file():
        with as_file(packaged) as path:
            return read(path)
    checkout = Path(__file__).parents[3] / "sample_data" / name
    if not checkout.is_file():
        raise FileError(f"The sample {name} is not installed. Install napari-deeper again.")
    return read(checkout)


def fetch_thp1(
    progress: Progress | None = None,
    *,
    url: str = THP1_URL,
    sha256: str = THP1_SHA256,
    folder: Path | None = None,
) -> Path:
    """Download a measured THP-1 cell once, check it, and return where it is.

    A WITec export of 40 x 40 pixels of 0.625 um and 500 channels, 532 nm, cropped and
    background-subtracted, published with RamanSPy under the BSD-3-Clause licence.

    Parameters
    ----------
    progress
        Told how much has arrived; its cancel stops the download.
    url, sha256
        Where the file is and what it must be.
    folder
        Where to keep it; the user's cache folder unless given.

    Raises
    ------
    FileError
        Without a connection, or if another file arrives; nothing is left behind.

    References
    ----------
    Kallepitis et al., Nat. Commun. 2017, 8, 14843, doi 10.1038/ncomms14843.
    """
    import pooch

    bar = _Bar(progress or Progress())
    try:
        found = pooch.retrieve(
            url,
            known_hash=f"sha256:{sha256}",
            fname=_THP1_FILE,
            path=folder or pooch.os_cache("napari-deeper"),
            downloader=pooch.HTTPDownloader(progressbar=bar, timeout=_TIMEOUT),
        )
    except ValueError as error:
        raise FileError(
            f"What arrived from {url} is not the THP-1 cell (its sha256 differs), so it was thrown "
            "away. Try again, or ask your network whether it changes downloads."
        ) from error
    except OSError as error:
        raise FileError(
            f"The THP-1 cell could not be downloaded from {url}: is this computer online? The "
            "simulated cells work without a connection."
        ) from error
    return Path(found)


@dataclass
class _Bar:
    """What pooch expects of a progress bar, told on as `Progress`."""

    progress: Progress
    total: int = 0
    done: int = 0

    def update(self, n_bytes: int) -> None:
        self.done += n_bytes
        self.progress.update(min(1.0, self.done / max(1, self.total)), "Downloading")

    def reset(self) -> None:
        self.done = 0

    def close(self) -> None:
        """Nothing is held open."""
