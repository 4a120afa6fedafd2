"""Simulated tissue, like engineered cartilage: a matrix with fibers, and cells in their lacunae."""

from __future__ import annotations

import numpy as np

from napari_deeper.simulate.bands import Array
from napari_deeper.simulate.cells import STRUCTURES, add_cell, present, surround
from napari_deeper.simulate.chemistries import choose_substances
from napari_deeper.simulate.fields import Field, step_up
from napari_deeper.simulate.random_maps import blur
from napari_deeper.simulate.scene import SimulatedMap, assemble

_LACUNA = (5.0, 9.0)  # radius, um
_AREA = 900.0  # um2 of tissue for each lacuna


def tissue(
    size: tuple[int, int] = (64, 64),
    pixel_size: float = 1.0,
    rng: np.random.Generator | None = None,
    wavenumber: Array | None = None,
    focus: float = 0.4,
    *,
    chemistry: str = "default",
) -> SimulatedMap:
    """Simulate a piece of engineered cartilage.

    A matrix of proteoglycan, richer about the cells; fibers of collagen in a few directions; lacunae,
    most with a cell, some with two, some empty; in some pieces an edge beyond which there is only
    substrate and water, and with the held-out chemistry mineral about the fibers.

    Parameters
    ----------
    size
        (y, x) in pixels.
    pixel_size
        um.
    rng
        Of every random choice; None is ``np.random.default_rng(0)``.
    wavenumber
        (channel,), cm-1; None is `default_wavenumber`.
    focus
        Standard deviation of the laser spot, um.
    chemistry
        ``"default"``, or ``"held-out"`` for substances that no training spectrum is drawn from. The
        collagen and the proteoglycan are held out in both.

    Raises
    ------
    ParameterError
        If the chemistry is unknown.
    """
    rng = rng or np.random.default_rng(0)
    substances = choose_substances(chemistry, rng)
    field = Field(size, pixel_size, rng)
    piece = _piece(field)
    maps = {name: np.zeros(field.y.shape) for name in STRUCTURES}
    lacunae, rims = _add_lacunae(field, maps, piece)
    solid = piece * (1 - lacunae)
    fibers = _fibers(field)
    slow, rough = field.texture(25.0, 0.3), field.texture(1.2, 0.15)
    maps["matrix"] = 0.55 * solid * slow * rough * (1 + 0.8 * rims)
    maps["fiber"] = solid * fibers * np.clip(1.3 - 0.6 * slow, 0.2, 1) * (1 - 0.7 * rims)
    mineral = 0.4 * solid * fibers * step_up(field.noise(12.0) - 1.2, 0.6)
    maps["mineral"] = maps["mineral"] * piece + mineral
    maps |= surround(field, piece)
    return assemble(present(maps), substances, wavenumber, pixel_size, focus, "tissue")


def _piece(field: Field) -> Array:
    """Return where there is tissue, 0 to 1: everywhere, or to one side of a wavy edge."""
    rng = field.rng
    angle, side = rng.uniform(0, 2 * np.pi), field.extent.max()
    middle = field.extent / 2
    away = np.sin(angle) * (field.y - middle[0]) + np.cos(angle) * (field.x - middle[1])
    wave = 0.08 * side * field.noise(0.15 * side)
    if rng.random() < 0.4:
        return np.ones_like(away)
    return step_up(away + wave + rng.uniform(0.1, 0.35) * side, 0.5)


def _fibers(field: Field) -> Array:
    """Return bundles of fibers, 0 to about 1.5, in two or three directions."""
    rng = field.rng
    out = np.zeros_like(field.y)
    main = rng.uniform(0, np.pi)
    for _ in range(2 + int(rng.integers(2))):
        angle = main + rng.normal(0, 0.5)
        thickness = np.exp(rng.uniform(np.log(0.3), np.log(1.5)))
        strands = field.strands(rng.uniform(8, 30), thickness, angle)
        out += rng.uniform(0.3, 0.6) * np.clip(strands + 0.3, 0, None)
    return np.asarray(np.minimum(out, 1.5))


def _add_lacunae(field: Field, maps: dict[str, Array], piece: Array) -> tuple[Array, Array]:
    """Draw the cells; return where the lacunae are, and the matrix about them, both 0 to 1."""
    rng = field.rng
    lacunae, rims = np.zeros_like(piece), np.zeros_like(piece)
    taken = np.zeros_like(piece)
    n = 1 + int(np.prod(field.extent + 2 * _LACUNA[1]) / _AREA * rng.uniform(0.6, 1.4))
    for place in field.scatter(n, 2.3 * _LACUNA[1], _LACUNA[1]):
        radius = rng.uniform(*_LACUNA)
        found = field.window(place, 2 * radius)
        if found is None:
            continue
        part, where = found
        inside = part.outline(place, radius, 0.08)
        lacunae[where] = np.maximum(lacunae[where], step_up(inside, 0.3))
        rims[where] = np.maximum(rims[where], np.exp(-np.clip(-inside, 0, None) / 1.5))
        for spot, share in _cells(place, radius, rng):
            add_cell(field, spot, share * radius, maps, taken)
    for name in STRUCTURES:
        maps[name] *= piece
    return lacunae, blur(rims, 0.3 / field.step)


def _cells(place: Array, radius: float, rng: np.random.Generator) -> list[tuple[Array, float]]:
    """Return the places and relative radii of the cells of a lacuna: none, one, or a pair."""
    kind = rng.random()
    if kind < 0.15:
        return []
    if kind < 0.75:
        return [(place + rng.normal(0, 0.08, 2) * radius, rng.uniform(0.65, 0.9))]
    angle = rng.uniform(0, np.pi)
    step = 0.48 * radius * np.array([np.sin(angle), np.cos(angle)])
    return [(place + step, 0.45), (place - step, 0.45)]
