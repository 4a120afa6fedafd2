"""Simulated cells: where everything is, and what it is made of, is known.

Shapes are drawn in um on a grid four times finer than the pixels, blurred by the focus, and read at
the pixel centres, so the same cell can be drawn at any pixel size and a droplet may be smaller than
a pixel.
"""

from __future__ import annotations

import numpy as np

from napari_deeper.simulate.bands import Array
from napari_deeper.simulate.chemistries import choose_substances
from napari_deeper.simulate.fields import Field, step_up
from napari_deeper.simulate.scene import SimulatedMap, assemble, default_wavenumber

__all__ = ["SimulatedCell", "cell", "default_wavenumber", "draw_cell"]

SimulatedCell = SimulatedMap
_LARGEST_RADIUS = 16.0  # um
STRUCTURES = (
    "dna", "rna", "protein", "droplet", "pigment", "mineral", "membrane", "mitochondria", "glycogen"
)  # fmt: skip


def cell(
    size: tuple[int, int] = (64, 64),
    pixel_size: float = 0.5,
    rng: np.random.Generator | None = None,
    wavenumber: Array | None = None,
    focus: float = 0.25,
    *,
    chemistry: str = "default",
    neighbors: bool = True,
) -> SimulatedMap:
    """Simulate one cell that fills about two thirds of the field, up to a radius of 16 um.

    It has a nucleus with nucleoli, cytoplasm with mitochondria and glycogen, endoplasmic reticulum
    about the nucleus, lipid droplets down to less than a pixel, and a membrane; under and around it
    are substrate and water.

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
        ``"default"``, or ``"held-out"`` for substances that no training spectrum is drawn from.
    neighbors
        Whether parts of other cells may reach into the field; a large field is full of them.

    Raises
    ------
    ParameterError
        If the chemistry is unknown.
    """
    rng = rng or np.random.default_rng(0)
    substances = choose_substances(chemistry, rng)
    field = Field(size, pixel_size, rng)
    radius = min(0.40 * field.extent.min(), _LARGEST_RADIUS)
    center = field.extent / 2 + rng.normal(0, 0.02, 2) * field.extent
    maps = {name: np.zeros(field.y.shape) for name in STRUCTURES}
    body = np.zeros(field.y.shape)
    add_cell(field, center, radius, maps, body)
    if neighbors:
        crowd = 2 + int(4 * np.prod(field.extent / (2 * radius)) * rng.uniform(0.3, 0.8))
        for place in field.scatter(crowd, 1.9 * radius, 0.7 * radius):
            if np.hypot(*(place - center)) > 1.9 * radius:
                add_cell(field, place, radius * rng.uniform(0.8, 1.05), maps, body)
    maps |= surround(field, body)
    return assemble(present(maps), substances, wavenumber, pixel_size, focus, "cell")


def surround(field: Field, body: Array) -> dict[str, Array]:
    """Return the fine maps of water and substrate about what lies in the field, 1 where it does."""
    y, x = field.y / field.extent.max(), field.x / field.extent.max()
    # Never quite level, so the focus lies deeper in the substrate at one side.
    slope = field.rng.normal(0, 0.15, 2)
    level = np.clip(1 + slope[0] * (y - 0.5) + slope[1] * (x - 0.5), 0.3, 1.7)
    return {"water": 0.20 - 0.10 * body, "substrate": 0.12 * level * (1 - 0.25 * body)}


def present(maps: dict[str, Array]) -> dict[str, Array]:
    """Leave out those structures that only some cells have, where none has."""
    return {k: v for k, v in maps.items() if k not in ("pigment", "mineral") or v.max() > 0.01}


def add_cell(
    field: Field, center: Array, radius: float, maps: dict[str, Array], body: Array
) -> None:
    """Draw a cell where nothing lies yet, and add its body to what is taken.

    Parameters
    ----------
    field
        The fine grid.
    center, radius
        um.
    maps
        Fine maps of `STRUCTURES`, changed in place.
    body
        Fine map, 1 where a cell lies, changed in place.
    """
    found = field.window(center, 1.5 * radius + 1)
    if found is None:
        return
    part, place = found
    free = 1 - body[place]
    own, structures = draw_cell(part, center, radius)
    for name, amount in structures.items():
        maps[name][place] += amount * free
    body[place] += own * free


