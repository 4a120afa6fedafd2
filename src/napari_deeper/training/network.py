"""Weights to start a training run from."""

from __future__ import annotations

import hashlib
from pathlib import Path

from torch import nn

from napari_deeper.models import checkpoint
from napari_deeper.models.checkpoint import Checkpoint
from napari_deeper.processing.resample import same_axis
from napari_deeper.spectra.errors import AxisError, CheckpointError
from napari_deeper.training.recipes import Recipe
from napari_deeper.training.tasks import WAVENUMBER, Task


def started_from(
    path: Path, recipe: Recipe, task: Task, keep_axis: bool
) -> tuple[nn.Module, Checkpoint]:
    """Return a network with the weights of a file, and what the file holds.

    Parameters
    ----------
    keep_axis
        Whether data can be brought to the axis of the file; simulated data are on their own.

    Raises
    ------
    CheckpointError
        If the file holds another network, or one that scales its input in another way.
    AxisError
        If its axis is not that of the simulated data.
    """
    start = checkpoint.load(path)
    if start.normalization != task.normalization:
        raise CheckpointError(
            f"{path.name} scales its input by '{start.normalization}', this recipe by "
            f"'{task.normalization}'; choose the other --preset."
        )
    n_channels = start.wavenumber.size or WAVENUMBER.size
    if task.has_axis and not keep_axis and not same_axis(start.wavenumber, WAVENUMBER):
        raise AxisError(
            f"{path.name} is of another wavenumber axis than the simulated data; it can be trained "
            "on with measured ones (--data)."
        )
    net = task.new_network(recipe, n_channels)
    if type(start.model) is not type(net):
        raise CheckpointError(
            f"{path.name} holds a {type(start.model).__name__}; this recipe trains a "
            f"{type(net).__name__}."
        )
    task.start(start.model, net)
    return net, start


def identity(path: str) -> str:
    """Return the name of a file and the beginning of its sha256, so that it can be told from others."""
    if not path:
        return ""
    file = Path(path).expanduser()
    if not file.is_file():
        raise CheckpointError(f"There is no weights file {file} to start from.")
    return f"{file.name} (sha256 {hashlib.sha256(file.read_bytes()).hexdigest()[:12]})"
