"""One simulated cell: where everything is, and what it is made of, is known.

Shapes are drawn in um on a grid four times finer than the pixels, blurred by the focus, and read at
the pixel centres, so the same cell can be drawn at any pixel size and a droplet may be smaller than
a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_deeper.simulate.bands import Array
from napari_deeper.simulate.components import endmembers
from napari_deeper.simulate.random_maps import blur
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.provenance import Step

COMPONENT_NAMES = ("nucleic acid", "protein", "lipid", "membrane", "glycogen", "background")
_OVERSAMPLING = 4


@dataclass(frozen=True, eq=False)
class SimulatedCell:
    """A clean cube and its truth: ``cube.intensity = abundances @ endmembers``.

    Parameters
    ----------
    cube
        Free of noise; an intensity of 1 is about one mean component.
    names
        Of the components.
    abundances
        (y, x, component), not negative.
    endmembers
        (component, channel), each with mean square 1.
    """

    cube: RamanCube
    names: tuple[str, ...]
    abundances: NDArray[np.float32]
    endmembers: NDArray[np.float32]


def default_wavenumber(n: int = 500, low: float = 600.0, high: float = 1800.0) -> Array:
    """Return the axis of a grating spectrometer at 532 nm: even in wavelength, so not in cm-1."""
    first, last = (1 / (1 / 532.0 - shift * 1e-7) for shift in (low, high))
    return np.asarray(1e7 / 532.0 - 1e7 / np.linspace(first, last, n))


def cell(
    size: tuple[int, int] = (64, 64),
    pixel_size: float = 0.5,
    rng: np.random.Generator | None = None,
    wavenumber: Array | None = None,
    focus: float = 0.25,
) -> SimulatedCell:
    """Simulate one cell that fills about two thirds of the field.

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
    """
    rng = rng or np.random.default_rng(0)
    axis = default_wavenumber() if wavenumber is None else np.asarray(wavenumber, dtype=float)
    field = _Field(size, pixel_size, rng)
    maps = field.draw()
    sampled = [_see(maps[name], focus, pixel_size) for name in COMPONENT_NAMES]
    abundances = np.maximum(np.stack(sampled, axis=-1), 0).astype(np.float32)
    spectra = endmembers(COMPONENT_NAMES, axis).astype(np.float32)
    step = Step("simulate", {"what": "cell", "size": list(size), "focus": focus})
    cube = RamanCube(
        abundances @ spectra,
        axis,
        (pixel_size, pixel_size),
        excitation_nm=532.0,
        provenance=(step,),
        metadata={"name": "Simulated cell", "simulated": True},
    )
    return SimulatedCell(cube, COMPONENT_NAMES, abundances, spectra)


def _see(fine: Array, focus: float, pixel_size: float) -> Array:
    """Blur a fine map by the focus and read it at the pixel centres."""
    seen = blur(fine, focus / pixel_size * _OVERSAMPLING)
    cells = seen.reshape(
        seen.shape[0] // _OVERSAMPLING, _OVERSAMPLING, seen.shape[1] // _OVERSAMPLING, _OVERSAMPLING
    )
    # The centre of a pixel lies between the two middle fine points.
    middle = slice(_OVERSAMPLING // 2 - 1, _OVERSAMPLING // 2 + 1)
    return np.asarray(cells[:, middle, :, middle].mean(axis=(1, 3)))


class _Field:
    """The fine grid in um and what is drawn on it."""

    def __init__(self, size: tuple[int, int], pixel_size: float, rng: np.random.Generator) -> None:
        self.rng = rng
        self.step = pixel_size / _OVERSAMPLING
        n_y, n_x = (n * _OVERSAMPLING for n in size)
        self.y, self.x = np.mgrid[:n_y, :n_x] * self.step
        self.extent = np.array([n_y, n_x]) * self.step
        self.radius = 0.40 * self.extent.min()

    def draw(self) -> dict[str, Array]:
        """Return the fine maps of all components."""
        center = self.extent / 2 + self.rng.normal(0, 0.02, 2) * self.extent
        body, rim = self.outline(center, self.radius, 0.10)
        bearing = self.rng.uniform(0, 2 * np.pi)
        off = 0.22 * self.radius * np.array([np.sin(bearing), np.cos(bearing)])
        nucleus, _ = self.outline(center + off, 0.45 * self.radius, 0.05)
        nucleoli = self.discs(center + off, 0.25 * self.radius, 1 + int(self.rng.integers(3)), 0.09)
        nucleoli = nucleoli * nucleus
        cytoplasm = body * (1 - nucleus)
        droplets = self.droplets(center - off, cytoplasm)
        free = np.clip(1 - 0.7 * droplets, 0, 1)
        texture = self.texture(0.6, 0.25)
        chromatin = self.texture(0.5, 0.30)
        return {
            "nucleic acid": nucleus * 0.65 * chromatin
            + 0.25 * nucleoli
            + 0.14 * cytoplasm * free * texture,
            "protein": (0.75 * nucleus + 0.35 * nucleoli + 0.85 * cytoplasm * free) * texture,
            "lipid": 2.2 * droplets + 0.06 * cytoplasm,
            "membrane": 0.55 * rim + 0.22 * cytoplasm * self.texture(0.8, 0.5),
            "glycogen": 0.30 * cytoplasm * np.clip(self.texture(1.5, 1.0) - 0.8, 0, None),
            "background": 0.30 - 0.12 * body,
        }

    def outline(self, center: Array, radius: float, wobble: float) -> tuple[Array, Array]:
        """Return a rounded region and its rim of 0.3 um, both 0 to 1."""
        dy, dx = self.y - center[0], self.x - center[1]
        angle, distance = np.arctan2(dy, dx), np.hypot(dy, dx)
        edge = np.full_like(angle, radius)
        for order in range(2, 6):
            phase = self.rng.uniform(0, 2 * np.pi)
            edge += radius * wobble * self.rng.normal() / order * np.cos(order * angle + phase)
        inside = edge - distance  # um within the edge
        region = 1 / (1 + np.exp(np.clip(-inside / 0.08, -50, 50)))
        return region, np.exp(-((inside / 0.15) ** 2) / 2)

    def discs(self, center: Array, spread: float, n: int, share: float) -> Array:
        """Return n soft discs about a point, 0 to 1; their radius is a share of the cell's."""
        out = np.zeros_like(self.y)
        for _ in range(n):
            place = center + self.rng.uniform(-1, 1, 2) * spread
            radius = share * self.radius * self.rng.uniform(0.7, 1.4)
            out = np.maximum(out, self.disc(place, radius))
        return np.asarray(out)

    def disc(self, place: Array, radius: float) -> Array:
        """Return one disc, 0 to 1."""
        inside = radius - np.hypot(self.y - place[0], self.x - place[1])
        return np.asarray(1 / (1 + np.exp(np.clip(-inside / 0.04, -50, 50))))

    def droplets(self, center: Array, cytoplasm: Array) -> Array:
        """Return lipid droplets of 0.15-0.8 um radius, most in one cluster by the nucleus."""
        out = np.zeros_like(self.y)
        for _ in range(12 + int(self.rng.integers(25))):
            spread = self.radius * (0.25 if self.rng.random() < 0.7 else 0.6)
            place = center + self.rng.normal(0, spread, 2)
            radius = float(np.clip(np.exp(self.rng.normal(np.log(0.3), 0.45)), 0.15, 0.8))
            out = np.maximum(out, self.disc(place, radius))
        return np.asarray(out * cytoplasm)

    def texture(self, length: float, depth: float) -> Array:
        """Return a rough field about 1, not negative, with a correlation length in um."""
        noise = blur(self.rng.standard_normal(self.y.shape), length / self.step, unit_variance=True)
        return np.asarray(np.maximum(1 + depth * noise, 0))
