"""Checkpoints: a network with its axis, its normalization and where it comes from.

A shipped checkpoint is a ``.safetensors`` file of float16 weights with a JSON card of the same stem
beside it; one of the user's own has its card in the header of the same file. A published one is a
``.pt`` file of nothing but weights; what it lacks is filled in from the paper.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load as load_bytes
from safetensors.torch import save as save_bytes
from torch import Tensor, nn

from napari_deeper.models import published, user_models
from napari_deeper.models.compact import CompactHyRISR, CompactHyRISRConfig
from napari_deeper.models.eigen_super_resolve import (
    EigenimageSuperResolver,
    EigenimageSuperResolverConfig,
)
from napari_deeper.models.eigenimage import EigenimageDenoiser, EigenimageDenoiserConfig
from napari_deeper.models.hyrisr import HyRISR, HyRISRConfig
from napari_deeper.models.kept import kept
from napari_deeper.models.resunet import ResUNet, ResUNetConfig
from napari_deeper.models.scaling import NORMALIZATIONS
from napari_deeper.spectra.axis import check_wavenumber
from napari_deeper.spectra.errors import CheckpointError

_NETWORKS: Mapping[str, tuple[type[Any], type[Any]]] = {
    "ResUNet": (ResUNet, ResUNetConfig),
    "HyRISR": (HyRISR, HyRISRConfig),
    "CompactHyRISR": (CompactHyRISR, CompactHyRISRConfig),
    "EigenimageDenoiser": (EigenimageDenoiser, EigenimageDenoiserConfig),
    "EigenimageSuperResolver": (EigenimageSuperResolver, EigenimageSuperResolverConfig),
}
_KINDS = {
    "ResUNet": "resunet",
    "HyRISR": "hyrisr",
    "CompactHyRISR": "hyrisr",
    "EigenimageDenoiser": "eigenimage",
    "EigenimageSuperResolver": "eigenimage",
}
# A network of images knows no channels, and its input is scaled by its noise.
_NO_CHANNELS, _BY_NOISE = "eigenimage", "noise"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A network that is ready to run.

    Parameters
    ----------
    model
        In evaluation mode, float32, on the CPU.
    kind
        ``"resunet"``, ``"hyrisr"`` or ``"eigenimage"`` (which denoises, or with a scale super-resolves).
    wavenumber
        (n_channels,), cm-1: what each channel of the network means; empty for an eigenimage network.
    normalization
        How samples are scaled, see `napari_deeper.models.scaling.normalize`: each spectrum for a
        ResUNet, the whole cube for a HyRISR. ``"noise"`` for an eigenimage network: the standard
        deviation of the noise is 1.
    scale
        2, 3 or 4 for a network that super-resolves, else None.
    phase
        The sample phase of training of such a network, else None.
    card
        All that is known about it, as JSON types.
    name
        Shown to the user.
    path
        Where it was read.
    """

    model: nn.Module
    kind: str
    wavenumber: NDArray[np.float64]
    normalization: str
    scale: int | None
    phase: int | None
    card: dict[str, Any]
    name: str
    path: Path

    @property
    def any_phase(self) -> bool:
        """Whether the model takes the phase as an argument: ``model(x, phase)``."""
        return isinstance(self.model, CompactHyRISR | EigenimageSuperResolver)


def load(path: str | Path, scale: int | None = None) -> Checkpoint:
    """Read a checkpoint: shipped (.safetensors with its card) or published (.pt, .pth).

    Parameters
    ----------
    path
        The weights: a file, or the name of one of the user's own models.
    scale
        Required scale of a HyRISR; None takes what the file holds.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, or holds another network, naming the first tensor that
        differs.
    """
    path = user_models.resolve(path)
    if path.suffix not in (".safetensors", ".pt", ".pth"):
        raise CheckpointError(
            f"{path.name}: weights are .safetensors (with a card) or .pt / .pth (as published), or "
            "the name of one of your models."
        )
    if not path.is_file():
        raise CheckpointError(f"There is no weights file {path}.")
    place, key = kept(), (str(path), path.stat().st_mtime_ns)
    checkpoint = _read(path) if place is None or key not in place else place[key]
    if place is not None:
        place[key] = checkpoint
    if scale is not None and checkpoint.scale != scale:
        holds = f"a {checkpoint.scale}x network" if checkpoint.scale else "a denoising network"
        raise CheckpointError(f"{path.name} holds {holds}; a {scale}x network is needed.")
    return checkpoint


def _read(path: Path) -> Checkpoint:
    read = _read_shipped if path.suffix == ".safetensors" else published.read
    return _build(path, *read(path))


def save(
    model: nn.Module, path: str | Path, card: Mapping[str, Any], *, one_file: bool = False
) -> Path:
    """Write weights as float16 and their card beside them, each whole or not at all.

    Parameters
    ----------
    model
        A `ResUNet`, `HyRISR`, `CompactHyRISR`, `EigenimageDenoiser` or `EigenimageSuperResolver`.
    path
        Ends in ``.safetensors``.
    card
        Must hold ``normalization``, and ``wavenumber`` where the network has channels; the
        architecture, its config and the sha256 are added.
    one_file
        Put the card into the same file. Its sha256 is then of the tensors, not of the file.
    """
    path = Path(path)
    tensors = {name: t.detach().half().contiguous() for name, t in model.state_dict().items()}
    content = save_bytes(tensors)
    digest = _digest(tensors) if one_file else hashlib.sha256(content).hexdigest()
    config = asdict(model.config)  # type: ignore[call-overload]
    full = {
        "name": path.stem,
        "kind": _KINDS[type(model).__name__],
        "architecture": type(model).__name__,
        "config": config,
        "scale": config.get("scale"),
        "phase": config.get("phase"),
        **card,
        "sha256": digest,
    }
    text = _readable_json(full)
    path.parent.mkdir(parents=True, exist_ok=True)
    if one_file:
        _write_whole(path, save_bytes(tensors, {user_models.CARD_KEY: text}))
        return path
    _write_whole(path, content)
    _write_whole(path.with_suffix(".json"), text.encode())
    return path


