"""Load slow libraries in a worker without holding the window up."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

# In the order and the way in which torch loads them itself; what is there already is not loaded again.
_LIBRARIES = (("libtorch_global_deps", True), ("libtorch_python", False))

_FOR_LAYERS = ("pandas", "skimage.color.colorconv")


def let_go_while_torch_loads() -> None:
    """Let the window live while a worker is the first to import torch; calling again changes nothing.

    Python holds its lock while it loads a library, and torch's take a third of a second, for which the window would
    stand still: they are loaded without the lock. On Windows torch does that itself.
    """
    known = any(isinstance(finder, _TorchWatch) for finder in sys.meta_path)
    if "torch" not in sys.modules and not known:
        sys.meta_path.insert(0, _TorchWatch())


def load_for_layers() -> None:
    """Load what napari loads with its first layer of labels or points, for which the window would stand still."""
    for name in _FOR_LAYERS:
        if name not in sys.modules:
            with _without_collecting():
                import_module(name)


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Look for no garbage inside: a library makes objects by the ten thousand, and all of them stay.

    A full look through a process with napari takes 0.1 to 0.2 s, for which every thread stands still.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if gc.get_freeze_count() == 0:
            # Both together make all objects old ones without a look at them.
            gc.freeze()
            gc.unfreeze()
        if was_enabled:
            gc.enable()


class _TorchWatch(MetaPathFinder):
    """Finds torch for a worker, once, and sees to it that it loads without holding the window up."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "torch":
            return None
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        if threading.current_thread() is threading.main_thread():
            return None
        spec = PathFinder.find_spec(name, path)
        if spec is None or spec.loader is None:
            return None
        loader, execute = spec.loader, spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            loader.exec_module = execute  # type: ignore[method-assign]
            if os.name == "posix":
                _load(spec)
            with _without_collecting():
                execute(module)

        loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _load(torch: ModuleSpec) -> None:
    if torch.origin is None:
        return
    suffix = ".dylib" if sys.platform == "darwin" else ".so"
    # a function of a library is called without Python's lock; `ctypes.CDLL` itself loads with it
    dlopen = ctypes.CDLL(None).dlopen
    dlopen.restype, dlopen.argtypes = ctypes.c_void_p, (ctypes.c_char_p, ctypes.c_int)
    for name, is_global in _LIBRARIES:
        library = Path(torch.origin).parent / "lib" / f"{name}{suffix}"
        if library.is_file():  # where it cannot be loaded, torch says why
            dlopen(os.fsencode(library), os.RTLD_NOW | (os.RTLD_GLOBAL if is_global else 0))
