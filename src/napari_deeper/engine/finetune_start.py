"""The network that fine-tuning starts from, and which of its layers are trained."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

from torch import nn

from napari_deeper.models.checkpoint import Checkpoint, load, shipped
from napari_deeper.models.compact import CompactHyRISR
from napari_deeper.models.eigen_super_resolve import EigenimageSuperResolver
from napari_deeper.models.eigenimage import EigenimageDenoiser
from napari_deeper.models.hyrisr import HyRISR
from napari_deeper.models.resunet import ResUNet
from napari_deeper.spectra.errors import CheckpointError, ParameterError
from napari_deeper.training import (
    denoise,
    eigen_super_resolve,
    eigenimages,
    published,
    super_resolve,
)
from napari_deeper.training.finetune_config import FinetuneParams

_KINDS = {
    "eigenimages": "eigenimage",
    "hyrisr": "hyrisr",
    "resunet": "resunet",
    "denoiser": "eigenimage",
}
# What `first layers` and `all but the last` freeze: tensors whose names begin so.
_FIRST = {
    CompactHyRISR: ("head.", "body."),
    HyRISR: ("head1.", "head2.", "body."),
    EigenimageSuperResolver: ("head.", "body.0.", "body.1.", "body.2."),
    ResUNet: ("conv1.", "conv2.", "conv3."),
    EigenimageDenoiser: ("head.", "body.0.", "body.1.", "body.2."),
}
_LAST = {
    CompactHyRISR: ("spectrum.", "weights."),
    HyRISR: ("tail.",),
    EigenimageSuperResolver: ("tail.",),
    ResUNet: ("conv6.", "linear7."),
    EigenimageDenoiser: ("tail.", "doubt."),
}


def open_start(params: FinetuneParams) -> Checkpoint:
    """Return the network to begin with, ready to be trained.

    Raises
    ------
    CheckpointError
        If the weights are missing, damaged or of another kind.
    """
    kind = _KINDS[params.architecture]
    scale = params.scale if params.what == "super-resolve" else None
    own = params.start if not params.from_scratch else ""
    found = load(own or shipped(kind, scale), scale)
    if found.kind != kind or (scale is None and found.scale):
        raise CheckpointError(
            f"{found.path.name} holds a {found.kind} network for another task; to {params.what} with "
            f"'{params.architecture}' a {kind} is tuned."
        )
    if params.from_scratch:
        found = dataclasses.replace(
            found, model=untrained(found.model, params.seed), name="an untrained network"
        )
    found.model.requires_grad_(True)
    freeze(found.model, params.freeze)
    return found


def untrained(net: nn.Module, seed: int) -> nn.Module:
    """Return a network like another one, with first weights that the seed gives."""
    if isinstance(net, EigenimageSuperResolver):
        return eigen_super_resolve.new_network(seed, net.config)
    if isinstance(net, EigenimageDenoiser):
        return eigenimages.new_network(seed, net.config)
    if isinstance(net, CompactHyRISR):
        return super_resolve.new_network(seed, net.config)
    if isinstance(net, HyRISR):
        return published.new_hyrisr(seed, net.config)
    if isinstance(net, ResUNet):
        return denoise.new_network(seed, net.config)
    raise CheckpointError(f"A {type(net).__name__} cannot be fine-tuned.")


def sha256_of(start: Checkpoint) -> str:
    """Return the sha256 of the weights, of the file where the card has none."""
    stated = start.card.get("sha256")
    return str(stated or hashlib.sha256(Path(start.path).read_bytes()).hexdigest())


def freeze(net: nn.Module, what: str) -> None:
    """Let layers keep their weights, as `FinetuneParams.freeze` says."""
    if what == "nothing":
        return
    first, last = _FIRST[type(net)], _LAST[type(net)]
    for name, parameter in net.named_parameters():
        frozen = name.startswith(first) if what == "first layers" else not name.startswith(last)
        parameter.requires_grad_(not frozen)
    if not any(p.requires_grad for p in net.parameters()):
        raise ParameterError(f"Nothing of this network is left to train with freeze '{what}'.")