def shipped(kind: str, scale: int | None = None) -> Path:
    """Return the path of the shipped weights of a kind, with a scale those that super-resolve.

    Raises
    ------
    CheckpointError
        If there are none, naming those that there are.
    """
    stem = kind if scale is None else f"{kind}_{scale}x"
    path = _weights_folder() / f"{stem}.safetensors"
    if not path.is_file():
        known = ", ".join(
            name for each in ("resunet", "eigenimage", "hyrisr") for name in available(each)
        )
        raise CheckpointError(f"No weights named {stem} are shipped; there are: {known or 'none'}.")
    return path


def available(kind: str) -> list[str]:
    """Return the names of the shipped weights of a kind, sorted."""
    return sorted(path.stem for path in _weights_folder().glob(f"{kind}*.safetensors"))


def _weights_folder() -> Path:
    return Path(str(files("napari_deeper") / "weights"))


def _readable_json(record: Mapping[str, Any]) -> str:
    """Return JSON with a line for each entry, lists of numbers on one line."""
    text = json.dumps(record, indent=1, allow_nan=False) + "\n"
    return re.sub(r"\[\n[^\[\]{}\"]*\]", lambda found: " ".join(found.group().split()), text)


def _write_whole(path: Path, content: bytes) -> None:
    partial = path.with_name(path.name + ".part")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _digest(tensors: Mapping[str, Tensor]) -> str:
    """Return the sha256 of names, types, shapes and bytes: the same whatever the header holds."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _read_one_file(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    card = user_models.read_card(path)
    try:
        tensors = load_bytes(path.read_bytes())
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path.name} is not a whole safetensors file: {error}.") from error
    if _digest(tensors) != card.get("sha256"):
        raise CheckpointError(
            f"{path.name} does not hold the tensors that its card describes (sha256 differs); get it "
            "again."
        )
    return tensors, {**card, "name": path.stem}


def _has_card(path: Path) -> bool:
    try:
        user_models.read_card(path)
    except CheckpointError:
        return False
    return True


def _read_shipped(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    card_path = path.with_suffix(".json")
    if not card_path.is_file() and _has_card(path):
        return _read_one_file(path)
    if not card_path.is_file():
        raise CheckpointError(
            f"{path.name} has no card: {card_path.name}, which says what network it is, should lie "
            "beside it."
        )
    try:
        card = json.loads(card_path.read_text(encoding="utf-8"))
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{card_path.name} or its weights cannot be read: {error}."
        ) from error
    if not isinstance(card, dict):
        raise CheckpointError(f"{card_path.name} is not a card: it must be a JSON object.")
    if hashlib.sha256(content).hexdigest() != card.get("sha256"):
        raise CheckpointError(
            f"{path.name} is not the file that its card describes (sha256 differs); get both again."
        )
    try:
        return load_bytes(content), card
    except SafetensorError as error:
        raise CheckpointError(f"{path.name} is not a safetensors file: {error}.") from error


def _build(path: Path, tensors: Mapping[str, Tensor], card: dict[str, Any]) -> Checkpoint:
    architecture = str(card.get("architecture"))
    if architecture not in _NETWORKS:
        raise CheckpointError(
            f"{path.name}: unknown architecture {architecture!r}; known: {', '.join(_NETWORKS)}."
        )
    network, config_type = _NETWORKS[architecture]
    kind = _KINDS[architecture]
    try:
        config = config_type(**card["config"])
        with torch.device("meta"):
            model: nn.Module = network(config)
        wavenumber = np.empty(0)
        if kind != _NO_CHANNELS:
            wavenumber = check_wavenumber(card["wavenumber"], config.n_channels)
        normalization = card["normalization"]
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"The card of {path.name} is incomplete or wrong: {error}") from error
    if normalization not in ((_BY_NOISE,) if kind == _NO_CHANNELS else NORMALIZATIONS):
        raise CheckpointError(f"The card of {path.name} names a normalization '{normalization}'.")
    check_tensors(path.name, tensors, model.state_dict())
    model.load_state_dict({name: t.float() for name, t in tensors.items()}, assign=True)
    return Checkpoint(
        model=model.eval().requires_grad_(False),
        kind=kind,
        wavenumber=wavenumber,
        normalization=normalization,
        scale=getattr(config, "scale", None),
        phase=card.get("phase"),
        card=card,
        name=str(card.get("name", path.stem)),
        path=path,
    )


def check_tensors(name: str, got: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Raise `CheckpointError` naming the first tensor that differs."""
    for key, tensor in expected.items():
        if key not in got:
            raise CheckpointError(f"{name}: tensor '{key}' is missing; it is not this network.")
        if got[key].shape != tensor.shape:
            raise CheckpointError(
                f"{name}: tensor '{key}' has shape {tuple(got[key].shape)}; "
                f"this network needs {tuple(tensor.shape)}."
            )
        if not torch.isfinite(got[key]).all():
            raise CheckpointError(f"{name}: tensor '{key}' holds NaN or infinity.")
    for key in got:
        if key not in expected:
            raise CheckpointError(f"{name}: tensor '{key}' is unexpected; it is not this network.")
