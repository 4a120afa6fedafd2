"""Where a network runs, and what to do when its memory is not enough."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

from napari_deeper.spectra.errors import DeeperError, ParameterError

T = TypeVar("T")

DEVICES = ("auto", "cpu", "cuda", "mps")

# The field that every params dataclass with a network shares.
DeviceSetting = Annotated[
    str,
    {
        "label": "Device",
        "tooltip": "Where networks run. auto: an NVIDIA GPU (cuda) or Apple GPU (mps) if there is one",
        "choices": DEVICES,
    },
]

# How torch and the C library word it on the CPU, where it is a plain RuntimeError.
_MEMORY_PHRASES = ("not enough memory", "out of memory", "can't allocate memory", "cannot allocate")


@dataclass(frozen=True)
class DeviceChoice:
    """Where a network runs.

    Parameters
    ----------
    device
        As torch names it: ``"cpu"``, ``"cuda"`` or ``"mps"``.
    description
        For the user, for example ``"CPU, 2 threads"``.
    """

    device: str
    description: str


def choose_device(requested: str = "auto") -> DeviceChoice:
    """Choose where networks run: a CUDA or MPS device when there is one, else the CPU.

    Raises
    ------
    ParameterError
        If the requested device is not there.
    """
    import torch

    has_mps = torch.backends.mps.is_available()
    present = {"cuda": torch.cuda.is_available(), "mps": has_mps, "cpu": True}
    device = requested
    if requested == "auto":
        device = next(name for name, there in present.items() if there)
    if device not in present:
        raise ParameterError(f"device is '{requested}'; it must be one of: {', '.join(DEVICES)}.")
    if not present[device]:
        there = ", ".join(name for name, is_there in present.items() if is_there)
        raise ParameterError(
            f"This computer has no {device} device that PyTorch can use; it has: {there}. "
            "Choose 'auto', or install the PyTorch build for your GPU."
        )
    return DeviceChoice(device, _describe(device))


def _describe(device: str) -> str:
    import torch

    if device == "cuda":
        return f"GPU {torch.cuda.get_device_name()}"
    if device == "mps":
        return "Apple GPU"
    n_threads = torch.get_num_threads()
    return f"CPU, {n_threads} thread{'s' if n_threads != 1 else ''}"


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error means that memory, of the device or the computer, ran out."""
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(phrase in text for phrase in _MEMORY_PHRASES)


def run_within_memory(
    step: Callable[[int], T], size: int, smallest: int, what: str, notes: list[str]
) -> tuple[T, int]:
    """Call ``step(size)``, halving the size for as long as memory runs out.

    Parameters
    ----------
    step
        What to do with a batch or tile of that size.
    size, smallest
        First and last size to try.
    what
        Names the size for the user, for example ``"batch"``.
    notes
        Gets a sentence when the size was halved.

    Returns
    -------
    result, size
        What ``step`` returned, and the size that fitted.

    Raises
    ------
    DeeperError
        If the smallest size does not fit either.
    """
    first = size
    while True:
        try:
            result = step(size)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if size <= smallest:
                raise DeeperError(
                    f"Memory ran out even with a {what} of {size}. Crop the cube, close other "
                    "programs, or choose another device or method."
                ) from error
        else:
            if size < first:
                notes.append(f"Memory ran out: the {what} was halved from {first} to {size}.")
            return result, size
        # Outside the except clause: until it ends, the error keeps the failed step's arrays alive.
        size = max(smallest, size // 2)
        _free_cached_memory()


def _free_cached_memory() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
