"""Measured pairs in memory, split at random, and the order in which training sees them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.spectra.axis import Axis
from napari_deeper.spectra.errors import TrainingError
from napari_deeper.training.loop import Place

Cube = NDArray[np.float32]
Pair = tuple[Cube, Cube]
Indices = NDArray[np.int64]

_CACHE_BYTES = 2**30
# Of the split and of the order: other streams than the batches', which begin with [seed, step].
_SPLIT, _ORDER = 2**32 - 1, 2**32 - 2


@dataclass(frozen=True, eq=False)
class SpectraSet:
    """Pairs of spectra.

    Parameters
    ----------
    low, high
        (n, channel) each, noisy and better.
    wavenumber
        (channel,), cm-1.
    group
        (n,), which spectra are of one cube.
    about
        For the card.
    """

    low: NDArray[np.float32]
    high: NDArray[np.float32]
    wavenumber: Axis
    group: Indices
    about: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.low)


@dataclass(eq=False)
class CubeSet:
    """Pairs of cubes (y, x, channel), each read when it is asked for and kept while there is room.

    Parameters
    ----------
    loaders
        Each reads one pair.
    wavenumber
        (channel,), cm-1.
    about
        For the card.
    paired
        Whether the first of a pair is a noisier measurement, and not the second itself.
    """

    loaders: tuple[Callable[[], Pair], ...]
    wavenumber: Axis
    about: Mapping[str, Any]
    paired: bool = False
    kept: OrderedDict[int, Pair] = field(default_factory=OrderedDict)

    def __len__(self) -> int:
        return len(self.loaders)

    def __getitem__(self, index: int) -> Pair:
        pair = self.kept.pop(index, None) or self.loaders[index]()
        self.kept[index] = pair
        while (
            len(self.kept) > 1
            and sum(c.nbytes for p in self.kept.values() for c in p) > _CACHE_BYTES
        ):
            self.kept.popitem(last=False)
        return pair


def split(groups: Indices, shares: tuple[float, ...], seed: int) -> tuple[Indices, ...]:
    """Split items at random into training, validation and perhaps test, whole groups together.

    Parameters
    ----------
    groups
        (n,), of each item. Where all are of one group, items are split one by one.
    shares
        Of each part; they add up to 1.

    Raises
    ------
    TrainingError
        If there are too few to split.
    """
    names = np.unique(groups)
    units = groups if len(names) > 1 else np.arange(len(groups))
    order = np.random.default_rng([seed, _SPLIT]).permutation(np.unique(units))
    n_parts = len(shares)
    if len(order) < n_parts:
        raise TrainingError(
            f"There are {len(order)} items to train on; {n_parts} are needed at least, to keep some "
            "for validation."
        )
    ends = np.round(np.cumsum(shares) * len(order)).astype(int)
    # Each part gets one at least, the first what is left.
    for i in range(n_parts - 1, 0, -1):
        ends[i - 1] = min(ends[i - 1], ends[i] - 1)
    parts = np.split(order, ends[:-1])
    return tuple(np.flatnonzero(np.isin(units, part)) for part in parts)


@dataclass(frozen=True)
class Order:
    """Which items a batch holds: every one once in each epoch, in an order that the seed gives.

    Parameters
    ----------
    n_items
        To train on.
    n
        In a batch of one process. The last batch of an epoch is filled from its beginning.
    """

    n_items: int
    n: int

    def n_batches(self, n_ranks: int = 1) -> int:
        """Return the number of batches of an epoch."""
        return max(1, -(-self.n_items // (self.n * n_ranks)))

    def at(self, place: Place) -> Indices:
        """Return the items (n,) of a batch."""
        per_epoch = self.n_batches(place.n_ranks)
        epoch, batch = divmod(place.step, per_epoch)
        order = _permutation(self.n_items, place.seed, epoch)
        first = (batch * place.n_ranks + place.rank) * self.n
        return np.take(order, np.arange(first, first + self.n), mode="wrap")


@lru_cache(maxsize=2)
def _permutation(n_items: int, seed: int, epoch: int) -> Indices:
    return np.random.default_rng([seed, _ORDER, epoch]).permutation(n_items)
