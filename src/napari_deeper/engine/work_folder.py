"""Where a long run from file to file keeps what it has finished, so that one that was stopped can go on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.io.write import replacing
from napari_deeper.spectra.errors import (
    AxisError,
    CheckpointError,
    CubeError,
    FileError,
    ParameterError,
)

_TASK, _LOCK = "task.json", "lock"
# What the same task would end in again.
_HOPELESS = (CubeError, AxisError, ParameterError, CheckpointError)


class WorkFolder:
    """A hidden folder beside an output: arrays and facts by name, each complete or not there.

    Parameters
    ----------
    path
        The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def has(self, name: str) -> bool:
        """Tell whether something was saved under a name."""
        return (self.path / name).exists()

    def save_arrays(self, name: str, **arrays: NDArray[Any]) -> None:
        """Save arrays under a name that ends in ``.npz``."""
        with replacing(self.path / name) as temporary, temporary.open("wb") as stream:
            np.savez(stream, **arrays)  # type: ignore[arg-type]

    def arrays(self, name: str) -> dict[str, NDArray[Any]]:
        """Return the arrays that were saved under a name."""
        with np.load(self.path / name, allow_pickle=False) as found:
            return dict(found)

    def save_array(self, name: str, array: NDArray[Any]) -> None:
        """Save one array under a name that ends in ``.npy``."""
        with replacing(self.path / name) as temporary, temporary.open("wb") as stream:
            np.save(stream, array)

    def array(self, name: str) -> NDArray[Any]:
        """Return an array that was saved alone; it stays on disk until it is looked at."""
        return np.load(self.path / name, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]

    def save_facts(self, name: str, facts: Any) -> None:
        """Save JSON types under a name that ends in ``.json``."""
        with replacing(self.path / name) as temporary:
            temporary.write_text(json.dumps(facts), encoding="utf-8")

    def facts(self, name: str) -> Any:
        """Return what was saved by `save_facts`."""
        return json.loads((self.path / name).read_text(encoding="utf-8"))

    def forget(self, name: str) -> None:
        """Remove what was saved under a name."""
        (self.path / name).unlink(missing_ok=True)


@contextmanager
def working(target: Path, task: Mapping[str, Any]) -> Iterator[WorkFolder]:
    """Give the folder in which a result is made; it goes once the block is done.

    If the block raises, or the program is killed, the folder stays, and the same task goes on in it, unless
    input or settings are such that it never could. What another task left there is removed.

    Parameters
    ----------
    target
        The output. The folder lies beside it, so that a part of the result can take its place by its name.
    task
        JSON types that say all that the result depends on.

    Raises
    ------
    FileError
        If another run is making the same output now, or the folder cannot be made.
    """
    from filelock import FileLock, Timeout

    path = work_path(target)
    wanted = json.loads(json.dumps({"version": version("napari-deeper"), **task}))
    try:
        path.mkdir(exist_ok=True)
        lock = FileLock(path / _LOCK, timeout=0)
        lock.acquire()
    except Timeout as error:
        raise FileError(
            f"{target} is being made by another run. Wait for it, or write elsewhere."
        ) from error
    except OSError as error:
        raise FileError(f"{path} cannot be made: {error}.") from error
    try:
        if _task_of(path) != wanted:
            _clear(path)
        folder = WorkFolder(path)
        folder.save_facts(_TASK, wanted)
        try:
            yield folder
        except _HOPELESS:
            _clear(path)
            raise
        _clear(path)
    finally:
        lock.release()
        with suppress(
            OSError
        ):  # what is left to go on with stays, and so does what another run has begun
            if [entry.name for entry in path.iterdir()] == [_LOCK]:
                shutil.rmtree(path)


def work_path(target: Path) -> Path:
    """Return the folder in which an output is made."""
    return target.with_name(f".{target.name}.work")


def task_of_file(path: Path) -> dict[str, Any]:
    """Return what tells an input from another of the same name: its size and time of change, or its folder's."""
    entries = sorted(path.glob("*")) if path.is_dir() else [path]
    stamps = [(e.name, e.stat().st_mtime_ns, e.stat().st_size) for e in entries]
    return {"path": str(path.resolve()), "stamps": stamps}


def _task_of(path: Path) -> Any:
    try:
        return json.loads((path / _TASK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _clear(path: Path) -> None:
    for entry in path.iterdir():
        if entry.name == _LOCK:
            continue
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()
