"""Load slow libraries in a worker without holding the window up."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

# In the order and the way in which torch loads them itself; what is there already is not loaded again.
_LIBRARIES = (("libtorch_global_deps", True), ("libtorch_python", False))


def let_go_while_torch_loads() -> None:
    """Load torch's libraries without Python's lock if a worker imports torch first; calling again changes nothing.

    Python holds its lock while it loads a library, and torch's take a third of a second, for which the window would
    stand still. On Windows torch loads them itself, without the lock.
    """
    known = any(isinstance(finder, _TorchWatch) for finder in sys.meta_path)
    if os.name == "posix" and "torch" not in sys.modules and not known:
        sys.meta_path.insert(0, _TorchWatch())


def load_for_layers() -> None:
    """Load what napari loads with its first layer that is no image, for which the window would stand still."""
    import_module("pandas")


class _TorchWatch(MetaPathFinder):
    """Finds nothing: it loads the libraries when torch is asked for, and leaves."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name == "torch":
            if self in sys.meta_path:
                sys.meta_path.remove(self)
            if threading.current_thread() is not threading.main_thread():
                _load(PathFinder.find_spec(name, path))
        return None


def _load(torch: ModuleSpec | None) -> None:
    if torch is None or torch.origin is None:
        return
    suffix = ".dylib" if sys.platform == "darwin" else ".so"
    # a function of a library is called without Python's lock; `ctypes.CDLL` itself loads with it
    dlopen = ctypes.CDLL(None).dlopen
    dlopen.restype, dlopen.argtypes = ctypes.c_void_p, (ctypes.c_char_p, ctypes.c_int)
    for name, is_global in _LIBRARIES:
        library = Path(torch.origin).parent / "lib" / f"{name}{suffix}"
        if library.is_file():  # where it cannot be loaded, torch says why
            dlopen(os.fsencode(library), os.RTLD_NOW | (os.RTLD_GLOBAL if is_global else 0))
