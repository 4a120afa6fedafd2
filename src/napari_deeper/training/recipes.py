"""The recipes: which network, for how long, how fast, from which seed, begun from which other one.

This table is what ``napari-deeper train all`` follows; to train longer, change a number here. A new
network is a `Task` in `napari_deeper.training.tasks` and a line here for each of its files.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from napari_deeper.spectra.errors import ParameterError

CURVES = ("one-cycle", "torch-one-cycle", "constant")


@dataclass(frozen=True)
class Recipe:
    """How one file of weights is made.

    Parameters
    ----------
    name
        Of the file.
    task
        What is learned: the word after ``napari-deeper train``.
    network
        Key of `napari_deeper.training.tasks.TASKS`.
    n_steps
        Batches in all, on simulated data.
    rate
        The highest learning rate.
    n
        Items in a batch on each device: spectra, cubes, or pixels of eigenimages.
    seed
        Of the first weights and of every batch.
    scale
        For super-resolution.
    start_from
        The name of the recipe whose result this one goes on from.
    options
        For the batches of the task, see there.
    curve
        Of the learning rate: ``"one-cycle"`` (a tenth of the steps up), ``"torch-one-cycle"`` (as
        ``torch.optim.lr_scheduler.OneCycleLR`` has it), or ``"constant"``.
    clip
        The largest norm of the gradient; 0 for no bound.
    n_epochs
        Where the data are a folder, how often each item is seen; 0: ``n_steps`` holds there too.
    shares
        Of a folder's items for training, validation and test.
    is_step
        Whether the file is a step on the way to others, which is not shipped.
    """

    name: str
    task: str
    network: str
    n_steps: int
    rate: float
    n: int
    seed: int = 0
    scale: int | None = None
    start_from: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    curve: str = "one-cycle"
    clip: float = 1.0
    n_epochs: int = 0
    shares: tuple[float, ...] = (0.9, 0.1)
    is_step: bool = False


def _compact(scale: int, first_steps: int, steps: int, start_from: str | None) -> list[Recipe]:
    """Return the two runs of a compact HyRISR: all noise, then less of it at a lower rate."""
    name = f"hyrisr_{scale}x"
    common = {"task": "super-resolve", "network": "compact-hyrisr", "n": 8, "scale": scale}
    first = Recipe(
        f"{name}_first",
        n_steps=first_steps,
        rate=1e-3,
        start_from=start_from,
        options={"loudest": 1.0},
        is_step=True,
        **common,  # type: ignore[arg-type]
    )
    second = dataclasses.replace(
        first,
        name=name,
        n_steps=steps,
        rate=8e-4,
        seed=1,
        start_from=first.name,
        options={"loudest": 0.5},
        is_step=False,
    )
    return [first, second]


def _eigen_super_resolve(scale: int, n_steps: int, start_from: str | None) -> Recipe:
    task = "eigen-super-resolve"
    return Recipe(
        f"eigenimage_{scale}x",
        task,
        task,
        n_steps=n_steps,
        rate=2e-3,
        n=2**13,
        scale=scale,
        start_from=start_from,
    )


SHIPPED: tuple[Recipe, ...] = (
    Recipe("resunet", "denoise", "compact-resunet", n_steps=11000, rate=2e-3, n=128),
    Recipe("eigenimage", "eigenimage", "eigenimage", n_steps=7200, rate=1e-3, n=2**14),
    _eigen_super_resolve(2, 8000, None),
    _eigen_super_resolve(3, 2400, "eigenimage_2x"),
    _eigen_super_resolve(4, 3000, "eigenimage_3x"),
    *_compact(2, 1200, 800, None),
    *_compact(3, 450, 300, "hyrisr_2x_first"),
    *_compact(4, 420, 300, "hyrisr_2x_first"),
)

# Horgan et al. 2021: 159,618 spectra, 90 % of them in batches of 256, 500 times; 169 images, 85 %
# of them in batches of 2, 600 times.
PUBLISHED: tuple[Recipe, ...] = (
    Recipe(
        "resunet_published",
        "denoise",
        "published-resunet",
        n_steps=500 * 562,
        rate=5e-4,
        n=256,
        curve="torch-one-cycle",
        clip=0.0,
        n_epochs=500,
    ),
    *(
        Recipe(
            f"hyrisr_{scale}x_published",
            "super-resolve",
            "published-hyrisr",
            n_steps=600 * 72,
            rate=1e-5,
            n=2,
            scale=scale,
            curve="constant",
            clip=0.0,
            n_epochs=600,
            shares=(0.85, 0.10, 0.05),
            options={"phases": (1, 2) if scale == 4 else (1,)},
        )
        for scale in (2, 3, 4)
    ),
)

_TABLES = {"shipped": SHIPPED, "published": PUBLISHED}


def tasks() -> tuple[str, ...]:
    """Return what can be trained: the tasks of the table, and ``"all"``."""
    return (*dict.fromkeys(recipe.task for recipe in (*SHIPPED, *PUBLISHED)), "all")


def plan(task: str, scale: int = 2, preset: str = "shipped") -> tuple[Recipe, ...]:
    """Return the recipes that a task needs, in the order in which they must be followed.

    Raises
    ------
    ParameterError
        If there is no such task in the preset.
    """
    table = {recipe.name: recipe for recipe in _TABLES[preset]}
    wanted = [
        recipe.name
        for recipe in table.values()
        if task == "all"
        or (recipe.task == task and recipe.scale in (None, scale) and not recipe.is_step)
    ]
    if not wanted:
        known = ", ".join(dict.fromkeys(recipe.task for recipe in table.values()))
        raise ParameterError(f"There is no '{task}' in the preset '{preset}'; there is: {known}.")
    ordered: dict[str, Recipe] = {}
    for name in wanted:
        for needed in chain(table, name):
            ordered.setdefault(needed.name, needed)
    return tuple(ordered.values())


def chain(table: Mapping[str, Recipe], name: str) -> list[Recipe]:
    """Return the recipes from the first one to the one of that name."""
    found: list[Recipe] = []
    at: str | None = name
    while at is not None:
        if at not in table or table[at] in found:
            raise ParameterError(f"The recipe '{name}' starts from '{at}', which cannot be.")
        found.insert(0, table[at])
        at = table[at].start_from
    return found
