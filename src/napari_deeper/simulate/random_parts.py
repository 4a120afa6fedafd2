"""The bands of spectra at random, thousands at a time.

A *part* is one spectrum before mixing: a band table of `napari_deeper.simulate.components`, varied,
or bands at random. Parts are drawn as flat lists of bands, so that no loop runs over spectra.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_deeper.simulate.bands import Array, Array32, Index, Mask
from napari_deeper.simulate.components import COMPONENTS
from napari_deeper.simulate.windows import Windows

_NARROWEST = 1.5  # channels: nothing narrower passes a slit
_WIDEST = 200.0  # cm-1
_AT_A_TIME = 2048  # bands; keeps what is drawn within the cache of a core


@dataclass(frozen=True)
class Kind:
    """How the bands of a random part are drawn.

    Parameters
    ----------
    share
        Of all random parts.
    n_bands
        Fewest and most, log-uniform.
    width
        Smallest and largest typical width, channels, log-uniform.
    spread
        Smallest and largest part of the axis that the bands cover, log-uniform; 1.2 reaches out of it.
    evenness
        Shape of the gamma distribution of heights: small where few bands rule.
    """

    share: float
    n_bands: tuple[int, int]
    width: tuple[float, float]
    spread: tuple[float, float]
    evenness: float


KINDS = (
    Kind(0.30, (2, 40), (2.5, 30.0), (1.2, 1.2), 1.0),  # anything
    Kind(
        0.20, (1, 3), (1.5, 12.0), (1.2, 1.2), 1.0
    ),  # one line of a crystal, three of a carotenoid
    Kind(0.20, (25, 80), (1.5, 20.0), (1.2, 1.2), 0.6),  # a crowded biological spectrum
    Kind(0.15, (3, 9), (4.0, 30.0), (0.05, 0.25), 1.0),  # a cluster: C-H stretching
    Kind(0.15, (1, 6), (15.0, 90.0), (1.2, 1.2), 1.0),  # water, glass, an amorphous solid
)


@dataclass(frozen=True, eq=False)
class BandList:
    """Bands of many parts, in order of their part.

    Parameters
    ----------
    owner
        (band,), the part of each band.
    position, width
        (band,), channels.
    height
        (band,).
    """

    owner: Index
    position: Array
    width: Array
    height: Array


def random_bands(windows: Windows, from_tables: Mask, rng: np.random.Generator) -> BandList:
    """Return the bands of one part for each window.

    Parameters
    ----------
    windows
        Of the parts.
    from_tables
        (part,) bool: a band table of a cell, varied, instead of bands at random.
    """
    tables, free = np.flatnonzero(from_tables), np.flatnonzero(~from_tables)
    lists = [
        _from_tables(windows.take(tables), tables, rng),
        _from_nothing(windows.take(free), free, rng),
    ]
    owner, position, width, height = (
        np.concatenate([getattr(bands, name) for bands in lists])
        for name in ("owner", "position", "width", "height")
    )
    order = np.argsort(owner, kind="stable")
    return BandList(owner[order], position[order], width[order], height[order])


def draw(bands: BandList, n_parts: int, n_channels: int, rng: np.random.Generator) -> Array32:
    """Return the spectra (part, channel) float32: pseudo-Voigt bands, some of them lopsided."""
    out = np.zeros((n_parts, n_channels), dtype=np.float32)
    seen = (bands.height != 0) & np.isfinite(bands.position)
    owner, position, width, height = (
        v[seen] for v in (bands.owner, bands.position, bands.width, bands.height)
    )
    lorentz = rng.uniform(0, 1, owner.size)
    skew = np.where(rng.random(owner.size) < 0.15, rng.uniform(-0.4, 0.4, owner.size), 0.0)
    sides = np.stack([width * (1 - skew), width * (1 + skew)])
    channel = np.arange(n_channels, dtype=np.float32)
    for start in range(0, owner.size, _AT_A_TIME):
        part = slice(start, start + _AT_A_TIME)
        left, right, mix, top = (
            v[part, None].astype(np.float32) for v in (*sides, lorentz, height)
        )
        away = channel - position[part, None].astype(np.float32)
        square = np.minimum((away / np.where(away < 0, left, right)) ** 2, np.float32(3e4))
        # Past exp(-69) float32 would turn denormal, which is slow.
        shape = (1 - mix) * np.exp(-np.float32(4 * np.log(2)) * np.minimum(square, 25))
        shape += mix / (1 + 4 * square)
        shape *= top
        first = np.flatnonzero(np.diff(owner[part], prepend=-1))
        out[owner[part][first]] += np.add.reduceat(shape, first, axis=0)
    return out


def _log_uniform(low: Array, high: Array, rng: np.random.Generator) -> Array:
    return np.asarray(np.exp(rng.uniform(np.log(low), np.log(high))))


def _from_tables(windows: Windows, owner: Index, rng: np.random.Generator) -> BandList:
    """Vary a table of a cell: every band moved, widened, weighted, some dropped."""
    tables = list(COMPONENTS.values())
    longest = max(len(table) for table in tables)
    padded = np.zeros((len(tables), longest, 3))
    for row, table in zip(padded, tables, strict=True):
        row[: len(table)] = [(band.position, band.width, band.height) for band in table]
    n = owner.size
    chosen = padded[rng.integers(len(tables), size=n)]  # (part, band, 3)
    shape = chosen.shape[:2]
    # Half of those seen through another window are moved into it as a whole: an unknown substance.
    place = (chosen[..., 0] - 600) / 1200
    inside = (windows.low < 1000) & (windows.high > 1400)
    moved = ~inside & (rng.random(n) < 0.8)
    start = rng.uniform(windows.low, windows.high - 0.3 * (windows.high - windows.low))
    span = rng.uniform(0.3, 1.2, n) * (windows.high - windows.low)
    position = np.where(
        moved[:, None], start[:, None] + span[:, None] * place, chosen[..., 0]
    ) + rng.normal(0, 5, shape)
    scale = np.where(moved, span / 1200, 1.0)[:, None]
    width = chosen[..., 1] * scale * np.exp(rng.normal(0, 0.3, (n, 1)) + rng.normal(0, 0.2, shape))
    height = chosen[..., 2] * np.exp(rng.normal(0, 0.6, shape)) * (rng.random(shape) > 0.12)
    return _flatten(owner, windows.channels(position), width / windows.dispersion[:, None], height)


def _from_nothing(windows: Windows, owner: Index, rng: np.random.Generator) -> BandList:
    shares = np.array([kind.share for kind in KINDS])
    kind = rng.choice(len(KINDS), size=owner.size, p=shares / shares.sum())

    def limits(name: str) -> tuple[Array, Array]:
        pairs = np.array([getattr(k, name) for k in KINDS], dtype=float)[kind]
        return pairs[:, 0], pairs[:, 1]

    n_bands = _log_uniform(limits("n_bands")[0], limits("n_bands")[1] + 0.99, rng).astype(int)
    typical, spread = _log_uniform(*limits("width"), rng), _log_uniform(*limits("spread"), rng)
    center = np.where(spread > 1, 0.5, rng.uniform(0, 1, owner.size))
    # Widths and places are drawn in channels, so that every window has them from end to end.
    part = np.repeat(np.arange(owner.size), n_bands)
    place = center[part] + spread[part] * rng.uniform(-0.5, 0.5, part.size)
    widest = _WIDEST / windows.dispersion
    width = np.minimum(typical[part] * np.exp(rng.normal(0, 0.5, part.size)), widest[part])
    evenness = np.array([k.evenness for k in KINDS])[kind]
    height = rng.gamma(evenness[part]) + 0.01
    position = (windows.n_channels - 1) * place
    return BandList(owner[part], position, np.maximum(width, _NARROWEST), height)


def _flatten(owner: Index, position: Array, width: Array, height: Array) -> BandList:
    kept = (height > 0) & np.isfinite(position)
    owners = np.broadcast_to(owner[:, None], position.shape)[kept]
    return BandList(owners, position[kept], np.maximum(width[kept], _NARROWEST), height[kept])
