"""What can be trained: for each network how it is made, fed and judged.

To add one, write `new_network`, `make_batch` and `loss` in a module of its own, put a `Task` into
`TASKS`, and a line for each of its files into `napari_deeper.training.recipes`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from napari_deeper.models.compact import CompactHyRISRConfig
from napari_deeper.models.eigen_super_resolve import EigenimageSuperResolverConfig
from napari_deeper.models.hyrisr import HyRISRConfig
from napari_deeper.models.resunet import ResUNetConfig
from napari_deeper.spectra.axis import Axis
from napari_deeper.spectra.errors import CheckpointError
from napari_deeper.training import (
    denoise,
    eigen_super_resolve,
    eigenimages,
    evaluate,
    published,
    super_resolve,
)
from napari_deeper.training.layouts import Reading, open_cubes, open_spectra
from napari_deeper.training.loop import BatchAt, Drawn, Loss
from napari_deeper.training.measured import (
    Finish,
    FinishSuperResolve,
    Source,
    cube_source,
    finish_denoise,
    spectra_source,
)
from napari_deeper.training.recipes import Recipe

WAVENUMBER = np.linspace(600.0, 1800.0, 500)
Figures = dict[str, Any]


def _copy(source: nn.Module, target: nn.Module) -> None:
    try:
        target.load_state_dict(source.state_dict())
    except RuntimeError as error:
        first = str(error).splitlines()[-1].strip()
        raise CheckpointError(
            f"The weights to start from are of another network than this one: {first}"
        ) from error


@dataclass(frozen=True)
class Task:
    """How a network is trained.

    Parameters
    ----------
    title
        Of the card; ``{scale}`` is put in.
    normalization
        Of the card, see `napari_deeper.models.checkpoint.Checkpoint`.
    new_network
        Makes an untrained network from the recipe and the number of channels.
    batches
        Simulated batches for a recipe.
    loss
        Called as ``loss(net, batch)``.
    figures
        Judges a finished network on simulated data that it has not seen.
    measured
        Opens a folder of measured data: ``measured(recipe, folder, axis or None, reading)``; None
        where the task has no use for one.
    has_axis
        Whether channels mean wavenumbers.
    start
        Puts the weights of another network into an untrained one: ``start(source, target)``.
    """

    title: str
    normalization: str
    new_network: Callable[[Recipe, int], nn.Module]
    batches: Callable[[Recipe], BatchAt]
    loss: Loss
    figures: Callable[[nn.Module, Recipe], Figures]
    measured: Callable[[Recipe, Path, Axis | None, Reading], Source] | None = None
    has_axis: bool = True
    start: Callable[[Any, Any], None] = _copy


def _scale(recipe: Recipe) -> int:
    assert recipe.scale is not None, recipe.name
    return recipe.scale


def _spectra(finish: Finish) -> Callable[[Recipe, Path, Axis | None, Reading], Source]:
    def opened(recipe: Recipe, folder: Path, axis: Axis | None, reading: Reading) -> Source:
        return spectra_source(open_spectra(folder, axis, reading), recipe, finish)

    return opened


def _cubes(
    side_of: Callable[[int], int], finish_for: Callable[[Recipe], Finish]
) -> Callable[[Recipe, Path, Axis | None, Reading], Source]:
    def opened(recipe: Recipe, folder: Path, axis: Axis | None, reading: Reading) -> Source:
        side = side_of(_scale(recipe))
        return cube_source(open_cubes(folder, axis, reading), recipe, side, finish_for(recipe))

    return opened


def _published_cubes(recipe: Recipe) -> published.FinishCubes:
    return published.FinishCubes(_scale(recipe), recipe.options["phases"])


def _simulated_published_cubes(recipe: Recipe) -> BatchAt:
    finish = _published_cubes(recipe)
    return Drawn(partial(published.simulated_cubes, recipe.n, WAVENUMBER, finish))


TASKS: Mapping[str, Task] = {
    "compact-resunet": Task(
        title="ResUNet, half width",
        normalization=denoise.NORMALIZATION,
        new_network=lambda r, n: denoise.new_network(r.seed, replace(denoise.CONFIG, n_channels=n)),
        batches=lambda r: Drawn(partial(denoise.make_batch, r.n, WAVENUMBER, **r.options)),
        loss=denoise.loss,
        figures=lambda net, r: evaluate.denoise_figures(net, WAVENUMBER),
        measured=_spectra(finish_denoise),
    ),
    "eigenimage": Task(
        title="Eigenimage denoiser",
        normalization=eigenimages.NORMALIZATION,
        new_network=lambda r, n: eigenimages.new_network(r.seed),
        batches=lambda r: Drawn(partial(eigenimages.make_batch, r.n, **r.options)),
        loss=eigenimages.loss,
        figures=lambda net, r: evaluate.eigenimage_figures(net),
        has_axis=False,
    ),
    "eigen-super-resolve": Task(
        title="Eigenimage super-resolver, {scale}x",
        normalization=eigen_super_resolve.NORMALIZATION,
        new_network=lambda r, n: eigen_super_resolve.new_network(
            r.seed, EigenimageSuperResolverConfig(scale=_scale(r))
        ),
        batches=lambda r: Drawn(partial(eigen_super_resolve.make_batch, r.n, _scale(r))),
        loss=eigen_super_resolve.loss,
        figures=lambda net, r: eigen_super_resolve.figures(net),
        has_axis=False,
        start=eigen_super_resolve.transfer,
    ),
    "compact-hyrisr": Task(
        title="Compact HyRISR, {scale}x",
        normalization=super_resolve.NORMALIZATION,
        new_network=lambda r, n: super_resolve.new_network(
            r.seed, CompactHyRISRConfig(n_channels=n, scale=_scale(r))
        ),
        batches=lambda r: Drawn(
            partial(super_resolve.make_batch, r.n, _scale(r), WAVENUMBER, **r.options)
        ),
        loss=super_resolve.loss,
        figures=lambda net, r: evaluate.super_resolve_figures(net, WAVENUMBER, _scale(r), 60),
        measured=_cubes(
            lambda scale: super_resolve.SIDE[scale] * scale, lambda r: FinishSuperResolve(_scale(r))
        ),
        start=super_resolve.transfer,
    ),
    "published-resunet": Task(
        title="ResUNet, as published",
        normalization=published.NORMALIZATION,
        new_network=lambda r, n: published.new_resunet(r.seed, ResUNetConfig(n_channels=n)),
        batches=lambda r: Drawn(partial(published.simulated_spectra, r.n, WAVENUMBER)),
        loss=published.loss,
        figures=lambda net, r: {},
        measured=_spectra(published.finish_spectra),
    ),
    "published-hyrisr": Task(
        title="HyRISR, as published, {scale}x",
        normalization=published.NORMALIZATION,
        new_network=lambda r, n: published.new_hyrisr(
            r.seed, HyRISRConfig(n_channels=n, scale=_scale(r))
        ),
        batches=_simulated_published_cubes,
        loss=published.loss,
        figures=lambda net, r: {},
        measured=_cubes(published.side_of, _published_cubes),
    ),
}
