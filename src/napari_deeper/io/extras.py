"""Libraries that come with an extra: imported when a file asks for them."""

from __future__ import annotations

import importlib
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
