"""What each result of a folder was made from, and how: a file beside them that several runs may write."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from napari_deeper.io.write import replacing
from napari_deeper.spectra.errors import FileError

MANIFEST = "results.json"
_FORMAT = "napari-deeper results"
_LONGEST_WAIT = 60.0  # seconds; it is held for milliseconds


def known(target: Path) -> Any:
    """Return what is known of how a result was made, or None."""
    return _read(target.parent).get(target.name)


def claim(target: Path, record: Mapping[str, Any], *, overwrite: bool) -> bool:
    """Note that a result is about to be made; return False if it is there, made just so.

    It is noted before it is written, so that an interruption leaves no result that nothing is known of. One
    that is about to be replaced is not the new one yet.

    Raises
    ------
    FileError
        If something else is there, and is not to be replaced.
    """
    with _changing(target.parent) as made:
        there = target.exists()
        if there and not overwrite:
            if made.get(target.name) == record:
                return False
            raise FileError(
                f"{target.name} is there, made in another way or from another input. Choose another "
                "folder, or replace it with overwrite=True (--force on the command line)."
            )
        made[target.name] = {} if there else dict(record)
    return True


def finish(target: Path, record: Mapping[str, Any]) -> None:
    """Note that a result was made."""
    if known(target) != record:
        with _changing(target.parent) as made:
            made[target.name] = dict(record)


def _read(folder: Path) -> dict[str, Any]:
    try:
        record = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files = record["files"] if record["format"] == _FORMAT else {}
        return dict(files)
    except (OSError, ValueError, KeyError, TypeError):
        return {}  # then nothing counts as made before, and nothing is replaced


@contextmanager
def _changing(folder: Path) -> Iterator[dict[str, Any]]:
    """Give the manifest to be changed, while no other run changes it."""
    from filelock import FileLock

    try:
        with FileLock(folder / f".{MANIFEST}.lock", timeout=_LONGEST_WAIT):
            made = _read(folder)
            before = json.dumps(made)
            yield made
            if json.dumps(made) != before:
                _write(folder, made)
    except OSError as error:
        raise FileError(f"{folder / MANIFEST} cannot be written: {error}.") from error


def _write(folder: Path, made: Mapping[str, Any]) -> None:
    with replacing(folder / MANIFEST) as temporary:
        record = {"format": _FORMAT, "files": made}
        temporary.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