def draw_cell(field: Field, center: Array, radius: float) -> tuple[Array, dict[str, Array]]:
    """Return the body of one cell, 0 to 1, and the fine maps of its structures.

    Parameters
    ----------
    field
        The window of the fine grid that holds the cell.
    center, radius
        um.
    """
    rng = field.rng
    inside = field.outline(center, radius, rng.uniform(0.06, 0.2))
    body, rim = step_up(inside, 0.16), np.exp(-((inside / 0.15) ** 2) / 2)
    # Thinner towards the rim: less of it lies in the focus.
    dome = 0.6 + 0.4 * np.clip(inside / (0.5 * radius), 0, 1)
    bearing = rng.uniform(0, 2 * np.pi)
    off = rng.uniform(0.1, 0.25) * radius * np.array([np.sin(bearing), np.cos(bearing)])
    in_nucleus = field.outline(center + off, rng.uniform(0.38, 0.48) * radius, 0.05)
    nucleus = step_up(in_nucleus, 0.16) * body
    nucleoli = _nucleoli(field, center + off, radius) * nucleus
    cytoplasm = body * (1 - nucleus)
    droplets = _droplets(field, center - off, radius) * cytoplasm
    free = np.clip(1 - 0.7 * droplets, 0, 1) * dome
    near = np.exp(-np.clip(-in_nucleus, 0, None) / (0.22 * radius))
    reticulum = cytoplasm * free * near * (0.35 + field.network(0.7, 0.35))
    mitochondria = cytoplasm * free * step_up(field.noise(0.45) - 1.1, 0.5)
    texture, chromatin = field.texture(0.6, 0.25), field.texture(0.5, 0.30)
    envelope = np.exp(-((in_nucleus / 0.15) ** 2) / 2) * body
    granules = (rng.random() < 0.3) * step_up(field.noise(0.35) - 2.2, 0.3) * cytoplasm
    pigment = droplets * rng.uniform(0, 1) * step_up(field.noise(1.5) - 0.3, 0.5)
    return body, {
        "dna": 0.65 * nucleus * chromatin * (1 - 0.6 * nucleoli),
        "rna": 0.45 * nucleoli + 0.10 * cytoplasm * free * texture + 0.14 * reticulum,
        "protein": (0.70 * nucleus + 0.35 * nucleoli + 0.75 * cytoplasm * free) * texture
        + 0.15 * reticulum
        + 0.2 * mitochondria,
        "droplet": 2.2 * droplets + 0.05 * cytoplasm,
        "pigment": 0.6 * pigment,
        "mineral": 0.8 * granules,
        "membrane": 0.55 * rim
        + 0.25 * envelope
        + 0.45 * reticulum
        + 0.12 * cytoplasm * field.texture(0.8, 0.5),
        "mitochondria": 0.5 * mitochondria,
        "glycogen": 0.30 * cytoplasm * np.clip(field.texture(1.5, 1.0) - 0.8, 0, None),
    }


def _nucleoli(field: Field, center: Array, radius: float) -> Array:
    """Return one to three nucleoli, 0 to 1, for a cell of the given radius."""
    rng = field.rng
    out = np.zeros_like(field.y)
    for _ in range(1 + int(rng.integers(3))):
        spot = center + rng.uniform(-1, 1, 2) * 0.22 * radius
        field.disc(out, spot, 0.09 * radius * rng.uniform(0.7, 1.4))
    return np.asarray(out)


def _droplets(field: Field, center: Array, radius: float) -> Array:
    """Return lipid droplets of 0.08-0.9 um radius, 0 to 1, most in one cluster by the nucleus."""
    rng = field.rng
    out = np.zeros_like(field.y)
    for _ in range(int(np.exp(rng.uniform(np.log(6), np.log(60))))):
        spread = radius * (0.25 if rng.random() < 0.65 else 0.6)
        size = float(np.clip(np.exp(rng.normal(np.log(0.28), 0.55)), 0.08, 0.9))
        field.disc(out, center + rng.normal(0, spread, 2), size)
    return np.asarray(out)
