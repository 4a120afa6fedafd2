"""Published weights: PyTorch files that hold tensors and nothing else.

They store neither architecture nor axis, normalization or phase: those come from the shapes and
from the paper.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_deeper.spectra.errors import CheckpointError

_NOTE = (
    "The file stores no wavenumber axis: 600-1800 cm-1 in equal steps is taken, after the paper "
    "(doi 10.1021/acs.analchem.1c02178)."
)


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read the tensors of a .pt or .pth file and write the card that it lacks.

    Raises
    ------
    CheckpointError
        If the file is damaged, holds code, or tensors of another network.
    """
    tensors = _unwrap(path, _load(path))
    if any(name.startswith("linear7.") or name.startswith("conv6.") for name in tensors):
        return tensors, _resunet_card(path, tensors)
    if any(name.startswith("head1.") for name in tensors):
        return tensors, _hyrisr_card(path, tensors)
    raise CheckpointError(
        f"{path.name} is neither a ResUNet (it has no tensor 'conv6.0.body.0.weight') nor a "
        f"HyRISR (no 'head1.0.0.weight'); its first tensor is '{next(iter(tensors))}'."
    )


def _load(path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            # About the protocol of a pickle that is refused anyway.
            warnings.simplefilter("ignore", UserWarning)
            # weights_only: a pickle can run any code when it is opened.
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path.name} is no file of plain weights: it holds other Python objects (or none), "
            "which are not opened because they could run code. Save model.state_dict() instead."
        ) from error
    except Exception as error:  # a damaged file can make the unpickler stumble anywhere
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CheckpointError(
            f"{path.name} is damaged or no PyTorch weights file ({first}). Get it again."
        ) from error


def _unwrap(path: Path, content: Any) -> dict[str, Tensor]:
    """Return the state dict, out of a wrapper and without the prefix of a parallel run."""
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not content:
        raise CheckpointError(f"{path.name} holds no named tensors, so it is no state dict.")
    for name, value in content.items():
        if not isinstance(value, Tensor):
            raise CheckpointError(
                f"{path.name}: entry '{name}' is a {type(value).__name__}, not a tensor."
            )
    return {str(name).removeprefix("module."): value for name, value in content.items()}


def _card(path: Path, architecture: str, config: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": path.stem,
        "architecture": architecture,
        "config": config,
        "wavenumber": np.linspace(600, 1800, config["n_channels"]).tolist(),
        "normalization": "max",
        "phase": None,
        "notes": [_NOTE],
    }


def _dimension(path: Path, tensors: Mapping[str, Tensor], name: str, axis: int = 0) -> int:
    if name not in tensors:
        raise CheckpointError(f"{path.name}: tensor '{name}' is missing; it is not this network.")
    shape = tensors[name].shape
    if len(shape) <= axis:
        raise CheckpointError(f"{path.name}: tensor '{name}' has shape {tuple(shape)}.")
    return int(shape[axis])


def _resunet_card(path: Path, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    has_head = any(name.startswith("linear7.") for name in tensors)
    norm = any(name.endswith("running_mean") for name in tensors)
    n_convs = sum(
        1 for name, t in tensors.items() if name.startswith("conv1.1.body.") and t.ndim == 3
    )
    first = "linear7.body.0.weight"
    config = {
        "n_channels": _dimension(path, tensors, first) if has_head else 500,
        "widths": [_dimension(path, tensors, f"conv{i}.0.body.0.weight") for i in (1, 2, 3)],
        "num_convs": n_convs,
        "batch_norm": norm,
        "linear_head": has_head,
    }
    return _card(path, "ResUNet", config)


def _hyrisr_card(path: Path, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    n_channels = _dimension(path, tensors, "head1.0.0.weight", axis=1)
    factor = _dimension(path, tensors, "head1.0.0.weight") / n_channels
    if factor not in (4, 9):
        raise CheckpointError(
            f"{path.name}: tensor 'head1.0.0.weight' has shape "
            f"{tuple(tensors['head1.0.0.weight'].shape)}; its first number must be 4 or 9 times "
            "the second."
        )
    twice = "head1.0.2.weight" in tensors
    n_groups = len(
        {n.split(".")[1] for n in tensors if n.startswith("body.") and ".chan_attn." in n}
    )
    blocks = {n.split(".")[3] for n in tensors if n.startswith("body.0.") and ".chan_attn." in n}
    width = _dimension(path, tensors, "head2.0.weight")
    narrow = _dimension(path, tensors, "body.0.body.0.body.3.chan_attn.0.weight")
    scale = 3 if factor == 9 else (4 if twice else 2)
    config = {
        "n_channels": n_channels,
        "scale": scale,
        "n_features": width,
        "n_groups": n_groups,
        "n_blocks": len(blocks),
        "reduction": width // max(narrow, 1),
    }
    card = _card(path, "HyRISR", config)
    # At 4x the published training drew the phase at random from 1 and 2.
    return {**card, "scale": scale, "phase": 1}
