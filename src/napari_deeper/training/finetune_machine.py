"""What fine-tuning must know of the machine: its memory, and the other processes of the run."""

from __future__ import annotations

import torch

from napari_deeper.training.finetune_config import FinetuneParams

_PHRASES = ("not enough memory", "out of memory", "can't allocate memory", "cannot allocate")


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error means that memory, of the device or the computer, ran out."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(phrase in text for phrase in _PHRASES)


def count_ranks(params: FinetuneParams) -> int:
    """Return how many processes train together."""
    everywhere = torch.cuda.device_count() if params.device in ("auto", "cuda") else 1
    return (params.devices or max(everywhere, 1)) * params.nodes


def agree(reason: str) -> str:
    """Return the reason of the first process, in all of them."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return reason
    told = [reason]
    torch.distributed.broadcast_object_list(told, src=0)
    return str(told[0])
