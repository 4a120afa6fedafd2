"""Libraries that come with an extra: imported when a file asks for them."""

from __future__ import annotations

import importlib
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from napari_deeper.spectra.errors import FileError


def import_extra(module: str, package: str, extra: str) -> Any:
    """Import a module, or say which line installs it.

    Raises
    ------
    FileError
        If the library is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise FileError(
            f"reading it needs {package}, which is not installed. "
            f'Install it with: pip install "napari-deeper[{extra}]"'
        ) from error


@contextmanager
def quiet(library: str) -> Iterator[None]:
    """Keep a library's log and warnings from the user, and take numbers that are none for damage."""
    logger = logging.getLogger(library)
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.filterwarnings("error", message=".*string or file could not be read.*")
            yield
    finally:
        logger.setLevel(before)
