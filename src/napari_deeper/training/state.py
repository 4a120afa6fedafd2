"""The state of an unfinished run on disk: written whole or not at all, the one before it kept.

A state is exact: a run that goes on from it takes the steps that it would have taken. Where it must
be small, what does not fit is rounded to bfloat16, the moments of the optimizer first.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from napari_deeper.spectra.errors import CheckpointError, TrainingError

SMALL = 16 * 2**20
_FORMAT = 1


@dataclass(frozen=True)
class State:
    """What a run needs to go on.

    Parameters
    ----------
    step
        The next step.
    net
        State dict of the network, on the CPU.
    optimizer
        State dict of the optimizer, or None where it was left out.
    run
        What the run is; another run does not go on from here.
    seconds
        Time that training took so far.
    hardware
        What it ran on.
    losses
        Of the last steps, which the logs have not summed up yet.
    """

    step: int
    net: dict[str, Tensor]
    optimizer: dict[str, Any] | None
    run: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    hardware: tuple[str, ...] = ()
    losses: tuple[float, ...] = ()


def save_state(path: Path, state: State, limit: int | None = None) -> None:
    """Write a state; the one that was there becomes ``<name>.previous``.

    Parameters
    ----------
    limit
        Largest file in bytes, or None for an exact state of any size.

    Raises
    ------
    TrainingError
        If it holds NaN, cannot be written, or does not fit. The last good state is kept then.
    """
    for name, tensor in state.net.items():
        if not torch.isfinite(tensor).all():
            raise TrainingError(
                f"The network diverged before step {state.step}: '{name}' holds NaN or infinity. "
                f"{last_good(path)}"
            )
    content = _encode(state, limit)
    partial = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(partial, content)
        if path.exists():
            path.replace(previous(path))
        partial.replace(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise TrainingError(
            f"The state of step {state.step} cannot be written to {path}: {reason}. "
            f"{last_good(path)} Make room, and run the same command to go on."
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def load_state(path: Path) -> State | None:
    """Read a state, or the one before it where it is damaged; None if there is neither.

    Raises
    ------
    CheckpointError
        If there are files and none can be read.
    """
    damage = ""
    for candidate in (path, previous(path)):
        if not candidate.is_file():
            continue
        try:
            return _decode(torch.load(candidate, map_location="cpu", weights_only=True))
        except Exception as error:  # a damaged file can make the unpickler stumble anywhere
            damage = damage or f"{candidate} is damaged ({type(error).__name__})"
    if damage:
        raise CheckpointError(f"{damage}. Remove it, or pass --force, to begin again.")
    return None


def remove_state(path: Path) -> None:
    """Remove a state and the one before it."""
    for each in (path, previous(path), path.with_name(path.name + ".part")):
        each.unlink(missing_ok=True)


def previous(path: Path) -> Path:
    """Return the name of the state before the last."""
    return path.with_name(path.name + ".previous")


def last_good(path: Path) -> str:
    """Say which states are kept."""
    kept = [each for each in (path, previous(path)) if each.is_file()]
    if not kept:
        return "No state was saved before."
    steps = [state.step for each in kept if (state := load_state(each)) is not None]
    return f"The last good state, of step {max(steps)}, is kept in {kept[0]}."


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        # Else a power cut can leave the new name with nothing in it.
        os.fsync(stream.fileno())


def _encode(state: State, limit: int | None) -> bytes:
    """Return the bytes of a state, rounded no more than the limit asks for."""
    ways: tuple[tuple[Callable[[Any], Any], Callable[[Any], Any]], ...] = (
        (_as_it_is, _as_it_is),
        (_as_it_is, _rounded),
        (_rounded, _rounded),
        (_rounded, _left_out),
    )
    for of_net, of_optimizer in ways:
        content = _bytes(state, of_net(state.net), of_optimizer(state.optimizer))
        if limit is None or len(content) <= limit:
            return content
    raise TrainingError(
        f"The weights alone are {len(content) / 2**20:.0f} MiB in bfloat16, more than the "
        f"{(limit or 0) / 2**20:.0f} MiB of a small checkpoint. Train without --small-checkpoints."
    )


def _bytes(state: State, net: Any, optimizer: Any) -> bytes:
    content = {
        "format": _FORMAT,
        "step": state.step,
        "net": net,
        "optimizer": optimizer,
        "run": state.run,
        "seconds": state.seconds,
        "hardware": list(state.hardware),
        "losses": list(state.losses),
    }
    stream = io.BytesIO()
    torch.save(content, stream)
    return stream.getvalue()


def _decode(content: Any) -> State:
    if content["format"] != _FORMAT:
        raise ValueError(f"state of format {content['format']}")
    return State(
        step=int(content["step"]),
        net={k: t.float() if t.is_floating_point() else t for k, t in content["net"].items()},
        optimizer=content["optimizer"],
        run=content["run"],
        seconds=float(content["seconds"]),
        hardware=tuple(content["hardware"]),
        losses=tuple(content["losses"]),
    )


def _as_it_is(content: Any) -> Any:
    return content


def _left_out(content: Any) -> None:
    return None


def _rounded(content: Any) -> Any:
    """Round the tensors of a nested dict or list to bfloat16; a count, as Adam's steps, stays."""
    if isinstance(content, Tensor):
        small = content.is_floating_point() and content.numel() > 1
        return content.to(torch.bfloat16) if small else content
    if isinstance(content, dict):
        return {key: _rounded(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_rounded(value) for value in content]
    return content
